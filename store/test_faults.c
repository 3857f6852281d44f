/* SPDX-License-Identifier: MIT */
/* The store when memory or the disk refuses: nothing lost, nothing twice, and on it goes. */

#include "store/store.h"

#include <errno.h>

#include "base/random.h"
#include "store/query/query.h"
#include "store/repair/verify.h"
#include "store/testing.h"

/* --- a VFS that fails on demand ----------------------------------------------------------- */

/* Passes all on to the default one; the n-th write or sync from now on fails, once or for ever. */
static struct {
    int countdown; /* 0: off */
    bool persistent;
    int error;
    int failed;
} fault;

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *real_vfs(void)
{
    return sqlite3_vfs_find("unix");
}

static sqlite3_file *real_file(sqlite3_file *file)
{
    return ((struct faulty_file *)(void *)file)->real;
}

static bool fault_now(void)
{
    if (fault.countdown == 0 || --fault.countdown > 0)
        return false;
    if (fault.persistent)
        fault.countdown = 1;
    fault.failed++;
    return true;
}

static int faulty_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
    sqlite3_file *real = real_file(f);
    if (!fault_now())
        return real->pMethods->xWrite(real, bytes, n, at);
    /* Half of it arrives, as when the disk is full. */
    (void)real->pMethods->xWrite(real, bytes, n / 2, at);
    return fault.error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int faulty_sync(sqlite3_file *f, int flags)
{
    sqlite3_file *real = real_file(f);
    return fault_now() ? SQLITE_IOERR_FSYNC : real->pMethods->xSync(real, flags);
}

static int faulty_close(sqlite3_file *f)
{
    return real_file(f)->pMethods->xClose(real_file(f));
}

static int faulty_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return real_file(f)->pMethods->xRead(real_file(f), to, n, at);
}

static int faulty_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return real_file(f)->pMethods->xTruncate(real_file(f), size);
}

static int faulty_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return real_file(f)->pMethods->xFileSize(real_file(f), ret);
}

static int faulty_lock(sqlite3_file *f, int level)
{
    return real_file(f)->pMethods->xLock(real_file(f), level);
}

static int faulty_unlock(sqlite3_file *f, int level)
{
    return real_file(f)->pMethods->xUnlock(real_file(f), level);
}

static int faulty_reserved(sqlite3_file *f, int *ret)
{
    return real_file(f)->pMethods->xCheckReservedLock(real_file(f), ret);
}

static int faulty_control(sqlite3_file *f, int op, void *arg)
{
    return real_file(f)->pMethods->xFileControl(real_file(f), op, arg);
}

static int faulty_sector(sqlite3_file *f)
{
    return real_file(f)->pMethods->xSectorSize(real_file(f));
}

static int faulty_traits(sqlite3_file *f)
{
    return real_file(f)->pMethods->xDeviceCharacteristics(real_file(f));
}

static int faulty_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    return real_file(f)->pMethods->xShmMap(real_file(f), page, size, extend, ret);
}

static int faulty_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_file(f)->pMethods->xShmLock(real_file(f), offset, n, flags);
}

static void faulty_shm_barrier(sqlite3_file *f)
{
    real_file(f)->pMethods->xShmBarrier(real_file(f));
}

static int faulty_shm_unmap(sqlite3_file *f, int delete)
{
    return real_file(f)->pMethods->xShmUnmap(real_file(f), delete);
}

static const sqlite3_io_methods faulty_methods = {
    .iVersion = 2,
    .xClose = faulty_close,
    .xRead = faulty_read,
    .xWrite = faulty_write,
    .xTruncate = faulty_truncate,
    .xSync = faulty_sync,
    .xFileSize = faulty_size,
    .xLock = faulty_lock,
    .xUnlock = faulty_unlock,
    .xCheckReservedLock = faulty_reserved,
    .xFileControl = faulty_control,
    .xSectorSize = faulty_sector,
    .xDeviceCharacteristics = faulty_traits,
    .xShmMap = faulty_shm_map,
    .xShmLock = faulty_shm_lock,
    .xShmBarrier = faulty_shm_barrier,
    .xShmUnmap = faulty_shm_unmap,
};

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret)
{
    struct faulty_file *f = (struct faulty_file *)(void *)file;
    (void)vfs;
    f->base.pMethods = NULL;
    f->real = (sqlite3_file *)(void *)(f + 1);
    int rc = real_vfs()->xOpen(real_vfs(), name, f->real, flags, ret);
    if (f->real->pMethods)
        f->base.pMethods = &faulty_methods;
    return rc;
}

