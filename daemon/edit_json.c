/* SPDX-License-Identifier: MIT */
/* An edit of the store as a request on the control socket, and back. */

#include "daemon/edit_json.h"

#include <stddef.h>
#include <string.h>

enum { PARAMS_MAX = 4 };

enum param_type { TEXT = 1, TIME, NUMBER };

static const struct method {
    weir_edit_kind kind;
    const char *name, *counts;
    struct param {
        const char *name;
        enum param_type type;
        size_t offset; /* in weir_edit: const char *, weir_wall, double */
    } params[PARAMS_MAX];
} methods[] = {
#define SUBJECT(name)                            \
    {                                            \
        name, TEXT, offsetof(weir_edit, subject) \
    }
#define PARAM(name, type, field)               \
    {                                          \
        name, type, offsetof(weir_edit, field) \
    }
    {WEIR_EDIT_PURGE, "tag.purge", "tags", {SUBJECT("tag")}},
    {WEIR_EDIT_REPLACE,
     "device.replace",
     "tags",
     {SUBJECT("device"), PARAM("at", TIME, at), PARAM("final", NUMBER, final),
      PARAM("first", NUMBER, first)}},
    {WEIR_EDIT_SINK_PAUSE, "sink.pause", "sinks", {SUBJECT("sink")}},
    {WEIR_EDIT_SINK_RESUME, "sink.resume", "sinks", {SUBJECT("sink")}},
    {WEIR_EDIT_SINK_REPLAY,
     "sink.replay",
     "sinks",
     {SUBJECT("sink"), PARAM("from", TIME, from), PARAM("to", TIME, to)}},
    {WEIR_EDIT_SINK_REPLAY_STOP, "sink.replay_stop", "sinks", {SUBJECT("sink")}},
    {WEIR_EDIT_SINK_RETRY, "sink.retry", "rows", {SUBJECT("sink"), PARAM("tag", TEXT, tags)}},
    {WEIR_EDIT_SINK_DROP, "sink.drop", "rows", {SUBJECT("sink"), PARAM("tag", TEXT, tags)}},
#undef SUBJECT
#undef PARAM
};

enum { METHODS = sizeof methods / sizeof *methods };

static const struct method *method_of(weir_edit_kind kind)
{
    for (size_t i = 0; i < METHODS; i++)
        if (methods[i].kind == kind)
            return &methods[i];
    return NULL;
}

static json_t *param_value(const struct param *param, const weir_edit *edit)
{
    const char *field = (const char *)edit + param->offset;
    const char *text;
    weir_wall time;
    double number;
    switch (param->type) {
    case TEXT:
        memcpy(&text, field, sizeof text);
        return json_string(text);
    case TIME:
        memcpy(&time, field, sizeof time);
        return json_integer(time.us);
    case NUMBER:
        memcpy(&number, field, sizeof number);
        return json_real(number);
    }
    return NULL;
}

json_t *weir_edit_request(const weir_edit *edit)
{
    const struct method *method = method_of(edit->kind);
    json_t *params = json_object();
    bool good = method != NULL;
    for (size_t i = 0; good && i < PARAMS_MAX && method->params[i].name; i++)
        good = json_object_set_new(params, method->params[i].name,
                                   param_value(&method->params[i], edit)) == 0;
    if (good)
        return json_pack("{ss so}", "method", method->name, "params", params);
    json_decref(params);
    return NULL;
}

static bool param_take(const struct param *param, const json_t *value, weir_edit *edit)
{
    char *field = (char *)edit + param->offset;
    const char *text = json_string_value(value);
    const weir_wall time = {json_integer_value(value)};
    const double number = json_number_value(value);
    switch (param->type) {
    case TEXT:
        memcpy(field, &text, sizeof text);
        return text != NULL;
    case TIME:
        memcpy(field, &time, sizeof time);
        return json_is_integer(value);
    case NUMBER:
        memcpy(field, &number, sizeof number);
        return json_is_number(value);
    }
    return false;
}

bool weir_edit_parse(const char *method, const json_t *params, weir_edit *ret, bool *ret_good)
{
    for (size_t k = 0; k < METHODS; k++) {
        if (strcmp(methods[k].name, method) != 0)
            continue;
        *ret = (weir_edit){.kind = methods[k].kind};
        *ret_good = true;
        for (size_t i = 0; i < PARAMS_MAX && methods[k].params[i].name; i++)
            *ret_good &= param_take(&methods[k].params[i],
                                    json_object_get(params, methods[k].params[i].name), ret);
        return true;
    }
    return false;
}

const char *weir_edit_counts(weir_edit_kind kind)
{
    const struct method *method = method_of(kind);
    return method ? method->counts : "";
}

void weir_edit_methods(weir_text *t)
{
    for (size_t i = 0; i < METHODS; i++)
        weir_text_format(t, "%s%s", i ? ", " : "", methods[i].name);
}
