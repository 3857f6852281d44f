/* SPDX-License-Identifier: MIT */
/* The store: what is committed stays, whoever interrupts; nobody else's file is touched. */

#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/crc.h"
#include "base/random.h"
#include "store/testing.h"

static void a_new_store_knows_who_it_is_from_the_first_byte(void **state)
{
    (void)state;
    char *dir = testing_dir(), uuid[37];
    weir_store *store = testing_open(dir);
    (void)snprintf(uuid, sizeof uuid, "%s", weir_store_uuid(store));
    assert_int_equal(strlen(uuid), 36);
    assert_int_equal(weir_store_get_position(store).committed_seq, 0);
    assert_int_equal(weir_store_get_position(store).committed_ts.us, 0);
    weir_store_close(store);
    assert_string_equal(testing_file_sql(dir, "PRAGMA application_id"), "2003134834"); /* "weir" */
    assert_string_equal(testing_file_sql(dir, "PRAGMA user_version"), "3");
    assert_string_equal(testing_file_sql(dir, "PRAGMA page_size"), "4096");
    assert_string_equal(testing_file_sql(dir, "PRAGMA auto_vacuum"), "2"); /* incremental */
    assert_string_equal(testing_file_sql(dir, "PRAGMA journal_mode"), "wal");
    assert_string_equal(testing_file_sql(dir, "SELECT value FROM meta WHERE key='uuid'"), uuid);
    assert_string_equal(testing_file_sql(dir, "SELECT value FROM meta WHERE key='created'"),
                        "1700000000000000");
    store = testing_open(dir);
    assert_string_equal(weir_store_uuid(store), uuid);
    weir_store_close(store);
    testing_remove(dir);
}

static void samples_then_events_take_one_gapless_sequence(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 2);
    weir_event event = {{T0 + 5}, WEIR_EVENT_DEVICE_UP, "d0", "d0 answers"};
    size_t bytes;
    testing_register(store, catalog);
    testing_append(store, 1, T0, 0, weir_value_u64(1));
    assert_int_equal(weir_store_event(store, &event, NULL), WEIR_OK);
    testing_append(store, 2, T0 + 1, 0, weir_value_u64(2));
    assert_int_equal(weir_store_pending(store, &bytes), 3);
    assert_true(bytes > 0);
    assert_int_equal(weir_store_get_position(store).committed_seq, 0);
    testing_commit(store);
    assert_int_equal(weir_store_pending(store, NULL), 0);
    assert_int_equal(weir_store_get_position(store).committed_seq, 3);
    assert_int_equal(weir_store_get_position(store).committed_ts.us, T0 + 1);
    testing_append(store, 1, T0 + 2, 7, weir_value_u64(3));
    testing_commit(store);
    testing_commit(store); /* nothing waits: no row */
    weir_store_close(store);
    assert_string_equal(testing_file_sql(dir, "SELECT first_seq, count FROM fresh"), "1|2\n4|1");
    assert_string_equal(testing_file_sql(dir, "SELECT * FROM event"),
                        "3|1700000000000005|3|d0|d0 answers");

    store = testing_open(dir);
    weir_store_position position = weir_store_get_position(store);
    assert_int_equal(position.committed_seq, 4);
    assert_int_equal(position.committed_ts.us, T0 + 2);
    assert_int_equal(position.max_epoch, 7);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* A machine that once booted in 2036 shall not distrust every later clock. */
