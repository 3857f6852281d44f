/* SPDX-License-Identifier: MIT */
/* Tests of calendar steps: days of a changed clock by hand, everything else by its properties. */

#include "base/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/test_zone.h"

static weir_step step_of(const char *text)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_step step = {WEIR_STEP_DAYS, 1};
    if (weir_step_parse(text, &step, &error) != WEIR_OK)
        fail_msg("%s: %s", text, error.text);
    return step;
}

static void steps_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        weir_step step;
    } cases[] = {
        {"1ms", {WEIR_STEP_ELAPSED, WEIR_MS}},
        {"500ms", {WEIR_STEP_ELAPSED, 500 * WEIR_MS}},
        {"30s", {WEIR_STEP_ELAPSED, 30 * WEIR_S}},
        {"15min", {WEIR_STEP_ELAPSED, 15 * WEIR_MINUTE}},
        {"60min", {WEIR_STEP_ELAPSED, WEIR_HOUR}},
        {"1h", {WEIR_STEP_ELAPSED, WEIR_HOUR}},
        {"45min", {WEIR_STEP_CLOCK, 45 * WEIR_MINUTE}},
        {"90min", {WEIR_STEP_CLOCK, 90 * WEIR_MINUTE}},
        {"2h", {WEIR_STEP_CLOCK, 2 * WEIR_HOUR}},
        {"12h", {WEIR_STEP_CLOCK, 12 * WEIR_HOUR}},
        {"24h", {WEIR_STEP_DAYS, 1}},
        {"86400000ms", {WEIR_STEP_DAYS, 1}},
        {"1d", {WEIR_STEP_DAYS, 1}},
        {"1w", {WEIR_STEP_DAYS, 7}},
        {"1mo", {WEIR_STEP_MONTHS, 1}},
        {"3mo", {WEIR_STEP_MONTHS, 3}},
        {"12mo", {WEIR_STEP_MONTHS, 12}},
        {"1y", {WEIR_STEP_MONTHS, 12}},
        {"100y", {WEIR_STEP_MONTHS, 1200}},
        {"36525d", {WEIR_STEP_DAYS, 36525}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_step got = step_of(cases[i].text);
        if (got.kind != cases[i].step.kind || got.count != cases[i].step.count)
            fail_msg("%s: kind %d, count %lld", cases[i].text, got.kind, (long long)got.count);
    }
}

static void steps_that_cannot_be_are_refused_with_a_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        weir_err err;
        const char *reason;
    } cases[] = {
        {"", WEIR_ESYNTAX, "15min, 1h, 1d or 1mo"},
        {"h", WEIR_ESYNTAX, "15min, 1h, 1d or 1mo"},
        {"15", WEIR_ESYNTAX, "ms, s, min, h, d, w, mo and y"},
        {"5m", WEIR_ESYNTAX, "ms, s, min, h, d, w, mo and y"},
        {"1h30min", WEIR_ESYNTAX, "1h30min"},
        {"1.5h", WEIR_ESYNTAX, "whole number"},
        {"-1h", WEIR_ESYNTAX, "whole number"},
        {"0h", WEIR_ESYNTAX, "whole number"},
        {"1 h", WEIR_ESYNTAX, "whole number"},
        {"1H", WEIR_ESYNTAX, "whole number"},
        {"7h", WEIR_EINVAL, "6h and 8h"},
        {"13h", WEIR_EINVAL, "12h and 24h"},
        {"25h", WEIR_EINVAL, "24h and 48h"},
        {"50min", WEIR_EINVAL, "48min and 60min"},
        {"7min", WEIR_EINVAL, "6min and 8min"},
        {"7ms", WEIR_EINVAL, "6ms and 8ms"},
        {"86399999ms", WEIR_EINVAL, "43200000ms and 86400000ms"},
        {"5mo", WEIR_EINVAL, "4mo and 6mo"},
        {"18mo", WEIR_EINVAL, "12mo and 24mo"},
        {"101y", WEIR_EINVAL, "longer than 100y"},
        {"36526d", WEIR_EINVAL, "longer than 36525d"},
        {"99999999999999999999999999h", WEIR_EINVAL, "longer than 876600h"},
        {"18446744073709551617ms", WEIR_EINVAL, "longer than"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error = WEIR_ERROR_INIT;
        weir_step step = {WEIR_STEP_DAYS, 42};
        const weir_err err = weir_step_parse(cases[i].text, &step, &error);
        if (err != cases[i].err || !strstr(error.text, cases[i].reason) || step.count != 42)
            fail_msg("\"%s\": %d, %s", cases[i].text, err, error.text);
    }
}

