/* SPDX-License-Identifier: MIT */
/* A store that fails under way: what was acknowledged stays, what waits waits, and it goes on. */

#include <fcntl.h>
#include <sys/stat.h>

#include "base/random.h"
#include "store/file/schema.h"
#include "store/query/query.h"
#include "store/repair/verify.h"
#include "store/store.h"
#include "store/testing.h"
#include "support/fault_vfs.h"
#include "tests/support/scaled.h"

/* --- a store on a simulated disk -------------------------------------------------------------- */

struct bench {
    char *dir; /* holds the lock; the database is on the simulated disk */
    fault_vfs *disk;
    weir_catalog *catalog;
    weir_store *store;
    int64_t next; /* value of the next sample */
};

static weir_store *bench_try_open(struct bench *b)
{
    weir_store *store = NULL;
    weir_error error = WEIR_ERROR_INIT;
    const weir_store_options options = {.data_dir = b->dir, .vfs = "disk", .now = {T0}};
    if (weir_store_open(&options, &store, &error) != WEIR_OK)
        print_message("open: %s\n", error.text);
    return store;
}

static void bench_start(struct bench *b)
{
    *b = (struct bench){.dir = testing_dir(), .catalog = testing_catalog(1, 2)};
    b->disk = fault_vfs_new(&(fault_vfs_options){.name = "disk", .seed = 1});
    b->store = bench_try_open(b);
    assert_non_null(b->store);
    testing_register(b->store, b->catalog);
}

static void bench_append(struct bench *b)
{
    testing_append(b->store, 1, T0 + b->next * WEIR_S, 0, weir_value_i64(b->next));
    b->next++;
}

static void bench_commit(struct bench *b)
{
    testing_commit(b->store);
}

/* Values 0 .. next-1, each once, by SQL; and nothing that verifying finds. */
static void assert_all_there(const struct bench *b, int64_t gone)
{
    weir_query *query = NULL;
    weir_verify_counts counts;
    weir_error error = WEIR_ERROR_INIT;
    char want[80];
    assert_int_equal(weir_query_open(b->dir, "disk", &query, NULL), WEIR_OK);
    (void)snprintf(want, sizeof want, "%lld|%lld", (long long)(b->next - gone),
                   (long long)(b->next - gone));
    assert_string_equal(
        testing_sql(weir_query_db(query), "SELECT count(*), count(DISTINCT value) FROM samples"),
        want);
    weir_query_close(query);
    if (weir_store_verify(b->dir, "disk", NULL, NULL, &counts, &error) != WEIR_OK)
        fail_msg("verify: %s", error.text);
}

static void bench_end(struct bench *b, int64_t gone)
{
    weir_store_close(b->store);
    assert_all_there(b, gone);
    weir_catalog_free(b->catalog);
    fault_vfs_free(b->disk);
    testing_remove(b->dir);
}

static weir_recovery recover(struct bench *b, bool damaged)
{
    weir_recovery r;
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_recover(b->store, damaged, (weir_wall){T0}, &r, &error) != WEIR_OK)
        fail_msg("recover: %s", error.text);
    return r;
}

/* --- failures of a commit ----------------------------------------------------------------------
 */

/* The n-th operation of a commit fails, for each n, once or from then on; then the file is opened
 * again, which fails at first as long as the disk does. */
