/* SPDX-License-Identifier: MIT */
/* The store's look over itself: what is damaged is found before somebody asks for it. */

#include "store/history/maintain.h"

#include <stdlib.h>

#include "store/file/database.h"
#include "store/query/query.h"
#include "store/repair/verify.h"
#include "store/store_priv.h"
#include "store/testing.h"

#define DAY0 1767225600000000 /* 2026-01-01 */

enum { HOURS = 30, N_TAGS = 2, PER_HOUR = 12, N_POLLS = HOURS * PER_HOUR };

static weir_store *open_at(const char *dir, int64_t now)
{
    weir_store *store = NULL;
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_open(&(weir_store_options){.data_dir = dir, .now = {now}}, &store, &error))
        fail_msg("open: %s", error.text);
    return store;
}

/* A day as a part, hours as parts, some log, and a commit that is not merged. */
static void plant_run(weir_store *store)
{
    for (int i = 0; i < N_POLLS; i++) {
        const int64_t ts = DAY0 + i * (WEIR_HOUR / PER_HOUR);
        for (weir_tag_uid tag = 1; tag <= N_TAGS; tag++)
            testing_append(store, tag, ts, 0, weir_value_i64(i));
        assert_int_equal(weir_store_commit(store, (weir_wall){ts}, NULL), WEIR_OK);
        if (i < N_POLLS - 1)
            testing_maintain(store, ts);
    }
}

