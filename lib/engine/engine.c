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
 *
 * What can go wrong with the clock. A step of half a second or more: the slots that have come by
 * the old anchor are still served, then all slots start afresh from the new time, so none fires
 * twice in one epoch and none is caught up. Stepping back begins a new epoch. So does every step
 * from, to or within a clock that is not trusted (trust.h); what is read in such an epoch is
 * uncertain(clock), and the correction that ends it says by how much it was wrong. What is looked
 * at here (current values, states) moves along with the clock.
 */

#include "engine/engine.h"

#include <assert.h>
#include <inttypes.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/random.h"
#include "engine/anchor.h"
#include "engine/current.h"
#include "engine/health.h"
#include "engine/schedule.h"
#include "engine/trust.h"

#define SLACK_DEFAULT_US (10 * WEIR_MS)

/* A clock step is noticed within this time. */
#define CLOCK_CHECK_US WEIR_S

/* Somebody who reads every minute wants to see at once that it works. */
#define FIRST_READ_ABOVE_US (10 * WEIR_S)

/* A read under way. */
struct reading {
    weir_read read; /* intervals 0: none */
    bool trusted;   /* the clock, when it began */
};

struct device {
    weir_health health;
    uint32_t busy;            /* intervals that are being read */
    struct reading *readings; /* [n_intervals]; each at the place of its lowest interval */
};

struct weir_engine {
    const weir_catalog *catalog;
    weir_engine_host host;
    weir_random random;
    bool started;
    weir_trust trust;
    uint32_t epoch;
    bool epoch_untrusted, epoch_corrected; /* what a start finds */
    uint64_t next_read_id;
    uint64_t overruns;
    weir_anchor anchor;
    weir_schedule schedule;
    weir_currents currents;
    struct device *devices;
    struct reading *readings; /* memory of devices[].readings */
    weir_sample *samples;     /* room to make or mark samples of one device */
    uint32_t n_samples;
};

/* --- life --- */

static weir_err engine_allocate(weir_engine *e, weir_error *error)
{
    size_t n_readings = 0;
    e->n_samples = 1;
    for (size_t i = 0; i < e->catalog->n_devices; i++) {
        const weir_device *device = &e->catalog->devices[i];
        n_readings += device->n_intervals;
        if (device->n_tags > e->n_samples)
            e->n_samples = device->n_tags;
    }
    e->devices = weir_alloc_zero(e->catalog->n_devices + 1, sizeof *e->devices);
    e->readings = weir_alloc_zero(n_readings + 1, sizeof *e->readings);
    e->samples = weir_alloc_zero(e->n_samples, sizeof *e->samples);
    if (!e->devices || !e->readings || !e->samples)
        return weir_fail(error, WEIR_ENOMEM, "an engine of %zu devices", e->catalog->n_devices);
    return WEIR_OK;
}

static void engine_init_devices(weir_engine *e, weir_wall wall)
{
    struct reading *readings = e->readings;
    for (size_t i = 0; i < e->catalog->n_devices; i++) {
        const weir_device *device = &e->catalog->devices[i];
        e->devices[i].readings = readings;
        readings += device->n_intervals;
        weir_health_init(&e->devices[i].health, weir_device_is_enabled(e->catalog, device), wall);
    }
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
        err = weir_currents_init(&e->currents, e->catalog, error);
    if (!err)
        err = engine_allocate(e, error);
    if (err) {
        weir_engine_free(e);
        return err;
    }
    engine_init_devices(e, wall);
    *ret = e;
    return WEIR_OK;
}

void weir_engine_free(weir_engine *e)
{
    if (!e)
        return;
    weir_schedule_deinit(&e->schedule);
    weir_currents_deinit(&e->currents);
    weir_trust_deinit(&e->trust);
    weir_free(e->devices);
    weir_free(e->readings);
    weir_free(e->samples);
    weir_free(e);
}

/* --- what goes out --- */

static void engine_event(weir_engine *e, weir_event_kind kind, const char *subject,
                         const weir_text *text, weir_wall ts)
{
    const weir_event event = {
        .ts = ts, .kind = kind, .subject = subject, .text = weir_text_get(text)};
    e->host.event(e->host.data, &event);
}

static void engine_pass(weir_engine *e, const weir_batch *batch)
{
    weir_currents_update(&e->currents, batch);
    e->host.batch(e->host.data, batch);
}

/* --- the clock --- */

static bool engine_trusts(const weir_engine *e)
{
    return e->trust.doubt == WEIR_CLOCK_TRUSTED;
}

