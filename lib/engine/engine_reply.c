/* SPDX-License-Identifier: MIT */
/* What comes back to the engine: batches, and how reads ended. */

#include "engine/engine_priv.h"

#include <assert.h>

/* The read a batch belongs to; NULL: unsolicited. Two reads of a device never share slot and
 * epoch. */
static const weir_engine_reading *device_reading(const weir_engine_device *d,
                                                 const weir_batch *batch)
{
    for (const weir_engine_reading *r = d->readings; r; r = r->next)
        if (r->read.due.us == batch->due.us && r->read.epoch == batch->epoch)
            return r;
    return NULL;
}

/* A wrong time is worse than a late value, and a bad sample has nothing to lose. */
static void samples_mark(weir_sample *samples, uint32_t n, weir_cause cause)
{
    for (uint32_t i = 0; i < n; i++)
        if (weir_quality_class(samples[i].quality) != WEIR_BAD)
            samples[i].quality = weir_quality_of(WEIR_UNCERTAIN, cause, 0);
}

/* A reply to a slot of a doubted clock that was set meanwhile: what is shown goes by the new one.
 */
static void engine_show_moved(weir_engine *e, const weir_batch *batch, int64_t moved_us)
{
    weir_batch shown = *batch;
    shown.received.us += moved_us;
    for (uint32_t i = 0; i < batch->n_samples; i++)
        e->samples[i].ts.us += moved_us;
    weir_currents_update(&e->currents, &shown);
}

/* Marks copies: the source's samples are borrowed. What does not fit goes in several batches.
 * moved_us: how far the clock was moved since the slot, for the current values. */
static void engine_pass_marked(weir_engine *e, const weir_batch *batch, const weir_chosen *chosen,
                               weir_cause cause, int64_t moved_us)
{
    weir_batch part = *batch;
    if (cause == WEIR_CAUSE_CLOCK)
        part.flags |= WEIR_BATCH_CLOCK_UNTRUSTED;
    for (uint32_t done = 0; done < batch->n_samples; done += part.n_samples) {
        part.n_samples = batch->n_samples - done;
        if (part.n_samples > e->n_samples)
            part.n_samples = e->n_samples;
        for (uint32_t i = 0; i < part.n_samples; i++)
            e->samples[i] = batch->samples[done + i];
        samples_mark(e->samples, part.n_samples, cause);
        part.samples = e->samples;
        weir_engine_pass(e, &part, chosen);
        if (moved_us && !(batch->flags & WEIR_BATCH_SOURCE_TIME))
            engine_show_moved(e, &part, moved_us);
    }
}

/* All times of a batch are of one clock, that of its slot: a reply under way while the clock was
 * set would else seem to have taken years. */
static weir_batch batch_in_epoch(const weir_batch *batch, const weir_engine_reading *r)
{
    weir_batch b = *batch;
    if (!r)
        return b;
    const int64_t anchor_us = r->read.due.us - r->read.due_mono.us;
    const int64_t moved_us = batch->anchor_us - anchor_us;
    if (moved_us > -WEIR_CLOCK_STEP_US && moved_us < WEIR_CLOCK_STEP_US)
        return b;
    if (b.sent.us)
        b.sent.us -= moved_us;
    b.received.us -= moved_us;
    b.anchor_us = anchor_us;
    return b;
}

void weir_engine_deliver(weir_engine *e, const weir_batch *batch, weir_mono now)
{
    assert(batch->device < e->catalog->n_devices);
    const weir_engine_reading *r = device_reading(&e->devices[batch->device], batch);
    const bool trusted = r ? r->trusted : weir_engine_trusts(e);
    const weir_batch own = batch_in_epoch(batch, r);
    const weir_chosen *chosen = r ? r->chosen : NULL;
    if (!trusted)
        engine_pass_marked(e, &own, chosen, WEIR_CAUSE_CLOCK,
                           own.epoch == e->epoch ? 0 : e->anchor.us - own.anchor_us);
    else if (r && now.us > weir_mono_add(r->read.due_mono, r->read.next_due_us).us)
        engine_pass_marked(e, &own, chosen, WEIR_CAUSE_LATE, 0);
    else
        weir_engine_pass(e, &own, chosen);
}

/* False: not under way. */
static bool engine_end_reading(weir_engine *e, weir_engine_device *d, uint64_t id)
{
    for (weir_engine_reading **at = &d->readings; *at; at = &(*at)->next) {
        weir_engine_reading *r = *at;
        if (r->read.id != id)
            continue;
        d->busy &= ~r->read.intervals;
        *at = r->next;
        weir_engine_reading_free(e, r);
        return true;
    }
    return false;
}

void weir_engine_read_done(weir_engine *e, const weir_read *read, weir_read_result result,
                           weir_quality worst, weir_mono now)
{
    assert(read->device < e->catalog->n_devices);
    weir_engine_device *d = &e->devices[read->device];
    if (!engine_end_reading(e, d, read->id))
        return;
    const weir_device *device = &e->catalog->devices[read->device];
    const weir_wall wall = weir_anchor_wall(&e->anchor, now);
    int64_t down_us = 0;
    const weir_health_change change = weir_health_read_done(&d->health, device, read->id, result,
                                                            worst, now, wall, &e->random, &down_us);
    if (change == WEIR_HEALTH_SAME)
        return;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_health_describe(&d->health, device->name, change, down_us, &text);
    weir_engine_tell(e, change == WEIR_HEALTH_UP ? WEIR_EVENT_DEVICE_UP : WEIR_EVENT_DEVICE_DOWN,
                     device->name, &text, wall);
}

void weir_engine_link(weir_engine *e, uint32_t connection, bool up, weir_mono now)
{
    if (!up) /* the reads that meet it say so, each at its slot */
        return;
    for (size_t i = 0; i < e->catalog->n_devices; i++)
        if (e->catalog->devices[i].connection == connection)
            weir_health_link_up(&e->devices[i].health, now);
}
