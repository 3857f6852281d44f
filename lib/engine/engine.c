/* SPDX-License-Identifier: MIT */
/* The engine: clock, schedule, health and current values put together. */

/*
 * The happy path. weir_engine_step looks at the clock, takes the slots that have come and hands
 * each to the device's source as one weir_read. The source answers with batches
 * (weir_engine_deliver), which update the current values and go on to the store, and with one
 * weir_engine_read_done, which feeds the device's health.
 *
 * What can go wrong with a slot, and what it then yields:
 * - its intervals are still being read: no sample, counted as overrun; nothing queues twice;
 * - nobody called in time (a stopped process): the latest slot is read, the others are overruns;
 * - the device is silent and left alone for a while: bad samples made here, at once;
 * - the reply comes after the next slot: its samples are uncertain(late).
 */

#include "engine/engine_priv.h"

#include <assert.h>

#include "base/alloc.h"

#define SLACK_DEFAULT_US (10 * WEIR_MS)

/* A clock step is noticed within this time. */
#define CLOCK_CHECK_US WEIR_S

/* Somebody who reads every minute wants to see at once that it works. */
#define FIRST_READ_ABOVE_US (10 * WEIR_S)

/* --- life --- */

weir_err weir_engine_allocate(weir_engine *e, weir_error *error)
{
    e->n_samples = 1;
    for (size_t i = 0; i < e->catalog->n_devices; i++)
        if (e->catalog->devices[i].n_tags > e->n_samples)
            e->n_samples = e->catalog->devices[i].n_tags;
    e->devices = weir_alloc_zero(e->catalog->n_devices + 1, sizeof *e->devices);
    e->samples = weir_alloc_zero(e->n_samples, sizeof *e->samples);
    e->apart = weir_alloc_zero(e->n_samples, sizeof *e->apart);
    e->plans = weir_alloc_zero(e->n_samples, sizeof *e->plans);
    if (!e->devices || !e->samples || !e->apart || !e->plans)
        return weir_fail(error, WEIR_ENOMEM, "an engine of %zu devices", e->catalog->n_devices);
    return WEIR_OK;
}

static void engine_init_devices(weir_engine *e, weir_wall wall)
{
    for (size_t i = 0; i < e->catalog->n_devices; i++)
        weir_health_init(&e->devices[i].health,
                         weir_device_is_enabled(e->catalog, &e->catalog->devices[i]), wall);
}

weir_err weir_engine_new(const weir_engine_config *config, weir_mono now, weir_wall wall,
                         weir_engine **ret, weir_error *error)
{
    weir_engine *e = weir_alloc_zero(1, sizeof *e);
    if (!e)
        return weir_fail(error, WEIR_ENOMEM, "an engine");
    *e = (weir_engine){.catalog = config->catalog,
                       .host = config->host,
                       .random = {config->seed},
                       .trust = {.built = config->built,
                                 .newest = config->newest_committed,
                                 .synchronized = config->host.synchronized,
                                 .data = config->host.data,
                                 .since = now},
                       .epoch = config->first_epoch,
                       .epoch_untrusted = config->epoch_untrusted,
                       .epoch_corrected = config->epoch_corrected};
    weir_trust_judge(&e->trust, now, wall);
    weir_anchor_set(&e->anchor, now, wall);
    const int64_t slack = config->timer_slack_us ? config->timer_slack_us : SLACK_DEFAULT_US;
    weir_err err = weir_schedule_init(&e->schedule, e->catalog, slack, error);
    if (!err)
        err = weir_engine_plans_init(e, error);
    if (!err)
        err = weir_currents_init(&e->currents, e->catalog, error);
    if (!err)
        err = weir_engine_allocate(e, error);
    if (err) {
        weir_engine_free(e);
        return err;
    }
    engine_init_devices(e, wall);
    *ret = e;
    return WEIR_OK;
}

void weir_engine_readings_free(weir_engine_reading *r)
{
    while (r) {
        weir_engine_reading *next = r->next;
        weir_chosen_unref(r->chosen);
        weir_free(r);
        r = next;
    }
}

