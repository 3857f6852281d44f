/* SPDX-License-Identifier: MIT */
/* Verification finds each kind of damage and names its place; the numbers are right. */

#include "store/repair/verify.h"

#include "store/consumer.h"
#include "store/edit.h"
#include "store/file/schema.h"

#include "store/history/testing_history.h"
#include "store/stats.h"

/* What was reported, one line a finding. */
struct report {
    char text[4000];
};

static void report_add(void *data, const char *finding)
{
    struct report *r = data;
    size_t n = strlen(r->text);
    (void)snprintf(r->text + n, sizeof r->text - n, "%s\n", finding);
}

/* 4 and 5 of sink main, of which 4 shall be tried again. */
static void rows_set_aside(weir_store *store)
{
    const char *const name = "main";
    const weir_sink_tag tag = {.uid = 1, .name = "d0/p0"};
    const weir_edit retry = {
        .kind = WEIR_EDIT_SINK_RETRY, .subject = name, .tags = "d0/p0", .from = {T0}};
    uint64_t n;
    assert_int_equal(weir_store_register_sinks(store, &name, 1, (weir_wall){T0}, NULL), WEIR_OK);
    for (uint64_t seq = 4; seq <= 5; seq++) {
        const weir_sink_row row = {
            .tag = &tag, .sample = {(weir_tag_uid)(seq - 3), 0, {T0}, {0}}, .seq = seq};
        const weir_set_aside aside = {&row, "too odd"};
        assert_int_equal(weir_store_set_aside(store, name, &aside, 1, (weir_wall){T0}, NULL),
                         WEIR_OK);
        if (seq == 4)
            assert_int_equal(weir_store_edit(store, &retry, (weir_wall){T0}, &n, NULL), WEIR_OK);
    }
}

/* Three commits of two samples and an event: 1 2 e3, 4 5 e6, 7 8 e9. */
static char *dir_filled(void)
{
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 2);
    weir_event event = {{T0}, WEIR_EVENT_STORE, "", "something"};
    testing_register(store, catalog);
    for (int64_t i = 0; i < 3; i++) {
        testing_append(store, 1, T0 + i, 0, weir_value_i64(i));
        testing_append(store, 2, T0 + i, 0, weir_value_string("a text of some length", 21));
        assert_int_equal(weir_store_event(store, &event, NULL), WEIR_OK);
        testing_commit(store);
    }
    rows_set_aside(store);
    weir_store_close(store);
    weir_catalog_free(catalog);
    return dir;
}

static void a_sound_store_has_no_findings(void **state)
{
    (void)state;
    char *dir = dir_filled();
    struct report report = {""};
    weir_verify_counts counts;
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_verify(dir, NULL, report_add, &report, &counts, &error) != WEIR_OK)
        fail_msg("%s: %s", error.text, report.text);
    assert_string_equal(report.text, "");
    assert_int_equal(counts.rows, 3);
    assert_int_equal(counts.samples, 6);
    assert_int_equal(counts.events, 4);
    assert_int_equal(counts.tags, 2);
    testing_remove(dir);
}

