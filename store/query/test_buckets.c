/* SPDX-License-Identifier: MIT */
/* Buckets say what the samples say, however these lie in the store. */

#include "store/query/query.h"

#include <inttypes.h>
#include <math.h>

#include "base/random.h"
#include "base/step.h"
#include "store/file/zonefile.h"
#include "store/history/testing_history.h"

struct fixture {
    char *dir;
    weir_store *store;
    weir_catalog *catalog;
    weir_query *query;
};

static struct fixture fixture_open(uint32_t n_points)
{
    struct fixture f = {.dir = testing_dir()};
    weir_error error = WEIR_ERROR_INIT;
    f.store = testing_open(f.dir);
    f.catalog = testing_catalog(1, n_points);
    testing_register(f.store, f.catalog);
    if (weir_query_open(f.dir, NULL, &f.query, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    return f;
}

static void fixture_close(struct fixture *f)
{
    weir_query_close(f->query);
    weir_store_close(f->store);
    weir_catalog_free(f->catalog);
    testing_remove(f->dir);
}

static const char *ask(struct fixture *f, const char *sql)
{
    return testing_sql(weir_query_db(f->query), sql);
}

/* The error of a statement that must fail. */
static const char *ask_in_vain(struct fixture *f, const char *sql)
{
    sqlite3 *db = weir_query_db(f->query);
    assert_int_not_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    return sqlite3_errmsg(db);
}

static void put(struct fixture *f, int64_t ts, weir_quality quality, weir_value value)
{
    weir_sample sample = {1, quality, {ts}, value};
    weir_batch batch = {.due = {ts}, .received = {ts + 1000}, .n_samples = 1, .samples = &sample};
    assert_int_equal(weir_store_append(f->store, &batch, NULL), WEIR_OK);
}

/* --- against the plainest way ------------------------------------------------------------- */

/* Rounded, so that it does not matter in which order doubles were added. */
static void number_add(char *text, size_t room, double v)
{
    size_t n = strlen(text);
    (void)snprintf(text + n, room - n, "|%.6f", v + 0.0);
}

/* A bucket as it is being filled. */
struct plain {
    int64_t ts;
    int64_t samples, numbers, good;
    double min, max, sum, first, last, delta;
    bool any;
};

static void plain_print(const struct plain *p, char *text, size_t room)
{
    size_t n = strlen(text);
    if (!p->any)
        return;
    n += (size_t)snprintf(text + n, room - n, "%s%" PRId64, n ? "\n" : "", p->ts);
    if (p->numbers == 0) {
        (void)snprintf(text + n, room - n, "|NULL|NULL|NULL|NULL|NULL|NULL|0|bad");
        return;
    }
    number_add(text, room, p->delta);
    number_add(text, room, p->min);
    number_add(text, room, p->max);
    number_add(text, room, p->sum / (double)p->numbers);
    number_add(text, room, p->first);
    number_add(text, room, p->last);
    n = strlen(text);
    (void)snprintf(text + n, room - n, "|%" PRId64 "|%s", p->numbers,
                   p->good == p->samples ? "good" : "uncertain");
}

struct replaced {
    int64_t ts;
    double final, first;
};

/* From one number to the next, of a uint16 counter or of something else. */
static double plain_step(bool counter, double before, double after)
{
    if (!counter || after >= before)
        return after - before;
    if (before >= 65536 * 0.9 && after <= 65536 * 0.1)
        return 65536 - before + after;
    return after;
}

typedef int64_t bucket_of(const void *data, int64_t ts);

/* All buckets, from the samples that SQL has. */
static void plain_buckets(struct fixture *f, bool counter, const struct replaced *replaced,
                          size_t n_replaced, bucket_of *of, const void *data, int64_t min_ts,
                          int64_t max_ts, char *text, size_t room)
{
    sqlite3_stmt *s = NULL;
    struct plain p = {0};
    bool has_last = false;
    double last = 0;
    size_t met = 0;
    text[0] = '\0';
    assert_int_equal(sqlite3_prepare_v2(weir_query_db(f->query),
                                        "SELECT ts, value, quality FROM samples WHERE tag='d0/p0'"
                                        " ORDER BY ts, epoch",
                                        -1, &s, NULL),
                     SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        int64_t ts = sqlite3_column_int64(s, 0);
        bool number = sqlite3_column_type(s, 1) != SQLITE_NULL;
        double v = sqlite3_column_double(s, 1), step = 0;
        for (; number && met < n_replaced && replaced[met].ts <= ts; met++) {
            step += has_last ? replaced[met].final - last : 0;
            last = has_last ? replaced[met].first : last;
        }
        if (number && has_last)
            step += plain_step(counter, last, v);
        if (number) {
            has_last = true;
            last = v;
        }
        if (ts < min_ts || ts > max_ts)
            continue;
        if (!p.any || of(data, ts) != p.ts) {
            plain_print(&p, text, room);
            p = (struct plain){.ts = of(data, ts), .any = true};
        }
        p.samples++;
        p.good += number && strcmp((const char *)sqlite3_column_text(s, 2), "good") == 0;
        if (!number)
            continue;
        p.min = p.numbers == 0 || v < p.min ? v : p.min;
        p.max = p.numbers == 0 || v > p.max ? v : p.max;
        p.first = p.numbers == 0 ? v : p.first;
        p.last = v;
        p.sum += v;
        p.delta += step;
        p.numbers++;
    }
    (void)sqlite3_finalize(s);
    plain_print(&p, text, room);
}

/* printf would make 0.000000 of a null. */
#define BUCKET_NULLS                                              \
    "SELECT ts, CASE WHEN count THEN printf('%%.6f', delta) END," \
    " CASE WHEN count THEN printf('%%.6f', min) END,"             \
    " CASE WHEN count THEN printf('%%.6f', max) END,"             \
    " CASE WHEN count THEN printf('%%.6f', avg) END,"             \
    " CASE WHEN count THEN printf('%%.6f', first) END,"           \
    " CASE WHEN count THEN printf('%%.6f', last) END, count, quality FROM %s"

struct by_step {
    weir_step step;
    const weir_zone *zone;
};

static int64_t step_bucket(const void *data, int64_t ts)
{
    const struct by_step *b = data;
    return weir_step_start(b->step, b->zone, (weir_wall){ts}).us;
}

struct by_slot {
    int64_t from, width;
};

static int64_t slot_bucket(const void *data, int64_t ts)
{
    const struct by_slot *b = data;
    return b->from + (ts - b->from) / b->width * b->width;
}

static char want[1 << 20];

static void compare(struct fixture *f, const char *table)
{
    char sql[1200];
    (void)snprintf(sql, sizeof sql, BUCKET_NULLS, table);
    const char *got = ask(f, sql);
    if (strcmp(got, want) != 0)
        fail_msg("%s:\n%s\n--- instead of\n%s", table, got, want);
}

/* A week of a counter around the change of the clocks in Berlin, 2023-10-29 01:00 UTC: with gaps,
 * bad replies, resets, wraps, late and corrected samples, in fresh rows and parts that overlap. */
static void random_fill(struct fixture *f, weir_random *r, int64_t from)
{
    int64_t ts = from;
    uint64_t value = weir_random_below(r, 60000);
    for (int i = 0; i < 1500; i++) {
        int64_t at = ts;
        ts += (int64_t)weir_random_below(r, 120) * 10 * WEIR_S;
        if (weir_random_below(r, 60) == 0)
            ts += (int64_t)weir_random_below(r, 30) * WEIR_HOUR;
        value = weir_random_below(r, 40) == 0 ? weir_random_below(r, 3000)
                                              : (value + weir_random_below(r, 900)) % 65536;
        if (weir_random_below(r, 8) == 0)
            at = from + (int64_t)weir_random_below(r, (uint64_t)(ts - from) / WEIR_S + 1) * WEIR_S;
        if (weir_random_below(r, 12) == 0)
            put(f, at, weir_bad(WEIR_CAUSE_TIMEOUT, 0), weir_value_null());
        else if (weir_random_below(r, 20) == 0)
            put(f, at, weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_LATE, 0), weir_value_u64(value));
        else
            put(f, at, 0, weir_value_u64(value));
        if (weir_random_below(r, 10) == 0)
            testing_commit(f->store);
        if (weir_random_below(r, 150) == 0)
            testing_to_history(f->dir, 0, 1 + weir_random_below(r, 200));
    }
    testing_commit(f->store);
}

static void buckets_are_those_of_the_samples(void **state)
{
    (void)state;
    static const struct {
        const char *step, *zone;
    } rules[] = {{"15min", ""},           {"1h", "Europe/Berlin"},        {"6h", "Europe/Berlin"},
                 {"1d", "Europe/Berlin"}, {"1mo", "Australia/Lord_Howe"}, {"1w", "UTC"}};
    const int64_t from = 1698300000 * WEIR_S; /* 2023-10-26 06:00 UTC */
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct fixture f = fixture_open(1);
        weir_random r = {seed};
        const bool counter = seed % 3 != 0;
        random_fill(&f, &r, from);
        struct replaced replaced[2] = {{from + 20 * WEIR_HOUR + 7, 70000.5, 3.25},
                                       {from + 90 * WEIR_HOUR, 20, 0}};
        size_t n_replaced = seed % 2 ? 2 : 0;
        (void)testing_file_sql(f.dir, counter ? "UPDATE tag_version SET counter=1"
                                              : "UPDATE tag_version SET counter=0");
        for (size_t i = 0; i < n_replaced; i++) {
            char sql[200];
            (void)snprintf(sql, sizeof sql, "INSERT INTO replacement VALUES(1,%" PRId64 ",%f,%f)",
                           replaced[i].ts, replaced[i].final, replaced[i].first);
            (void)testing_file_sql(f.dir, sql);
        }
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
            struct by_step by;
            weir_zone *owned = NULL;
            char table[300];
            assert_int_equal(weir_step_parse(rules[i].step, &by.step, NULL), WEIR_OK);
            assert_int_equal(weir_zone_open(rules[i].zone, &by.zone, &owned, NULL), WEIR_OK);
            plain_buckets(&f, counter, replaced, n_replaced, step_bucket, &by, INT64_MIN, INT64_MAX,
                          want, sizeof want);
            (void)snprintf(table, sizeof table, "buckets('d0/p0', '%s', '%s')", rules[i].step,
                           rules[i].zone);
            compare(&f, table);
            /* A part of it: bounds are bounds of beginnings. */
            int64_t low = step_bucket(&by, from + 30 * WEIR_HOUR + 1);
            int64_t high = step_bucket(&by, from + 100 * WEIR_HOUR);
            int64_t end = weir_step_next(by.step, by.zone, (weir_wall){high}).us - 1;
            plain_buckets(&f, counter, replaced, n_replaced, step_bucket, &by, low, end, want,
                          sizeof want);
            (void)snprintf(table, sizeof table,
                           "buckets('d0/p0', '%s', '%s') WHERE ts>=%" PRId64 " AND ts<=%" PRId64,
                           rules[i].step, rules[i].zone, low, high + 1);
            compare(&f, table);
            weir_zone_free(owned);
        }
        for (int64_t n = 1; n < 3000; n = n * 7 + 3) {
            struct by_slot by = {from + 11 * WEIR_HOUR, 0};
            int64_t to = from + 150 * WEIR_HOUR + 3;
            char table[200];
            by.width = (to - by.from + n - 1) / n;
            plain_buckets(&f, counter, replaced, n_replaced, slot_bucket, &by, by.from, to - 1,
                          want, sizeof want);
            (void)snprintf(table, sizeof table,
                           "history('d0/p0', %" PRId64 ", %" PRId64 ", %" PRId64 ")", by.from, to,
                           n);
            compare(&f, table);
        }
        fixture_close(&f);
    }
}

