/* SPDX-License-Identifier: MIT */
/* Two kinds of time that cannot be mixed, and how wall-clock time is written. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "weir/api.h"

WEIR_C_BEGIN

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
#ifdef __cplusplus
#define WEIR_MONO_NEVER (weir_mono{INT64_MAX})
#else
#define WEIR_MONO_NEVER ((weir_mono){INT64_MAX})
#endif

/* "YYYY-MM-DDTHH:MM:SS.ffffffZ", years 0001 to 9999. ret must hold 28 bytes. */
WEIR_API void weir_wall_format(weir_wall t, char ret[28]);

/* The form above; fraction of 0 to 6 digits optional, "T" or blank, "Z" or nothing (UTC); a bare
 * date is midnight. False on anything else. */
WEIR_API bool weir_wall_parse(const char *text, weir_wall *ret);

WEIR_C_END