static void a_commit_that_fails_anywhere_is_found_out_and_made_up(void **state)
{
    (void)state;
    static const struct {
        unsigned ops;
        bool persistent;
    } cases[] = {{FAULT_SYNC, false},   {FAULT_SYNC, true},  {FAULT_WRITE, false},
                 {FAULT_WRITE, true},   {FAULT_READ, false}, {FAULT_READ, true},
                 {FAULT_ANY, false},    {FAULT_ANY, true},   {FAULT_SHM, false},
                 {FAULT_TRUNCATE, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        size_t failures = 0, written = 0;
        bench_start(&b);
        for (uint64_t nth = 1;; nth++) {
            weir_error error = WEIR_ERROR_INIT;
            weir_recovery r = {0};
            const uint64_t before = fault_vfs_hits(b.disk);
            const uint64_t committed = weir_store_get_position(b.store).committed_seq;
            bench_append(&b);
            bench_append(&b);
            fault_vfs_fail(b.disk, (fault_rule){.ops = cases[i].ops,
                                                .nth = nth,
                                                .persistent = cases[i].persistent,
                                                .is_short = nth % 2});
            weir_err err = weir_store_commit(b.store, (weir_wall){T0}, &error);
            if (fault_vfs_hits(b.disk) == before) {
                assert_int_equal(err, WEIR_OK);
                fault_vfs_heal(b.disk);
                break;
            }
            if (err == WEIR_OK) { /* the checkpoint, or what SQLite does again by itself */
                fault_vfs_heal(b.disk);
                continue;
            }
            failures++;
            assert_int_equal(weir_store_get_position(b.store).committed_seq, committed);
            assert_int_equal(weir_store_pending(b.store, NULL), 2);
            /* While it fails, more is acquired. */
            bench_append(&b);
            if (cases[i].persistent) {
                weir_err tried = weir_store_recover(b.store, false, (weir_wall){T0}, &r, &error);
                assert_true(tried == WEIR_OK || weir_store_pending(b.store, NULL) == 3);
                written += r.written;
            }
            fault_vfs_heal(b.disk);
            r = recover(&b, false);
            written += r.written;
            assert_int_equal(r.lost_last, 0);
            bench_commit(&b);
            assert_int_equal(weir_store_get_position(b.store).committed_seq, b.next);
        }
        if (cases[i].ops != FAULT_TRUNCATE && cases[i].ops != FAULT_READ)
            assert_true(failures > 0);
        /* The kernel has the frames of a commit whose fsync failed: a reopening finds them. */
        if (cases[i].ops == FAULT_SYNC)
            assert_true(written > 0);
        bench_end(&b, 0);
    }
}

/* The n-th operation of the recovery itself fails, once and from then on. */
static void a_recovery_that_fails_anywhere_is_tried_again(void **state)
{
    (void)state;
    for (int persistent = 0; persistent < 2; persistent++) {
        for (uint64_t nth = 1;; nth += (uint64_t)testing_scaled(2, 1)) {
            struct bench b;
            weir_recovery r = {0};
            weir_error error = WEIR_ERROR_INIT;
            bench_start(&b);
            bench_append(&b);
            bench_commit(&b);
            bench_append(&b);
            fault_vfs_fail(b.disk, (fault_rule){.ops = FAULT_SYNC});
            assert_int_equal(weir_store_commit(b.store, (weir_wall){T0}, &error), WEIR_EIO);
            const uint64_t before = fault_vfs_hits(b.disk);
            fault_vfs_fail(b.disk,
                           (fault_rule){.ops = FAULT_ANY, .nth = nth, .persistent = persistent});
            weir_err err = weir_store_recover(b.store, false, (weir_wall){T0}, &r, &error);
            const bool hit = fault_vfs_hits(b.disk) > before;
            fault_vfs_heal(b.disk);
            if (err != WEIR_OK) {
                bench_append(&b); /* taken also while it is closed */
                assert_int_equal(weir_store_commit(b.store, (weir_wall){T0}, &error), WEIR_EIO);
                r = recover(&b, false);
            }
            assert_int_equal(r.lost_last, 0);
            if (r.repaired)
                fail_msg("operation %llu: %s", (unsigned long long)nth, r.text);
            bench_commit(&b);
            assert_int_equal(weir_store_get_position(b.store).committed_seq, b.next);
            bench_end(&b, 0);
            if (!hit)
                break;
        }
    }
}

/* A disk that said it had written, and had not: found when the file is opened again. */
static void what_the_disk_lost_is_told_and_its_numbers_are_not_given_again(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    for (int i = 0; i < 5; i++) {
        bench_append(&b);
        bench_commit(&b);
    }
    static uint8_t db[1 << 20], wal[1 << 20];
    char path[600], wal_path[600];
    (void)snprintf(path, sizeof path, "%s/data.db", b.dir);
    (void)snprintf(wal_path, sizeof wal_path, "%s/data.db-wal", b.dir);
    const size_t n_db = fault_vfs_get(b.disk, path, db, sizeof db, 0);
    const size_t n_wal = fault_vfs_get(b.disk, wal_path, wal, sizeof wal, 0);
    assert_true(n_db < sizeof db && n_wal < sizeof wal);
    for (int i = 0; i < 3; i++) {
        bench_append(&b);
        bench_commit(&b);
    }
    fault_vfs_put(b.disk, path, db, n_db);
    fault_vfs_put(b.disk, wal_path, wal, n_wal);
    bench_append(&b);
    const weir_recovery r = recover(&b, false);
    assert_int_equal(r.lost_first, 6);
    assert_int_equal(r.lost_last, 8);
    assert_non_null(strstr(r.text, "3 samples and events that were committed are lost"));
    bench_commit(&b);
    assert_int_equal(weir_store_get_position(b.store).committed_seq, 9);
    bench_end(&b, 3);
}

static void a_full_disk_needs_nothing_but_room(void **state)
{
    (void)state;
    struct bench b;
    weir_error error = WEIR_ERROR_INIT;
    bench_start(&b);
    fault_vfs_set_capacity(b.disk, fault_vfs_used(b.disk));
    for (int i = 0; i < 20; i++) {
        bench_append(&b);
        weir_err err = weir_store_commit(b.store, (weir_wall){T0}, &error);
        assert_int_equal(err, WEIR_ELIMIT);
        bool more;
        err = weir_store_maintain(b.store, (weir_wall){T0 + i * WEIR_HOUR}, &more, NULL);
        assert_true(err == WEIR_OK || err == WEIR_ELIMIT);
    }
    fault_vfs_set_capacity(b.disk, 0);
    bench_commit(&b);
    assert_int_equal(weir_store_get_position(b.store).committed_seq, 20);
    bench_end(&b, 0);
}

/* --- damage under way ------------------------------------------------------------------------- */

static void a_file_that_is_damaged_under_way_is_repaired_and_the_tags_keep_their_uids(void **state)
{
    (void)state;
    struct bench b;
    char path[600];
    bench_start(&b);
    for (int i = 0; i < 40; i++) {
        bench_append(&b);
        bench_commit(&b);
    }
    const weir_tag_uid uid = b.catalog->tags[1].uid;
    (void)snprintf(path, sizeof path, "%s/data.db", b.dir);
    static const uint8_t nothing[4096];
    const weir_recovery checkpointed = recover(&b, false);
    assert_false(checkpointed.repaired);
    static uint8_t db[1 << 20];
    const size_t n = fault_vfs_get(b.disk, path, db, sizeof db, 0);
    memcpy(db, nothing, sizeof nothing); /* no head, and no schema */
    fault_vfs_put(b.disk, path, db, n);
    bench_append(&b);
    const weir_recovery r = recover(&b, true);
    assert_true(r.repaired);
    assert_non_null(strstr(r.text, "quarantine"));
    bench_commit(&b);
    assert_true(weir_store_get_position(b.store).committed_seq > 1ull << 32);
    assert_int_equal(b.catalog->tags[1].uid, uid);
    testing_register(b.store, b.catalog);
    assert_int_equal(b.catalog->tags[1].uid, uid);
    bench_end(&b, 0);
}

/* --- a real directory --------------------------------------------------------------------------
 */

static void commit_values(weir_store *store, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        testing_append(store, 1, T0 + i * WEIR_S, 0, weir_value_i64(i));
    testing_commit(store);
}

static const char *values_of(const char *dir)
{
    weir_query *query = NULL;
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    const char *answer =
        testing_sql(weir_query_db(query), "SELECT count(*), min(value), max(value) FROM samples");
    weir_query_close(query);
    return answer;
}

static void files_that_are_deleted_are_noticed_and_made_anew_with_all_that_was_in_them(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "rm %s/data.db %s/data.db-wal %s/data.db-shm", "rm -r %s #%s%s", "rm %s/data.db #%s%s",
        "rm %s/data.db-wal #%s%s", "mv %s/data.db %s/elsewhere.db #%s"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char *dir = testing_dir(), command[900];
        weir_catalog *catalog = testing_catalog(1, 1);
        weir_store *store = testing_open(dir);
        weir_recovery r;
        weir_error error = WEIR_ERROR_INIT;
        testing_register(store, catalog);
        commit_values(store, 0, 50);
        assert_int_equal(weir_store_check(store, &error), WEIR_OK);
        (void)snprintf(command, sizeof command, commands[i], dir, dir, dir);
        assert_int_equal(system(command), 0);
        assert_int_equal(weir_store_check(store, &error), WEIR_EIO);
        commit_values(store, 50, 60); /* before it is noticed */
        if (weir_store_recover(store, false, (weir_wall){T0}, &r, &error) != WEIR_OK)
            fail_msg("%s: %s", command, error.text);
        if (r.lost_last)
            fail_msg("%s: %s", command, r.text);
        assert_int_equal(weir_store_check(store, &error), WEIR_OK);
        commit_values(store, 60, 70);
        assert_string_equal(values_of(dir), "70|0|69");
        weir_store_close(store);
        assert_string_equal(values_of(dir), "70|0|69");
        weir_catalog_free(catalog);
        (void)snprintf(command, sizeof command, "rm -rf %s/quarantine", dir);
        assert_int_equal(system(command), 0);
        testing_remove(dir);
    }
}