/* --- counters ----------------------------------------------------------------------------- */

static void growth_goes_over_wraps_resets_and_a_new_meter(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1);
    static const struct {
        int64_t hour;
        weir_value value;
    } samples[] = {
        {0, {.kind = WEIR_KIND_DECIMAL, .exponent = -1, .as.i = 65000}},
        {1, {.kind = WEIR_KIND_DECIMAL, .exponent = -1, .as.i = 65500}},
        {25, {.kind = WEIR_KIND_DECIMAL, .exponent = -1, .as.i = 100}}, /* wrapped: 136 */
        {26, {.kind = WEIR_KIND_DECIMAL, .exponent = -1, .as.i = 30000}},
        {49, {.kind = WEIR_KIND_DECIMAL, .exponent = -1, .as.i = 7}},  /* switched off and on */
        {73, {.kind = WEIR_KIND_DECIMAL, .exponent = -1, .as.i = 50}}, /* another meter */
        {74, {.kind = WEIR_KIND_DECIMAL, .exponent = -1, .as.i = 51}},
    };
    (void)testing_file_sql(f.dir, "UPDATE tag_version SET counter=1, scale=0.1");
    (void)testing_file_sql(f.dir, "INSERT INTO replacement VALUES(1, 1700265600000000, 20.7, 4.5)");
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        put(&f, 1700006400 * WEIR_S + samples[i].hour * WEIR_HOUR, 0, samples[i].value);
    testing_commit(f.store);
    static const char days[] = "6500.0|6550.0|50.0\n10.0|3000.0|3003.6\n0.7|0.7|0.7\n5.0|5.1|20.6";
    static const char sql[] = "SELECT first, last, delta FROM buckets('d0/p0', '1d', 'UTC')";
    assert_string_equal(ask(&f, sql), days);
    testing_to_history(f.dir, 0, 2);
    assert_string_equal(ask(&f, sql), days);
    assert_string_equal(ask(&f, "SELECT delta FROM buckets('d0/p0', '1y')"), "3074.9");
    assert_string_equal(ask(&f, "SELECT printf('%.1f', sum(delta)) FROM buckets('d0/p0', '15min')"),
                        "3074.9");
    (void)testing_file_sql(f.dir, "UPDATE tag_version SET counter=0");
    assert_string_equal(ask(&f, sql), "6500.0|6550.0|50.0\n10.0|3000.0|-3550.0\n"
                                      "0.7|0.7|-2999.3\n5.0|5.1|20.6");
    fixture_close(&f);
}

