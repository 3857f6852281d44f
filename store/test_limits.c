/* SPDX-License-Identifier: MIT */
/* Limits of the store: age, size, free space; what goes first, and that gaps tell it exactly. */

#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "store/consumer.h"
#include "store/edit.h"
#include "store/query/query.h"
#include "store/query/take.h"
#include "store/stats.h"
#include "store/testing.h"
#include "tests/support/scaled.h"

enum { N_TAGS = 8, BATCH = 400, MAX = 2 * 1000 * 1000 };

/* Of a row set aside: 2500 of them are a megabyte. */
static const char filling[] =
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
    "4567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
    "8901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
    "2345678901234567890123456789012345678901234567890123456789";

/* A store with limits, filled with numbers that do not compress: 8 bytes a sample. */
struct bench {
    char *dir;
    weir_store_config config;
    weir_catalog *catalog;
    weir_store *store;
    int64_t now;
    uint64_t produced;
    weir_random random;
    uint64_t disk_free, disk_total; /* 0: not known */
};

static uint64_t bench_free_bytes(void *data, uint64_t *ret_total)
{
    const struct bench *b = data;
    if (b->disk_total == 0)
        return UINT64_MAX;
    *ret_total = b->disk_total;
    return b->disk_free;
}

static void bench_open(struct bench *b)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_store_options options = {.data_dir = b->dir,
                                        .now = {b->now},
                                        .config = &b->config,
                                        .free_bytes = bench_free_bytes,
                                        .data = b};
    if (weir_store_open(&options, &b->store, &error) != WEIR_OK)
        fail_msg("open: %s", error.text);
    testing_register(b->store, b->catalog);
}

static void bench_init(struct bench *b)
{
    b->dir = testing_dir();
    b->catalog = testing_catalog(2, N_TAGS / 2);
    b->now = T0;
    b->random.state = 7;
    bench_open(b);
}

static void bench_deinit(struct bench *b)
{
    weir_store_close(b->store);
    weir_catalog_free(b->catalog);
    testing_remove(b->dir);
}

/* BATCH samples of each tag, a second apart, and an hour passes. */
static void bench_append(struct bench *b)
{
    for (int i = 0; i < BATCH; i++) {
        weir_error error = WEIR_ERROR_INIT;
        weir_sample samples[N_TAGS];
        const int64_t ts = b->now + i * WEIR_S;
        for (uint32_t t = 0; t < N_TAGS; t++)
            samples[t] = (weir_sample){t + 1, 0, {ts}, weir_value_u64(weir_random_u64(&b->random))};
        const weir_batch batch = {.catalog_revision = 1,
                                  .plans = WEIR_PLAN_DEFAULT,
                                  .due = {ts},
                                  .sent = {ts},
                                  .received = {ts + 1500},
                                  .n_samples = N_TAGS,
                                  .samples = samples};
        if (weir_store_append(b->store, &batch, &error) != WEIR_OK)
            fail_msg("append: %s", error.text);
        b->produced += N_TAGS;
    }
    b->now += WEIR_HOUR;
}

static weir_err bench_commit(struct bench *b)
{
    return weir_store_commit(b->store, (weir_wall){b->now}, NULL);
}

static void bench_hours(struct bench *b, int n)
{
    for (int i = 0; i < n; i++) {
        bench_append(b);
        assert_int_equal(bench_commit(b), WEIR_OK);
        testing_maintain(b->store, b->now);
    }
}

static int64_t ask(const struct bench *b, const char *sql)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    sqlite3_stmt *s = NULL;
    if (weir_query_open(b->dir, NULL, &query, &error) != WEIR_OK)
        fail_msg("query: %s", error.text);
    if (sqlite3_prepare_v2(weir_query_db(query), sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(weir_query_db(query)));
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    weir_query_close(query);
    return n;
}

static int64_t ask_gaps(const struct bench *b, const char *where)
{
    char sql[200];
    (void)snprintf(sql, sizeof sql, "select coalesce(sum(count), 0) from gaps where %s", where);
    return ask(b, sql);
}