static void times_of_an_untrusted_clock_do_not_count_as_committed(void **state)
{
    (void)state;
    const int64_t in_2036 = T0 + 12 * 365 * WEIR_DAY;
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 1);
    testing_register(store, catalog);
    testing_append(store, 1, T0, 0, weir_value_u64(1));
    const weir_sample sample = {.tag = 1, .ts = {in_2036}, .value = weir_value_u64(2)};
    const weir_batch batch = {.catalog_revision = 1,
                              .epoch = 1,
                              .flags = WEIR_BATCH_CLOCK_UNTRUSTED,
                              .n_samples = 1,
                              .plans = WEIR_PLAN_DEFAULT,
                              .due = {in_2036},
                              .samples = &sample};
    assert_int_equal(weir_store_append(store, &batch, NULL), WEIR_OK);
    testing_commit(store);
    assert_int_equal(weir_store_get_position(store).committed_ts.us, T0);
    weir_store_close(store);
    store = testing_open(dir);
    assert_int_equal(weir_store_get_position(store).committed_ts.us, T0);
    assert_int_equal(weir_store_get_position(store).max_epoch, 1);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void what_was_not_committed_is_gone_after_close(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 1);
    testing_register(store, catalog);
    testing_append(store, 1, T0, 0, weir_value_u64(1));
    weir_store_close(store);
    assert_string_equal(testing_file_sql(dir, "SELECT count(*) FROM fresh"), "0");
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void a_sample_of_a_tag_the_store_does_not_know_is_refused(void **state)
{
    (void)state;
    weir_store *store = testing_open("memory");
    weir_catalog *catalog = testing_catalog(1, 2);
    testing_register(store, catalog);
    for (weir_tag_uid uid = 0; uid <= 3; uid += 3) {
        weir_sample samples[] = {{.tag = 1}, {.tag = uid}};
        weir_batch batch = {.n_samples = 2, .samples = samples};
        assert_int_equal(weir_store_append(store, &batch, NULL), WEIR_EINVAL);
        assert_int_equal(weir_store_pending(store, NULL), 0);
    }
    weir_catalog_free(catalog);
    weir_store_close(store);
}

/* --- the registry ------------------------------------------------------------------------- */

static void a_tag_keeps_its_uid_and_gets_a_version_for_each_change(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(2, 2);
    testing_register(store, catalog);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(catalog->tags[i].uid, i + 1);
    testing_append(store, 4, T0, 0, weir_value_u64(1));
    testing_commit(store);
    testing_register(store, catalog); /* the same again: no new version */
    weir_point *points = (weir_point *)catalog->devices[0].points;
    static const weir_label label = {"floor", "3"};
    points[1].unit = "W";
    points[1].scale = 0.001;
    points[1].labels = &label;
    points[1].n_labels = 1;
    testing_append(store, 4, T0 + 1, 0, weir_value_u64(2)); /* waits: still of the old version */
    testing_register(store, catalog);
    weir_store_close(store);
    weir_catalog_free(catalog);

    assert_string_equal(
        testing_file_sql(dir, "SELECT uid, seq, name, unit, scale FROM tag_version"),
        "1|1|d0/p0|kW|1.0\n2|1|d0/p1|kW|1.0\n2|3|d0/p1|W|0.001\n"
        "3|1|d1/p0|kW|1.0\n4|1|d1/p1|kW|1.0\n4|3|d1/p1|W|0.001");
    assert_string_equal(testing_file_sql(dir,
                                         "SELECT device, type, labels, address FROM tag_version"
                                         " WHERE uid=4 LIMIT 1"),
                        "d1|uint16|{\"building\":\"A\",\"floor\":\"\\\"2\\\"\"}|"
                        "holding 1 uint16 AB on boiler-room unit 2");
    assert_string_equal(testing_file_sql(dir, "SELECT labels FROM tag_version WHERE seq=3"),
                        "{\"building\":\"A\",\"floor\":\"3\"}\n"
                        "{\"building\":\"A\",\"floor\":\"3\"}");

    /* A smaller catalog: the tags that left are kept, and not current. Then they come back. */
    store = testing_open(dir);
    catalog = testing_catalog(1, 3);
    testing_register(store, catalog);
    assert_int_equal(catalog->tags[1].uid, 2);
    assert_int_equal(catalog->tags[2].uid, 5);
    weir_store_close(store);
    weir_catalog_free(catalog);
    assert_string_equal(testing_file_sql(dir, "SELECT group_concat(active) FROM tag"), "1,1,0,0,1");
    assert_string_equal(testing_file_sql(dir, "SELECT name FROM device"), "d0");
    testing_remove(dir);
}

