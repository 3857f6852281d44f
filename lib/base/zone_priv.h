/* SPDX-License-Identifier: MIT */
/* What the files of a zone share: its spans, and what makes them (the file, and its yearly rule).
 */

#pragma once
#include "base/zone.h"

/* RFC 9636 3.2: offsets lie between -25 h and +26 h, both exclusive. */
#define ZONE_OFFSET_MIN_S (-89999)
#define ZONE_OFFSET_MAX_S 93599

#define ZONE_CYCLE_YEARS 400
#define ZONE_CYCLE       (146097 * WEIR_DAY)

struct weir_zone {
    int64_t *from;   /* when each span begins; the first is INT64_MIN, ascending */
    int64_t *offset; /* its offset, microseconds */
    size_t n;        /* spans; none is UTC for ever */
    /* With a yearly rule: spans that begin in [cycle_from, cycle_until) repeat for ever, the first
     * of them is cycle_first. Without: cycle_until is INT64_MAX. */
    int64_t cycle_from, cycle_until;
    size_t cycle_first;
    bool cycle_backwards; /* the rule holds for the past as well */
};

static inline int64_t weir_zone_clamp(int64_t v, int64_t min, int64_t max)
{
    return v < min ? min : v > max ? max : v;
}

/* Room for so many changes of offset, none yet. NULL: memory is short. */
weir_zone *weir_zone_new(size_t capacity) WEIR_MUST_CHECK;

/* Appends a change of offset. One at the same moment as the last replaces it; one that changes
 * nothing is left out. */
void weir_zone_add(weir_zone *zone, int64_t from, int64_t offset_s);

/* --- zone_rule.c: the footer of a file, a POSIX TZ string (RFC 9636 3.3.1) ----------------- */

/* Rule times reach a week over the ends of their year (RFC 9636 3.3.1), so the years beside a
 * year are looked at too; the cycle begins well after the last transition of the file. */
#define ZONE_YEARS_BEFORE 2
#define ZONE_CYCLE_DELAY  3
#define ZONE_YEARS        (ZONE_YEARS_BEFORE + ZONE_CYCLE_DELAY + ZONE_CYCLE_YEARS + 2)

typedef enum weir_zone_day_kind {
    WEIR_ZONE_DAY_JULIAN,  /* Jn: day 1 to 365, 29 February is never counted */
    WEIR_ZONE_DAY_COUNTED, /* n: day 0 to 365 */
    WEIR_ZONE_DAY_WEEK,    /* Mm.w.d: weekday d (0 = Sunday) of week w (5 = the last) of month m */
} weir_zone_day_kind;

typedef struct weir_zone_day {
    weir_zone_day_kind kind;
    int month, week, day;
    int time_s; /* local time of that day, -167 h to 167 h */
} weir_zone_day;

typedef struct weir_zone_rule {
    int standard_s, saving_s; /* east of UTC */
    bool has_saving;
    weir_zone_day begins, ends;
} weir_zone_rule;

/* Offsets are written west of UTC: "CET-1CEST,M3.5.0,M10.5.0/3". */
bool weir_zone_rule_parse(const char *text, weir_zone_rule *ret);

/* Appends the rule's changes after `last`, the file's last transition, and says how they repeat.
 * The offset at `last` itself is the footer's matter too (RFC 9636 3.3). At most 2 * ZONE_YEARS. */
void weir_zone_add_rule(weir_zone *zone, const weir_zone_rule *f, int64_t last);