static void each_damage_is_found_and_named(void **state)
{
    (void)state;
    static const struct {
        const char *damage, *want;
    } cases[] = {
        {"UPDATE fresh SET body=CAST(substr(body,1,20)||x'ff'||substr(body,22) AS BLOB)"
         " WHERE first_seq=4",
         "fresh row 4: block does not match its checksum"},
        {"UPDATE fresh SET head=x'010001' WHERE first_seq=1", "fresh row 1: block head"},
        {"UPDATE fresh SET head=CAST(x'07'||substr(head,2) AS BLOB) WHERE first_seq=7",
         "fresh row 7: block of codec 7"},
        {"UPDATE fresh SET head=CAST(head||x'00' AS BLOB) WHERE first_seq=7",
         "fresh row 7: bytes behind the block head"},
        {"UPDATE fresh SET count=3 WHERE first_seq=7",
         "fresh row 7: count is 3, its block holds 2"},
        {"UPDATE fresh SET max_ts=max_ts+1 WHERE first_seq=7", "fresh row 7: min_ts and max_ts"},
        {"UPDATE fresh SET newest_ts=newest_ts+1 WHERE first_seq=7", "fresh row 7: newest_ts"},
        {"UPDATE fresh SET epoch=1 WHERE first_seq=4", "fresh row 4: epoch and epoch_ts"},
        {"UPDATE fresh SET epoch_ts=epoch_ts+1 WHERE first_seq=7",
         "fresh row 7: epoch and epoch_ts"},
        {"UPDATE fresh SET min_ts='x' WHERE first_seq=7",
         "fresh row 7: a column is of the wrong type"},
        {"UPDATE fresh SET first_seq=9223372036854775807 WHERE first_seq=7",
         "sequence: 7 to 8 are missing"},
        {"UPDATE fresh SET first_seq=-9223372036854775807-1 WHERE first_seq=7",
         "sequence: 7 to 8 are missing"},
        {"UPDATE meta SET value=9223372036854775807 WHERE key='history_seq';"
         "UPDATE event SET seq=9223372036854775806 WHERE seq=9;"
         "UPDATE fresh SET first_seq=9223372036854775807 WHERE first_seq=7",
         "of the wrong type"},
        {"DELETE FROM fresh WHERE first_seq=1", "sequence: 1 to 2 are missing"},
        {"DELETE FROM fresh WHERE first_seq=4", "sequence: 4 to 5 are missing"},
        {"DELETE FROM event WHERE seq=6", "sequence: 6 to 6 are missing"},
        {"INSERT INTO event VALUES(8,0,1,'','')", "sequence: 8 is used twice"},
        {"DELETE FROM tag WHERE uid=2", "fresh row 1: a sample of tag uid 2, which has no name"},
        {"DELETE FROM tag_version WHERE uid=2", "tag uid 2 has no version"},
        {"INSERT INTO tag_key VALUES('t 1','p 1',0,77)",
         "a key is that of tag uid 77, which is not there"},
        {"INSERT INTO tag_key VALUES('t 1','p 1',0,2),('t 1','p 2',0,2)", "tag uid 2 has 2 keys"},
        {"INSERT INTO log SELECT first_seq, count, min_ts, max_ts, newest_ts, trusted_ts, epoch,"
         " epoch_ts, 0, head, body, 9 FROM fresh WHERE first_seq=7",
         "log row 7: last_seq does not fit its block"},
        {"INSERT INTO snapshot VALUES(1, 9, 8, x'00', x'')", "snapshot row 1: block head"},
        {"UPDATE sink_order SET set_aside=3", "sink main: 2 rows are set aside, it says 3"},
        {"UPDATE sink_order SET retries=0",
         "sink main: 1 rows are to be tried again, 0 of them are not there, it says 0"},
        {"DELETE FROM set_aside WHERE seq=4; UPDATE sink_order SET set_aside=1",
         "sink main: 1 rows are to be tried again, 1 of them are not there, it says 1"},
        {"DELETE FROM sink_order", "sink main: 2 rows are set aside, it says 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = dir_filled(), path[600];
        struct report report = {""};
        weir_verify_counts counts;
        sqlite3 *db = NULL;
        (void)snprintf(path, sizeof path, "%s/data.db", dir);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
        assert_int_equal(sqlite3_exec(db, cases[i].damage, NULL, NULL, NULL), SQLITE_OK);
        (void)sqlite3_close(db);
        weir_error error = WEIR_ERROR_INIT;
        if (weir_store_verify(dir, NULL, report_add, &report, &counts, &error) != WEIR_EDAMAGED ||
            !strstr(report.text, cases[i].want))
            fail_msg("after %s: %s: %s", cases[i].damage, error.text, report.text);
        assert_int_equal(counts.findings > 0, 1);
        testing_remove(dir);
    }
}

/* Two parts of three segments and a series of replies each, from 12 commits; 2 more are fresh. */
static char *dir_with_history(void)
{
    char *dir = testing_dir();
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 1);
    testing_register(store, catalog);
    for (int64_t i = 0; i < 14; i++) {
        testing_append(store, 1, T0 + i * 400 * WEIR_S, 0, weir_value_i64(i % 5));
        testing_commit(store);
        if (i == 5 || i == 11)
            testing_to_history(dir, 0, 2);
    }
    weir_store_close(store);
    weir_catalog_free(catalog);
    return dir;
}

static void history_without_damage_is_counted(void **state)
{
    (void)state;
    char *dir = dir_with_history();
    struct report report = {""};
    weir_verify_counts counts;
    weir_store_stats s;
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_verify(dir, NULL, report_add, &report, &counts, &error) != WEIR_OK)
        fail_msg("%s: %s", error.text, report.text);
    assert_int_equal(counts.parts, 2);
    assert_int_equal(counts.segments, 8);
    assert_int_equal(counts.rows, 2);
    assert_int_equal(counts.samples, 14);
    /* Rows that are used up may be gone, or be written over. */
    (void)testing_file_sql(dir, "DELETE FROM fresh WHERE first_seq=7");
    (void)testing_file_sql(dir, "UPDATE fresh SET body=x'', count=9 WHERE first_seq<12");
    assert_int_equal(weir_store_verify(dir, NULL, NULL, NULL, &counts, NULL), WEIR_OK);
    assert_int_equal(weir_store_get_stats(dir, NULL, &s, NULL), WEIR_OK);
    assert_int_equal(s.samples, 14);
    assert_int_equal(s.level_samples[0], 2);
    assert_int_equal(s.level_samples[2], 12);
    assert_int_equal(s.tiers[0].parts, 2);
    assert_int_equal(s.first_ts.us, T0);
    testing_remove(dir);
}

