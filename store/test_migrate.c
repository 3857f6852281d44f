/* SPDX-License-Identifier: MIT */
/* Stores of older versions: opened, brought to this one, and nothing in them changed.
 *
 * tests/fixtures/store-v1/data.db was written by weir 0.1.0 (store version 1): two runs of a
 * simulated device with three points, then two, one of them in another unit. samples.csv is what
 * that version's `weir sql` said of it.
 *
 * tests/fixtures/store-v2/data.db was written by the last build with store version 2, through
 * store.h: 90 minutes of four tags in history, a clock that was wrong and corrected in the log,
 * three commits that no merge had seen (seq 383 on), with the second of these a move of cursor
 * "csv", and a cursor that nobody owns. samples.csv as above.
 *
 * tests/fixtures/store-v3/data.db was written by the last build with store version 3: five seconds
 * of two simulated devices of config.db, a and b, rows 1 and 2, with the points power and energy,
 * rows 1 to 4. */

#include "store/migrate.h"

#include <sys/stat.h>

#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/query/query.h"
#include "store/query/take.h"
#include "store/repair/verify.h"
#include "store/testing.h"
#include "tests/support/fault_vfs.h"

static size_t fixture_read_of(int version, const char *name, char *bytes, size_t size)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/tests/fixtures/store-v%d/%s", WEIR_TEST_ROOT, version,
                   name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, size, f);
    (void)fclose(f);
    assert_true(n < size);
    return n;
}

static size_t fixture_read(const char *name, char *bytes, size_t size)
{
    return fixture_read_of(1, name, bytes, size);
}

static char fixture[1 << 17];

/* A folder with a copy of the fixture. */
static char *fixture_dir_of(int version)
{
    char *dir = testing_dir(), path[600];
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    size_t n = fixture_read_of(version, "data.db", fixture, sizeof fixture);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(fixture, 1, n, f), n);
    (void)fclose(f);
    return dir;
}

static char *fixture_dir(void)
{
    return fixture_dir_of(1);
}

/* Line by line what samples.csv has, up to the column before `columns`. */
static void assert_samples(const char *dir, int columns)
{
    static char want[1 << 14];
    weir_query *query = NULL;
    want[fixture_read("samples.csv", want, sizeof want)] = '\0';
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    const char *got =
        testing_sql(weir_query_db(query),
                    "SELECT seq||','||tag||','||ts||','||value||','||quality||','||read_ts||','||"
                    "epoch||',' FROM samples WHERE seq<=28 ORDER BY seq");
    int lines = 0;
    for (const char *line = strchr(want, '\n') + 1; *line; line = strchr(line, '\n') + 1, lines++) {
        size_t n = 0;
        for (int column = 0; column < columns; n++)
            column += line[n] == ',' || line[n] == '\n';
        assert_int_equal(strncmp(line, got, n - 1), 0);
        got = strchr(got, '\n') ? strchr(got, '\n') + 1 : "";
    }
    assert_int_equal(lines, 28);
    assert_string_equal(got, "");
    weir_query_close(query);
}

static void a_store_of_version_1_keeps_every_sample(void **state)
{
    (void)state;
    char *dir = fixture_dir();
    weir_store *store = testing_open(dir);
    weir_store_position position = weir_store_get_position(store);
    assert_int_equal(position.committed_seq, 28);
    assert_int_equal(position.max_epoch, 0);
    weir_store_close(store);
    assert_string_equal(testing_file_sql(dir, "PRAGMA user_version"), "4");
    assert_string_equal(testing_file_sql(dir, "SELECT key, value FROM meta WHERE key GLOB '*_seq'"),
                        "history_seq|0\nmerged_seq|28");
    assert_string_equal(testing_file_sql(dir, "SELECT uid, seq, unit FROM tag_version"),
                        "1|1|kW\n1|19|MW\n2|1|kWh\n3|1|");
    assert_string_equal(testing_file_sql(dir, "PRAGMA integrity_check"), "ok");
    assert_samples(dir, 7);
    testing_remove(dir);
}

