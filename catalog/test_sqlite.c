/* SPDX-License-Identifier: MIT */
/* Reading SQLite files that others write: all rows, all kinds of tables, and no lock that lasts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "catalog/database.h"

/* ---- how long the file is locked ---- */

/*
 * SQLite's own access to files, with a look at the clock where a lock is taken and given back. The
 * clock is of the thread's work, so that a busy machine does not count.
 */
static struct {
    sqlite3_vfs vfs;
    sqlite3_io_methods methods;
    const sqlite3_io_methods *real;
    int64_t since, longest;
    int locks;
} watch;

static int64_t worked_us(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * WEIR_S + t.tv_nsec / 1000;
}

static int watch_lock(sqlite3_file *file, int level)
{
    const int code = watch.real->xLock(file, level);
    if (code == SQLITE_OK && level == SQLITE_LOCK_SHARED) {
        watch.since = worked_us();
        watch.locks++;
    }
    return code;
}

static int watch_unlock(sqlite3_file *file, int level)
{
    const int64_t us = worked_us() - watch.since;
    if (level == SQLITE_LOCK_NONE && watch.since) {
        watch.longest = us > watch.longest ? us : watch.longest;
        watch.since = 0;
    }
    return watch.real->xUnlock(file, level);
}

static int watch_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *ret_flags)
{
    sqlite3_vfs *real = vfs->pAppData;
    const int code = real->xOpen(real, name, file, flags, ret_flags);
    if (code != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB))
        return code;
    watch.real = file->pMethods;
    watch.methods = *file->pMethods;
    watch.methods.xLock = watch_lock;
    watch.methods.xUnlock = watch_unlock;
    file->pMethods = &watch.methods;
    return code;
}

/* ---- a file, and what is read of it ---- */

struct fixture {
    char folder[64];
    sqlite3 *db; /* as weir has it, watched */
};

static int fixture_open(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/weir-sqlite-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(chdir(f->folder), 0);
    watch.vfs = *real;
    watch.vfs.zName = "watched";
    watch.vfs.pNext = NULL;
    watch.vfs.pAppData = real;
    watch.vfs.xOpen = watch_open;
    assert_int_equal(sqlite3_vfs_register(&watch.vfs, 0), SQLITE_OK);
    *state = f;
    return 0;
}

static int fixture_close(void **state)
{
    struct fixture *f = *state;
    char command[128];
    (void)sqlite3_close(f->db);
    (void)sqlite3_vfs_unregister(&watch.vfs);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->folder);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void run_sql(const char *text)
{
    sqlite3 *db = NULL;
    char *says = NULL;
    assert_int_equal(sqlite3_open("p.db", &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &says) != SQLITE_OK)
        fail_msg("%s: %s", text, says);
    (void)sqlite3_close(db);
}

static weir_err read_rows(struct fixture *f, const char *query, weir_rows *ret, weir_error *error)
{
    const weir_layout_query queries[WEIR_LAYOUT_QUERIES] = {{"t", query}};
    weir_rows rows[WEIR_LAYOUT_QUERIES] = {0};
    if (!f->db)
        assert_int_equal(sqlite3_open_v2("p.db", &f->db, SQLITE_OPEN_READONLY, "watched"),
                         SQLITE_OK);
    watch.since = watch.longest = watch.locks = 0;
    const weir_err err = weir_sqlite_read(f->db, "p.db", queries, 20 * WEIR_S, rows, error);
    *ret = rows[0];
    return err;
}

static weir_rows read_good(struct fixture *f, const char *query)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_rows rows = {0};
    if (read_rows(f, query, &rows, &error))
        fail_msg("%s: %s", query, error.text);
    return rows;
}

static void assert_fails(struct fixture *f, const char *query, const char *want)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_rows rows = {0};
    assert_int_not_equal(read_rows(f, query, &rows, &error), WEIR_OK);
    if (!strstr(error.text, want))
        fail_msg("wanted: %s\nsaid: %s", want, error.text);
    weir_rows_deinit(&rows);
}

/* As SQLite itself gives them, at leisure. */
static void assert_rows_are(const weir_rows *rows, const char *query)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    size_t n = 0;
    assert_int_equal(sqlite3_open("p.db", &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &stmt, NULL), SQLITE_OK);
    for (; sqlite3_step(stmt) == SQLITE_ROW; n++) {
        assert_true(n < rows->n);
        for (int i = 0; i < (int)rows->n_columns; i++) {
            const char *cell = rows->cells[n * rows->n_columns + (size_t)i];
            const char *want = (const char *)sqlite3_column_text(stmt, i);
            if (!want || !cell)
                assert_true(!want && !cell);
            else
                assert_string_equal(cell, want);
        }
    }
    assert_int_equal(rows->n, n);
    assert_true(n > 0);
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
}

/* ---- tests ---- */

#define NUMBERS(n) \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " #n ") "

