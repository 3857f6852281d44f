/* SPDX-License-Identifier: MIT */
/* Logging.db of ModbusDataLogger: its tables, as it makes them itself, and what it promises of
 * them. */

/*
 * The original creates both tables at every start if they are not there, and leaves foreign keys
 * switched off, so that its ON DELETE CASCADE works only in an editor that has them switched on.
 * Here triggers do it for everybody. All is looked at first; only what is missing is written, in
 * one transaction.
 */

#include "catalog/logger_db.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "catalog/sqlite_priv.h"

static const char requested_data[] =
    "CREATE TABLE RequestedData (\n"
    "    paramID INTEGER UNIQUE PRIMARY KEY NOT NULL,\n"
    "    required INTEGER NOT NULL CHECK (required = 0 OR required = 1),\n"
    "    host TEXT NOT NULL,\n"
    "    port INTEGER NOT NULL CHECK (port >= 1 AND port <= 65535),\n"
    "    period INTEGER NOT NULL CHECK (period > 0),\n"
    "    address INTEGER NOT NULL CHECK (address >= 1 AND address <= 247),\n"
    "    function INTEGER NOT NULL CHECK (function >= 1 AND function <= 255),\n"
    "    register INTEGER NOT NULL CHECK (register >= 0 AND register <= 65535),\n"
    "    count INTEGER NOT NULL CHECK (count >= 1 AND count <= 126),\n"
    "    comment TEXT,\n"
    "    UNIQUE (host, port, period, address, function, register, count)\n"
    ");\n";

static const char results_raw[] =
    "CREATE TABLE ResultsRaw (\n"
    "    paramID INTEGER NOT NULL,\n"
    "    timestamp INTEGER NOT NULL CHECK (timestamp >= 0),\n"
    "    rawresult BLOB,\n"
    "    FOREIGN KEY (paramID) REFERENCES RequestedData (paramID)\n"
    "        ON DELETE CASCADE ON UPDATE CASCADE,\n"
    "    UNIQUE (paramID, timestamp)\n"
    ");\n"
    "CREATE UNIQUE INDEX ResultIdx ON ResultsRaw (paramID ASC, timestamp ASC);\n";

/* By whatever name paramID is set: rowid is another one. */
static const char cascades[] =
    "CREATE TRIGGER IF NOT EXISTS weir_request_deleted AFTER DELETE ON RequestedData BEGIN\n"
    "    DELETE FROM ResultsRaw WHERE paramID = OLD.paramID;\n"
    "END;\n"
    "CREATE TRIGGER IF NOT EXISTS weir_request_renumbered AFTER UPDATE ON RequestedData\n"
    "WHEN NEW.paramID <> OLD.paramID BEGIN\n"
    "    UPDATE ResultsRaw SET paramID = NEW.paramID WHERE paramID = OLD.paramID;\n"
    "END;\n";

const char weir_logger_db_example[] =
    "INSERT INTO RequestedData (paramID, required, host, port, period, address, function, "
    "register, count, comment) VALUES (1, 1, '192.168.1.113', 502, 10, 1, 3, 0, 2, 'two holding "
    "registers of unit 1, every 10 s');";

static weir_err db_fail(sqlite3 *db, const char *path, weir_error *error)
{
    const int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOTADB:
        return weir_sqlite_fail(db, code, path, "", error);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return weir_fail(error, WEIR_EPERM, "%s may not be written, or its folder", path);
    case SQLITE_CANTOPEN:
        return weir_fail(error, WEIR_EIO, "%s cannot be opened, or its journal beside it: %s", path,
                         strerror(sqlite3_system_errno(db)));
    default:
        return weir_fail(error, WEIR_EIO, "%s: %s", path, sqlite3_errmsg(db));
    }
}

/* The number that a query gives; -1: it fails. */
static int64_t number_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t number = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        number = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return number;
}

/* ---- what is there ---- */

