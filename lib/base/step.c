/* SPDX-License-Identifier: MIT */
/* Calendar steps: which bucket of time an instant belongs to, in a time zone. */

/*
 * Steps longer than an hour go by local time that never runs backwards (weir_zone_to_local): round
 * it down, or up, to a multiple, and ask when the clock first showed that (weir_zone_to_utc). As
 * these two are each other's inverse, start <= ts < next holds by itself.
 *
 * Steps that divide an hour must see an hour twice when the clock shows it twice, so they go along
 * the spans of equal offset. Within one, boundaries are a step apart. Where two meet, the moment of
 * the change is a boundary if the clock shows a multiple then, or was moved over one.
 */

#include "base/step.h"

#include <string.h>

/* 100 years. */
#define STEP_DAYS_MAX INT64_C(36525)

/* Half of what a zone can bear, so that a bucket that begins or ends beyond it is still exact. */
#define STEP_LIMIT (WEIR_ZONE_LIMIT / 2)

/* Monday 1970-01-05, in days. */
#define STEP_FIRST_MONDAY 4

/* ---- parsing ---- */

typedef struct step_unit {
    const char *name;
    weir_step_kind kind; /* WEIR_STEP_CLOCK: of microseconds */
    int64_t size;        /* microseconds, days or months */
    int64_t per; /* units in a day or year, of which a count must be a divisor or a multiple;
                    1: any count */
    int64_t max; /* 100 years; a longer step is a slip of the pen */
} step_unit;

static const step_unit step_units[] = {
    {"ms", WEIR_STEP_CLOCK, WEIR_MS, 86400000, 86400000 * STEP_DAYS_MAX},
    {"s", WEIR_STEP_CLOCK, WEIR_S, 86400, 86400 * STEP_DAYS_MAX},
    {"min", WEIR_STEP_CLOCK, WEIR_MINUTE, 1440, 1440 * STEP_DAYS_MAX},
    {"h", WEIR_STEP_CLOCK, WEIR_HOUR, 24, 24 * STEP_DAYS_MAX},
    {"d", WEIR_STEP_DAYS, 1, 1, STEP_DAYS_MAX},
    {"w", WEIR_STEP_DAYS, 7, 1, STEP_DAYS_MAX / 7},
    {"mo", WEIR_STEP_MONTHS, 1, 12, 1200},
    {"y", WEIR_STEP_MONTHS, 12, 1, 100},
};

static const step_unit *step_unit_find(const char *name)
{
    for (size_t i = 0; i < sizeof step_units / sizeof *step_units; i++)
        if (strcmp(name, step_units[i].name) == 0)
            return &step_units[i];
    return NULL;
}

/* The value of the digits that begin the text, or INT64_MAX when it has more than 18. */
static int64_t step_count(const char *digits, size_t n)
{
    int64_t count = 0;
    for (size_t i = 0; i < n && n <= 18; i++)
        count = count * 10 + (digits[i] - '0');
    return n <= 18 ? count : INT64_MAX;
}

/* The nearest allowed counts below and above one that is not. */
static void step_neighbours(int64_t count, int64_t per, int64_t *ret_below, int64_t *ret_above)
{
    int64_t below = 1, above = per;
    if (count > per) {
        below = count - count % per;
        above = below + per;
    }
    for (int64_t q = 1; count < per && q * q <= per; q++) {
        const int64_t divisors[2] = {q, per / q};
        for (size_t i = 0; per % q == 0 && i < 2; i++) {
            if (divisors[i] < count && divisors[i] > below)
                below = divisors[i];
            if (divisors[i] > count && divisors[i] < above)
                above = divisors[i];
        }
    }
    *ret_below = below;
    *ret_above = above;
}

static weir_err step_refuse(const char *text, int64_t count, const step_unit *unit,
                            weir_error *error)
{
    int64_t below, above;
    const char *whole = unit->kind == WEIR_STEP_MONTHS ? "year" : "day";
    step_neighbours(count, unit->per, &below, &above);
    return weir_fail(error, WEIR_EINVAL,
                     "step %s is neither a part of a %s nor whole %ss, so its place would differ "
                     "from %s to %s; the nearest that are: %lld%s and %lld%s",
                     text, whole, whole, whole, whole, (long long)below, unit->name,
                     (long long)above, unit->name);
}

weir_err weir_step_parse(const char *text, weir_step *ret_step, weir_error *error)
{
    const size_t digits = strspn(text, "0123456789");
    const int64_t count = step_count(text, digits);
    const step_unit *unit = step_unit_find(text + digits);
    if (!unit || count == 0)
        return weir_fail(error, WEIR_ESYNTAX,
                         "\"%.40s\" is no step; it takes a whole number and a unit of ms, s, min, "
                         "h, d, w, mo and y, such as 15min, 1h, 1d or 1mo",
                         text);
    if (count > unit->max)
        return weir_fail(error, WEIR_EINVAL, "step %.40s is longer than %lld%s", text,
                         (long long)unit->max, unit->name);
    if (unit->per % count != 0 && count % unit->per != 0)
        return step_refuse(text, count, unit, error);
    weir_step step = {unit->kind, count * unit->size};
    if (step.kind == WEIR_STEP_CLOCK && WEIR_HOUR % step.count == 0)
        step.kind = WEIR_STEP_ELAPSED;
    if (step.kind == WEIR_STEP_CLOCK && step.count % WEIR_DAY == 0)
        step = (weir_step){WEIR_STEP_DAYS, step.count / WEIR_DAY};
    *ret_step = step;
    return WEIR_OK;
}

