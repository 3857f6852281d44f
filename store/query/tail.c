/* SPDX-License-Identifier: MIT */
/* What is in no part yet, read for many tags at once. */

/*
 * Samples are gathered in the order of the rows and sorted by tag at the end. When the room is
 * full before that, the upper half of the tags is given up: their samples are dropped and no more
 * of them are taken. So each walk completes at least one tag, and a tag that alone needs more
 * room gets it.
 */

#include "store/query/tail.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
    ITEMS_MAX = 16 * 1024 * 1024 / (int)sizeof(weir_item),
    CONTENT_MAX = 16 * 1024 * 1024, /* strings and bytes */
};

struct weir_tail {
    weir_view *view;
    int64_t min_ts, max_ts;
    uint64_t min_seq;
    weir_item *items;
    size_t n, capacity;
    weir_arena *content;       /* of strings and bytes */
    weir_tag_uid first, limit; /* items are complete for these tags: first <= uid < limit */
};

weir_tail *weir_tail_new(weir_view *view, int64_t min_ts, int64_t max_ts, uint64_t min_seq)
{
    weir_tail *tail = weir_alloc_zero(1, sizeof *tail);
    if (tail)
        *tail = (weir_tail){.view = view, .min_ts = min_ts, .max_ts = max_ts, .min_seq = min_seq};
    return tail;
}

void weir_tail_free(weir_tail *tail)
{
    if (!tail)
        return;
    weir_arena_free(tail->content);
    weir_free(tail->items);
    weir_free(tail);
}

static int item_compare(const void *a, const void *b)
{
    const weir_item *x = a, *y = b;
    if (x->sample.tag != y->sample.tag)
        return x->sample.tag < y->sample.tag ? -1 : 1;
    if (x->sample.ts.us != y->sample.ts.us)
        return x->sample.ts.us < y->sample.ts.us ? -1 : 1;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static bool same_identity(const weir_item *a, const weir_item *b)
{
    return a->sample.tag == b->sample.tag && a->sample.ts.us == b->sample.ts.us &&
           a->epoch == b->epoch;
}

/* By tag and time, each identity once. */
static void tail_sort(weir_tail *tail)
{
    size_t kept = 0;
    if (tail->n > 0)
        qsort(tail->items, tail->n, sizeof *tail->items, item_compare);
    for (size_t i = 0; i < tail->n; i++)
        if (i + 1 == tail->n || !same_identity(&tail->items[i], &tail->items[i + 1]))
            tail->items[kept++] = tail->items[i];
    tail->n = kept;
}

/* Keeps the strings of the items that are left, and no others. */
static weir_err content_compact(weir_tail *tail, weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *content = weir_arena_new();
    if (!content)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
    for (size_t i = 0; i < tail->n; i++) {
        weir_value *v = &tail->items[i].sample.value;
        if (v->kind < WEIR_KIND_STRING)
            continue;
        v->as.text = weir_arena_text_n(content, v->as.text, v->length);
        if (!v->as.text)
            return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
    }
    weir_arena *old = tail->content;
    tail->content = content;
    content = old;
    return WEIR_OK;
}

/* Gives up the upper half of the tags. Nothing is gained while one tag is all there is. */
static weir_err tail_halve(weir_tail *tail, weir_error *error)
{
    tail_sort(tail);
    if (tail->n == 0 || tail->items[0].sample.tag == tail->items[tail->n - 1].sample.tag)
        return WEIR_OK;
    weir_tag_uid limit = tail->items[tail->n / 2].sample.tag;
    if (limit == tail->items[0].sample.tag)
        limit++;
    while (tail->n > 0 && tail->items[tail->n - 1].sample.tag >= limit)
        tail->n--;
    tail->limit = limit;
    return content_compact(tail, error);
}

static weir_err item_room(weir_tail *tail, weir_error *error)
{
    bool full = tail->n >= ITEMS_MAX || weir_arena_size(tail->content) > CONTENT_MAX;
    /* Each time only when it has grown by half since: else one large tag would be sorted anew for
     * each of its samples. */
    if (full && (tail->n == ITEMS_MAX || tail->n == tail->capacity)) {
        weir_err err = tail_halve(tail, error);
        if (err != WEIR_OK)
            return err;
    }
    weir_item *items = weir_array_room(tail->items, tail->n, &tail->capacity, sizeof *items);
    if (!items)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
    tail->items = items;
    return WEIR_OK;
}

static weir_err item_add(weir_tail *tail, const weir_item *item, weir_error *error)
{
    weir_err err = item_room(tail, error);
    if (err != WEIR_OK || item->sample.tag >= tail->limit)
        return err;
    weir_item *to = &tail->items[tail->n];
    *to = *item;
    if (item->sample.value.kind >= WEIR_KIND_STRING) {
        const weir_value *v = &item->sample.value;
        to->sample.value.as.text = weir_arena_text_n(tail->content, v->as.text, v->length);
        if (!to->sample.value.as.text)
            return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
    }
    tail->n++;
    return WEIR_OK;
}

static bool tag_is_in(const weir_tag_uid *tags, size_t n, weir_tag_uid tag)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tags[middle] < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && tags[low] == tag;
}

