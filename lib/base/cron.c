/* SPDX-License-Identifier: MIT */
/* Cron expressions: see cron.h. */

/*
 * The next occurrence is looked for on the local clock, a second, a day and a month at a time, and
 * then brought to UTC in one of two ways. Where every hour is meant we go along the spans of equal
 * offset, so an hour that is shown twice is searched twice. Else we go by the local time that never
 * runs backwards: weir_zone_to_local and weir_zone_to_utc are each other's inverse, so what they
 * give lies after `after` by itself.
 */

#include "base/cron.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define DAY_S     86400
#define ALL_HOURS ((UINT32_C(1) << 24) - 1)

/* 29 February on one day of the week comes every 40 years at worst, across 2100. */
#define SEARCH_MONTHS (100 * 12)

/* As far back as one may have to look, likewise. */
#define PREVIOUS_MAX_US (100 * 366 * WEIR_DAY)

/* ---- one field ---- */

typedef struct field {
    const char *name;
    int min, max;
    const char *const *words; /* of the values from min on */
} field;

static const char *const month_words[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL",
                                          "AUG", "SEP", "OCT", "NOV", "DEC", NULL};
static const char *const weekday_words[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", NULL};

enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const field fields[FIELDS] = {
    [SECOND] = {"second", 0, 59, NULL},      [MINUTE] = {"minute", 0, 59, NULL},
    [HOUR] = {"hour", 0, 23, NULL},          [DAY] = {"day of month", 1, 31, NULL},
    [MONTH] = {"month", 1, 12, month_words}, [WEEKDAY] = {"day of week", 0, 7, weekday_words},
};

/* Where we are in a field's text, and for messages the part of its list we are in. */
typedef struct cursor {
    const field *of;
    const char *at;
    const char *part;
    weir_error *error;
} cursor;

static int part_length(const cursor *c)
{
    const size_t n = strcspn(c->part, ", \t");
    return (int)(n > 40 ? 40 : n);
}

static weir_err fail(const cursor *c, const char *what)
{
    return weir_fail(c->error, WEIR_ESYNTAX, "%s \"%.*s\": %s", c->of->name, part_length(c),
                     c->part, what);
}

static weir_err fail_value(const cursor *c)
{
    if (c->of->words)
        return weir_fail(c->error, WEIR_ESYNTAX,
                         "%s \"%.*s\": write %d to %d or a name such as %s, a range 2-5, or *",
                         c->of->name, part_length(c), c->part, c->of->min, c->of->max,
                         c->of->words[1]);
    return weir_fail(c->error, WEIR_ESYNTAX,
                     "%s \"%.*s\": write %d to %d, a range such as 10-15, a step such as */5, or *",
                     c->of->name, part_length(c), c->part, c->of->min, c->of->max);
}

static bool parse_digits(cursor *c, int *ret)
{
    int v = 0;
    const char *from = c->at;
    while (isdigit((unsigned char)*c->at) && c->at - from < 4)
        v = v * 10 + (*c->at++ - '0');
    if (c->at == from || isdigit((unsigned char)*c->at))
        return false;
    *ret = v;
    return true;
}

static bool parse_word(cursor *c, int *ret)
{
    size_t n = 0;
    while (isalpha((unsigned char)c->at[n]))
        n++;
    for (int i = 0; n == 3 && c->of->words && c->of->words[i]; i++)
        if (!strncasecmp(c->at, c->of->words[i], n)) {
            c->at += n;
            *ret = c->of->min + i;
            return true;
        }
    return false;
}

static weir_err parse_value(cursor *c, int *ret)
{
    if (!parse_digits(c, ret) && !parse_word(c, ret)) {
        if (*c->at && strchr("LW#", *c->at))
            return fail(c, "L, W and # are not known here: write the days themselves");
        return fail_value(c);
    }
    if (*c->at && strchr("LW#", *c->at))
        return fail(c, "L, W and # are not known here: write the days themselves");
    return *ret < c->of->min || *ret > c->of->max ? fail_value(c) : WEIR_OK;
}

static weir_err parse_step(cursor *c, int range, int *ret)
{
    c->at++;
    if (!parse_digits(c, ret))
        return fail(c, "behind / a step is wanted, such as */5");
    if (*ret == 0)
        return fail(c, "a step of 0 goes nowhere: write 1 or more");
    if (*ret > range)
        return weir_fail(c->error, WEIR_ESYNTAX,
                         "%s \"%.*s\": the step is larger than the range, write at most /%d",
                         c->of->name, part_length(c), c->part, range);
    return WEIR_OK;
}

/* "7", "7-12", "7-12/2", "7/2", "*", "*" "/2". */
static weir_err parse_part(cursor *c, uint64_t *mask)
{
    int first = c->of->min, last = c->of->max, step = 1;
    /* 7 is another name of 0 and no eighth day. */
    const int top = c->of == &fields[WEEKDAY] ? 6 : c->of->max;
    bool single = false;
    weir_err err = WEIR_OK;
    if (*c->at == '*') {
        c->at++;
        last = top;
    } else if (*c->at == '?') {
        c->at++;
        last = top;
        if (c->of != &fields[DAY] && c->of != &fields[WEEKDAY])
            return fail(c, "? is for the two fields of days: write *");
    } else {
        err = parse_value(c, &first);
        single = true;
        last = first;
        if (!err && *c->at == '-') {
            c->at++;
            single = false;
            err = parse_value(c, &last);
            if (!err && c->of == &fields[WEEKDAY] && last == 0 && first > 0)
                last = 7; /* FRI-SUN */
        }
    }
    if (err)
        return err;
    if (first > last)
        return weir_fail(c->error, WEIR_ESYNTAX,
                         "%s \"%.*s\": the range goes backwards, write %d-%d,%d-%d", c->of->name,
                         part_length(c), c->part, first, top, c->of->min, last);
    if (*c->at == '/') {
        if (single && first <= top)
            last = top;
        err = parse_step(c, last > first ? last - first : 1, &step);
    }
    for (int v = first; !err && v <= last; v += step)
        *mask |= UINT64_C(1) << (c->of == &fields[WEEKDAY] ? v % 7 : v);
    return err;
}

/* The whole of a text of n bytes. */
static weir_err parse_field(const field *of, const char *text, size_t n, uint64_t *ret,
                            weir_error *error)
{
    cursor c = {.of = of, .at = text, .error = error};
    uint64_t mask = 0;
    for (;; c.at++) {
        c.part = c.at;
        const weir_err err = parse_part(&c, &mask);
        if (err)
            return err;
        if (c.at == text + n)
            break;
        if (*c.at != ',')
            return fail_value(&c);
    }
    *ret = mask;
    return WEIR_OK;
}

/* ---- the whole ---- */

static bool is_unrestricted(const char *field_text)
{
    return *field_text == '*' || *field_text == '?';
}

/* Some month that is meant has some day that is meant. */
static bool can_fire(const weir_cron *c)
{
    static const uint8_t longest[13] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->either_day)
        return true;
    for (int month = 1; month <= 12; month++)
        if (c->months >> month & 1 && c->days & ((UINT64_C(2) << longest[month]) - 1))
            return true;
    return false;
}