static void damage_of_history_is_found_and_named(void **state)
{
    (void)state;
    /* 1 << 40 is part 1, 1 << 8 tag uid 1, 1 << 39 a series of replies. */
    static const struct {
        const char *damage, *want;
    } cases[] = {
        {"UPDATE segment SET head=CAST(substr(head,1,12)||x'ee'||substr(head,14) AS BLOB)"
         " WHERE key=(1<<40)+(1<<8)",
         "part 1, tag uid 1, segment 0: "},
        {"UPDATE segment SET marks=x'01' WHERE key=(2<<40)+(1<<8)+1",
         "part 2, tag uid 1, segment 1: "},
        {"UPDATE segment SET body=zeroblob(length(body)) WHERE key=(2<<40)+(1<<8)+2",
         "part 2, tag uid 1, segment 2: "},
        {"UPDATE segment SET body=zeroblob(length(body)) WHERE key=(1<<40)+(1<<39)+(1<<8)",
         "part 1, replies of 1, segment 0: "},
        {"DELETE FROM segment WHERE key=(1<<40)+(1<<39)+(1<<8)",
         "part 1: replies of 1 are missing"},
        {"UPDATE segment SET key=(1<<40)+(1<<8)+7 WHERE key=(1<<40)+(1<<8)+2",
         "part 1, tag uid 1, segment 7: one before it is missing"},
        {"UPDATE segment SET key=(9<<40)+(1<<8) WHERE key=(1<<40)+(1<<8)",
         "segments of part 9, which is not there"},
        {"UPDATE segment SET key=(1<<40)+(5<<8) WHERE key=(1<<40)+(1<<8)",
         "part 1, tag uid 5, segment 0: the tag has no name"},
        {"UPDATE part SET segments=5 WHERE id=1", "part 1: it says 5 segments, 4 are there"},
        {"UPDATE part SET samples=7 WHERE id=1", "part 1: it says 7 samples, its segments hold 6"},
        {"UPDATE part SET max_ts=max_ts-1 WHERE id=1",
         "part 1, tag uid 1, segment 2: it lies outside of its part's times"},
        {"UPDATE part SET last_seq=5 WHERE id=1",
         "part 1, tag uid 1, segment 2: a sample's seq is not within its part's"},
        {"UPDATE part SET last_seq=99 WHERE id=2", "part 2: last_seq is above history_seq"},
        {"INSERT INTO part VALUES(7,0,0,1,0,0,1,2,1,1,1)",
         "part 7: it says 1 segments, 0 are there"},
        {"UPDATE segment SET body=(SELECT body FROM segment WHERE key=(1<<40)+(1<<8)+1)"
         " WHERE key=(1<<40)+(1<<8)",
         "part 1, tag uid 1, segment 0: "},
        {"DELETE FROM fresh WHERE first_seq=13", "sequence: 13 to 13 are missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = dir_with_history();
        struct report report = {""};
        weir_verify_counts counts;
        weir_error error = WEIR_ERROR_INIT;
        (void)testing_file_sql(dir, cases[i].damage);
        if (weir_store_verify(dir, NULL, report_add, &report, &counts, &error) != WEIR_EDAMAGED ||
            !strstr(report.text, cases[i].want))
            fail_msg("after %s: %s: %s", cases[i].damage, error.text, report.text);
        testing_remove(dir);
    }
}

/* Bytes of the file itself, behind SQLite's back, while nobody has it open. */
static void pages_overwritten_on_disk_are_found(void **state)
{
    (void)state;
    for (long page = 1, pages = 2; page < pages; page++) {
        char *dir = dir_filled(), path[600];
        weir_verify_counts counts;
        (void)snprintf(path, sizeof path, "%s/data.db", dir);
        FILE *f = fopen(path, "r+b");
        assert_non_null(f);
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        pages = ftell(f) / 4096;
        assert_int_equal(fseek(f, page * 4096, SEEK_SET), 0);
        for (int i = 0; i < 4096; i++)
            (void)fputc(0xa5, f);
        (void)fclose(f);
        assert_int_equal(weir_store_verify(dir, NULL, NULL, NULL, &counts, NULL), WEIR_EDAMAGED);
        testing_remove(dir);
    }
}

enum { PAGE = 4096 };

/* Where the fresh rows lie in the file: they are few, so one leaf page has them all. SQLite's
 * file format, 1.6: the type of a leaf of a table is 13, the content area's start is at byte 5. */
static long fresh_area(const char *path, const uint8_t *page, long number)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name='fresh'",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    bool found = sqlite3_column_int(stmt, 0) == number + 1;
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    if (!found)
        return 0;
    assert_int_equal(page[0], 13);
    return page[5] << 8 | page[6];
}

