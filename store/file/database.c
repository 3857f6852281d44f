/* SPDX-License-Identifier: MIT */
/* SQLite with our errors: opening, statements, and looking at a file before touching it. */

#include "store/file/database.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/file/files.h"
#include "store/file/schema.h"

static weir_err rc_to_err(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return WEIR_ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return WEIR_EDAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return WEIR_EINUSE;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return WEIR_EPERM;
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
        return WEIR_ELIMIT;
    default:
        return WEIR_EIO;
    }
}

weir_err weir_db_fail(sqlite3 *db, weir_error *error, const char *doing)
{
    int system = sqlite3_system_errno(db);
    const int rc = sqlite3_extended_errcode(db);
    /* data.db has a rollback journal only until it is made. */
    if (rc == SQLITE_READONLY_ROLLBACK)
        return weir_fail(error, WEIR_ENOTFOUND,
                         "there is no store yet: making it was interrupted. `weir run` makes it");
    weir_err err = rc_to_err(rc);
    bool say = system != 0 && err == WEIR_EIO;
    /* A write that was refused for space can be repeated; what a failed fsync left behind cannot.
     */
    if (err == WEIR_EIO && (system == ENOSPC || system == EDQUOT) && rc != SQLITE_IOERR_FSYNC)
        err = WEIR_ELIMIT;
    if (say && (system == EACCES || system == EPERM || system == EROFS))
        err = WEIR_EPERM;
    return weir_fail(error, err, "cannot %s: %s%s%s", doing, sqlite3_errmsg(db), say ? ": " : "",
                     say ? strerror(system) : "");
}

weir_err weir_db_exec(sqlite3 *db, const char *sql, weir_error *error)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return weir_db_fail(db, error, "use the database");
    return WEIR_OK;
}

weir_err weir_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, weir_error *error)
{
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    /* Our own SQL is right: a table or column of it is missing. */
    if (rc == SQLITE_ERROR)
        return weir_fail(error, WEIR_EDAMAGED,
                         "the store's tables are damaged (%s): restore it from a backup, or move "
                         "it away and start anew",
                         sqlite3_errmsg(db));
    if (rc != SQLITE_OK)
        return weir_db_fail(db, error, "read the database");
    return WEIR_OK;
}

weir_err weir_db_step(sqlite3_stmt *stmt, bool *ret_row, weir_error *error)
{
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return weir_db_fail(sqlite3_db_handle(stmt), error, "use the database");
    *ret_row = rc == SQLITE_ROW;
    return WEIR_OK;
}

weir_err weir_db_run(sqlite3_stmt *stmt, weir_error *error)
{
    bool row;
    weir_err err = weir_db_step(stmt, &row, error);
    (void)sqlite3_reset(stmt);
    return err;
}

weir_err weir_db_step_int(sqlite3_stmt *stmt, int64_t fallback, int64_t *ret, weir_error *error)
{
    bool row = false;
    weir_err err = weir_db_step(stmt, &row, error);
    if (err == WEIR_OK)
        *ret = row && sqlite3_column_type(stmt, 0) != SQLITE_NULL ? sqlite3_column_int64(stmt, 0)
                                                                  : fallback;
    (void)sqlite3_reset(stmt);
    return err;
}

weir_err weir_db_int(sqlite3 *db, const char *sql, int64_t fallback, int64_t *ret,
                     weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    weir_err err = weir_db_prepare(db, sql, &stmt, error);
    return err == WEIR_OK ? weir_db_step_int(stmt, fallback, ret, error) : err;
}

weir_err weir_db_check(sqlite3 *db, const char *sql, char ret_finding[300], weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row = false;
    weir_err err = weir_db_prepare(db, sql, &stmt, error);
    if (err == WEIR_OK)
        err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK)
        return err;
    const char *text = row ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    text = text ? text : "no answer";
    (void)snprintf(ret_finding, 300, "%.299s", strcmp(text, "ok") == 0 ? "" : text);
    return WEIR_OK;
}

weir_err weir_db_quick_check(sqlite3 *db, weir_error *error)
{
    char finding[300];
    weir_err err = weir_db_check(db, "PRAGMA quick_check(1)", finding, error);
    return err == WEIR_OK && *finding
               ? weir_fail(error, WEIR_EDAMAGED, "the database is damaged: %.200s", finding)
               : err;
}

weir_err weir_db_identify(sqlite3 *db, const char *path, weir_db_content *ret, weir_error *error)
{
    int64_t pages, id, version;
    weir_err err = weir_db_int(db, "PRAGMA page_count", 0, &pages, error);
    if (err == WEIR_OK)
        err = weir_db_int(db, "PRAGMA application_id", 0, &id, error);
    if (err == WEIR_OK)
        err = weir_db_int(db, "PRAGMA user_version", 0, &version, error);
    if (err == WEIR_EDAMAGED)
        return weir_fail(
            error, WEIR_EDAMAGED,
            "%s is not a database, or is cut short or damaged at its start: with weir stopped, "
            "`weir store repair` keeps what can be read of it",
            path);
    if (err != WEIR_OK)
        return err;
    if (pages == 0) {
        *ret = WEIR_DB_EMPTY;
        return WEIR_OK;
    }
    if (id != SCHEMA_APPLICATION_ID)
        return weir_fail(error, WEIR_EDAMAGED,
                         "%s is a database of another program (application id %lld): choose "
                         "another --data-dir, or move the file away",
                         path, (long long)id);
    if (version > SCHEMA_VERSION)
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "%s was written by a newer weir (store version %lld; this one knows %d): "
                         "use that version. Nothing was changed",
                         path, (long long)version, SCHEMA_VERSION);
    *ret = WEIR_DB_OURS;
    return WEIR_OK;
}

/* The database, and what SQLite opens beside it. */
static weir_err files_check(const char *path, const char *vfs, weir_error *error)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < sizeof endings / sizeof *endings; i++) {
        char name[4200];
        (void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
        err = weir_file_check(name, vfs, error);
    }
    return err;
}

weir_err weir_db_open(const char *path, int flags, const char *vfs, sqlite3 **ret,
                      weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    weir_err err = files_check(path, vfs, error);
    if (err != WEIR_OK)
        return err;
    int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
    if (!db)
        return weir_fail(error, WEIR_ENOMEM, "no memory to open %s", path);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* Takes an address from SQL, where Debian's library has it enabled. */
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA mmap_size=0", NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        err = weir_db_fail(db, error, "open the database");
        (void)weir_fail_prefix(error, "%s: ", path);
        return err;
    }
    *ret = db;
    db = NULL;
    return WEIR_OK;
}