static const char *faulty_vfs(void)
{
    static sqlite3_vfs vfs;
    if (!vfs.zName) {
        vfs = *real_vfs();
        vfs.zName = "faulty";
        vfs.szOsFile += (int)sizeof(struct faulty_file);
        vfs.xOpen = faulty_open;
        assert_int_equal(sqlite3_vfs_register(&vfs, 0), SQLITE_OK);
    }
    return vfs.zName;
}

/* --- the disk ----------------------------------------------------------------------------- */

static weir_store *store_open_faulty(const char *dir)
{
    weir_store *store = NULL;
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_open(&(weir_store_options){dir, faulty_vfs(), {T0}}, &store, &error) != WEIR_OK)
        fail_msg("open: %s", error.text);
    return store;
}

/* After an I/O error nothing is written before the file was opened anew. */
static void recover(weir_store *store)
{
    weir_recovery recovery;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_store_commit(store, (weir_wall){T0}, &error), WEIR_EIO);
    if (weir_store_recover(store, false, (weir_wall){T0}, &recovery, &error) != WEIR_OK)
        fail_msg("recover: %s", error.text);
    assert_int_equal(recovery.lost_first, 0);
    assert_false(recovery.repaired || recovery.recreated);
}

/* Values 0 .. n-1, each once, in order. */
static void assert_all_there(const char *dir, uint64_t n)
{
    weir_query *query = NULL;
    weir_verify_counts counts;
    char want[64];
    (void)snprintf(want, sizeof want, "%llu|%llu|0|1", (unsigned long long)n,
                   (unsigned long long)n);
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    assert_string_equal(testing_sql(weir_query_db(query),
                                    "SELECT count(*), count(DISTINCT value), min(value),"
                                    " count(*)=max(value)+1 FROM samples"),
                        want);
    weir_query_close(query);
    assert_int_equal(weir_store_verify(dir, NULL, NULL, NULL, &counts, NULL), WEIR_OK);
    assert_int_equal(counts.samples, n);
}

static void append_next(weir_store *store, uint64_t *next)
{
    testing_append(store, 1, T0 + (int64_t)*next, 0, weir_value_u64(*next));
    ++*next;
}

/* The n-th write or fsync of a commit fails, for every n until a commit has none left to fail:
 * the samples wait, and the next commit brings all of them, once. */
static void a_commit_that_fails_anywhere_is_made_up_by_the_next(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int error;
        bool persistent, reopen;
    } cases[] = {{"once", EIO, false, false},
                 {"for ever", EIO, true, false},
                 {"disk full", ENOSPC, true, false},
                 {"and a restart", EIO, true, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = testing_dir();
        weir_store *store = store_open_faulty(dir);
        weir_catalog *catalog = testing_catalog(1, 1);
        uint64_t next = 0;
        int failures = 0;
        testing_register(store, catalog);
        for (int nth = 1;; nth++) {
            weir_error error = WEIR_ERROR_INIT;
            uint64_t committed = weir_store_get_position(store).committed_seq;
            append_next(store, &next);
            append_next(store, &next);
            fault.countdown = nth;
            fault.persistent = cases[i].persistent;
            fault.error = cases[i].error;
            fault.failed = 0;
            weir_err err = weir_store_commit(store, (weir_wall){T0}, &error);
            fault.countdown = 0;
            if (fault.failed == 0)
                break;
            failures++;
            assert_true(err == WEIR_EIO || (err == WEIR_ELIMIT && cases[i].error == ENOSPC));
            assert_non_null(strstr(error.text, "2 samples and events not committed yet"));
            assert_int_equal(weir_store_pending(store, NULL), 2);
            assert_int_equal(weir_store_get_position(store).committed_seq, committed);
            if (cases[i].reopen) {
                /* What was refused may have reached the disk or not: the process forgot it. */
                weir_store_close(store);
                store = store_open_faulty(dir);
                next = weir_store_get_position(store).committed_seq;
            } else if (err == WEIR_EIO) {
                recover(store);
            }
            testing_commit(store);
            assert_int_equal(weir_store_get_position(store).committed_seq, next);
        }
        assert_true(failures >= 3);
        weir_store_close(store);
        assert_all_there(dir, next);
        weir_catalog_free(catalog);
        testing_remove(dir);
    }
}

