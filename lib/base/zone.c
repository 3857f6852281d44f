/* SPDX-License-Identifier: MIT */
/* Time zones: from UTC to what the clock on the wall shows, and back. */

/*
 * Parsing turns file and footer into one sorted list of moments at which the offset changes. The
 * footer's yearly rule is written out for 400 years: the Gregorian calendar, weekdays included,
 * repeats exactly after that (146097 days are 20871 weeks), so any later time is looked up
 * 400, 800 ... years earlier. A look-up is then one binary search over int64s, whatever the time.
 */

#include "base/zone_priv.h"

#include "base/alloc.h"

/* The walks along spans begin and end within two offsets of the time they are asked for. */
#define ZONE_EDGE (WEIR_ZONE_LIMIT + 4 * WEIR_DAY)

/* ---- calendar ---- */

int64_t weir_month_first_day(int64_t month)
{
    /* Years begin in March here, so that the leap day is the last one. From there the months'
     * lengths are 31 30 31 30 31 31 30 31 30 31 31, which (153 m + 2) / 5 sums up. */
    const int64_t year = weir_floor_divide(month - 2, 12), m = month - 2 - year * 12;
    const int64_t leap_days =
        weir_floor_divide(year, 4) - weir_floor_divide(year, 100) + weir_floor_divide(year, 400);
    return 365 * year + leap_days + (153 * m + 2) / 5 - 719468; /* 0000-03-01 to 1970-01-01 */
}

int64_t weir_month_of_day(int64_t day)
{
    /* 4800 months have 146097 days; the estimate is never off by more than one. */
    int64_t month = weir_floor_divide((day + 719528) * 4800, 146097); /* from 0000-01-01 */
    while (weir_month_first_day(month) > day)
        month--;
    while (weir_month_first_day(month + 1) <= day)
        month++;
    return month;
}

/* ---- looking up ---- */

const weir_zone *weir_zone_utc(void)
{
    static const weir_zone utc = {.cycle_until = INT64_MAX};
    return &utc;
}

/* The span that holds t. */
static size_t span_index(const weir_zone *zone, int64_t t)
{
    size_t low = 0, n = zone->n;
    while (n > 1) {
        const size_t half = n / 2;
        low += zone->from[low + half] <= t ? half : 0;
        n -= half;
    }
    return low;
}

static int64_t span_until(const weir_zone *zone, size_t i)
{
    if (i + 1 < zone->n)
        return zone->from[i + 1];
    return zone->cycle_until == INT64_MAX ? INT64_MAX : zone->from[zone->cycle_first] + ZONE_CYCLE;
}

weir_zone_span weir_zone_span_at(const weir_zone *zone, weir_wall utc)
{
    const int64_t t = weir_zone_clamp(utc.us, -ZONE_EDGE, ZONE_EDGE);
    if (zone->n == 0)
        return (weir_zone_span){INT64_MIN, INT64_MAX, 0};
    if (t < zone->cycle_until && !(zone->cycle_backwards && t < zone->cycle_from)) {
        const size_t i = span_index(zone, t);
        return (weir_zone_span){zone->from[i], span_until(zone, i), zone->offset[i]};
    }
    const int64_t shift = weir_floor_divide(t - zone->cycle_from, ZONE_CYCLE) * ZONE_CYCLE;
    const size_t i = span_index(zone, t - shift);
    /* The span that reaches into the cycle is the one that reached out of the cycle before. */
    const int64_t from =
        i >= zone->cycle_first ? zone->from[i] : zone->from[zone->n - 1] - ZONE_CYCLE;
    return (weir_zone_span){from + shift, span_until(zone, i) + shift, zone->offset[i]};
}

int64_t weir_zone_offset(const weir_zone *zone, weir_wall utc)
{
    return weir_zone_span_at(zone, utc).offset_us;
}

int64_t weir_zone_to_local(const weir_zone *zone, weir_wall utc)
{
    /* A clock set back shows nothing new for at most the difference of two offsets. */
    const int64_t memory = (ZONE_OFFSET_MAX_S - ZONE_OFFSET_MIN_S) * WEIR_S;
    const int64_t t = weir_zone_clamp(utc.us, -WEIR_ZONE_LIMIT, WEIR_ZONE_LIMIT);
    weir_zone_span span = weir_zone_span_at(zone, utc);
    int64_t latest = t + span.offset_us;
    while (span.from_us > t - memory) {
        const int64_t before = span.from_us - 1;
        span = weir_zone_span_at(zone, (weir_wall){before});
        if (latest < before + span.offset_us)
            latest = before + span.offset_us;
    }
    return latest;
}

weir_wall weir_zone_to_utc(const weir_zone *zone, int64_t local_us)
{
    const int64_t local = weir_zone_clamp(local_us, -WEIR_ZONE_LIMIT, WEIR_ZONE_LIMIT);
    /* No clock shows this early what the wanted one shows: begin there. */
    int64_t t = local - (ZONE_OFFSET_MAX_S + 1) * WEIR_S;
    for (;;) {
        const weir_zone_span span = weir_zone_span_at(zone, (weir_wall){t});
        if (t < local - span.offset_us)
            t = local - span.offset_us;
        if (t < span.until_us)
            return (weir_wall){t};
        t = span.until_us;
    }
}

/* ---- building ---- */

void weir_zone_add(weir_zone *zone, int64_t from, int64_t offset_s)
{
    if (zone->n > 0 && zone->from[zone->n - 1] == from)
        zone->n--;
    if (zone->n > 0 && zone->offset[zone->n - 1] == offset_s * WEIR_S)
        return;
    zone->from[zone->n] = from;
    zone->offset[zone->n] = offset_s * WEIR_S;
    zone->n++;
}

weir_zone *weir_zone_new(size_t capacity)
{
    weir_zone *zone = weir_alloc_zero(1, sizeof *zone);
    if (!zone)
        return NULL;
    zone->cycle_until = INT64_MAX;
    zone->from = weir_alloc_zero(capacity, sizeof *zone->from);
    zone->offset = weir_alloc_zero(capacity, sizeof *zone->offset);
    if (zone->from && zone->offset)
        return zone;
    weir_zone_free(zone);
    return NULL;
}

void weir_zone_free(weir_zone *zone)
{
    if (!zone)
        return;
    weir_free(zone->from);
    weir_free(zone->offset);
    weir_free(zone);
}

bool weir_zone_name_is_safe(const char *name)
{
    size_t n = 0;
    for (; name[n]; n++) {
        const char c = name[n];
        const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        const bool other = (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
        const bool inner_slash = c == '/' && n > 0 && name[n - 1] != '/' && name[n + 1];
        if (n == 64 || (!letter && !other && !inner_slash))
            return false;
    }
    return n > 0;
}
