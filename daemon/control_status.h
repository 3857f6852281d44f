/* SPDX-License-Identifier: MIT */
/* What `weir status` shows, as JSON: the store, the clock, devices and sinks. */

#pragma once
#include <jansson.h>

#include "daemon/deliveries.h"
#include "runtime/collector.h"

/* deliveries may be NULL: there are no sinks. Waits for the loop up to a second; what it has not
 * told by then is missing. Any thread but the collector's own. */
json_t *weir_control_status(weir_runtime *runtime, weir_deliveries *deliveries);