void weir_engine_deallocate(weir_engine *e)
{
    for (size_t i = 0; e->devices && i < e->catalog->n_devices; i++)
        weir_engine_readings_free(e->devices[i].readings);
    weir_schedule_deinit(&e->schedule);
    weir_currents_deinit(&e->currents);
    weir_free(e->devices);
    weir_free(e->samples);
    weir_free(e->apart);
    weir_free(e->plans);
}

void weir_engine_free(weir_engine *e)
{
    if (!e)
        return;
    weir_engine_deallocate(e);
    weir_engine_readings_free(e->spare);
    weir_plans_deinit(&e->runs);
    weir_trust_deinit(&e->trust);
    weir_free(e);
}

/* --- what goes out --- */

void weir_engine_tell(weir_engine *e, weir_event_kind kind, const char *subject,
                      const weir_text *text, weir_wall ts)
{
    const weir_event event = {
        .ts = ts, .kind = kind, .subject = subject, .text = weir_text_get(text)};
    e->host.event(e->host.data, &event);
}

static void engine_hand_on(weir_engine *e, const weir_batch *batch)
{
    weir_currents_update(&e->currents, batch);
    e->host.batch(e->host.data, batch);
}

/* A batch says which plans were due, so those of one reply that different plans want go apart. */
static void engine_pass_apart(weir_engine *e, const weir_batch *batch, const weir_chosen *chosen)
{
    weir_batch part = *batch;
    part.samples = e->apart;
    for (uint32_t i = 0; i < batch->n_samples; i++) {
        const weir_tag *tag = weir_currents_tag(&e->currents, e->catalog, batch->samples[i].tag);
        e->plans[i] =
            tag && chosen->point_plans[tag->point] ? chosen->point_plans[tag->point] : batch->plans;
    }
    for (uint32_t done = 0, i = 0; done < batch->n_samples; i++) {
        part.plans = e->plans[i];
        part.n_samples = 0;
        for (uint32_t k = i; part.plans && k < batch->n_samples; k++)
            if (e->plans[k] == part.plans) {
                e->apart[part.n_samples++] = batch->samples[k];
                e->plans[k] = 0;
            }
        done += part.n_samples;
        if (part.n_samples)
            engine_hand_on(e, &part);
    }
}

void weir_engine_pass(weir_engine *e, const weir_batch *batch, const weir_chosen *chosen)
{
    if (!chosen || !chosen->point_plans) {
        engine_hand_on(e, batch);
        return;
    }
    weir_batch part = *batch;
    for (uint32_t done = 0; done < batch->n_samples; done += part.n_samples) {
        part.n_samples = batch->n_samples - done;
        if (part.n_samples > e->n_samples)
            part.n_samples = e->n_samples;
        part.samples = batch->samples + done;
        engine_pass_apart(e, &part, chosen);
    }
}

/* --- reads --- */

static weir_engine_reading *engine_reading_new(weir_engine *e)
{
    weir_engine_reading *r = e->spare;
    if (!r)
        return weir_alloc_zero(1, sizeof *r);
    e->spare = r->next;
    return r;
}

void weir_engine_reading_free(weir_engine *e, weir_engine_reading *r)
{
    weir_chosen_unref(r->chosen);
    r->chosen = NULL;
    r->next = e->spare;
    e->spare = r;
}

static void engine_count_overruns(weir_engine *e, uint32_t device, uint32_t n)
{
    e->devices[device].health.status.overruns += n;
    e->overruns += n;
}

/* Takes the reference `chosen`. */
static void engine_begin_read(weir_engine *e, weir_read read, weir_chosen *chosen,
                              const weir_plan *collects)
{
    weir_engine_device *d = &e->devices[read.device];
    weir_engine_reading *r = engine_reading_new(e);
    if (!r) { /* no memory: as if nobody had been there to read */
        weir_chosen_unref(chosen);
        engine_count_overruns(e, read.device, (uint32_t)__builtin_popcount(read.intervals));
        return;
    }
    read.id = ++e->next_read_id;
    read.epoch = e->epoch;
    read.selection = chosen ? &chosen->selection : NULL;
    read.plans = chosen ? chosen->plans : WEIR_PLAN_DEFAULT;
    read.due_mono = weir_anchor_mono(&e->anchor, read.due);
    d->busy |= read.intervals;
    *r = (weir_engine_reading){d->readings, read, chosen, weir_engine_trusts(e), collects};
    d->readings = r;
    weir_health_read_started(&d->health, read.id);
    e->host.read(e->host.data, &read);
}

