/* SPDX-License-Identifier: MIT */
/* The clocks of this machine. Only what is not simulated asks them; steps get a platform. */

#pragma once
#include "base/clock.h"

weir_mono weir_system_mono(void); /* CLOCK_MONOTONIC; any thread */
weir_wall weir_system_wall(void); /* CLOCK_REALTIME; any thread */
