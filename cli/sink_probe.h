/* SPDX-License-Identifier: MIT */
/* Trying a sink of the configuration: what `weir sink test` and `weir check --live` do. */

#pragma once
#include "base/clock.h"
#include "cli/exit.h"
#include "model/sink.h"

/* What people wait for at most. */
#define WEIR_SINK_PROBE_US (10 * WEIR_S)

/*
 * Has the sink try itself on this thread, for timeout_us at most. A sink that cannot even be made
 * answers misconfigured, with why. Returns OK; CONNECT; TIMEOUT: silence until the end; REFUSED:
 * the other side answered, but took nothing; FAILURE.
 */
weir_exit weir_sink_probe(const weir_sink_config *config, int64_t timeout_us, weir_sink_test *ret);

/* "ok", "rejected", "too_large", or the trouble's word. */
const char *weir_sink_probe_word(const weir_sink_test *test);
