/* SPDX-License-Identifier: MIT */
/* Drives one sink without a daemon: orders as JSON lines on stdin, answers as JSON lines on stdout.
 */

/*
 *   drive-sink TYPE [KEY=VALUE ...]     a list: KEY=A,B,C
 *
 *   {"op": "send", "rows": [{"tag": "m/p", "ts": us, "kind": "f64", "value": "1.5", ...}]}
 *   {"op": "generate", "n": 1000, "tags": 10, "from": us, "step": us, "seed": 1, "batch": 500}
 *   {"op": "test"} {"op": "resume"} {"op": "schema"} {"op": "idle"}
 *
 * A row may also have quality ("good", "uncertain", "bad"), cause, epoch, seq, flags, received,
 * unit, description, labels ({}) and address. Values are texts: numbers as C reads them, bytes as
 * hex, a decimal as "12345e-2"; "hex" in place of value is a string with any byte. generate makes
 * good f64 rows, tags in turn, at `from` + k * `step`, in sends of `batch`, numbered from "after" +
 * 1; the answer has the seconds they took. "deadline": seconds, for each of them. DRIVE_STORE in
 * the environment is the uuid of another store, DRIVE_NOW a wall clock that stands still at these
 * microseconds. "ending_ms" in an order: the sink shall end so long after it came.
 */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/random.h"
#include "runtime/clock.h"
#include "sinks/module.h"

enum { TAGS_MAX = 100 * 1000 };

static struct driver {
    const weir_sink_type *type;
    void *state;
    weir_arena *arena;
    weir_sink_tag *tags;
    size_t n_tags;
    uint64_t seq;
    weir_mono ending; /* 0: not */
} driver;

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "drive-sink: %s: %s\n", what, why);
    exit(2);
}

static const char *text_of(const json_t *o, const char *key, const char *fallback)
{
    const json_t *v = json_object_get(o, key);
    return json_is_string(v) ? weir_arena_text(driver.arena, json_string_value(v)) : fallback;
}

