/* SPDX-License-Identifier: MIT */
/* Tests of the worker: when it commits, and what it keeps while the store cannot. */

#include "runtime/worker.h"

#include "store/testing.h"

/* --- a file system that fails when told: a VFS before the default one --- */

struct failing_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static bool disk_full;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct failing_file *)file)->real;
}

static int file_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int file_read(sqlite3_file *f, void *bytes, int n, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), bytes, n, at);
}

static int file_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
    return disk_full ? SQLITE_FULL : real_of(f)->pMethods->xWrite(real_of(f), bytes, n, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int file_sync(sqlite3_file *f, int flags)
{
    return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}

static int file_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int file_reserved(sqlite3_file *f, int *ret)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int file_control(sqlite3_file *f, int op, void *data)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, data);
}

static int file_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int file_features(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int file_shm_unmap(sqlite3_file *f, int remove)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods failing_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_features,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int failing_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                        int *ret_flags)
{
    sqlite3_vfs *real = vfs->pAppData;
    struct failing_file *f = (struct failing_file *)file;
    f->real = (sqlite3_file *)(f + 1);
    const int rc = real->xOpen(real, name, f->real, flags, ret_flags);
    f->base.pMethods = f->real->pMethods ? &failing_methods : NULL;
    return rc;
}

static int register_failing_vfs(void **state)
{
    static sqlite3_vfs vfs;
    (void)state;
    vfs = *sqlite3_vfs_find(NULL);
    vfs.pAppData = sqlite3_vfs_find(NULL);
    vfs.szOsFile += (int)sizeof(struct failing_file);
    vfs.zName = "failing";
    vfs.xOpen = failing_open;
    vfs.pNext = NULL;
    return sqlite3_vfs_register(&vfs, 0);
}

/* --- the bench --- */

enum { INBOX_LIMIT = 64 * 1024 };
static const int64_t max_loss_us = WEIR_S;

struct bench {
    weir_mono now;
    char *dir;
    weir_catalog *catalog;
    weir_store *store;
    weir_inbox inbox;
    weir_platform platform;
    weir_worker *worker;
    int wakes;
    char logged[2048]; /* the events, one a word */
};

static weir_mono bench_now(void *data)
{
    return ((struct bench *)data)->now;
}

static weir_wall bench_wall(void *data)
{
    return (weir_wall){T0 + ((struct bench *)data)->now.us};
}

static void bench_log(void *data, weir_log_level level, const char *event, const char *subject,
                      const char *text)
{
    struct bench *b = data;
    (void)level, (void)subject, (void)text;
    const size_t n = strlen(b->logged);
    (void)snprintf(b->logged + n, sizeof b->logged - n, "%s ", event);
}

static void bench_wake(void *data)
{
    ((struct bench *)data)->wakes++;
}

static void bench_open(struct bench *b)
{
    weir_error error = WEIR_ERROR_INIT;
    disk_full = false;
    *b = (struct bench){.now = {5 * WEIR_S}, .dir = testing_dir()};
    b->platform =
        (weir_platform){.data = b, .now = bench_now, .wall = bench_wall, .log = bench_log};
    const weir_store_options options = {b->dir, "failing", {T0}};
    assert_int_equal(weir_store_open(&options, &b->store, &error), WEIR_OK);
    b->catalog = testing_catalog(1, 4);
    testing_register(b->store, b->catalog);
    assert_int_equal(weir_inbox_init(&b->inbox, INBOX_LIMIT, bench_wake, b), WEIR_OK);
    assert_int_equal(
        weir_worker_new(b->store, &b->inbox, &b->platform, max_loss_us, &b->worker, &error),
        WEIR_OK);
}

static void bench_close(struct bench *b)
{
    weir_worker_free(b->worker);
    weir_store_close(b->store);
    weir_inbox_deinit(&b->inbox);
    weir_catalog_free(b->catalog);
    testing_remove(b->dir);
}

/* As bench_close, but first what the file holds. */
static const char *bench_close_sql(struct bench *b, const char *sql)
{
    weir_worker_free(b->worker);
    weir_store_close(b->store);
    weir_inbox_deinit(&b->inbox);
    weir_catalog_free(b->catalog);
    const char *answer = testing_file_sql(b->dir, sql);
    testing_remove(b->dir);
    return answer;
}

static bool bench_put(struct bench *b, weir_tag_uid tag, int64_t ts)
{
    const weir_sample sample = {tag, 0, {ts}, weir_value_u64(1)};
    const weir_batch batch = {
        .catalog_revision = 1, .due = {ts}, .n_samples = 1, .samples = &sample};
    return weir_inbox_put_batch(&b->inbox, &batch);
}

static uint64_t bench_committed(struct bench *b)
{
    return weir_worker_get_view(b->worker).position.committed_seq;
}

/* --- when --- */

