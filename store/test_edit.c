/* SPDX-License-Identifier: MIT */
/* Purging tags and replacing meters: what every reader sees at once, and whatever is under way. */

#include "store/edit.h"

#include <inttypes.h>

#include "store/query/query.h"
#include "store/repair/verify.h"
#include "store/stats.h"
#include "store/testing.h"
#include "tests/support/fault_vfs.h"

/* 2023-11-14T00:00Z: where a period of 8 days begins, so merges of a day are the last. */
#define DAY0 (19675 * WEIR_DAY)

enum { TAGS = 4 }; /* d0/p0, d0/p1, d1/p0, d1/p1 */

static weir_store *open_at(const char *dir, const char *vfs, int64_t now)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_store *store = NULL;
    if (weir_store_open(&(weir_store_options){dir, vfs, {now}}, &store, &error) != WEIR_OK)
        fail_msg("open: %s", error.text);
    return store;
}

/* d1's points count. */
static weir_catalog *catalog_make(bool counters)
{
    weir_catalog *c = testing_catalog(2, 2);
    weir_point *points = (weir_point *)(uintptr_t)c->devices[1].points;
    if (counters) {
        weir_point *own = weir_arena_alloc(c->arena, 2, sizeof *own);
        assert_non_null(own);
        memcpy(own, points, 2 * sizeof *own);
        own[0].counter = own[1].counter = true;
        ((weir_device *)(uintptr_t)c->devices)[1].points = own;
    }
    return c;
}

/* A sample a minute of each tag, its value the number of the minute; from, until: minutes since
 * DAY0. Commits every ten. */
static void plant_run(weir_store *store, int64_t from, int64_t until, bool maintain)
{
    for (int64_t minute = from; minute < until; minute++) {
        for (weir_tag_uid tag = 1; tag <= TAGS; tag++)
            testing_append(store, tag, DAY0 + minute * WEIR_MINUTE, 0, weir_value_i64(minute));
        if (minute % 10 != 9 && minute + 1 < until)
            continue;
        testing_commit(store);
        if (maintain)
            testing_maintain(store, DAY0 + minute * WEIR_MINUTE);
    }
}

static weir_err edit(weir_store *store, weir_edit_kind kind, const char *subject, uint64_t *ret_n,
                     weir_error *error)
{
    const weir_edit e = {kind, subject, {DAY0 + WEIR_HOUR}, 48211.25, 0.5};
    return weir_store_edit(store, &e, (weir_wall){DAY0}, ret_n, error);
}

static void purge(weir_store *store, const char *pattern, uint64_t want)
{
    weir_error error = WEIR_ERROR_INIT;
    uint64_t n = 0;
    if (edit(store, WEIR_EDIT_PURGE, pattern, &n, &error) != WEIR_OK)
        fail_msg("purge %s: %s", pattern, error.text);
    assert_int_equal(n, want);
}

/* Each way to read a tag agrees that it has the minutes [from, until) and no others. */
static void assert_tag(sqlite3 *db, const char *tag, int64_t from, int64_t until)
{
    char sql[600], want[200];
    (void)snprintf(want, sizeof want, "%" PRId64, until - from);
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM samples WHERE tag='%s'", tag);
    assert_string_equal(testing_sql(db, sql), want);
    (void)snprintf(sql, sizeof sql, "SELECT ifnull(sum(count),0) FROM buckets('%s','1h')", tag);
    assert_string_equal(testing_sql(db, sql), want);
    (void)snprintf(sql, sizeof sql, "SELECT ifnull(sum(count),0) FROM history('%s',%lld,%lld,7)",
                   tag, (long long)DAY0, (long long)(DAY0 + 100 * WEIR_DAY));
    assert_string_equal(testing_sql(db, sql), want);
    if (from < until)
        (void)snprintf(want, sizeof want, "%" PRId64 "|%" PRId64, from, until - 1);
    else
        (void)snprintf(want, sizeof want, "NULL|NULL");
    (void)snprintf(sql, sizeof sql, "SELECT min(value), max(value) FROM samples WHERE tag='%s'",
                   tag);
    assert_string_equal(testing_sql(db, sql), want);
    (void)snprintf(sql, sizeof sql, "SELECT min(min), max(max) FROM buckets('%s','1d')", tag);
    assert_string_equal(testing_sql(db, sql), want);
    (void)snprintf(sql, sizeof sql,
                   "SELECT value FROM current WHERE tag='%s' AND value IS NOT NULL", tag);
    (void)snprintf(want, sizeof want, "%" PRId64, until - 1);
    assert_string_equal(testing_sql(db, sql), from < until ? want : "");
}

