/* SPDX-License-Identifier: MIT */
/* One place that samples of a tag come from: a part's segment, a row, or a list of them. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/query/series.h"
#include "store/query/view.h"

/* What all sources of a series are read for. */
typedef struct weir_tag_reading {
    weir_view *view;
    weir_tag_series_wish wish;
    uint64_t purged; /* samples up to this seq are not shown; 0: none */
} weir_tag_reading;

typedef enum weir_tag_source_kind {
    WEIR_TAG_SOURCE_SEGMENT,
    WEIR_TAG_SOURCE_ROW,
    WEIR_TAG_SOURCE_ITEMS,
} weir_tag_source_kind;

typedef struct weir_tag_source {
    weir_tag_source_kind kind;
    int64_t low, high; /* span of what was not read yet, in the order of reading */
    uint64_t rank;
    bool opened, loaded;
    bool check_seq; /* some samples may have to be left out for their seq */
    size_t n, at;   /* samples at hand, and the next of them in the order of reading */

    int64_t key; /* of a segment */
    int64_t offset;
    uint32_t epoch;
    weir_segment_head head;
    weir_segment *segment;
    const weir_slice *slices;
    size_t n_slices, slices_read; /* in the order of reading */
    size_t step;                  /* slices to read next time */
    weir_sample *samples;
    weir_reply_ref *refs; /* NULL: not needed */
    size_t samples_capacity;

    weir_view_row row;
    weir_view_block *block;
    weir_item *items; /* a row's, owned */
    const weir_item *items_at;
} weir_tag_source;

void weir_tag_source_deinit(weir_tag_source *c);

/* The sources. What is read of them is read when it is needed: see weir_tag_source_advance. */
weir_tag_source weir_tag_source_row(const weir_tag_reading *r, const weir_view_row *row);
weir_tag_source weir_tag_source_items(const weir_tag_reading *r, const weir_item *items, size_t n);

/* ret is a segment of the part; false: it is not within the bounds. */
bool weir_tag_source_segment(const weir_tag_reading *r, const weir_view_part *part, int64_t key,
                             const weir_segment_head *head, weir_tag_source *ret);

/* Looks further into a source that has no sample at hand; in_steps: not more than it must. */
weir_err weir_tag_source_advance(const weir_tag_reading *r, weir_tag_source *c, bool in_steps,
                                 weir_error *error) WEIR_MUST_CHECK;

/* Whether a source has no more samples. Of segments also finds where to go on. */
bool weir_tag_source_is_done(const weir_tag_reading *r, weir_tag_source *c);

/*
 * A summary of all the source has next, up to `until` at most, and in *ret_high where that ends
 * in the order of reading. NULL: there is none, or samples within may have to be left out.
 */
const weir_summary *weir_tag_source_summary(const weir_tag_reading *r, const weir_tag_source *c,
                                            int64_t until, bool with_falls, int64_t *ret_high);

/* Fills in what a segment's i-th sample has from its reply. */
weir_err weir_tag_source_complete(const weir_tag_reading *r, const weir_tag_source *c, size_t i,
                                  weir_item *item, weir_error *error) WEIR_MUST_CHECK;

/* What follows is done for each sample, so it is here. */

/* Where a ts comes in the order of reading. */
static inline int64_t weir_tag_reading_order(const weir_tag_reading *r, int64_t ts)
{
    return r->wish.descending ? ~ts : ts;
}

static inline bool weir_tag_reading_span(const weir_tag_reading *r, int64_t min_ts, int64_t max_ts,
                                         int64_t *low, int64_t *high)
{
    *low = weir_tag_reading_order(r, r->wish.descending ? max_ts : min_ts);
    *high = weir_tag_reading_order(r, r->wish.descending ? min_ts : max_ts);
    return min_ts <= r->wish.max_ts && max_ts >= r->wish.min_ts;
}

/* Whether a sample is at hand; else `low` is all that is known. */
static inline bool weir_tag_source_is_exact(const weir_tag_source *c)
{
    return c->at < c->n;
}

static inline size_t weir_tag_source_index(const weir_tag_reading *r, const weir_tag_source *c)
{
    return r->wish.descending ? c->n - 1 - c->at : c->at;
}

static inline const weir_sample *weir_tag_source_sample(const weir_tag_reading *r,
                                                        const weir_tag_source *c)
{
    size_t i = weir_tag_source_index(r, c);
    return c->kind == WEIR_TAG_SOURCE_SEGMENT ? &c->samples[i] : &c->items_at[i].sample;
}

static inline uint32_t weir_tag_source_epoch(const weir_tag_reading *r, const weir_tag_source *c)
{
    return c->kind == WEIR_TAG_SOURCE_SEGMENT ? c->epoch
                                              : c->items_at[weir_tag_source_index(r, c)].epoch;
}

/* Rows are newer than all parts; their own seqs tell them apart. */
static inline uint64_t weir_tag_source_rank(const weir_tag_reading *r, const weir_tag_source *c)
{
    return c->kind == WEIR_TAG_SOURCE_SEGMENT
               ? c->rank
               : UINT64_C(1) << 63 | c->items_at[weir_tag_source_index(r, c)].seq;
}

static inline int64_t weir_tag_source_bound(const weir_tag_reading *r, const weir_tag_source *c)
{
    return weir_tag_source_is_exact(c)
               ? weir_tag_reading_order(r, weir_tag_source_sample(r, c)->ts.us)
               : c->low;
}

/* Hands out the sample at hand. */
static inline weir_err weir_tag_source_take(const weir_tag_reading *r, weir_tag_source *c,
                                            weir_item *ret, weir_error *error)
{
    size_t i = weir_tag_source_index(r, c);
    c->at++;
    if (c->kind != WEIR_TAG_SOURCE_SEGMENT) {
        *ret = c->items_at[i];
        return WEIR_OK;
    }
    *ret = (weir_item){.sample = c->samples[i], .epoch = c->epoch};
    return c->refs ? weir_tag_source_complete(r, c, i, ret, error) : WEIR_OK;
}