/* A query has 10 ms of the clock, a turn 5, and SQLite sorts what it has by then without a look at
 * it. A machine that others have too may stop anybody for longer, but not each time. */
enum { LONGEST_US = 35 * 1000, TRIES = 5 };

static void assert_locks_are_short(struct fixture *f, const char *query)
{
    for (int i = 0; i < TRIES; i++) {
        weir_rows rows = read_good(f, query);
        assert_rows_are(&rows, query);
        weir_rows_deinit(&rows);
        assert_true(watch.locks > 2);
        if (watch.longest <= LONGEST_US)
            return;
    }
    fail_msg("%s: locked for %lld us", query, (long long)watch.longest);
}

static void no_lock_lasts_however_many_rows_there_are(void **state)
{
    static const char *const queries[] = {
        "SELECT paramID, host, port FROM RequestedData ORDER BY paramID",
        "SELECT host, paramID FROM RequestedData ORDER BY comment, paramID",
        ("SELECT r.paramID, m.name FROM RequestedData r JOIN meter m ON m.host = r.host "
         "ORDER BY r.paramID"),
        "SELECT host, count(*) FROM RequestedData GROUP BY host",
        "SELECT * FROM seen ORDER BY paramID",
    };
    struct fixture *f = *state;
    run_sql("CREATE TABLE RequestedData (paramID INTEGER PRIMARY KEY, host TEXT, port INTEGER, "
            "comment TEXT);"
            "CREATE TABLE meter (host TEXT, name TEXT);"
            "CREATE VIEW seen AS SELECT paramID, upper(host) AS host FROM RequestedData;");
    run_sql(NUMBERS(60000) "INSERT INTO RequestedData SELECT i, 'h' || (i % 2000), 502, "
                           "'comment ' || (i * 7919 % 60000) FROM n");
    run_sql(NUMBERS(2000) "INSERT INTO meter SELECT 'h' || i, 'm' || i FROM n");
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        assert_locks_are_short(f, queries[i]);
}

/* So slow that it is done on a copy, however small the tables are. */
#define SLOWLY                                                                               \
    " AND (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) " \
    "SELECT max(i) FROM n) > 0"

static void a_copy_gives_what_the_tables_themselves_would(void **state)
{
    static const char *const queries[] = {
        "SELECT a, \"b c\", d FROM plain WHERE 1" SLOWLY,
        "SELECT rowid, a FROM plain WHERE rowid > 1" SLOWLY,
        "SELECT count(*) FROM plain WHERE 1" SLOWLY,
        "SELECT rowid, _rowid_, v FROM shadowed WHERE 1" SLOWLY,
        "SELECT id, v FROM keyed WHERE id <> 2" SLOWLY,
        "SELECT name, v FROM rowless WHERE 1" SLOWLY,
        "SELECT name FROM two WHERE v > 0" SLOWLY " ORDER BY name, n",
        "SELECT word FROM nocase WHERE word = 'ADA'" SLOWLY,
        "SELECT DISTINCT word FROM nocase WHERE 1" SLOWLY,
        "SELECT twice FROM generated WHERE 1" SLOWLY,
        "SELECT p.a, k.v FROM plain p JOIN keyed k ON k.id = p.rowid WHERE 1" SLOWLY,
        "SELECT * FROM outer_view WHERE 1" SLOWLY,
        "SELECT value FROM plain, json_each('[1, 2]') WHERE 1" SLOWLY,
        "SELECT a FROM plain WHERE number = '10'" SLOWLY,
        "SELECT typeof(a), typeof(number) FROM plain WHERE 1" SLOWLY,
        "WITH mine AS (SELECT a FROM plain) SELECT a FROM mine WHERE 1" SLOWLY,
        "SELECT a FROM plain WHERE rowid IN (SELECT id FROM keyed)" SLOWLY,
    };
    struct fixture *f = *state;
    run_sql("CREATE TABLE plain (a, \"b c\" TEXT, d \"odd type\", number INTEGER, unread BLOB);"
            "INSERT INTO plain VALUES ('x', 1, NULL, 10, zeroblob(100)), (2, 'y', 3.5, '11', 1), "
            "(NULL, 'z', 1, 'no number', NULL);"
            "INSERT INTO plain (rowid, a) VALUES (-5, 'before'), (9223372036854775807, 'last');"
            "CREATE TABLE shadowed (rowid TEXT, v); INSERT INTO shadowed VALUES ('a', 1), "
            "('a', 2);"
            "CREATE TABLE keyed (id INTEGER PRIMARY KEY, v NOT NULL CHECK (v <> 'no'));"
            "INSERT INTO keyed VALUES (1, 'one'), (2, 'two'), (700, 'many');"
            "CREATE TABLE rowless (name TEXT PRIMARY KEY, v) WITHOUT ROWID;"
            "INSERT INTO rowless VALUES ('b', 1), ('a', NULL);"
            "CREATE TABLE two (name TEXT, n INTEGER, v, PRIMARY KEY (n, name)) WITHOUT ROWID;"
            "INSERT INTO two VALUES ('a', 2, 1), ('b', 1, 1), ('a', 1, 0), ('c', 1, 3);"
            "CREATE TABLE nocase (word TEXT COLLATE NOCASE UNIQUE);"
            "INSERT INTO nocase VALUES ('Ada'), ('Bob');"
            "CREATE TABLE generated (once INTEGER, twice AS (once * 2));"
            "INSERT INTO generated (once) VALUES (4), (5);"
            "CREATE VIEW inner_view AS SELECT a FROM plain WHERE a IS NOT NULL;"
            "CREATE VIEW outer_view AS SELECT a, v FROM inner_view, shadowed;");
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        weir_rows rows = read_good(f, queries[i]);
        assert_rows_are(&rows, queries[i]);
        weir_rows_deinit(&rows);
    }
}

