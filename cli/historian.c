/* SPDX-License-Identifier: MIT */
/* weir historian: what a program that pulls from weir does, by hand. */

#include "cli/commands.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/edit.h"
#include "cli/moment.h"
#include "cli/output.h"
#include "runtime/clock.h"

struct historian_options {
    struct weir_edit_options place;
    const char *tags, *cursor, *before;
    int64_t limit;
    bool now;
    int format;
};

static const weir_option historian_option_table[] = {
    {.name = "limit",
     .letter = 'n',
     .type = WEIR_OPTION_INT,
     .offset = offsetof(struct historian_options, limit),
     .min = 1,
     .max = 10000,
     .fallback = "1000",
     .text = "read: so many samples, about."},
    {.name = "tags",
     .letter = 't',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct historian_options, tags),
     .metavar = "PATTERN",
     .text = "read: only tags that match. Others count as read."},
    {.name = "now",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct historian_options, now),
     .text = "read, the first time: begin with what is committed from now on, instead of all that "
             "the log has."},
    {.name = "cursor",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct historian_options, cursor),
     .metavar = "STORE:SEQ",
     .text = "acknowledge: everything up to here, as a read told."},
    {.name = "before",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct historian_options, before),
     .metavar = "TIME",
     .text = "acknowledge: everything with a time up to this. " WEIR_MOMENT_HELP},
    WEIR_EDIT_OPTIONS(struct historian_options),
    WEIR_FORMAT_OPTION(struct historian_options),
    {0}};

/* --- read --------------------------------------------------------------------------------- */

static weir_value text_value(const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);
    return weir_value_string(json_is_string(v) ? json_string_value(v) : "", json_string_length(v));
}

static weir_value value_of(const json_t *v)
{
    if (json_is_string(v))
        return weir_value_string(json_string_value(v), json_string_length(v));
    if (json_is_boolean(v))
        return weir_value_bool(json_is_true(v));
    if (json_is_integer(v))
        return weir_value_i64(json_integer_value(v));
    return json_is_real(v) ? weir_value_f64(json_real_value(v)) : weir_value_null();
}

static void print_samples(const json_t *result, weir_format format)
{
    static const char *const columns[] = {"tag",   "ts",      "time",  "value", "quality",
                                          "cause", "read_ts", "epoch", "seq"};
    enum { N = sizeof columns / sizeof *columns };
    WEIR_CLEANUP(weir_output_end) weir_output *output = weir_output_new(stdout, format, columns, N);
    const json_t *samples = json_object_get(result, "samples");
    for (size_t i = 0; output && i < json_array_size(samples); i++) {
        const json_t *row = json_array_get(samples, i);
        const int64_t ts = json_integer_value(json_object_get(row, "ts"));
        char time[28];
        weir_wall_format((weir_wall){ts}, time);
        const weir_value values[N] = {
            text_value(row, "tag"),
            weir_value_i64(ts),
            weir_value_string(time, strlen(time)),
            value_of(json_object_get(row, "value")),
            text_value(row, "quality"),
            text_value(row, "cause"),
            weir_value_i64(json_integer_value(json_object_get(row, "read_ts"))),
            weir_value_i64(json_integer_value(json_object_get(row, "epoch"))),
            weir_value_i64(json_integer_value(json_object_get(row, "seq"))),
        };
        if (!weir_output_row(output, values))
            return;
    }
}

static void tell_cursor(const weir_invocation *in, const char *name, const json_t *result)
{
    const json_int_t cursor = json_integer_value(json_object_get(result, "cursor"));
    const json_int_t committed = json_integer_value(json_object_get(result, "committed_seq"));
    const json_int_t lost = json_integer_value(json_object_get(result, "lost"));
    if (lost > 0)
        weir_command_note(in,
                          "%" JSON_INTEGER_FORMAT " samples are not there any more: "
                          "`weir sql \"SELECT * FROM gaps\"` says why",
                          lost);
    weir_command_note(in,
                      "%zu samples%s; when you have them: weir historian acknowledge %s --cursor "
                      "%s:%" JSON_INTEGER_FORMAT,
                      json_array_size(json_object_get(result, "samples")),
                      json_is_true(json_object_get(result, "held"))
                          ? ", and the next are held until their clock is known"
                      : cursor < committed ? ", and there are more"
                                           : "",
                      name, json_string_value(json_object_get(result, "store")), cursor);
}

