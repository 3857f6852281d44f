/* SPDX-License-Identifier: MIT */
/* The disk in memory: its own model, and SQLite on it through hundreds of power cuts. */

#include "support/fault_vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/random.h"
#include "support/fault_disk.h"
#include "tests/support/scaled.h"

/* --- the page cache ------------------------------------------------------------------------ */

enum { SECTORS = 64 };

static void fill(disk *d, disk_inode *inode, uint8_t with)
{
    uint8_t bytes[SECTORS * DISK_SECTOR];
    memset(bytes, with, sizeof bytes);
    assert_int_equal(disk_write(d, inode, bytes, sizeof bytes, 0), sizeof bytes);
}

/* How many sectors are all `a`, all `b`, or first `a` and then `b`. */
struct mix {
    unsigned a, b, torn;
};

static struct mix count_mix(const disk_inode *inode, uint8_t a, uint8_t b)
{
    struct mix mix = {0};
    uint8_t s[DISK_SECTOR];
    for (int i = 0; i < SECTORS; i++) {
        size_t n = 0;
        (void)disk_read(inode, s, sizeof s, (int64_t)i * DISK_SECTOR);
        while (n < sizeof s && s[n] == a)
            n++;
        for (size_t j = n; j < sizeof s; j++)
            assert_int_equal(s[j], b);
        *(n == sizeof s ? &mix.a : n == 0 ? &mix.b : &mix.torn) += 1;
    }
    return mix;
}

static void what_was_synced_survives_and_the_rest_is_kept_dropped_or_torn(void **state)
{
    (void)state;
    struct mix sum = {0};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        disk d = {0};
        disk_inode *f = disk_create(&d, "/f");
        fill(&d, f, 1);
        disk_sync(f);
        disk_sync_directory(&d, "/f");
        disk_power_cut(&d, &(weir_random){seed});
        assert_int_equal(count_mix(f, 1, 0).a, SECTORS);
        fill(&d, f, 2);
        disk_power_cut(&d, &(weir_random){seed});
        const struct mix mix = count_mix(f, 2, 1);
        sum.a += mix.a, sum.b += mix.b, sum.torn += mix.torn;
        assert_int_equal(disk_unsynced(f), 0);
        disk_deinit(&d);
        assert_int_equal(d.used, 0);
    }
    assert_in_range(sum.a, 300, 560);
    assert_in_range(sum.b, 300, 560);
    assert_in_range(sum.torn, 300, 560);
}

static void sizes_and_names_are_changed_as_a_whole_or_not_at_all(void **state)
{
    (void)state;
    unsigned is_long = 0, has_new = 0, has_removed = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        disk d = {0};
        disk_inode *f = disk_create(&d, "/a/f");
        disk_inode *gone = disk_create(&d, "/a/gone");
        fill(&d, f, 1);
        disk_sync(f);
        disk_sync(gone);
        disk_sync_directory(&d, "/a/anything");
        disk_truncate(&d, f, 700);
        (void)disk_create(&d, "/a/new");
        assert_true(disk_remove(&d, "/a/gone"));
        disk_power_cut(&d, &(weir_random){seed});
        uint8_t last;
        if (disk_size(f) != 700) {
            assert_int_equal(disk_size(f), SECTORS * DISK_SECTOR);
            assert_int_equal(count_mix(f, 1, 0).a, SECTORS);
            is_long++;
        }
        assert_int_equal(disk_read(f, &last, 1, 699), 1);
        assert_int_equal(last, 1);
        has_new += disk_find(&d, "/a/new") != NULL;
        has_removed += disk_find(&d, "/a/gone") != NULL;
        disk_deinit(&d);
        assert_int_equal(d.used, 0);
    }
    assert_in_range(is_long, 30, 70);
    assert_in_range(has_new, 30, 70);
    assert_in_range(has_removed, 30, 70);
}

static void after_a_failed_sync_the_next_one_writes_only_what_was_written_anew(void **state)
{
    (void)state;
    disk d = {0};
    disk_inode *f = disk_create(&d, "/f");
    uint8_t three[DISK_SECTOR];
    memset(three, 3, sizeof three);
    fill(&d, f, 1);
    disk_sync(f);
    disk_sync_directory(&d, "/f");
    fill(&d, f, 2);
    disk_sync_failed(f);
    assert_int_equal(disk_write(&d, f, three, sizeof three, 5 * DISK_SECTOR), sizeof three);
    disk_sync(f);
    assert_int_equal(count_mix(f, 2, 3).b, 1); /* reads still see what was written */
    disk_power_cut(&d, &(weir_random){1});
    const struct mix mix = count_mix(f, 1, 3);
    assert_int_equal(mix.a, SECTORS - 1);
    assert_int_equal(mix.b, 1);
    disk_deinit(&d);
}

