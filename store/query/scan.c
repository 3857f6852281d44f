/* SPDX-License-Identifier: MIT */
/* Walking through the samples of many tags, one tag after the other. */

#include "store/query/scan.h"

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/query/series.h"
#include "store/query/tail.h"

struct weir_scan {
    weir_view *view;
    weir_scan_filter filter;
    weir_scan_place behind, place;
    weir_tag_uid *all; /* when the filter names none; owned */
    const weir_tag_uid *tags;
    size_t n_tags, next_tag;
    weir_tail *tail; /* NULL: one tag, whose rows are read as their time comes */
    weir_tag_series *series;
};

weir_err weir_scan_all_tags(sqlite3 *db, weir_tag_uid **ret, size_t *ret_n, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    WEIR_CLEANUP(weir_free) void *owner = NULL;
    size_t n = 0, capacity = 0;
    bool row;
    weir_err err = weir_db_prepare(db,
                                   "SELECT uid FROM main.tag WHERE uid BETWEEN 1 AND 2147483647"
                                   " ORDER BY uid",
                                   &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room = weir_array_room(owner, n, &capacity, sizeof **ret);
        if (!room)
            return weir_fail(error, WEIR_ENOMEM, "no memory for a list of tags");
        owner = room;
        ((weir_tag_uid *)owner)[n++] = (weir_tag_uid)sqlite3_column_int64(stmt, 0);
    }
    if (err != WEIR_OK)
        return err;
    *ret = owner;
    *ret_n = n;
    owner = NULL;
    return WEIR_OK;
}

struct hull {
    int64_t min_ts, max_ts;
};

static void hull_add(struct hull *h, const weir_scan_filter *f, uint64_t first_seq,
                     uint64_t last_seq, int64_t min_ts, int64_t max_ts)
{
    if (last_seq < (uint64_t)f->min_seq || first_seq > (uint64_t)f->max_seq)
        return;
    h->min_ts = min_ts < h->min_ts ? min_ts : h->min_ts;
    h->max_ts = max_ts > h->max_ts ? max_ts : h->max_ts;
}

/* What is above max_seq can only supersede, so it matters only at the times of what is wanted. */
static void filter_narrow(weir_scan_filter *f, const weir_view *view)
{
    struct hull h = {INT64_MAX, INT64_MIN};
    size_t n_parts, n_rows;
    const weir_view_part *parts = weir_view_parts(view, &n_parts);
    const weir_view_row *rows = weir_view_rows(view, &n_rows);
    for (size_t i = 0; i < n_parts; i++)
        hull_add(&h, f, parts[i].first_seq, parts[i].last_seq, parts[i].min_ts, parts[i].max_ts);
    for (size_t i = 0; i < n_rows; i++)
        hull_add(&h, f, rows[i].first_seq, rows[i].last_seq, rows[i].min_ts, rows[i].max_ts);
    f->min_ts = h.min_ts > f->min_ts ? h.min_ts : f->min_ts;
    f->max_ts = h.max_ts < f->max_ts ? h.max_ts : f->max_ts;
}

weir_err weir_scan_new(weir_view *view, const weir_scan_filter *filter,
                       const weir_scan_place *behind, weir_scan **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_scan_free) weir_scan *scan = weir_alloc_zero(1, sizeof *scan);
    if (!scan)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
    scan->view = view;
    scan->filter = *filter;
    if (filter->min_seq > 0 || filter->max_seq < INT64_MAX)
        filter_narrow(&scan->filter, view);
    scan->tags = filter->tags;
    scan->n_tags = filter->n_tags;
    if (behind)
        scan->behind = scan->place = *behind;
    if (!filter->tags) {
        weir_err err = weir_scan_all_tags(weir_view_db(view), &scan->all, &scan->n_tags, error);
        if (err != WEIR_OK)
            return err;
        scan->tags = scan->all;
    }
    while (scan->next_tag < scan->n_tags && scan->tags[scan->next_tag] < scan->behind.tag)
        scan->next_tag++;
    if (scan->n_tags > 1) {
        const weir_scan_filter *f = &scan->filter;
        scan->tail = weir_tail_new(view, f->min_ts, f->max_ts, (uint64_t)f->min_seq);
        if (!scan->tail)
            return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
    }
    *ret = scan;
    scan = NULL;
    return WEIR_OK;
}

void weir_scan_free(weir_scan *scan)
{
    if (!scan)
        return;
    weir_tag_series_free(scan->series);
    weir_tail_free(scan->tail);
    weir_free(scan->all);
    weir_free(scan);
}

static weir_err tag_start(weir_scan *scan, weir_error *error)
{
    const weir_scan_filter *f = &scan->filter;
    size_t at = scan->next_tag++;
    weir_tag_series_wish wish = {.tag = scan->tags[at],
                                 .min_ts = f->min_ts,
                                 .max_ts = f->max_ts,
                                 .min_seq = (uint64_t)f->min_seq,
                                 .max_seq = (uint64_t)f->max_seq,
                                 .descending = f->descending,
                                 .replies = f->replies,
                                 .has_tail = scan->tail != NULL};
    weir_err err = WEIR_OK;
    if (wish.tag == scan->behind.tag && scan->behind.ts > wish.min_ts)
        wish.min_ts = scan->behind.ts;
    if (scan->tail)
        err = weir_tail_get(scan->tail, scan->tags, scan->n_tags, at, &wish.tail, &wish.n_tail,
                            error);
    return err == WEIR_OK ? weir_tag_series_new(scan->view, &wish, &scan->series, error) : err;
}

/* Whether a walk that is taken up again has been past it. */
static bool is_behind(const weir_scan *scan, const weir_item *item)
{
    return item->sample.tag == scan->behind.tag &&
           (item->sample.ts.us < scan->behind.ts ||
            (item->sample.ts.us == scan->behind.ts && item->epoch <= scan->behind.epoch));
}

weir_err weir_scan_next(weir_scan *scan, weir_item *ret, bool *ret_any, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (;;) {
        *ret_any = false;
        if (!scan->series && scan->next_tag == scan->n_tags)
            return WEIR_OK;
        if (!scan->series)
            err = tag_start(scan, error);
        if (err == WEIR_OK)
            err = weir_tag_series_next(scan->series, ret, ret_any, error);
        if (err != WEIR_OK)
            return err;
        if (!*ret_any) {
            weir_tag_series_free(scan->series);
            scan->series = NULL;
        } else if (!is_behind(scan, ret)) {
            scan->place = (weir_scan_place){ret->sample.tag, ret->sample.ts.us, ret->epoch};
            return WEIR_OK;
        }
    }
}

weir_scan_place weir_scan_get_place(const weir_scan *scan)
{
    return scan->place;
}
