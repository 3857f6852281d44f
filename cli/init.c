/* SPDX-License-Identifier: MIT */
/* weir init: a first configuration, from options or from questions. */

/*
 * Each answer is put into the starter as soon as it is there, and the starter is loaded as any
 * configuration would be: what is wrong is then said by the same words, about that answer. Only
 * when all are right, and the device was tried if that is wanted, is the file written, in one
 * piece: before, it does not exist, and whatever ends us leaves nothing behind.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "catalog/profiles.h"
#include "catalog/yaml.h"
#include "cli/commands.h"
#include "cli/new_file.h"
#include "cli/once_show.h"
#include "cli/question.h"
#include "cli/starter.h"
#include "daemon/assemble.h"
#include "daemon/log.h"

struct init_options {
    const char *config, *uri, *unit_id, *profile, *interval, *device, *target;
    int sink;
    bool sink_given, simulated, test, force;
};

static const char *const sink_words[] = {"none", "csv", "sqlite", "postgres", "influxdb", NULL};

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
     .words = sink_words,
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
    weir_starter starter;
    size_t n_profiles;
    weir_profile_entry *profiles;
    bool asks;      /* somebody is there to answer */
    bool explained; /* how to answer was said */
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

/* ---- is it right so far? ---- */

/* The first problem as a text; what is said of a line that nobody has seen yet helps nobody. */
static weir_err starter_load(const struct init *i, weir_catalog **ret, weir_error *error)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_yaml_options yaml = {0};
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_starter_write(&i->starter, &text);
    if (text.failed || weir_assemble_yaml(i->in->arena, &yaml))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_err err =
        weir_yaml_load_text(weir_text_get(&text), text.length, file_name(i), &yaml, ret, &problems);
    if (err && problems.n)
        err =
            weir_fail(error, problems.items[0].code == WEIR_EUNSUPPORTED ? WEIR_EUNSUPPORTED : err,
                      "%s", problems.items[0].text);
    else if (err)
        err = weir_fail(error, err, "%s", weir_err_text(err));
    weir_problems_deinit(&problems);
    return err;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static weir_err starter_check(const struct init *i, const char *answer, weir_error *error)
{
    weir_catalog *catalog = NULL;
    if (has_control(answer))
        return weir_fail(error, WEIR_EINVAL, "a control character: remove it");
    weir_err err = starter_load(i, &catalog, error);
    weir_catalog_free(catalog);
    return err;
}

/* ---- profiles ---- */

/* "sdm630" is enough of a name to be meant when only one has it. */
static const char *profile_with_part(const struct init *i, const char *part)
{
    const char *found = NULL;
    for (size_t k = 0; k < i->n_profiles; k++)
        if (strcasestr(i->profiles[k].name, part)) {
            if (found)
                return NULL;
            found = i->profiles[k].name;
        }
    return found;
}

static bool profile_is_there(const struct init *i, const char *name)
{
    for (size_t k = 0; k < i->n_profiles; k++)
        if (!strcmp(i->profiles[k].name, name))
            return true;
    return false;
}

/* A number of the list shown. */
static const char *profile_by_number(const struct init *i, const char *answer)
{
    int64_t number;
    if (!weir_parse_i64(answer, &number) || number < 1 || (uint64_t)number > i->n_profiles)
        return NULL;
    return i->profiles[number - 1].name;
}

static weir_err profile_set(struct init *i, const char *answer, weir_error *error)
{
    const char *numbered = i->asks ? profile_by_number(i, answer) : NULL;
    const char *part = profile_with_part(i, answer);
    i->starter.profile = numbered ? numbered : answer;
    if (!strcmp(answer, "none"))
        i->starter.profile = NULL;
    if (!i->starter.profile || numbered || profile_is_there(i, answer) || !part)
        return starter_check(i, answer, error);
    if (!i->asks)
        return weir_fail(error, WEIR_EINVAL, "there is no profile '%.100s': did you mean '%s'?",
                         answer, part);
    (void)fprintf(stderr, "  taking %s\n", part);
    i->starter.profile = part;
    return starter_check(i, part, error);
}

static void profiles_show(const struct init *i)
{
    (void)fputs("\nWhat kind of device is it? A number, a name or a part of one; none: you list "
                "its\npoints yourself.\n",
                stderr);
    for (size_t k = 0; k < i->n_profiles; k++)
        (void)fprintf(stderr, "  %2zu  %-36s %s\n", k + 1, i->profiles[k].name,
                      i->profiles[k].description);
}