static void a_full_disk_takes_what_fits_and_gives_space_back(void **state)
{
    (void)state;
    disk d = {.capacity = 3 * DISK_BLOCK};
    uint8_t bytes[2 * DISK_BLOCK] = {1};
    disk_inode *f = disk_create(&d, "/f"), *g = disk_create(&d, "/g");
    assert_int_equal(disk_write(&d, f, bytes, sizeof bytes, 0), sizeof bytes);
    assert_int_equal(disk_write(&d, g, bytes, sizeof bytes, 0), DISK_BLOCK);
    assert_int_equal(disk_write(&d, g, bytes, 1, DISK_BLOCK), 0);
    assert_int_equal(disk_write(&d, f, bytes, sizeof bytes, 0), sizeof bytes); /* in place */
    disk_truncate(&d, f, 1);
    assert_int_equal(disk_write(&d, g, bytes, 1, DISK_BLOCK), 1);
    assert_int_equal(d.used, 3 * DISK_BLOCK);
    disk_deinit(&d);
    assert_int_equal(d.used, 0);
}

/* --- SQLite on it -------------------------------------------------------------------------- */

static sqlite3 *db_open(const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE,
                        "memory-disk") != SQLITE_OK)
        fail_msg("open: %s", sqlite3_errmsg(db));
    return db;
}

static int db_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int64_t db_int(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    const int64_t n = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return n;
}

static bool db_is_whole(sqlite3 *db)
{
    sqlite3_stmt *s = NULL;
    const bool is_ok =
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;
    (void)sqlite3_finalize(s);
    return is_ok;
}

static fault_vfs *vfs_new(uint64_t seed)
{
    fault_vfs *vfs = fault_vfs_new(&(fault_vfs_options){.name = "memory-disk", .seed = seed});
    fault_vfs_make_default(vfs);
    return vfs;
}

struct run {
    const char *set_up;
    unsigned lost, damaged, refused;
};

/* One life: rows 1, 2, 3 ... each with a text of some pages, each a transaction. A row is committed
 * when COMMIT said so; the one in work may be there too. Returns the last committed. */
static int64_t life(fault_vfs *vfs, const char *set_up, weir_random *random, int64_t *ret_tried)
{
    sqlite3 *db = db_open("/d/t.db");
    char sql[200];
    /* Setting up may be cut short as well. */
    fault_vfs_stop_after(vfs, weir_random_below(random, 400));
    (void)db_exec(db, set_up);
    (void)db_exec(db, "CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, text BLOB)");
    int64_t committed = 0;
    while (!fault_vfs_stopped(vfs)) {
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO t VALUES((SELECT coalesce(max(n),0)+1 FROM t),"
                       " randomblob(%d)) RETURNING n",
                       (int)weir_random_below(random, 20000));
        sqlite3_stmt *s = NULL;
        int64_t n = 0;
        if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
            n = sqlite3_column_int64(s, 0);
        if (n > 0)
            *ret_tried = n;
        if (n > 0 && sqlite3_step(s) == SQLITE_DONE)
            committed = n;
        (void)sqlite3_finalize(s);
        if (weir_random_below(random, 10) == 0)
            (void)db_exec(db, "PRAGMA wal_checkpoint");
        if (weir_random_below(random, 20) == 0)
            (void)db_exec(db, "DELETE FROM t WHERE n % 3 = 0 AND n < (SELECT max(n) FROM t) - 20");
    }
    fault_vfs_power_cut(vfs, weir_random_u64(random));
    (void)sqlite3_close(db);
    return committed;
}

