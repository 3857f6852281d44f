/* SPDX-License-Identifier: MIT */
/* The filter of a sink: which samples it gets. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/catalog.h"
#include "model/sink.h"

/* What the patterns and labels say of a tag is decided once for each of its versions. All zero but
 * config is a filter that has seen none. */
typedef struct weir_sink_filter {
    const weir_sink_config *config;
    uint8_t *known; /* [number of a weir_sink_tag] */
    size_t n;
} weir_sink_filter;

void weir_sink_filter_deinit(weir_sink_filter *filter);

/* Whether the sink gets this tag at all. Patterns without ! say what it gets (none: all), those
 * with ! take away from that, wherever they stand; labels must all be there. */
bool weir_sink_wants_tag(const weir_sink_config *config, const char *name, weir_tag_labels labels);

/* Whether it gets this row. */
bool weir_sink_filter_row(weir_sink_filter *filter, const weir_sink_row *row);
