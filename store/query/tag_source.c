/* SPDX-License-Identifier: MIT */
/* One place that samples of a tag come from: a part's segment, a row, or a list of them. */

#include "store/query/tag_source.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "store/file/schema.h"

enum { CHUNK_SAMPLES = 8192 }; /* decoded at once in a long walk: 256 kB */

void weir_tag_source_deinit(weir_tag_source *c)
{
    weir_segment_free(c->segment);
    weir_free(c->samples);
    weir_free(c->refs);
    weir_view_block_release(c->block);
    weir_free(c->items);
}

static weir_err no_memory(weir_error *error)
{
    return weir_fail(error, WEIR_ENOMEM, "no memory to read a tag's samples");
}

/* How many of the n ascending samples at hand are before ts. */
static size_t lower_bound(const weir_tag_source *c, size_t n, int64_t ts)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t at = c->kind == WEIR_TAG_SOURCE_SEGMENT ? c->samples[middle].ts.us
                                                        : c->items_at[middle].sample.ts.us;
        if (at < ts)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Leaves of the n ascending samples at hand those within the bounds. */
static void source_trim(const weir_tag_reading *r, weir_tag_source *c, size_t n)
{
    size_t first = lower_bound(c, n, r->wish.min_ts);
    size_t end = r->wish.max_ts == INT64_MAX ? n : lower_bound(c, n, r->wish.max_ts + 1);
    c->n = end;
    c->at = first;
    if (r->wish.descending) {
        c->n = n;
        c->at = n - end;
        /* Reading ends at index `first`: what is before it is cut off by moving the start. */
        if (first > 0 && c->kind == WEIR_TAG_SOURCE_SEGMENT) {
            for (size_t i = first; i < n; i++) {
                c->samples[i - first] = c->samples[i];
                if (c->refs)
                    c->refs[i - first] = c->refs[i];
            }
        } else if (first > 0) {
            c->items_at += first;
        }
        c->n -= first;
    }
    if (c->at > c->n)
        c->at = c->n;
}

/* --- segments ----------------------------------------------------------------------------- */

static const weir_slice *source_slice(const weir_tag_reading *r, const weir_tag_source *c, size_t i)
{
    return &c->slices[r->wish.descending ? c->n_slices - 1 - i : i];
}

/* Sets the span to that of the next slice within the bounds; false at the end. */
static bool slice_seek(const weir_tag_reading *r, weir_tag_source *c)
{
    for (; c->slices_read < c->n_slices; c->slices_read++) {
        const weir_slice *slice = source_slice(r, c, c->slices_read);
        int64_t low, high, min_ts = weir_view_shift(slice->min_ts.us, c->offset),
                           max_ts = weir_view_shift(slice->max_ts.us, c->offset);
        if (!weir_tag_reading_span(r, min_ts, max_ts, &low, &high))
            continue;
        c->low = low;
        return true;
    }
    return false;
}

/* Room for n samples, and refs where they are needed. */
static weir_err source_room(const weir_tag_reading *r, weir_tag_source *c, size_t n,
                            weir_error *error)
{
    if (n <= c->samples_capacity)
        return WEIR_OK;
    c->samples_capacity = 0;
    weir_sample *samples = weir_realloc_array(c->samples, n, sizeof *samples);
    if (!samples)
        return no_memory(error);
    c->samples = samples;
    if (r->wish.replies || c->check_seq) {
        weir_reply_ref *refs = weir_realloc_array(c->refs, n, sizeof *refs);
        if (!refs)
            return no_memory(error);
        c->refs = refs;
    }
    c->samples_capacity = n;
    return WEIR_OK;
}

/* Slices out of order, or samples outside of their segment, would come out wrong without a word. */
static weir_err chunk_check(const weir_tag_source *c, size_t n, weir_error *error)
{
    for (size_t i = 0; i < n; i++) {
        int64_t ts = c->samples[i].ts.us;
        if (ts < c->head.min_ts.us || ts > c->head.max_ts.us ||
            (i > 0 && ts <= c->samples[i - 1].ts.us)) {
            (void)weir_fail(error, WEIR_EDAMAGED, "samples are not in order");
            return weir_view_segment_fail(c->key, error);
        }
    }
    return WEIR_OK;
}

/* Decodes the next slices. */
static weir_err chunk_read(const weir_tag_reading *r, weir_tag_source *c, weir_error *error)
{
    size_t n = 0, n_slices = 0;
    weir_err err = WEIR_OK;
    do
        n += source_slice(r, c, c->slices_read + n_slices++)->count;
    while (n_slices < c->step && n < CHUNK_SAMPLES && c->slices_read + n_slices < c->n_slices);
    if (!c->loaded)
        err = weir_view_segment_load(r->view, c->key, c->segment, error);
    c->loaded = err == WEIR_OK;
    if (err == WEIR_OK)
        err = source_room(r, c, n, error);
    if (err != WEIR_OK)
        return err;
    size_t first = r->wish.descending ? c->n_slices - c->slices_read - n_slices : c->slices_read;
    err = weir_segment_read(c->segment, first, n_slices, r->wish.tag, c->samples, c->refs, error);
    if (err != WEIR_OK)
        return weir_view_segment_fail(c->key, error);
    err = chunk_check(c, n, error);
    for (size_t i = 0; c->offset != 0 && i < n; i++)
        c->samples[i].ts.us = weir_view_shift(c->samples[i].ts.us, c->offset);
    c->slices_read += n_slices;
    if (err == WEIR_OK)
        source_trim(r, c, n);
    return err;
}

static weir_err segment_open(const weir_tag_reading *r, weir_tag_source *c, weir_error *error)
{
    weir_err err = weir_view_segment(r->view, c->key, &c->head, &c->segment, error);
    if (err != WEIR_OK)
        return err;
    c->slices = weir_segment_slices(c->segment, &c->n_slices);
    c->opened = true;
    c->step = 1;
    return WEIR_OK;
}