/* What a provider knows tags by is noted at the first start, so from then on a name may change
 * while weir is stopped. */
static void a_store_of_version_3_gets_keys_at_the_first_registration(void **state)
{
    (void)state;
    static const char *const keys[] = {"config.db device 1", "config.db device 2"};
    char *dir = fixture_dir_of(3);
    weir_query *query = NULL;
    weir_take *take = NULL;
    weir_verify_counts counts;
    /* It is read, taken from and verified as it is. */
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    assert_string_equal(testing_sql(weir_query_db(query), "SELECT count(*), max(seq) FROM samples"),
                        "20|20");
    weir_query_close(query);
    assert_int_equal(weir_take_open(dir, NULL, "csv", &take, NULL), WEIR_OK);
    weir_take_close(take);
    assert_int_equal(weir_store_verify(dir, NULL, NULL, NULL, &counts, NULL), WEIR_OK);
    for (int renamed = 0; renamed <= 1; renamed++) {
        weir_store *store = testing_open(dir);
        weir_catalog *c = testing_catalog(2, 2);
        weir_device devices[2] = {c->devices[0], c->devices[1]};
        weir_point points[2] = {devices[0].points[0], devices[0].points[1]};
        points[0].name = "power";
        points[1].name = "energy";
        for (int i = 0; i < 2; i++) {
            devices[i].name = i == renamed ? "a" : "b";
            devices[i].key = keys[i];
            devices[i].points = points;
        }
        c->devices = devices;
        testing_register(store, c);
        assert_int_equal(c->tags[0].uid, 1);
        assert_int_equal(c->tags[3].uid, 4);
        weir_store_close(store);
        weir_catalog_free(c);
    }
    assert_string_equal(testing_file_sql(dir, "SELECT uid, name FROM tag ORDER BY uid"),
                        "1|b/power\n2|b/energy\n3|a/power\n4|a/energy");
    assert_int_equal(weir_store_verify(dir, NULL, NULL, NULL, &counts, NULL), WEIR_OK);
    testing_remove(dir);
}

/* Also to a reader that knows the new version, before the daemon has opened it. */
static void a_store_of_version_2_keeps_samples_and_cursors(void **state)
{
    (void)state;
    static char want[1 << 16];
    char *dir = fixture_dir_of(2);
    want[fixture_read_of(2, "samples.csv", want, sizeof want)] = '\0';
    want[strlen(want) - 1] = '\0'; /* the last line's end */
    for (int migrated = 0; migrated <= 1; migrated++) {
        weir_query *query = NULL;
        weir_take *take = NULL;
        weir_error error = WEIR_ERROR_INIT;
        assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
        assert_string_equal(
            testing_sql(weir_query_db(query),
                        "SELECT seq||','||tag||','||ts||','||CASE WHEN value=CAST(value AS"
                        " INTEGER) THEN CAST(value AS INTEGER) ELSE value END||','||quality||','||"
                        "read_ts||','||epoch FROM samples ORDER BY seq"),
            strchr(want, '\n') + 1);
        assert_string_equal(testing_sql(weir_query_db(query), "SELECT * FROM sinks"), "");
        assert_string_equal(testing_sql(weir_query_db(query), "SELECT * FROM rejected"), "");
        assert_string_equal(testing_sql(weir_query_db(query), "SELECT sink, count FROM gaps"),
                            "csv|7");
        weir_query_close(query);
        assert_int_equal(weir_take_open(dir, NULL, "csv", &take, &error),
                         migrated ? WEIR_OK : WEIR_EUNSUPPORTED);
        weir_take_close(take);
        weir_store_close(testing_open(dir));
    }
    assert_string_equal(testing_file_sql(dir, "PRAGMA user_version"), "4");
    assert_string_equal(testing_file_sql(dir, "PRAGMA integrity_check"), "ok");
    weir_store *store = testing_open(dir);
    size_t n;
    const weir_cursor *c = weir_store_cursors(store, &n);
    assert_int_equal(n, 2);
    assert_int_equal(c[0].seq, 200); /* the move that rode with a commit */
    assert_int_equal(c[1].detached.us, T0 + 5);
    assert_int_equal(weir_store_get_position(store).committed_seq, 394);
    testing_append(store, 1, T0 + 3 * WEIR_HOUR, 2, weir_value_i64(29));
    assert_int_equal(
        weir_store_set_cursor(store, "csv", 383, &(weir_span){390, 394}, 1, (weir_wall){T0}, NULL),
        WEIR_OK);
    testing_commit(store);
    testing_maintain(store, T0 + 5 * WEIR_HOUR);
    weir_store_close(store);
    assert_string_equal(testing_file_sql(dir, "SELECT name, seq, hex(spans) FROM cursor"),
                        "csv|383|0704\ngone|50|");
    testing_remove(dir);
}