/* ---- steps that divide an hour ---- */

/* Whether a bucket begins where `span` does, the clock having been moved: it shows a multiple of
 * the step, or would have shown one on the way. */
static bool step_begins_with(int64_t step_us, const weir_zone *zone, const weir_zone_span *span)
{
    const int64_t before_us = weir_zone_offset(zone, (weir_wall){span->from_us - 1});
    const int64_t shown = span->from_us + span->offset_us;
    const int64_t reached = span->from_us + before_us;
    return weir_floor_multiple(shown, step_us) >= (reached < shown ? reached : shown);
}

static int64_t elapsed_start(int64_t step_us, const weir_zone *zone, int64_t t)
{
    for (;;) {
        const weir_zone_span span = weir_zone_span_at(zone, (weir_wall){t});
        const int64_t start = weir_floor_multiple(t + span.offset_us, step_us) - span.offset_us;
        if (start >= span.from_us)
            return start;
        if (step_begins_with(step_us, zone, &span))
            return span.from_us;
        t = span.from_us - 1;
    }
}

static int64_t elapsed_next(int64_t step_us, const weir_zone *zone, int64_t t)
{
    weir_zone_span span = weir_zone_span_at(zone, (weir_wall){t});
    for (;;) {
        const int64_t start = weir_floor_multiple(t + span.offset_us, step_us) - span.offset_us;
        if (start + step_us < span.until_us)
            return start + step_us;
        t = span.until_us;
        span = weir_zone_span_at(zone, (weir_wall){t});
        if (step_begins_with(step_us, zone, &span))
            return t;
    }
}

/* ---- longer steps ---- */

static int64_t floor_day(int64_t local_us)
{
    return weir_floor_multiple(local_us, WEIR_DAY) / WEIR_DAY;
}

/* Local time rounded down to where a bucket begins, or, with buckets = 1, where the next does. */
static int64_t step_round(weir_step step, int64_t local_us, int64_t buckets)
{
    const int64_t day = floor_day(local_us), further = buckets * step.count;
    switch (step.kind) {
    case WEIR_STEP_ELAPSED:
    case WEIR_STEP_CLOCK:
        return weir_floor_multiple(local_us, step.count) + further;
    case WEIR_STEP_DAYS:
        return (weir_floor_multiple(day - STEP_FIRST_MONDAY, step.count) + STEP_FIRST_MONDAY +
                further) *
               WEIR_DAY;
    case WEIR_STEP_MONTHS:
        break;
    }
    const int64_t month = weir_floor_multiple(weir_month_of_day(day), step.count);
    return weir_month_first_day(month + further) * WEIR_DAY;
}

static int64_t step_start(weir_step step, const weir_zone *zone, int64_t t)
{
    if (step.kind == WEIR_STEP_ELAPSED)
        return elapsed_start(step.count, zone, t);
    const int64_t local = weir_zone_to_local(zone, (weir_wall){t});
    return weir_zone_to_utc(zone, step_round(step, local, 0)).us;
}

static int64_t step_next(weir_step step, const weir_zone *zone, int64_t t)
{
    if (step.kind == WEIR_STEP_ELAPSED)
        return elapsed_next(step.count, zone, t);
    const int64_t local = weir_zone_to_local(zone, (weir_wall){t});
    return weir_zone_to_utc(zone, step_round(step, local, 1)).us;
}

weir_wall weir_step_start(weir_step step, const weir_zone *zone, weir_wall ts)
{
    const int64_t t = ts.us < -STEP_LIMIT ? -STEP_LIMIT : ts.us > STEP_LIMIT ? STEP_LIMIT : ts.us;
    const int64_t start = step_start(step, zone, t);
    return (weir_wall){start <= ts.us ? start : INT64_MIN};
}

weir_wall weir_step_next(weir_step step, const weir_zone *zone, weir_wall start)
{
    /* The bucket that holds the one limit is the first with a beginning; that of the other belongs
     * to the time without an end. */
    if (start.us < -STEP_LIMIT) {
        const int64_t first = step_start(step, zone, -STEP_LIMIT);
        if (start.us < first)
            return (weir_wall){first};
    }
    const int64_t next = start.us > STEP_LIMIT ? INT64_MAX : step_next(step, zone, start.us);
    return (weir_wall){next > STEP_LIMIT ? INT64_MAX : next};
}
