/* SPDX-License-Identifier: MIT */
/* Asking the running weir for something, and its answer. */

#include "cli/ask.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/datadir.h"
#include "daemon/control_ask.h"

enum { PATIENCE_S = 30 };

static weir_err answer_parse(const weir_text *reply, json_t **ret, weir_error *error)
{
    json_t *answer = json_loadb(weir_text_get(reply), reply->length, JSON_ALLOW_NUL, NULL);
    json_t *result = json_object_get(answer, "result");
    const char *text = json_string_value(json_object_get(answer, "error"));
    const json_int_t code = json_integer_value(json_object_get(answer, "code"));
    weir_err err = WEIR_OK;
    if (result)
        *ret = json_incref(result);
    else
        err = weir_fail(error, code > 0 ? (weir_err)code : WEIR_EPROTO, "%s",
                        text ? text : "weir's answer cannot be read");
    json_decref(answer);
    return err;
}

weir_err weir_ask(const char *socket, json_t *request, int patience_s, json_t **ret,
                  weir_error *error)
{
    WEIR_TEXT_AUTO reply = WEIR_TEXT_INIT;
    char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!line)
        return weir_fail(error, WEIR_EINVAL, "the name is no UTF-8 text");
    weir_err err = weir_control_ask_for(socket, line, patience_s, &reply, error);
    free(line);
    return err == WEIR_OK ? answer_parse(&reply, ret, error) : err;
}

weir_err weir_ask_socket(const weir_invocation *in, const struct weir_edit_options *place,
                         const char *instead, weir_text *ret, weir_error *error)
{
    const char *data_dir = weir_data_dir(in->arena, place->config, place->data_dir, error);
    if (!data_dir)
        return error->code;
    if (!strcmp(data_dir, "memory"))
        return weir_fail(error, WEIR_EINVAL, "data_dir is memory: %s", instead);
    return weir_control_path(data_dir, 0, ret, error);
}

weir_err weir_ask_method(const weir_invocation *in, const struct weir_edit_options *place,
                         const char *method, json_t *params, json_t **ret, weir_error *error)
{
    WEIR_TEXT_AUTO socket = WEIR_TEXT_INIT;
    json_t *request = json_pack("{ss so}", "method", method, "params", params);
    weir_err err =
        weir_ask_socket(in, place, "a weir that keeps nothing cannot be asked", &socket, error);
    if (err == WEIR_OK)
        return weir_ask(weir_text_get(&socket), request, PATIENCE_S, ret, error);
    json_decref(request);
    return err;
}
