/* SPDX-License-Identifier: MIT */
/* What `weir run` does for the config.cfg of ModbusDataLogger beside reading it. */

#include "cli/logger.h"

#include <stdio.h>
#include <unistd.h>

#include "catalog/cfg.h"
#include "catalog/cfg_file.h"
#include "catalog/files.h"
#include "catalog/logger_db.h"
#include "cli/new_file.h"
#include "daemon/log.h"
#include "runtime/clock.h"

/* For a lock on the database: as long as Python's sqlite3 waits. */
static const int64_t patience_us = 5 * WEIR_S;

static void log_text(weir_log_level level, const char *event, const char *format, ...)
    WEIR_PRINTF(3, 4);
static void log_text(weir_log_level level, const char *event, const char *format, ...)
{
    char text[600];
    va_list va;
    va_start(va, format);
    (void)vsnprintf(text, sizeof text, format, va);
    va_end(va);
    weir_log_line(level, event, "", text);
}

/* ---- the file ---- */

static weir_err config_make(const weir_invocation *in, const char *config, weir_error *error)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_text_add(&text, weir_cfg_new_file);
    if (text.failed)
        return weir_fail(error, WEIR_ENOMEM, "%s: out of memory", config);
    const weir_err err = weir_new_file_write(config, &text, false, in->arena, error);
    if (err == WEIR_OK)
        weir_command_note(in, "%s is new: it has the defaults", config);
    return err;
}

static void say_warnings(const weir_problems *warnings)
{
    for (size_t i = 0; i < warnings->n; i++) {
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_problem_format(&warnings->items[i], &line);
        weir_log_line(WEIR_LOG_WARNING, "config_warning", "", weir_text_get(&line));
    }
}

/* False: it cannot be used, which the load will tell. */
static bool config_read(const char *config, weir_arena *arena, weir_cfg *ret)
{
    weir_problems problems = WEIR_PROBLEMS_INIT, warnings = WEIR_PROBLEMS_INIT;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    const bool good =
        weir_yaml_disk.read(weir_yaml_disk.data, config, &text, NULL) == WEIR_OK &&
        weir_cfg_read(arena, config, weir_text_get(&text), text.length, ret, &warnings, &problems);
    if (good)
        say_warnings(&warnings);
    weir_problems_deinit(&problems);
    weir_problems_deinit(&warnings);
    return good;
}

/* ---- the database ---- */

static void say_new(const weir_invocation *in, const char *database)
{
    weir_command_note(in,
                      "%s is new, and nothing is to be read yet: fill its table RequestedData "
                      "with any SQLite editor, such as `sqlite3 %s`, and start again. A row:",
                      database, database);
    (void)fprintf(stderr, "%s\n", weir_logger_db_example);
}

static void say_prepared(const char *database, const weir_logger_db *db)
{
    if (db->made_tables)
        log_text(WEIR_LOG_NOTICE, "logger_db",
                 "%s had not both tables RequestedData and ResultsRaw: they are there now",
                 database);
    if (db->made_cascades)
        log_text(WEIR_LOG_NOTICE, "logger_db",
                 "%s has two triggers now, weir_request_deleted and weir_request_renumbered: "
                 "ResultsRaw follows RequestedData whoever edits it",
                 database);
    if (db->is_idle)
        log_text(WEIR_LOG_WARNING, "logger_idle",
                 "nothing is read until a row of RequestedData in %s is required, such as: %s",
                 database, weir_logger_db_example);
}

static weir_err database_prepare(const weir_invocation *in, const char *database, bool *ret_ends,
                                 weir_error *error)
{
    weir_logger_db db;
    weir_error own = WEIR_ERROR_INIT;
    const weir_err err = weir_logger_db_prepare(database, patience_us, &db, &own);
    if (err && db.is_new)
        return weir_fail(error, err, "%s", own.text);
    if (err)
        log_text(WEIR_LOG_WARNING, "logger_db",
                 "%s: so what a deleted request left in ResultsRaw may stay there", own.text);
    if (!err && db.is_new)
        say_new(in, database);
    else
        say_prepared(database, &db);
    *ret_ends = !err && db.is_new;
    return WEIR_OK;
}

weir_err weir_logger_begin(const weir_invocation *in, const char *config, bool *ret_ends,
                           weir_error *error)
{
    weir_cfg cfg;
    weir_err err = WEIR_OK;
    *ret_ends = false;
    if (!config || !weir_cfg_is(config))
        return WEIR_OK;
    if (access(config, F_OK) != 0)
        err = config_make(in, config, error);
    if (err == WEIR_OK && config_read(config, in->arena, &cfg))
        err = database_prepare(in, cfg.database, ret_ends, error);
    return err;
}

/* ---- [RUNTIME] ---- */

void weir_logger_started(const char *config, weir_providers *providers)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_cfg_stamped stamped;
    if (!config || !weir_cfg_is(config))
        return;
    if (weir_cfg_file_stamp(config, weir_system_wall(), getpid(), &stamped, &error))
        log_text(WEIR_LOG_WARNING, "config_runtime", "starttime and pid are not written: %s",
                 error.text);
    else
        weir_providers_rewritten(providers, config, &stamped.before, &stamped.after);
}
