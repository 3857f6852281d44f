/* SPDX-License-Identifier: MIT */
/* The samples of one tag, merged from segments, log and fresh rows, each identity once. */

/*
 * Everything that may hold samples of the tag is a source with a span of time: a part's segment, a
 * row, or the list of a caller who has read the rows. What lies ahead is not touched: parts and
 * rows wait in order of time, a segment's slices likewise, and each is looked into when nothing
 * before it is left. Mostly one source is alone in its time; then its samples go straight through
 * until `limit`, where the next one begins. Only where spans overlap the heads are compared sample
 * by sample, and of one identity the source with the highest rank wins: rows by seq over parts,
 * parts by their last_seq.
 *
 * Descending is the same with the sign of time turned: all comparisons are made on `order_of(ts)`.
 */

#include "store/query/series.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "store/file/schema.h"

enum { CHUNK_SAMPLES = 8192 }; /* decoded at once in a long walk: 256 kB */

enum source_kind { SOURCE_SEGMENT, SOURCE_ROW, SOURCE_ITEMS };

struct source {
    enum source_kind kind;
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
};

struct weir_tag_series {
    weir_view *view;
    weir_tag_series_wish wish;
    uint64_t purged;
    weir_view_part *parts; /* those that overlap, in the order of reading; owned */
    size_t n_parts, next_part;
    weir_view_row *rows; /* likewise */
    size_t n_rows, next_row;
    struct source *sources;
    size_t n_sources, sources_capacity;

    size_t winner; /* the source whose head comes next, alone before limit */
    bool has_winner;
    int64_t limit;
    int64_t last;  /* order of what was handed out last */
    bool has_held; /* peeked at */
    weir_item held;
    weir_summary summary; /* what a stretch borrows */
    weir_sample sample;
};

/* Where a ts comes in the order of reading. */
static int64_t order_of(const weir_tag_series *s, int64_t ts)
{
    return s->wish.descending ? ~ts : ts;
}

static bool span_set(const weir_tag_series *s, int64_t min_ts, int64_t max_ts, int64_t *low,
                     int64_t *high)
{
    *low = order_of(s, s->wish.descending ? max_ts : min_ts);
    *high = order_of(s, s->wish.descending ? min_ts : max_ts);
    return min_ts <= s->wish.max_ts && max_ts >= s->wish.min_ts;
}

/* --- sources ------------------------------------------------------------------------------ */

static void source_deinit(struct source *c)
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

static weir_err source_add(weir_tag_series *s, const struct source *source, weir_error *error)
{
    if (s->n_sources == s->sources_capacity) {
        size_t n = s->sources_capacity ? s->sources_capacity * 2 : 8;
        struct source *sources = weir_realloc_array(s->sources, n, sizeof *sources);
        if (!sources)
            return no_memory(error);
        s->sources = sources;
        s->sources_capacity = n;
    }
    s->sources[s->n_sources++] = *source;
    return WEIR_OK;
}

static void source_remove(weir_tag_series *s, size_t at)
{
    source_deinit(&s->sources[at]);
    s->sources[at] = s->sources[--s->n_sources];
    s->has_winner = false;
}

/* Whether a sample is at hand; else `low` is all that is known. */
static bool source_is_exact(const struct source *c)
{
    return c->at < c->n;
}

static size_t source_index(const weir_tag_series *s, const struct source *c)
{
    return s->wish.descending ? c->n - 1 - c->at : c->at;
}

static const weir_sample *source_sample(const weir_tag_series *s, const struct source *c)
{
    size_t i = source_index(s, c);
    return c->kind == SOURCE_SEGMENT ? &c->samples[i] : &c->items_at[i].sample;
}

static uint32_t source_epoch(const weir_tag_series *s, const struct source *c)
{
    return c->kind == SOURCE_SEGMENT ? c->epoch : c->items_at[source_index(s, c)].epoch;
}

/* Rows are newer than all parts; their own seqs tell them apart. */
static uint64_t source_rank(const weir_tag_series *s, const struct source *c)
{
    return c->kind == SOURCE_SEGMENT ? c->rank
                                     : UINT64_C(1) << 63 | c->items_at[source_index(s, c)].seq;
}

