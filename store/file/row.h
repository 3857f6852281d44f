/* SPDX-License-Identifier: MIT */
/* A row with a block in it, and its batches with their sequence numbers. */

#pragma once
#include <sqlite3.h>

#include "blocks/block.h"

/* Borrows from the statement's current row. body may have zeros behind it. */
typedef struct weir_row {
    uint64_t first_seq;
    const uint8_t *head, *body;
    size_t head_length, body_length;
} weir_row;

/* From the columns with these numbers. */
weir_row weir_row_of(sqlite3_stmt *stmt, int first_seq, int head, int body);

/* WEIR_EDAMAGED, WEIR_EUNSUPPORTED, WEIR_ENOMEM. */
weir_err weir_row_decode(weir_row row, weir_block_head *ret_head, weir_block **ret,
                         weir_error *error) WEIR_MUST_CHECK;

/* The seq of the first sample of batch i, which comes behind `before` samples of the block. */
static inline uint64_t weir_row_seq(const weir_row *row, const weir_block_head *head,
                                    const weir_block *block, size_t i, size_t before)
{
    return row->first_seq + (head->codec == WEIR_BLOCK_CODEC ? before : block->offsets[i]);
}

/* How many numbers its row takes: those of the samples, and of the events between the batches. */
static inline uint64_t weir_row_span(const weir_block_head *head, const weir_block *block)
{
    const size_t last = block->n_batches - 1;
    return head->codec == WEIR_BLOCK_CODEC
               ? head->count
               : (uint64_t)block->offsets[last] + block->batches[last].n_samples;
}

typedef weir_err (*weir_row_on_batch)(void *data, const weir_batch *batch, uint64_t seq,
                                      weir_error *error);

/* Decodes and hands over the batches; ends with the first error. */
weir_err weir_row_each(weir_row row, void *data, weir_row_on_batch on_batch,
                       weir_error *error) WEIR_MUST_CHECK;
