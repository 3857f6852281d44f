/* SPDX-License-Identifier: MIT */
/* Changing what is stored: by the running weir, or by ourselves when none runs. */

#include "cli/edit.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/datadir.h"
#include "daemon/control_ask.h"
#include "daemon/edit_json.h"
#include "runtime/clock.h"
#include "store/store.h"

enum { EDIT_PATIENCE_S = 40 }; /* a commit on a slow disk comes first */

static weir_err edit_by_daemon(const char *socket, const weir_edit *edit, uint64_t *ret_n,
                               weir_error *error)
{
    json_t *result = NULL;
    weir_err err = weir_ask(socket, weir_edit_request(edit), EDIT_PATIENCE_S, &result, error);
    if (err != WEIR_OK)
        return err;
    *ret_n = (uint64_t)json_integer_value(json_object_get(result, weir_edit_counts(edit->kind)));
    json_decref(result);
    return WEIR_OK;
}

/* Nothing else has the store: it is opened, changed, tidied as far as that goes at once, closed. */
static weir_err edit_by_ourselves(const weir_invocation *in, const char *data_dir,
                                  const weir_edit *edit, uint64_t *ret_n, weir_error *error)
{
    weir_store *store = NULL;
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    weir_text_format(&path, "%s/data.db", data_dir);
    if (access(weir_text_get(&path), F_OK))
        return weir_fail(error, WEIR_ENOTFOUND, "there is no store in %s", data_dir);
    const weir_store_options options = {.data_dir = data_dir, .now = weir_system_wall()};
    weir_err err = weir_store_open(&options, &store, error);
    if (err == WEIR_OK) {
        weir_data_dir_tell(in, store);
        err = weir_store_edit(store, edit, weir_system_wall(), ret_n, error);
    }
    weir_store_close(store);
    return err;
}

weir_err weir_edit_make(const weir_invocation *in, const struct weir_edit_options *place,
                        const weir_edit *edit, uint64_t *ret_n, weir_error *error)
{
    WEIR_TEXT_AUTO socket = WEIR_TEXT_INIT;
    const char *data_dir = weir_data_dir(in->arena, place->config, place->data_dir, error);
    if (!data_dir)
        return error->code;
    if (!strcmp(data_dir, "memory"))
        return weir_fail(error, WEIR_EINVAL,
                         "data_dir is memory: nothing is kept that could be changed");
    /* Where the socket cannot have a name, nobody listens. */
    weir_err err = WEIR_ECONNECT;
    if (weir_control_path(data_dir, 0, &socket, error) == WEIR_OK)
        err = edit_by_daemon(weir_text_get(&socket), edit, ret_n, error);
    return err == WEIR_ECONNECT ? edit_by_ourselves(in, data_dir, edit, ret_n, error) : err;
}