/* A directory made by somebody else, with a store of his own in it, is his. */
static void a_file_that_was_exchanged_for_another_stores_is_left_alone(void **state)
{
    (void)state;
    /* With its write-ahead log, and without: then ours lies beside a file it does not belong to. */
    static const char *const commands[] = {"rm $D/data.db*; cp $O/data.db $D/data.db",
                                           "mv $O/data.db $D/data.db"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char *dir = testing_dir(), *other = testing_dir(), command[1400];
        weir_catalog *catalog = testing_catalog(1, 1);
        weir_store *store = testing_open(other);
        weir_recovery r;
        weir_error error = WEIR_ERROR_INIT;
        testing_register(store, catalog);
        commit_values(store, 0, 3);
        weir_store_close(store);
        store = testing_open(dir);
        testing_register(store, catalog);
        commit_values(store, 0, 50);
        (void)snprintf(command, sizeof command, "D=%s; O=%s; %s", dir, other, commands[i]);
        assert_int_equal(system(command), 0);
        assert_int_equal(weir_store_check(store, &error), WEIR_EIO);
        assert_int_equal(weir_store_recover(store, false, (weir_wall){T0}, &r, &error), WEIR_EPERM);
        assert_non_null(strstr(error.text, "another store"));
        const char *kept = strstr(error.text, "the one before is ");
        assert_non_null(kept);
        (void)snprintf(command, sizeof command, "mkdir %s/was && mv %s %s/was/data.db", dir,
                       kept + strlen("the one before is "), dir);
        testing_append(store, 1, T0, 0, weir_value_i64(1));
        assert_int_equal(weir_store_commit(store, (weir_wall){T0}, &error), WEIR_EIO);
        weir_store_close(store);
        assert_string_equal(values_of(dir), "3|0|2");
        /* Nothing of ours is lost. */
        assert_int_equal(system(command), 0);
        (void)snprintf(command, sizeof command, "%s/was", dir);
        assert_string_equal(values_of(command), "50|0|49");
        weir_catalog_free(catalog);
        (void)snprintf(command, sizeof command, "rm -rf %s/was %s/quarantine", dir, dir);
        assert_int_equal(system(command), 0);
        testing_remove(dir);
        testing_remove(other);
    }
}