struct found {
    int64_t has_requested, has_results, n_triggers; /* -1: it cannot be asked */
};

static bool look(sqlite3 *db, struct found *ret)
{
    ret->has_requested =
        number_of(db, "SELECT count(*) FROM sqlite_master WHERE lower(name) = 'requesteddata'");
    ret->has_results =
        number_of(db, "SELECT count(*) FROM sqlite_master WHERE lower(name) = 'resultsraw'");
    ret->n_triggers =
        number_of(db, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name IN "
                      "('weir_request_deleted', 'weir_request_renumbered')");
    return ret->has_requested >= 0 && ret->has_results >= 0 && ret->n_triggers >= 0;
}

/* Somebody's table of that name without it gets no trigger, which would always fail. */
static bool has_param_ids(sqlite3 *db)
{
    return number_of(db, "SELECT (SELECT count(*) FROM pragma_table_info('RequestedData') WHERE "
                         "lower(name) = 'paramid') + (SELECT count(*) FROM "
                         "pragma_table_info('ResultsRaw') WHERE lower(name) = 'paramid')") == 2;
}

/* ---- what is made ---- */

static bool run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Within the transaction: another program may have been faster. */
static bool make(sqlite3 *db, weir_logger_db *ret)
{
    struct found found;
    if (!look(db, &found))
        return false;
    ret->made_tables = !found.has_requested || !found.has_results;
    if ((!found.has_requested && !run(db, requested_data)) ||
        (!found.has_results && !run(db, results_raw)))
        return false;
    ret->made_cascades = found.n_triggers < 2 && has_param_ids(db);
    return !ret->made_cascades || run(db, cascades);
}

static weir_err make_missing(sqlite3 *db, const char *path, weir_logger_db *ret, weir_error *error)
{
    weir_logger_db made = *ret;
    if (run(db, "BEGIN IMMEDIATE") && make(db, &made) && run(db, "COMMIT")) {
        *ret = made;
        return WEIR_OK;
    }
    const weir_err err = db_fail(db, path, error);
    if (!sqlite3_get_autocommit(db))
        (void)run(db, "ROLLBACK");
    return err;
}

static weir_err prepare(sqlite3 *db, const char *path, weir_logger_db *ret, weir_error *error)
{
    struct found found;
    weir_err err = WEIR_OK;
    (void)sqlite3_extended_result_codes(db, 1);
    if (!look(db, &found))
        return db_fail(db, path, error);
    if (!found.has_requested || !found.has_results || (found.n_triggers < 2 && has_param_ids(db)))
        err = make_missing(db, path, ret, error);
    /* A table that is none of the original's: whoever reads it will say so. */
    ret->is_idle = number_of(db, "SELECT count(*) FROM RequestedData WHERE required") == 0;
    return err;
}

weir_err weir_logger_db_prepare(const char *path, int64_t patience_us, weir_logger_db *ret,
                                weir_error *error)
{
    struct stat st;
    sqlite3 *db = NULL;
    *ret = (weir_logger_db){0};
    const bool exists = stat(path, &st) == 0;
    if (!exists && errno != ENOENT)
        return weir_fail(error, errno == EACCES ? WEIR_EPERM : WEIR_EIO, "%s: %s", path,
                         strerror(errno));
    /* SQLite would wait for the other end of a FIFO. */
    if (exists && !S_ISREG(st.st_mode))
        return weir_fail(error, WEIR_EIO, "%s is no file", path);
    ret->is_new = !exists;
    const int code = sqlite3_open_v2(
        path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    (void)sqlite3_busy_timeout(db, (int)(patience_us / WEIR_MS));
    const weir_err err =
        code == SQLITE_OK ? prepare(db, path, ret, error) : db_fail(db, path, error);
    (void)sqlite3_close(db);
    /* One that could not be filled would not be taken for a first run the next time. */
    if (err && ret->is_new && stat(path, &st) == 0 && st.st_size == 0)
        (void)unlink(path);
    return err;
}