static int64_t int_of(const json_t *o, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

/* --- rows --------------------------------------------------------------------------------- */

static const weir_sink_tag *tag_make(const json_t *row, const char *name)
{
    if (driver.n_tags >= TAGS_MAX)
        fail(name, "too many tags");
    const char *slash = strchr(name, '/');
    weir_sink_tag *t = &driver.tags[driver.n_tags];
    *t = (weir_sink_tag){
        .uid = (weir_tag_uid)int_of(row, "uid", (int64_t)driver.n_tags + 1),
        .number = (uint32_t)driver.n_tags,
        .name = weir_arena_text(driver.arena, name),
        .device = weir_arena_text_n(driver.arena, name, slash ? (size_t)(slash - name) : 0),
        .point = weir_arena_text(driver.arena, slash ? slash + 1 : name),
        .unit = text_of(row, "unit", ""),
        .type = text_of(row, "type", "float64"),
        .address = text_of(row, "address", ""),
        .description = text_of(row, "description", ""),
        .labels_json = "{}",
    };
    json_t *labels = json_object_get(row, "labels");
    if (json_object_size(labels) > 0) {
        char *text = json_dumps(labels, JSON_SORT_KEYS | JSON_COMPACT);
        weir_label *items = weir_arena_alloc(driver.arena, json_object_size(labels), sizeof *items);
        const char *key;
        json_t *value;
        json_object_foreach(labels, key, value) items[t->n_labels++] =
            (weir_label){weir_arena_text(driver.arena, key), text_of(labels, key, "")};
        t->labels = items;
        t->labels_json = weir_arena_text(driver.arena, text);
        free(text);
    }
    return &driver.tags[driver.n_tags++];
}

static const weir_sink_tag *tag_of(const json_t *row, const char *name)
{
    for (size_t i = 0; i < driver.n_tags; i++)
        if (strcmp(driver.tags[i].name, name) == 0)
            return &driver.tags[i];
    return tag_make(row, name);
}

static weir_value bytes_of(const char *hex)
{
    const size_t n = strlen(hex) / 2 + 1;
    uint8_t *bytes = weir_arena_alloc(driver.arena, n, 1);
    const int length = weir_hex_parse(hex, bytes, n);
    if (length < 0)
        fail(hex, "not hex");
    return weir_value_bytes(bytes, (size_t)length);
}

static weir_value value_of(const json_t *row)
{
    const char *kind = text_of(row, "kind", "f64"), *text = text_of(row, "value", "0");
    if (strcmp(kind, "null") == 0)
        return weir_value_null();
    if (strcmp(kind, "bool") == 0)
        return weir_value_bool(strcmp(text, "true") == 0);
    if (strcmp(kind, "i64") == 0)
        return weir_value_i64(strtoll(text, NULL, 0));
    if (strcmp(kind, "u64") == 0)
        return weir_value_u64(strtoull(text, NULL, 0));
    if (strcmp(kind, "f32") == 0)
        return weir_value_f32(strtof(text, NULL));
    if (strcmp(kind, "decimal") == 0) {
        const char *e = strchr(text, 'e');
        return weir_value_decimal(strtoll(text, NULL, 10),
                                  (int8_t)(e ? strtol(e + 1, NULL, 10) : 0));
    }
    if (strcmp(kind, "string") == 0 && json_object_get(row, "hex")) {
        weir_value v = bytes_of(text_of(row, "hex", ""));
        v.kind = WEIR_KIND_STRING;
        return v;
    }
    if (strcmp(kind, "string") == 0)
        return weir_value_string(text, strlen(text));
    if (strcmp(kind, "bytes") == 0)
        return bytes_of(text);
    return weir_value_f64(strtod(text, NULL));
}

static weir_quality quality_of(const json_t *row)
{
    const char *word = text_of(row, "quality", "good");
    const weir_cause cause = (weir_cause)int_of(row, "cause", WEIR_CAUSE_TIMEOUT);
    if (strcmp(word, "bad") == 0)
        return weir_bad(cause, 0);
    return strcmp(word, "uncertain") == 0 ? weir_quality_of(WEIR_UNCERTAIN, cause, 0) : 0;
}

static weir_sink_row row_of(const json_t *row)
{
    const int64_t ts = int_of(row, "ts", 0);
    weir_sink_row r = {
        .tag = tag_of(row, text_of(row, "tag", "device/point")),
        .received.us = int_of(row, "received", ts),
        .seq = (uint64_t)int_of(row, "seq", (int64_t)driver.seq + 1),
        .plans = WEIR_PLAN_DEFAULT,
        .epoch = (uint32_t)int_of(row, "epoch", 0),
        .flags = (uint32_t)int_of(row, "flags", 0),
        .replayed = json_is_true(json_object_get(row, "replayed")),
        .sample = {.quality = quality_of(row), .ts.us = ts, .value = value_of(row)},
    };
    r.sample.tag = r.tag->uid;
    if (weir_quality_class(r.sample.quality) == WEIR_BAD)
        r.sample.value = weir_value_null();
    driver.seq = r.seq;
    return r;
}

/* --- orders ------------------------------------------------------------------------------- */

static json_t *answer_json(const weir_send_answer *a)
{
    static const char *const results[] = {"delivered", "later", "rejected", "too_large"};
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "result", results[a->result], "trouble",
                          weir_trouble_text(a->trouble), "why", a->why, "remedy", a->remedy,
                          "retry_after_us", (json_int_t)a->retry_after_us, "max_rows",
                          (json_int_t)a->max_rows);
    if (a->result == WEIR_SEND_REJECTED)
        (void)json_object_set_new(
            o, "first_bad",
            a->first_bad == SIZE_MAX ? json_null() : json_integer((json_int_t)a->first_bad));
    return o;
}

static weir_mono deadline_of(const json_t *order)
{
    return weir_mono_add(weir_system_mono(), int_of(order, "deadline", 30) * WEIR_S);
}

static json_t *op_send(const json_t *order)
{
    const json_t *rows = json_object_get(order, "rows");
    const size_t n = json_array_size(rows);
    weir_send_answer answer = {0};
    weir_sink_row *made = weir_alloc_zero(n + 1, sizeof *made);
    if (!made)
        fail("rows", "no memory");
    for (size_t i = 0; i < n; i++)
        made[i] = row_of(json_array_get(rows, i));
    driver.type->send(driver.state, made, n, deadline_of(order), &answer);
    weir_free(made);
    return answer_json(&answer);
}

