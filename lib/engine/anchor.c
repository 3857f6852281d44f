/* SPDX-License-Identifier: MIT */
/* The anchor: see anchor.h. */

#include "engine/anchor.h"

/* Two clocks read one after the other differ by this much without meaning anything. */
#define NOISE_US WEIR_MS

/* A drift is followed at most this fast: elapsed / SLEW. An interval is then 5 % too long or too
 * short at worst, and half a second is made good within ten. */
#define SLEW 20

/* A machine without a battery for its clock starts in 1970, or where its last shutdown was. */
#define BEFORE_NEWEST_US WEIR_DAY
#define AFTER_LATEST_US  (8 * 365 * WEIR_DAY + 2 * WEIR_DAY)

void weir_anchor_set(weir_anchor *anchor, weir_mono now, weir_wall wall)
{
    *anchor = (weir_anchor){.us = wall.us - now.us, .checked = now};
}

static int64_t clamp(int64_t v, int64_t limit)
{
    return v > limit ? limit : v < -limit ? -limit : v;
}

int64_t weir_anchor_check(weir_anchor *anchor, weir_mono now, weir_wall wall)
{
    const int64_t drift = wall.us - now.us - anchor->us;
    if (drift >= WEIR_CLOCK_STEP_US || drift <= -WEIR_CLOCK_STEP_US)
        return drift;
    if (drift >= NOISE_US || drift <= -NOISE_US)
        anchor->us += clamp(drift, (now.us - anchor->checked.us) / SLEW);
    anchor->checked = now;
    return 0;
}

bool weir_wall_plausible(weir_wall wall, weir_wall built, weir_wall newest)
{
    const int64_t latest = built.us > newest.us ? built.us : newest.us;
    return wall.us >= built.us && (newest.us == 0 || wall.us >= newest.us - BEFORE_NEWEST_US) &&
           wall.us - latest <= AFTER_LATEST_US;
}
