/* SPDX-License-Identifier: MIT */
/* The samples of many tags in the order of time. */

#include "store/query/timeline.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"

enum {
    ITEMS_MAX = 16 * 1024 * 1024 / (int)sizeof(weir_item),
    CONTENT_MAX = 16 * 1024 * 1024, /* strings and bytes */
    WIDER = 4, /* a window with little in it is followed by one so much wider */
};

struct weir_timeline {
    weir_view *view;
    weir_scan_filter filter;
    int64_t min_ts, max_ts; /* what is left */
    uint64_t width;         /* of the next window, in µs */
    bool done;
    weir_item *items;
    size_t n, at, capacity;
    weir_arena *content;
};

/* Where there can be samples at all. */
static void timeline_narrow(weir_timeline *t)
{
    size_t n_parts, n_rows;
    const weir_view_part *parts = weir_view_parts(t->view, &n_parts);
    const weir_view_row *rows = weir_view_rows(t->view, &n_rows);
    int64_t min_ts = INT64_MAX, max_ts = INT64_MIN;
    for (size_t i = 0; i < n_parts; i++) {
        min_ts = parts[i].min_ts < min_ts ? parts[i].min_ts : min_ts;
        max_ts = parts[i].max_ts > max_ts ? parts[i].max_ts : max_ts;
    }
    for (size_t i = 0; i < n_rows; i++) {
        min_ts = rows[i].min_ts < min_ts ? rows[i].min_ts : min_ts;
        max_ts = rows[i].max_ts > max_ts ? rows[i].max_ts : max_ts;
    }
    t->min_ts = min_ts > t->filter.min_ts ? min_ts : t->filter.min_ts;
    t->max_ts = max_ts < t->filter.max_ts ? max_ts : t->filter.max_ts;
    t->done = t->min_ts > t->max_ts;
}

weir_err weir_timeline_new(weir_view *view, const weir_scan_filter *filter, weir_timeline **ret,
                           weir_error *error)
{
    weir_timeline *t = weir_alloc_zero(1, sizeof *t);
    if (!t)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
    t->view = view;
    t->filter = *filter;
    t->width = 10 * WEIR_S;
    timeline_narrow(t);
    *ret = t;
    return WEIR_OK;
}

void weir_timeline_free(weir_timeline *timeline)
{
    if (!timeline)
        return;
    weir_arena_free(timeline->content);
    weir_free(timeline->items);
    weir_free(timeline);
}

static int item_ascending(const void *a, const void *b)
{
    const weir_item *x = a, *y = b;
    if (x->sample.ts.us != y->sample.ts.us)
        return x->sample.ts.us < y->sample.ts.us ? -1 : 1;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    return (x->sample.tag > y->sample.tag) - (x->sample.tag < y->sample.tag);
}

static int item_descending(const void *a, const void *b)
{
    return item_ascending(b, a);
}

static weir_err item_add(weir_timeline *t, const weir_item *item, weir_error *error)
{
    weir_item *items = weir_array_room(t->items, t->n, &t->capacity, sizeof *items);
    if (!items)
        return weir_fail(error, WEIR_ENOMEM, "no memory to sort samples");
    t->items = items;
    weir_value *v = &t->items[t->n].sample.value;
    t->items[t->n] = *item;
    if (v->kind >= WEIR_KIND_STRING) {
        v->as.text = weir_arena_text_n(t->content, v->as.text, v->length);
        if (!v->as.text)
            return weir_fail(error, WEIR_ENOMEM, "no memory to sort samples");
    }
    t->n++;
    return WEIR_OK;
}

static bool window_is_full(const weir_timeline *t)
{
    return t->n >= ITEMS_MAX || weir_arena_size(t->content) > CONTENT_MAX;
}

/* Gathers the window [first, last]; *ret_complete: all of it. One moment is always completed. */
static weir_err window_read(weir_timeline *t, int64_t first, int64_t last, bool *ret_complete,
                            weir_error *error)
{
    WEIR_CLEANUP(weir_scan_free) weir_scan *scan = NULL;
    weir_scan_filter filter = t->filter;
    bool any = true;
    t->n = t->at = 0;
    weir_arena_free(t->content);
    t->content = weir_arena_new();
    if (!t->content)
        return weir_fail(error, WEIR_ENOMEM, "no memory to sort samples");
    filter.min_ts = first;
    filter.max_ts = last;
    filter.descending = false;
    weir_err err = weir_scan_new(t->view, &filter, NULL, &scan, error);
    while (err == WEIR_OK && (first == last || !window_is_full(t))) {
        weir_item item;
        err = weir_scan_next(scan, &item, &any, error);
        if (err != WEIR_OK || !any)
            break;
        err = item_add(t, &item, error);
    }
    *ret_complete = !any;
    return err;
}

/* The next window that is not too wide. */
static weir_err window_next(weir_timeline *t, weir_error *error)
{
    for (bool complete = false; !complete;) {
        const uint64_t left = (uint64_t)t->max_ts - (uint64_t)t->min_ts;
        const uint64_t width = t->width - 1 < left ? t->width - 1 : left;
        const bool down = t->filter.descending;
        int64_t first = down ? (int64_t)((uint64_t)t->max_ts - width) : t->min_ts;
        int64_t last = down ? t->max_ts : (int64_t)((uint64_t)t->min_ts + width);
        weir_err err = window_read(t, first, last, &complete, error);
        if (err != WEIR_OK)
            return err;
        if (!complete) {
            t->width = width / WIDER + 1;
            continue;
        }
        if (t->n < ITEMS_MAX / (2 * WIDER) && t->width < UINT64_MAX / WIDER)
            t->width *= WIDER;
        t->done = width == left;
        if (down)
            t->max_ts = t->done ? first : first - 1;
        else
            t->min_ts = t->done ? last : last + 1;
    }
    if (t->n > 0)
        qsort(t->items, t->n, sizeof *t->items,
              t->filter.descending ? item_descending : item_ascending);
    return WEIR_OK;
}

weir_err weir_timeline_next(weir_timeline *timeline, weir_item *ret, bool *ret_any,
                            weir_error *error)
{
    while (timeline->at == timeline->n && !timeline->done) {
        weir_err err = window_next(timeline, error);
        if (err != WEIR_OK)
            return err;
    }
    *ret_any = timeline->at < timeline->n;
    if (*ret_any)
        *ret = timeline->items[timeline->at++];
    return WEIR_OK;
}