/* Walks through a local day and writes its buckets' lengths in minutes: "60*22 120". */
static void day_print(const weir_zone *zone, const char *step, const char *date, char ret[256])
{
    const weir_step s = step_of(step);
    const weir_wall from = weir_zone_to_utc(zone, wall_of(date).us);
    const weir_wall until = weir_zone_to_utc(zone, wall_of(date).us + WEIR_DAY);
    weir_wall t = weir_step_start(s, zone, from);
    int64_t last = -1;
    size_t n = 0, length = 0;
    ret[0] = '\0';
    assert_true(t.us == from.us);
    while (t.us < until.us) {
        const weir_wall next = weir_step_next(s, zone, t);
        const int64_t minutes = (next.us - t.us) / WEIR_MINUTE;
        assert_true(next.us > t.us && (next.us - t.us) % WEIR_MINUTE == 0);
        n = minutes == last ? n + 1 : 1;
        last = minutes;
        t = next;
        const weir_wall after = weir_step_next(s, zone, t);
        if (t.us >= until.us || (after.us - t.us) / WEIR_MINUTE != last)
            length += (size_t)snprintf(ret + length, 256 - length, "%s%lld*%zu", length ? " " : "",
                                       (long long)last, n);
    }
    assert_true(t.us == until.us);
}

