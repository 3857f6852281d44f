/* SPDX-License-Identifier: MIT */
/* The row that a test of a sink writes and takes back. */

#pragma once
#include "model/sink.h"

/* Of tag weir/test, which no store has: uids begin with 1. */
weir_sink_row weir_trial_row(weir_wall now);