static void power_cuts(struct run *run, int cuts)
{
    fault_vfs *vfs = vfs_new(7);
    weir_random random = {7};
    int64_t committed = 0;
    for (int i = 0; i < cuts; i++) {
        int64_t tried = 0;
        const int64_t last = life(vfs, run->set_up, &random, &tried);
        committed = last > committed ? last : committed;
        sqlite3 *db = db_open("/d/t.db");
        const bool is_whole = db_is_whole(db);
        const bool has_table =
            is_whole && db_int(db, "SELECT count(*) FROM sqlite_schema WHERE name='t'") == 1;
        const int64_t n = has_table ? db_int(db, "SELECT coalesce(max(n),0) FROM t") : 0;
        run->damaged += !is_whole;
        run->lost += is_whole && n < committed;
        if (is_whole && n > committed)
            assert_int_equal(n, tried);
        (void)sqlite3_close(db);
        if (!is_whole || n < committed) { /* start over: one loss is counted once */
            (void)fault_vfs_remove(vfs, "/d/t.db");
            (void)fault_vfs_remove(vfs, "/d/t.db-wal");
            (void)fault_vfs_remove(vfs, "/d/t.db-journal");
            committed = 0;
        } else {
            committed = n;
        }
    }
    fault_vfs_free(vfs);
}

static void with_full_syncs_every_transaction_survives_three_hundred_power_cuts(void **state)
{
    (void)state;
    static const char *const set_ups[] = {
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=65536",
        "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA",
        "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL",
    };
    for (size_t i = 0; i < sizeof set_ups / sizeof *set_ups; i++) {
        struct run run = {.set_up = set_ups[i]};
        power_cuts(&run, i == 0 ? testing_scaled(100, 300) : testing_scaled(50, 100));
        assert_int_equal(run.damaged, 0);
        assert_int_equal(run.lost, 0);
    }
}

