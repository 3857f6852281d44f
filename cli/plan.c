/* SPDX-License-Identifier: MIT */
/* weir plan: what is collected together, and when; started, paused, stopped, collected at once. */

#include "cli/commands.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/edit.h"
#include "cli/output.h"
#include "cli/thing.h"

enum { LOOK_US = 100 * 1000 }; /* whether it has been collected */

struct plan_options {
    struct weir_edit_options place;
    int64_t cycles, wait;
    int format;
    struct weir_thing_values values;
};

enum { PLAN_OWN = 5 };

static weir_option plan_option_table[WEIR_THING_OPTIONS + PLAN_OWN + 2] = {
    {.name = "cycles",
     .letter = 'n',
     .type = WEIR_OPTION_INT,
     .offset = offsetof(struct plan_options, cycles),
     .min = 1,
     .max = 1000000,
     .metavar = "N",
     .fallback = "1",
     .text = "collect: so many times."},
    {.name = "wait",
     .letter = 'w',
     .type = WEIR_OPTION_DURATION,
     .offset = offsetof(struct plan_options, wait),
     .min = 0,
     .max = WEIR_DAY,
     .metavar = "DURATION",
     .fallback = "1s",
     .text = "collect: from the end of one cycle to the next."},
    WEIR_EDIT_OPTIONS(struct plan_options),
    WEIR_FORMAT_OPTION(struct plan_options)};

void weir_command_plan_init(void)
{
    weir_thing_fill_options(WEIR_THING_PLAN, plan_option_table, PLAN_OWN,
                            offsetof(struct plan_options, values));
}

/* What was given for a key of the configuration; NULL: nothing. */
static const char *text_of(const struct plan_options *options, const char *key)
{
    const weir_option *rows = weir_thing_options(WEIR_THING_PLAN);
    for (size_t i = 0; rows[i].name && i < WEIR_THING_OPTIONS; i++)
        if (!strcmp(rows[i].name, key))
            return options->values.texts[i];
    return NULL;
}

static int plan_thing(const weir_invocation *in)
{
    const struct plan_options *options = in->options;
    return weir_thing_run(in, &(weir_thing_command){.thing = WEIR_THING_PLAN,
                                                    .place = &options->place,
                                                    .values = &options->values,
                                                    .format = options->format});
}

/* --- list, show --------------------------------------------------------------------------- */

/* room: 28 bytes. */
static weir_value time_value(const json_t *plan, const char *key, char *room)
{
    const json_t *v = json_object_get(plan, key);
    if (!json_is_integer(v))
        return weir_value_null();
    weir_wall_format((weir_wall){json_integer_value(v)}, room);
    return weir_value_string(room, strlen(room));
}

static weir_value plan_value(const json_t *plan, const char *key)
{
    const json_t *v = json_object_get(plan, key);
    if (json_is_string(v))
        return weir_value_string(json_string_value(v), json_string_length(v));
    if (json_is_boolean(v))
        return weir_value_bool(json_is_true(v));
    return json_is_integer(v) ? weir_value_i64(json_integer_value(v)) : weir_value_null();
}

/* All plans, or the one with this name. False: there is none. */
static bool print_plans(const json_t *plans, const char *name, weir_format format)
{
    static const char *const columns[] = {"name",    "state",      "rhythm",    "tags",  "next_due",
                                          "expires", "started",    "ended",     "merge", "id",
                                          "bit",     "configured", "collecting"};
    enum { N = sizeof columns / sizeof *columns, TIMES_FIRST = 4, TIMES_END = 8 };
    WEIR_CLEANUP(weir_output_end) weir_output *output = weir_output_new(stdout, format, columns, N);
    bool any = false;
    for (size_t i = 0; output && i < json_array_size(plans); i++) {
        const json_t *plan = json_array_get(plans, i);
        const char *its = json_string_value(json_object_get(plan, "name"));
        char times[N][28];
        weir_value row[N];
        if (name && (!its || strcmp(its, name) != 0))
            continue;
        any = true;
        for (size_t k = 0; k < N; k++) {
            const bool is_time = k >= TIMES_FIRST && k < TIMES_END;
            row[k] =
                is_time ? time_value(plan, columns[k], times[k]) : plan_value(plan, columns[k]);
        }
        if (!weir_output_row(output, row))
            break;
    }
    return any;
}