static void large_numbers_stay_exact(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1);
    put(&f, T0, 0, weir_value_u64(UINT64_MAX - 10));
    put(&f, T0 + 1, 0, weir_value_u64(UINT64_MAX - 3));
    testing_commit(f.store);
    assert_string_equal(ask(&f, "SELECT delta, first FROM buckets('d0/p0', '1d')"),
                        "7|18446744073709551605");
    fixture_close(&f);
}

/* --- what is shown ------------------------------------------------------------------------ */

static void gaps_stay_gaps_and_bad_buckets_have_no_numbers(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1);
    put(&f, T0, 0, weir_value_i64(4));
    put(&f, T0 + 1, weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_LATE, 0), weir_value_i64(8));
    put(&f, T0 + 3 * WEIR_DAY, weir_bad(WEIR_CAUSE_TIMEOUT, 0), weir_value_null());
    put(&f, T0 + 4 * WEIR_DAY, 0, weir_value_i64(2));
    testing_commit(f.store);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(
            ask(&f, "SELECT * FROM buckets('d0/p0', '1d', 'UTC')"),
            "1699920000000000|2023-11-14T00:00:00.000000Z|4|4|8|6.0|4|8|2|uncertain\n"
            "1700179200000000|2023-11-17T00:00:00.000000Z|NULL|NULL|NULL|NULL|NULL|NULL|0|bad\n"
            "1700265600000000|2023-11-18T00:00:00.000000Z|-6|2|2|2.0|2|2|1|good");
        testing_to_history(f.dir, 0, 0);
    }
    assert_string_equal(ask(&f, "SELECT time FROM buckets('d0/p0', '1d') WHERE time>'2023-11-14'"
                                " ORDER BY ts LIMIT 1"),
                        "2023-11-17T00:00:00.000000Z");
    assert_string_equal(ask(&f, "SELECT count(*) FROM buckets('d0/p0', '1mo', 'Europe/Berlin')"),
                        "1");
    assert_string_equal(
        ask(&f, "SELECT time, count FROM history('d0/p0', '2023-11-14', '2023-11-19', 2)"),
        "2023-11-14T00:00:00.000000Z|2\n2023-11-16T12:00:00.000000Z|1");
    fixture_close(&f);
}