static json_t *op_generate(const json_t *order)
{
    const int64_t n = int_of(order, "n", 1000), n_tags = int_of(order, "tags", 10);
    const int64_t batch = int_of(order, "batch", driver.type->rows_max);
    const int64_t from = int_of(order, "from", 0), step = int_of(order, "step", WEIR_S);
    weir_random random = {.state = (uint64_t)int_of(order, "seed", 1)};
    weir_sink_row *rows = weir_alloc_zero((size_t)batch, sizeof *rows);
    const weir_sink_tag **tags = weir_alloc_zero((size_t)n_tags, sizeof *tags);
    weir_send_answer answer = {0};
    int64_t sent = 0, used_us = 0;
    driver.seq = (uint64_t)int_of(order, "after", (int64_t)driver.seq);
    if (!rows || !tags)
        fail("generate", "no memory");
    for (int64_t i = 0; i < n_tags; i++) {
        char name[40];
        (void)snprintf(name, sizeof name, "device-%" PRId64 "/point-%" PRId64, i / 20, i % 20);
        tags[i] = tag_of(order, name);
    }
    while (sent < n && answer.result == WEIR_SEND_DELIVERED) {
        const int64_t now = n - sent < batch ? n - sent : batch;
        for (int64_t i = 0; i < now; i++) {
            const int64_t k = sent + i;
            const int64_t ts = from + k / n_tags * step;
            rows[i] = (weir_sink_row){
                .tag = tags[k % n_tags],
                .received.us = ts,
                .seq = ++driver.seq,
                .plans = WEIR_PLAN_DEFAULT,
                .sample = {.tag = tags[k % n_tags]->uid,
                           .ts.us = ts,
                           .value = weir_value_f64(
                               (double)(int64_t)weir_random_below(&random, 100000) / 100)}};
        }
        const weir_mono began = weir_system_mono();
        driver.type->send(driver.state, rows, (size_t)now, deadline_of(order), &answer);
        used_us += weir_system_mono().us - began.us;
        sent += answer.result == WEIR_SEND_DELIVERED ? now : 0;
    }
    weir_free(rows);
    weir_free(tags);
    json_t *o = answer_json(&answer);
    (void)json_object_set_new(o, "sent", json_integer(sent));
    (void)json_object_set_new(o, "seconds", json_real((double)used_us / 1e6));
    return o;
}

static json_t *op_test(const json_t *order)
{
    weir_sink_test test = {0};
    driver.type->test(driver.state, deadline_of(order), &test);
    json_t *o = answer_json(&test.answer);
    (void)json_object_set_new(o, "peer", json_string(test.peer));
    (void)json_object_set_new(o, "latency_us", json_integer(test.latency_us));
    return o;
}

static json_t *op_resume(const json_t *order)
{
    weir_send_answer answer = {0};
    uint64_t seq = 0;
    if (!driver.type->resume)
        return json_pack("{s:n}", "seq");
    driver.type->resume(driver.state, deadline_of(order), &seq, &answer);
    json_t *o = answer_json(&answer);
    (void)json_object_set_new(o, "seq", json_integer((json_int_t)seq));
    return o;
}

static json_t *op_schema(const void *options)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_error error = WEIR_ERROR_INIT;
    if (!driver.type->schema)
        return json_pack("{s:n}", "schema");
    if (driver.type->schema(options, &text, &error) != WEIR_OK)
        return json_pack("{s:s}", "error", error.text);
    return json_pack("{s:s}", "schema", weir_text_get(&text));
}

static json_t *order_do(const json_t *order, const void *options)
{
    const char *op = text_of(order, "op", "");
    const int64_t ending_ms = int_of(order, "ending_ms", 0);
    driver.ending.us = ending_ms ? weir_system_mono().us + ending_ms * WEIR_MS : 0;
    if (strcmp(op, "send") == 0)
        return op_send(order);
    if (strcmp(op, "generate") == 0)
        return op_generate(order);
    if (strcmp(op, "test") == 0)
        return op_test(order);
    if (strcmp(op, "resume") == 0)
        return op_resume(order);
    if (strcmp(op, "schema") == 0)
        return op_schema(options);
    if (strcmp(op, "idle") != 0)
        fail(op, "no such order");
    if (driver.type->idle)
        driver.type->idle(driver.state, weir_system_mono());
    return json_object();
}