static void addresses_read_as_people_say_them(void **state)
{
    (void)state;
    static const struct {
        weir_point point;
        const char *want;
    } cases[] = {
        {{.table = WEIR_REGISTER_HOLDING, .address = 52, .type = WEIR_TYPE_FLOAT32, .bit = -1},
         "holding 52 float32 ABCD on boiler-room unit 1"},
        {{.table = WEIR_REGISTER_INPUT,
          .address = 7,
          .type = WEIR_TYPE_UINT64,
          .order = WEIR_ORDER_CDAB,
          .bit = -1},
         "input 7 uint64 GHEFCDAB on boiler-room unit 1"},
        {{.table = WEIR_REGISTER_COIL, .address = 3, .type = WEIR_TYPE_BOOL, .bit = -1},
         "coil 3 bool on boiler-room unit 1"},
        {{.table = WEIR_REGISTER_COIL,
          .address = 19,
          .type = WEIR_TYPE_BYTES,
          .length = 19,
          .bit = -1},
         "coil 19-37 bytes on boiler-room unit 1"},
        {{.table = WEIR_REGISTER_HOLDING, .address = 9, .type = WEIR_TYPE_BOOL, .bit = 4},
         "holding 9 bit 4 bool on boiler-room unit 1"},
        {{.table = WEIR_REGISTER_FUNCTION,
          .function = 43,
          .address = 0,
          .type = WEIR_TYPE_RAW,
          .bit = -1},
         "function 43 at 0 raw on boiler-room unit 1"},
    };
    char *dir = testing_dir();
    enum { N = sizeof cases / sizeof *cases };
    weir_catalog *catalog = testing_catalog(1, N);
    weir_point *points = (weir_point *)catalog->devices[0].points;
    for (size_t i = 0; i < N; i++) {
        weir_point p = cases[i].point;
        p.name = points[i].name;
        p.unit = p.description = "";
        p.count = 1;
        points[i] = p;
    }
    weir_store *store = testing_open(dir);
    testing_register(store, catalog);
    weir_store_close(store);
    for (size_t i = 0; i < N; i++) {
        char sql[80];
        (void)snprintf(sql, sizeof sql, "SELECT address FROM tag_version WHERE uid=%zu", i + 1);
        assert_string_equal(testing_file_sql(dir, sql), cases[i].want);
    }
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void device_records_replace_those_of_the_same_name(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(2, 1);
    testing_register(store, catalog);
    weir_device_record record = {.name = "d1",
                                 .connection = "boiler-room",
                                 .state = "offline",
                                 .error = "no answer in time",
                                 .since = {T0 + 1},
                                 .requests = 7,
                                 .timeouts = 3,
                                 .rtt_p50_ms = 1.5};
    assert_int_equal(weir_store_put_devices(store, &record, 1, NULL), WEIR_OK);
    weir_store_close(store);
    assert_string_equal(
        testing_file_sql(dir, "SELECT name, state, since-1700000000000000, last_good, error,"
                              " requests, timeouts, late, rtt_p50, rtt_p99 FROM device"),
        "d0|connecting|0|NULL||0|0|0|NULL|NULL\n"
        "d1|offline|1|NULL|no answer in time|7|3|0|1.5|NULL");
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* --- who may open ------------------------------------------------------------------------- */

static void a_second_process_is_told_who_has_the_directory(void **state)
{
    (void)state;
    char *dir = testing_dir(), words[64];
    int to_child[2], to_parent[2];
    char c;
    assert_int_equal(pipe(to_child) | pipe(to_parent), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)close(to_child[1]); /* so that it ends with the parent, however that ends */
        weir_store *store = NULL;
        bool ok = weir_store_open(&(weir_store_options){dir, NULL, {T0}}, &store, NULL) == WEIR_OK;
        (void)!write(to_parent[1], "x", 1);
        (void)!read(to_child[0], &c, 1);
        weir_store_close(store);
        _exit(!ok);
    }
    assert_int_equal(read(to_parent[0], &c, 1), 1);
    weir_error error = WEIR_ERROR_INIT;
    weir_store *store = NULL;
    int status;
    assert_int_equal(weir_store_open(&(weir_store_options){dir, NULL, {T0}}, &store, &error),
                     WEIR_EINUSE);
    assert_null(store);
    (void)snprintf(words, sizeof words, "is in use by weir process %d: stop it", (int)child);
    assert_non_null(strstr(error.text, words));
    assert_non_null(strstr(error.text, dir));
    assert_int_equal(write(to_child[1], "x", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store = testing_open(dir);
    weir_store_close(store);
    for (int i = 0; i < 2; i++)
        (void)(close(to_child[i]) | close(to_parent[i]));
    testing_remove(dir);
}

static uint32_t file_crc(const char *dir, const char *name)
{
    static uint8_t bytes[1 << 20];
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    return weir_crc32c((uint32_t)n, bytes, n);
}

/* Also what still lies in a newer version's WAL, as after its crash. */
static void a_store_of_a_newer_version_is_refused_and_not_altered(void **state)
{
    (void)state;
    for (int with_wal = 0; with_wal <= 1; with_wal++) {
        char *dir = testing_dir(), path[600];
        weir_store_close(testing_open(dir));
        (void)testing_file_sql(dir, "PRAGMA user_version=9");
        if (with_wal) {
            pid_t child = fork();
            if (child == 0) {
                (void)testing_file_sql(dir, "PRAGMA user_version=8");
                sqlite3 *db;
                (void)snprintf(path, sizeof path, "%s/data.db", dir);
                (void)sqlite3_open(path, &db);
                (void)sqlite3_exec(db, "PRAGMA user_version=9", NULL, NULL, NULL);
                _exit(0); /* without closing: the WAL stays */
            }
            assert_int_equal(waitpid(child, NULL, 0), child);
        }
        uint32_t before = file_crc(dir, "data.db");
        uint32_t wal = with_wal ? file_crc(dir, "data.db-wal") : 0;
        weir_error error = WEIR_ERROR_INIT;
        weir_store *store = NULL;
        assert_int_equal(weir_store_open(&(weir_store_options){dir, NULL, {T0}}, &store, &error),
                         WEIR_EUNSUPPORTED);
        assert_non_null(strstr(error.text, "store version 9; this one knows 3"));
        assert_int_equal(file_crc(dir, "data.db"), before);
        if (with_wal)
            assert_int_equal(file_crc(dir, "data.db-wal"), wal);
        testing_remove(dir);
    }
}

static void a_file_that_is_not_ours_is_refused_with_a_remedy(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "CREATE TABLE t(x)",        /* somebody's database without an id */
        "PRAGMA application_id=42", /* somebody's with one */
        NULL,                       /* no database at all */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = testing_dir(), path[600];
        (void)snprintf(path, sizeof path, "%s/data.db", dir);
        if (cases[i]) {
            (void)testing_file_sql(dir, cases[i]);
        } else {
            FILE *f = fopen(path, "w");
            assert_non_null(f);
            for (int line = 0; line < 500; line++)
                (void)fputs("a letter to grandmother\n", f);
            (void)fclose(f);
        }
        uint32_t before = file_crc(dir, "data.db");
        weir_error error = WEIR_ERROR_INIT;
        weir_store *store = NULL;
        assert_int_equal(weir_store_open(&(weir_store_options){dir, NULL, {T0}}, &store, &error),
                         WEIR_EDAMAGED);
        assert_non_null(strstr(error.text, "move"));
        assert_non_null(strstr(error.text, path));
        assert_int_equal(file_crc(dir, "data.db"), before);
        testing_remove(dir);
    }
}

static void an_empty_file_becomes_a_store(void **state)
{
    (void)state;
    char *dir = testing_dir(), path[600];
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fclose(f);
    weir_store_close(testing_open(dir));
    assert_string_equal(testing_file_sql(dir, "PRAGMA user_version"), "3");
    testing_remove(dir);
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    weir_error error = WEIR_ERROR_INIT;
    weir_store *store = NULL;
    weir_store_options options = {"/proc/nowhere/weir-data", NULL, {T0}};
    assert_int_equal(weir_store_open(&options, &store, &error), WEIR_EIO);
    assert_non_null(strstr(error.text, "/proc/nowhere/weir-data"));
}

/* --- limits ------------------------------------------------------------------------------- */

/* What no compression makes smaller. */
static void noise_fill(uint8_t *bytes, size_t n, weir_random *random)
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        uint64_t word = weir_random_u64(random);
        memcpy(bytes + i, &word, 8);
    }
}