/* Whole milliseconds of a step are enough to read. */
static void text_add_step(weir_text *t, int64_t step_us)
{
    if (step_us > -WEIR_CLOCK_STEP_US && step_us < WEIR_CLOCK_STEP_US) {
        weir_text_add(t, "the clock is synchronized");
        return;
    }
    weir_text_format(t, "the clock was set %s by ", step_us < 0 ? "back" : "forward");
    weir_text_add_duration(t, (step_us < 0 ? -step_us : step_us) / WEIR_MS * WEIR_MS);
}

static void text_add_time(weir_text *t, weir_wall wall)
{
    char shown[28];
    weir_wall_format(wall, shown);
    weir_text_add(t, shown);
}

static void text_add_epoch(weir_text *t, uint32_t epoch)
{
    weir_text_format(t, "; epoch %" PRIu32 " begins", epoch);
}

/* The doubted clock was moved: what it stamped moves along. */
static void engine_move_times(weir_engine *e, weir_wall until, int64_t step_us)
{
    const weir_wall from = e->trust.doubted_from;
    weir_currents_shift(&e->currents, from, until, step_us);
    for (size_t i = 0; i < e->catalog->n_devices; i++) {
        weir_device_status *status = &e->devices[i].health.status;
        weir_wall_shift(&status->since, from, until, step_us);
        weir_wall_shift(&status->last_good, from, until, step_us);
    }
}

static void engine_correct(weir_engine *e, const weir_text *text, weir_wall ts)
{
    const weir_correction correction = {
        .event = {.ts = ts,
                  .kind = WEIR_EVENT_CLOCK_STEP,
                  .subject = "",
                  .text = weir_text_get(text)},
        .n_offsets = e->trust.n_wrong,
        .offsets = e->trust.wrong,
    };
    e->host.correction(e->host.data, &correction);
    weir_trust_corrected(&e->trust);
}

/* step_us: below WEIR_CLOCK_STEP_US when a doubted clock became right without a step. */
static void engine_clock_changed(weir_engine *e, weir_mono now, weir_wall wall, int64_t step_us)
{
    const bool was_trusted = engine_trusts(e);
    const uint32_t before = e->epoch;
    if (!was_trusted) {
        engine_move_times(e, weir_anchor_wall(&e->anchor, now), step_us);
        weir_trust_moved(&e->trust, before, step_us);
    }
    weir_trust_judge(&e->trust, now, wall);
    if (step_us < 0 || !was_trusted || !engine_trusts(e))
        e->epoch++;
    weir_anchor_set(&e->anchor, now, wall);
    weir_schedule_restart(&e->schedule, wall);

    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    text_add_step(&text, step_us);
    if (!was_trusted && engine_trusts(e))
        weir_trust_describe_wrong(&e->trust, &text);
    if (e->epoch != before)
        text_add_epoch(&text, e->epoch);
    if (!engine_trusts(e)) {
        weir_text_add(&text, "; it shows ");
        text_add_time(&text, wall);
        weir_text_add(&text, ", ");
        weir_trust_describe(&e->trust, &text);
    }
    if (was_trusted || !engine_trusts(e)) {
        engine_event(e, WEIR_EVENT_CLOCK_STEP, "", &text, wall);
        return;
    }
    weir_text_add(&text, "; the clock is trusted");
    engine_correct(e, &text, wall);
}

/* Of the epoch the last run ended in. */
static void text_add_last_run(weir_text *t, uint32_t epoch, bool corrected)
{
    weir_text_add(t, "the clock was not trusted when the last run ended");
    if (!corrected)
        weir_text_format(t,
                         ", and nobody saw it set: times of epoch %" PRIu32
                         " stay as they are, its samples uncertain",
                         epoch);
}

/* The clock may have gone wrong while nobody looked. What was stored must not be overwritten, and
 * what is read with a wrong clock stands alone: both need an epoch of their own. */
static void engine_check_first_clock(weir_engine *e, weir_mono now, weir_wall wall)
{
    const uint32_t last = e->epoch;
    weir_trust_judge(&e->trust, now, wall);
    const bool is_back = wall.us < e->trust.newest.us;
    if (engine_trusts(e) && !is_back && !e->epoch_untrusted)
        return;
    e->epoch++;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (engine_trusts(e) && e->epoch_untrusted) {
        text_add_last_run(&text, last, e->epoch_corrected);
    } else {
        weir_text_add(&text, "the clock shows ");
        text_add_time(&text, wall);
        weir_text_add(&text, ", ");
        if (engine_trusts(e))
            weir_text_add(&text, "earlier than the newest stored sample");
        else
            weir_trust_describe(&e->trust, &text);
    }
    text_add_epoch(&text, e->epoch);
    engine_event(e, WEIR_EVENT_CLOCK_STEP, "", &text, wall);
}