/* --- the sink ----------------------------------------------------------------------------- */

/* A list of texts, which only the reader of the configuration knows otherwise. */
static void strings_set(const weir_option *row, const char *text, void *options)
{
    weir_option_strings strings = {0};
    char *copy = weir_arena_text(driver.arena, text), *rest = copy;
    strings.items = weir_arena_alloc(driver.arena, strlen(text) + 1, sizeof *strings.items);
    for (char *item; (item = strsep(&rest, ","));)
        strings.items[strings.n++] = item;
    memcpy((char *)options + row->offset, &strings, sizeof strings);
}

static void *options_make(int argc, char **argv)
{
    weir_error error = WEIR_ERROR_INIT;
    void *options = weir_alloc_zero(1, driver.type->options_size + 1);
    weir_option_defaults(driver.type->options, options);
    for (int i = 2; i < argc; i++) {
        char key[64];
        const char *equals = strchr(argv[i], '=');
        (void)snprintf(key, sizeof key, "%.*s", equals ? (int)(equals - argv[i]) : 0, argv[i]);
        const weir_option *row = weir_option_find(driver.type->options, key);
        if (!equals || !row)
            fail(argv[i], "no such option");
        if (row->type == WEIR_OPTION_STRINGS)
            strings_set(row, equals + 1, options);
        else if (weir_option_set(row, equals + 1, options, &error) != WEIR_OK)
            fail(argv[i], error.text);
        if (row->set_offset)
            *((bool *)((char *)options + row->set_offset)) = true;
    }
    if (driver.type->check && driver.type->check(options, &error) != WEIR_OK)
        fail("options", error.text);
    return options;
}

static weir_mono host_now(void *data)
{
    (void)data;
    return weir_system_mono();
}

static weir_wall host_wall(void *data)
{
    const char *stopped = getenv("DRIVE_NOW");
    (void)data;
    return stopped ? (weir_wall){strtoll(stopped, NULL, 10)} : weir_system_wall();
}

static bool host_is_ending(void *data)
{
    (void)data;
    return driver.ending.us && weir_mono_reached(weir_system_mono(), driver.ending);
}

static void host_log(void *data, weir_log_level level, const char *event, const char *text)
{
    (void)data;
    (void)level;
    fprintf(stderr, "%s %s\n", event, text);
}

int main(int argc, char **argv)
{
    weir_error error = WEIR_ERROR_INIT;
    char *line = NULL;
    size_t room = 0;
    const char *store = getenv("DRIVE_STORE");
    const weir_sink_host host = {.name = "driven",
                                 .store = store ? store : "00000000-0000-4000-8000-000000000001",
                                 .program = "weir/test",
                                 .seed = 1,
                                 .now = host_now,
                                 .wall = host_wall,
                                 .is_ending = host_is_ending,
                                 .log = host_log};
    if (argc < 2 || weir_sink_type_find(argv[1], &driver.type, &error) != WEIR_OK)
        fail(argc < 2 ? "usage" : argv[1], argc < 2 ? "drive-sink TYPE [KEY=VALUE]" : error.text);
    driver.arena = weir_arena_new();
    driver.tags = weir_alloc_zero(TAGS_MAX, sizeof *driver.tags);
    void *options = options_make(argc, argv);
    driver.state = weir_alloc_zero(1, driver.type->state_size);
    if (driver.type->init(driver.state, &host, options, &error) != WEIR_OK)
        fail("init", error.text);
    while (getline(&line, &room, stdin) > 0) {
        json_error_t wrong;
        json_t *order = json_loads(line, 0, &wrong);
        if (!order)
            fail("order", wrong.text);
        json_t *answer = order_do(order, options);
        (void)json_dumpf(answer, stdout, JSON_COMPACT | JSON_SORT_KEYS);
        (void)putchar('\n');
        (void)fflush(stdout);
        json_decref(answer);
        json_decref(order);
    }
    driver.type->deinit(driver.state);
    weir_free(driver.state);
    weir_free(options);
    weir_free(driver.tags);
    weir_arena_free(driver.arena);
    free(line);
    return 0;
}
