/* SPDX-License-Identifier: MIT */
/* Cron expressions: which seconds of the local clock are meant, and when the next one comes. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/zone.h"

/*
 * An expression has six fields, or five: then the second is 0.
 *
 *     second 0-59   minute 0-59   hour 0-23   day of month 1-31   month 1-12   day of week 0-7
 *
 * A field is a list, parted by commas, of: a value; a range 8-17; either with a step: 8-17/3, and
 * 8/3, which goes on to the end of the field; * for all values, with a step from the lowest of
 * them. Months and days of the week have names too, JAN and MON, in either case. 0 and 7 are both
 * Sunday. ? means * in the two fields of days. Besides: @yearly @annually @monthly @weekly @daily
 * @midnight @hourly.
 *
 * A day must suit both fields of days. But when neither begins with * or ?, it need only suit one
 * of them: "0 0 13 * FRI" is every 13th and every Friday. (So has it been since Paul Vixie's cron.)
 *
 * When the clock is moved:
 *
 *   Every hour is meant (the hour is *, or a list of all 24)   It fires whenever the clock shows
 *       what is meant: in an hour that comes twice both times, in one that is left out not at
 *       all. "0 * * * * *" is every minute on every day.
 *
 *   Some hours are meant   It fires once for each time that is meant. In an hour that comes twice,
 *       the first time. What would lie in an hour that is left out fires when the clock is moved
 *       over it, once, however many they were: "0 30 2 * * *" is every day, though 2:30 is not.
 */
typedef struct weir_cron {
    uint64_t seconds, minutes; /* one bit each */
    uint32_t hours, days;      /* days: bit 1 to 31 */
    uint16_t months;           /* bit 1 to 12 */
    uint8_t weekdays;          /* bit 0: Sunday */
    bool either_day;           /* one field of days is enough */
} weir_cron;

/*
 * WEIR_ESYNTAX  the text names the field, and what to write in it.
 * WEIR_EINVAL   well-formed, but it can never fire (30 February).
 */
weir_err weir_cron_parse(const char *text, weir_cron *ret, weir_error *error) WEIR_MUST_CHECK;

/*
 * The same from three fields. One that is NULL or "" means: all values, if a field below it is
 * given; the lowest, if only fields above it are. None given: every second.
 */
weir_err weir_cron_parse_hms(const char *hour, const char *minute, const char *second,
                             weir_cron *ret, weir_error *error) WEIR_MUST_CHECK;

/* The expression that the same three fields are, appended. */
void weir_cron_write_hms(const char *hour, const char *minute, const char *second, weir_text *ret);

/* Both mean the same moments. */
bool weir_cron_equal(const weir_cron *a, const weir_cron *b);

/* The first moment after `after` at which it fires; false: none in a hundred years. */
bool weir_cron_next(const weir_cron *cron, const weir_zone *zone, weir_wall after, weir_wall *ret);

/* The last moment at or before `at` at which it fired; false: none in a hundred years. */
bool weir_cron_previous(const weir_cron *cron, const weir_zone *zone, weir_wall at, weir_wall *ret);
