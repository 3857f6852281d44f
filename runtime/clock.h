/* SPDX-License-Identifier: MIT */
/* The clocks of this machine. Only what is not simulated asks them; steps get a platform. */

#pragma once
#include <stdbool.h>

#include "base/clock.h"

weir_mono weir_system_mono(void); /* CLOCK_MONOTONIC; any thread */
weir_wall weir_system_wall(void); /* CLOCK_REALTIME; any thread */

/* Whether the kernel takes CLOCK_REALTIME for synchronized: some NTP program said so, and the clock
 * was not set by hand since. False too where the kernel must not be asked. Any thread. */
bool weir_system_synchronized(void);