/* The model bites: without syncs the same test finds losses and damage. */
static void without_syncs_the_same_power_cuts_cost_transactions_and_databases(void **state)
{
    (void)state;
    struct run run = {.set_up = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF"};
    power_cuts(&run, 100);
    assert_true(run.lost >= 20);
    assert_true(run.damaged >= 5);
    run = (struct run){.set_up = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"};
    power_cuts(&run, 100);
    assert_true(run.lost >= 20);
    assert_int_equal(run.damaged, 0);
}

static void a_killed_process_leaves_all_it_wrote(void **state)
{
    (void)state;
    fault_vfs *vfs = vfs_new(1);
    sqlite3 *db = db_open("/t.db"), *other;
    assert_int_equal(db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
                                 "CREATE TABLE t(n); INSERT INTO t VALUES(1); BEGIN IMMEDIATE;"
                                 "INSERT INTO t VALUES(2)"),
                     SQLITE_OK);
    fault_vfs_kill(vfs);
    assert_int_equal(db_exec(db, "COMMIT") & 0xff, SQLITE_IOERR);
    assert_int_equal(sqlite3_open_v2("/t.db", &other, SQLITE_OPEN_READWRITE, "memory-disk"),
                     SQLITE_CANTOPEN); /* before the dead process is gone */
    (void)sqlite3_close(other);
    (void)sqlite3_close(db);
    db = db_open("/t.db");
    assert_int_equal(db_int(db, "SELECT sum(n) FROM t"), 1);
    assert_int_equal(db_exec(db, "BEGIN IMMEDIATE; INSERT INTO t VALUES(3); COMMIT"), SQLITE_OK);
    (void)sqlite3_close(db);
    fault_vfs_free(vfs);
}

static void connections_share_files_locks_and_the_memory_of_the_wal(void **state)
{
    (void)state;
    fault_vfs *vfs = vfs_new(1), *second = fault_vfs_new(&(fault_vfs_options){.name = "second"});
    sqlite3 *a = db_open("/t.db"), *b = db_open("/t.db"), *c = NULL;
    assert_int_equal(db_exec(a, "PRAGMA journal_mode=WAL; CREATE TABLE t(n)"), SQLITE_OK);
    assert_int_equal(db_exec(a, "BEGIN IMMEDIATE; INSERT INTO t VALUES(1)"), SQLITE_OK);
    assert_int_equal(db_exec(b, "BEGIN IMMEDIATE"), SQLITE_BUSY);
    assert_int_equal(db_exec(b, "BEGIN"), SQLITE_OK);
    assert_int_equal(db_int(b, "SELECT count(*) FROM t"), 0);
    assert_int_equal(db_exec(a, "COMMIT"), SQLITE_OK);
    assert_int_equal(db_int(b, "SELECT count(*) FROM t"), 0); /* its moment is older */
    assert_int_equal(db_exec(b, "COMMIT"), SQLITE_OK);
    assert_int_equal(db_int(b, "SELECT count(*) FROM t"), 1);
    assert_int_equal(sqlite3_open_v2("/t.db", &c, SQLITE_OPEN_READWRITE, "second"),
                     SQLITE_CANTOPEN);
    (void)sqlite3_close(c);
    (void)sqlite3_close(b);
    assert_int_equal(db_exec(a, "PRAGMA journal_mode=DELETE"), SQLITE_OK);
    b = db_open("/t.db");
    assert_int_equal(db_exec(b, "BEGIN; SELECT * FROM t"), SQLITE_OK);
    assert_int_equal(db_exec(a, "INSERT INTO t VALUES(2)") & 0xff, SQLITE_BUSY);
    assert_int_equal(db_exec(b, "COMMIT"), SQLITE_OK);
    assert_int_equal(db_exec(a, "INSERT INTO t VALUES(2)"), SQLITE_OK);
    (void)sqlite3_close(a);
    (void)sqlite3_close(b);
    fault_vfs_free(second);
    fault_vfs_free(vfs);
}

static void each_kind_of_operation_fails_when_told_and_works_again(void **state)
{
    (void)state;
    static const struct {
        fault_rule rule;
        int code;
    } cases[] = {
        {{.ops = FAULT_WRITE}, SQLITE_IOERR_WRITE},
        {{.ops = FAULT_WRITE, .nth = 2, .is_short = true, .code = SQLITE_FULL}, SQLITE_FULL},
        {{.ops = FAULT_SYNC, .suffix = "-wal"}, SQLITE_IOERR_FSYNC},
        {{.ops = FAULT_ANY, .persistent = true, .code = SQLITE_IOERR}, SQLITE_IOERR},
        {{.ops = FAULT_SHM}, SQLITE_IOERR_SHMLOCK},
    };
    fault_vfs *vfs = vfs_new(1);
    sqlite3 *db = db_open("/t.db");
    int64_t n = 0;
    assert_int_equal(db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                 "CREATE TABLE t(n)"),
                     SQLITE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint64_t hits = fault_vfs_hits(vfs);
        fault_vfs_fail(vfs, cases[i].rule);
        assert_int_equal(db_exec(db, "INSERT INTO t VALUES(randomblob(9000))"), cases[i].code);
        assert_true(fault_vfs_hits(vfs) > hits);
        fault_vfs_heal(vfs);
        assert_int_equal(db_exec(db, "INSERT INTO t VALUES(randomblob(9000))"), SQLITE_OK);
        assert_int_equal(db_int(db, "SELECT count(*) FROM t"), ++n);
        assert_true(db_is_whole(db));
    }
    fault_vfs_fail(vfs, (fault_rule){.ops = FAULT_SYNC, .suffix = "-journal"});
    assert_int_equal(db_exec(db, "INSERT INTO t VALUES(1)"), SQLITE_OK); /* another file */
    fault_vfs_heal(vfs);
    (void)sqlite3_close(db);
    assert_int_equal(fault_vfs_size(vfs, "/t.db-wal"), -1);
    fault_vfs_fail(vfs, (fault_rule){.ops = FAULT_OPEN});
    assert_int_equal(sqlite3_open_v2("/t.db", &db, SQLITE_OPEN_READWRITE, "memory-disk"),
                     SQLITE_CANTOPEN);
    (void)sqlite3_close(db);
    fault_vfs_free(vfs);
}