static void a_checkpoint_that_fails_loses_nothing(void **state)
{
    (void)state;
    char *dir = testing_dir();
    static uint8_t bytes[60000];
    weir_store *store = store_open_faulty(dir);
    weir_catalog *catalog = testing_catalog(1, 2);
    weir_random random = {9};
    uint64_t next = 0;
    testing_register(store, catalog);
    /* 9 MB: every 4 MB a commit checkpoints, and every second one of these is refused. The commit
     * stands; the next one wants the file to be opened anew. */
    int failed = 0;
    for (int round = 0; round < 150; round++) {
        append_next(store, &next);
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)weir_random_u64(&random);
        testing_append(store, 2, T0 + round, 0, weir_value_bytes(bytes, sizeof bytes));
        fault.failed = 0;
        fault.persistent = true;
        fault.error = EIO;
        fault.countdown = round % 2 ? 60 : 0; /* beyond the commit's own writes */
        weir_error error = WEIR_ERROR_INIT;
        if (weir_store_commit(store, (weir_wall){T0}, &error) != WEIR_OK)
            fail_msg("%s", error.text);
        fault.countdown = 0;
        failed += fault.failed > 0;
        if (fault.failed > 0) {
            append_next(store, &next);
            recover(store);
        }
    }
    assert_true(failed > 0);
    weir_store_close(store);
    weir_query *query = NULL;
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    char all[20];
    (void)snprintf(all, sizeof all, "%d", 300 + failed);
    assert_string_equal(testing_sql(weir_query_db(query), "SELECT count(*) FROM samples"), all);
    weir_query_close(query);
    weir_verify_counts counts;
    assert_int_equal(weir_store_verify(dir, NULL, NULL, NULL, &counts, NULL), WEIR_OK);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* Making the file fails at every write and fsync; the next try needs no help. */
static void a_store_that_could_not_be_made_is_made_by_the_next_open(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store_options options = {dir, faulty_vfs(), {T0}};
    weir_store *store = NULL;
    int failures = 0;
    for (int nth = 1; !store; nth++) {
        fault.failed = 0;
        fault.countdown = nth;
        fault.persistent = true;
        fault.error = EIO;
        weir_error error = WEIR_ERROR_INIT;
        weir_err err = weir_store_open(&options, &store, &error);
        fault.countdown = 0;
        if (fault.failed == 0 && err != WEIR_OK)
            fail_msg("without a fault: %s", error.text);
        failures += err != WEIR_OK;
        assert_true((err == WEIR_OK) == (store != NULL));
    }
    assert_true(failures > 5);
    assert_int_equal(strlen(weir_store_uuid(store)), 36);
    weir_store_close(store);
    assert_string_equal(testing_file_sql(dir, "PRAGMA integrity_check"), "ok");
    testing_remove(dir);
}