/* The same tables, columns and all, as in a store that was made today. */
static void its_tables_are_those_of_a_new_store(void **state)
{
    (void)state;
    static const char *const tables =
        "SELECT m.name, group_concat(c.name||' '||c.type||' '||c.\"notnull\"||' '||c.pk) FROM"
        " sqlite_schema m, pragma_table_info(m.name) c WHERE m.name NOT GLOB 'sqlite_*'"
        " GROUP BY 1 ORDER BY 1";
    static char want[1 << 14];
    char *new = testing_dir();
    weir_store_close(testing_open(new));
    (void)snprintf(want, sizeof want, "%s", testing_file_sql(new, tables));
    testing_remove(new);
    for (int version = 1; version < SCHEMA_VERSION; version++) {
        char *old = fixture_dir_of(version);
        weir_store_close(testing_open(old));
        assert_string_equal(testing_file_sql(old, tables), want);
        testing_remove(old);
    }
}

static void its_rows_become_history_like_others(void **state)
{
    (void)state;
    char *dir = fixture_dir();
    weir_store *store = testing_open(dir);
    const int64_t then = 1795242242000000;
    testing_append(store, 1, then + WEIR_HOUR, 0, weir_value_i64(29));
    testing_commit(store);
    testing_maintain(store, then + 2 * WEIR_HOUR);
    weir_store_close(store);
    assert_string_equal(
        testing_file_sql(dir, "SELECT sum(samples), min(first_seq), max(last_seq) FROM part"),
        "29|1|29");
    assert_samples(dir, 5); /* history has the time of reading to the millisecond */
    /* Only the last row of the log is left, and with it the numbers go on. */
    assert_string_equal(testing_file_sql(dir, "SELECT first_seq, last_seq FROM log"), "29|29");
    store = testing_open(dir);
    assert_int_equal(weir_store_get_position(store).committed_seq, 29);
    weir_store_close(store);
    testing_remove(dir);
}

/* Power fails at any change of the file while it migrates: it is of one version or the other. */
static void power_cuts(int version, uint64_t committed)
{
    uint64_t cuts = 0;
    for (uint64_t n = 1;; n++) {
        fault_vfs *vfs = fault_vfs_new(&(fault_vfs_options){.name = "migrate", .seed = n});
        char *dir = testing_dir(), path[600];
        weir_store_options options = {.data_dir = dir, .vfs = "migrate", .now = {T0}};
        weir_store *store = NULL;
        (void)snprintf(path, sizeof path, "%s/data.db", dir);
        fault_vfs_put(vfs, path, fixture,
                      fixture_read_of(version, "data.db", fixture, sizeof fixture));
        fault_vfs_stop_after(vfs, n);
        weir_err err = weir_store_open(&options, &store, NULL);
        const bool stopped = fault_vfs_stopped(vfs);
        assert_true(stopped || err == WEIR_OK);
        fault_vfs_power_cut(vfs, n);
        weir_store_close(store);
        store = NULL;
        assert_int_equal(weir_store_open(&options, &store, NULL), WEIR_OK);
        assert_int_equal(weir_store_get_position(store).committed_seq, committed);
        weir_store_close(store);
        fault_vfs_free(vfs);
        testing_remove(dir);
        if (!stopped)
            break;
        cuts++;
    }
    assert_true(cuts > 3);
}

