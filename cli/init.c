/* SPDX-License-Identifier: MIT */
/* weir init: a first configuration, from options or from questions. */

/*
 * The answers are got and judged by the interview. Only when all are right, and the device was
 * tried if that is wanted, is the file written, in one piece: before, it does not exist, and
 * whatever ends us leaves nothing behind.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalog/profiles.h"
#include "catalog/yaml.h"
#include "cli/commands.h"
#include "cli/interview.h"
#include "cli/new_file.h"
#include "cli/once_show.h"
#include "cli/question.h"
#include "daemon/assemble.h"
#include "daemon/log.h"

struct init_options {
    const char *config, *uri, *unit_id, *profile, *interval, *device, *target;
    int sink;
    bool sink_given, simulated, test, force;
};

static const weir_option init_option_table[] = {
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct init_options, config),
     .fallback = "weir.yaml",
     .metavar = "FILE",
     .text = "The file to write; - is standard output."},
    {.name = "uri",
     .letter = 'u',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct init_options, uri),
     .metavar = "URI",
     .text = "How the device is reached: tcp://HOST:502, rtu+tcp://HOST:4001 or simulated:."},
    {.name = "unit-id",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct init_options, unit_id),
     .metavar = "ID",
     .text = "Its Modbus unit id, or several: 11-18 or 1,3,5-8 make a device of each. 1 when "
             "nobody is asked."},
    {.name = "profile",
     .letter = 'p',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct init_options, profile),
     .metavar = "PROFILE",
     .text = "The kind of device, such as eastron-sdm630; none: its points are listed by hand."},
    {.name = "interval",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct init_options, interval),
     .metavar = "DURATION",
     .text = "How often it is read; 5s when nobody is asked, simulated 1s."},
    {.name = "device",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct init_options, device),
     .metavar = "NAME",
     .text = "What the device is called; meter when nobody is asked. It is the first part of its "
             "tags' names."},
    {.name = "sink",
     .type = WEIR_OPTION_ENUM,
     .offset = offsetof(struct init_options, sink),
     .set_offset = offsetof(struct init_options, sink_given),
     .words = weir_interview_sinks,
     .fallback = "none",
     .text = "Where values go besides weir's own store."},
    {.name = "target",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct init_options, target),
     .metavar = "FILE|URL",
     .text = "The sink's file (csv, sqlite) or server (postgres, influxdb)."},
    {.name = "simulated",
     .letter = 's',
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct init_options, simulated),
     .text = "A first try without a device: plausible values of the profile's points. Asks "
             "nothing."},
    {.name = "test",
     .letter = 't',
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct init_options, test),
     .text = "Reads every point once and tells what came; exit code 8 when some are bad. The file "
             "is written all the same."},
    {.name = "force",
     .letter = 'f',
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct init_options, force),
     .text = "Replaces a file that is there."},
    {0}};

struct init {
    const weir_invocation *in;
    const struct init_options *options;
    weir_interview interview;
};

static bool writes_stdout(const struct init *i)
{
    return !strcmp(i->options->config, "-");
}

/* What the loader would call the file: its folder is where profiles are looked for. */
static const char *file_name(const struct init *i)
{
    return writes_stdout(i) ? "weir.yaml" : i->options->config;
}

/* --- trying it ---------------------------------------------------------------------------- */

static weir_err try_devices(const struct init *i, bool *ret_good, weir_error *error)
{
    weir_once once;
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    weir_err err = weir_interview_load(&i->interview, &catalog, error);
    if (err)
        return err;
    weir_log_set(WEIR_LOG_ERROR, catalog->log_format); /* what is wrong is said below */
    err = weir_once_read(catalog, i->in->arena, &once, error);
    if (!err)
        *ret_good = weir_once_show(&once, stderr);
    return err;
}

static weir_err try_if_wanted(struct init *i, bool *ret_good, weir_error *error)
{
    bool wanted = i->options->test;
    bool goes_on = true;
    weir_err err = WEIR_OK;
    if (i->interview.explained && !wanted)
        err = weir_question_confirm("Read it once now", true, i->in->arena, &wanted, error);
    if (err || !wanted)
        return err;
    err = try_devices(i, ret_good, error);
    if (!err && !*ret_good && i->interview.explained)
        err = weir_question_confirm("Write the file all the same", true, i->in->arena, &goes_on,
                                    error);
    if (!err && !goes_on)
        err = weir_fail(error, WEIR_ECANCELED, "as you wish");
    return err;
}

/* --- writing it --------------------------------------------------------------------------- */

static weir_err file_exists(const struct init *i, weir_error *error)
{
    return weir_fail(error, WEIR_EIO,
                     "%s is there already and stays as it is: --force replaces it, -c FILE writes "
                     "another",
                     i->options->config);
}

static weir_err file_write(const struct init *i, weir_error *error)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_starter_write(&i->interview.starter, &text);
    if (text.failed)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    if (writes_stdout(i)) {
        (void)fputs(weir_text_get(&text), stdout);
        return WEIR_OK;
    }
    weir_err err =
        weir_new_file_write(i->options->config, &text, i->options->force, i->in->arena, error);
    return err == WEIR_EINUSE ? file_exists(i, error) : err;
}

