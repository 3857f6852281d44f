/* SPDX-License-Identifier: MIT */
/* Queries of an SQLite database that belongs to others: all rows, of one moment, without long
 * locks. */

/*
 * Until a database is in WAL mode, a statement that is being stepped keeps writers from committing.
 * So a query has AT_ONCE_US, which is enough for some ten thousand rows. One that takes longer is
 * given up and done on a private copy of the tables it reads, which is made in short turns
 * (sqlite_copy.c). PRAGMA data_version, before and after, tells whether somebody has written
 * meanwhile; then all is read again, until it was not written to, or the rows were the same twice.
 *
 * What fails: the file is locked for long; the query needs tables too large to copy, or takes
 * longer than the timeout even with nobody in its way; it is no database, or has not the tables.
 */

#include "catalog/sqlite_priv.h"

#include <time.h>

#include "base/clock.h"

enum {
    AT_ONCE_US = 10 * 1000,    /* writers are promised 50 ms, also on a machine with much to do */
    AT_ONCE_TRIES = 2,         /* what was read from a slow disk is in memory the second time */
    STEPS_BETWEEN_LOOKS = 500, /* of the virtual machine: some 10 us */
    READS_MAX = 5,             /* when somebody writes all the time */
};

int64_t weir_sqlite_now_us(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * WEIR_S + t.tv_nsec / 1000;
}

/* ---- turns ---- */

bool weir_sqlite_turn_over(weir_sqlite_turn *turn)
{
    const int64_t now = weir_sqlite_now_us();
    turn->since = turn->since ? turn->since : now;
    return now - turn->since > turn->us;
}

static int on_progress(void *data)
{
    return weir_sqlite_turn_over(data);
}

void weir_sqlite_limit(sqlite3 *db, weir_sqlite_turn *turn)
{
    sqlite3_progress_handler(db, turn ? STEPS_BETWEEN_LOOKS : 0, turn ? on_progress : NULL, turn);
}

weir_err weir_sqlite_fail(sqlite3 *db, int code, const char *place, const char *table,
                          weir_error *error)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return weir_fail(error, WEIR_ENOMEM, "%s: out of memory", place);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return weir_fail(error, WEIR_EINUSE, "%s is locked by another program: end its transaction",
                         place);
    case SQLITE_INTERRUPT:
        return weir_fail(error, WEIR_ELIMIT,
                         "%s, %s: not read within the timeout: an index may help", place, table);
    case SQLITE_FULL:
        return weir_fail(error, WEIR_ELIMIT,
                         "%s, %s: this takes so long that it is done on a copy, and the tables it "
                         "reads are larger than %d MB: an index may help",
                         place, table, WEIR_SQLITE_COPY_MB);
    case SQLITE_TOOBIG:
        return weir_fail(error, WEIR_ELIMIT, "%s, %s: more than %d rows, or one cell of 1 MB",
                         place, table, WEIR_ROWS_MAX);
    case SQLITE_NOTADB:
        return weir_fail(error, WEIR_EIO, "%s is no SQLite database", place);
    case SQLITE_CANTOPEN:
        return weir_fail(error, WEIR_EIO, "%s cannot be opened: %s", place, sqlite3_errmsg(db));
    default:
        return weir_fail(error, WEIR_EIO, "%s, %s: %s", place, table, sqlite3_errmsg(db));
    }
}

/* ---- one query ---- */

static bool rows_name(sqlite3_stmt *stmt, weir_rows *rows)
{
    enum { COLUMNS_MAX = 200 };
    const char *names[COLUMNS_MAX];
    const int n = sqlite3_column_count(stmt);
    if (n > COLUMNS_MAX)
        return false;
    for (int i = 0; i < n; i++)
        names[i] = sqlite3_column_name(stmt, i);
    return weir_rows_start(rows, (size_t)n, names);
}