static void someone_who_holds_the_database_only_delays(void **state)
{
    (void)state;
    char *dir = testing_dir(), path[600];
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 1);
    sqlite3 *shell = NULL;
    uint64_t next = 0;
    testing_register(store, catalog);
    append_next(store, &next);
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(sqlite3_open(path, &shell), SQLITE_OK);
    assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(weir_store_commit(store, (weir_wall){T0}, NULL), WEIR_EINUSE);
    append_next(store, &next);
    assert_int_equal(sqlite3_exec(shell, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    testing_commit(store);
    (void)sqlite3_close(shell);
    weir_store_close(store);
    assert_all_there(dir, 2);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* --- memory ------------------------------------------------------------------------------- */

/* The n-th allocation of ours fails, for each n: every call that fails is made again. */
static void memory_running_out_anywhere_leaves_nothing_half_done(void **state)
{
    (void)state;
    size_t refused = 0;
    for (size_t nth = 1;; nth++) {
        char *dir = testing_dir();
        weir_catalog *catalog = testing_catalog(2, 3);
        weir_store_options options = {dir, NULL, {T0}};
        weir_event event = {{T0}, WEIR_EVENT_GAP, "d0", "a gap"};
        weir_store *store = NULL;
        size_t failures = 0;
        (void)weir_alloc_fail_nth(nth, false);
        while (weir_store_open(&options, &store, NULL) != WEIR_OK)
            failures++;
        while (weir_store_register(store, catalog, (weir_wall){T0}, NULL) != WEIR_OK)
            failures++;
        for (int64_t i = 0; i < 6; i++) {
            weir_sample samples[2] = {{1, 0, {T0 + i}, weir_value_i64(2 * i)},
                                      {2, 0, {T0 + i}, weir_value_i64(2 * i + 1)}};
            weir_batch batch = {.due = {T0}, .n_samples = 2, .samples = samples};
            while (weir_store_append(store, &batch, NULL) != WEIR_OK)
                failures++;
            while (weir_store_event(store, &event, NULL) != WEIR_OK)
                failures++;
            while (weir_store_commit(store, (weir_wall){T0}, NULL) != WEIR_OK)
                failures++;
        }
        const size_t made = weir_alloc_fail_nth(0, false);
        assert_int_equal(weir_store_get_position(store).committed_seq, 18);
        weir_store_close(store);
        assert_all_there(dir, 12);
        weir_catalog_free(catalog);
        testing_remove(dir);
        if (made < nth)
            break;
        assert_in_range(failures, 0, 1); /* 0: what can be done without */
        refused += failures;
    }
    assert_true(refused > 30);
}

static void memory_running_out_while_reading_is_an_error_not_an_answer(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 3);
    testing_register(store, catalog);
    for (int64_t i = 0; i < 20; i++) { /* with repetitions, so that all paths are walked */
        testing_append(store, 1 + (weir_tag_uid)i % 3, T0 + i % 7, 0, weir_value_string("text", 4));
        testing_commit(store);
    }
    static const char *const cases[] = {
        "SELECT group_concat(tag||ts||value||seq) FROM samples WHERE tag IN ('d0/p0','d0/p2')",
        "SELECT group_concat(tag||ts||value||seq) FROM current WHERE tag GLOB 'd0/*'",
    };
    for (size_t i = 0; i < 2; i++) {
        size_t refused = 0;
        char want[2000];
        for (size_t nth = 0;; nth++) {
            weir_query *query = NULL;
            sqlite3_stmt *stmt = NULL;
            assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
            if (nth > 0)
                (void)weir_alloc_fail_nth(nth, false);
            int rc = sqlite3_prepare_v2(weir_query_db(query), cases[i], -1, &stmt, NULL);
            if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
            size_t counted = weir_alloc_fail_nth(0, false);
            if (rc == SQLITE_ROW && nth == 0)
                (void)snprintf(want, sizeof want, "%s", (const char *)sqlite3_column_text(stmt, 0));
            if (rc == SQLITE_ROW)
                assert_string_equal((const char *)sqlite3_column_text(stmt, 0), want);
            else
                assert_int_equal(rc, SQLITE_NOMEM);
            refused += rc == SQLITE_NOMEM;
            (void)sqlite3_finalize(stmt);
            weir_query_close(query);
            if (nth > 0 && counted < nth)
                break;
        }
        assert_true(refused > 5);
    }
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_that_fails_anywhere_is_made_up_by_the_next),
        cmocka_unit_test(a_checkpoint_that_fails_loses_nothing),
        cmocka_unit_test(a_store_that_could_not_be_made_is_made_by_the_next_open),
        cmocka_unit_test(someone_who_holds_the_database_only_delays),
        cmocka_unit_test(memory_running_out_anywhere_leaves_nothing_half_done),
        cmocka_unit_test(memory_running_out_while_reading_is_an_error_not_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
