/* SPDX-License-Identifier: MIT */
/* Times: the public part is weir/clock.h; here how they are reckoned with. */

#pragma once
#include "base/text.h"
#include "weir/clock.h"

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