/* Without a running weir: what is defined. */
static int plan_list(const weir_invocation *in, const char *name)
{
    const struct plan_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    json_t *result = NULL;
    const weir_err err =
        weir_ask_method(in, &options->place, "plan.list", json_object(), &result, &error);
    if (err)
        return err == WEIR_ECONFIG ? weir_command_fail(in, &error) : plan_thing(in);
    const bool any =
        print_plans(json_object_get(result, "plans"), name, (weir_format)options->format);
    json_decref(result);
    if (any)
        return WEIR_EXIT_OK;
    (void)weir_fail(&error, WEIR_ENOTFOUND, "there is no plan '%s'", name);
    return weir_command_fail(in, &error);
}

/* --- start -------------------------------------------------------------------------------- */

static json_t *patterns_json(const char *text)
{
    json_t *patterns = json_array();
    while (*text) {
        const size_t n = strcspn(text, ",");
        if (n)
            (void)json_array_append_new(patterns, json_stringn(text, n));
        text += n + (text[n] == ',');
    }
    return patterns;
}

/* Each key in the form that the daemon wants; the configuration's rows say what is allowed. */
static weir_err start_params(const struct plan_options *options, json_t *params, weir_error *error)
{
    static const char *const words[] = {"cron", "zone", "merge", "interval_policy"};
    static const char *const durations[] = {"interval", "default_interval", "minimum_interval",
                                            "lifetime"};
    int64_t number;
    const char *text = text_of(options, "tags");
    if (text)
        (void)json_object_set_new(params, "tags", patterns_json(text));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if ((text = text_of(options, words[i])))
            (void)json_object_set_new(params, words[i], json_string(text));
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        text = text_of(options, durations[i]);
        if (text && !weir_parse_duration(text, &number))
            return weir_fail(error, WEIR_EINVAL, "%s must be a duration such as 500ms, not '%s'",
                             durations[i], text);
        if (text)
            (void)json_object_set_new(params, durations[i], json_integer(number));
    }
    text = text_of(options, "id");
    if (text && !weir_parse_i64(text, &number))
        return weir_fail(error, WEIR_EINVAL, "id must be a number, not '%s'", text);
    if (text)
        (void)json_object_set_new(params, "id", json_integer(number));
    return WEIR_OK;
}

static int plan_start(const weir_invocation *in, const char *name)
{
    const struct plan_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    json_t *result = NULL, *params = json_pack("{ss}", "name", name);
    weir_err err = start_params(options, params, &error);
    if (err || (json_object_size(params) > 1 && !json_object_get(params, "tags"))) {
        json_decref(params);
        return weir_command_usage(in, "%s", err ? error.text : "--tags says which tags it has");
    }
    if (weir_ask_method(in, &options->place, "plan.start", params, &result, &error))
        return weir_command_fail(in, &error);
    json_decref(result);
    weir_command_note(in, "plan %s runs", name);
    return WEIR_EXIT_OK;
}

/* --- pause, resume, stop ------------------------------------------------------------------ */

static int plan_change(const weir_invocation *in, const char *method, const char *name,
                       const char *now)
{
    const struct plan_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    json_t *result = NULL;
    if (weir_ask_method(in, &options->place, method, json_pack("{ss}", "name", name), &result,
                        &error))
        return weir_command_fail(in, &error);
    json_decref(result);
    weir_command_note(in, "plan %s %s", name, now);
    return WEIR_EXIT_OK;
}

/* --- collect ------------------------------------------------------------------------------ */

/* Cycles that are not over. */
static weir_err collecting(const weir_invocation *in, const char *name, int64_t *ret,
                           weir_error *error)
{
    const struct plan_options *options = in->options;
    json_t *result = NULL;
    const weir_err err =
        weir_ask_method(in, &options->place, "plan.list", json_object(), &result, error);
    const json_t *plans = json_object_get(result, "plans");
    *ret = 0;
    for (size_t i = 0; i < json_array_size(plans); i++) {
        const json_t *plan = json_array_get(plans, i);
        const char *its = json_string_value(json_object_get(plan, "name"));
        if (its && !strcmp(its, name))
            *ret = json_integer_value(json_object_get(plan, "collecting"));
    }
    json_decref(result);
    return err;
}

