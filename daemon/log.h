/* SPDX-License-Identifier: MIT */
/* The daemon's log: one line on stderr for each change of state. */

#pragma once
#include <stdbool.h>

#include "model/catalog.h"

/* From then on lines above the level are dropped. Before: info, text. */
void weir_log_set(weir_log_level level, weir_log_format format);

/*
 * "warning device_down subject=m07 text=\"no answer in time ...\"", or one JSON object with the
 * same keys and the time. subject may be "". Any thread. Never waits: while nobody reads stderr,
 * lines are lost, and counted in the next one that is written.
 */
void weir_log_line(weir_log_level level, const char *event, const char *subject, const char *text);

const char *weir_log_level_text(weir_log_level level);