static void several_tags_and_joins(void **state)
{
    (void)state;
    struct fixture f = fixture_open(3);
    for (weir_tag_uid tag = 1; tag <= 3; tag++)
        for (int64_t i = 0; i < 4; i++)
            testing_append(f.store, tag, T0 + i * WEIR_HOUR, 0, weir_value_i64(i * tag));
    testing_commit(f.store);
    assert_string_equal(ask(&f, "SELECT tag, delta FROM buckets WHERE tag GLOB 'd0/p[12]'"
                                " AND step='1y'"),
                        "d0/p1|6\nd0/p2|9");
    assert_string_equal(
        ask(&f, "SELECT tag, count(*) FROM buckets WHERE step='1h' AND tag IN ('d0/p2','d0/p0')"
                " GROUP BY tag ORDER BY tag DESC"),
        "d0/p2|4\nd0/p0|4");
    assert_string_equal(ask(&f, "SELECT t.tag, b.last FROM tags t JOIN buckets(t.tag, '1d') b"
                                " WHERE t.tag<>'d0/p1' ORDER BY 1, 2"),
                        "d0/p0|1\nd0/p0|3\nd0/p2|3\nd0/p2|9");
    assert_string_equal(ask(&f, "SELECT count(*) FROM buckets WHERE step='1h' AND"
                                " (tag='d0/p0' OR tag='d0/p1')"),
                        "8");
    assert_string_equal(ask(&f, "SELECT sum(count) FROM buckets WHERE step='1h'"), "12");
    assert_string_equal(ask(&f, "SELECT step, tz FROM buckets('d0/p0', '1y', 'UTC')"), "1y|UTC");
    assert_string_equal(ask(&f, "SELECT tz, tz IS NULL FROM buckets('d0/p0', '1y')"), "UTC|0");
    assert_string_equal(ask(&f, "SELECT tz FROM buckets('d0/p0', '1y', NULL)"), "UTC");
    assert_string_equal(ask(&f, "SELECT ts, count FROM history('d0/p0', -9223372036854775807,"
                                " 9223372036854775807, 1)"),
                        "-9223372036854775807|4");
    assert_string_equal(ask(&f, "SELECT ts, count FROM history('d0/p0', -9000000000000000000,"
                                " 9000000000000000000, 3)"),
                        "-3000000000000000000|4");
    assert_string_equal(ask(&f, "SELECT count(*) FROM buckets(NULL, '1h')"), "0");
    assert_string_equal(ask(&f, "SELECT count(*) FROM history('d0/p0', 5, 5, 10)"), "0");
    fixture_close(&f);
}