static void a_large_commit_makes_several_rows_and_the_wal_stays_small(void **state)
{
    (void)state;
    char *dir = testing_dir(), path[600];
    static uint8_t noise[60000];
    weir_random random = {5};
    struct stat st;
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 1);
    testing_register(store, catalog);
    for (int64_t i = 0; i < 400; i++) {
        noise_fill(noise, sizeof noise, &random);
        testing_append(store, 1, T0 + i, 0, weir_value_bytes(noise, sizeof noise));
        if (i % 40 == 39)
            testing_commit(store);
    }
    (void)snprintf(path, sizeof path, "%s/data.db-wal", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < 16 << 20); /* of 24 MB written */
    weir_store_close(store);
    assert_string_equal(
        testing_file_sql(dir, "SELECT sum(count), count(*)>20, max(count)<20 FROM fresh"),
        "400|1|1");
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void in_memory_the_oldest_rows_make_room(void **state)
{
    (void)state;
    static uint8_t noise[64000];
    weir_random random = {6};
    weir_store *store = testing_open("memory");
    weir_catalog *catalog = testing_catalog(1, 1);
    testing_register(store, catalog);
    int64_t before = sqlite3_memory_used();
    for (int64_t i = 0; i < 1600; i++) { /* 102 MB */
        noise_fill(noise, sizeof noise, &random);
        testing_append(store, 1, T0 + i, 0, weir_value_bytes(noise, sizeof noise));
        if (i % 10 == 9) {
            testing_commit(store);
            testing_maintain(store, T0);
        }
    }
    int64_t used = sqlite3_memory_used() - before;
    assert_in_range(used, 60000000, 100000000); /* with what the file has in reserve */
    /* And two events: the alarm at 80 %, and that the oldest went. */
    assert_int_equal(weir_store_get_position(store).committed_seq, 1602);
    assert_int_not_equal(access("memory", F_OK), 0);
    weir_catalog_free(catalog);
    weir_store_close(store);
}