static int page_patch(FILE *f, long offset, uint8_t byte)
{
    return fseek(f, offset, SEEK_SET) != 0 || fputc(byte, f) == EOF || fflush(f) != 0;
}

/* The column that is the rowid is stored as NULL, type 0; SQLite never reads it. Type 8 is no
 * longer than that, so nothing moves, and nothing is lost. It is the first of a record's header:
 * behind the header's size, which is one byte for each of 12 columns, and some have two. */
static bool is_unread(const uint8_t *page, long start, long bit)
{
    /* The number of the last slot, behind the two bytes of its length: any that is greater than
     * those of the others will do. */
    if (bit / 8 == start + 2)
        return true;
    return bit % 8 == 3 && page[bit / 8] == 0 && page[bit / 8 - 1] >= 13 && page[bit / 8 - 1] <= 16;
}

static void any_bit_of_a_row_that_flips_is_found(void **state)
{
    (void)state;
    enum { STEP = 7 }; /* each place in a byte has its turn */
    char *dir = dir_filled(), path[600];
    uint8_t page[PAGE];
    long number = -1, start = 0, n_missed = 0;
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    while (start == 0) {
        assert_int_equal(fread(page, 1, PAGE, f), PAGE);
        start = fresh_area(path, page, ++number);
    }
    assert_in_range(start, PAGE / 4, PAGE - 100);
    for (long bit = start * 8; bit < PAGE * 8; bit += STEP) {
        const uint8_t flipped = (uint8_t)(page[bit / 8] ^ 1 << bit % 8);
        weir_verify_counts counts;
        assert_int_equal(page_patch(f, number * PAGE + bit / 8, flipped), 0);
        bool found = weir_store_verify(dir, NULL, NULL, NULL, &counts, NULL) == WEIR_EDAMAGED;
        assert_int_equal(page_patch(f, number * PAGE + bit / 8, page[bit / 8]), 0);
        n_missed += !found;
        if (!found && !is_unread(page, start, bit))
            fail_msg("bit %ld of byte %ld of page %ld, whose rows start at %ld", bit % 8, bit / 8,
                     number + 1, start);
    }
    assert_true(n_missed <= 3);
    (void)fclose(f);
    testing_remove(dir);
}

static void a_directory_without_a_store_is_not_called_damaged(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_verify_counts counts;
    weir_store_stats stats;
    assert_int_equal(weir_store_verify(dir, NULL, NULL, NULL, &counts, NULL), WEIR_ENOTFOUND);
    assert_int_equal(weir_store_get_stats(dir, NULL, &stats, NULL), WEIR_ENOTFOUND);
    testing_remove(dir);
}

static void the_numbers_are_those_of_the_store(void **state)
{
    (void)state;
    char *dir = dir_filled();
    weir_store_stats s;
    assert_int_equal(weir_store_get_stats(dir, NULL, &s, NULL), WEIR_OK);
    assert_int_equal(s.level_rows[0] + s.level_rows[1], 3);
    assert_int_equal(s.samples, 6);
    assert_int_equal(s.events, 4);
    assert_int_equal(s.tags, 2);
    assert_int_equal(s.current_tags, 2);
    assert_int_equal(s.first_ts.us, T0);
    assert_int_equal(s.last_ts.us, T0 + 2);
    assert_int_equal(s.created.us, T0);
    assert_int_equal(s.schema, SCHEMA_VERSION);
    assert_int_equal(s.level_samples[0], 6);
    assert_true(s.level_bytes[0] > 0 && s.level_bytes[1] == 0);
    assert_true(s.bytes_per_sample == (double)s.level_bytes[0] / 6);
    assert_int_equal(strlen(s.identity.uuid), 36);
    assert_true(s.file_bytes > 0 && s.file_bytes % 4096 == 0);
    assert_string_equal(s.sqlite_version, sqlite3_libversion());
    weir_store *store = testing_open(dir);
    weir_catalog *catalog = testing_catalog(1, 2);
    testing_register(store, catalog);
    assert_int_equal(weir_store_get_stats(dir, NULL, &s, NULL), WEIR_OK);
    assert_true(s.wal_bytes > 0);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_store_has_no_findings),
        cmocka_unit_test(each_damage_is_found_and_named),
        cmocka_unit_test(history_without_damage_is_counted),
        cmocka_unit_test(damage_of_history_is_found_and_named),
        cmocka_unit_test(pages_overwritten_on_disk_are_found),
        cmocka_unit_test(any_bit_of_a_row_that_flips_is_found),
        cmocka_unit_test(a_directory_without_a_store_is_not_called_damaged),
        cmocka_unit_test(the_numbers_are_those_of_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