/* --- all ---------------------------------------------------------------------------------- */

static void say_next(const struct init *i)
{
    const char *config = i->options->config;
    const bool usual = !strcmp(config, "weir.yaml") || !strcmp(config, "./weir.yaml");
    const char *flag = usual ? "" : " -c ";
    const char *name = usual ? "" : config;
    (void)fprintf(stderr, "%s is written. Next:\n", config);
    (void)fflush(stderr);
    (void)printf("  weir check --live%s%s\n", flag, name);
    (void)printf("  weir run%s%s\n", flag, name);
    (void)printf("  weir sql%s%s \"SELECT tag, value, time FROM current\"\n", flag, name);
}

/* For editors, when it is installed: beside this program, or where it was built for. NULL: none. */
static const char *schema_file(weir_arena *arena)
{
    char program[4096];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    const char *slash = n > 0 ? memrchr(program, '/', (size_t)n) : NULL;
    char *near = slash ? weir_arena_format(arena, "%.*s/../share/weir/weir.schema.json",
                                           (int)(slash - program), program)
                       : NULL;
    char *real = near ? realpath(near, NULL) : NULL;
    const char *found = real ? weir_arena_text(arena, real) : NULL;
    free(real);
    if (!found && access(WEIR_SCHEMA_FILE, R_OK) == 0)
        found = WEIR_SCHEMA_FILE;
    return found;
}

static weir_err init_prepare(struct init *i, weir_error *error)
{
    weir_yaml_options yaml = {0};
    if (!writes_stdout(i) && !i->options->force && access(i->options->config, F_OK) == 0)
        return file_exists(i, error);
    if (weir_assemble_yaml(i->in->arena, &yaml) ||
        weir_profiles_list(file_name(i), &yaml, i->in->arena, &i->interview.profiles,
                           &i->interview.n_profiles))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    i->interview.starter.schema = schema_file(i->in->arena);
    return WEIR_OK;
}

static weir_given init_given(const struct init_options *o)
{
    return (weir_given){
        .uri = o->simulated ? "simulated:" : o->uri,
        .unit_id = o->unit_id,
        .profile = o->profile,
        .interval = o->interval,
        .device = o->device,
        .sink = o->sink_given ? weir_interview_sinks[o->sink] : NULL,
        .target = o->target,
    };
}

static int init_run(const weir_invocation *in)
{
    const struct init_options *options = in->options;
    const weir_given given = init_given(options);
    weir_error error = WEIR_ERROR_INIT;
    struct init i = {.in = in, .options = options};
    bool good = true;
    i.interview = (weir_interview){
        .arena = in->arena,
        .file = file_name(&i),
        .asks = !options->simulated && weir_question_possible(),
    };
    if (options->simulated && options->uri)
        return weir_command_usage(in, "--simulated and --uri: one of them");
    if (options->target && (!options->sink_given || options->sink == 0) && !i.interview.asks)
        return weir_command_usage(in, "--target is for a sink: name it with --sink");
    weir_err err = init_prepare(&i, &error);
    if (!err)
        err = weir_interview_answer(&i.interview, &given, &error);
    if (!err)
        err = try_if_wanted(&i, &good, &error);
    if (!err)
        err = file_write(&i, &error);
    if (err == WEIR_EINVAL)
        return weir_command_usage(in, "%s", error.text);
    if (err == WEIR_ECANCELED)
        weir_command_note(in, "nothing is written");
    if (err)
        return err == WEIR_ECANCELED ? WEIR_EXIT_FAILURE : weir_command_fail(in, &error);
    if (!writes_stdout(&i))
        say_next(&i);
    return good ? WEIR_EXIT_OK : WEIR_EXIT_PARTLY;
}

static const weir_example init_examples[] = {
    {"weir init", "asks, and writes weir.yaml"},
    {"weir init --simulated", "a first try without a device"},
    {"weir init --uri tcp://192.168.1.113 --unit-id 1 --profile eastron-sdm630 --test",
     "asks nothing, and reads the meter once"},
    {0}};

const weir_command weir_command_init = {
    .name = "init",
    .summary = "write a first configuration, from questions or options",
    .arguments = "",
    .options = init_option_table,
    .options_size = sizeof(struct init_options),
    .examples = init_examples,
    .text = "On a terminal it asks what no option says: how the device is reached, its unit ids, "
            "its profile, how often it is read, and where values are delivered. Each answer is "
            "judged at once, as `weir check` would. Elsewhere --uri and --profile are needed, or "
            "--simulated; the rest has defaults.\n\n"
            "The file has comments for what comes next. It is written in one piece when all "
            "answers are there: whatever ends the command before leaves nothing. A file that is "
            "there is replaced with --force only.\n\n"
            "With --test, or when you say so, every point is read once before. The commands to go "
            "on with are printed on standard output.",
    .run = init_run,
};