/* --- kill --------------------------------------------------------------------------------- */

/* Commits for ever, and tells each committed_seq through the pipe once it is committed. */
static void child_commits(const char *dir, int out)
{
    weir_store *store = NULL;
    /* A minute lasts ten commits, an hour a hundred. */
    const weir_store_options options = {
        .data_dir = dir, .now = {T0}, .merge_us = 10, .archive_us = 100};
    if (weir_store_open(&options, &store, NULL) != WEIR_OK)
        _exit(1);
    weir_catalog *catalog = testing_catalog(2, 5);
    if (weir_store_register(store, catalog, (weir_wall){T0}, NULL) != WEIR_OK)
        _exit(2);
    for (int64_t commits = 0;;) {
        uint64_t seq = weir_store_get_position(store).committed_seq;
        for (uint64_t i = 1; i <= 1 + seq % 7; i++)
            testing_append(store, (weir_tag_uid)(1 + (seq + i) % 10), T0 + (int64_t)(seq + i), 0,
                           weir_value_u64(seq + i));
        const weir_wall now = {T0 + commits++};
        bool more = true;
        if (weir_store_commit(store, now, NULL) != WEIR_OK)
            _exit(3);
        while (more)
            if (weir_store_maintain(store, now, &more, NULL) != WEIR_OK)
                _exit(5);
        seq = weir_store_get_position(store).committed_seq;
        if (write(out, &seq, sizeof seq) != sizeof seq)
            _exit(4);
    }
}

