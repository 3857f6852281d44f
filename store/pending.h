/* SPDX-License-Identifier: MIT */
/* What waits for the next commit: blocks being built, and events. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blocks/block.h"
#include "model/sample.h"

/* When a sample was, by epoch and then ts. */
typedef struct weir_newest {
    int64_t ts;
    uint32_t epoch;
} weir_newest;

/* One row of the log to be. */
typedef struct weir_pending_row {
    weir_block_builder *builder;
    weir_newest newest; /* highest (epoch, ts) inside */
    int64_t trusted_ts; /* newest ts of batches whose clock was trusted; INT64_MIN: none */
} weir_pending_row;

typedef struct weir_pending_event {
    weir_wall ts;
    weir_event_kind kind;
    char *subject, *text;
} weir_pending_event;

/* All zero is empty. Not thread-safe. */
typedef struct weir_pending {
    weir_pending_row *rows; /* [0 .. n_rows-1] hold samples; one more builder may be kept behind */
    size_t n_rows, rows_capacity;
    weir_pending_event *events;
    size_t n_events, events_capacity;
    size_t n_samples;
    int64_t min_ts, max_ts; /* of these */
    size_t event_bytes;

    size_t n_tags;                     /* uids below this are known */
    size_t sealed_rows, sealed_events; /* the first ones: written by a commit whose end is not
                                          known; nothing is added to these rows */
} weir_pending;

void weir_pending_deinit(weir_pending *p);

/* Copies. WEIR_EINVAL: a tag uid the store did not give; see weir_block_builder_append. On failure
 * nothing was added. */
weir_err weir_pending_append(weir_pending *p, const weir_batch *batch,
                             weir_error *error) WEIR_MUST_CHECK;
weir_err weir_pending_event_add(weir_pending *p, const weir_event *event,
                                weir_error *error) WEIR_MUST_CHECK;

size_t weir_pending_bytes(const weir_pending *p);

/* Forgets samples and events, after their commit; what is known of the tags stays. */
void weir_pending_clear(weir_pending *p);

/* All that waits was written by a commit that failed, and may be on the disk nevertheless. What is
 * added from now on is kept apart from it. */
void weir_pending_seal(weir_pending *p);

/* How a commit that failed has turned out: all that was sealed is on the disk, or nothing. */
void weir_pending_unseal(weir_pending *p, bool written);
