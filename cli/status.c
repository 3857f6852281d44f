/* SPDX-License-Identifier: MIT */
/* weir status: what a running weir says of itself. */

#include "cli/commands.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/datadir.h"
#include "cli/output.h"
#include "daemon/control_ask.h"
#include "runtime/clock.h"

struct status_options {
    const char *config;
    const char *data_dir;
    const char *socket;
    int format;
    weir_option_strings env_files;
};

static const weir_option status_option_table[] = {
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct status_options, config),
     .metavar = "FILE",
     .text = "The configuration whose data_dir is meant."},
    WEIR_ENV_FILE_OPTION(struct status_options),
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct status_options, data_dir),
     .metavar = "DIR",
     .text = "The data directory of the weir that is asked."},
    {.name = "socket",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct status_options, socket),
     .metavar = "PATH",
     .text = "Its control socket; needed with data_dir: memory, where weir prints it at start."},
    WEIR_FORMAT_OPTION(struct status_options),
    {0},
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static long long integer_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* "12 s ago"; "never" for 0. */
static void add_age(weir_text *t, long long ts)
{
    if (ts == 0) {
        weir_text_add(t, "never");
        return;
    }
    const int64_t age = (weir_system_wall().us - ts) / WEIR_S;
    weir_text_add_duration(t, age * WEIR_S);
    weir_text_add(t, " ago");
}

/* "ok, 8.1 MB of 64 MB", or why it fails. */
static void add_store(weir_text *t, const json_t *store)
{
    const char *error = text_of(store, "error");
    weir_text_add(t, *error ? error : text_of(store, "state"));
    weir_text_add(t, ", ");
    weir_text_add_size(t, (uint64_t)integer_of(store, "bytes"));
    if (integer_of(store, "max_bytes") > 0) {
        weir_text_add(t, " of ");
        weir_text_add_size(t, (uint64_t)integer_of(store, "max_bytes"));
    }
}

/* Nothing while all is well. */
static void print_clock(const json_t *clock)
{
    const json_t *trusted = json_object_get(clock, "trusted");
    const json_t *offset = json_object_get(clock, "offset");
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    if (json_is_false(trusted)) {
        const bool is_wrong = strcmp(text_of(clock, "problem"), "implausible") == 0;
        weir_text_add(&t, is_wrong ? "it shows a time that cannot be true, since "
                                   : "the kernel says it is not synchronized, since ");
        add_age(&t, integer_of(clock, "since"));
        weir_text_add(&t, "; samples are uncertain. Enable NTP: timedatectl set-ntp true");
    } else if (json_is_integer(offset)) {
        weir_text_add(&t, "trusted since ");
        add_age(&t, integer_of(clock, "since"));
        weir_text_add(&t, "; times before were corrected by ");
        weir_text_add_duration(&t, json_integer_value(offset) / WEIR_MS * WEIR_MS);
    }
    if (t.length)
        printf("clock: %s\n", weir_text_get(&t));
}

static void print_summary(const json_t *result)
{
    WEIR_TEXT_AUTO age = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO store = WEIR_TEXT_INIT;
    add_age(&age, integer_of(result, "committed_ts"));
    add_store(&store, json_object_get(result, "store"));
    printf("weir %s, pid %lld, data in %s\n", text_of(result, "version"), integer_of(result, "pid"),
           text_of(result, "data_dir"));
    printf("store: %s; %lld samples and events committed, the newest %s\n", weir_text_get(&store),
           integer_of(result, "committed_seq"), weir_text_get(&age));
    print_clock(json_object_get(result, "clock"));
    printf("tags: %lld, devices: %zu, overruns: %lld", integer_of(result, "tags"),
           json_array_size(json_object_get(result, "devices")), integer_of(result, "overruns"));
    if (integer_of(result, "filtered"))
        printf(", filtered: %lld", integer_of(result, "filtered"));
    printf("\n\n");
}