/* ---- the answers ---- */

/* One thing that is asked for. */
struct field {
    const char *flag;
    const char *before; /* what is said before the question; NULL: nothing */
    const char *question, *fallback;
    const char *pretending; /* the fallback without a real device */
    const char *given;      /* on the command line; NULL: it was not */
    weir_err (*set)(struct init *i, const char *answer, weir_error *error);
};

static bool pretends(const struct init *i)
{
    return i->starter.uri && !strcmp(i->starter.uri, "simulated:");
}

static const char *field_fallback(const struct init *i, const struct field *f)
{
    return f->pretending && pretends(i) ? f->pretending : f->fallback;
}

static weir_err uri_set(struct init *i, const char *answer, weir_error *error)
{
    i->starter.uri = answer;
    return starter_check(i, answer, error);
}

static weir_err unit_set(struct init *i, const char *answer, weir_error *error)
{
    i->starter.unit_id = answer;
    return starter_check(i, answer, error);
}

static weir_err interval_set(struct init *i, const char *answer, weir_error *error)
{
    i->starter.interval = answer;
    return starter_check(i, answer, error);
}

static const char *target_default(const char *sink)
{
    return !strcmp(sink, "csv")        ? "./samples.csv"
           : !strcmp(sink, "sqlite")   ? "./samples.db"
           : !strcmp(sink, "postgres") ? "postgresql://weir@localhost/weir"
                                       : "http://localhost:8086";
}