static void what_was_put_is_committed_within_max_loss(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    weir_mono next = weir_worker_step(b.worker);
    for (int i = 1; i <= 200; i++) {
        const weir_mono put = b.now;
        assert_true(bench_put(&b, 1, T0 + i));
        while (bench_committed(&b) < (uint64_t)i) {
            assert_true(next.us > b.now.us);
            b.now = next;
            next = weir_worker_step(b.worker);
        }
        assert_true(b.now.us - put.us <= max_loss_us);
        b.now.us += i * 7919 % WEIR_S; /* from now on nothing waits, for a while */
        if (b.now.us > next.us)
            b.now = next;
        next = weir_worker_step(b.worker);
    }
    assert_int_equal(weir_worker_get_view(b.worker).commits, 200);
    bench_close(&b);
}

static void before_its_time_nothing_is_committed(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    const weir_mono due = weir_worker_step(b.worker);
    assert_int_equal(due.us - b.now.us, max_loss_us);
    assert_true(bench_put(&b, 1, T0));
    b.now.us += max_loss_us - 1;
    assert_int_equal(weir_worker_step(b.worker).us, due.us);
    assert_int_equal(bench_committed(&b), 0);
    b.now = due;
    (void)weir_worker_step(b.worker);
    assert_int_equal(bench_committed(&b), 1);
    bench_close(&b);
}

static void what_is_urgent_is_committed_at_once(void **state)
{
    struct bench b;
    const weir_event event = {{T0}, WEIR_EVENT_CONFIG, "", "applied"};
    (void)state;
    bench_open(&b);
    (void)weir_worker_step(b.worker);
    assert_true(bench_put(&b, 1, T0));
    assert_true(weir_inbox_put_event(&b.inbox, &event, true));
    assert_int_equal(b.wakes, 1);
    (void)weir_worker_step(b.worker);
    assert_int_equal(bench_committed(&b), 2); /* what waited goes along */
    bench_close(&b);
}

/* Edits often, each just behind a sample: the worker itself never finds anything to commit. */
static void what_an_edit_committed_is_seen(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    (void)weir_worker_step(b.worker);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_true(bench_put(&b, 1, T0 + (int64_t)i));
        (void)weir_worker_step(b.worker);
        assert_int_equal(weir_store_commit(b.store, bench_wall(&b), NULL),
                         WEIR_OK); /* as an edit */
        (void)weir_worker_step(b.worker);
        assert_int_equal(bench_committed(&b), i);
        assert_int_equal(weir_worker_get_view(b.worker).commits, i);
    }
    bench_close(&b);
}

static void after_a_long_stop_it_does_not_catch_up(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    (void)weir_worker_step(b.worker);
    b.now.us += WEIR_DAY;
    (void)weir_worker_step(b.worker);
    for (int i = 0; i < 10; i++) { /* the store's own work may come first */
        const weir_mono next = weir_worker_step(b.worker);
        assert_true(next.us > b.now.us);
        b.now = next;
    }
    assert_true(b.now.us >= WEIR_DAY);
    bench_close(&b);
}

/* --- a store that fails --- */

static void a_commit_that_fails_keeps_all_and_is_tried_again(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    disk_full = true;
    for (int i = 0; i < 10; i++) {
        assert_true(bench_put(&b, 1, T0 + i));
        const weir_mono before = b.now;
        const weir_mono next = weir_worker_step(b.worker);
        assert_true(next.us > before.us); /* no spinning */
        b.now = weir_mono_add(before, max_loss_us);
    }
    (void)weir_worker_step(b.worker);
    weir_worker_view view = weir_worker_get_view(b.worker);
    assert_true(view.failing);
    assert_int_equal(view.commits, 0);
    assert_true(view.failures >= 9);
    assert_non_null(strstr(view.error, "11 samples and events not committed yet"));
    assert_int_equal(view.position.committed_seq, 0);
    disk_full = false;
    b.now.us += max_loss_us;
    (void)weir_worker_step(b.worker);
    view = weir_worker_get_view(b.worker);
    assert_false(view.failing);
    assert_string_equal(view.error, "");
    assert_string_equal(b.logged, "store_failing store_recovered "); /* one line a change */
    assert_string_equal(bench_close_sql(&b, "select first_seq, count from fresh"), "1|10");
}

/* A disk that is full for long: the store's memory fills, then the inbox, then it refuses. */
static uint64_t fill_until_refused(struct bench *b, uint64_t *ret_refused)
{
    uint64_t kept = 0;
    char text[60000];
    memset(text, 'x', sizeof text);
    for (int i = 0; *ret_refused < 25; i++) {
        const weir_sample sample = {1, 0, {T0 + i}, weir_value_string(text, sizeof text)};
        const weir_batch batch = {
            .catalog_revision = 1, .due = {T0 + i}, .n_samples = 1, .samples = &sample};
        const bool ok = weir_inbox_put_batch(&b->inbox, &batch);
        kept += ok;
        *ret_refused += !ok;
        b->now.us += max_loss_us;
        (void)weir_worker_step(b->worker);
    }
    return kept;
}