/* "office: online, backlog 12000, 34 s to go, oldest 12 min". */
static void print_sinks(const json_t *sinks)
{
    for (size_t i = 0; i < json_array_size(sinks); i++) {
        const json_t *sink = json_array_get(sinks, i);
        const long long aside = integer_of(sink, "quarantined"),
                        replayed_to = integer_of(sink, "replayed_to");
        const double rate = json_number_value(json_object_get(sink, "rate"));
        const double done_in_s = json_number_value(json_object_get(sink, "done_in_s"));
        const double oldest_s = json_number_value(json_object_get(sink, "oldest_unsent_s"));
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        weir_text_format(&t, "sink %s (%s): %s", text_of(sink, "name"), text_of(sink, "type"),
                         text_of(sink, "state"));
        if (*text_of(sink, "error"))
            weir_text_format(&t, ": %s", text_of(sink, "error"));
        if (*text_of(sink, "remedy"))
            weir_text_format(&t, ". Next: %s", text_of(sink, "remedy"));
        if (json_is_integer(json_object_get(sink, "backlog")))
            weir_text_format(&t, "; %lld waiting", integer_of(sink, "backlog"));
        if (oldest_s >= 1) {
            weir_text_add(&t, ", the oldest for ");
            weir_text_add_duration(&t, (int64_t)oldest_s * WEIR_S);
        }
        if (rate > 0)
            weir_text_format(&t, ", %.0f a second", rate);
        if (done_in_s >= 1) {
            weir_text_add(&t, ", done in about ");
            weir_text_add_duration(&t, (int64_t)done_in_s * WEIR_S);
        }
        if (replayed_to > 0) {
            char time[28];
            weir_wall_format((weir_wall){replayed_to}, time);
            weir_text_format(&t, ", replayed up to %s", time);
        }
        if (aside > 0)
            weir_text_format(&t, "; %lld in quarantine", aside);
        printf("%s\n", weir_text_get(&t));
    }
    if (json_array_size(sinks) > 0)
        printf("\n");
}

static int print_devices(const json_t *result, weir_format format)
{
    static const char *const columns[] = {"device",   "connection", "state", "last good",
                                          "requests", "timeouts",   "late",  "rtt p50 ms",
                                          "overruns", "error"};
    enum { N = sizeof columns / sizeof *columns };
    WEIR_CLEANUP(weir_output_end) weir_output *output = weir_output_new(stdout, format, columns, N);
    const json_t *devices = json_object_get(result, "devices");
    if (!output)
        return WEIR_EXIT_FAILURE;
    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *device = json_array_get(devices, i);
        WEIR_TEXT_AUTO age = WEIR_TEXT_INIT;
        add_age(&age, integer_of(device, "last_good"));
        const char *name = text_of(device, "name"), *connection = text_of(device, "connection");
        const char *state = text_of(device, "state"), *error = text_of(device, "error");
        const weir_value row[N] = {
            weir_value_string(name, strlen(name)),
            weir_value_string(connection, strlen(connection)),
            weir_value_string(state, strlen(state)),
            weir_value_string(weir_text_get(&age), age.length),
            weir_value_i64(integer_of(device, "requests")),
            weir_value_i64(integer_of(device, "timeouts")),
            weir_value_i64(integer_of(device, "late")),
            weir_value_f64(json_real_value(json_object_get(device, "rtt_p50"))),
            weir_value_i64(integer_of(device, "overruns")),
            weir_value_string(error, strlen(error)),
        };
        if (!weir_output_row(output, row))
            break;
    }
    return WEIR_EXIT_OK;
}

static int print_status(const weir_invocation *in, const char *reply, size_t n, int format)
{
    json_error_t json_error;
    json_t *answer = json_loadb(reply, n, 0, &json_error);
    const json_t *result = json_object_get(answer, "result");
    int code = WEIR_EXIT_OK;
    if (!result) {
        weir_error error = WEIR_ERROR_INIT;
        (void)weir_fail(&error, WEIR_EPROTO, "weir answered: %s",
                        answer ? text_of(answer, "error") : json_error.text);
        code = weir_command_fail(in, &error);
    } else if (format == WEIR_FORMAT_JSON) {
        char *text = json_dumps(result, JSON_INDENT(2));
        if (text)
            puts(text);
        free(text);
    } else {
        if (format != WEIR_FORMAT_CSV) {
            print_summary(result);
            print_sinks(json_object_get(result, "sinks"));
        }
        code =
            print_devices(result, format == WEIR_FORMAT_CSV ? WEIR_FORMAT_CSV : WEIR_FORMAT_TABLE);
    }
    json_decref(answer);
    return code;
}

static int status_command(const weir_invocation *in)
{
    const struct status_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO reply = WEIR_TEXT_INIT;
    if (options->socket) {
        weir_text_add(&path, options->socket);
    } else {
        const char *data_dir = weir_data_dir(in->arena, options->config, options->data_dir, &error);
        if (!data_dir || weir_control_path(data_dir, 0, &path, &error))
            return weir_command_fail(in, &error);
    }
    if (weir_control_ask(weir_text_get(&path), "{\"method\":\"status\"}", &reply, &error))
        return weir_command_fail(in, &error);
    return print_status(in, weir_text_get(&reply), reply.length, options->format);
}

static const weir_example status_examples[] = {
    {"weir status", "the weir running on this folder's data directory"},
    {"weir status --data-dir /var/lib/weir --format json", "the same for programs"},
    {0},
};

const weir_command weir_command_status = {
    .name = "status",
    .summary = "tell what a running weir is doing: store, sinks, devices, errors",
    .arguments = "",
    .options = status_option_table,
    .options_size = sizeof(struct status_options),
    .examples = status_examples,
    .text = "Asks through the control socket weir.sock in the data directory. A sample or event "
            "with a sequence number up to committed_seq survives a power cut.",
    .run = status_command,
};