static void a_store_that_is_gone_at_the_start_is_told(void **state)
{
    (void)state;
    static const char *const commands[] = {"rm %s/data.db", ": > %s/data.db"};
    for (size_t i = 0; i < 2; i++) {
        char *dir = testing_dir(), command[700], notice[400];
        weir_catalog *catalog = testing_catalog(1, 1);
        weir_store *store = testing_open(dir);
        weir_store_take_notice(store, notice);
        assert_string_equal(notice, "");
        testing_register(store, catalog);
        commit_values(store, 0, 50);
        weir_store_close(store);
        (void)snprintf(command, sizeof command, commands[i], dir);
        assert_int_equal(system(command), 0);
        store = testing_open(dir);
        weir_store_take_notice(store, notice);
        assert_non_null(strstr(notice, "where a store with 50 samples and events"));
        weir_store_close(store);
        store = testing_open(dir);
        weir_store_take_notice(store, notice);
        assert_string_equal(notice, "");
        weir_store_close(store);
        weir_catalog_free(catalog);
        testing_remove(dir);
    }
}

/* --- others who have the file open -------------------------------------------------------------
 */

static void a_reader_that_stays_makes_commits_pause_at_wal_max_and_no_longer_than_it_stays(
    void **state)
{
    (void)state;
    char *dir = testing_dir(), path[600], notice[400] = "";
    static uint8_t bytes[50000];
    weir_catalog *catalog = testing_catalog(1, 2);
    weir_store *store = NULL;
    weir_error error = WEIR_ERROR_INIT;
    sqlite3 *reader = NULL;
    const weir_store_options options = {.data_dir = dir, .now = {T0}, .wal_max = 8 * 1000 * 1000};
    assert_int_equal(weir_store_open(&options, &store, NULL), WEIR_OK);
    testing_register(store, catalog);
    commit_values(store, 0, 5);
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(sqlite3_open(path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM fresh", NULL, NULL, NULL),
                     SQLITE_OK);
    weir_err err = WEIR_OK;
    weir_random random = {1};
    int commits = 0;
    for (; err == WEIR_OK && commits < 1000; commits++) {
        char text[400];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)weir_random_u64(&random);
        testing_append(store, 2, T0 + commits, 0, weir_value_bytes(bytes, sizeof bytes));
        testing_append(store, 1, T0 + 10 * WEIR_S + commits, 0, weir_value_i64(commits));
        err = weir_store_commit(store, (weir_wall){T0}, &error);
        weir_store_take_notice(store, text);
        if (text[0])
            memcpy(notice, text, sizeof notice);
    }
    assert_int_equal(err, WEIR_EINUSE);
    assert_non_null(strstr(error.text, "wal_max"));
    assert_non_null(strstr(notice, "a reader in another program"));
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/data.db-wal", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_in_range(st.st_size, 8 * 1000 * 1000, 9 * 1000 * 1000);
    assert_int_equal(sqlite3_exec(reader, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    testing_commit(store);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < 1000 * 1000);
    (void)sqlite3_close(reader);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_that_fails_anywhere_is_found_out_and_made_up),
        cmocka_unit_test(a_recovery_that_fails_anywhere_is_tried_again),
        cmocka_unit_test(what_the_disk_lost_is_told_and_its_numbers_are_not_given_again),
        cmocka_unit_test(a_full_disk_needs_nothing_but_room),
        cmocka_unit_test(a_file_that_is_damaged_under_way_is_repaired_and_the_tags_keep_their_uids),
        cmocka_unit_test(
            files_that_are_deleted_are_noticed_and_made_anew_with_all_that_was_in_them),
        cmocka_unit_test(a_file_that_was_exchanged_for_another_stores_is_left_alone),
        cmocka_unit_test(a_store_that_is_gone_at_the_start_is_told),
        cmocka_unit_test(
            a_reader_that_stays_makes_commits_pause_at_wal_max_and_no_longer_than_it_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
