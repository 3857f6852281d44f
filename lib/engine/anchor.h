/* SPDX-License-Identifier: MIT */
/* The anchor: wall time as the engine counts it, monotonic time plus an offset that never jumps
 * unnoticed. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* Anchored wall time = mono + us. Between two steps of the clock it only grows, so a slot that was
 * passed never comes again. */
typedef struct weir_anchor {
    int64_t us;        /* wall minus mono, in force */
    weir_mono checked; /* when the clock was last looked at */
} weir_anchor;

/* From here on the wall clock has stepped; below, the anchor follows it gently. */
#define WEIR_CLOCK_STEP_US (500 * WEIR_MS)

void weir_anchor_set(weir_anchor *anchor, weir_mono now, weir_wall wall);

/*
 * Compares the wall clock with the anchor. Returns 0, having followed a small drift by at most a
 * twentieth of the time since the last call; or the size of the step (wall clock minus anchored
 * time), having changed nothing: weir_anchor_set accepts it.
 */
int64_t weir_anchor_check(weir_anchor *anchor, weir_mono now, weir_wall wall);

static inline weir_wall weir_anchor_wall(const weir_anchor *anchor, weir_mono t)
{
    return (weir_wall){t.us + anchor->us};
}

static inline weir_mono weir_anchor_mono(const weir_anchor *anchor, weir_wall t)
{
    return (weir_mono){t.us - anchor->us};
}

/* Moves a time that was taken by a wrong clock between from and to; other times stay. */
static inline void weir_wall_shift(weir_wall *t, weir_wall from, weir_wall to, int64_t by_us)
{
    if (t->us >= from.us && t->us <= to.us)
        t->us += by_us;
}

/*
 * Whether a wall time can be true: not before the program was built, at most a day before the
 * newest stored sample (0: none), at most 8 years after the later of the two.
 */
bool weir_wall_plausible(weir_wall wall, weir_wall built, weir_wall newest);