static void what_the_full_inbox_refused_is_an_exact_gap_when_commits_work_again(void **state)
{
    struct bench b;
    uint64_t refused = 0;
    char expected[200];
    (void)state;
    bench_open(&b);
    disk_full = true;
    const uint64_t kept = fill_until_refused(&b, &refused);
    assert_true(kept > 200);                                      /* 16 MiB of 60 kB each */
    assert_int_equal(weir_worker_get_view(b.worker).refused, 25); /* told while it fails */
    disk_full = false;
    for (int i = 0; i < 3; i++) {
        b.now.us += max_loss_us;
        (void)weir_worker_step(b.worker);
    }
    assert_int_equal(bench_committed(&b), kept + 3); /* the gap, and two alarms */
    (void)snprintf(expected, sizeof expected,
                   "%llu|1|25 samples were not kept: the store could not commit and memory was "
                   "full",
                   (unsigned long long)kept);
    assert_string_equal(bench_close_sql(&b, "select (select sum(count) from fresh), count(*), text "
                                            "from event where kind = 1"),
                        expected);
}

static void the_end_commits_what_waits_in_the_inbox_too(void **state)
{
    struct bench b;
    uint64_t refused = 0;
    (void)state;
    bench_open(&b);
    disk_full = true;
    const uint64_t kept = fill_until_refused(&b, &refused);
    assert_true(weir_inbox_bytes(&b.inbox) > 0);
    assert_false(weir_worker_flush(b.worker));
    disk_full = false;
    assert_true(weir_worker_flush(b.worker));
    assert_int_equal(weir_inbox_bytes(&b.inbox), 0);
    assert_int_equal(bench_committed(&b), kept + 3); /* and the gap, and two alarms */
    bench_close(&b);
}

static void a_batch_that_cannot_be_stored_does_not_hold_up_the_others(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    assert_true(bench_put(&b, 1, T0));
    assert_true(bench_put(&b, 77, T0)); /* no such tag */
    assert_true(bench_put(&b, 2, T0));
    assert_true(weir_worker_flush(b.worker));
    assert_int_equal(weir_worker_get_view(b.worker).refused, 1);
    assert_string_equal(
        bench_close_sql(&b, "select (select sum(count) from fresh), kind, text from event"),
        "2|6|1 samples cannot be stored: a sample of tag uid 77, which is not registered");
}

static void memory_that_is_short_loses_nothing_and_doubles_nothing(void **state)
{
    (void)state;
    for (size_t nth = 1; nth < 40; nth++) {
        struct bench b;
        const weir_event event = {{T0}, WEIR_EVENT_ALARM, "d0", "hot"};
        bench_open(&b);
        for (int i = 0; i < 5; i++)
            assert_true(bench_put(&b, 1, T0 + i));
        assert_true(weir_inbox_put_event(&b.inbox, &event, false));
        (void)weir_alloc_fail_nth(nth, false);
        for (int i = 0; i < 3; i++) {
            (void)weir_worker_step(b.worker);
            b.now.us += max_loss_us;
        }
        (void)weir_alloc_fail_nth(0, false);
        assert_true(weir_worker_flush(b.worker));
        assert_string_equal(
            bench_close_sql(&b, "select sum(count), (select count(*) from event) from fresh"),
            "5|1");
    }
}

/* --- devices --- */

static void the_devices_posted_last_are_stored(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b);
    for (uint64_t i = 1; i <= 3; i++) {
        char error[16];
        (void)snprintf(error, sizeof error, "e%llu", (unsigned long long)i);
        const weir_device_record record = {.name = "d0",
                                           .connection = "boiler-room",
                                           .state = "online",
                                           .error = error,
                                           .requests = i};
        weir_worker_post_devices(b.worker, &record, 1);
    }
    assert_true(weir_worker_flush(b.worker));
    assert_string_equal(bench_close_sql(&b, "select error, requests from device where name='d0'"),
                        "e3|3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_committed_within_max_loss),
        cmocka_unit_test(before_its_time_nothing_is_committed),
        cmocka_unit_test(what_is_urgent_is_committed_at_once),
        cmocka_unit_test(what_an_edit_committed_is_seen),
        cmocka_unit_test(after_a_long_stop_it_does_not_catch_up),
        cmocka_unit_test(a_commit_that_fails_keeps_all_and_is_tried_again),
        cmocka_unit_test(what_the_full_inbox_refused_is_an_exact_gap_when_commits_work_again),
        cmocka_unit_test(the_end_commits_what_waits_in_the_inbox_too),
        cmocka_unit_test(a_batch_that_cannot_be_stored_does_not_hold_up_the_others),
        cmocka_unit_test(memory_that_is_short_loses_nothing_and_doubles_nothing),
        cmocka_unit_test(the_devices_posted_last_are_stored),
    };
    return cmocka_run_group_tests_name("worker", tests, register_failing_vfs, NULL);
}
