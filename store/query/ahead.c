/* SPDX-License-Identifier: MIT */
/* What a reading has before it: parts and rows that are not looked into until their time comes. */

#include "store/query/ahead.h"

#include <stdlib.h>

#include "base/alloc.h"

static int64_t part_low(const weir_tag_reading *r, const weir_view_part *p)
{
    return weir_tag_reading_order(r, r->wish.descending ? p->max_ts : p->min_ts);
}

static int64_t row_low(const weir_tag_reading *r, const weir_view_row *row)
{
    return weir_tag_reading_order(r, r->wish.descending ? row->max_ts : row->min_ts);
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
static bool is_wanted(const weir_tag_reading *r, int64_t min_ts, int64_t max_ts, uint64_t last_seq)
{
    return min_ts <= r->wish.max_ts && max_ts >= r->wish.min_ts && last_seq >= r->wish.min_seq &&
           (last_seq > r->purged || r->purged == 0);
}

static weir_err take_parts(weir_ahead *a, weir_error *error)
{
    const weir_tag_reading *r = a->reading;
    size_t n;
    const weir_view_part *parts = weir_view_parts(r->view, &n);
    a->parts = weir_alloc((n + 1) * sizeof *a->parts);
    if (!a->parts)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read a tag's samples");
    for (size_t i = 0; i < n; i++)
        if (is_wanted(r, parts[i].min_ts, parts[i].max_ts, parts[i].last_seq))
            a->parts[a->n_parts++] = parts[i];
    if (r->wish.descending)
        qsort(a->parts, a->n_parts, sizeof *a->parts, part_descending);
    return WEIR_OK;
}

static weir_err take_rows(weir_ahead *a, weir_error *error)
{
    const weir_tag_reading *r = a->reading;
    size_t n;
    const weir_view_row *rows = weir_view_rows(r->view, &n);
    a->rows = weir_alloc((n + 1) * sizeof *a->rows);
    if (!a->rows)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read a tag's samples");
    for (size_t i = 0; i < n; i++)
        if (is_wanted(r, rows[i].min_ts, rows[i].max_ts, rows[i].last_seq))
            a->rows[a->n_rows++] = rows[i];
    qsort(a->rows, a->n_rows, sizeof *a->rows, r->wish.descending ? row_descending : row_ascending);
    return WEIR_OK;
}

weir_err weir_ahead_init(weir_ahead *a, const weir_tag_reading *reading, weir_error *error)
{
    *a = (weir_ahead){.reading = reading};
    weir_err err = take_parts(a, error);
    return err == WEIR_OK && !reading->wish.has_tail ? take_rows(a, error) : err;
}

void weir_ahead_deinit(weir_ahead *a)
{
    weir_free(a->parts);
    weir_free(a->rows);
    *a = (weir_ahead){0};
}

static int64_t parts_low(const weir_ahead *a)
{
    return a->next_part < a->n_parts ? part_low(a->reading, &a->parts[a->next_part]) : INT64_MAX;
}

static int64_t rows_low(const weir_ahead *a)
{
    return a->next_row < a->n_rows ? row_low(a->reading, &a->rows[a->next_row]) : INT64_MAX;
}

int64_t weir_ahead_low(const weir_ahead *a)
{
    const int64_t parts = parts_low(a), rows = rows_low(a);
    return parts < rows ? parts : rows;
}

const weir_view_part *weir_ahead_part(weir_ahead *a, int64_t bound)
{
    return a->next_part < a->n_parts && parts_low(a) <= bound ? &a->parts[a->next_part++] : NULL;
}

const weir_view_row *weir_ahead_row(weir_ahead *a, int64_t bound)
{
    return a->next_row < a->n_rows && rows_low(a) <= bound ? &a->rows[a->next_row++] : NULL;
}