static void engine_check_clock(weir_engine *e, weir_mono now, weir_wall wall, int64_t step_us)
{
    if (step_us)
        engine_clock_changed(e, now, wall, step_us);
    else if (weir_trust_regained(&e->trust, now, wall))
        engine_clock_changed(e, now, wall, wall.us - weir_anchor_wall(&e->anchor, now).us);
}

weir_wall weir_engine_wall(const weir_engine *e, weir_mono t)
{
    return weir_anchor_wall(&e->anchor, t);
}

int64_t weir_engine_anchor(const weir_engine *e)
{
    return e->anchor.us;
}

weir_clock_state weir_engine_clock(const weir_engine *e)
{
    return (weir_clock_state){.doubt = e->trust.doubt,
                              .since = weir_anchor_wall(&e->anchor, e->trust.since),
                              .epoch = e->epoch,
                              .corrected = e->trust.corrected,
                              .offset_us = e->trust.offset_us};
}

/* --- reads --- */

static void engine_read(weir_engine *e, weir_read read)
{
    struct device *d = &e->devices[read.device];
    read.id = ++e->next_read_id;
    read.epoch = e->epoch;
    read.plans = WEIR_PLAN_DEFAULT;
    read.due_mono = weir_anchor_mono(&e->anchor, read.due);
    d->busy |= read.intervals;
    d->readings[__builtin_ctz(read.intervals)] = (struct reading){read, engine_trusts(e)};
    weir_health_read_started(&d->health, read.id);
    e->host.read(e->host.data, &read);
}

static void engine_count_overruns(weir_engine *e, uint32_t device, uint32_t n)
{
    e->devices[device].health.status.overruns += n;
    e->overruns += n;
}

/* Bad samples for a slot of a device that is left alone: cause and detail of its last failure. */
static void engine_skip(weir_engine *e, uint32_t index, uint32_t intervals, weir_wall slot,
                        weir_mono now)
{
    const weir_device *device = &e->catalog->devices[index];
    weir_device_status *status = &e->devices[index].health.status;
    uint32_t n = 0;
    for (uint32_t p = 0; p < device->n_points; p++) {
        const uint8_t interval = device->point_interval[p];
        if (interval >= device->n_intervals || !(intervals & 1u << interval))
            continue;
        const weir_tag *tag = &e->catalog->tags[device->first_tag + device->point_tag[p]];
        for (uint32_t k = 0; k < device->points[p].count; k++)
            e->samples[n++] =
                (weir_sample){.tag = tag[k].uid, .quality = status->error, .ts = slot};
    }
    assert(n <= e->n_samples);
    status->skipped += (uint32_t)__builtin_popcount(intervals);
    engine_pass(e, &(weir_batch){.connection = device->connection,
                                 .device = index,
                                 .catalog_revision = e->catalog->revision,
                                 .epoch = e->epoch,
                                 .flags = engine_trusts(e) ? 0 : WEIR_BATCH_CLOCK_UNTRUSTED,
                                 .n_samples = n,
                                 .plans = WEIR_PLAN_DEFAULT,
                                 .due = slot,
                                 .received = weir_anchor_wall(&e->anchor, now),
                                 .anchor_us = e->anchor.us,
                                 .samples = e->samples});
}

static void engine_slot(weir_engine *e, const weir_due *due, weir_mono now)
{
    struct device *d = &e->devices[due->device];
    const uint32_t overrun = due->intervals & d->busy;
    const uint32_t free = due->intervals & ~d->busy;
    engine_count_overruns(e, due->device, due->missed + (uint32_t)__builtin_popcount(overrun));
    if (free == 0)
        return;
    if (!weir_health_may_read(&d->health, now)) {
        engine_skip(e, due->device, free, due->slot, now);
        return;
    }
    const weir_device *device = &e->catalog->devices[due->device];
    engine_read(e, (weir_read){.device = due->device,
                               .intervals = free,
                               .due = due->slot,
                               .next_due_us = device->intervals[__builtin_ctz(free)]});
}

