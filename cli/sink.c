/* SPDX-License-Identifier: MIT */
/* weir sink: what is delivered where, and what to do about it. */

#include "cli/sink.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/moment.h"
#include "cli/sink_probe.h"
#include "daemon/assemble.h"
#include "runtime/clock.h"

static const weir_option sink_option_table[] = {
    {.name = "from",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct weir_sink_options, from),
     .metavar = "TIME",
     .text = "replay: the first sample's time. " WEIR_MOMENT_HELP},
    {.name = "to",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct weir_sink_options, to),
     .fallback = "now",
     .metavar = "TIME",
     .text = "replay: only samples before this time."},
    {.name = "stop",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct weir_sink_options, stop),
     .text = "replay: ends the one under way."},
    {.name = "tag",
     .letter = 't',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct weir_sink_options, tag),
     .fallback = "*",
     .metavar = "PATTERN",
     .text = "quarantine: only rows of these tags."},
    {.name = "output",
     .letter = 'o',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct weir_sink_options, output),
     .metavar = "FILE",
     .text = "quarantine export: writes this file instead of standard output."},
    {.name = "yes",
     .letter = 'y',
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct weir_sink_options, yes),
     .text = "quarantine drop: does not ask."},
    {.name = "timeout",
     .type = WEIR_OPTION_DURATION,
     .offset = offsetof(struct weir_sink_options, timeout),
     .min = 100 * WEIR_MS,
     .max = WEIR_HOUR,
     .fallback = "10s",
     .text = "test: how long each sink may take."},
    WEIR_FORMAT_OPTION(struct weir_sink_options),
    WEIR_EDIT_OPTIONS(struct weir_sink_options),
    {0}};

/* --- test --------------------------------------------------------------------------------- */

struct trial {
    size_t n, n_failed;
    weir_exit code; /* of the first that failed */
    bool same;      /* all that failed have that one */
};

static weir_value text_value(const char *text)
{
    return weir_value_string(text, strlen(text));
}

/* For people: a line, and the next command on another. */
static void test_say(const weir_sink_config *config, const weir_sink_test *test, bool good)
{
    WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
    weir_text_format(&line, "%s  %s  %.1f ms  %s", config->name, weir_sink_probe_word(test),
                     (double)test->latency_us / (double)WEIR_MS,
                     good ? test->peer : test->answer.why);
    if (!good)
        weir_text_format(&line, "\n    next: %s", test->answer.remedy);
    (void)puts(weir_text_get(&line));
    (void)fflush(stdout);
}

static bool test_put(weir_output *output, const weir_sink_config *config,
                     const weir_sink_test *test, bool good)
{
    if (!output) {
        test_say(config, test, good);
        return true;
    }
    const weir_value row[] = {
        text_value(config->name),
        text_value(config->type->name),
        text_value(weir_sink_probe_word(test)),
        weir_value_decimal((test->latency_us + 50) / 100, -1),
        text_value(test->peer),
        text_value(good ? "" : test->answer.why),
        text_value(good ? "" : test->answer.remedy),
    };
    return weir_output_row(output, row);
}

static bool test_one(const weir_invocation *in, weir_output *output, const weir_sink_config *config,
                     struct trial *trial)
{
    const struct weir_sink_options *options = in->options;
    weir_sink_test test;
    const weir_exit code = weir_sink_probe(config, options->timeout, &test);
    trial->n++;
    if (code != WEIR_EXIT_OK && trial->n_failed++ == 0)
        trial->code = code;
    trial->same &= code == WEIR_EXIT_OK || code == trial->code;
    return test_put(output, config, &test, code == WEIR_EXIT_OK);
}

/* All of one kind have that kind's code; some of several, or of several kinds, are "partly". */
static int trial_exit(const struct trial *trial)
{
    if (trial->n_failed == 0)
        return WEIR_EXIT_OK;
    return trial->n_failed == trial->n && trial->same ? trial->code : WEIR_EXIT_PARTLY;
}

static bool is_named(const weir_invocation *in, const char *name)
{
    for (size_t i = 1; i < in->n_args; i++)
        if (!strcmp(in->args[i], name))
            return true;
    return false;
}