static weir_err sink_set(struct init *i, const char *answer, weir_error *error)
{
    size_t n = 0;
    for (; sink_words[n]; n++)
        if (!strcmp(sink_words[n], answer)) {
            i->starter.sink = n ? sink_words[n] : NULL;
            i->starter.target = n ? target_default(answer) : NULL;
            return starter_check(i, answer, error);
        }
    const char *near = weir_text_nearest(answer, sink_words, n);
    return weir_fail(error, WEIR_EINVAL, "none, csv, sqlite, postgres or influxdb%s%s%s",
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static weir_err target_set(struct init *i, const char *answer, weir_error *error)
{
    i->starter.target = answer;
    return starter_check(i, answer, error);
}

static weir_err device_set(struct init *i, const char *answer, weir_error *error)
{
    i->starter.device = answer;
    return starter_check(i, answer, error);
}

static void explain(struct init *i)
{
    if (!i->explained)
        (void)fprintf(stderr,
                      "A first %s. Enter takes what stands in brackets; Ctrl-C ends, and nothing "
                      "is written.\n\n",
                      file_name(i));
    i->explained = true;
}

static weir_err field_ask(struct init *i, const struct field *f, weir_error *error)
{
    explain(i);
    if (f->before)
        (void)fputs(f->before, stderr);
    if (f->set == profile_set)
        profiles_show(i);
    for (;;) {
        const char *answer = NULL;
        weir_err err =
            weir_question_ask(f->question, field_fallback(i, f), i->in->arena, &answer, error);
        if (err)
            return err;
        err = f->set(i, answer, error);
        if (err == WEIR_OK || err == WEIR_ENOMEM)
            return err;
        (void)fprintf(stderr, "  %s\n", error->text);
    }
}

/* "--unit-id must be ...": most texts begin with the key, which is the flag but for the hyphen. */
static weir_err field_fail(const struct field *f, weir_err err, weir_error *error)
{
    size_t n = 0;
    char text[sizeof error->text];
    (void)snprintf(text, sizeof text, "%s", error->text);
    while (f->flag[n] && (text[n] == f->flag[n] || (text[n] == '_' && f->flag[n] == '-')))
        n++;
    const bool named = !f->flag[n] && (text[n] == ' ' || text[n] == ':');
    return weir_fail(error, err == WEIR_EUNSUPPORTED ? err : WEIR_EINVAL, "--%s%s%s", f->flag,
                     named ? "" : ": ", named ? text + n : text);
}

static weir_err field_answer(struct init *i, const struct field *f, weir_error *error)
{
    if (!f->given && i->asks)
        return field_ask(i, f, error);
    weir_err err = f->set(i, f->given ? f->given : field_fallback(i, f), error);
    return err && err != WEIR_ENOMEM ? field_fail(f, err, error) : err;
}

/* Where nobody answers, what cannot be guessed must be given: all of it is named at once. */
static weir_err fields_check_given(const struct init *i, bool uri_missing, bool profile_missing,
                                   weir_error *error)
{
    WEIR_TEXT_AUTO names = WEIR_TEXT_INIT;
    if (i->asks || (!uri_missing && !profile_missing))
        return WEIR_OK;
    for (size_t k = 0; k < i->n_profiles; k++)
        weir_text_format(&names, ", %s", i->profiles[k].name);
    return weir_fail(error, WEIR_EINVAL,
                     "this is no terminal to ask on: %s missing; or --simulated for a first try "
                     "without a device. Profiles: none%s",
                     !profile_missing ? "--uri is"
                     : !uri_missing   ? "--profile is"
                                      : "--uri and --profile are",
                     weir_text_get(&names));
}

static const char *profile_to_show(const struct init *i)
{
    if (profile_is_there(i, "eastron-sdm630"))
        return "eastron-sdm630";
    return i->n_profiles ? i->profiles[0].name : "none";
}

static weir_err fields_answer(struct init *i, weir_error *error)
{
    const struct init_options *o = i->options;
    const char *uri = o->simulated ? "simulated:" : o->uri;
    const struct field fields[] = {
        {"uri",
         "How is the device reached? tcp://HOST:502 is Modbus TCP, rtu+tcp://HOST:4001 a serial\n"
         "line behind a server, simulated: a first try without a device.\n",
         "URI", "simulated:", NULL, uri, uri_set},
        {"unit-id", NULL, "Unit id, or several such as 11-18", "1", NULL, o->unit_id, unit_set},
        {"profile", NULL, "Profile", "none", profile_to_show(i), o->profile, profile_set},
        {"interval", "\n", "How often is it read", "5s", "1s", o->interval, interval_set},
        {"device", NULL, "Name of the device", "meter", NULL, o->device, device_set},
        {"sink",
         "\nValues are kept here in any case. Shall they go elsewhere too: csv, sqlite, postgres,\n"
         "influxdb?\n",
         "Deliver to", "none", NULL, o->sink_given ? sink_words[o->sink] : NULL, sink_set},
    };
    const bool pretended = uri && !strcmp(uri, "simulated:");
    weir_err err = fields_check_given(i, !uri, !pretended && !o->profile, error);
    for (size_t k = 0; k < sizeof fields / sizeof *fields && !err; k++)
        err = field_answer(i, &fields[k], error);
    if (err || !i->starter.sink)
        return err;
    const bool file = !strcmp(i->starter.sink, "csv") || !strcmp(i->starter.sink, "sqlite");
    const struct field target = {
        "target", NULL, file ? "File" : "URL", i->starter.target, NULL, o->target, target_set};
    return field_answer(i, &target, error);
}

/* ---- trying it ---- */

static weir_err try_devices(const struct init *i, bool *ret_good, weir_error *error)
{
    weir_once once;
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    weir_err err = starter_load(i, &catalog, error);
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
    if (i->explained && !wanted)
        err = weir_question_confirm("Read it once now", true, i->in->arena, &wanted, error);
    if (err || !wanted)
        return err;
    err = try_devices(i, ret_good, error);
    if (!err && !*ret_good && i->explained)
        err = weir_question_confirm("Write the file all the same", true, i->in->arena, &goes_on,
                                    error);
    if (!err && !goes_on)
        err = weir_fail(error, WEIR_ECANCELED, "as you wish");
    return err;
}

/* ---- writing it ---- */

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
    weir_starter_write(&i->starter, &text);
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

/* ---- all ---- */

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
        weir_profiles_list(file_name(i), &yaml, i->in->arena, &i->profiles, &i->n_profiles))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    i->starter.schema = schema_file(i->in->arena);
    return WEIR_OK;
}

static int init_run(const weir_invocation *in)
{
    const struct init_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    struct init i = {.in = in, .options = options};
    bool good = true;
    i.asks = !options->simulated && weir_question_possible();
    if (options->simulated && options->uri)
        return weir_command_usage(in, "--simulated and --uri: one of them");
    if (options->target && (!options->sink_given || options->sink == 0) && !i.asks)
        return weir_command_usage(in, "--target is for a sink: name it with --sink");
    weir_err err = init_prepare(&i, &error);
    if (!err)
        err = fields_answer(&i, &error);
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