static bool row_take(sqlite3_stmt *stmt, weir_rows *rows)
{
    const char **cells = weir_rows_add(rows);
    for (int i = 0; cells && i < (int)rows->n_columns; i++) {
        if (sqlite3_column_type(stmt, i) == SQLITE_NULL)
            continue;
        const char *text = (const char *)sqlite3_column_text(stmt, i);
        cells[i] =
            sqlite3_column_type(stmt, i) == SQLITE_BLOB
                ? weir_cell_unreadable
                : weir_rows_text(rows, text ? text : "", (size_t)sqlite3_column_bytes(stmt, i));
        if (!cells[i])
            return false;
    }
    return cells != NULL;
}

/* SQLITE_DONE: all; SQLITE_INTERRUPT: the turn is over. */
static int rows_step(sqlite3_stmt *stmt, weir_rows *rows, weir_sqlite_turn *turn)
{
    int code;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (rows->n == WEIR_ROWS_MAX)
            return SQLITE_TOOBIG;
        if (!row_take(stmt, rows))
            return SQLITE_NOMEM;
        if (weir_sqlite_turn_over(turn))
            return SQLITE_INTERRUPT;
    }
    return code;
}

static int query_run(sqlite3 *db, const char *sql, int64_t us, weir_rows *ret)
{
    weir_sqlite_turn turn = {.us = us};
    sqlite3_stmt *stmt = NULL;
    weir_rows_deinit(ret);
    int code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK && (!stmt || !rows_name(stmt, ret)))
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK) {
        weir_sqlite_limit(db, &turn);
        code = rows_step(stmt, ret, &turn);
        weir_sqlite_limit(db, NULL);
    }
    (void)sqlite3_finalize(stmt);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static weir_err query_read_copy(sqlite3 *db, const char *place, const weir_layout_query *query,
                                const char *sql, int64_t until, weir_rows *ret, weir_error *error)
{
    sqlite3 *copy = NULL;
    const weir_err err = weir_sqlite_copy(db, place, query->table, sql, until, &copy, error);
    if (err)
        return err;
    const int code = query_run(copy, sql, until - weir_sqlite_now_us(), ret);
    const weir_err why =
        code == SQLITE_OK ? WEIR_OK : weir_sqlite_fail(copy, code, place, query->table, error);
    (void)sqlite3_close(copy);
    return why;
}

static weir_err query_read(sqlite3 *db, const char *place, const weir_layout_query *query,
                           int64_t timeout_us, weir_rows *ret, weir_error *error)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    int code = SQLITE_INTERRUPT;
    /* In brackets: it can be nothing but one query. */
    weir_text_format(&sql, "SELECT * FROM (%s\n)", query->sql);
    if (sql.failed)
        return weir_fail(error, WEIR_ENOMEM, "%s: out of memory", place);
    const int64_t until = weir_sqlite_now_us() + timeout_us;
    for (int i = 0; i < AT_ONCE_TRIES && code == SQLITE_INTERRUPT; i++)
        code = query_run(db, weir_text_get(&sql), AT_ONCE_US, ret);
    if (code == SQLITE_INTERRUPT)
        return query_read_copy(db, place, query, weir_text_get(&sql), until, ret, error);
    return code == SQLITE_OK ? WEIR_OK : weir_sqlite_fail(db, code, place, query->table, error);
}

/* ---- all of one moment ---- */

int64_t weir_sqlite_data_version(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int64_t version = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA data_version", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        version = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return version;
}

weir_err weir_sqlite_read(sqlite3 *db, const char *place, const weir_layout_query *queries,
                          int64_t timeout_us, weir_rows *ret, weir_error *error)
{
    uint64_t before = 0;
    for (int i = 0; i < READS_MAX; i++) {
        const int64_t version = weir_sqlite_data_version(db);
        weir_err err = WEIR_OK;
        uint64_t digest = 0;
        for (size_t k = 0; k < WEIR_LAYOUT_QUERIES && err == WEIR_OK; k++) {
            if (queries[k].table)
                err = query_read(db, place, &queries[k], timeout_us, &ret[k], error);
            digest = weir_rows_digest(&ret[k], digest);
        }
        /* The same rows twice: somebody writes all the time, but elsewhere. */
        if (err || (version >= 0 && weir_sqlite_data_version(db) == version) ||
            (i && digest == before))
            return err;
        before = digest;
    }
    return weir_fail(error, WEIR_EINUSE, "%s is written to all the time", place);
}
