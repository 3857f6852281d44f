/* SPDX-License-Identifier: MIT */
/* Counts and round-trip times of a series of requests, and the line that sums them up. */

#pragma once
#include <stdint.h>

#include "base/text.h"
#include "modbus/link.h"

enum { WEIR_RTT_KEPT = 4096 }; /* of which p99 is taken: the newest */

typedef struct weir_rtt {
    uint64_t requests, ok, late, timeouts, exceptions, malformed;
    int64_t min_us, max_us;
    double sum_us;
    uint64_t n;
    int32_t kept_us[WEIR_RTT_KEPT];
} weir_rtt;

/* The observer of a link that counts into rtt, which it borrows. */
weir_link_host weir_rtt_observer(weir_rtt *rtt);

/* "412 requests, 410 ok, 1 late, 1 timeout, 0.5 % loss, rtt min/avg/p99/max 0.4/0.5/1.2/3.1 ms";
 * what did not happen is left out. */
void weir_rtt_format(const weir_rtt *rtt, weir_text *t);
