/* SPDX-License-Identifier: MIT */
/* The clocks of this machine. */

#include "runtime/clock.h"

#include <sys/timex.h>
#include <time.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return t.tv_sec * WEIR_S + t.tv_nsec / 1000;
}

weir_mono weir_system_mono(void)
{
    return (weir_mono){clock_us(CLOCK_MONOTONIC)};
}

weir_wall weir_system_wall(void)
{
    return (weir_wall){clock_us(CLOCK_REALTIME)};
}

bool weir_system_synchronized(void)
{
    struct timex t = {.modes = 0}; /* only asks: no privilege is needed */
    return adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC);
}
