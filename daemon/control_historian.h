/* SPDX-License-Identifier: MIT */
/* The control socket's methods for pulling historians. */

#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "runtime/historian.h"

/*
 * historian.read {"name", "limit", "after", "tags", "from": "log"|"now"} gives {"store",
 *     "acknowledged", "cursor", "committed_seq", "lost", "held", "samples": [{"tag", "ts", "value",
 *     "quality", "cause", "read_ts", "epoch", "seq", "id", "unit"} ...]}
 * historian.acknowledge {"name", "store", "cursor"} or {"name", "before": us} gives {"cursor"}
 * historian.remove {"name"} gives {}
 * as design.md's SQL shows values; errors as {"error", "code"}.
 *
 * False: the method is none of these. The control thread.
 */
bool weir_control_historian(weir_historians *historians, const char *method, const json_t *params,
                            json_t *answer);