static void days_of_a_changed_clock_have_the_buckets_of_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *date, *step, *minutes;
    } cases[] = {
        {"Europe/Berlin", "2024-03-30", "1h", "60*24"},
        {"Europe/Berlin", "2024-03-31", "1h", "60*23"},
        {"Europe/Berlin", "2024-03-31", "15min", "15*92"},
        {"Europe/Berlin", "2024-03-31", "90min", "90*1 30*1 90*14"},
        {"Europe/Berlin", "2024-03-31", "2h", "120*1 60*1 120*10"},
        {"Europe/Berlin", "2024-03-31", "3h", "120*1 180*7"},
        {"Europe/Berlin", "2024-03-31", "12h", "660*1 720*1"},
        {"Europe/Berlin", "2024-03-31", "1d", "1380*1"},
        {"Europe/Berlin", "2024-10-27", "1h", "60*25"},
        {"Europe/Berlin", "2024-10-27", "15min", "15*100"},
        {"Europe/Berlin", "2024-10-27", "90min", "90*1 150*1 90*14"},
        {"Europe/Berlin", "2024-10-27", "2h", "120*1 180*1 120*10"},
        {"Europe/Berlin", "2024-10-27", "3h", "240*1 180*7"},
        {"Europe/Berlin", "2024-10-27", "12h", "780*1 720*1"},
        {"Europe/Berlin", "2024-10-27", "1d", "1500*1"},
        {"Europe/Berlin", "2100-03-28", "1h", "60*23"},
        {"Europe/Berlin", "2100-10-31", "1h", "60*25"},
        {"America/New_York", "2024-03-10", "1h", "60*23"},
        {"America/New_York", "2024-03-10", "4h", "180*1 240*5"},
        {"America/New_York", "2024-11-03", "1h", "60*25"},
        {"America/New_York", "2024-11-03", "4h", "300*1 240*5"},
        /* half an hour: 15min fits, 1h does not */
        {"Australia/Lord_Howe", "2024-10-06", "15min", "15*94"},
        {"Australia/Lord_Howe", "2024-10-06", "1h", "60*2 30*1 60*21"},
        {"Australia/Lord_Howe", "2024-10-06", "2h", "120*1 90*1 120*10"},
        {"Australia/Lord_Howe", "2024-04-07", "15min", "15*98"},
        {"Australia/Lord_Howe", "2024-04-07", "1h", "60*1 90*1 60*22"},
        {"Australia/Lord_Howe", "2024-04-07", "20min", "20*5 30*1 20*67"},
        {"Australia/Lord_Howe", "2024-04-07", "2h", "150*1 120*11"},
        {"Asia/Kathmandu", "2024-07-01", "1h", "60*24"},
        {"Asia/Kathmandu", "1986-01-01", "1h", "45*1 60*23"}, /* 00:00 became 00:15 */
        {"Africa/Casablanca", "2024-03-10", "1h", "60*25"},
        {"Africa/Casablanca", "2024-04-14", "1h", "60*23"},
        /* 00:01 became 23:01 of the day before; the new day goes on */
        {"America/St_Johns", "2010-11-06", "1h", "60*24"},
        {"America/St_Johns", "2010-11-07", "1h", "60*25"},
        {"America/St_Johns", "2010-11-07", "6h", "420*1 360*3"},
        {"Pacific/Apia", "2011-12-29", "1h", "60*24"},
        {"Pacific/Apia", "2011-12-31", "1h", "60*24"},
        {"Pacific/Apia", "2011-12-29", "1d", "1440*1"},
        {"America/Sao_Paulo", "2017-10-15", "1h", "60*23"}, /* began at 01:00 */
        {"America/Sao_Paulo", "2017-10-15", "6h", "300*1 360*3"},
        {"America/Sao_Paulo", "2018-02-17", "1h", "60*25"}, /* 24:00 became 23:00 */
        {"America/Sao_Paulo", "2018-02-17", "6h", "360*3 420*1"},
        {"America/Havana", "2024-11-03", "1h", "60*25"}, /* 01:00 became 00:00 */
        {"America/Havana", "2024-11-03", "12h", "780*1 720*1"},
        {"America/Havana", "2024-03-10", "1h", "60*23"},
        {"Antarctica/Troll", "2024-03-31", "1h", "60*22"},
        {"Antarctica/Troll", "2024-03-31", "2h", "60*2 120*10"}, /* 01:00 became 03:00 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_name(cases[i].zone);
        char got[256];
        day_print(zone, cases[i].step, cases[i].date, got);
        if (strcmp(got, cases[i].minutes) != 0)
            fail_msg("%s %s by %s: %s, not %s", cases[i].zone, cases[i].date, cases[i].step, got,
                     cases[i].minutes);
    }
}

static void starts_and_ends_are_those_of_the_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *step, *ts, *start, *next;
    } cases[] = {
        {"Europe/Berlin", "1d", "2024-03-31 12:00:00", "2024-03-30 23:00:00",
         "2024-03-31 22:00:00"},
        {"Europe/Berlin", "1d", "2024-10-27 22:59:59", "2024-10-26 22:00:00",
         "2024-10-27 23:00:00"},
        {"Europe/Berlin", "1h", "2024-10-27 00:30:00", "2024-10-27 00:00:00",
         "2024-10-27 01:00:00"},
        {"Europe/Berlin", "1h", "2024-10-27 01:30:00", "2024-10-27 01:00:00",
         "2024-10-27 02:00:00"},
        {"Europe/Berlin", "1w", "2024-04-01 00:00:00", "2024-03-31 22:00:00",
         "2024-04-07 22:00:00"},
        {"Europe/Berlin", "1w", "2024-03-31 21:59:59", "2024-03-24 23:00:00",
         "2024-03-31 22:00:00"},
        {"Europe/Berlin", "7d", "2024-03-31 21:59:59", "2024-03-24 23:00:00",
         "2024-03-31 22:00:00"},
        {"Europe/Berlin", "1mo", "2024-03-31 21:59:59", "2024-02-29 23:00:00",
         "2024-03-31 22:00:00"},
        {"Europe/Berlin", "3mo", "2024-11-05", "2024-09-30 22:00:00", "2024-12-31 23:00:00"},
        {"Europe/Berlin", "1y", "2024-12-31 22:59:59", "2023-12-31 23:00:00",
         "2024-12-31 23:00:00"},
        {"Europe/Berlin", "10y", "2024-05-05", "2019-12-31 23:00:00", "2029-12-31 23:00:00"},
        {"Europe/Berlin", "1mo", "2100-02-28 22:59:59", "2100-01-31 23:00:00",
         "2100-02-28 23:00:00"},
        {"Europe/Berlin", "1mo", "1969-12-31 22:59:59", "1969-11-30 23:00:00",
         "1969-12-31 23:00:00"},
        {"Europe/Berlin", "1y", "0002-06-01", "0001-12-31 23:06:32", "0002-12-31 23:06:32"},
        {"America/New_York", "1d", "1969-12-31 23:59:59", "1969-12-31 05:00:00",
         "1970-01-01 05:00:00"},
        {"America/New_York", "1w", "1969-12-31 23:59:59", "1969-12-29 05:00:00",
         "1970-01-05 05:00:00"},
        {"Asia/Kathmandu", "1h", "2024-01-01 00:00:00", "2023-12-31 23:15:00",
         "2024-01-01 00:15:00"},
        {"Pacific/Apia", "1d", "2011-12-30 09:59:59", "2011-12-29 10:00:00", "2011-12-30 10:00:00"},
        {"Pacific/Apia", "1d", "2011-12-30 10:00:00", "2011-12-30 10:00:00", "2011-12-31 10:00:00"},
        {"Pacific/Apia", "1w", "2011-12-31 00:00:00", "2011-12-26 10:00:00", "2012-01-01 10:00:00"},
        {"Pacific/Apia", "1mo", "2011-12-31 00:00:00", "2011-12-01 10:00:00",
         "2011-12-31 10:00:00"},
        {"America/Sao_Paulo", "1d", "2017-10-15 02:59:59", "2017-10-14 03:00:00",
         "2017-10-15 03:00:00"},
        {"America/Sao_Paulo", "1d", "2017-10-15 03:00:00", "2017-10-15 03:00:00",
         "2017-10-16 02:00:00"},
        {"America/Sao_Paulo", "1d", "2018-02-18 02:30:00", "2018-02-17 02:00:00",
         "2018-02-18 03:00:00"},
        {"America/St_Johns", "1d", "2010-11-07 03:00:00", "2010-11-07 02:30:00",
         "2010-11-08 03:30:00"},
        {"Australia/Lord_Howe", "1d", "2024-10-06 00:00:00", "2024-10-05 13:30:00",
         "2024-10-06 13:00:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_name(cases[i].zone);
        const weir_step step = step_of(cases[i].step);
        const weir_wall start = weir_step_start(step, zone, wall_of(cases[i].ts));
        const weir_wall next = weir_step_next(step, zone, start);
        char got_start[28], got_next[28];
        weir_wall_format(start, got_start);
        weir_wall_format(next, got_next);
        if (start.us != wall_of(cases[i].start).us || next.us != wall_of(cases[i].next).us)
            fail_msg("%s %s of %s: %s to %s", cases[i].zone, cases[i].step, cases[i].ts, got_start,
                     got_next);
    }
}

/* ---- properties ---- */

static const char *const property_zones[] = {
    "Europe/Berlin",     "America/New_York",  "Australia/Lord_Howe", "Asia/Kathmandu",
    "Africa/Casablanca", "America/St_Johns",  "Pacific/Apia",        "America/Sao_Paulo",
    "America/Havana",    "Asia/Gaza",         "America/Nuuk",        "Europe/Dublin",
    "Antarctica/Troll",  "Pacific/Kwajalein", "America/Juneau",      "Asia/Manila",
};

static const char *const property_steps[] = {
    "7200ms", "500ms", "30s", "15min", "20min", "1h",  "45min", "90min", "2h", "8h",
    "6h",     "12h",   "1d",  "2d",    "1w",    "1mo", "3mo",   "1y",    "7y", "100y",
};

/* xorshift64*: the same instants every time. */
static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545f4914f6cdd1du;
}

