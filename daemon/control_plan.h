/* SPDX-License-Identifier: MIT */
/* The control socket's methods for plans. */

#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "runtime/collector.h"

/*
 * plan.list gives {"plans": [{"name", "id", "state", "rhythm", "merge", "tags", "started", "ended",
 *     "expires", "next_due", "configured", "collecting", "bit", "description"} ...]}, `default`
 *     first; times in microseconds, null where there is none; "collecting": cycles that are not
 *     over.
 * plan.start {"name"} starts one that is there; with "tags": [PATTERN ...] it makes one:
 * "interval", "default_interval", "minimum_interval", "lifetime" in microseconds, "cron", "zone",
 * "merge": "union"|"gcd", "interval_policy": "ignore"|"limit"|"error", "id". Without "lifetime"
 * that is 24 h. plan.pause, plan.resume, plan.stop {"name"} give {}. plan.collect {"name",
 * "cycles", "wait": us} begins to read all its tags at once, and gives {}. Errors as {"error",
 * "code"}.
 *
 * False: the method is none of these. The control thread.
 */
bool weir_control_plan(weir_runtime *collector, const char *method, const json_t *params,
                       json_t *answer);