bool weir_tag_source_segment(const weir_tag_reading *r, const weir_view_part *part, int64_t key,
                             const weir_segment_head *head, weir_tag_source *ret)
{
    weir_tag_source c = {.kind = WEIR_TAG_SOURCE_SEGMENT,
                         .rank = part->last_seq,
                         .key = key,
                         .offset = part->offset,
                         .epoch = part->epoch,
                         .head = *head};
    c.check_seq = (r->purged >= part->first_seq && r->purged > 0) ||
                  r->wish.min_seq > part->first_seq || r->wish.max_seq < part->last_seq;
    if (!weir_tag_reading_span(r, weir_view_shift(head->min_ts.us, part->offset),
                               weir_view_shift(head->max_ts.us, part->offset), &c.low, &c.high))
        return false;
    *ret = c;
    return true;
}

/* --- rows --------------------------------------------------------------------------------- */

static int item_compare(const void *a, const void *b)
{
    const weir_item *x = a, *y = b;
    if (x->sample.ts.us != y->sample.ts.us)
        return x->sample.ts.us < y->sample.ts.us ? -1 : 1;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* The tag's samples of one row, each identity once. */
static weir_err row_open(const weir_tag_reading *r, weir_tag_source *c, weir_error *error)
{
    weir_err err = weir_view_row_block(r->view, &c->row, &r->wish.tag, 1, &c->block, error);
    size_t n = 0, capacity = 0, kept = 0;
    weir_item item;
    c->opened = true;
    if (err != WEIR_OK || !c->block)
        return err;
    weir_view_walk walk = {
        .view = r->view, .row = &c->row, .block = c->block->block, .only = r->wish.tag};
    while (weir_view_walk_next(&walk, &item)) {
        weir_item *items = weir_array_room(c->items, n, &capacity, sizeof *items);
        if (!items)
            return no_memory(error);
        c->items = items;
        c->items[n++] = item;
    }
    if (n > 0)
        qsort(c->items, n, sizeof *c->items, item_compare);
    for (size_t i = 0; i < n; i++) {
        bool repeated = i + 1 < n && c->items[i].sample.ts.us == c->items[i + 1].sample.ts.us &&
                        c->items[i].epoch == c->items[i + 1].epoch;
        if (!repeated)
            c->items[kept++] = c->items[i];
    }
    c->items_at = c->items;
    source_trim(r, c, kept);
    return WEIR_OK;
}

weir_tag_source weir_tag_source_row(const weir_tag_reading *r, const weir_view_row *row)
{
    weir_tag_source c = {.kind = WEIR_TAG_SOURCE_ROW, .row = *row, .check_seq = true};
    (void)weir_tag_reading_span(r, row->min_ts, row->max_ts, &c.low, &c.high);
    return c;
}

weir_tag_source weir_tag_source_items(const weir_tag_reading *r, const weir_item *items, size_t n)
{
    weir_tag_source c = {
        .kind = WEIR_TAG_SOURCE_ITEMS, .opened = true, .items_at = items, .check_seq = true};
    source_trim(r, &c, n);
    return c;
}

/* --- any source --------------------------------------------------------------------------- */

weir_err weir_tag_source_advance(const weir_tag_reading *r, weir_tag_source *c, bool in_steps,
                                 weir_error *error)
{
    if (c->kind == WEIR_TAG_SOURCE_ROW)
        return row_open(r, c, error);
    if (!c->opened)
        return segment_open(r, c, error);
    c->step = in_steps ? 1 : c->step;
    weir_err err = chunk_read(r, c, error);
    c->step = c->step < CHUNK_SAMPLES ? 2 * c->step : c->step;
    return err;
}

bool weir_tag_source_is_done(const weir_tag_reading *r, weir_tag_source *c)
{
    return !weir_tag_source_is_exact(c) && c->opened &&
           (c->kind != WEIR_TAG_SOURCE_SEGMENT || !slice_seek(r, c));
}

const weir_summary *weir_tag_source_summary(const weir_tag_reading *r, const weir_tag_source *c,
                                            int64_t until, bool with_falls, int64_t *ret_high)
{
    if (c->kind != WEIR_TAG_SOURCE_SEGMENT || c->check_seq || r->wish.replies)
        return NULL;
    const weir_slice *slice = c->opened ? source_slice(r, c, c->slices_read) : NULL;
    const weir_summary *summary = slice ? &slice->summary : &c->head.summary;
    int64_t min_ts = weir_view_shift(slice ? slice->min_ts.us : c->head.min_ts.us, c->offset);
    int64_t max_ts = weir_view_shift(slice ? slice->max_ts.us : c->head.max_ts.us, c->offset);
    if (min_ts < r->wish.min_ts || max_ts > r->wish.max_ts || min_ts > max_ts ||
        (!r->wish.descending && max_ts > until) || (!with_falls && summary->falls > 0))
        return NULL;
    *ret_high = weir_tag_reading_order(r, r->wish.descending ? min_ts : max_ts);
    return summary;
}

weir_err weir_tag_source_complete(const weir_tag_reading *r, const weir_tag_source *c, size_t i,
                                  weir_item *item, weir_error *error)
{
    const weir_reply_record *reply;
    weir_err err = weir_view_reply(r->view, c->key >> 40, &c->refs[i], &reply, error);
    if (err != WEIR_OK)
        return err;
    item->seq = reply->seq + c->refs[i].index;
    item->plans = reply->plans;
    item->flags = reply->flags;
    item->received.us = weir_view_shift(reply->received.us, c->offset);
    return WEIR_OK;
}