/* Between 1700 and 2300; every other one within 30 hours of a change of the clock. */
static weir_wall random_instant(uint64_t *seed, const weir_zone *zone)
{
    const int64_t from = wall_of("1700-01-01").us, until = wall_of("2300-01-01").us;
    weir_wall t = {from + (int64_t)(random_next(seed) % (uint64_t)(until - from))};
    const weir_zone_span span = weir_zone_span_at(zone, t);
    if (random_next(seed) % 2 && span.until_us != INT64_MAX)
        t.us = span.until_us + (int64_t)(random_next(seed) % (60 * WEIR_HOUR)) - 30 * WEIR_HOUR;
    return t;
}

/* What must hold at any instant. Returns the rule that does not, or NULL. */
static const char *broken_rule(weir_step step, const weir_zone *zone, weir_wall ts)
{
    const weir_wall start = weir_step_start(step, zone, ts);
    const weir_wall next = weir_step_next(step, zone, start);
    const weir_wall before = weir_step_start(step, zone, (weir_wall){start.us - 1});
    if (start.us > ts.us || ts.us >= next.us)
        return "start <= ts < next";
    if (weir_step_start(step, zone, start).us != start.us)
        return "a start is its own start";
    if (weir_step_start(step, zone, next).us != next.us)
        return "a next is its own start";
    if (weir_step_start(step, zone, (weir_wall){next.us - 1}).us != start.us)
        return "the last microsecond belongs to the bucket";
    if (weir_step_next(step, zone, ts).us != next.us)
        return "next is the same from anywhere within";
    if (before.us >= start.us || weir_step_next(step, zone, before).us != start.us)
        return "the bucket before ends where this begins";
    return NULL;
}