/* Without names, those that are enabled. */
static int test_all(const weir_invocation *in, const weir_catalog *catalog)
{
    static const char *const columns[] = {"sink", "type",  "state", "latency_ms",
                                          "peer", "cause", "remedy"};
    const struct weir_sink_options *options = in->options;
    const weir_format format =
        options->format == WEIR_FORMAT_AUTO ? weir_format_of(stdout) : (weir_format)options->format;
    struct trial trial = {.same = true};
    WEIR_CLEANUP(weir_output_end) weir_output *output = NULL;
    if (format != WEIR_FORMAT_TABLE) {
        output = weir_output_new(stdout, format, columns, sizeof columns / sizeof *columns);
        if (!output)
            return WEIR_EXIT_FAILURE;
    }
    for (size_t i = 0; i < catalog->n_sinks; i++) {
        const weir_sink_config *config = &catalog->sinks[i];
        if ((in->n_args > 1 ? is_named(in, config->name) : config->enabled) &&
            !test_one(in, output, config, &trial))
            break;
    }
    if (trial.n == 0)
        weir_command_note(in, "no sink is configured%s", catalog->n_sinks ? " and enabled" : "");
    return trial_exit(&trial);
}

/* --- the configuration's sinks ------------------------------------------------------------ */

static weir_err load(const weir_invocation *in, weir_catalog **ret, weir_error *error)
{
    const struct weir_sink_options *options = in->options;
    const weir_assemble_options assemble = {.config = options->place.config,
                                            .data_dir = options->place.data_dir};
    const weir_err err = weir_assemble_load(&assemble, ret, error);
    if (err == WEIR_ENOTFOUND)
        error->code = WEIR_ECONFIG;
    return err;
}