static int64_t expired(const struct bench *b)
{
    return ask(b, "select coalesce((select value from main.meta where key = 'expired'), 0)");
}

static void assert_adds_up(const struct bench *b)
{
    assert_int_equal(ask(b, "select count(*) from samples") + ask_gaps(b, "sink = ''") + expired(b),
                     b->produced);
}

/* --- size --------------------------------------------------------------------------------- */

static void at_max_size_the_oldest_go_and_one_gap_tells_all_of_it(void **state)
{
    struct bench b = {.config = {.max_bytes = MAX}};
    (void)state;
    bench_init(&b);
    for (int i = 0; i < 200; i++) {
        bench_hours(&b, 1);
        assert_true(weir_store_get_usage(b.store).bytes <= MAX * 11 / 10);
    }
    bench_hours(&b, 1); /* commits the last event */
    assert_adds_up(&b);
    assert_true(ask_gaps(&b, "cause = 'max_size' and tag is null") > (int64_t)b.produced / 2);
    assert_int_equal(ask(&b, "select count(*) from gaps"), 1);
    assert_true(ask(&b, "select min(ts) from samples") > ask(&b, "select max(to_ts) from gaps"));
    assert_int_equal(ask(&b, "select min(from_ts) from gaps"), T0);
    /* Most of what it may have is used. */
    assert_true(weir_store_get_usage(b.store).bytes > MAX / 2);
    assert_int_equal(ask(&b, "select count(*) from events where kind = 'alarm'"), 1);
    assert_true(ask(&b, "select count(*) from events where kind = 'gap'") <= 9);
    assert_int_equal(ask(&b, "select count(*) from events where text like '%80 !%%' escape '!'"
                             " and text like '%full in about%'"),
                     1);
    bench_deinit(&b);
}

static void a_larger_max_size_ends_it_and_the_alarm_comes_again(void **state)
{
    struct bench b = {.config = {.max_bytes = MAX}};
    (void)state;
    bench_init(&b);
    bench_hours(&b, 100);
    assert_int_equal(weir_store_get_usage(b.store).max_bytes, MAX);
    b.config.max_bytes = 2 * MAX;
    bench_hours(&b, 2);
    assert_int_equal(weir_store_get_usage(b.store).state, WEIR_STORE_OK);
    const int64_t gone = ask_gaps(&b, "1");
    bench_hours(&b, 20);
    assert_int_equal(ask_gaps(&b, "1"), gone);
    bench_hours(&b, 80);
    assert_adds_up(&b);
    assert_int_equal(ask(&b, "select count(*) from events where kind = 'alarm'"), 2);
    bench_deinit(&b);
}

static void a_smaller_max_size_shrinks_the_file(void **state)
{
    struct bench b = {.config = {.max_bytes = 2 * MAX}};
    (void)state;
    bench_init(&b);
    bench_hours(&b, 120);
    b.config.max_bytes = MAX;
    bench_hours(&b, 10);
    assert_adds_up(&b);
    assert_true(ask(&b, "select page_count * 4096 from pragma_page_count") < MAX * 12 / 10);
    bench_deinit(&b);
}

static void drop_newest_stores_nothing_more_and_says_how_much(void **state)
{
    struct bench b = {.config = {.max_bytes = MAX, .when_full = WEIR_FULL_DROP_NEWEST}};
    (void)state;
    bench_init(&b);
    bench_hours(&b, 120);
    assert_int_equal(weir_store_get_usage(b.store).state, WEIR_STORE_FULL);
    assert_int_equal(ask(&b, "select min(ts) from samples"), T0);
    const int64_t gone = ask_gaps(&b, "cause = 'max_size'");
    assert_true(gone > 0);
    assert_int_equal(weir_store_get_usage(b.store).not_stored, gone);
    assert_int_equal(ask(&b, "select count(*) from gaps"), 1);
    assert_adds_up(&b);
    b.config.max_bytes = 2 * MAX;
    bench_hours(&b, 2);
    assert_int_equal(ask_gaps(&b, "1"), gone + BATCH * N_TAGS); /* it looks after the commit */
    bench_hours(&b, 120);
    assert_int_equal(ask(&b, "select count(*) from gaps"), 2);
    assert_adds_up(&b);
    bench_deinit(&b);
}