static weir_err row_gather(weir_tail *tail, const weir_view_row *row, const weir_tag_uid *tags,
                           size_t n_tags, weir_error *error)
{
    weir_view_block *block = NULL;
    weir_item item;
    weir_err err = weir_view_row_block(tail->view, row, tags, n_tags, &block, error);
    if (err != WEIR_OK || !block)
        return err;
    weir_view_walk walk = {.view = tail->view, .row = row, .block = block->block};
    while (err == WEIR_OK && weir_view_walk_next(&walk, &item)) {
        const weir_sample *s = &item.sample;
        if (s->tag >= tail->first && s->tag < tail->limit && s->ts.us >= tail->min_ts &&
            s->ts.us <= tail->max_ts && tag_is_in(tags, n_tags, s->tag))
            err = item_add(tail, &item, error);
    }
    weir_view_block_release(block);
    return err;
}

/* Completes the tags from tags[0] on, as many as fit. */
static weir_err tail_gather(weir_tail *tail, const weir_tag_uid *tags, size_t n_tags,
                            weir_error *error)
{
    size_t n_rows;
    const weir_view_row *rows = weir_view_rows(tail->view, &n_rows);
    weir_err err = WEIR_OK;
    weir_arena_free(tail->content);
    tail->content = weir_arena_new();
    if (!tail->content)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
    tail->n = 0;
    tail->first = tags[0];
    tail->limit = UINT32_MAX;
    for (size_t i = 0; err == WEIR_OK && i < n_rows; i++)
        if (rows[i].min_ts <= tail->max_ts && rows[i].max_ts >= tail->min_ts &&
            rows[i].last_seq >= tail->min_seq)
            err = row_gather(tail, &rows[i], tags, n_tags, error);
    if (err != WEIR_OK) {
        tail->limit = tail->first; /* complete for none */
        return err;
    }
    tail_sort(tail);
    return WEIR_OK;
}

/* The first item with at least this tag. */
static size_t tail_find(const weir_tail *tail, uint64_t tag)
{
    size_t low = 0, high = tail->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tail->items[middle].sample.tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

weir_err weir_tail_get(weir_tail *tail, const weir_tag_uid *tags, size_t n_tags, size_t at,
                       const weir_item **ret, size_t *ret_n, weir_error *error)
{
    if (tags[at] < tail->first || tags[at] >= tail->limit) {
        weir_err err = tail_gather(tail, tags + at, n_tags - at, error);
        if (err != WEIR_OK)
            return err;
    }
    size_t first = tail_find(tail, tags[at]);
    *ret = tail->n > 0 ? tail->items + first : NULL;
    *ret_n = tail_find(tail, (uint64_t)tags[at] + 1) - first;
    return WEIR_OK;
}
