/* SPDX-License-Identifier: MIT */
/* A zone's yearly rule: the footer of its file, a POSIX TZ string (RFC 9636 3.3.1). */

#include "base/zone_priv.h"

static bool take(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* A number of one to three digits. */
static bool take_number(const char **at, int min, int max, int *ret)
{
    int v = 0, digits = 0;
    for (; **at >= '0' && **at <= '9' && digits < 3; digits++, (*at)++)
        v = v * 10 + (**at - '0');
    *ret = v;
    return digits > 0 && v >= min && v <= max;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool take_time(const char **at, int hours_max, int *ret)
{
    int hours, minutes = 0, seconds = 0;
    const bool negative = **at == '-';
    if (**at == '+' || **at == '-')
        (*at)++;
    if (!take_number(at, 0, hours_max, &hours))
        return false;
    if (take(at, ':')) {
        if (!take_number(at, 0, 59, &minutes))
            return false;
        if (take(at, ':') && !take_number(at, 0, 59, &seconds))
            return false;
    }
    const int time = hours * 3600 + minutes * 60 + seconds;
    *ret = negative ? -time : time;
    return true;
}

/* "CET" or "<+0330>". Names are not kept. */
static bool take_name(const char **at)
{
    const bool quoted = take(at, '<');
    int n = 0;
    for (;; n++, (*at)++) {
        const char c = **at;
        const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        const bool sign_or_digit = (c >= '0' && c <= '9') || c == '+' || c == '-';
        if (!letter && !(quoted && sign_or_digit))
            break;
    }
    return n >= 3 && (!quoted || take(at, '>'));
}

static bool take_rule(const char **at, weir_zone_day *ret)
{
    weir_zone_day r = {.kind = WEIR_ZONE_DAY_COUNTED, .time_s = 2 * 3600}; /* 02:00 unless said */
    if (!take(at, ','))
        return false;
    if (take(at, 'M')) {
        r.kind = WEIR_ZONE_DAY_WEEK;
        if (!take_number(at, 1, 12, &r.month) || !take(at, '.') ||
            !take_number(at, 1, 5, &r.week) || !take(at, '.') || !take_number(at, 0, 6, &r.day))
            return false;
    } else if (take(at, 'J')) {
        r.kind = WEIR_ZONE_DAY_JULIAN;
        if (!take_number(at, 1, 365, &r.day))
            return false;
    } else if (!take_number(at, 0, 365, &r.day)) {
        return false;
    }
    if (take(at, '/') && !take_time(at, 167, &r.time_s))
        return false;
    *ret = r;
    return true;
}

bool weir_zone_rule_parse(const char *text, weir_zone_rule *ret)
{
    weir_zone_rule f = {0};
    int west;
    if (!take_name(&text) || !take_time(&text, 24, &west))
        return false;
    f.standard_s = -west;
    if (*text) {
        f.has_saving = true;
        f.saving_s = f.standard_s + 3600;
        if (!take_name(&text))
            return false;
        if (*text && *text != ',') {
            if (!take_time(&text, 24, &west))
                return false;
            f.saving_s = -west;
        }
        if (!take_rule(&text, &f.begins) || !take_rule(&text, &f.ends))
            return false;
    }
    *ret = f;
    return *text == '\0';
}

/* The moment of the rule in that year, for a clock with this offset. */
static int64_t rule_moment(const weir_zone_day *r, int64_t year, int offset_s)
{
    const int64_t january = weir_month_first_day(year * 12);
    const int64_t march = weir_month_first_day(year * 12 + 2);
    int64_t day = january + r->day;
    switch (r->kind) {
    case WEIR_ZONE_DAY_COUNTED:
        break;
    case WEIR_ZONE_DAY_JULIAN:
        day = r->day > 59 ? march + r->day - 60 : day - 1; /* day 60 is 1 March */
        break;
    case WEIR_ZONE_DAY_WEEK: {
        const int64_t month = year * 12 + r->month - 1;
        const int64_t first = weir_month_first_day(month);
        const int64_t weekday =
            (first + 4) - weir_floor_divide(first + 4, 7) * 7; /* Thursday in 1970 */
        day = first + (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
        if (day >= weir_month_first_day(month + 1))
            day -= 7;
        break;
    }
    }
    return day * WEIR_DAY + (r->time_s - offset_s) * WEIR_S;
}

typedef struct zone_change {
    int64_t at;
    int offset_s;
} zone_change;

/* Keeps the list sorted; of changes at the same moment the later added counts. */
static void changes_add(zone_change *changes, size_t *n, zone_change change)
{
    size_t i = (*n)++;
    for (; i > 0 && changes[i - 1].at > change.at; i--)
        changes[i] = changes[i - 1];
    changes[i] = change;
}

void weir_zone_add_rule(weir_zone *zone, const weir_zone_rule *f, int64_t last)
{
    zone_change changes[2 * ZONE_YEARS];
    size_t n = 0;
    const bool always = last == INT64_MIN; /* no transitions: the rule holds for the past as well */
    const int64_t since = always ? 0 : last;
    const int64_t year =
        weir_floor_divide(weir_month_of_day(weir_floor_divide(since, WEIR_DAY)), 12);
    const int64_t cycle_year = year + ZONE_CYCLE_DELAY;
    const int64_t cycle_from = weir_month_first_day(cycle_year * 12) * WEIR_DAY;
    for (int64_t i = 0; i < ZONE_YEARS; i++) {
        /* Saving all the year ends when it begins again ("0/0,J365/25"): the beginning wins. */
        const int64_t y = year - ZONE_YEARS_BEFORE + i;
        const int64_t ends = rule_moment(&f->ends, y, f->saving_s);
        const int64_t begins = rule_moment(&f->begins, y, f->standard_s);
        changes_add(changes, &n, (zone_change){ends, f->standard_s});
        changes_add(changes, &n, (zone_change){begins, f->saving_s});
    }
    size_t i = 0;
    while (i < n && changes[i].at <= since)
        i++;
    weir_zone_add(zone, last, i > 0 ? changes[i - 1].offset_s : f->standard_s);
    for (; i < n && changes[i].at < cycle_from + ZONE_CYCLE; i++)
        weir_zone_add(zone, changes[i].at, changes[i].offset_s);
    if (zone->from[zone->n - 1] < cycle_from)
        return; /* both offsets are the same, or saving never ends */
    zone->cycle_from = cycle_from;
    zone->cycle_until = cycle_from + ZONE_CYCLE;
    zone->cycle_backwards = always;
    while (zone->from[zone->cycle_first] < cycle_from)
        zone->cycle_first++;
}
