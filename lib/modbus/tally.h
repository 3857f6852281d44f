/* SPDX-License-Identifier: MIT */
/* A tally: what happened to the requests of one device, and how long replies took. */

#pragma once
#include <stdint.h>

#include "model/source.h"

enum { WEIR_TALLY_RTTS = 128 }; /* replies whose round trip is kept, for the percentiles */

/* Zero is empty. */
typedef struct weir_tally {
    weir_device_counters counters; /* without the percentiles */
    uint64_t n_rtts;               /* ever seen */
    uint32_t rtts_us[WEIR_TALLY_RTTS];
} weir_tally;

/* what, rtt_us: as weir_link_host.on_count has them. */
void weir_tally_count(weir_tally *tally, const char *what, int64_t rtt_us);

/* The counters with p50 and p99 of the round trips kept, 0 without any. */
weir_device_counters weir_tally_get(const weir_tally *tally);
