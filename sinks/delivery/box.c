/* SPDX-License-Identifier: MIT */
/* A delivery whose progress goes to the postbox. */

#include "sinks/delivery/box.h"

static bool box_on_cursor(void *data, uint64_t seq, const weir_span *spans, size_t n_spans)
{
    const weir_delivery_box *b = data;
    return weir_postbox_cursor(b->postbox, b->sink, seq, spans, n_spans, NULL) == WEIR_OK;
}

static bool box_on_set_aside(void *data, const weir_set_aside *rows, size_t n)
{
    const weir_delivery_box *b = data;
    return weir_postbox_set_aside(b->postbox, b->sink, rows, n, NULL) == WEIR_OK;
}

static bool box_on_replay(void *data, uint64_t id, int64_t done)
{
    const weir_delivery_box *b = data;
    return weir_postbox_replay(b->postbox, b->sink, id, done, NULL) == WEIR_OK;
}

static bool box_on_gap(void *data, const weir_consumer_gap *gap)
{
    const weir_delivery_box *b = data;
    weir_consumer_gap named = *gap;
    named.sink = b->sink;
    return weir_postbox_gap(b->postbox, &named, NULL) == WEIR_OK;
}

void weir_delivery_host_post(weir_delivery_host *host, weir_delivery_box *box)
{
    host->box_data = box;
    host->on_cursor = box_on_cursor;
    host->on_set_aside = box_on_set_aside;
    host->on_replay = box_on_replay;
    host->on_gap = box_on_gap;
}