static void on_finding(void *data, const char *finding)
{
    (void)data;
    print_message("finding: %s\n", finding);
}

static void assert_sound(const char *dir)
{
    weir_verify_counts counts;
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_verify(dir, NULL, on_finding, NULL, &counts, &error) != WEIR_OK)
        fail_msg("verify: %s", error.text);
    assert_int_equal(counts.findings, 0);
}

static void what_is_purged_is_gone_for_every_reader_at_once(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = catalog_make(false);
    weir_query *query = NULL;
    weir_store_stats stats;
    testing_register(store, catalog);
    plant_run(store, 0, 300, true); /* in history, in the log, and newest commits */
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    sqlite3 *db = weir_query_db(query);
    assert_tag(db, "d0/p0", 0, 300);
    purge(store, "d0/p*", 2);
    assert_tag(db, "d0/p0", 0, 0);
    assert_tag(db, "d0/p1", 0, 0);
    assert_tag(db, "d1/p0", 0, 300);
    assert_string_equal(testing_sql(db, "SELECT kind, subject, text FROM events"),
                        "config|d0/p*|the history of 2 tags up to seq 1200 was purged");
    assert_string_equal(testing_sql(db, "SELECT count(*) FROM tags"), "4");
    assert_int_equal(weir_store_get_stats(dir, NULL, &stats, NULL), WEIR_OK);
    assert_int_equal(stats.purged_tags, 2);
    assert_int_equal(stats.tags, 4);
    assert_sound(dir);
    /* And it goes on. */
    plant_run(store, 300, 320, false);
    assert_tag(db, "d0/p0", 300, 320);
    assert_tag(db, "d1/p1", 0, 320);
    weir_query_close(query);
    weir_store_close(store);
    assert_sound(dir);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void everything_can_be_purged_and_its_numbers_go_on(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = catalog_make(false);
    weir_query *query = NULL;
    weir_store_stats stats;
    testing_register(store, catalog);
    plant_run(store, 0, 26 * 60, true);
    const uint64_t seq = weir_store_get_position(store).committed_seq;
    purge(store, "*", 4);
    weir_store_close(store);
    assert_sound(dir);
    store = open_at(dir, NULL, DAY0 + 30 * WEIR_HOUR);
    assert_int_equal(weir_store_get_position(store).committed_seq, seq + 1); /* its event */
    testing_maintain(store, DAY0 + 30 * WEIR_HOUR);
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    for (int i = 0; i < 2; i++) {
        sqlite3 *db = weir_query_db(query);
        assert_tag(db, "d0/p0", 0, 0);
        assert_string_equal(testing_sql(db, "SELECT count(*) FROM samples"), "0");
        assert_string_equal(testing_sql(db, "SELECT count(value) FROM current"), "0");
        testing_maintain(store, DAY0 + 100 * WEIR_HOUR);
    }
    plant_run(store, 26 * 60, 29 * 60, true);
    assert_tag(weir_query_db(query), "d1/p1", 26 * 60, 29 * 60);
    assert_int_equal(weir_store_get_stats(dir, NULL, &stats, NULL), WEIR_OK);
    assert_true(stats.samples >= 4 * 3 * 60);
    weir_query_close(query);
    weir_store_close(store);
    assert_sound(dir);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* The store's work is interrupted after each of its pieces: merges of minutes, the making of parts,
 * and the merge of a day are then under way. */
static void a_purge_amid_any_work_takes_what_was_and_nothing_else(void **state)
{
    (void)state;
    enum { FROM = 23 * 60, PURGED = 26 * 60, UNTIL = 29 * 60 };
    const weir_wall now = {DAY0 + 26 * WEIR_HOUR};
    unsigned pieces = 0;
    for (bool more = true; more; pieces++) {
        char *dir = testing_dir();
        weir_store *store = open_at(dir, NULL, DAY0);
        weir_catalog *catalog = catalog_make(false);
        weir_query *query = NULL;
        testing_register(store, catalog);
        plant_run(store, FROM - 120, FROM, true);
        plant_run(store, FROM, PURGED, false);
        for (unsigned i = 0; more && i < pieces; i++)
            assert_int_equal(weir_store_maintain(store, now, &more, NULL), WEIR_OK);
        purge(store, "d0/*", 2);
        assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
        assert_tag(weir_query_db(query), "d0/p0", 0, 0);
        testing_maintain(store, now.us);
        assert_tag(weir_query_db(query), "d0/p0", 0, 0);
        assert_tag(weir_query_db(query), "d1/p0", FROM - 120, PURGED);
        assert_sound(dir);
        plant_run(store, PURGED, UNTIL, true);
        assert_tag(weir_query_db(query), "d0/p0", PURGED, UNTIL);
        assert_tag(weir_query_db(query), "d0/p1", PURGED, UNTIL);
        assert_tag(weir_query_db(query), "d1/p0", FROM - 120, UNTIL);
        weir_query_close(query);
        weir_store_close(store);
        assert_sound(dir);
        weir_catalog_free(catalog);
        testing_remove(dir);
    }
    assert_true(pieces > 8);
}

/* A week later everything lies in parts of a day that no merge will take for long. */
static void the_space_of_a_purged_tag_comes_back_also_in_old_parts(void **state)
{
    (void)state;
    enum { DAYS = 3 };
    const char *const segments = "SELECT count(*) FROM segment WHERE (key>>8)&0xffffffff IN (1,2)";
    const int64_t later = DAY0 + 4 * WEIR_DAY;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = catalog_make(false);
    weir_query *query = NULL;
    weir_store_stats stats;
    testing_register(store, catalog);
    plant_run(store, 0, DAYS * 1440, true);
    testing_maintain(store, later);
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    sqlite3 *db = weir_query_db(query);
    assert_string_equal(testing_sql(db, segments), "6");
    purge(store, "d0/p0", 1);
    weir_store_close(store); /* a start looks for what is left to do */
    store = open_at(dir, NULL, later);
    testing_maintain(store, later);
    assert_string_equal(testing_sql(db, segments), "3");
    purge(store, "d0/*", 2);
    testing_maintain(store, later);
    assert_string_equal(testing_sql(db, segments), "0");
    assert_string_equal(testing_sql(db, "SELECT count(*) FROM part WHERE state=1"), "3");
    assert_int_equal(weir_store_get_stats(dir, NULL, &stats, NULL), WEIR_OK);
    assert_int_equal(stats.samples, 2 * DAYS * 1440);
    assert_tag(db, "d1/p0", 0, DAYS * 1440);
    assert_tag(db, "d0/p0", 0, 0);
    assert_sound(dir);
    purge(store, "*", 4);
    testing_maintain(store, later);
    assert_string_equal(testing_sql(db, "SELECT count(*) FROM part"), "0");
    assert_string_equal(testing_sql(db, "SELECT count(*) FROM segment"), "0");
    weir_query_close(query);
    weir_store_close(store);
    assert_sound(dir);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void a_purge_can_be_repeated(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = catalog_make(false);
    weir_query *query = NULL;
    testing_register(store, catalog);
    purge(store, "d0/p0", 1); /* of a tag without samples */
    plant_run(store, 0, 200, true);
    purge(store, "d0/p0", 1);
    plant_run(store, 200, 250, true);
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    assert_tag(weir_query_db(query), "d0/p0", 200, 250);
    purge(store, "d0/p0", 1);
    purge(store, "d0/p0", 1);
    assert_tag(weir_query_db(query), "d0/p0", 0, 0);
    weir_query_close(query);
    weir_store_close(store);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* What waits for a commit was sampled before the purge was asked for. */
static void what_waits_is_committed_and_purged(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = catalog_make(false);
    testing_register(store, catalog);
    testing_append(store, 1, DAY0, 0, weir_value_i64(7));
    testing_append(store, 3, DAY0, 0, weir_value_i64(8));
    purge(store, "d0/p0", 1);
    assert_int_equal(weir_store_pending(store, NULL), 0);
    weir_store_close(store);
    weir_query *query = NULL;
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    assert_string_equal(testing_sql(weir_query_db(query), "SELECT tag, value FROM samples"),
                        "d1/p0|8");
    weir_query_close(query);
    weir_catalog_free(catalog);
    testing_remove(dir);
}

static void wrong_edits_change_nothing_and_say_why(void **state)
{
    (void)state;
    static const struct {
        weir_edit_kind kind;
        const char *subject;
        weir_err want;
        const char *text;
    } cases[] = {
        {WEIR_EDIT_PURGE, "nix/*", WEIR_ENOTFOUND, "no tag matches 'nix/*'"},
        {WEIR_EDIT_PURGE, "", WEIR_ENOTFOUND, "no tag matches ''"},
        {WEIR_EDIT_PURGE, "d0", WEIR_ENOTFOUND, "SELECT tag FROM tags"},
        {WEIR_EDIT_REPLACE, "d9", WEIR_ENOTFOUND, "no device and no tag is named 'd9'"},
        {WEIR_EDIT_REPLACE, "d0", WEIR_ENOTFOUND, "d0 is no counter"},
        {WEIR_EDIT_REPLACE, "d0/p1", WEIR_ENOTFOUND, "'counter: true'"},
        {WEIR_EDIT_REPLACE, "d1", WEIR_EINVAL,
         "d1 has 2 counters: name the one that is meant "
         "(d1/p0, d1/p1)"},
        {WEIR_EDIT_REPLACE, "d1/*", WEIR_ENOTFOUND, "no device and no tag is named 'd1/*'"},
    };
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = catalog_make(true);
    testing_register(store, catalog);
    plant_run(store, 0, 20, true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error = WEIR_ERROR_INIT;
        uint64_t n = 77;
        assert_int_equal(edit(store, cases[i].kind, cases[i].subject, &n, &error), cases[i].want);
        if (!strstr(error.text, cases[i].text))
            fail_msg("%s: %s", cases[i].subject, error.text);
        assert_int_equal(n, 77);
    }
    weir_store_close(store);
    assert_string_equal(testing_file_sql(dir, "SELECT count(*) FROM event"), "0");
    assert_string_equal(testing_file_sql(dir, "SELECT count(*) FROM replacement"), "0");
    assert_string_equal(testing_file_sql(dir, "SELECT sum(purged_seq) FROM tag"), "0");
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* 10 at 01:00, then the old meter ends at 48211.25 (as shown), the new one begins at 0.5. */
static void growth_goes_on_across_a_replaced_meter(void **state)
{
    (void)state;
    char *dir = testing_dir();
    weir_store *store = open_at(dir, NULL, DAY0);
    weir_catalog *catalog = catalog_make(true);
    weir_query *query = NULL;
    uint64_t n = 0;
    testing_register(store, catalog);
    testing_append(store, 3, DAY0, 0, weir_value_i64(48200));
    testing_append(store, 3, DAY0 + WEIR_HOUR - WEIR_MINUTE, 0, weir_value_i64(48211));
    testing_append(store, 3, DAY0 + WEIR_HOUR + WEIR_MINUTE, 0, weir_value_i64(1));
    testing_append(store, 3, DAY0 + 2 * WEIR_HOUR - 1, 0, weir_value_i64(4));
    testing_commit(store);
    assert_int_equal(edit(store, WEIR_EDIT_REPLACE, "d1/p0", &n, NULL), WEIR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(weir_query_open(dir, NULL, &query, NULL), WEIR_OK);
    sqlite3 *db = weir_query_db(query);
    assert_string_equal(testing_sql(db, "SELECT delta FROM buckets('d1/p0','1d')"), "14.75");
    assert_string_equal(testing_sql(db, "SELECT count(*), max(value) FROM samples"), "4|48211");
    assert_string_equal(testing_sql(db, "SELECT text FROM events"),
                        "the meter of d1/p0 was replaced at 2023-11-14T01:00:00.000000Z: it ended "
                        "at 48211.25, the new one began at 0.5");
    /* The same moment again corrects it. */
    const weir_edit corrected = {WEIR_EDIT_REPLACE, "d1/p0", {DAY0 + WEIR_HOUR}, 48212, 0};
    assert_int_equal(weir_store_edit(store, &corrected, (weir_wall){DAY0}, &n, NULL), WEIR_OK);
    assert_string_equal(testing_sql(db, "SELECT delta FROM buckets('d1/p0','1d')"), "16");
    /* What is purged has no meter that was replaced. */
    purge(store, "d1/p0", 1);
    weir_query_close(query);
    weir_store_close(store);
    assert_string_equal(testing_file_sql(dir, "SELECT count(*) FROM replacement"), "0");
    weir_catalog_free(catalog);
    testing_remove(dir);
}

/* Power fails at each change of the disk: all tags are purged or none, and all is sound. */
static void a_power_cut_in_a_purge_leaves_all_or_nothing(void **state)
{
    (void)state;
    unsigned before = 0, after = 0;
    for (uint64_t n = 1;; n++) {
        fault_vfs *vfs = fault_vfs_new(&(fault_vfs_options){.name = "edit", .seed = n});
        char *dir = testing_dir();
        weir_catalog *catalog = catalog_make(false);
        weir_store *store = open_at(dir, "edit", DAY0);
        weir_query *query = NULL;
        uint64_t tags = 0;
        testing_register(store, catalog);
        plant_run(store, 0, 90, true);
        fault_vfs_stop_after(vfs, n);
        const weir_err err = edit(store, WEIR_EDIT_PURGE, "d?/p0", &tags, NULL);
        const bool stopped = fault_vfs_stopped(vfs);
        assert_true(stopped || err == WEIR_OK);
        fault_vfs_power_cut(vfs, n);
        weir_store_close(store);
        store = open_at(dir, "edit", DAY0 + 2 * WEIR_HOUR);
        assert_int_equal(weir_query_open(dir, "edit", &query, NULL), WEIR_OK);
        const char *counts =
            testing_sql(weir_query_db(query), "SELECT count(*), sum(tag GLOB '*p0') FROM samples");
        const bool whole = strcmp(counts, "360|180") == 0;
        if (!whole)
            assert_string_equal(counts, "180|0");
        assert_true(err != WEIR_OK || !whole);
        before += whole;
        after += !whole;
        weir_query_close(query);
        weir_store_close(store);
        weir_catalog_free(catalog);
        fault_vfs_free(vfs);
        testing_remove(dir);
        if (!stopped)
            break;
    }
    assert_true(before > 0 && after > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_purged_is_gone_for_every_reader_at_once),
        cmocka_unit_test(everything_can_be_purged_and_its_numbers_go_on),
        cmocka_unit_test(a_purge_amid_any_work_takes_what_was_and_nothing_else),
        cmocka_unit_test(the_space_of_a_purged_tag_comes_back_also_in_old_parts),
        cmocka_unit_test(a_purge_can_be_repeated),
        cmocka_unit_test(what_waits_is_committed_and_purged),
        cmocka_unit_test(wrong_edits_change_nothing_and_say_why),
        cmocka_unit_test(growth_goes_on_across_a_replaced_meter),
        cmocka_unit_test(a_power_cut_in_a_purge_leaves_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