static void keys_of_all_kinds_lead_on_behind_the_last_row(void **state)
{
    static const char *const queries[] = {
        "SELECT a FROM plain WHERE 1" SLOWLY " ORDER BY a",
        "SELECT v FROM rowless WHERE 1" SLOWLY " ORDER BY v",
        "SELECT v FROM two WHERE 1" SLOWLY " ORDER BY v",
    };
    struct fixture *f = *state;
    run_sql("CREATE TABLE plain (a); CREATE TABLE rowless (name TEXT PRIMARY KEY, v) WITHOUT "
            "ROWID; CREATE TABLE two (x, y, v, PRIMARY KEY (x, y)) WITHOUT ROWID;");
    /* Enough for some turns each. */
    run_sql(NUMBERS(30000) "INSERT INTO plain (rowid, a) SELECT (i - 15000) * 1000, i FROM n");
    run_sql(NUMBERS(30000) "INSERT INTO rowless SELECT 'k' || i, i FROM n");
    run_sql(NUMBERS(30000) "INSERT INTO two SELECT i / 1000, 'y' || (i % 1000), i FROM n");
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        assert_locks_are_short(f, queries[i]);
}

static void of_what_no_copy_can_be_made_it_is_said(void **state)
{
    struct fixture *f = *state;
    run_sql("CREATE TABLE t (a); INSERT INTO t VALUES (1);"
            "CREATE TABLE all_names (rowid, _rowid_, oid); INSERT INTO all_names VALUES (1,2,3);");
    assert_fails(
        f, "SELECT name FROM sqlite_master WHERE 1" SLOWLY,
        "p.db, t: this takes so long that it is done on a copy, and of sqlite_master none");
    assert_fails(f, "SELECT oid FROM all_names WHERE 1" SLOWLY,
                 "p.db, t: this takes so long that it is done on a copy, and of all_names none");
    assert_fails(f, "SELECT b FROM t", "p.db, t: no such column: b");
}

static void a_query_that_takes_for_ever_ends_with_the_timeout(void **state)
{
    struct fixture *f = *state;
    const weir_layout_query queries[WEIR_LAYOUT_QUERIES] = {
        {"t", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM "
              "n, t"}};
    weir_rows rows[WEIR_LAYOUT_QUERIES] = {0};
    weir_error error = WEIR_ERROR_INIT;
    run_sql("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    assert_int_equal(sqlite3_open_v2("p.db", &f->db, SQLITE_OPEN_READONLY, "watched"), SQLITE_OK);
    watch.longest = 0;
    assert_int_equal(weir_sqlite_read(f->db, "p.db", queries, 200 * WEIR_MS, rows, &error),
                     WEIR_ELIMIT);
    assert_string_equal(error.text, "p.db, t: not read within the timeout: an index may help");
    weir_rows_deinit(&rows[0]);
}

static void short_memory_never_gives_half_the_rows(void **state)
{
    struct fixture *f = *state;
    bool done = false;
    run_sql("CREATE TABLE t (a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO t VALUES (1, 2), (3, 4);"
            "CREATE TABLE u (c); INSERT INTO u VALUES (5)");
    for (size_t n = 1; !done; n++) {
        weir_error error = WEIR_ERROR_INIT;
        weir_rows rows = {0};
        (void)weir_alloc_fail_nth(n, false);
        const weir_err err = read_rows(f, "SELECT b, c FROM t, u WHERE 1" SLOWLY, &rows, &error);
        done = weir_alloc_fail_nth(0, false) < n;
        assert_int_equal(err, done ? WEIR_OK : WEIR_ENOMEM);
        assert_true(!done || rows.n == 2);
        weir_rows_deinit(&rows);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        IN_FOLDER(no_lock_lasts_however_many_rows_there_are),
        IN_FOLDER(a_copy_gives_what_the_tables_themselves_would),
        IN_FOLDER(keys_of_all_kinds_lead_on_behind_the_last_row),
        IN_FOLDER(of_what_no_copy_can_be_made_it_is_said),
        IN_FOLDER(a_query_that_takes_for_ever_ends_with_the_timeout),
        IN_FOLDER(short_memory_never_gives_half_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