/* Bad samples for a slot of a device that is left alone: cause and detail of its last failure.
 * intervals and chosen: as of the read it would have been. */
static void engine_skip(weir_engine *e, const weir_read *read, const weir_chosen *chosen,
                        weir_mono now)
{
    const weir_device *device = &e->catalog->devices[read->device];
    weir_device_status *status = &e->devices[read->device].health.status;
    uint32_t n = 0;
    for (uint32_t p = 0; p < device->n_points; p++) {
        if (!weir_read_wants(read, device, p))
            continue;
        const weir_tag *tag = &e->catalog->tags[device->first_tag + device->point_tag[p]];
        for (uint32_t k = 0; k < device->points[p].count; k++)
            e->samples[n++] =
                (weir_sample){.tag = tag[k].uid, .quality = status->error, .ts = read->due};
    }
    assert(n <= e->n_samples);
    status->skipped += (uint32_t)__builtin_popcount(read->intervals);
    weir_engine_pass(e,
                     &(weir_batch){.connection = device->connection,
                                   .device = read->device,
                                   .catalog_revision = e->catalog->revision,
                                   .epoch = e->epoch,
                                   .flags = weir_engine_trusts(e) ? 0 : WEIR_BATCH_CLOCK_UNTRUSTED,
                                   .n_samples = n,
                                   .plans = chosen ? chosen->plans : WEIR_PLAN_DEFAULT,
                                   .due = read->due,
                                   .received = weir_anchor_wall(&e->anchor, now),
                                   .anchor_us = e->anchor.us,
                                   .samples = e->samples},
                     chosen);
}

void weir_engine_read(weir_engine *e, weir_read read, weir_mono now)
{
    weir_chosen *chosen;
    if (weir_schedule_choose(&e->schedule, read.device, read.intervals, &chosen) != WEIR_OK) {
        engine_count_overruns(e, read.device, (uint32_t)__builtin_popcount(read.intervals));
        return;
    }
    if (weir_health_may_read(&e->devices[read.device].health, now)) {
        engine_begin_read(e, read, chosen, NULL);
        return;
    }
    read.selection = chosen ? &chosen->selection : NULL;
    engine_skip(e, &read, chosen, now);
    weir_chosen_unref(chosen);
}

/* Two reads of a device never share slot and epoch: batches are found by them. */
static weir_wall device_free_moment(const weir_engine *e, uint32_t device, weir_wall t)
{
    for (const weir_engine_reading *r = e->devices[device].readings; r; r = r->next)
        if (r->read.due.us == t.us && r->read.epoch == e->epoch)
            return device_free_moment(e, device, (weir_wall){t.us + 1});
    return t;
}

void weir_engine_collect(weir_engine *e, uint32_t device, weir_chosen *chosen,
                         const weir_plan *plan, weir_mono now)
{
    weir_read read = {.device = device,
                      .flags = WEIR_BATCH_FIRST_READ,
                      .selection = &chosen->selection,
                      .due = device_free_moment(e, device, weir_anchor_wall(&e->anchor, now)),
                      .next_due_us = INT64_MAX / 2};
    if (weir_health_may_read(&e->devices[device].health, now)) {
        engine_begin_read(e, read, chosen, plan);
        return;
    }
    engine_skip(e, &read, chosen, now);
    weir_chosen_unref(chosen);
}

static void engine_slot(weir_engine *e, const weir_due *due, weir_mono now)
{
    weir_engine_device *d = &e->devices[due->device];
    const uint32_t overrun = due->intervals & d->busy;
    const uint32_t free = due->intervals & ~d->busy;
    engine_count_overruns(e, due->device, due->missed + (uint32_t)__builtin_popcount(overrun));
    if (free == 0)
        return;
    const weir_wall next = weir_schedule_earliest(&e->schedule, due->device, free);
    weir_engine_read(e,
                     (weir_read){.device = due->device,
                                 .intervals = free,
                                 .due = due->slot,
                                 .next_due_us = next.us - due->slot.us},
                     now);
}

