/* SPDX-License-Identifier: MIT */
/* Verification finds each kind of damage and names its place; the numbers are right. */

#include "store/verify.h"

#include "store/stats.h"
#include "store/testing.h"

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
    assert_int_equal(counts.events, 3);
    assert_int_equal(counts.tags, 2);
    testing_remove(dir);
}

static void each_damage_is_found_and_named(void **state)
{
    (void)state;
    static const struct {
        const char *damage, *want;
    } cases[] = {
        {"UPDATE log SET body=CAST(substr(body,1,20)||x'ff'||substr(body,22) AS BLOB)"
         " WHERE first_seq=4",
         "log row 4: block does not match its checksum"},
        {"UPDATE log SET head=x'010001' WHERE first_seq=1", "log row 1: block head"},
        {"UPDATE log SET head=CAST(x'07'||substr(head,2) AS BLOB) WHERE first_seq=7",
         "log row 7: block of codec 7"},
        {"UPDATE log SET head=CAST(head||x'00' AS BLOB) WHERE first_seq=7",
         "log row 7: bytes behind the block head"},
        {"UPDATE log SET count=3 WHERE first_seq=7", "log row 7: count is 3, its block holds 2"},
        {"UPDATE log SET max_ts=max_ts+1 WHERE first_seq=7", "log row 7: min_ts and max_ts"},
        {"UPDATE log SET newest_ts=newest_ts+1 WHERE first_seq=7", "log row 7: newest_ts"},
        {"UPDATE log SET epoch=1 WHERE first_seq=4", "log row 4: epoch and epoch_ts"},
        {"UPDATE log SET epoch_ts=epoch_ts+1 WHERE first_seq=7", "log row 7: epoch and epoch_ts"},
        {"DELETE FROM log WHERE first_seq=1", "sequence: 1 to 2 are missing"},
        {"DELETE FROM log WHERE first_seq=4", "sequence: 4 to 5 are missing"},
        {"DELETE FROM event WHERE seq=6", "sequence: 6 to 6 are missing"},
        {"INSERT INTO event VALUES(8,0,1,'','')", "sequence: 8 is used twice"},
        {"DELETE FROM tag WHERE uid=2", "log row 1: a sample of tag uid 2, which has no name"},
        {"DELETE FROM tag_version WHERE uid=2", "tag uid 2 has no version"},
        {"PRAGMA writable_schema=1; DELETE FROM sqlite_schema WHERE name='log_late'", "database: "},
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

enum { PAGE = 4096, HEADER_SIZE = 13 }; /* of 11 columns, one of them with a length of two bytes */

/* Where the rows of the log lie in the file: they are few, so one leaf page has them all. SQLite's
 * file format, 1.6: the type of a leaf of a table is 13, the content area's start is at byte 5. */
static long log_area(const char *path, const uint8_t *page, long number)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name='log'",
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
 * behind the header's size. */
static bool is_unread(const uint8_t *page, long bit)
{
    return bit % 8 == 3 && page[bit / 8] == 0 && page[bit / 8 - 1] == HEADER_SIZE;
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
        start = log_area(path, page, ++number);
    }
    assert_in_range(start, PAGE / 4, PAGE - 100);
    for (long bit = start * 8; bit < PAGE * 8; bit += STEP) {
        const uint8_t flipped = (uint8_t)(page[bit / 8] ^ 1 << bit % 8);
        weir_verify_counts counts;
        assert_int_equal(page_patch(f, number * PAGE + bit / 8, flipped), 0);
        bool found = weir_store_verify(dir, NULL, NULL, NULL, &counts, NULL) == WEIR_EDAMAGED;
        assert_int_equal(page_patch(f, number * PAGE + bit / 8, page[bit / 8]), 0);
        n_missed += !found;
        if (!found && !is_unread(page, bit))
            fail_msg("bit %ld of byte %ld of page %ld", bit % 8, bit / 8, number + 1);
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
    assert_int_equal(s.rows, 3);
    assert_int_equal(s.samples, 6);
    assert_int_equal(s.events, 3);
    assert_int_equal(s.tags, 2);
    assert_int_equal(s.current_tags, 2);
    assert_int_equal(s.first_ts.us, T0);
    assert_int_equal(s.last_ts.us, T0 + 2);
    assert_int_equal(s.created.us, T0);
    assert_int_equal(s.schema, 1);
    assert_int_equal(s.level_samples[0], 6);
    assert_true(s.level_bytes[0] > 0 && s.level_bytes[1] == 0);
    assert_true(s.bytes_per_sample == (double)s.level_bytes[0] / 6);
    assert_int_equal(strlen(s.uuid), 36);
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
        cmocka_unit_test(pages_overwritten_on_disk_are_found),
        cmocka_unit_test(any_bit_of_a_row_that_flips_is_found),
        cmocka_unit_test(a_directory_without_a_store_is_not_called_damaged),
        cmocka_unit_test(the_numbers_are_those_of_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