static void sql(const char *dir, const char *text)
{
    char path[300];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(weir_db_open(path, SQLITE_OPEN_READWRITE, NULL, &db, NULL), WEIR_OK);
    assert_int_equal(weir_db_exec(db, text, NULL), WEIR_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

struct plant {
    char *dir;
    weir_store *store;
    weir_catalog *catalog;
};

/* What is damaged by `damage` while nobody runs; opened again, an hour of time ends before it does
 * anything but look. */
static struct plant plant_damaged(const char *damage)
{
    struct plant p = {testing_dir(), NULL, testing_catalog(1, N_TAGS)};
    p.store = open_at(p.dir, DAY0);
    testing_register(p.store, p.catalog);
    plant_run(p.store);
    weir_store_close(p.store);
    sql(p.dir, damage);
    p.store = open_at(p.dir, DAY0 + HOURS * WEIR_HOUR);
    return p;
}

static void plant_free(struct plant *p)
{
    weir_store_close(p->store);
    weir_catalog_free(p->catalog);
    testing_remove(p->dir);
}

static weir_err look(struct plant *p, int64_t seconds)
{
    weir_err err = WEIR_OK;
    for (int64_t s = 1; err == WEIR_OK && s <= seconds; s++) {
        bool more = true;
        const weir_wall now = {DAY0 + HOURS * WEIR_HOUR + s * WEIR_S};
        while (err == WEIR_OK && more)
            err = weir_store_maintain(p->store, now, &more, NULL);
        if (err == WEIR_OK)
            err = weir_store_commit(p->store, now, NULL); /* the events */
    }
    return err;
}

static void assert_verified(const char *dir)
{
    weir_verify_counts counts;
    weir_error error = WEIR_ERROR_INIT;
    if (weir_store_verify(dir, NULL, NULL, NULL, &counts, &error) != WEIR_OK)
        fail_msg("%s", error.text);
}

#define OLDEST_PART "(SELECT min(id) FROM part WHERE state=1 AND tier>0)"
#define WEEK_OVER   "DELETE FROM meta WHERE key='scrubbed';"

static void what_is_damaged_is_set_aside_before_anybody_reads_it(void **state)
{
    (void)state;
    static const struct {
        const char *damage, *origin;
    } cases[] = {
        {WEEK_OVER
         "UPDATE segment SET body=zeroblob(length(body)) WHERE key=(SELECT min(key) FROM segment"
         " WHERE key>>40=" OLDEST_PART ")",
         "segment"},
        {WEEK_OVER
         "UPDATE segment SET head=zeroblob(length(head)) WHERE key=(SELECT min(key) FROM segment"
         " WHERE key>>40=" OLDEST_PART ")",
         "segment"},
        {WEEK_OVER "UPDATE segment SET marks=x'ff' WHERE key=(SELECT min(key) FROM segment"
                   " WHERE key>>40=" OLDEST_PART ")",
         "segment"},
        {"UPDATE log SET body=zeroblob(length(body)) WHERE first_seq=(SELECT max(first_seq) FROM"
         " log)",
         "log"},
        {"UPDATE fresh SET body=zeroblob(length(body)) WHERE first_seq=(SELECT max(first_seq) FROM"
         " fresh)",
         "fresh"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plant p = plant_damaged(cases[i].damage);
        assert_int_equal(weir_store_get_usage(p.store).checked.us, 0);
        assert_int_equal(look(&p, 10), WEIR_OK);
        assert_true(weir_store_get_usage(p.store).checked.us > 0);
        char want[40];
        (void)snprintf(want, sizeof want, "%s|1", cases[i].origin);
        assert_string_equal(testing_file_sql(p.dir, "SELECT origin, count(*) FROM quarantine"),
                            want);
        assert_string_equal(
            testing_file_sql(p.dir,
                             "SELECT count(*) FROM event WHERE text GLOB '*damaged*set aside*'"),
            "1");
        assert_verified(p.dir);
        plant_free(&p);
    }
}

/* Samples without their replies have no numbers, and rows with wrong times are not found. */
static void check_repair(const char *damage)
{
    struct plant p = plant_damaged(damage);
    weir_recovery recovery;
    assert_int_equal(look(&p, 10), WEIR_EDAMAGED);
    assert_int_equal(
        weir_store_recover(p.store, true, (weir_wall){DAY0 + 31 * WEIR_HOUR}, &recovery, NULL),
        WEIR_OK);
    assert_true(recovery.repaired);
    assert_verified(p.dir);
    weir_query *query = NULL;
    char want[20];
    (void)snprintf(want, sizeof want, "%d", N_POLLS * N_TAGS);
    assert_int_equal(weir_query_open(p.dir, NULL, &query, NULL), WEIR_OK);
    assert_string_equal(testing_sql(weir_query_db(query), "SELECT count(*) FROM samples"), want);
    weir_query_close(query);
    plant_free(&p);
}

static void lost_replies_and_wrong_numbers_call_for_a_repair(void **state)
{
    (void)state;
    check_repair(WEEK_OVER "UPDATE segment SET body=zeroblob(length(body)) WHERE key="
                           "(SELECT max(key) FROM segment WHERE key>>40=" OLDEST_PART ")");
    check_repair("UPDATE log SET min_ts=min_ts+1 WHERE first_seq=(SELECT max(first_seq) FROM log)");
    check_repair("UPDATE log SET max_ts=0 WHERE first_seq=(SELECT max(first_seq) FROM log)");
}

static long long scrubbed(const char *dir)
{
    return atoll(testing_file_sql(dir, "SELECT value FROM meta WHERE key='scrubbed'"));
}

static void a_sound_store_is_looked_over_once_and_again_after_a_week(void **state)
{
    (void)state;
    struct plant p = plant_damaged("SELECT 1");
    assert_int_equal(look(&p, 10), WEIR_OK);
    const int64_t first = weir_store_get_usage(p.store).checked.us;
    assert_true(first > 0);
    assert_int_equal(look(&p, 60), WEIR_OK);
    assert_int_equal(weir_store_get_usage(p.store).checked.us, first);
    const long long read = scrubbed(p.dir);
    assert_in_range(read, DAY0 + HOURS * WEIR_HOUR, first);
    weir_store_close(p.store);
    p.store = open_at(p.dir, DAY0 + HOURS * WEIR_HOUR + WEIR_MINUTE);
    assert_int_equal(look(&p, 70), WEIR_OK);
    assert_true(weir_store_get_usage(p.store).checked.us > 0);
    assert_int_equal(scrubbed(p.dir), read); /* history: by the one before */
    for (int64_t s = 0; s < 10; s++)
        testing_maintain(p.store, DAY0 + HOURS * WEIR_HOUR + 8 * WEIR_DAY + s * WEIR_S);
    assert_true(weir_store_get_usage(p.store).checked.us > first + 7 * WEIR_DAY);
    assert_true(scrubbed(p.dir) > DAY0 + 8 * WEIR_DAY);
    assert_string_equal(testing_file_sql(p.dir, "SELECT count(*) FROM quarantine"), "0");
    plant_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_damaged_is_set_aside_before_anybody_reads_it),
        cmocka_unit_test(lost_replies_and_wrong_numbers_call_for_a_repair),
        cmocka_unit_test(a_sound_store_is_looked_over_once_and_again_after_a_week),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