static int plan_collect(const weir_invocation *in, const char *name)
{
    const struct plan_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    json_t *result = NULL;
    int64_t left = 1;
    json_t *params = json_pack("{ss sI sI}", "name", name, "cycles", (json_int_t)options->cycles,
                               "wait", (json_int_t)options->wait);
    weir_err err = weir_ask_method(in, &options->place, "plan.collect", params, &result, &error);
    json_decref(result);
    while (!err && left) {
        (void)usleep(LOOK_US);
        err = collecting(in, name, &left, &error);
    }
    if (err)
        return weir_command_fail(in, &error);
    weir_command_note(in, "plan %s was collected, cycles: %lld", name, (long long)options->cycles);
    return WEIR_EXIT_OK;
}

static int plan_run(const weir_invocation *in)
{
    const char *what = in->args[0], *name = in->n_args > 1 ? in->args[1] : NULL;
    if (!strcmp(what, "list"))
        return plan_list(in, NULL);
    if (weir_thing_verb(in) && strcmp(what, "show") != 0)
        return plan_thing(in);
    if (!name)
        return weir_command_usage(in, "which plan? weir plan %s NAME", what);
    if (!strcmp(what, "show"))
        return plan_list(in, name);
    if (!strcmp(what, "start"))
        return plan_start(in, name);
    if (!strcmp(what, "pause"))
        return plan_change(in, "plan.pause", name, "is paused");
    if (!strcmp(what, "resume"))
        return plan_change(in, "plan.resume", name, "runs");
    if (!strcmp(what, "stop"))
        return plan_change(in, "plan.stop", name, "is stopped");
    if (!strcmp(what, "collect"))
        return plan_collect(in, name);
    return weir_command_usage(in,
                              "'%s' is none of list, show, start, pause, resume, stop, collect, "
                              "add, set, remove",
                              what);
}

static const weir_example plan_examples[] = {
    {"weir plan list", "every plan: its state, its next due time, how many tags"},
    {"weir plan start look --tags 'm07/*' --interval 200ms --lifetime 10min",
     "read one meter quickly for a while"},
    {"weir plan add night --tags 'chiller/*' --cron '0 */5 22-23 * * *'",
     "for good: the chillers each 5 minutes in the night too"},
    {"weir plan collect default --cycles 60 --wait 1s", "read everything now, 60 times"},
    {0}};

const weir_command weir_command_plan = {
    .name = "plan",
    .summary = "list, start, pause, stop and collect plans; add and change them",
    .arguments = "list|show|start|pause|resume|stop|collect|add|set|remove [PLAN]",
    .args_min = 1,
    .args_max = 2,
    .options = plan_option_table,
    .options_size = sizeof(struct plan_options),
    .examples = plan_examples,
    .text =
        "A plan is a set of tags that are collected together: those of the configuration's "
        "`plans`, the plan `default`, which is what the intervals of devices and points ask for "
        "and always runs, and those that `start` makes. One read serves all plans that want it.\n\n"
        "A plan is ready, running, paused, stopped or expired. A configured one starts by itself, "
        "unless enabled is false, when its `start` has come; it expires when its lifetime is over, "
        "which goes on while it is paused, or its `end` has come. One that is stopped or expired "
        "can be started again. One made by `start --tags` lives for 24 hours unless --lifetime "
        "says otherwise, and ends with weir.\n\n"
        "`collect` reads all tags of a plan now, whatever its state, and returns when the last "
        "cycle is over. When the clock is moved, a cron expression that means every hour fires "
        "whenever the clock shows what it means, also twice; one that means some hours fires once "
        "for each time, what was left out when the clock is moved over it. Every change of a plan "
        "is an event of kind config. These need a running weir; list and show without one say what "
        "is defined, and where.\n\n" WEIR_THING_TEXT,
    .run = plan_run,
};