static weir_err cron_fill(const char *const texts[FIELDS], const size_t lengths[FIELDS],
                          weir_cron *ret, weir_error *error)
{
    uint64_t masks[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        const weir_err err = parse_field(&fields[i], texts[i], lengths[i], &masks[i], error);
        if (err)
            return err;
    }
    const weir_cron cron = {
        .seconds = masks[SECOND],
        .minutes = masks[MINUTE],
        .hours = (uint32_t)masks[HOUR],
        .days = (uint32_t)masks[DAY],
        .months = (uint16_t)masks[MONTH],
        .weekdays = (uint8_t)masks[WEEKDAY],
        .either_day = !is_unrestricted(texts[DAY]) && !is_unrestricted(texts[WEEKDAY]),
    };
    if (!can_fire(&cron))
        return weir_fail(error, WEIR_EINVAL,
                         "it never fires: no month that is meant has a day %.*s, change the day of "
                         "month or the month",
                         (int)(lengths[DAY] > 40 ? 40 : lengths[DAY]), texts[DAY]);
    *ret = cron;
    return WEIR_OK;
}

static weir_err parse_nickname(const char *text, weir_cron *ret, weir_error *error)
{
    static const struct {
        const char *name, *meaning;
    } known[] = {{"@yearly", "0 0 0 1 1 *"},  {"@annually", "0 0 0 1 1 *"},
                 {"@monthly", "0 0 0 1 * *"}, {"@weekly", "0 0 0 * * 0"},
                 {"@daily", "0 0 0 * * *"},   {"@midnight", "0 0 0 * * *"},
                 {"@hourly", "0 0 * * * *"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(text, known[i].name))
            return weir_cron_parse(known[i].meaning, ret, error);
    return weir_fail(error, WEIR_ESYNTAX,
                     "there is no %.40s: there are @yearly, @monthly, @weekly, @daily and @hourly",
                     text);
}

weir_err weir_cron_parse(const char *text, weir_cron *ret, weir_error *error)
{
    static const char blanks[] = " \t";
    const char *texts[FIELDS];
    size_t lengths[FIELDS];
    int n = 0;
    text += strspn(text, blanks);
    if (*text == '@')
        return parse_nickname(text, ret, error);
    while (*text) {
        const size_t length = strcspn(text, blanks);
        if (n < FIELDS) {
            texts[n] = text;
            lengths[n] = length;
        }
        n++;
        text += length;
        text += strspn(text, blanks);
    }
    if (n == FIELDS - 1) {
        memmove(texts + 1, texts, (FIELDS - 1) * sizeof *texts);
        memmove(lengths + 1, lengths, (FIELDS - 1) * sizeof *lengths);
        texts[SECOND] = "0";
        lengths[SECOND] = 1;
        n = FIELDS;
    }
    if (n != FIELDS)
        return weir_fail(error, WEIR_ESYNTAX,
                         "it has %d field%s: write six, second minute hour day month weekday, or "
                         "the last five",
                         n, n == 1 ? "" : "s");
    return cron_fill(texts, lengths, ret, error);
}

/* As three variables of the environment say it: without the second, "minute: 5" is at 0 s. */
static void hms_complete(const char *texts[FIELDS])
{
    bool below = true; /* a field below is given, or none at all is */
    for (int i = SECOND; i <= HOUR; i++)
        if (texts[i] && *texts[i])
            below = false;
    for (int i = SECOND; i <= HOUR; i++) {
        const bool given = texts[i] && *texts[i];
        if (!given)
            texts[i] = below ? "*" : "0";
        below |= given;
    }
}

weir_err weir_cron_parse_hms(const char *hour, const char *minute, const char *second,
                             weir_cron *ret, weir_error *error)
{
    const char *texts[FIELDS] = {second, minute, hour, "*", "*", "*"};
    size_t lengths[FIELDS];
    hms_complete(texts);
    for (int i = 0; i < FIELDS; i++)
        lengths[i] = strlen(texts[i]);
    return cron_fill(texts, lengths, ret, error);
}

void weir_cron_write_hms(const char *hour, const char *minute, const char *second, weir_text *ret)
{
    const char *texts[FIELDS] = {second, minute, hour, "*", "*", "*"};
    hms_complete(texts);
    for (int i = 0; i < FIELDS; i++)
        weir_text_format(ret, "%s%s", i ? " " : "", texts[i]);
}

bool weir_cron_equal(const weir_cron *a, const weir_cron *b)
{
    return a->seconds == b->seconds && a->minutes == b->minutes && a->hours == b->hours &&
           a->days == b->days && a->months == b->months && a->weekdays == b->weekdays &&
           a->either_day == b->either_day;
}

/* ---- the next ---- */

static bool day_matches(const weir_cron *c, int64_t day, int64_t month_first)
{
    const bool day_is = c->days >> (day - month_first + 1) & 1;
    /* 1970-01-01 was a Thursday. */
    const bool weekday_is = c->weekdays >> ((day + 4) % 7 + 7) % 7 & 1;
    return c->either_day ? day_is || weekday_is : day_is && weekday_is;
}

/* The first second of a day at or after `from` that is meant; -1: none. */
static int64_t find_in_day(const weir_cron *c, int64_t from)
{
    int64_t hour = from / 3600, minute = from / 60 % 60, second = from % 60;
    for (; hour < 24; hour++, minute = second = 0) {
        if (!(c->hours >> hour & 1))
            continue;
        for (; minute < 60; minute++, second = 0) {
            const uint64_t left = c->minutes >> minute & 1 ? c->seconds >> second : 0;
            if (left)
                return hour * 3600 + minute * 60 + second + __builtin_ctzll(left);
        }
    }
    return -1;
}

/* The first second of the local clock at or after `from` that is meant. */
static bool find_local(const weir_cron *c, int64_t from, int64_t *ret)
{
    int64_t day = weir_floor_divide(from, DAY_S);
    int64_t in_day = from - day * DAY_S;
    int64_t month = weir_month_of_day(day);
    for (int n = 0; n < SEARCH_MONTHS; n++, month++) {
        const int64_t first = weir_month_first_day(month);
        const int64_t end = weir_month_first_day(month + 1);
        const int64_t number = month - weir_floor_divide(month, 12) * 12 + 1;
        for (; c->months >> number & 1 && day < end; day++, in_day = 0) {
            const int64_t found = day_matches(c, day, first) ? find_in_day(c, in_day) : -1;
            if (found >= 0) {
                *ret = day * DAY_S + found;
                return true;
            }
        }
        day = end;
        in_day = 0;
    }
    return false;
}

/* The first whole second at or after a local time. */
static int64_t second_from(int64_t local_us)
{
    return -weir_floor_divide(-local_us, WEIR_S);
}

static bool next_by_spans(const weir_cron *c, const weir_zone *zone, weir_wall after,
                          weir_wall *ret)
{
    weir_wall from = {after.us + 1};
    for (;;) {
        const weir_zone_span span = weir_zone_span_at(zone, from);
        int64_t second;
        if (!find_local(c, second_from(from.us + span.offset_us), &second))
            return false;
        const int64_t utc = second * WEIR_S - span.offset_us;
        if (utc < span.until_us) {
            ret->us = utc;
            return true;
        }
        from.us = span.until_us;
    }
}

bool weir_cron_next(const weir_cron *cron, const weir_zone *zone, weir_wall after, weir_wall *ret)
{
    if (after.us < -WEIR_ZONE_LIMIT || after.us >= WEIR_ZONE_LIMIT)
        return false;
    if (cron->hours == ALL_HOURS)
        return next_by_spans(cron, zone, after, ret);
    int64_t second;
    if (!find_local(cron, second_from(weir_zone_to_local(zone, after) + 1), &second))
        return false;
    *ret = weir_zone_to_utc(zone, second * WEIR_S);
    return true;
}

/* The last moment lies in a stretch before `at` that is doubled until it holds one, and then halved
 * until it holds that one alone. */
bool weir_cron_previous(const weir_cron *cron, const weir_zone *zone, weir_wall at, weir_wall *ret)
{
    weir_wall found;
    int64_t stretch = WEIR_S;
    while (!weir_cron_next(cron, zone, (weir_wall){at.us - stretch}, &found) || found.us > at.us) {
        stretch *= 2;
        if (stretch > PREVIOUS_MAX_US)
            return false;
    }
    int64_t end = at.us; /* after this moment there is none until `at` */
    while (end - found.us >= WEIR_S) {
        const weir_wall middle = {found.us + (end - found.us) / 2};
        weir_wall later;
        if (weir_cron_next(cron, zone, middle, &later) && later.us <= at.us)
            found = later;
        else
            end = middle.us;
    }
    *ret = found;
    return true;
}
