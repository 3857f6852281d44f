/* SPDX-License-Identifier: MIT */
/* Time zones: from UTC to what the clock on the wall shows, and back. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

/*
 * A zone is read from the bytes of a TZif file (RFC 9636, versions 1 to 4; the caller reads the
 * file). It never changes after that: any number of threads may ask it.
 *
 * "Local time" is an int64 in microseconds since 1970-01-01 00:00 on the local clock. All offsets
 * are microseconds east of UTC (Berlin in winter: 3600000000).
 *
 * Every int64 is accepted as a time; what is further from 1970 than WEIR_ZONE_LIMIT (146 000
 * years) is treated as if it lay at that limit, so nothing here overflows.
 */
typedef struct weir_zone weir_zone;

#define WEIR_ZONE_LIMIT (INT64_C(1) << 62)

/* Whether the name may be put behind a folder of zone files: 1 to 64 of A-Z a-z 0-9 _ + - and
 * single slashes between. So it cannot leave the folder. */
bool weir_zone_name_is_safe(const char *name);

/*
 * Reads a TZif file of n bytes. Of versions 2 and later only the 64-bit block counts; its footer
 * rules all times from the last transition on, for ever. Bytes behind the footer are ignored.
 *
 * WEIR_EDAMAGED      not a TZif file, cut short, or against the format; the text says what.
 * WEIR_EUNSUPPORTED  counts leap seconds ("right/..."): weir's time has none (weir_wall), and such
 *                    a file's transitions are up to 27 s away from it.
 * WEIR_ENOMEM
 */
weir_err weir_zone_parse(const void *bytes, size_t n, weir_zone **ret_zone,
                         weir_error *error) WEIR_MUST_CHECK;
void weir_zone_free(weir_zone *zone); /* accepts NULL */

/* UTC, needs no file. Lives for ever, not to be freed. */
const weir_zone *weir_zone_utc(void);

/* A stretch of time in which the offset stays the same: from_us <= t < until_us, in UTC.
 * INT64_MIN and INT64_MAX: no change before, or after. Neighbouring spans differ in offset. */
typedef struct weir_zone_span {
    int64_t from_us;
    int64_t until_us;
    int64_t offset_us;
} weir_zone_span;

weir_zone_span weir_zone_span_at(const weir_zone *zone, weir_wall utc);
int64_t weir_zone_offset(const weir_zone *zone, weir_wall utc);

/*
 * The two below are made for each other: local time here never runs backwards.
 *
 * weir_zone_to_local: the latest local time shown up to and at utc. While an hour is repeated in
 * autumn it stands still at the last microsecond of the first pass; at all other times it is
 * utc + offset.
 *
 * weir_zone_to_utc: the first moment at which the local clock shows local_us or later. A time that
 * exists twice means its first occurrence; one that does not exist (spring, a skipped day) means
 * the moment the clock was moved over it.
 *
 * So for all t and l: to_utc(l) <= t exactly when l <= to_local(t).
 */
int64_t weir_zone_to_local(const weir_zone *zone, weir_wall utc);
weir_wall weir_zone_to_utc(const weir_zone *zone, int64_t local_us);

/* Gregorian months, counted from January of year 0 (so month / 12 is the year), and days, counted
 * from 1970-01-01. Both may be negative. */
int64_t weir_month_of_day(int64_t day);
int64_t weir_month_first_day(int64_t month);

WEIR_DEFINE_CLEANUP(weir_zone, weir_zone_free)