static void wrong_arguments_are_explained(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1);
    static const struct {
        const char *sql, *want;
    } cases[] = {
        {"SELECT * FROM buckets('d0/p0')", "no step"},
        {"SELECT * FROM buckets('d0/p0', '7h')", "7h"},
        {"SELECT * FROM buckets('d0/p0', '1d', 'Europe/Berlni')", "did you mean Europe/Berlin"},
        {"SELECT * FROM buckets('d0/p0', '1d', 'berlin')", "Europe/Berlin"},
        {"SELECT * FROM buckets('d0/p0', '1d', 'Europe')", "no time zone 'Europe'"},
        {"SELECT * FROM buckets('d0/p0', '1d', '../../../etc/passwd')", "no time zone"},
        {"SELECT * FROM buckets('d0/p0', '1d', 'qqqqqqqqqqqqqq')", "names are like Europe/Berlin"},
        {"SELECT * FROM history('d0/p0', 0)", "to_ts"},
        {"SELECT * FROM history('d0/p0', 'yesterday', 5, 1)", "from_ts"},
        {"SELECT * FROM history('d0/p0', 0, 5, 0)", "n is a number of slots"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = ask_in_vain(&f, cases[i].sql);
        if (!strstr(got, cases[i].want))
            fail_msg("%s: %s", cases[i].sql, got);
    }
    fixture_close(&f);
}

/* --- what it costs ------------------------------------------------------------------------ */

static void only_the_edges_are_decompressed(void **state)
{
    (void)state;
    struct fixture f = fixture_open(1);
    for (int64_t day = 0; day < 8; day++) {
        for (int64_t i = 0; i < 1440; i++)
            put(&f, 1700006400 * WEIR_S + day * WEIR_DAY + i * WEIR_MINUTE, 0,
                weir_value_i64(day * 1440 + i));
        testing_commit(f.store);
        testing_to_history(f.dir, 0, 0);
    }
    weir_view_counters before = weir_query_counters(f.query);
    assert_string_equal(ask(&f,
                            "SELECT delta FROM buckets('d0/p0', '1d') WHERE ts>=1700092800000000"
                            " LIMIT 3"),
                        "1440\n1440\n1440");
    weir_view_counters after = weir_query_counters(f.query);
    assert_int_equal(after.bodies - before.bodies, 0);
    (void)ask(&f, "SELECT * FROM buckets('d0/p0', '1d', 'Asia/Kathmandu')"); /* 05:45 */
    before = weir_query_counters(f.query);
    assert_true(before.bodies - after.bodies <= 8);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_those_of_the_samples),
        cmocka_unit_test(growth_goes_over_wraps_resets_and_a_new_meter),
        cmocka_unit_test(large_numbers_stay_exact),
        cmocka_unit_test(gaps_stay_gaps_and_bad_buckets_have_no_numbers),
        cmocka_unit_test(several_tags_and_joins),
        cmocka_unit_test(wrong_arguments_are_explained),
        cmocka_unit_test(only_the_edges_are_decompressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
