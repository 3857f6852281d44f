/* SPDX-License-Identifier: MIT */
/* Another catalog for an engine that runs. */

/*
 * prepare makes what depends on the catalog anew, empty: schedule, current values, the table of
 * devices. apply moves what goes on from the old one into it, puts it in place, and then reads what
 * is to be read at once. What is under way of a device that stays keeps its number, so its source
 * need not know that anything happened.
 */

#include "engine/engine_priv.h"

#include "base/alloc.h"

/* An engine of which only what depends on the catalog is there. */
struct weir_engine_change {
    weir_engine next;
};

weir_err weir_engine_prepare(const weir_engine *e, const weir_catalog *catalog,
                             weir_engine_change **ret, weir_error *error)
{
    weir_engine_change *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return weir_fail(error, WEIR_ENOMEM, "an engine");
    c->next.catalog = catalog;
    weir_err err = weir_schedule_init(&c->next.schedule, catalog, e->schedule.slack_wish_us, error);
    if (!err)
        err = weir_currents_init(&c->next.currents, catalog, error);
    if (!err)
        err = weir_engine_allocate(&c->next, error);
    if (!err)
        err = weir_engine_plans_prepare(&c->next, e, error);
    if (err)
        weir_engine_discard(c);
    else
        *ret = c;
    return err;
}

void weir_engine_discard(weir_engine_change *c)
{
    if (!c)
        return;
    weir_plans_deinit(&c->next.runs);
    weir_engine_deallocate(&c->next);
    weir_free(c);
}

/* Beats of plans that are gone are nobody's any more: the read goes on for the others. */
static void readings_forget(weir_engine_device *d, uint32_t gone)
{
    d->busy &= ~gone;
    for (weir_engine_reading *r = d->readings; r; r = r->next)
        r->read.intervals &= ~gone;
}

static void device_stay(weir_engine *e, weir_engine *next, uint32_t old, uint32_t device,
                        weir_wall wall)
{
    weir_engine_device *d = &next->devices[device];
    *d = e->devices[old];
    e->devices[old].readings = NULL;
    for (weir_engine_reading *r = d->readings; r; r = r->next)
        r->read.device = device;
    readings_forget(d, weir_schedule_follow(&next->schedule, device, &e->schedule, old, wall));
}

static void device_begin(weir_engine *e, weir_engine *next, uint32_t old, uint32_t device,
                         weir_wall wall)
{
    const bool enabled = weir_device_is_enabled(next->catalog, &next->catalog->devices[device]);
    const bool goes_on = old != WEIR_DEVICE_NONE && enabled &&
                         weir_device_is_enabled(e->catalog, &e->catalog->devices[old]);
    weir_health *health = &next->devices[device].health;
    weir_schedule_start(&next->schedule, device, goes_on ? &e->schedule : NULL, old, wall);
    if (goes_on) {
        *health = e->devices[old].health;
        health->probe = 0; /* its read is over */
    } else {
        weir_health_init(health, enabled, wall);
    }
}

/* The intervals of the new device that a read under way of the old one was for. */
static uint32_t intervals_again(const weir_device *before, const weir_device *device,
                                uint32_t intervals)
{
    uint32_t again = 0;
    for (uint32_t i = 0; i < device->n_intervals; i++)
        for (uint32_t k = 0; k < before->n_intervals; k++)
            if (intervals >> k & 1 && device->intervals[i] == before->intervals[k])
                again |= 1u << i;
    return again;
}

/* Its slots have come and had no answer yet: they are not to be without a sample. */
static void device_read_again(weir_engine *e, const weir_engine *before, uint32_t old,
                              uint32_t device, weir_mono now)
{
    const weir_device *was = &before->catalog->devices[old];
    const weir_device *is = &e->catalog->devices[device];
    if (!weir_device_is_enabled(e->catalog, is))
        return;
    for (const weir_engine_reading *r = before->devices[old].readings; r; r = r->next) {
        const uint32_t intervals =
            intervals_again(was, is, r->read.intervals) & ~e->devices[device].busy;
        if (intervals && r->read.epoch == e->epoch)
            weir_engine_read(e,
                             (weir_read){.device = device,
                                         .intervals = intervals,
                                         .flags = r->read.flags,
                                         .due = r->read.due,
                                         .next_due_us = r->read.next_due_us},
                             now);
    }
}

/* Exchanges what depends on the catalog: the change has the old then. */
static void engine_exchange(weir_engine *e, weir_engine *next)
{
    const weir_engine old = *e;
    e->catalog = next->catalog;
    e->schedule = next->schedule;
    e->currents = next->currents;
    e->devices = next->devices;
    e->samples = next->samples;
    e->apart = next->apart;
    e->plans = next->plans;
    e->n_samples = next->n_samples;
    e->runs = next->runs;
    next->catalog = old.catalog;
    next->schedule = old.schedule;
    next->currents = old.currents;
    next->devices = old.devices;
    next->samples = old.samples;
    next->apart = old.apart;
    next->plans = old.plans;
    next->n_samples = old.n_samples;
    next->runs = old.runs;
}

static void engine_read_at_once(weir_engine *e, const weir_engine *before, const uint32_t *stays,
                                const uint32_t *was, weir_mono now, weir_wall wall)
{
    for (uint32_t i = 0; i < e->catalog->n_devices; i++) {
        if (was[i] == WEIR_DEVICE_NONE)
            weir_engine_first_read(e, i, now, wall);
        else if (stays[was[i]] != i)
            device_read_again(e, before, was[i], i, now);
    }
}

void weir_engine_apply(weir_engine *e, weir_engine_change *change, const uint32_t *stays,
                       const uint32_t *was, weir_mono now)
{
    weir_engine *next = &change->next;
    const weir_wall wall = weir_anchor_wall(&e->anchor, now);
    weir_engine_plans_renew(next, e, wall);
    for (uint32_t i = 0; i < next->catalog->n_devices; i++) {
        if (was[i] != WEIR_DEVICE_NONE && stays[was[i]] == i)
            device_stay(e, next, was[i], i, wall);
        else
            device_begin(e, next, was[i], i, wall);
    }
    weir_schedule_settle(&next->schedule);
    weir_currents_take_over(&next->currents, &e->currents);
    engine_exchange(e, next);
    if (e->started && !e->paused)
        engine_read_at_once(e, next, stays, was, now, wall);
    weir_engine_discard(change);
}