static void buckets_tile_all_time(void **state)
{
    (void)state;
    uint64_t seed = 20240331;
    for (size_t z = 0; z < sizeof property_zones / sizeof *property_zones; z++) {
        WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_name(property_zones[z]);
        for (size_t s = 0; s < sizeof property_steps / sizeof *property_steps; s++) {
            const weir_step step = step_of(property_steps[s]);
            for (int i = 0; i < 200; i++) {
                const weir_wall ts = random_instant(&seed, zone);
                const char *rule = broken_rule(step, zone, ts);
                if (rule)
                    fail_msg("%s %s at %lld: %s", property_zones[z], property_steps[s],
                             (long long)ts.us, rule);
            }
        }
    }
}

/* Each step divides the one behind it, so their beginnings must be beginnings of its own too. */
static void longer_buckets_consist_of_whole_shorter_ones(void **state)
{
    (void)state;
    static const char *const steps[] = {"500ms", "30s", "5min", "15min", "1h",  "2h",
                                        "4h",    "12h", "1d",   "1mo",   "3mo", "1y"};
    uint64_t seed = 20241027;
    for (size_t z = 0; z < sizeof property_zones / sizeof *property_zones; z++) {
        WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_name(property_zones[z]);
        for (int i = 0; i < 200; i++) {
            const weir_wall ts = random_instant(&seed, zone);
            for (size_t s = 1; s < sizeof steps / sizeof *steps; s++) {
                const weir_wall start = weir_step_start(step_of(steps[s]), zone, ts);
                if (weir_step_start(step_of(steps[s - 1]), zone, start).us != start.us)
                    fail_msg("%s: the %s at %lld is no beginning of %s", property_zones[z],
                             steps[s], (long long)start.us, steps[s - 1]);
            }
        }
    }
}

static void conversions_to_local_and_back_are_each_others_inverse(void **state)
{
    (void)state;
    uint64_t seed = 17000101;
    for (size_t z = 0; z < sizeof property_zones / sizeof *property_zones; z++) {
        WEIR_CLEANUP(weir_zone_free) weir_zone *zone = zone_of_name(property_zones[z]);
        for (int i = 0; i < 1000; i++) {
            const weir_wall ts = random_instant(&seed, zone);
            const int64_t local = weir_zone_to_local(zone, ts);
            const weir_wall first = weir_zone_to_utc(zone, local);
            assert_true(first.us <= ts.us);
            assert_true(weir_zone_to_utc(zone, local + 1).us > ts.us);
            assert_true(weir_zone_to_local(zone, (weir_wall){first.us - 1}) < local);
        }
    }
}

static void the_ends_of_time_are_buckets_too(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_zone_free) weir_zone *berlin = zone_of_name("Europe/Berlin");
    const weir_zone *const zones[] = {berlin, weir_zone_utc()};
    for (size_t s = 0; s < sizeof property_steps / sizeof *property_steps; s++)
        for (size_t z = 0; z < 2; z++) {
            const weir_step step = step_of(property_steps[s]);
            const weir_wall first = weir_step_next(step, zones[z], (weir_wall){INT64_MIN});
            const weir_wall last = weir_step_start(step, zones[z], (weir_wall){INT64_MAX});
            assert_true(weir_step_start(step, zones[z], (weir_wall){INT64_MIN}).us == INT64_MIN);
            assert_true(weir_step_start(step, zones[z], (weir_wall){first.us - 1}).us == INT64_MIN);
            assert_true(weir_step_start(step, zones[z], first).us == first.us);
            assert_true(weir_step_next(step, zones[z], first).us > first.us);
            assert_true(weir_step_start(step, zones[z], last).us == last.us);
            assert_true(weir_step_next(step, zones[z], last).us == INT64_MAX);
            const weir_wall before = weir_step_start(step, zones[z], (weir_wall){last.us - 1});
            assert_true(before.us < last.us);
            assert_true(weir_step_next(step, zones[z], before).us == last.us);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_read),
        cmocka_unit_test(steps_that_cannot_be_are_refused_with_a_way_out),
        cmocka_unit_test(days_of_a_changed_clock_have_the_buckets_of_the_rules),
        cmocka_unit_test(starts_and_ends_are_those_of_the_calendar),
        cmocka_unit_test(buckets_tile_all_time),
        cmocka_unit_test(longer_buckets_consist_of_whole_shorter_ones),
        cmocka_unit_test(conversions_to_local_and_back_are_each_others_inverse),
        cmocka_unit_test(the_ends_of_time_are_buckets_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