static void a_power_cut_in_a_migration_is_survived(void **state)
{
    (void)state;
    power_cuts(1, 28);
    power_cuts(2, 394);
    power_cuts(3, 20);
}

/* Reading needs no migration, and makes none. */
static void a_store_of_version_1_is_read_as_it_is(void **state)
{
    (void)state;
    static char after[1 << 17];
    char *dir = fixture_dir(), path[600];
    weir_migration m;
    assert_samples(dir, 7);
    assert_int_equal(weir_migration_look(dir, NULL, &m, NULL), WEIR_OK);
    assert_int_equal(m.from, 1);
    assert_int_equal(m.to, SCHEMA_VERSION);
    assert_int_equal(m.file_bytes, 40960);
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    const size_t n = fread(after, 1, sizeof after, f);
    (void)fclose(f);
    assert_int_equal(n, fixture_read("data.db", fixture, sizeof fixture));
    assert_memory_equal(after, fixture, n);
    testing_remove(dir);
}

static uint64_t file_size(const char *dir, const char *name)
{
    char path[600];
    struct stat s;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &s) == 0 ? (uint64_t)s.st_size : 0;
}

/* Also with many rows, all of them in the index that goes. */
static void what_is_said_of_space_is_enough(void **state)
{
    (void)state;
    static const struct {
        int version;
        const char *sql;
    } rows[] = {
        {2, "SELECT 1"},
        {1, "SELECT 1"},
        {1,
         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<40000) INSERT INTO"
         " log SELECT first_seq+100*i, count, min_ts, max_ts, newest_ts, trusted_ts, epoch,"
         " epoch_ts, 3, head, body FROM n, (SELECT * FROM log LIMIT 1)"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *dir = fixture_dir_of(rows[i].version);
        weir_migration m;
        (void)testing_file_sql(dir, rows[i].sql);
        assert_int_equal(weir_migration_look(dir, NULL, &m, NULL), WEIR_OK);
        const uint64_t before = file_size(dir, "data.db");
        weir_store *store = testing_open(dir);
        uint64_t taken = file_size(dir, "data.db-wal");
        weir_store_close(store);
        const uint64_t after = file_size(dir, "data.db");
        taken += after > before ? after - before : 0;
        if (taken > m.space_bytes || m.space_bytes > 8 * taken)
            fail_msg("%zu: %llu taken, %llu said", i, (unsigned long long)taken,
                     (unsigned long long)m.space_bytes);
        assert_true(m.time_us > 0);
        /* And then there is nothing to be done. */
        assert_int_equal(weir_migration_look(dir, NULL, &m, NULL), WEIR_OK);
        assert_int_equal(m.from, m.to);
        assert_true(m.space_bytes == 0 && m.time_us == 0);
        testing_remove(dir);
    }
}

static void a_look_refuses_what_it_cannot_know(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_migration m = {.from = 77};
    assert_int_equal(weir_migration_look(dir, NULL, &m, NULL), WEIR_ENOTFOUND);
    testing_remove(dir);
    dir = fixture_dir();
    (void)testing_file_sql(dir, "PRAGMA user_version=5");
    assert_int_equal(weir_migration_look(dir, NULL, &m, NULL), WEIR_EUNSUPPORTED);
    (void)testing_file_sql(dir, "PRAGMA application_id=1");
    assert_int_equal(weir_migration_look(dir, NULL, &m, NULL), WEIR_EDAMAGED);
    assert_int_equal(m.from, 77);
    testing_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_of_version_1_keeps_every_sample),
        cmocka_unit_test(a_store_of_version_2_keeps_samples_and_cursors),
        cmocka_unit_test(a_store_of_version_3_gets_keys_at_the_first_registration),
        cmocka_unit_test(a_store_of_version_1_is_read_as_it_is),
        cmocka_unit_test(what_is_said_of_space_is_enough),
        cmocka_unit_test(a_look_refuses_what_it_cannot_know),
        cmocka_unit_test(its_tables_are_those_of_a_new_store),
        cmocka_unit_test(its_rows_become_history_like_others),
        cmocka_unit_test(a_power_cut_in_a_migration_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