static void block_lets_samples_wait_until_there_is_room(void **state)
{
    struct bench b = {.config = {.max_bytes = MAX, .when_full = WEIR_FULL_BLOCK}};
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    bench_init(&b);
    for (int i = 0; i < 300 && weir_store_get_usage(b.store).state != WEIR_STORE_FULL; i++)
        bench_hours(&b, 1);
    bench_append(&b);
    bench_append(&b);
    assert_int_equal(weir_store_commit(b.store, (weir_wall){b.now}, &error), WEIR_ELIMIT);
    assert_non_null(strstr(error.text, "max_size"));
    assert_true(weir_store_pending(b.store, NULL) >= 2 * BATCH * N_TAGS);
    testing_maintain(b.store, b.now);
    b.config.max_bytes = 2 * MAX;
    testing_maintain(b.store, b.now);
    bench_hours(&b, 1);
    assert_int_equal(ask_gaps(&b, "1"), 0);
    assert_adds_up(&b);
    b.config.max_bytes = MAX; /* and at the end of the process what waits is a gap */
    testing_maintain(b.store, b.now);
    bench_append(&b);
    assert_int_equal(bench_commit(&b), WEIR_ELIMIT);
    assert_int_equal(weir_store_commit_without_samples(b.store, (weir_wall){b.now}, &error),
                     WEIR_OK);
    assert_int_equal(ask_gaps(&b, "cause = 'max_size'"), BATCH * N_TAGS);
    assert_adds_up(&b);
    bench_deinit(&b);
}

static void what_was_lost_before_it_came_is_a_gap_of_memory(void **state)
{
    struct bench b = {.config = {0}};
    (void)state;
    bench_init(&b);
    weir_store_note_lost(b.store, 5, (weir_wall){T0}, (weir_wall){T0 + WEIR_S});
    weir_store_note_lost(b.store, 7, (weir_wall){T0 + WEIR_S}, (weir_wall){T0 + 2 * WEIR_S});
    assert_int_equal(bench_commit(&b), WEIR_OK);
    assert_int_equal(bench_commit(&b), WEIR_OK);
    assert_int_equal(ask_gaps(&b, "cause = 'memory'"), 12);
    assert_int_equal(ask(&b, "select to_ts - from_ts from gaps"), 2 * WEIR_S);
    bench_deinit(&b);
}

/* --- free space --------------------------------------------------------------------------- */

static void below_min_free_the_store_does_not_grow(void **state)
{
    struct bench b = {.config = {.min_free = 1000 * 1000, .min_free_given = true},
                      .disk_free = 50 * 1000 * 1000,
                      .disk_total = 100 * 1000 * 1000};
    (void)state;
    bench_init(&b);
    bench_hours(&b, 60);
    const int64_t before = ask(&b, "select count(*) from samples");
    assert_int_equal(ask_gaps(&b, "1"), 0);
    const int64_t pages = ask(&b, "select page_count from pragma_page_count");
    b.disk_free = 900 * 1000;
    bench_hours(&b, 60);
    assert_adds_up(&b);
    assert_true(ask_gaps(&b, "cause = 'min_free'") > 0);
    assert_true(ask(&b, "select page_count from pragma_page_count") <= pages + pages / 20);
    /* And it did not go for the sake of others. */
    assert_true(ask(&b, "select count(*) from samples") > before / 2);
    assert_int_equal(ask(&b, "select count(*) from events where text like '%min!_free%' escape "
                             "'!' and kind = 'alarm'"),
                     1);
    b.disk_free = 50 * 1000 * 1000;
    bench_hours(&b, 3);
    const int64_t gone = ask_gaps(&b, "1");
    bench_hours(&b, 10);
    assert_int_equal(ask_gaps(&b, "1"), gone);
    bench_deinit(&b);
}