static const weir_sink_config *find(const weir_catalog *catalog, const char *name,
                                    weir_error *error)
{
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; i < catalog->n_sinks; i++) {
        if (!strcmp(catalog->sinks[i].name, name))
            return &catalog->sinks[i];
        if (n < sizeof names / sizeof *names)
            names[n++] = catalog->sinks[i].name;
    }
    const char *near = weir_text_nearest(name, names, n);
    (void)weir_fail(error, WEIR_ENOTFOUND, "the configuration has no sink '%.100s'%s%s%s", name,
                    near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

static int sink_test(const weir_invocation *in)
{
    weir_error error = WEIR_ERROR_INIT;
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    if (load(in, &catalog, &error))
        return weir_command_fail(in, &error);
    for (size_t i = 1; i < in->n_args; i++)
        if (!find(catalog, in->args[i], &error))
            return weir_command_fail(in, &error);
    return test_all(in, catalog);
}

static int sink_schema(const weir_invocation *in)
{
    weir_error error = WEIR_ERROR_INIT;
    WEIR_TEXT_AUTO ddl = WEIR_TEXT_INIT;
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    if (load(in, &catalog, &error))
        return weir_command_fail(in, &error);
    const weir_sink_config *config = find(catalog, in->args[1], &error);
    if (!config)
        return weir_command_fail(in, &error);
    if (!config->type->schema) {
        weir_command_note(in, "a sink of type %s has no schema: there is nothing to create",
                          config->type->name);
        return WEIR_EXIT_OK;
    }
    if (config->type->schema(config->options, &ddl, &error))
        return weir_command_fail(in, &error);
    const char *text = weir_text_get(&ddl);
    (void)printf("%s%s", text, ddl.length && text[ddl.length - 1] != '\n' ? "\n" : "");
    return WEIR_EXIT_OK;
}

/* --- orders ------------------------------------------------------------------------------- */

static int order(const weir_invocation *in, const weir_edit *edit, const char *done)
{
    const struct weir_sink_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    uint64_t n = 0;
    if (weir_edit_make(in, &options->place, edit, &n, &error))
        return weir_command_fail(in, &error);
    weir_command_note(in, "%s: %s", edit->subject, done);
    return WEIR_EXIT_OK;
}

static int sink_pause(const weir_invocation *in)
{
    const weir_edit edit = {.kind = WEIR_EDIT_SINK_PAUSE, .subject = in->args[1]};
    return order(in, &edit, "paused; what comes now is kept for it until `weir sink resume`");
}

static int sink_resume(const weir_invocation *in)
{
    const weir_edit edit = {.kind = WEIR_EDIT_SINK_RESUME, .subject = in->args[1]};
    return order(in, &edit, "goes on with what waited for it");
}

static int sink_replay(const weir_invocation *in)
{
    const struct weir_sink_options *options = in->options;
    const weir_wall now = weir_system_wall();
    weir_error error = WEIR_ERROR_INIT;
    weir_edit edit = {.kind = WEIR_EDIT_SINK_REPLAY_STOP, .subject = in->args[1]};
    if (options->stop)
        return order(in, &edit, "its replay has ended");
    edit.kind = WEIR_EDIT_SINK_REPLAY;
    if (!options->from)
        return weir_command_usage(in, "replay needs --from TIME, or --stop");
    if (weir_moment_parse("from", options->from, now, &edit.from, &error) ||
        weir_moment_parse("to", options->to, now, &edit.to, &error))
        return weir_command_usage(in, "%s", error.text);
    if (edit.from.us >= edit.to.us)
        return weir_command_usage(in, "--from %s is not before --to %s", options->from,
                                  options->to);
    edit.to.us--; /* exclusive here, as with every command; inclusive there */
    return order(in, &edit, "history is sent again, in the order of time, while nothing new waits");
}

/* --- all ---------------------------------------------------------------------------------- */

static const struct action {
    const char *name;
    size_t args_min, args_max; /* with the action's own word */
    const char *arguments;
    int (*run)(const weir_invocation *in);
} actions[] = {
    {"list", 1, 1, "", weir_sink_list},
    {"test", 1, 64, "[NAME...]", sink_test},
    {"pause", 2, 2, "NAME", sink_pause},
    {"resume", 2, 2, "NAME", sink_resume},
    {"replay", 2, 2, "NAME --from TIME [--to TIME] | NAME --stop", sink_replay},
    {"quarantine", 3, 3, "list|retry|export|drop NAME", weir_sink_quarantine},
    {"schema", 2, 2, "NAME", sink_schema},
};

static int sink_run(const weir_invocation *in)
{
    const char *names[sizeof actions / sizeof *actions];
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        const struct action *action = &actions[i];
        names[i] = action->name;
        if (strcmp(action->name, in->args[0]) != 0)
            continue;
        if (in->n_args < action->args_min || in->n_args > action->args_max)
            return weir_command_usage(in, "usage: weir sink %s %s", action->name,
                                      action->arguments);
        return action->run(in);
    }
    const char *near = weir_text_nearest(in->args[0], names, sizeof names / sizeof *names);
    return weir_command_usage(
        in, "'%s' is none of list, test, pause, resume, replay, quarantine, schema%s%s%s",
        in->args[0], near ? ". Did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static const weir_example sink_examples[] = {
    {"weir sink list", "how each sink is doing: state, what waits, why"},
    {"weir sink test office", "can it be reached, and does it take a row?"},
    {"weir sink pause office", "nothing is sent until `weir sink resume office`; nothing is lost"},
    {"weir sink replay office --from 2026-01-01 --to 2026-02-01",
     "sends a month again, as far as history has it"},
    {"weir sink quarantine list office", "the rows it will never take, and why"},
    {"weir sink schema warehouse > tables.sql", "the tables it needs, for whoever may create them"},
    {0}};

const weir_command weir_command_sink = {
    .name = "sink",
    .summary = "show, test and steer what is delivered to databases, brokers and files",
    .arguments = "list|test|pause|resume|replay|quarantine|schema [NAME...]",
    .args_min = 1,
    .args_max = 64,
    .options = sink_option_table,
    .options_size = sizeof(struct weir_sink_options),
    .examples = sink_examples,
    .text =
        "list: every sink with its state, since when, what waits for it and how long, rows set "
        "aside, rows a second, how far a replay has come, and the cause when something is wrong; "
        "from the running weir, else "
        "as it was when it ended.\n\n"
        "test [NAME...]: opens a connection to each, looks at what sending needs, writes a row and "
        "takes it back. Says what is at the other side, or the cause and what to do. Exit code 4: "
        "cannot connect, 5: it was reached and took nothing, 6: no answer in time, 8: some of "
        "several failed.\n\n"
        "pause NAME, resume NAME: nothing is sent, what is collected is kept for it, also across "
        "restarts.\n\n"
        "replay NAME --from TIME [--to TIME]: sends again what history has, in the order of time, "
        "at backlog_rate and when nothing new waits; the key of each sink absorbs what it has "
        "already. It goes on after a restart. --stop ends it.\n\n"
        "quarantine list|retry|export|drop NAME [--tag PATTERN]: rows that the other side will "
        "never take, each with the reason. retry sends them once more, export writes them as CSV "
        "or JSON, drop forgets them.\n\n"
        "schema NAME: the statements that make its tables, on standard output, for a database "
        "where weir may not create them.\n\n"
        "Orders go to the running weir; without one they are written into the store and count from "
        "the next start.",
    .run = sink_run,
};