static int64_t source_bound(const weir_tag_series *s, const struct source *c)
{
    return source_is_exact(c) ? order_of(s, source_sample(s, c)->ts.us) : c->low;
}

/* Leaves of the n ascending samples at hand those within the bounds. */
static size_t lower_bound(const weir_tag_series *s, const struct source *c, size_t n, int64_t ts)
{
    size_t low = 0, high = n;
    (void)s;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t at =
            c->kind == SOURCE_SEGMENT ? c->samples[middle].ts.us : c->items_at[middle].sample.ts.us;
        if (at < ts)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void source_trim(const weir_tag_series *s, struct source *c, size_t n)
{
    size_t first = lower_bound(s, c, n, s->wish.min_ts);
    size_t end = s->wish.max_ts == INT64_MAX ? n : lower_bound(s, c, n, s->wish.max_ts + 1);
    c->n = end;
    c->at = first;
    if (s->wish.descending) {
        c->n = n;
        c->at = n - end;
        /* Reading ends at index `first`: what is before it is cut off by moving the start. */
        if (first > 0 && c->kind == SOURCE_SEGMENT) {
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

static const weir_slice *source_slice(const weir_tag_series *s, const struct source *c, size_t i)
{
    return &c->slices[s->wish.descending ? c->n_slices - 1 - i : i];
}

/* Sets the span to that of the next slice within the bounds; false at the end. */
static bool slice_seek(const weir_tag_series *s, struct source *c)
{
    for (; c->slices_read < c->n_slices; c->slices_read++) {
        const weir_slice *slice = source_slice(s, c, c->slices_read);
        int64_t low, high, min_ts = weir_view_shift(slice->min_ts.us, c->offset),
                           max_ts = weir_view_shift(slice->max_ts.us, c->offset);
        if (!span_set(s, min_ts, max_ts, &low, &high))
            continue;
        c->low = low;
        return true;
    }
    return false;
}

/* Room for n samples, and refs where they are needed. */
static weir_err source_room(const weir_tag_series *s, struct source *c, size_t n, weir_error *error)
{
    if (n <= c->samples_capacity)
        return WEIR_OK;
    c->samples_capacity = 0;
    weir_sample *samples = weir_realloc_array(c->samples, n, sizeof *samples);
    if (!samples)
        return no_memory(error);
    c->samples = samples;
    if (s->wish.replies || c->check_seq) {
        weir_reply_ref *refs = weir_realloc_array(c->refs, n, sizeof *refs);
        if (!refs)
            return no_memory(error);
        c->refs = refs;
    }
    c->samples_capacity = n;
    return WEIR_OK;
}

/* Slices out of order, or samples outside of their segment, would come out wrong without a word. */
static weir_err chunk_check(const struct source *c, size_t n, weir_error *error)
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
static weir_err chunk_read(weir_tag_series *s, struct source *c, weir_error *error)
{
    size_t n = 0, n_slices = 0;
    weir_err err = WEIR_OK;
    do
        n += source_slice(s, c, c->slices_read + n_slices++)->count;
    while (n_slices < c->step && n < CHUNK_SAMPLES && c->slices_read + n_slices < c->n_slices);
    if (!c->loaded)
        err = weir_view_segment_load(s->view, c->key, c->segment, error);
    c->loaded = err == WEIR_OK;
    if (err == WEIR_OK)
        err = source_room(s, c, n, error);
    if (err != WEIR_OK)
        return err;
    size_t first = s->wish.descending ? c->n_slices - c->slices_read - n_slices : c->slices_read;
    err = weir_segment_read(c->segment, first, n_slices, s->wish.tag, c->samples, c->refs, error);
    if (err != WEIR_OK)
        return weir_view_segment_fail(c->key, error);
    err = chunk_check(c, n, error);
    for (size_t i = 0; c->offset != 0 && i < n; i++)
        c->samples[i].ts.us = weir_view_shift(c->samples[i].ts.us, c->offset);
    c->slices_read += n_slices;
    if (err == WEIR_OK)
        source_trim(s, c, n);
    return err;
}

static weir_err segment_open(weir_tag_series *s, struct source *c, weir_error *error)
{
    weir_err err = weir_view_segment(s->view, c->key, &c->head, &c->segment, error);
    if (err != WEIR_OK)
        return err;
    c->slices = weir_segment_slices(c->segment, &c->n_slices);
    c->opened = true;
    c->step = 1;
    return WEIR_OK;
}

/* Where segments of a part are put as they are found. */
struct expansion {
    weir_tag_series *series;
    const weir_view_part *part;
    int64_t last_max; /* of the segment before; stored ts */
    bool any;
};

static weir_err expansion_on_head(void *data, int64_t key, const weir_segment_head *head,
                                  weir_error *error)
{
    struct expansion *e = data;
    weir_tag_series *s = e->series;
    const weir_view_part *p = e->part;
    struct source c = {.kind = SOURCE_SEGMENT,
                       .rank = p->last_seq,
                       .key = key,
                       .offset = p->offset,
                       .epoch = p->epoch,
                       .head = *head};
    const int64_t min_ts = weir_view_shift(head->min_ts.us, p->offset);
    const int64_t max_ts = weir_view_shift(head->max_ts.us, p->offset);
    if (head->min_ts.us > head->max_ts.us || min_ts < p->min_ts || max_ts > p->max_ts ||
        (e->any && head->min_ts.us <= e->last_max)) {
        (void)weir_fail(error, WEIR_EDAMAGED,
                        "it lies outside of its part's times, or before the segment before it");
        return weir_view_segment_fail(key, error);
    }
    e->any = true;
    e->last_max = head->max_ts.us;
    c.check_seq = (s->purged >= p->first_seq && s->purged > 0) || s->wish.min_seq > p->first_seq ||
                  s->wish.max_seq < p->last_seq;
    return span_set(s, min_ts, max_ts, &c.low, &c.high) ? source_add(s, &c, error) : WEIR_OK;
}

static weir_err part_expand(weir_tag_series *s, const weir_view_part *part, weir_error *error)
{
    struct expansion e = {.series = s, .part = part};
    return weir_view_heads(s->view, SEGMENT_KEY(part->id, s->wish.tag, 0),
                           SEGMENT_KEY(part->id, s->wish.tag, 0xff), expansion_on_head, &e, error);
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
static weir_err row_open(weir_tag_series *s, struct source *c, weir_error *error)
{
    weir_err err = weir_view_row_block(s->view, &c->row, &s->wish.tag, 1, &c->block, error);
    size_t n = 0, capacity = 0, kept = 0;
    weir_item item;
    c->opened = true;
    if (err != WEIR_OK || !c->block)
        return err;
    weir_view_walk walk = {
        .view = s->view, .row = &c->row, .block = c->block->block, .only = s->wish.tag};
    while (weir_view_walk_next(&walk, &item)) {
        if (n == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            weir_item *items = weir_realloc_array(c->items, capacity, sizeof *items);
            if (!items)
                return no_memory(error);
            c->items = items;
        }
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
    source_trim(s, c, kept);
    return WEIR_OK;
}

/* --- the order of reading ----------------------------------------------------------------- */

static int64_t part_low(const weir_tag_series *s, const weir_view_part *p)
{
    return order_of(s, s->wish.descending ? p->max_ts : p->min_ts);
}

static int64_t row_low(const weir_tag_series *s, const weir_view_row *r)
{
    return order_of(s, s->wish.descending ? r->max_ts : r->min_ts);
}

static int part_descending(const void *a, const void *b)
{
    const weir_view_part *x = a, *y = b;
    return (x->max_ts < y->max_ts) - (x->max_ts > y->max_ts);
}

static int row_ascending(const void *a, const void *b)
{
    const weir_view_row *x = a, *y = b;
    return (x->min_ts > y->min_ts) - (x->min_ts < y->min_ts);
}

static int row_descending(const void *a, const void *b)
{
    const weir_view_row *x = a, *y = b;
    return (x->max_ts < y->max_ts) - (x->max_ts > y->max_ts);
}

/* What has only lower seqs than are wanted can neither be shown nor supersede anything shown. */
static bool is_wanted(const weir_tag_series *s, int64_t min_ts, int64_t max_ts, uint64_t last_seq)
{
    return min_ts <= s->wish.max_ts && max_ts >= s->wish.min_ts && last_seq >= s->wish.min_seq &&
           (last_seq > s->purged || s->purged == 0);
}

static weir_err series_take_parts(weir_tag_series *s, weir_error *error)
{
    size_t n;
    const weir_view_part *parts = weir_view_parts(s->view, &n);
    s->parts = weir_alloc((n + 1) * sizeof *s->parts);
    if (!s->parts)
        return no_memory(error);
    for (size_t i = 0; i < n; i++)
        if (is_wanted(s, parts[i].min_ts, parts[i].max_ts, parts[i].last_seq))
            s->parts[s->n_parts++] = parts[i];
    if (s->wish.descending)
        qsort(s->parts, s->n_parts, sizeof *s->parts, part_descending);
    return WEIR_OK;
}

static weir_err series_take_rows(weir_tag_series *s, weir_error *error)
{
    size_t n;
    const weir_view_row *rows = weir_view_rows(s->view, &n);
    if (s->wish.has_tail) {
        struct source c = {.kind = SOURCE_ITEMS, .opened = true, .items_at = s->wish.tail};
        source_trim(s, &c, s->wish.n_tail);
        c.check_seq = true;
        return source_add(s, &c, error);
    }
    s->rows = weir_alloc((n + 1) * sizeof *s->rows);
    if (!s->rows)
        return no_memory(error);
    for (size_t i = 0; i < n; i++)
        if (is_wanted(s, rows[i].min_ts, rows[i].max_ts, rows[i].last_seq))
            s->rows[s->n_rows++] = rows[i];
    qsort(s->rows, s->n_rows, sizeof *s->rows, s->wish.descending ? row_descending : row_ascending);
    return WEIR_OK;
}

weir_err weir_tag_series_new(weir_view *view, const weir_tag_series_wish *wish,
                             weir_tag_series **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_tag_series_free) weir_tag_series *s = weir_alloc_zero(1, sizeof *s);
    if (!s)
        return no_memory(error);
    s->view = view;
    s->wish = *wish;
    s->last = INT64_MIN;
    weir_err err = weir_view_purged(view, wish->tag, &s->purged, error);
    if (err == WEIR_OK)
        err = series_take_parts(s, error);
    if (err == WEIR_OK)
        err = series_take_rows(s, error);
    if (err != WEIR_OK)
        return err;
    *ret = s;
    s = NULL;
    return WEIR_OK;
}

void weir_tag_series_free(weir_tag_series *series)
{
    if (!series)
        return;
    for (size_t i = 0; i < series->n_sources; i++)
        source_deinit(&series->sources[i]);
    weir_free(series->sources);
    weir_free(series->parts);
    weir_free(series->rows);
    weir_free(series);
}

/* --- the merge ---------------------------------------------------------------------------- */

/* The source that may come first; of several those not looked into yet. Those at their end go. */
static bool series_first(weir_tag_series *s, size_t *ret)
{
    bool any = false;
    for (size_t i = s->n_sources; i-- > 0;) {
        struct source *c = &s->sources[i];
        if (!source_is_exact(c) && c->opened && (c->kind != SOURCE_SEGMENT || !slice_seek(s, c)))
            source_remove(s, i);
    }
    for (size_t i = 0; i < s->n_sources; i++) {
        const struct source *c = &s->sources[i];
        int64_t bound = source_bound(s, c);
        if (any) {
            const struct source *best = &s->sources[*ret];
            int64_t best_bound = source_bound(s, best);
            if (bound > best_bound ||
                (bound == best_bound && (source_is_exact(c) || !source_is_exact(best))))
                continue;
        }
        *ret = i;
        any = true;
    }
    return any;
}

/* Finds the first source, bringing in parts and rows whose time has come. */
static weir_err series_settle(weir_tag_series *s, size_t *ret, bool *ret_any, weir_error *error)
{
    for (;;) {
        weir_err err = WEIR_OK;
        *ret_any = series_first(s, ret);
        int64_t bound = *ret_any ? source_bound(s, &s->sources[*ret]) : INT64_MAX;
        if (s->next_part < s->n_parts && part_low(s, &s->parts[s->next_part]) <= bound) {
            err = part_expand(s, &s->parts[s->next_part++], error);
        } else if (s->next_row < s->n_rows && row_low(s, &s->rows[s->next_row]) <= bound) {
            struct source c = {.kind = SOURCE_ROW, .row = s->rows[s->next_row++]};
            (void)span_set(s, c.row.min_ts, c.row.max_ts, &c.low, &c.high);
            c.check_seq = true;
            err = source_add(s, &c, error);
        } else {
            return WEIR_OK;
        }
        if (err != WEIR_OK)
            return err;
    }
}

/* Where something else than this source may begin. */
static int64_t series_limit(const weir_tag_series *s, size_t except)
{
    int64_t limit = INT64_MAX;
    for (size_t i = 0; i < s->n_sources; i++) {
        int64_t bound = i == except ? INT64_MAX : source_bound(s, &s->sources[i]);
        limit = bound < limit ? bound : limit;
    }
    if (s->next_part < s->n_parts && part_low(s, &s->parts[s->next_part]) < limit)
        limit = part_low(s, &s->parts[s->next_part]);
    if (s->next_row < s->n_rows && row_low(s, &s->rows[s->next_row]) < limit)
        limit = row_low(s, &s->rows[s->next_row]);
    return limit;
}

/* Looks further into a source that has no sample at hand. */
static weir_err source_advance(weir_tag_series *s, size_t at, bool in_steps, weir_error *error)
{
    struct source *c = &s->sources[at];
    if (c->kind == SOURCE_ROW)
        return row_open(s, c, error);
    if (!c->opened)
        return segment_open(s, c, error);
    c->step = in_steps ? 1 : c->step;
    weir_err err = chunk_read(s, c, error);
    c->step = c->step < CHUNK_SAMPLES ? 2 * c->step : c->step;
    return err;
}

/* Of all samples with the first (ts, epoch) the one to be shown; the others are passed over. */
static size_t winner_choose(weir_tag_series *s, size_t first)
{
    const int64_t bound = source_bound(s, &s->sources[first]);
    size_t winner = first;
    for (size_t i = 0; i < s->n_sources; i++) {
        const struct source *c = &s->sources[i], *w = &s->sources[winner];
        if (i == winner || source_bound(s, c) != bound)
            continue;
        uint32_t epoch = source_epoch(s, c), best = source_epoch(s, w);
        if (s->wish.descending ? epoch > best : epoch < best)
            winner = i;
        else if (epoch == best && source_rank(s, c) > source_rank(s, w))
            winner = i;
    }
    const uint32_t epoch = source_epoch(s, &s->sources[winner]);
    for (size_t i = 0; i < s->n_sources; i++) {
        struct source *c = &s->sources[i];
        if (i != winner && source_bound(s, c) == bound && source_epoch(s, c) == epoch)
            c->at++;
    }
    return winner;
}

/* Makes the source whose sample is next the winner. */
static weir_err series_advance(weir_tag_series *s, bool in_steps, bool *ret_any, weir_error *error)
{
    size_t at;
    for (;;) {
        weir_err err = series_settle(s, &at, ret_any, error);
        if (err != WEIR_OK || !*ret_any)
            return err;
        if (source_is_exact(&s->sources[at]))
            break;
        err = source_advance(s, at, in_steps, error);
        if (err != WEIR_OK)
            return err;
    }
    s->limit = series_limit(s, at);
    s->winner = at;
    if (s->limit == source_bound(s, &s->sources[at]))
        s->winner = winner_choose(s, at);
    s->has_winner = true;
    return WEIR_OK;
}

/* Fills in what a segment's sample has from its reply. */
static weir_err item_complete(weir_tag_series *s, const struct source *c, size_t i, weir_item *item,
                              weir_error *error)
{
    const weir_reply *reply;
    weir_err err = weir_view_reply(s->view, c->key >> 40, &c->refs[i], &reply, error);
    if (err != WEIR_OK)
        return err;
    item->seq = reply->seq + c->refs[i].index;
    item->plans = reply->plans;
    item->received.us = weir_view_shift(reply->received.us, c->offset);
    return WEIR_OK;
}

static weir_err source_take(weir_tag_series *s, struct source *c, weir_item *ret, weir_error *error)
{
    size_t i = source_index(s, c);
    c->at++;
    if (c->kind != SOURCE_SEGMENT) {
        *ret = c->items_at[i];
        return WEIR_OK;
    }
    *ret = (weir_item){.sample = c->samples[i], .epoch = c->epoch};
    return c->refs ? item_complete(s, c, i, ret, error) : WEIR_OK;
}

/* No source may hand out what lies before what was handed out: its readers count on it. */
static weir_err series_check(weir_tag_series *s, int64_t order, weir_error *error)
{
    if (order < s->last)
        return weir_fail(error, WEIR_EDAMAGED,
                         "history of tag uid %" PRIu32 ": samples are not in order", s->wish.tag);
    s->last = order;
    return WEIR_OK;
}

static weir_err series_next(weir_tag_series *s, bool in_steps, weir_item *ret, bool *ret_any,
                            weir_error *error)
{
    for (;;) {
        struct source *c = s->has_winner ? &s->sources[s->winner] : NULL;
        if (!c || !source_is_exact(c) || source_bound(s, c) >= s->limit) {
            weir_err err = series_advance(s, in_steps, ret_any, error);
            if (err != WEIR_OK || !*ret_any)
                return err;
            c = &s->sources[s->winner];
        }
        weir_err err = source_take(s, c, ret, error);
        if (err == WEIR_OK)
            err = series_check(s, order_of(s, ret->sample.ts.us), error);
        if (err != WEIR_OK)
            return err;
        if (c->check_seq &&
            (ret->seq <= s->purged || ret->seq < s->wish.min_seq || ret->seq > s->wish.max_seq))
            continue;
        *ret_any = true;
        return WEIR_OK;
    }
}

weir_err weir_tag_series_next(weir_tag_series *series, weir_item *ret, bool *ret_any,
                              weir_error *error)
{
    if (series->has_held) {
        series->has_held = false;
        *ret = series->held;
        *ret_any = true;
        return WEIR_OK;
    }
    return series_next(series, false, ret, ret_any, error);
}

/* --- stretches ---------------------------------------------------------------------------- */

/* A summary of all the source has next, if nothing else has a say in that time. */
static const weir_summary *source_summary(const weir_tag_series *s, size_t at, int64_t until,
                                          bool with_falls)
{
    const struct source *c = &s->sources[at];
    if (c->kind != SOURCE_SEGMENT || c->check_seq || s->wish.replies)
        return NULL;
    const weir_slice *slice = c->opened ? source_slice(s, c, c->slices_read) : NULL;
    const weir_summary *summary = slice ? &slice->summary : &c->head.summary;
    int64_t min_ts = weir_view_shift(slice ? slice->min_ts.us : c->head.min_ts.us, c->offset);
    int64_t max_ts = weir_view_shift(slice ? slice->max_ts.us : c->head.max_ts.us, c->offset);
    int64_t high = order_of(s, s->wish.descending ? min_ts : max_ts);
    if (min_ts < s->wish.min_ts || max_ts > s->wish.max_ts || min_ts > max_ts ||
        (!s->wish.descending && max_ts > until) || (!with_falls && summary->falls > 0) ||
        high >= series_limit(s, at))
        return NULL;
    return summary;
}

static weir_err summary_take(weir_tag_series *s, size_t at, const weir_summary *summary,
                             weir_stretch *ret, weir_error *error)
{
    struct source *c = &s->sources[at];
    const weir_err err = series_check(s, c->low, error);
    s->summary = *summary;
    s->summary.first_ts.us = weir_view_shift(summary->first_ts.us, c->offset);
    s->summary.last_ts.us = weir_view_shift(summary->last_ts.us, c->offset);
    if (c->opened)
        c->slices_read++;
    else
        source_remove(s, at);
    *ret = (weir_stretch){.summary = &s->summary};
    return err;
}

/* The samples at hand that nothing else comes between. */
static weir_err run_take(weir_tag_series *s, int64_t until, weir_stretch *ret, weir_error *error)
{
    struct source *c = &s->sources[s->winner];
    const weir_sample *first = source_sample(s, c);
    size_t n = 1, left = c->n - c->at;
    int64_t end = s->limit == INT64_MAX ? INT64_MAX : s->limit - 1;
    end = until < end ? until : end;
    if (first[left - 1].ts.us <= end)
        n = left;
    else
        while (n < left && first[n].ts.us <= end)
            n++;
    weir_err err = series_check(s, first->ts.us, error);
    c->at += n;
    s->last = first[n - 1].ts.us;
    *ret = (weir_stretch){.samples = first, .n = n};
    return err;
}

static weir_err stretch_of_one(weir_tag_series *s, weir_stretch *ret, bool *ret_any,
                               weir_error *error)
{
    weir_item item;
    weir_err err = s->has_held ? weir_tag_series_next(s, &item, ret_any, error)
                               : series_next(s, true, &item, ret_any, error);
    if (err != WEIR_OK || !*ret_any)
        return err;
    s->sample = item.sample;
    *ret = (weir_stretch){.samples = &s->sample, .n = 1};
    return WEIR_OK;
}

weir_err weir_tag_series_next_stretch(weir_tag_series *series, int64_t until, bool with_falls,
                                      weir_stretch *ret, bool *ret_any, weir_error *error)
{
    size_t at;
    if (series->has_held)
        return stretch_of_one(series, ret, ret_any, error);
    for (;;) {
        weir_err err = series_settle(series, &at, ret_any, error);
        if (err != WEIR_OK || !*ret_any)
            return err;
        if (source_is_exact(&series->sources[at]))
            break;
        const weir_summary *summary = source_summary(series, at, until, with_falls);
        if (summary)
            return summary_take(series, at, summary, ret, error);
        err = source_advance(series, at, true, error);
        if (err != WEIR_OK)
            return err;
    }
    const struct source *c = &series->sources[at];
    series->limit = series_limit(series, at);
    series->winner = at;
    series->has_winner = series->limit > source_bound(series, c);
    if (!series->has_winner || c->kind != SOURCE_SEGMENT || c->check_seq || series->wish.descending)
        return stretch_of_one(series, ret, ret_any, error);
    return run_take(series, until, ret, error);
}

weir_err weir_tag_series_peek(weir_tag_series *series, int64_t *ret_ts, bool *ret_any,
                              weir_error *error)
{
    size_t at;
    while (!series->has_held) {
        weir_err err = series_settle(series, &at, ret_any, error);
        if (err != WEIR_OK || !*ret_any)
            return err;
        const struct source *c = &series->sources[at];
        int64_t ts = order_of(series, source_bound(series, c)); /* its own inverse */
        bool known = source_is_exact(c) || c->kind == SOURCE_SEGMENT;
        if (known && !c->check_seq && ts >= series->wish.min_ts && ts <= series->wish.max_ts) {
            *ret_ts = ts;
            return WEIR_OK;
        }
        if (!source_is_exact(c)) {
            err = source_advance(series, at, true, error);
            if (err != WEIR_OK)
                return err;
            continue;
        }
        err = series_next(series, true, &series->held, ret_any, error);
        if (err != WEIR_OK || !*ret_any)
            return err;
        series->has_held = true;
    }
    *ret_ts = series->held.sample.ts.us;
    *ret_any = true;
    return WEIR_OK;
}