static void a_share_of_the_disk_and_a_small_reserve_on_a_small_disk(void **state)
{
    struct bench b = {.config = {.max_percent = 50, .min_free = 500 * 1000 * 1000},
                      .disk_free = 16 * 1000 * 1000,
                      .disk_total = 16 * 1000 * 1000};
    (void)state;
    bench_init(&b);
    bench_hours(&b, 3);
    assert_int_equal(weir_store_get_usage(b.store).max_bytes, 8 * 1000 * 1000);
    assert_int_equal(weir_store_get_usage(b.store).state, WEIR_STORE_OK);
    bench_deinit(&b);
}

/* --- age ---------------------------------------------------------------------------------- */

static void samples_older_than_the_rule_go_and_are_counted_not_gaps(void **state)
{
    static const char *const all[] = {"*"};
    const int days = testing_scaled(4, 10);
    const weir_retention rule = {all, 1, days * WEIR_DAY, 0};
    struct bench b = {.config = {.n_retention = 1, .retention = &rule}};
    (void)state;
    bench_init(&b);
    bench_hours(&b, 24 * (days - 1));
    assert_int_equal(expired(&b), 0);
    bench_hours(&b, 24 * (days + 2));
    assert_adds_up(&b);
    assert_int_equal(ask(&b, "select count(*) from gaps"), 0);
    weir_store_stats stats;
    assert_int_equal(weir_store_get_stats(b.dir, NULL, &stats, NULL), WEIR_OK);
    assert_int_equal(stats.expired, expired(&b));
    const int64_t oldest = ask(&b, "select min(ts) from samples");
    assert_true(oldest <= b.now - days * WEIR_DAY && oldest > b.now - (days + 2) * WEIR_DAY);
    bench_deinit(&b);
}

static void the_first_rule_that_matches_a_tag_counts(void **state)
{
    static const char *const one[] = {"d0/p1", "nothing/*"}, *const d0[] = {"d0/*"};
    static const weir_retention rules[] = {{one, 2, 0, 0}, {d0, 1, 5 * WEIR_DAY, 0}};
    struct bench b = {.config = {.n_retention = 2, .retention = rules}};
    (void)state;
    bench_init(&b);
    bench_hours(&b, 24 * testing_scaled(10, 20));
    assert_adds_up(&b);
    assert_int_equal(ask(&b, "select min(ts) from samples where tag = 'd0/p1'"), T0);
    assert_int_equal(ask(&b, "select min(ts) from samples where tag = 'd1/p0'"), T0);
    const int64_t oldest = ask(&b, "select min(ts) from samples where tag = 'd0/p0'");
    assert_true(oldest <= b.now - 5 * WEIR_DAY && oldest > b.now - 7 * WEIR_DAY);
    assert_int_equal(ask(&b, "select count(*) from samples where tag glob 'd0/p[023]'") +
                         expired(&b),
                     b.produced * 3 / N_TAGS);
    bench_deinit(&b);
}

static void a_rule_that_has_too_much_loses_its_oldest_with_a_gap_for_each_tag(void **state)
{
    static const char *const d0[] = {"d0/*"};
    static const weir_retention rules[] = {{d0, 1, 0, 1000 * 1000}};
    struct bench b = {.config = {.n_retention = 1, .retention = rules}};
    (void)state;
    bench_init(&b);
    bench_hours(&b, 24 * testing_scaled(5, 7));
    assert_adds_up(&b);
    assert_int_equal(ask(&b, "select count(*) from gaps"), N_TAGS / 2);
    assert_int_equal(ask(&b, "select count(*) from samples where tag = 'd0/p3'") +
                         ask_gaps(&b, "tag = 'd0/p3' and cause = 'rule'"),
                     b.produced / N_TAGS);
    assert_int_equal(ask(&b, "select count(*) from samples where tag glob 'd1/*'"), b.produced / 2);
    /* 8 bytes a sample: what may be had, less a day's part at most. */
    const int64_t kept = ask(&b, "select count(*) from samples where tag glob 'd0/*'");
    assert_true(kept * 8 < 1100 * 1000 && kept * 8 > 500 * 1000);
    bench_deinit(&b);
}

