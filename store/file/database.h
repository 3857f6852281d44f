/* SPDX-License-Identifier: MIT */
/* SQLite with our errors: opening, statements, and looking at a file before touching it. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"

/* In front of a "data directory" that lies in this process's memory; a path of SQLite's VFS "memdb"
 * follows. */
#define WEIR_DB_MEMORY_PREFIX "memory:"

/* What SQLite's last error means to a caller of ours, in words: "cannot DOING: ...". */
weir_err weir_db_fail(sqlite3 *db, weir_error *error, const char *doing);

weir_err weir_db_exec(sqlite3 *db, const char *sql, weir_error *error) WEIR_MUST_CHECK;

/* The statement is kept for long. Release with sqlite3_finalize. */
weir_err weir_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret,
                         weir_error *error) WEIR_MUST_CHECK;

/* *ret_row: there is a row to read. */
weir_err weir_db_step(sqlite3_stmt *stmt, bool *ret_row, weir_error *error) WEIR_MUST_CHECK;

/* Runs a statement that gives no rows, and resets it. */
weir_err weir_db_run(sqlite3_stmt *stmt, weir_error *error) WEIR_MUST_CHECK;

/* The integer in the first column of the first row; fallback when there is no row, or null. The
 * statement is reset. */
weir_err weir_db_step_int(sqlite3_stmt *stmt, int64_t fallback, int64_t *ret,
                          weir_error *error) WEIR_MUST_CHECK;

/* The same of a statement that is needed once. */
weir_err weir_db_int(sqlite3 *db, const char *sql, int64_t fallback, int64_t *ret,
                     weir_error *error) WEIR_MUST_CHECK;

/* What is in a data.db. */
typedef enum weir_db_content {
    WEIR_DB_EMPTY, /* no file, or no page yet: a new one may be made */
    WEIR_DB_OURS,  /* of a version this program can use */
} weir_db_content;

/*
 * Looks at an open connection's application_id and user_version.
 *
 * WEIR_EUNSUPPORTED   a newer version wrote it.
 * WEIR_EDAMAGED       not a database, or not one of ours.
 */
weir_err weir_db_identify(sqlite3 *db, const char *path, weir_db_content *ret,
                          weir_error *error) WEIR_MUST_CHECK;

/* Runs one of SQLite's checks ("PRAGMA quick_check(1)"); ret_finding: the first, "" when all is
 * well. */
weir_err weir_db_check(sqlite3 *db, const char *sql, char ret_finding[300],
                       weir_error *error) WEIR_MUST_CHECK;

/* SQLite's own quick look at every page. WEIR_EDAMAGED with its first finding. */
weir_err weir_db_quick_check(sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;

/* Opens path with SQLite's flags and sets what every connection of ours needs: no trusted schema,
 * no mmap, extended result codes. On failure nothing stays open. */
weir_err weir_db_open(const char *path, int flags, const char *vfs, sqlite3 **ret,
                      weir_error *error) WEIR_MUST_CHECK;

static inline void weir_db_stmt_finalize(sqlite3_stmt *stmt)
{
    (void)sqlite3_finalize(stmt);
}

static inline void weir_db_stmt_reset(sqlite3_stmt *stmt)
{
    (void)sqlite3_reset(stmt);
}

static inline void weir_db_close(sqlite3 *db)
{
    (void)sqlite3_close_v2(db);
}

WEIR_DEFINE_CLEANUP(sqlite3_stmt, weir_db_stmt_finalize)
WEIR_DEFINE_CLEANUP(sqlite3_stmt, weir_db_stmt_reset)
WEIR_DEFINE_CLEANUP(sqlite3, weir_db_close)
