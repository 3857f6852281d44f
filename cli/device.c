/* SPDX-License-Identifier: MIT */
/* weir device: what devices there are, changing them, and telling that a meter was replaced. */

#include <string.h>

#include <sqlite3.h>

#include "base/number.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/datadir.h"
#include "cli/edit.h"
#include "cli/moment.h"
#include "cli/thing.h"
#include "runtime/clock.h"
#include "store/query/query.h"

struct device_options {
    struct weir_edit_options place;
    const char *at, *final, *first;
    int format;
    struct weir_thing_values values;
};

static weir_option device_option_table[WEIR_THING_OPTIONS + 8] = {
    {.name = "final",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct device_options, final),
     .metavar = "READING",
     .text = "What the old meter showed last, in the tag's unit. Needed."},
    {.name = "first",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct device_options, first),
     .fallback = "0",
     .metavar = "READING",
     .text = "What the new meter showed first."},
    {.name = "at",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct device_options, at),
     .metavar = "TIME",
     .text = "When it was replaced. Without it: now. " WEIR_MOMENT_HELP},
    WEIR_EDIT_OPTIONS(struct device_options),
    WEIR_FORMAT_OPTION(struct device_options)};

enum { DEVICE_OWN = 7 };

void weir_command_device_init(void)
{
    weir_thing_fill_options(WEIR_THING_DEVICE, device_option_table, DEVICE_OWN,
                            offsetof(struct device_options, values));
}

static weir_err reading_parse(const char *option, const char *text, double *ret, weir_error *error)
{
    if (text && weir_parse_double(text, ret))
        return WEIR_OK;
    return weir_fail(error, WEIR_EINVAL, "--%s must be a reading such as 48211.3%s%s%s", option,
                     text ? ", not '" : "", text ? text : "", text ? "'" : "");
}

static weir_err edit_parse(const struct device_options *options, weir_edit *edit, weir_error *error)
{
    weir_err err = reading_parse("final", options->final, &edit->final, error);
    if (err == WEIR_OK)
        err = reading_parse("first", options->first, &edit->first, error);
    const weir_wall now = weir_system_wall();
    edit->at = now;
    if (err == WEIR_OK && options->at)
        err = weir_moment_parse("at", options->at, now, &edit->at, error);
    if (err == WEIR_OK && edit->at.us > now.us)
        err =
            weir_fail(error, WEIR_EINVAL,
                      "--at: '%s' is to come: say it when the new meter is in place", options->at);
    return err;
}

/* The counter that was meant, and its last reading before that moment. */
#define COUNTER_SQL                                                                      \
    "SELECT t.name FROM main.replacement r JOIN main.tag t ON t.uid=r.uid WHERE r.ts=?1" \
    " AND (t.name=?2 OR t.name GLOB ?2||'/*') LIMIT 1"
#define READING_SQL                                                                    \
    "SELECT value, time FROM samples WHERE tag=?2 AND ts<=?1 AND ts>?1-31*86400000000" \
    " AND typeof(value) IN ('integer', 'real') ORDER BY ts DESC LIMIT 1"

static sqlite3_stmt *ask(sqlite3 *db, const char *sql, int64_t at, const char *name)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return NULL;
    (void)sqlite3_bind_int64(stmt, 1, at);
    (void)sqlite3_bind_text(stmt, 2, name, -1, SQLITE_TRANSIENT);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        return stmt;
    (void)sqlite3_finalize(stmt);
    return NULL;
}

/* A meter that ended below what it had shown would count backwards: most likely a typing error. It
 * is only a hint, so what cannot be read is no failure. */
static void warn_of_reading(const weir_invocation *in, const char *data_dir, const weir_edit *edit)
{
    weir_query *query = NULL;
    if (!data_dir || weir_query_open(data_dir, NULL, &query, NULL) != WEIR_OK)
        return;
    sqlite3 *db = weir_query_db(query);
    sqlite3_stmt *counter = ask(db, COUNTER_SQL, edit->at.us, edit->subject);
    sqlite3_stmt *reading =
        counter ? ask(db, READING_SQL, edit->at.us, (const char *)sqlite3_column_text(counter, 0))
                : NULL;
    if (reading && sqlite3_column_double(reading, 0) > edit->final) {
        const struct device_options *options = in->options;
        WEIR_TEXT_AUTO had = WEIR_TEXT_INIT;
        const weir_value value = weir_value_f64(sqlite3_column_double(reading, 0));
        char at[28];
        weir_wall_format(edit->at, at);
        weir_value_format(&value, &had);
        weir_command_note(in,
                          "but the old one had shown %s already (%s), so delta goes back to %s: if "
                          "that is not meant, say it again with --at %s and the right --final",
                          weir_text_get(&had), (const char *)sqlite3_column_text(reading, 1),
                          options->final, at);
    }
    (void)sqlite3_finalize(reading);
    (void)sqlite3_finalize(counter);
    weir_query_close(query);
}

static int device_run(const weir_invocation *in)
{
    const struct device_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    uint64_t n = 0;
    if (weir_thing_verb(in))
        return weir_thing_run(in, &(weir_thing_command){.thing = WEIR_THING_DEVICE,
                                                        .place = &options->place,
                                                        .values = &options->values,
                                                        .format = options->format});
    if (strcmp(in->args[0], "replace") != 0)
        return weir_command_usage(in, "'%s' is none of add, set, remove, list, show, replace",
                                  in->args[0]);
    if (in->n_args != 2)
        return weir_command_usage(in, "missing DEVICE or TAG: which was replaced");
    weir_edit edit = {.kind = WEIR_EDIT_REPLACE, .subject = in->args[1]};
    if (edit_parse(options, &edit, &error))
        return weir_command_usage(in, "%s", error.text);
    if (weir_edit_make(in, &options->place, &edit, &n, &error))
        return weir_command_fail(in, &error);
    weir_command_note(in, "noted: %s goes on from %s", edit.subject, options->first);
    warn_of_reading(
        in, weir_data_dir(in->arena, options->place.config, options->place.data_dir, &error),
        &edit);
    return WEIR_EXIT_OK;
}

static const weir_example device_examples[] = {
    {"weir device list", "all devices and where each is defined"},
    {"weir device add m07 --connection hall --unit-id 7 --profile eastron-sdm630 --interval 5s",
     "a meter more; a running weir reads it within a second"},
    {"weir device set m07 --name feeder-a", "another name for the same meter and its history"},
    {"weir device replace m07 --final 48211.3 --first 0.0 --at 2026-01-31T12:00:00Z",
     "consumption goes on across the new meter's zero"},
    {"weir device replace m07/energy_import --final 48211.3", "one counter of several, just now"},
    {0}};

const weir_command weir_command_device = {
    .name = "device",
    .summary = "list, add and change devices; tell that a meter was replaced",
    .arguments = "add|set|remove|list|show|replace [DEVICE|TAG]",
    .args_min = 1,
    .args_max = 2,
    .options = device_option_table,
    .options_size = sizeof(struct device_options),
    .examples = device_examples,
    .text = WEIR_THING_TEXT
    "\n\nreplace: the meter behind a counter is another one from this moment on. Names, numbers "
    "and history stay; delta in buckets() counts up to the old meter's last reading and on "
    "from the new one's first. Samples themselves are not changed. Saying it again for the "
    "same moment corrects it. A device with several counters needs the tag's name, once for "
    "each. A running weir does it; without one this command does.",
    .run = device_run,
};