/* --- sinks -------------------------------------------------------------------------------- */

static void what_a_sink_lacks_goes_only_when_it_is_the_oldest_and_is_its_gap(void **state)
{
    struct bench b = {.config = {.max_bytes = MAX}};
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    bench_init(&b);
    bench_hours(&b, 1);
    /* Half of a row is acknowledged. */
    const uint64_t seq = BATCH * N_TAGS / 2;
    assert_int_equal(
        weir_store_set_cursor(b.store, "office", seq, NULL, 0, (weir_wall){b.now}, &error),
        WEIR_OK);
    int64_t last_of_sink = 0;
    for (int i = 0; i < 100; i++) {
        bench_hours(&b, 1);
        last_of_sink = ask_gaps(&b, "sink = 'office'");
        if (last_of_sink > 0)
            break;
    }
    assert_true(last_of_sink > 0);
    /* By then history had given up all that is older. */
    assert_true(ask(&b, "select min(ts) from samples") >=
                ask(&b, "select max(to_ts) from gaps where sink = 'office'"));
    bench_hours(&b, 50);
    const int64_t gone = ask_gaps(&b, "sink = 'office'");
    const int64_t left = ask(&b, "select coalesce(sum(count), 0) from main.log");
    const int64_t fresh = ask(&b, "select coalesce(sum(count), 0) from main.fresh where first_seq >"
                                  " (select value from main.meta where key = 'merged_seq')");
    assert_int_equal(gone + left + fresh + (int64_t)seq, b.produced);
    assert_adds_up(&b);
    bench_deinit(&b);
}

static void aside_add(const struct bench *b, const char *sink, int n, uint64_t first_seq)
{
    static weir_sink_row rows[1000];
    static weir_set_aside aside[1000];
    const weir_sink_tag tag = {.uid = 1, .name = "d0/p0"};
    assert_true(n <= 1000);
    for (int i = 0; i < n; i++) {
        rows[i] = (weir_sink_row){
            .tag = &tag,
            .seq = first_seq + (uint64_t)i,
            .sample = {1, 0, {b->now + i}, weir_value_string(filling, sizeof filling - 1)}};
        aside[i] = (weir_set_aside){&rows[i], "too odd"};
    }
    assert_int_equal(
        weir_store_set_aside(b->store, sink, aside, (size_t)n, (weir_wall){b->now}, NULL), WEIR_OK);
}

/* Half of what the store may have is rows that sinks would not take. */
static void rows_set_aside_go_when_they_are_the_oldest_and_are_the_sinks_gap(void **state)
{
    struct bench b = {.config = {.max_bytes = MAX}};
    const weir_edit retry = {
        .kind = WEIR_EDIT_SINK_RETRY, .subject = "main", .tags = NULL, .from = {T0}};
    static const char *const names[] = {"main", "office"};
    uint64_t n;
    (void)state;
    bench_init(&b);
    assert_int_equal(weir_store_register_sinks(b.store, names, 2, (weir_wall){T0}, NULL), WEIR_OK);
    for (uint64_t i = 0; i < 2; i++)
        aside_add(&b, "main", 1000, 1 + i * 1000);
    assert_int_equal(weir_store_edit(b.store, &retry, (weir_wall){T0}, &n, NULL), WEIR_OK);
    b.now += WEIR_HOUR;
    aside_add(&b, "office", 500, 1);
    const int64_t last = b.now + 499;
    for (int i = 0; i < 200 && ask_gaps(&b, "sink='office'") == 0; i++) {
        for (int k = 0; k < 2; k++) /* they keep up */
            assert_int_equal(weir_store_set_cursor(b.store, names[k],
                                                   weir_store_get_position(b.store).committed_seq,
                                                   NULL, 0, (weir_wall){b.now}, NULL),
                             WEIR_OK);
        bench_hours(&b, 1);
        assert_true(weir_store_get_usage(b.store).bytes <= MAX * 11 / 10);
        assert_int_equal(ask_gaps(&b, "sink='main' AND cause='max_size'"),
                         2000 - ask(&b, "select count(*) from main.set_aside where sink='main'"));
    }
    /* The older ones went first. All are told, and nothing counts them any more. */
    assert_int_equal(ask_gaps(&b, "sink='main'"), 2000);
    assert_int_equal(ask_gaps(&b, "sink='office'"), 500);
    assert_int_equal(ask(&b, "select max(to_ts) from gaps where sink='office'"), last);
    assert_int_equal(ask(&b, "select count(*) from gaps where sink<>''"), 2);
    assert_int_equal(ask(&b, "select count(*) from main.set_aside"), 0);
    assert_int_equal(ask(&b, "select count(*) from main.set_aside_retry"), 0);
    assert_int_equal(ask(&b, "select sum(set_aside)+sum(retries) from main.sink_order"), 0);
    assert_adds_up(&b);
    /* What is newer than history's oldest part stays. */
    aside_add(&b, "main", 10, 9000);
    bench_hours(&b, 3);
    assert_int_equal(ask(&b, "select set_aside from main.sink_order where sink='main'"), 10);
    bench_deinit(&b);
}