static void kill_at_any_moment_keeps_all_that_was_committed(void **state)
{
    (void)state;
    enum { ROUNDS = 30 };
    char *dir = testing_dir();
    weir_random random = {(uint64_t)getpid()};
    uint64_t told = 0;
    print_message("seed %llu\n", (unsigned long long)random.state);
    for (int round = 0; round < ROUNDS; round++) {
        int pipe_fds[2], status;
        uint64_t seq, commits = 0, enough = weir_random_below(&random, 40);
        assert_int_equal(pipe(pipe_fds), 0);
        pid_t child = fork();
        if (child == 0)
            child_commits(dir, pipe_fds[1]);
        (void)close(pipe_fds[1]);
        /* Rounds without a wait hit the opening, or the making of the file. */
        for (; commits < enough && read(pipe_fds[0], &seq, sizeof seq) == sizeof seq; commits++)
            told = seq;
        if (enough == 0)
            (void)usleep((useconds_t)weir_random_below(&random, 5000));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(pipe_fds[0], &seq, sizeof seq) == sizeof seq)
            told = seq;
        (void)close(pipe_fds[0]);

        weir_store *store = testing_open(dir);
        assert_true(weir_store_get_position(store).committed_seq >= told);
        weir_store_close(store);
    }
    /* Each number has one sample, wherever it is now; and no segment is of no part. */
    assert_string_equal(
        testing_file_sql(dir,
                         "SELECT (SELECT total(samples) FROM part WHERE state=1) + (SELECT total("
                         "count) FROM log, meta WHERE key='history_seq' AND first_seq>value) +"
                         " (SELECT total(count) FROM fresh, meta WHERE key='merged_seq' AND"
                         " first_seq>value) - (SELECT max(first_seq+count-1) FROM fresh)"),
        "0.0");
    assert_string_equal(testing_file_sql(dir, "SELECT count(*) FROM segment WHERE key>>40"
                                              " NOT IN (SELECT id FROM part)"),
                        "0");
    assert_string_equal(testing_file_sql(dir, "SELECT count(*)>5 FROM part"), "1");
    assert_string_equal(testing_file_sql(dir, "PRAGMA integrity_check"), "ok");
    assert_true(told > 0);
    testing_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_store_knows_who_it_is_from_the_first_byte),
        cmocka_unit_test(samples_then_events_take_one_gapless_sequence),
        cmocka_unit_test(times_of_an_untrusted_clock_do_not_count_as_committed),
        cmocka_unit_test(what_was_not_committed_is_gone_after_close),
        cmocka_unit_test(a_sample_of_a_tag_the_store_does_not_know_is_refused),
        cmocka_unit_test(a_tag_keeps_its_uid_and_gets_a_version_for_each_change),
        cmocka_unit_test(addresses_read_as_people_say_them),
        cmocka_unit_test(device_records_replace_those_of_the_same_name),
        cmocka_unit_test(a_second_process_is_told_who_has_the_directory),
        cmocka_unit_test(a_store_of_a_newer_version_is_refused_and_not_altered),
        cmocka_unit_test(a_file_that_is_not_ours_is_refused_with_a_remedy),
        cmocka_unit_test(an_empty_file_becomes_a_store),
        cmocka_unit_test(a_directory_that_cannot_be_made_is_named),
        cmocka_unit_test(a_large_commit_makes_several_rows_and_the_wal_stays_small),
        cmocka_unit_test(in_memory_the_oldest_rows_make_room),
        cmocka_unit_test(kill_at_any_moment_keeps_all_that_was_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
