/* SPDX-License-Identifier: MIT */
/* The control socket's methods for pulling historians. */

#include "daemon/control_historian.h"

#include <string.h>

#include "base/text.h"
#include "daemon/json.h"

/* False: not what was asked for, and said so. Whole numbers from 0 on; missing: 0. */
static bool number_of(const json_t *params, const char *key, uint64_t *ret, weir_error *error)
{
    const json_t *v = json_object_get(params, key);
    if (!v)
        return true;
    if (!json_is_integer(v) || json_integer_value(v) < 0) {
        (void)weir_fail(error, WEIR_EINVAL, "\"%s\" must be a whole number from 0 on", key);
        return false;
    }
    *ret = (uint64_t)json_integer_value(v);
    return true;
}

static const char *name_of(const json_t *params, weir_error *error)
{
    const char *name = json_string_value(json_object_get(params, "name"));
    if (!name)
        (void)weir_fail(error, WEIR_EINVAL, "\"name\" is missing: who reads?");
    return name;
}

/* --- reading ------------------------------------------------------------------------------ */

static json_t *value_json(const weir_value *value)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_value_format_json(value, &text);
    json_t *v =
        json_loadb(weir_text_get(&text), text.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    return v ? v : json_null();
}

static json_t *row_json(const weir_sink_row *row)
{
    const weir_sink_tag *tag = row->tag;
    const weir_quality quality = row->sample.quality;
    json_t *o = json_object();
    (void)json_object_set_new(o, "tag", weir_json_text(tag->name));
    (void)json_object_set_new(o, "ts", json_integer(row->sample.ts.us));
    (void)json_object_set_new(o, "value", value_json(&row->sample.value));
    (void)json_object_set_new(o, "quality",
                              json_string(weir_class_text(weir_quality_class(quality))));
    (void)json_object_set_new(o, "cause",
                              json_string(weir_cause_text(weir_quality_cause(quality))));
    (void)json_object_set_new(o, "read_ts", json_integer(row->received.us));
    (void)json_object_set_new(o, "epoch", json_integer(row->epoch));
    (void)json_object_set_new(o, "seq", json_integer((json_int_t)row->seq));
    (void)json_object_set_new(o, "id", json_integer(tag->uid));
    (void)json_object_set_new(o, "unit", weir_json_text(tag->unit));
    return o;
}

static weir_err rows_add(void *data, const weir_sink_row *rows, size_t n, weir_error *error)
{
    json_t *samples = data;
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(samples, row_json(&rows[i])) != 0)
            return weir_fail(error, WEIR_ENOMEM, "no memory for the samples");
    return WEIR_OK;
}

static bool wish_parse(const json_t *params, weir_historian_wish *ret, weir_error *error)
{
    const json_t *tags = json_object_get(params, "tags"), *from = json_object_get(params, "from");
    uint64_t limit = 0;
    *ret = (weir_historian_wish){
        .name = name_of(params, error),
        .tags = json_string_value(tags),
        .from_now =
            from && strcmp(json_is_string(from) ? json_string_value(from) : "", "now") == 0};
    if (!ret->name || !number_of(params, "limit", &limit, error) ||
        !number_of(params, "after", &ret->after, error))
        return false;
    ret->limit = limit > WEIR_HISTORIAN_ROWS_MAX ? WEIR_HISTORIAN_ROWS_MAX : (size_t)limit;
    if (tags && !ret->tags)
        (void)weir_fail(error, WEIR_EINVAL, "\"tags\" must be a pattern such as \"meter-*/power\"");
    else if (from && !ret->from_now &&
             (!json_is_string(from) || strcmp(json_string_value(from), "log") != 0))
        (void)weir_fail(error, WEIR_EINVAL, "\"from\" is \"log\" or \"now\"");
    else
        return true;
    return false;
}

static weir_err read_samples(weir_historians *historians, const json_t *params, json_t *answer,
                             weir_error *error)
{
    weir_historian_wish wish;
    weir_historian_read read;
    if (!wish_parse(params, &wish, error))
        return error->code;
    json_t *samples = json_array();
    weir_err err = weir_historian_get(historians, &wish, rows_add, samples, &read, error);
    if (err != WEIR_OK) {
        json_decref(samples);
        return err;
    }
    json_t *result = json_pack("{ss sI sI sI sI sb so}", "store", read.store, "acknowledged",
                               (json_int_t)read.acknowledged, "cursor", (json_int_t)read.last_seq,
                               "committed_seq", (json_int_t)read.committed_seq, "lost",
                               (json_int_t)read.lost, "held", read.held, "samples", samples);
    (void)json_object_set_new(answer, "result", result);
    return WEIR_OK;
}

/* --- acknowledging ------------------------------------------------------------------------ */

/* A cursor of the store that was there before a restore would pass over samples of this one. */
static weir_err store_check(weir_historians *historians, const char *name, const char *store,
                            weir_error *error)
{
    const char *now = NULL;
    weir_err err = weir_historian_store(historians, name, &now, error);
    if (err != WEIR_OK || !store || strcmp(store, now) == 0)
        return err;
    return weir_fail(error, WEIR_EINVAL,
                     "that cursor is of store %.40s, but this is %s: read again and go on from "
                     "there",
                     store, now);
}

static weir_err acknowledge(weir_historians *historians, const json_t *params, json_t *answer,
                            weir_error *error)
{
    const char *name = name_of(params, error);
    const json_t *before = json_object_get(params, "before");
    uint64_t seq = 0, cursor = 0;
    if (!name || !number_of(params, "cursor", &seq, error))
        return error->code;
    if ((before != NULL) == (json_object_get(params, "cursor") != NULL) ||
        (before && !json_is_integer(before)))
        return weir_fail(error, WEIR_EINVAL,
                         "either \"cursor\" (of a read) or \"before\" (microseconds) is needed");
    weir_err err =
        store_check(historians, name, json_string_value(json_object_get(params, "store")), error);
    if (err == WEIR_OK && before)
        err = weir_historian_acknowledge_time(
            historians, name, (weir_wall){json_integer_value(before)}, &cursor, error);
    else if (err == WEIR_OK)
        err = weir_historian_acknowledge(historians, name, seq, &cursor, error);
    if (err == WEIR_OK)
        (void)json_object_set_new(answer, "result",
                                  json_pack("{sI}", "cursor", (json_int_t)cursor));
    return err;
}

static weir_err remove_historian(weir_historians *historians, const json_t *params, json_t *answer,
                                 weir_error *error)
{
    const char *name = name_of(params, error);
    if (!name)
        return error->code;
    const weir_err err = weir_historian_remove(historians, name, error);
    if (err == WEIR_OK)
        (void)json_object_set_new(answer, "result", json_object());
    return err;
}

bool weir_control_historian(weir_historians *historians, const char *method, const json_t *params,
                            json_t *answer)
{
    static const struct {
        const char *method;
        weir_err (*run)(weir_historians *historians, const json_t *params, json_t *answer,
                        weir_error *error);
    } methods[] = {{"historian.read", read_samples},
                   {"historian.acknowledge", acknowledge},
                   {"historian.remove", remove_historian}};
    weir_error error = WEIR_ERROR_INIT;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(method, methods[i].method) != 0)
            continue;
        if (methods[i].run(historians, params, answer, &error) != WEIR_OK)
            weir_json_fail(answer, &error);
        return true;
    }
    return false;
}
