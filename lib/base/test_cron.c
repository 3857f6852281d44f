/* SPDX-License-Identifier: MIT */
/* Tests of cron expressions: days of a changed clock by hand, and a search that asks every minute.
 */

#include "base/cron.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/test_zone.h"

static weir_cron cron_of(const char *text)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_cron cron = {0};
    if (weir_cron_parse(text, &cron, &error) != WEIR_OK)
        fail_msg("%s: %s", text, error.text);
    return cron;
}

static void expect_next(const weir_cron *cron, const weir_zone *zone, const char *after,
                        const char *want)
{
    weir_wall next = {0};
    char shown[28] = "never";
    if (weir_cron_next(cron, zone, wall_of(after), &next))
        weir_wall_format(next, shown);
    if (strncmp(shown, want, strlen(want)) != 0)
        fail_msg("after %s: %s, not %s", after, shown, want);
}

static void the_next_occurrence_lies_after_the_time_given(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *after, *want;
    } cases[] = {
        {"* * * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01.000000"},
        {"* * * * * *", "2026-01-01T00:00:00.999999Z", "2026-01-01T00:00:01.000000"},
        {"* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00.000000"},
        {"0 */5 22-23 * * *", "2026-01-01T12:00:00Z", "2026-01-01T22:00:00.000000"},
        {"0 */5 22-23 * * *", "2026-01-01T23:55:00Z", "2026-01-02T22:00:00.000000"},
        {"30 15,45 8-17/3 * * MON-FRI", "2026-11-20T17:45:30Z", "2026-11-23T08:15:30.000000"},
        {"0 0 0 29 2 *", "2026-01-01", "2028-02-29T00:00:00.000000"},
        {"0 0 0 29 2 *", "2096-03-01", "2104-02-29T00:00:00.000000"},
        {"0 0 0 29 FEB */6", "2080-03-01", "2088-02-29T00:00:00.000000"}, /* a Sunday */
        {"0 0 0 31 * *", "2026-01-31", "2026-03-31T00:00:00.000000"},
        {"0 0 13 * FRI", "2026-11-13", "2026-11-20T00:00:00.000000"},
        {"0 0 13 * FRI", "2026-12-11", "2026-12-13T00:00:00.000000"},
        {"0 0 */13 * FRI", "2026-01-01", "2026-02-27T00:00:00.000000"}, /* 1, 14, 27 and Friday */
        {"0 0 13 * ?", "2026-11-13", "2026-12-13T00:00:00.000000"},
        {"0 0 ? * sun", "2026-11-21", "2026-11-22T00:00:00.000000"},
        {"0 0 * * 7", "2026-11-21", "2026-11-22T00:00:00.000000"},
        {"0 0 * * FRI-SUN", "2026-11-21", "2026-11-22T00:00:00.000000"},
        {"0 0 * * 5-7", "2026-11-22", "2026-11-27T00:00:00.000000"},
        {"10/20 * * * * *", "2026-01-01T00:00:30Z", "2026-01-01T00:00:50.000000"},
        {"10/20 * * * * *", "2026-01-01T00:00:50Z", "2026-01-01T00:01:10.000000"},
        {"@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00.000000"},
        {"@DAILY", "2026-01-01", "2026-01-02T00:00:00.000000"},
        {"@weekly", "2026-11-21", "2026-11-22T00:00:00.000000"},
        {"@monthly", "2026-01-01", "2026-02-01T00:00:00.000000"},
        {"@yearly", "2026-01-01", "2027-01-01T00:00:00.000000"},
        {"0 0 0 1 1 *", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00.000000"},
        {"0 0 0 1 1 *", "1965-06-01", "1966-01-01T00:00:00.000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_cron cron = cron_of(cases[i].expression);
        expect_next(&cron, weir_zone_utc(), cases[i].after, cases[i].want);
    }
}

static void three_variables_fill_up_as_the_predecessor_has_it(void **state)
{
    (void)state;
    static const struct {
        const char *hour, *minute, *second, *same;
    } cases[] = {
        {"*", "*/1", "0", "0 * * * * *"}, /* INFLUX_UPDATER_CRON_* of its .env.dev */
        {"*", "*/1", "50", "50 * * * * *"},
        {NULL, NULL, NULL, "* * * * * *"},
        {"", "", "", "* * * * * *"},
        {"7", NULL, NULL, "0 0 7 * * *"},
        {NULL, "5", NULL, "0 5 * * * *"},
        {NULL, NULL, "30", "30 * * * * *"},
        {"8-17/3", NULL, "15", "15 * 8-17/3 * * *"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_cron got = {0};
        const weir_cron want = cron_of(cases[i].same);
        assert_int_equal(
            weir_cron_parse_hms(cases[i].hour, cases[i].minute, cases[i].second, &got, NULL), 0);
        assert_true(got.seconds == want.seconds && got.minutes == want.minutes &&
                    got.hours == want.hours && got.days == want.days && got.months == want.months &&
                    got.weekdays == want.weekdays);
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_cron_write_hms(cases[i].hour, cases[i].minute, cases[i].second, &text);
        const weir_cron read = cron_of(weir_text_get(&text));
        assert_true(weir_cron_equal(&read, &want));
    }
    weir_cron cron;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_cron_parse_hms("*", "61", "0", &cron, &error), WEIR_ESYNTAX);
    assert_int_equal(strncmp(error.text, "minute \"61\": ", 13), 0);
}

static void a_mistake_names_the_field_and_what_to_write(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"60 * * * * *",
         "second \"60\": write 0 to 59, a range such as 10-15, a step such as */5, or *"},
        {"* 60 * * * *",
         "minute \"60\": write 0 to 59, a range such as 10-15, a step such as */5, or *"},
        {"* * 24 * * *",
         "hour \"24\": write 0 to 23, a range such as 10-15, a step such as */5, or *"},
        {"0 0 0 * *",
         "day of month \"0\": write 1 to 31, a range such as 10-15, a step such as */5, or *"},
        {"0 0 1 13 *", "month \"13\": write 1 to 12 or a name such as FEB, a range 2-5, or *"},
        {"0 0 1 * 8", "day of week \"8\": write 0 to 7 or a name such as MON, a range 2-5, or *"},
        {"0 0 1 * MONDAY",
         "day of week \"MONDAY\": write 0 to 7 or a name such as MON, a range 2-5, or *"},
        {"0 MON * * *",
         "hour \"MON\": write 0 to 23, a range such as 10-15, a step such as */5, or *"},
        {"0 22-2 * * *", "hour \"22-2\": the range goes backwards, write 22-23,0-2"},
        {"0 0 * * FRI-TUE", "day of week \"FRI-TUE\": the range goes backwards, write 5-6,0-2"},
        {"*/0 * * * *", "minute \"*/0\": a step of 0 goes nowhere: write 1 or more"},
        {"*/60 * * * *", "minute \"*/60\": the step is larger than the range, write at most /59"},
        {"*/x * * * *", "minute \"*/x\": behind / a step is wanted, such as */5"},
        {"? * * * *", "minute \"?\": ? is for the two fields of days: write *"},
        {"0 0 L * *",
         "day of month \"L\": L, W and # are not known here: write the days themselves"},
        {"0 0 * * 5#2",
         "day of week \"5#2\": L, W and # are not known here: write the days themselves"},
        {"1,,2 * * * *",
         "minute \"\": write 0 to 59, a range such as 10-15, a step such as */5, or *"},
        {"1, * * * *",
         "minute \"\": write 0 to 59, a range such as 10-15, a step such as */5, or *"},
        {"-5 * * * *",
         "minute \"-5\": write 0 to 59, a range such as 10-15, a step such as */5, or *"},
        {"00000000000000000001 * * * *", "minute \"00000000000000000001\": write 0 to 59, a range "
                                         "such as 10-15, a step such as */5, or *"},
        {"", "it has 0 fields: write six, second minute hour day month weekday, or the last five"},
        {"5m", "it has 1 field: write six, second minute hour day month weekday, or the last five"},
        {"0 0 0 1 1 * 2026",
         "it has 7 fields: write six, second minute hour day month weekday, or the last five"},
        {"@reboot",
         "there is no @reboot: there are @yearly, @monthly, @weekly, @daily and @hourly"},
        {"0 0 30 2 *", "it never fires: no month that is meant has a day 30, change the day of "
                       "month or the month"},
        {"0 0 31 2,4,6,9,11 *", "it never fires: no month that is meant has a day 31, change the "
                                "day of month or the month"},
        {"0 0 30,31 2 */2", "it never fires: no month that is meant has a day 30,31, change the "
                            "day of month or the month"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error = WEIR_ERROR_INIT;
        weir_cron cron = {.seconds = 77};
        if (weir_cron_parse(cases[i].text, &cron, &error) == WEIR_OK)
            fail_msg("\"%s\" is accepted", cases[i].text);
        assert_string_equal(error.text, cases[i].want);
        assert_int_equal(cron.seconds, 77);
    }
}

