/* SPDX-License-Identifier: MIT */
/* The block builder's inside: batches are gathered in one file, and written as one of two codecs in
 * two others. */

#pragma once
#include <zstd.h>

#include "blocks/block.h"
#include "blocks/column.h"

struct shape {
    uint64_t hash;
    uint32_t offset, length; /* in shape_bytes */
};

struct run {
    uint32_t value, length;
};

/* Samples on their slot, then samples with a time of their own. */
struct ts_run {
    uint32_t on_slot, own;
};

struct range {
    weir_tag_uid first, last;
};

struct weir_block_builder {
    weir_column batches;      /* weir_batch; samples pointer NULL */
    weir_column batch_shapes; /* uint32_t */
    weir_column shapes;       /* struct shape */
    weir_column shape_bytes;
    weir_column shape_slots; /* uint32_t: index + 1 in shapes; open addressing, power of two */
    weir_column ranges;      /* struct range, of the shapes */
    weir_column qualities;   /* struct run */
    weir_column ts_runs;     /* struct ts_run */
    weir_column own_ts;      /* int64_t */
    weir_column numbers[WEIR_KIND_COUNT]; /* uint64_t; lengths of strings and bytes */
    weir_column text, bytes;              /* contents of strings, of bytes */
    size_t count;
    int64_t min_ts, max_ts;

    /* A merged block keeps its samples as they are until it is encoded, and nothing above but
     * batches, shapes, ranges and text. */
    bool merged;
    weir_column samples; /* weir_sample; strings and bytes hold their place in text */
    weir_column seqs;    /* uint64_t: of each batch */

    bool encoded; /* head and body are up to date */
    weir_column raw, head, body;
    ZSTD_CCtx *zstd;
    struct weir_merged *merging; /* memory of the encoder of merged blocks */
};

/* Codec 2. NULL: no memory. */
struct weir_merged *weir_merged_new(void) WEIR_MUST_CHECK;
void weir_merged_free(struct weir_merged *merging); /* accepts NULL */

/* Fills raw size and body. */
weir_err weir_merged_encode(weir_block_builder *builder, size_t *ret_raw) WEIR_MUST_CHECK;