static int historian_read(const weir_invocation *in, const char *name)
{
    const struct historian_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    json_t *result = NULL;
    json_t *params = json_pack("{ss sI ss}", "name", name, "limit", (json_int_t)options->limit,
                               "from", options->now ? "now" : "log");
    if (options->tags)
        (void)json_object_set_new(params, "tags", json_string(options->tags));
    if (weir_ask_method(in, &options->place, "historian.read", params, &result, &error))
        return weir_command_fail(in, &error);
    print_samples(result, (weir_format)options->format);
    tell_cursor(in, name, result);
    json_decref(result);
    return WEIR_EXIT_OK;
}

/* --- acknowledge, remove ------------------------------------------------------------------ */

/* "STORE:SEQ", or a number alone. */
static bool cursor_parse(const char *text, json_t *params)
{
    const char *colon = strrchr(text, ':');
    char *end;
    const long long seq = strtoll(colon ? colon + 1 : text, &end, 10);
    if (*end || end == text || seq < 0 || (colon && end == colon + 1))
        return false;
    (void)json_object_set_new(params, "cursor", json_integer(seq));
    if (colon)
        (void)json_object_set_new(params, "store", json_stringn(text, (size_t)(colon - text)));
    return true;
}

static int historian_acknowledge(const weir_invocation *in, const char *name)
{
    const struct historian_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    weir_wall before;
    json_t *result = NULL;
    if (!options->cursor == !options->before)
        return weir_command_usage(in, "say up to where: --cursor STORE:SEQ or --before TIME");
    if (options->before &&
        weir_moment_parse("before", options->before, weir_system_wall(), &before, &error))
        return weir_command_usage(in, "%s", error.text);
    json_t *params = json_pack("{ss}", "name", name);
    if (options->before)
        (void)json_object_set_new(params, "before", json_integer(before.us));
    else if (!cursor_parse(options->cursor, params)) {
        json_decref(params);
        return weir_command_usage(in, "--cursor is what a read told, STORE:SEQ, not '%s'",
                                  options->cursor);
    }
    if (weir_ask_method(in, &options->place, "historian.acknowledge", params, &result, &error))
        return weir_command_fail(in, &error);
    weir_command_note(in, "%s has everything up to %" JSON_INTEGER_FORMAT, name,
                      json_integer_value(json_object_get(result, "cursor")));
    json_decref(result);
    return WEIR_EXIT_OK;
}

static int historian_remove(const weir_invocation *in, const char *name)
{
    const struct historian_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    json_t *result = NULL;
    if (weir_ask_method(in, &options->place, "historian.remove", json_pack("{ss}", "name", name),
                        &result, &error))
        return weir_command_fail(in, &error);
    weir_command_note(in, "nothing is kept for %s any more", name);
    json_decref(result);
    return WEIR_EXIT_OK;
}

static int historian_run(const weir_invocation *in)
{
    if (strcmp(in->args[0], "read") == 0)
        return historian_read(in, in->args[1]);
    if (strcmp(in->args[0], "acknowledge") == 0)
        return historian_acknowledge(in, in->args[1]);
    if (strcmp(in->args[0], "remove") == 0)
        return historian_remove(in, in->args[1]);
    return weir_command_usage(in, "'%s' is none of read, acknowledge, remove", in->args[0]);
}

static const weir_example historian_examples[] = {
    {"weir historian read archive --limit 5000 --format json",
     "what the historian `archive` has not acknowledged yet, oldest commit first"},
    {"weir historian acknowledge archive --before 2026-01-31T12:00:00Z",
     "it has everything with a time up to this"},
    {0}};

const weir_command weir_command_historian = {
    .name = "historian",
    .summary = "read what a pulling historian has not got yet, and acknowledge it",
    .arguments = "read|acknowledge|remove NAME",
    .args_min = 2,
    .args_max = 2,
    .options = historian_option_table,
    .options_size = sizeof(struct historian_options),
    .examples = historian_examples,
    .text =
        "A historian is a program that comes and takes samples, instead of a sink that weir "
        "brings them to. It has a name, is known from its first read on, and reads behind its "
        "cursor in the order of commits; the same again, until it acknowledges: by the cursor "
        "that a read told, or by a time. By a time the cursor goes up to the first sample that "
        "is later, so what came late is given again and nothing is passed over. What it has not "
        "acknowledged is kept for it, within the limits of the store; what was dropped is in "
        "`gaps`. Nothing is kept for one that has not acknowledged anything for `detached_after`."
        "\n\n"
        "Programs ask the control socket, DATA_DIR/weir.sock, a line of JSON each: "
        "{\"method\": \"historian.read\", \"params\": {\"name\": \"archive\", \"limit\": 1000}} "
        "and historian.acknowledge with \"store\" and \"cursor\", or with \"before\" in "
        "microseconds; historian.remove. A running weir is needed.",
    .run = historian_run,
};
