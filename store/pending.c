/* SPDX-License-Identifier: MIT */
/* What waits for the next commit: blocks being built, and events. */

#include "store/pending.h"

#include <string.h>

#include "base/alloc.h"

static void event_deinit(weir_pending_event *e)
{
    weir_free(e->subject);
    weir_free(e->text);
}

void weir_pending_deinit(weir_pending *p)
{
    for (size_t i = 0; i < p->rows_capacity; i++)
        weir_block_builder_free(p->rows[i].builder);
    for (size_t i = 0; i < p->n_events; i++)
        event_deinit(&p->events[i]);
    weir_free(p->rows);
    weir_free(p->events);
    *p = (weir_pending){0};
}

/* Doubles an array whose unused items are zero. */
static bool array_grow(void **at, size_t *capacity, size_t size)
{
    size_t n = *capacity ? *capacity * 2 : 4;
    void *grown = weir_realloc_array(*at, n, size);
    if (!grown)
        return false;
    memset((char *)grown + *capacity * size, 0, (n - *capacity) * size);
    *at = grown;
    *capacity = n;
    return true;
}

/* The row that takes the next batch: the last one, or a new one when that is full. It counts only
 * once something is in it. */
static weir_pending_row *row_open(weir_pending *p, size_t *ret_index)
{
    size_t i = p->n_rows;
    if (i > p->sealed_rows && !weir_block_builder_full(p->rows[i - 1].builder))
        i--;
    void *rows = p->rows;
    if (i == p->rows_capacity && !array_grow(&rows, &p->rows_capacity, sizeof *p->rows))
        return NULL;
    p->rows = rows;
    if (!p->rows[i].builder)
        p->rows[i].builder = weir_block_builder_new();
    *ret_index = i;
    return p->rows[i].builder ? &p->rows[i] : NULL;
}

static bool newer(weir_newest a, weir_newest b)
{
    return a.epoch > b.epoch || (a.epoch == b.epoch && a.ts > b.ts);
}

static void row_note(weir_pending_row *row, const weir_batch *batch)
{
    for (size_t i = 0; i < batch->n_samples; i++) {
        weir_newest self = {batch->samples[i].ts.us, batch->epoch};
        if (newer(self, row->newest))
            row->newest = self;
        if (!(batch->flags & WEIR_BATCH_CLOCK_UNTRUSTED) && self.ts > row->trusted_ts)
            row->trusted_ts = self.ts;
    }
}

weir_err weir_pending_append(weir_pending *p, const weir_batch *batch, weir_error *error)
{
    for (size_t i = 0; i < batch->n_samples; i++)
        if (batch->samples[i].tag == 0 || batch->samples[i].tag >= p->n_tags)
            return weir_fail(error, WEIR_EINVAL, "a sample of tag uid %u, which is not registered",
                             batch->samples[i].tag);
    if (batch->n_samples == 0)
        return WEIR_OK;
    size_t at;
    weir_pending_row *row = row_open(p, &at);
    if (!row)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a block");
    weir_err err = weir_block_builder_append(row->builder, batch, error);
    if (err != WEIR_OK)
        return err;
    if (at == p->n_rows) {
        row->newest = (weir_newest){INT64_MIN, 0};
        row->trusted_ts = INT64_MIN;
        p->n_rows++;
    }
    row_note(row, batch);
    for (size_t i = 0; i < batch->n_samples; i++) {
        const int64_t ts = batch->samples[i].ts.us;
        p->min_ts = p->n_samples + i == 0 || ts < p->min_ts ? ts : p->min_ts;
        p->max_ts = p->n_samples + i == 0 || ts > p->max_ts ? ts : p->max_ts;
    }
    p->n_samples += batch->n_samples;
    return WEIR_OK;
}

weir_err weir_pending_event_add(weir_pending *p, const weir_event *event, weir_error *error)
{
    size_t subject = strlen(event->subject), text = strlen(event->text);
    void *events = p->events;
    if (p->n_events == p->events_capacity &&
        !array_grow(&events, &p->events_capacity, sizeof *p->events))
        return weir_fail(error, WEIR_ENOMEM, "no memory for an event");
    p->events = events;
    weir_pending_event e = {event->ts, event->kind, weir_alloc_text_n(event->subject, subject),
                            weir_alloc_text_n(event->text, text)};
    if (!e.subject || !e.text) {
        event_deinit(&e);
        return weir_fail(error, WEIR_ENOMEM, "no memory for an event");
    }
    p->events[p->n_events++] = e;
    p->event_bytes += sizeof e + subject + text;
    return WEIR_OK;
}

size_t weir_pending_bytes(const weir_pending *p)
{
    size_t n = p->event_bytes;
    for (size_t i = 0; i < p->n_rows; i++)
        n += weir_block_builder_bytes(p->rows[i].builder);
    return n;
}

/* The first builder keeps its memory for the next second; the others were for a backlog. */
void weir_pending_clear(weir_pending *p)
{
    for (size_t i = 0; i < p->rows_capacity; i++) {
        if (i == 0 && p->rows[i].builder) {
            weir_block_builder_clear(p->rows[i].builder);
            continue;
        }
        weir_block_builder_free(p->rows[i].builder);
        p->rows[i].builder = NULL;
    }
    for (size_t i = 0; i < p->n_events; i++)
        event_deinit(&p->events[i]);
    p->n_rows = p->n_events = p->sealed_rows = p->sealed_events = 0;
    p->n_samples = p->event_bytes = 0;
}

void weir_pending_seal(weir_pending *p)
{
    p->sealed_rows = p->n_rows;
    p->sealed_events = p->n_events;
}

void weir_pending_unseal(weir_pending *p, bool written)
{
    const size_t rows = p->sealed_rows, events = p->sealed_events;
    p->sealed_rows = p->sealed_events = 0;
    if (!written)
        return;
    for (size_t i = 0; i < rows; i++) {
        p->n_samples -= weir_block_builder_count(p->rows[i].builder);
        weir_block_builder_free(p->rows[i].builder);
    }
    for (size_t i = 0; i < events; i++) {
        p->event_bytes -=
            sizeof p->events[i] + strlen(p->events[i].subject) + strlen(p->events[i].text);
        event_deinit(&p->events[i]);
    }
    if (rows > 0) {
        memmove(p->rows, p->rows + rows, (p->rows_capacity - rows) * sizeof *p->rows);
        memset(p->rows + p->rows_capacity - rows, 0, rows * sizeof *p->rows);
    }
    if (events > 0)
        memmove(p->events, p->events + events, (p->n_events - events) * sizeof *p->events);
    p->n_rows -= rows;
    p->n_events -= events;
}
