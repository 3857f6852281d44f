/* SPDX-License-Identifier: MIT */
/* Calendar steps: which bucket of time an instant belongs to, in a time zone. */

#pragma once
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/zone.h"

/*
 * A step cuts all time into buckets. They follow each other without a hole, never overlap, are
 * never empty and never go backwards, whatever the zone does to its clock. The rules, by step:
 *
 *   Divides an hour (500ms, 15min, 1h)   A bucket begins whenever the local clock shows a multiple
 *       of the step, and when the clock is moved forward over one. An hour that comes twice in
 *       autumn has its buckets twice. So where the change is a multiple of the step (1h in Berlin)
 *       all buckets last exactly one step: a day of 23 or 25 hours has 23 or 25 of 1h. Where it is
 *       not (1h on Lord Howe Island, which changes by 30 minutes) one bucket of that day is longer
 *       or shorter than a step.
 *
 *   Divides a day only (90min, 2h, 6h)   A bucket begins when the local clock first shows a
 *       multiple of the step since midnight, or is moved over it. An hour that comes twice belongs
 *       to the bucket it began in. So every day has as many buckets as the clock's face, and on the
 *       day of a change the one with the change in it is longer or shorter (2h in Berlin: 3 h in
 *       autumn, 1 h in spring), or the two beside it are. One is missing only when the clock jumps
 *       over all of it.
 *
 *   Days and longer   From local midnight to local midnight. A midnight that comes twice counts
 *       the first time; if it does not exist, the day begins when the clock was moved over it; a
 *       date that was left out (Apia, 2011-12-30) has no bucket. Weeks begin on Monday. Months
 *       begin on the first, and n of them are counted from January (3mo are quarters); n years are
 *       counted from year 0, n days from Monday 1970-01-05 (so 7d is 1w).
 *
 * As each rule counts from midnight, a bucket of a longer step consists of whole buckets of every
 * shorter one that divides it.
 *
 * Exact for 73 000 years around 1970. Before and after, all time is one bucket that begins at
 * INT64_MIN, or ends at INT64_MAX.
 */
typedef enum weir_step_kind {
    WEIR_STEP_ELAPSED, /* divides an hour; count in microseconds */
    WEIR_STEP_CLOCK,   /* divides a day; count in microseconds */
    WEIR_STEP_DAYS,
    WEIR_STEP_MONTHS,
} weir_step_kind;

typedef struct weir_step {
    weir_step_kind kind;
    int64_t count;
} weir_step;

/*
 * A whole number and a unit: ms s min h d w mo y, as in "15min". What is not below a day must be
 * whole days; what is not below a year, whole years; at most 100 years.
 *
 * WEIR_ESYNTAX  not of that form; the text says what is.
 * WEIR_EINVAL   does not divide a day, or a year ("7h", "5mo"), or is too long; the text names the
 *               nearest steps that are allowed.
 */
weir_err weir_step_parse(const char *text, weir_step *ret_step, weir_error *error) WEIR_MUST_CHECK;

/* The first moment of the bucket that holds ts: start <= ts < next(start). */
weir_wall weir_step_start(weir_step step, const weir_zone *zone, weir_wall ts);

/* The first moment of the bucket that follows the one holding `start`; always later. */
weir_wall weir_step_next(weir_step step, const weir_zone *zone, weir_wall start);
