/* SPDX-License-Identifier: MIT */
/* Two kinds of time that cannot be mixed, and how wall-clock time is written. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Monotonic time: microseconds from an arbitrary start; never steps. Intervals, timeouts. */
typedef struct weir_mono {
    int64_t us;
} weir_mono;

/* Wall-clock time: microseconds since 1970-01-01 00:00 UTC, without leap seconds; may step. */
typedef struct weir_wall {
    int64_t us;
} weir_wall;

#define WEIR_MS     1000LL
#define WEIR_S      1000000LL
#define WEIR_MINUTE (60 * WEIR_S)
#define WEIR_HOUR   (3600 * WEIR_S)
#define WEIR_DAY    (86400 * WEIR_S)

/* "No wake-up needed." */
#define WEIR_MONO_NEVER ((weir_mono){INT64_MAX})

static inline weir_mono weir_mono_add(weir_mono t, int64_t us)
{
    return (weir_mono){us > 0 && t.us > INT64_MAX - us ? INT64_MAX : t.us + us};
}

static inline weir_mono weir_mono_min(weir_mono a, weir_mono b)
{
    return a.us < b.us ? a : b;
}

static inline bool weir_mono_reached(weir_mono now, weir_mono t)
{
    return now.us >= t.us;
}

/* a / b rounded down, also below 0; b > 0. */
static inline int64_t weir_floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Largest multiple of interval_us that is not after t; right also before 1970. */
static inline int64_t weir_floor_multiple(int64_t t_us, int64_t interval_us)
{
    int64_t rest = t_us % interval_us;
    return t_us - (rest < 0 ? rest + interval_us : rest);
}

/* "YYYY-MM-DDTHH:MM:SS.ffffffZ", years 0001 to 9999. ret must hold 28 bytes. */
void weir_wall_format(weir_wall t, char ret[28]);

/* The form above; fraction of 0 to 6 digits optional, "T" or blank, "Z" or nothing (UTC); a bare
 * date is midnight. False on anything else. */
bool weir_wall_parse(const char *text, weir_wall *ret);