void weir_engine_first_read(weir_engine *e, uint32_t device, weir_mono now, weir_wall wall)
{
    uint32_t beats = 0;
    if (!weir_device_is_enabled(e->catalog, &e->catalog->devices[device]))
        return;
    for (uint32_t left = weir_schedule_beats(&e->schedule, device); left; left &= left - 1) {
        const uint32_t beat = (uint32_t)__builtin_ctz(left);
        if (weir_schedule_interval(&e->schedule, device, beat) > FIRST_READ_ABOVE_US)
            beats |= 1u << beat;
    }
    const weir_wall next = weir_schedule_earliest(&e->schedule, device, beats);
    if (beats)
        weir_engine_read(e,
                         (weir_read){.device = device,
                                     .intervals = beats,
                                     .flags = WEIR_BATCH_FIRST_READ,
                                     .due = wall,
                                     .next_due_us = next.us - wall.us},
                         now);
}

static void engine_first_reads(weir_engine *e, weir_mono now, weir_wall wall)
{
    for (uint32_t i = 0; i < e->catalog->n_devices; i++)
        weir_engine_first_read(e, i, now, wall);
}

static void engine_start(weir_engine *e, weir_mono now, weir_wall wall)
{
    weir_anchor_set(&e->anchor, now, wall);
    weir_engine_start_clock(e, now, wall);
    e->plans_seen = wall;
    weir_engine_change_plans(e, wall);
    weir_schedule_restart(&e->schedule, wall);
    e->started = true;
    engine_first_reads(e, now, wall);
}

static void engine_slots_until(weir_engine *e, weir_mono now, weir_wall until)
{
    weir_due due;
    while (!e->paused && weir_schedule_take(&e->schedule, until, &due))
        engine_slot(e, &due, now);
}

/* What is due; where a plan starts or ends on the way, first what was due before that. */
static void engine_slots(weir_engine *e, weir_mono now)
{
    const weir_wall until = weir_anchor_wall(&e->anchor, now);
    weir_wall change;
    while (weir_engine_next_plan(e, &change) && change.us <= until.us) {
        engine_slots_until(e, now, (weir_wall){change.us - 1});
        weir_engine_change_plans(e, change);
    }
    engine_slots_until(e, now, until);
    e->plans_seen = until;
}

/* Slots may wait to be gathered, plans may not: what they want would begin late. */
static weir_mono engine_wake(const weir_engine *e, weir_mono now, weir_mono collect)
{
    weir_mono wake = weir_mono_min(collect, weir_mono_add(now, CLOCK_CHECK_US));
    weir_wall next;
    if (weir_engine_next_plan(e, &next))
        wake = weir_mono_min(wake, weir_anchor_mono(&e->anchor, next));
    if (!e->paused && weir_schedule_next(&e->schedule, &next))
        wake = weir_mono_min(
            wake, weir_mono_add(weir_anchor_mono(&e->anchor, next), e->schedule.slack_us));
    return wake;
}

weir_mono weir_engine_step(weir_engine *e, weir_mono now, weir_wall wall)
{
    if (!e->started)
        engine_start(e, now, wall);
    const int64_t step_us = weir_anchor_check(&e->anchor, now, wall);
    engine_slots(e, now);
    weir_engine_check_clock(e, now, wall, step_us);
    return engine_wake(e, now, weir_engine_collect_plans(e, now));
}

void weir_engine_pause(weir_engine *e, bool paused, weir_mono now)
{
    if (e->started && e->paused && !paused)
        weir_schedule_restart(&e->schedule, weir_anchor_wall(&e->anchor, now));
    e->paused = paused;
}

/* --- what others look at --- */

const weir_current *weir_engine_current(const weir_engine *e, uint32_t tag)
{
    assert(tag < e->currents.n_slots);
    return weir_currents_get(&e->currents, tag);
}

const weir_device_status *weir_engine_status(const weir_engine *e, uint32_t device)
{
    assert(device < e->catalog->n_devices);
    return &e->devices[device].health.status;
}

uint64_t weir_engine_overruns(const weir_engine *e)
{
    return e->overruns;
}
