/* SPDX-License-Identifier: MIT */
/* Rows of a view: their blocks, and the samples in these. */

/*
 * Rows that were decoded stay in a small cache under their seqs: what a seq stands for never
 * changes, so the cache outlives the moment. It serves the dashboard that asks for one tag after
 * the other.
 */

#include "store/query/view_priv.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "store/file/database.h"

enum { CACHE_SAMPLES_MAX = 512 * 1024 }; /* of all blocks: 16 MB */

void weir_view_block_release(weir_view_block *block)
{
    if (!block || --block->refs > 0)
        return;
    weir_block_free(block->block);
    weir_free(block);
}

/* To the front, and what no longer fits is let go. */
static void cache_put(weir_view *view, weir_view_block *block)
{
    size_t at = 0, samples = 0;
    while (at < VIEW_BLOCKS - 1 && view->cache[at] && view->cache[at] != block)
        at++;
    if (view->cache[at] != block) {
        weir_view_block_release(view->cache[at]);
        block->refs++;
    }
    for (; at > 0; at--)
        view->cache[at] = view->cache[at - 1];
    view->cache[0] = block;
    for (size_t i = 0; i < VIEW_BLOCKS && view->cache[i]; i++) {
        samples += view->cache[i]->block->count;
        if (i > 0 && samples > CACHE_SAMPLES_MAX) {
            weir_view_block_release(view->cache[i]);
            view->cache[i] = NULL;
        }
    }
    /* What was let go lies behind all that stayed, since samples only grows. */
}

static weir_err row_fail(const weir_view_row *row, weir_error *error)
{
    return weir_fail_prefix(error, "%s row %" PRIu64 ": ", row->fresh ? "fresh" : "log",
                            row->first_seq);
}

static weir_err row_head(const weir_view_row *row, sqlite3_stmt *stmt, weir_block_head *ret,
                         weir_error *error)
{
    weir_err err = weir_block_head_parse(sqlite3_column_blob(stmt, 0),
                                         (size_t)sqlite3_column_bytes(stmt, 0), ret, error);
    if (err == WEIR_OK &&
        (ret->min_ts.us != row->stored_min_ts || ret->max_ts.us != row->stored_max_ts))
        err = weir_fail(error, WEIR_EDAMAGED, "min_ts and max_ts are not those of its block");
    return err;
}

static weir_err row_decode(weir_view *view, const weir_view_row *row, sqlite3_stmt *stmt,
                           const weir_block_head *head, weir_view_block **ret, weir_error *error)
{
    weir_block *block = NULL;
    const uint8_t *body = sqlite3_column_blob(stmt, 1);
    size_t n = (size_t)sqlite3_column_bytes(stmt, 1);
    /* A used slot may be larger than what is in it now. */
    if (row->fresh && n > head->body_size)
        n = head->body_size;
    weir_view_block *found = weir_alloc_zero(1, sizeof *found);
    if (!found)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
    weir_err err = weir_block_decode(head, body, n, &block, error);
    if (err != WEIR_OK) {
        weir_free(found);
        return err;
    }
    view->counters.decoded++;
    *found = (weir_view_block){1, row->first_seq, row->last_seq, block};
    cache_put(view, found);
    *ret = found;
    return WEIR_OK;
}

weir_err weir_view_row_block(weir_view *view, const weir_view_row *row, const weir_tag_uid *tags,
                             size_t n_tags, weir_view_block **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset)
    sqlite3_stmt *stmt = row->fresh ? view->fresh_row : view->log_row;
    weir_block_head head;
    bool found = false;
    view->counters.rows++;
    for (size_t i = 0; i < VIEW_BLOCKS && view->cache[i]; i++) {
        if (view->cache[i]->first_seq == row->first_seq &&
            view->cache[i]->last_seq == row->last_seq) {
            *ret = view->cache[i];
            (*ret)->refs++;
            cache_put(view, *ret);
            return WEIR_OK;
        }
    }
    (void)sqlite3_bind_int64(stmt, 1, row->key);
    weir_err err = weir_db_step(stmt, &found, error);
    if (err == WEIR_OK &&
        (!found || (row->fresh && (uint64_t)sqlite3_column_int64(stmt, 2) != row->first_seq)))
        err = weir_fail(error, WEIR_EDAMAGED, "it is gone");
    if (err == WEIR_OK)
        err = row_head(row, stmt, &head, error);
    if (err == WEIR_OK && tags && !weir_block_head_has_any(&head, tags, n_tags)) {
        *ret = NULL;
        return WEIR_OK;
    }
    if (err == WEIR_OK)
        err = row_decode(view, row, stmt, &head, ret, error);
    return err == WEIR_OK ? err : row_fail(row, error);
}

bool weir_view_walk_next(weir_view_walk *walk, weir_item *ret)
{
    const weir_view *view = walk->view;
    const uint64_t used = walk->row->snapshot ? 0
                          : walk->row->fresh  ? view->merged_seq
                                              : view->history_seq;
    while (walk->batch < walk->block->n_batches) {
        const weir_batch *batch = &walk->block->batches[walk->batch];
        size_t i = walk->sample++;
        if (i == batch->n_samples) {
            walk->batch++;
            walk->sample = 0;
            continue;
        }
        if (walk->only && batch->samples[i].tag != walk->only)
            continue;
        uint64_t first = walk->block->offsets ? walk->block->offsets[walk->batch]
                                              : (uint64_t)(batch->samples - walk->block->samples);
        int64_t offset = weir_view_offset(view, batch->epoch);
        *ret = (weir_item){.sample = batch->samples[i],
                           .epoch = batch->epoch,
                           .flags = batch->flags,
                           .seq = walk->row->first_seq + first + i,
                           .plans = batch->plans,
                           .received = {weir_view_shift(batch->received.us, offset)}};
        ret->sample.ts.us = weir_view_shift(ret->sample.ts.us, offset);
        if (ret->seq > used)
            return true;
    }
    return false;
}
