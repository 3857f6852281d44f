/* SPDX-License-Identifier: MIT */
/* A range of the log, read row by row. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "blocks/block.h"
#include "store/file/row.h"
#include "store/store.h"

typedef struct weir_log_range {
    uint64_t first_seq;
    uint64_t at;    /* read up to here */
    uint64_t until; /* the log's end when it began, or that of a range that is resumed */
    size_t n_tags;
    uint64_t *purged; /* by uid */
} weir_log_range;

/* Nothing is read yet. Release with weir_log_range_deinit, also on failure. */
weir_err weir_log_range_init(weir_log_range *r, const weir_store *store, uint64_t first_seq,
                             uint64_t until, weir_error *error) WEIR_MUST_CHECK;
void weir_log_range_deinit(weir_log_range *r);

/* Reads from the start again. */
void weir_log_range_rewind(weir_log_range *r);

/* *ret_end: the range ends before this row. */
typedef weir_err weir_log_range_on_row(void *data, const weir_row *row, const weir_block_head *head,
                                       const weir_block *block, bool *ret_end, weir_error *error);

/* Hands the next rows to on_row, as many as a piece may read; one that cannot be read is set aside,
 * in a transaction of its own. *ret_end: the range's end was reached. */
weir_err weir_log_range_read(weir_log_range *r, weir_store *store, weir_wall now,
                             weir_log_range_on_row *on_row, void *data, bool *ret_end,
                             weir_error *error) WEIR_MUST_CHECK;

bool weir_log_range_is_purged(const weir_log_range *r, const weir_sample *s, uint64_t seq);

/* The batch's lowest tag, which names the series of its replies. */
weir_tag_uid weir_batch_lowest(const weir_batch *batch);