/* 2026: Berlin moves at 01:00 UTC on 29 March and 25 October, New York at 07:00 UTC on 8 March and
 * at 06:00 UTC on 1 November (tzdata 2025b). */
static void an_hour_that_is_left_out_or_comes_twice_goes_by_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *expression, *after, *want;
    } cases[] = {
        {"Europe/Berlin", "0 30 2 * * *", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00"},
        {"Europe/Berlin", "0 */10 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00"},
        {"Europe/Berlin", "0 */10 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:00:00"},
        {"Europe/Berlin", "0 30 2,3 * * *", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00"},
        {"Europe/Berlin", "0 30 * * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00"},
        {"Europe/Berlin", "0 30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00"},
        {"Europe/Berlin", "0 30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00"},
        {"Europe/Berlin", "0 30 1-3 * * *", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00"},
        {"Europe/Berlin", "0 30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00"},
        {"Europe/Berlin", "0 30 0-23 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00"},
        {"America/New_York", "0 30 2 * * *", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00"},
        {"America/New_York", "0 30 1 * * *", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00"},
        {"America/New_York", "0 30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00"},
        {"America/New_York", "0 30 * * * *", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00"},
        {"Asia/Kolkata", "0 0 6 * * *", "2026-01-01", "2026-01-01T00:30:00"},
        /* Lord Howe Island goes from 2:00 to 2:30. */
        {"Australia/Lord_Howe", "0 0 * * * *", "2026-10-03T15:00:00Z", "2026-10-03T16:00:00"},
        {"Australia/Lord_Howe", "0 0 2 * * *", "2026-10-03T15:00:00Z", "2026-10-03T15:30:00"},
        /* Samoa had no 30 December 2011. */
        {"Pacific/Apia", "0 0 12 30 12 *", "2011-12-29T12:00:00Z", "2011-12-30T10:00:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_zone *zone = zone_of_name(cases[i].zone);
        const weir_cron cron = cron_of(cases[i].expression);
        expect_next(&cron, zone, cases[i].after, cases[i].want);
        weir_zone_free(zone);
    }
}

static void the_previous_occurrence_is_the_last_that_was_not_later(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *expression, *at, *want;
    } cases[] = {
        {"UTC", "* * * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000"},
        {"UTC", "* * * * * *", "2026-01-01T00:00:00.999999Z", "2026-01-01T00:00:00.000000"},
        {"UTC", "50 */1 * * * *", "2026-01-01T00:01:49Z", "2026-01-01T00:00:50.000000"},
        {"UTC", "* * 8 * * *", "2026-01-01T20:00:00Z", "2026-01-01T08:59:59.000000"},
        {"UTC", "0 0 0 29 2 *", "2028-02-28T23:00:00Z", "2024-02-29T00:00:00.000000"},
        {"UTC", "0 0 0 1 1 *", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000"},
        {"Europe/Berlin", "0 30 2 * * *", "2026-03-29T00:59:59Z", "2026-03-28T01:30:00.000000"},
        {"Europe/Berlin", "0 30 2 * * *", "2026-03-29T12:00:00Z", "2026-03-29T01:00:00.000000"},
        {"Europe/Berlin", "0 30 2 * * *", "2026-10-25T01:30:00Z", "2026-10-25T00:30:00.000000"},
        {"Europe/Berlin", "0 30 * * * *", "2026-10-25T01:30:00Z", "2026-10-25T01:30:00.000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_zone *owned = strcmp(cases[i].zone, "UTC") ? zone_of_name(cases[i].zone) : NULL;
        const weir_zone *zone = owned ? owned : weir_zone_utc();
        const weir_cron cron = cron_of(cases[i].expression);
        weir_wall found = {0};
        char shown[28] = "never";
        if (weir_cron_previous(&cron, zone, wall_of(cases[i].at), &found))
            weir_wall_format(found, shown);
        if (strncmp(shown, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s at %s: %s, not %s", cases[i].expression, cases[i].at, shown,
                     cases[i].want);
        weir_zone_free(owned);
    }
}

/* ---- the property: every minute asked ---- */

/* An expression and, made beside it, which values it means. */
typedef struct random_cron {
    char text[1024];
    bool seconds[60], minutes[60], hours[24], days[32], months[13], weekdays[8];
    bool either;
} random_cron;

static int between(weir_random *r, int min, int max)
{
    return min + (int)weir_random_below(r, (uint64_t)(max - min + 1));
}

/* Appends a field of random parts to the text; returns whether it begins with a star. */
static bool random_field(weir_random *r, char *text, int min, int max, const char *const *words,
                         bool *means, bool favour_star)
{
    const int n = favour_star && between(r, 0, 2) ? 1 : between(r, 1, 3);
    bool star = false;
    for (int i = 0; i < n; i++) {
        const size_t at = strlen(text);
        int kind = between(r, 0, 5);
        if (favour_star && n == 1 && kind < 4)
            kind = 4;
        int first = between(r, min, max), last = between(r, first, max), step = 1;
        char *to = text + at;
        const size_t room = 1024 - at;
        if (i)
            *to++ = ',';
        switch (kind) {
        case 0:
            last = first;
            if (words)
                (void)snprintf(to, room, "%s", words[first - min]);
            else
                (void)snprintf(to, room, "%d", first);
            break;
        case 1:
            (void)snprintf(to, room, "%d-%d", first, last);
            break;
        case 2:
            step = last > first ? between(r, 1, last - first) : 1;
            (void)snprintf(to, room, "%d-%d/%d", first, last, step);
            break;
        case 3:
            last = max;
            step = last > first ? between(r, 1, last - first) : 1;
            (void)snprintf(to, room, "%d/%d", first, step);
            break;
        case 4:
            first = min, last = max;
            (void)snprintf(to, room, "*");
            star |= i == 0;
            break;
        default:
            first = min, last = max;
            step = between(r, 1, max - min);
            (void)snprintf(to, room, "*/%d", step);
            star |= i == 0;
            break;
        }
        for (int v = first; v <= last; v += step)
            means[v] = true;
    }
    return star;
}

static void random_cron_make(weir_random *r, random_cron *c)
{
    static const char *const months[] = {"jan", "FEB", "Mar", "apr", "MAY", "jun",
                                         "jul", "aug", "sep", "oct", "nov", "dec"};
    static const char *const weekdays[] = {"sun", "MON", "Tue", "wed", "thu", "fri", "sat"};
    *c = (random_cron){0};
    if (between(r, 0, 3)) {
        (void)random_field(r, c->text, 0, 59, NULL, c->seconds, false);
        strcat(c->text, " ");
    } else {
        c->seconds[0] = true; /* five fields */
    }
    (void)random_field(r, c->text, 0, 59, NULL, c->minutes, false);
    strcat(c->text, " ");
    (void)random_field(r, c->text, 0, 23, NULL, c->hours, between(r, 0, 1));
    strcat(c->text, " ");
    const bool day_star = random_field(r, c->text, 1, 31, NULL, c->days, true);
    strcat(c->text, " ");
    (void)random_field(r, c->text, 1, 12, months, c->months, true);
    strcat(c->text, " ");
    const bool weekday_star = random_field(r, c->text, 0, 6, weekdays, c->weekdays, true);
    c->either = !day_star && !weekday_star;
}

static bool minute_is_meant(const random_cron *c, int64_t local_minute)
{
    const int64_t day = weir_floor_divide(local_minute, 1440);
    const int64_t in_day = local_minute - day * 1440;
    /* Civil from days, in the form of H. E. Fliegel and T. C. Van Flandern (1968). */
    int64_t l = day + 2440588 + 68569;
    const int64_t n = 4 * l / 146097;
    l -= (146097 * n + 3) / 4;
    const int64_t i = 4000 * (l + 1) / 1461001;
    l = l - 1461 * i / 4 + 31;
    const int64_t j = 80 * l / 2447;
    const int64_t d = l - 2447 * j / 80;
    const int64_t m = j + 2 - 12 * (j / 11);
    const bool day_is = c->days[d], weekday_is = c->weekdays[(day + 4) % 7];
    return c->minutes[in_day % 60] && c->hours[in_day / 60] && c->months[m] &&
           (c->either ? day_is || weekday_is : day_is && weekday_is);
}

static int64_t first_second(const random_cron *c, int64_t from)
{
    while (from < 60 && !c->seconds[from])
        from++;
    return from;
}

/* Looks at one minute of UTC after the other as a man before the clock would: what it shows, and
 * whether it showed that before. -1: nothing until `end`. */
static int64_t search(const random_cron *c, const weir_zone *zone, int64_t after_s, int64_t end_s)
{
    bool all_hours = true;
    for (int i = 0; i < 24; i++)
        all_hours &= c->hours[i];
    int64_t utc = (after_s + 1) / 60;
    int64_t from = (after_s + 1) % 60;
    /* The latest minute shown before: all of the last day was seen. */
    int64_t shown = INT64_MIN;
    for (int64_t u = utc - 1440; u < utc; u++) {
        const int64_t l = u + weir_zone_offset(zone, (weir_wall){u * WEIR_MINUTE}) / WEIR_MINUTE;
        shown = l > shown ? l : shown;
    }
    for (; utc * 60 < end_s; utc++, from = 0) {
        const int64_t local =
            utc + weir_zone_offset(zone, (weir_wall){utc * WEIR_MINUTE}) / WEIR_MINUTE;
        const bool again = local <= shown;
        int64_t found = 60;
        if (all_hours) {
            if (minute_is_meant(c, local))
                found = first_second(c, from);
        } else if (!again) {
            if (minute_is_meant(c, local))
                found = first_second(c, from);
            for (int64_t skipped = shown + 1; skipped < local && from == 0; skipped++)
                if (minute_is_meant(c, skipped))
                    found = 0;
        }
        if (found < 60)
            return utc * 60 + found;
        shown = local > shown ? local : shown;
    }
    return -1;
}

static void compare(const random_cron *c, const weir_cron *cron, const weir_zone *zone,
                    int64_t after_s)
{
    const int64_t end_s = after_s + 2 * 86400;
    const int64_t want = search(c, zone, after_s, end_s);
    weir_wall next = {0};
    const bool found =
        weir_cron_next(cron, zone, (weir_wall){after_s * WEIR_S + 500 * WEIR_MS}, &next);
    if (want >= 0 ? !found || next.us != want * WEIR_S : found && next.us < end_s * WEIR_S)
        fail_msg("\"%s\" after %lld: %lld us, not %lld s", c->text, (long long)after_s,
                 (long long)next.us, (long long)want);
}

/* Random expressions from random moments around both changes of two zones' clocks. The soak sets
 * the number. */
static void what_comes_next_equals_a_search_through_every_minute(void **state)
{
    (void)state;
    const char *number = getenv("WEIR_CRON_SAMPLES");
    const long n = number ? strtol(number, NULL, 10) : 10000;
    static const struct {
        const char *zone, *changes[2];
    } places[] = {{"Europe/Berlin", {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"}},
                  {"America/New_York", {"2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"}}};
    weir_zone *const zones[] = {zone_of_name(places[0].zone), zone_of_name(places[1].zone)};
    weir_random random = {20261121};
    random_cron c;
    long n_refused = 0;
    for (long k = 0; k < n; k++) {
        weir_cron cron;
        weir_error error = WEIR_ERROR_INIT;
        random_cron_make(&random, &c);
        if (weir_cron_parse(c.text, &cron, &error) != WEIR_OK) {
            /* The one thing that may be wrong with them. */
            if (strncmp(error.text, "it never fires", 14) != 0)
                fail_msg("\"%s\": %s", c.text, error.text);
            n_refused++;
            continue;
        }
        for (int place = 0; place < 2; place++)
            for (int change = 0; change < 2; change++) {
                const int64_t at = wall_of(places[place].changes[change]).us / WEIR_S;
                const int64_t spread = k % 2 ? 3 * 3600 : 36 * 3600;
                compare(&c, &cron, zones[place],
                        at - spread + (int64_t)weir_random_below(&random, 2 * (uint64_t)spread));
            }
    }
    assert_true(n_refused < n / 20);
    weir_zone_free(zones[0]);
    weir_zone_free(zones[1]);
}

/* A year of a fixed expression: how often, without a hole and without a double. */
static void a_year_has_as_many_occurrences_as_it_should(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        int want;
    } cases[] = {{"0 30 2 * * *", 365},
                 {"0 30 * * * *", 365 * 24},
                 {"0 0 0 * * MON", 52},
                 {"0 0 12 31 * *", 7},
                 /* 2:00 and 3:00 of 29 March are one moment. */
                 {"0 0 2-3 * * *", 729}};
    weir_zone *zone = zone_of_name("Europe/Berlin");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_cron cron = cron_of(cases[i].expression);
        weir_wall t = wall_of("2025-12-31T23:00:00Z"), last = {t.us - 1};
        t = last;
        int n = 0;
        while (weir_cron_next(&cron, zone, t, &t) && t.us < wall_of("2026-12-31T23:00:00Z").us) {
            weir_wall before;
            assert_true(t.us > last.us);
            assert_true(weir_cron_previous(&cron, zone, t, &before) && before.us == t.us);
            assert_true(weir_cron_previous(&cron, zone, (weir_wall){t.us - 1}, &before) &&
                        (n == 0 || before.us == last.us));
            last = t;
            n++;
        }
        assert_int_equal(n, cases[i].want);
    }
    weir_zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_occurrence_lies_after_the_time_given),
        cmocka_unit_test(the_previous_occurrence_is_the_last_that_was_not_later),
        cmocka_unit_test(three_variables_fill_up_as_the_predecessor_has_it),
        cmocka_unit_test(a_mistake_names_the_field_and_what_to_write),
        cmocka_unit_test(an_hour_that_is_left_out_or_comes_twice_goes_by_the_rules),
        cmocka_unit_test(what_comes_next_equals_a_search_through_every_minute),
        cmocka_unit_test(a_year_has_as_many_occurrences_as_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