/* Their slots may be far away. */
static void engine_first_reads(weir_engine *e, weir_wall wall)
{
    for (uint32_t i = 0; i < e->catalog->n_devices; i++) {
        const weir_device *device = &e->catalog->devices[i];
        if (!weir_device_is_enabled(e->catalog, device))
            continue;
        weir_read read = {
            .device = i, .flags = WEIR_BATCH_FIRST_READ, .due = wall, .next_due_us = INT64_MAX};
        for (uint32_t k = 0; k < device->n_intervals; k++) {
            if (device->intervals[k] <= FIRST_READ_ABOVE_US)
                continue;
            const int64_t next_us = weir_schedule_slot(&e->schedule, i, k).us - wall.us;
            if (next_us < read.next_due_us)
                read.next_due_us = next_us;
            read.intervals |= 1u << k;
        }
        if (read.intervals)
            engine_read(e, read);
    }
}

static void engine_start(weir_engine *e, weir_mono now, weir_wall wall)
{
    e->started = true;
    weir_anchor_set(&e->anchor, now, wall);
    engine_check_first_clock(e, now, wall);
    weir_schedule_restart(&e->schedule, wall);
    engine_first_reads(e, wall);
}

weir_mono weir_engine_step(weir_engine *e, weir_mono now, weir_wall wall)
{
    if (!e->started)
        engine_start(e, now, wall);
    const int64_t step_us = weir_anchor_check(&e->anchor, now, wall);
    weir_due due;
    while (weir_schedule_take(&e->schedule, weir_anchor_wall(&e->anchor, now), &due))
        engine_slot(e, &due, now);
    engine_check_clock(e, now, wall, step_us);

    const weir_mono check = weir_mono_add(now, CLOCK_CHECK_US);
    weir_wall next;
    if (!weir_schedule_next(&e->schedule, &next))
        return check;
    return weir_mono_min(check,
                         weir_mono_add(weir_anchor_mono(&e->anchor, next), e->schedule.slack_us));
}

/* --- what comes back --- */

/* The read a batch belongs to; NULL: unsolicited. Two reads of a device never share slot and
 * epoch. */
static const struct reading *device_reading(const struct device *d, const weir_batch *batch)
{
    for (uint32_t left = d->busy; left;) {
        const struct reading *r = &d->readings[__builtin_ctz(left)];
        if (r->read.intervals && r->read.due.us == batch->due.us && r->read.epoch == batch->epoch)
            return r;
        left &= left - 1;
    }
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
static void engine_pass_marked(weir_engine *e, const weir_batch *batch, weir_cause cause,
                               int64_t moved_us)
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
        engine_pass(e, &part);
        if (moved_us && !(batch->flags & WEIR_BATCH_SOURCE_TIME))
            engine_show_moved(e, &part, moved_us);
    }
}

/* All times of a batch are of one clock, that of its slot: a reply under way while the clock was
 * set would else seem to have taken years. */
static weir_batch batch_in_epoch(const weir_batch *batch, const struct reading *r)
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
    const struct reading *r = device_reading(&e->devices[batch->device], batch);
    const bool trusted = r ? r->trusted : engine_trusts(e);
    const weir_batch own = batch_in_epoch(batch, r);
    if (!trusted)
        engine_pass_marked(e, &own, WEIR_CAUSE_CLOCK,
                           own.epoch == e->epoch ? 0 : e->anchor.us - own.anchor_us);
    else if (r && now.us > weir_mono_add(r->read.due_mono, r->read.next_due_us).us)
        engine_pass_marked(e, &own, WEIR_CAUSE_LATE, 0);
    else
        engine_pass(e, &own);
}

/* False: not under way. */
static bool device_end_reading(struct device *d, uint64_t id)
{
    for (uint32_t left = d->busy; left; left &= left - 1) {
        struct reading *r = &d->readings[__builtin_ctz(left)];
        if (r->read.intervals && r->read.id == id) {
            d->busy &= ~r->read.intervals;
            r->read.intervals = 0;
            return true;
        }
    }
    return false;
}

void weir_engine_read_done(weir_engine *e, const weir_read *read, weir_read_result result,
                           weir_quality worst, weir_mono now)
{
    assert(read->device < e->catalog->n_devices);
    struct device *d = &e->devices[read->device];
    if (!device_end_reading(d, read->id))
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
    engine_event(e, change == WEIR_HEALTH_UP ? WEIR_EVENT_DEVICE_UP : WEIR_EVENT_DEVICE_DOWN,
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
