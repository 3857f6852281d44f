/* SPDX-License-Identifier: MIT */
/* The answers a first configuration is made of: given, or asked for on the terminal. */

/*
 * Each answer is put into the starter as soon as it is there, and the starter is loaded as any
 * configuration would be: what is wrong is then said by the same words, about that answer.
 */

#include "cli/interview.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "catalog/yaml.h"
#include "cli/question.h"
#include "daemon/assemble.h"

const char *const weir_interview_sinks[] = {"none", "csv", "sqlite", "postgres", "influxdb", NULL};

/* --- is it right so far? ------------------------------------------------------------------ */

/* A text without its place: what is said of a line that nobody has seen yet helps nobody. */
weir_err weir_interview_load(const weir_interview *i, weir_catalog **ret, weir_error *error)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_yaml_options yaml = {0};
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_starter_write(&i->starter, &text);
    if (text.failed || weir_assemble_yaml(i->arena, &yaml))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_err err =
        weir_yaml_load_text(weir_text_get(&text), text.length, i->file, &yaml, ret, &problems);
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

static weir_err starter_check(const weir_interview *i, const char *answer, weir_error *error)
{
    weir_catalog *catalog = NULL;
    if (has_control(answer))
        return weir_fail(error, WEIR_EINVAL, "a control character: remove it");
    weir_err err = weir_interview_load(i, &catalog, error);
    weir_catalog_free(catalog);
    return err;
}

/* --- profiles ----------------------------------------------------------------------------- */

/* "sdm630" is enough of a name to be meant when only one has it. */
static const char *profile_with_part(const weir_interview *i, const char *part)
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

static bool profile_is_there(const weir_interview *i, const char *name)
{
    for (size_t k = 0; k < i->n_profiles; k++)
        if (!strcmp(i->profiles[k].name, name))
            return true;
    return false;
}

/* A number of the list shown. */
static const char *profile_by_number(const weir_interview *i, const char *answer)
{
    int64_t number;
    if (!weir_parse_i64(answer, &number) || number < 1 || (uint64_t)number > i->n_profiles)
        return NULL;
    return i->profiles[number - 1].name;
}

static weir_err profile_set(weir_interview *i, const char *answer, weir_error *error)
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

static void profiles_show(const weir_interview *i)
{
    (void)fputs("\nWhat kind of device is it? A number, a name or a part of one; none: you list "
                "its\npoints yourself.\n",
                stderr);
    for (size_t k = 0; k < i->n_profiles; k++)
        (void)fprintf(stderr, "  %2zu  %-36s %s\n", k + 1, i->profiles[k].name,
                      i->profiles[k].description);
}

/* --- the answers -------------------------------------------------------------------------- */

/* One thing that is asked for. */
struct field {
    const char *flag;
    const char *before; /* what is said before the question; NULL: nothing */
    const char *question, *fallback;
    const char *pretending; /* the fallback without a real device */
    const char *given;      /* on the command line; NULL: it was not */
    weir_err (*set)(weir_interview *i, const char *answer, weir_error *error);
};

static bool pretends(const weir_interview *i)
{
    return i->starter.uri && !strcmp(i->starter.uri, "simulated:");
}

static const char *field_fallback(const weir_interview *i, const struct field *f)
{
    return f->pretending && pretends(i) ? f->pretending : f->fallback;
}

static weir_err uri_set(weir_interview *i, const char *answer, weir_error *error)
{
    i->starter.uri = answer;
    return starter_check(i, answer, error);
}

static weir_err unit_set(weir_interview *i, const char *answer, weir_error *error)
{
    i->starter.unit_id = answer;
    return starter_check(i, answer, error);
}

static weir_err interval_set(weir_interview *i, const char *answer, weir_error *error)
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

static weir_err sink_set(weir_interview *i, const char *answer, weir_error *error)
{
    size_t n = 0;
    for (; weir_interview_sinks[n]; n++)
        if (!strcmp(weir_interview_sinks[n], answer)) {
            i->starter.sink = n ? weir_interview_sinks[n] : NULL;
            i->starter.target = n ? target_default(answer) : NULL;
            return starter_check(i, answer, error);
        }
    const char *near = weir_text_nearest(answer, weir_interview_sinks, n);
    return weir_fail(error, WEIR_EINVAL, "none, csv, sqlite, postgres or influxdb%s%s%s",
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static weir_err target_set(weir_interview *i, const char *answer, weir_error *error)
{
    i->starter.target = answer;
    return starter_check(i, answer, error);
}

static weir_err device_set(weir_interview *i, const char *answer, weir_error *error)
{
    i->starter.device = answer;
    return starter_check(i, answer, error);
}

static void explain(weir_interview *i)
{
    if (!i->explained)
        (void)fprintf(stderr,
                      "A first %s. Enter takes what stands in brackets; Ctrl-C ends, and nothing "
                      "is written.\n\n",
                      i->file);
    i->explained = true;
}

static weir_err field_ask(weir_interview *i, const struct field *f, weir_error *error)
{
    explain(i);
    if (f->before)
        (void)fputs(f->before, stderr);
    if (f->set == profile_set)
        profiles_show(i);
    for (;;) {
        const char *answer = NULL;
        weir_err err =
            weir_question_ask(f->question, field_fallback(i, f), i->arena, &answer, error);
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

static weir_err field_answer(weir_interview *i, const struct field *f, weir_error *error)
{
    if (!f->given && i->asks)
        return field_ask(i, f, error);
    weir_err err = f->set(i, f->given ? f->given : field_fallback(i, f), error);
    return err && err != WEIR_ENOMEM ? field_fail(f, err, error) : err;
}

/* Where nobody answers, what cannot be guessed must be given: all of it is named at once. */
static weir_err fields_check_given(const weir_interview *i, bool uri_missing, bool profile_missing,
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

static const char *profile_to_show(const weir_interview *i)
{
    if (profile_is_there(i, "eastron-sdm630"))
        return "eastron-sdm630";
    return i->n_profiles ? i->profiles[0].name : "none";
}

weir_err weir_interview_answer(weir_interview *i, const weir_given *given, weir_error *error)
{
    const struct field fields[] = {
        {"uri",
         "How is the device reached? tcp://HOST:502 is Modbus TCP, rtu+tcp://HOST:4001 a serial\n"
         "line behind a server, simulated: a first try without a device.\n",
         "URI", "simulated:", NULL, given->uri, uri_set},
        {"unit-id", NULL, "Unit id, or several such as 11-18", "1", NULL, given->unit_id, unit_set},
        {"profile", NULL, "Profile", "none", profile_to_show(i), given->profile, profile_set},
        {"interval", "\n", "How often is it read", "5s", "1s", given->interval, interval_set},
        {"device", NULL, "Name of the device", "meter", NULL, given->device, device_set},
        {"sink",
         "\nValues are kept here in any case. Shall they go elsewhere too: csv, sqlite, postgres,\n"
         "influxdb?\n",
         "Deliver to", "none", NULL, given->sink, sink_set},
    };
    const bool pretended = given->uri && !strcmp(given->uri, "simulated:");
    weir_err err = fields_check_given(i, !given->uri, !pretended && !given->profile, error);
    for (size_t k = 0; k < sizeof fields / sizeof *fields && !err; k++)
        err = field_answer(i, &fields[k], error);
    if (err || !i->starter.sink)
        return err;
    const bool file = !strcmp(i->starter.sink, "csv") || !strcmp(i->starter.sink, "sqlite");
    const struct field target = {
        "target", NULL, file ? "File" : "URL", i->starter.target, NULL, given->target, target_set};
    return field_answer(i, &target, error);
}
