/* SPDX-License-Identifier: MIT */
/* What the two halves of the codec, builder.c and block.c, must agree on. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "blocks/block.h"
#include "model/sample.h"

/*
 * The numbers of a batch header, in the order of their columns. Each is stored as the difference
 * to a base: its own value in the batch before (0 for the first), except that `sent` is stored
 * against the batch's due and `received` against its sent: a reply comes soon after its request.
 */
enum {
    HEADER_CONNECTION,
    HEADER_DEVICE,
    HEADER_REVISION,
    HEADER_EPOCH,
    HEADER_FLAGS,
    HEADER_PLANS,
    HEADER_FENCE,
    HEADER_DUE,
    HEADER_SENT,
    HEADER_RECEIVED,
    HEADER_ANCHOR,
    HEADER_COUNT,
};

static inline void header_take(const weir_batch *b, uint64_t ret[HEADER_COUNT])
{
    ret[HEADER_CONNECTION] = b->connection;
    ret[HEADER_DEVICE] = b->device;
    ret[HEADER_REVISION] = b->catalog_revision;
    ret[HEADER_EPOCH] = b->epoch;
    ret[HEADER_FLAGS] = b->flags;
    ret[HEADER_PLANS] = b->plans;
    ret[HEADER_FENCE] = b->fence;
    ret[HEADER_DUE] = (uint64_t)b->due.us;
    ret[HEADER_SENT] = (uint64_t)b->sent.us;
    ret[HEADER_RECEIVED] = (uint64_t)b->received.us;
    ret[HEADER_ANCHOR] = (uint64_t)b->anchor_us;
}

/* Which header number a column is stored against: its own of the batch before, or another of the
 * same batch. */
static inline uint64_t header_base(unsigned column, const uint64_t before[HEADER_COUNT],
                                   const uint64_t self[HEADER_COUNT])
{
    if (column == HEADER_SENT)
        return self[HEADER_DUE];
    if (column == HEADER_RECEIVED)
        return self[HEADER_SENT];
    return before[column];
}

/* Signed kinds are stored zigzag, so that small negative numbers are narrow. */
static inline bool kind_is_signed(uint8_t kind)
{
    return kind == WEIR_KIND_I64 || kind == WEIR_KIND_DECIMAL;
}

/* The counterpart of header_take. */
void weir_header_give(weir_batch *batch, const uint64_t v[HEADER_COUNT]);

/* A shape written out: the tags and kinds of n samples. False when it is damaged. */
bool weir_shape_read(weir_reader *r, weir_sample *samples, uint32_t n);

/* Codec 2: fills the block, whose arrays are there. */
weir_err weir_merged_decode(const weir_block_head *head, const uint8_t *body, weir_block *block,
                            weir_error *error);