static void a_full_read_only_or_vanished_disk_is_told_as_such(void **state)
{
    (void)state;
    fault_vfs *vfs = vfs_new(1);
    sqlite3 *db = db_open("/t.db");
    assert_int_equal(db_exec(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(n)"), SQLITE_OK);
    fault_vfs_set_capacity(vfs, fault_vfs_used(vfs) + 8192);
    assert_int_equal(db_exec(db, "INSERT INTO t VALUES(randomblob(50000))"), SQLITE_FULL);
    assert_true(fault_vfs_free_bytes(vfs) < DISK_BLOCK);
    fault_vfs_set_capacity(vfs, 0);
    assert_int_equal(db_exec(db, "INSERT INTO t VALUES(randomblob(50000))"), SQLITE_OK);
    fault_vfs_set_read_only(vfs, true);
    assert_int_equal(db_exec(db, "INSERT INTO t VALUES(1)") & 0xff, SQLITE_IOERR);
    fault_vfs_heal(vfs);
    assert_int_equal(db_exec(db, "INSERT INTO t VALUES(1)"), SQLITE_OK);
    int moved = 0;
    (void)sqlite3_file_control(db, NULL, SQLITE_FCNTL_HAS_MOVED, &moved);
    assert_int_equal(moved, 0);
    assert_true(fault_vfs_remove(vfs, "/t.db"));
    (void)sqlite3_file_control(db, NULL, SQLITE_FCNTL_HAS_MOVED, &moved);
    assert_int_equal(moved, 1);
    (void)sqlite3_close(db);
    fault_vfs_free(vfs);
}

static void bits_flip_and_files_are_put_and_cut(void **state)
{
    (void)state;
    fault_vfs *vfs = vfs_new(1);
    uint8_t byte = 0;
    fault_vfs_put(vfs, "/f", "abc", 3);
    assert_true(fault_vfs_flip(vfs, "/f", 8 + 0));
    assert_false(fault_vfs_flip(vfs, "/f", 24));
    assert_int_equal(fault_vfs_get(vfs, "/f", &byte, 1, 1), 1);
    assert_int_equal(byte, 'c');
    assert_true(fault_vfs_truncate(vfs, "/f", 1));
    fault_vfs_power_cut(vfs, 1);
    assert_int_equal(fault_vfs_size(vfs, "/f"), 1);
    assert_int_equal(fault_vfs_size(vfs, "/g"), -1);
    fault_vfs_free(vfs);
}

static void the_same_seed_writes_the_same_bytes(void **state)
{
    (void)state;
    uint64_t hashes[3];
    for (int i = 0; i < 3; i++) {
        fault_vfs *vfs = vfs_new(i < 2 ? 5 : 6);
        sqlite3 *db = db_open("/t.db");
        assert_int_equal(db_exec(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(n);"
                                     "INSERT INTO t VALUES(randomblob(100)),(datetime('now'))"),
                         SQLITE_OK);
        (void)sqlite3_close(db);
        hashes[i] = fault_vfs_hash(vfs);
        fault_vfs_free(vfs);
    }
    assert_true(hashes[0] == hashes[1]);
    assert_true(hashes[0] != hashes[2]);
}

static void a_slow_sync_takes_time_of_the_clock_given(void **state)
{
    (void)state;
    fault_vfs *vfs = vfs_new(1);
    sqlite3 *db = db_open("/t.db");
    assert_int_equal(db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                 "CREATE TABLE t(n)"),
                     SQLITE_OK);
    const int64_t before = db_int(db, "SELECT unixepoch()");
    fault_vfs_set_sync_time(vfs, 2000000);
    assert_int_equal(db_exec(db, "INSERT INTO t VALUES(1)"), SQLITE_OK);
    assert_int_equal(db_int(db, "SELECT unixepoch()"), before + 2);
    (void)sqlite3_close(db);
    fault_vfs_free(vfs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_synced_survives_and_the_rest_is_kept_dropped_or_torn),
        cmocka_unit_test(sizes_and_names_are_changed_as_a_whole_or_not_at_all),
        cmocka_unit_test(after_a_failed_sync_the_next_one_writes_only_what_was_written_anew),
        cmocka_unit_test(a_full_disk_takes_what_fits_and_gives_space_back),
        cmocka_unit_test(with_full_syncs_every_transaction_survives_three_hundred_power_cuts),
        cmocka_unit_test(without_syncs_the_same_power_cuts_cost_transactions_and_databases),
        cmocka_unit_test(a_killed_process_leaves_all_it_wrote),
        cmocka_unit_test(connections_share_files_locks_and_the_memory_of_the_wal),
        cmocka_unit_test(each_kind_of_operation_fails_when_told_and_works_again),
        cmocka_unit_test(a_full_read_only_or_vanished_disk_is_told_as_such),
        cmocka_unit_test(bits_flip_and_files_are_put_and_cut),
        cmocka_unit_test(the_same_seed_writes_the_same_bytes),
        cmocka_unit_test(a_slow_sync_takes_time_of_the_clock_given),
    };
    return cmocka_run_group_tests_name("fault vfs", tests, NULL, NULL);
}
