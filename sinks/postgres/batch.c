/* SPDX-License-Identifier: MIT */
/* The rows of one send in the order they are copied. */

#include "sinks/postgres/batch.h"

#include <stdlib.h>

#include "base/alloc.h"

void weir_pg_batch_deinit(weir_pg_batch *b)
{
    weir_free(b->items);
    *b = (weir_pg_batch){0};
}

static int key_compare(const struct weir_pg_key *a, const struct weir_pg_key *b)
{
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    if (a->ts_us != b->ts_us)
        return a->ts_us < b->ts_us ? -1 : 1;
    return a->epoch < b->epoch ? -1 : a->epoch > b->epoch;
}

static int by_key_and_seq(const void *left, const void *right)
{
    const struct weir_pg_key *a = left, *b = right;
    const int order = key_compare(a, b);
    if (order != 0)
        return order;
    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static weir_err room_make(weir_pg_batch *b, size_t n)
{
    if (n <= b->capacity)
        return WEIR_OK;
    struct weir_pg_key *items = weir_realloc_array(b->items, n, sizeof *items);
    if (!items)
        return WEIR_ENOMEM;
    b->items = items;
    b->capacity = n;
    return WEIR_OK;
}

/* Of equal keys the last, which has the highest seq. */
static void last_keep(weir_pg_batch *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        if (i + 1 == b->n || key_compare(&b->items[i], &b->items[i + 1]) != 0)
            b->items[kept++] = b->items[i];
    b->n = kept;
}

weir_err weir_pg_batch_fill(weir_pg_batch *b, const weir_pg_layout *layout, const weir_pg_tags *ids,
                            const weir_sink_row *rows, size_t n)
{
    weir_err err = room_make(b, n);
    if (err != WEIR_OK)
        return err;
    b->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (!layout->has_null && rows[i].sample.value.kind == WEIR_KIND_NULL)
            continue;
        b->items[b->n++] = (struct weir_pg_key){.id = weir_pg_tags_id(ids, rows[i].tag),
                                                .ts_us = rows[i].sample.ts.us,
                                                .seq = rows[i].seq,
                                                .epoch = layout->has_epoch ? rows[i].epoch : 0,
                                                .row = (uint32_t)i};
    }
    qsort(b->items, b->n, sizeof *b->items, by_key_and_seq);
    last_keep(b);
    return WEIR_OK;
}