/* What was sent live before it was dropped is no gap; what a reader meets in the log is. */
static void what_a_take_misses_is_in_the_gap_but_for_what_was_done_before(void **state)
{
    struct bench b = {.config = {.max_bytes = MAX}};
    weir_take *take = NULL;
    weir_take_chunk c;
    bool any;
    (void)state;
    bench_init(&b);
    bench_hours(&b, 1);
    const uint64_t seq = BATCH * N_TAGS / 2;
    const weir_span live = {seq + 100, seq + 1099};
    const uint64_t events = (uint64_t)ask(
        &b, "select count(*) from main.event where seq between 1700 and 2699"); /* of live */
    assert_int_equal(
        weir_store_set_cursor(b.store, "office", seq, &live, 1, (weir_wall){b.now}, NULL), WEIR_OK);
    for (int i = 0; i < 100 && ask_gaps(&b, "sink = 'office'") < 5000; i++)
        bench_hours(&b, 1);
    const uint64_t gone = (uint64_t)ask_gaps(&b, "sink = 'office'");
    assert_true(gone >= 5000);
    assert_int_equal(weir_take_open(b.dir, NULL, "office", &take, NULL), WEIR_OK);
    uint64_t lost = 0, got = 0, at = seq;
    while (weir_take_next(take, at, UINT64_MAX, 3000, &c, &any, NULL) == WEIR_OK && any) {
        assert_true(c.lost == 0 || c.n == 0);
        lost += c.lost;
        got += c.n;
        at = c.last_seq;
    }
    assert_int_equal(lost, gone + 1000 - events);
    assert_int_equal(lost + got + seq, b.produced);
    weir_take_close(take);
    bench_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_max_size_the_oldest_go_and_one_gap_tells_all_of_it),
        cmocka_unit_test(a_larger_max_size_ends_it_and_the_alarm_comes_again),
        cmocka_unit_test(a_smaller_max_size_shrinks_the_file),
        cmocka_unit_test(drop_newest_stores_nothing_more_and_says_how_much),
        cmocka_unit_test(block_lets_samples_wait_until_there_is_room),
        cmocka_unit_test(what_was_lost_before_it_came_is_a_gap_of_memory),
        cmocka_unit_test(below_min_free_the_store_does_not_grow),
        cmocka_unit_test(a_share_of_the_disk_and_a_small_reserve_on_a_small_disk),
        cmocka_unit_test(samples_older_than_the_rule_go_and_are_counted_not_gaps),
        cmocka_unit_test(the_first_rule_that_matches_a_tag_counts),
        cmocka_unit_test(a_rule_that_has_too_much_loses_its_oldest_with_a_gap_for_each_tag),
        cmocka_unit_test(what_a_sink_lacks_goes_only_when_it_is_the_oldest_and_is_its_gap),
        cmocka_unit_test(rows_set_aside_go_when_they_are_the_oldest_and_are_the_sinks_gap),
        cmocka_unit_test(what_a_take_misses_is_in_the_gap_but_for_what_was_done_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
