/* SPDX-License-Identifier: MIT */
/* The rows of one send in the order they are copied: one for each key, the one with the highest
 * seq. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/sink.h"
#include "sinks/postgres/tags.h"

typedef struct weir_pg_batch {
    struct weir_pg_key {
        int64_t id, ts_us;
        uint64_t seq;
        uint32_t epoch; /* 0 where the key has none */
        uint32_t row;   /* index among those sent */
    } * items;          /* ascending by key: neighbours on the server's pages too */
    size_t n, capacity;
} weir_pg_batch;

void weir_pg_batch_deinit(weir_pg_batch *b);

/* ids: of all tags. A row without a value has no place in a layout without null. WEIR_ENOMEM. */
weir_err weir_pg_batch_fill(weir_pg_batch *b, const weir_pg_layout *layout, const weir_pg_tags *ids,
                            const weir_sink_row *rows, size_t n) WEIR_MUST_CHECK;
