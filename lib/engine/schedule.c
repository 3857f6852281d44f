/* SPDX-License-Identifier: MIT */
/* The schedule: see schedule.h. */

#include "engine/schedule.h"

#include <assert.h>
#include <inttypes.h>

#include "base/alloc.h"

bool weir_device_is_enabled(const weir_catalog *catalog, const weir_device *device)
{
    return device->enabled && catalog->connections[device->connection].enabled;
}

static weir_err device_check(const weir_device *device, weir_error *error)
{
    if (device->n_intervals > WEIR_INTERVALS_MAX)
        return weir_fail(error, WEIR_EINVAL, "device '%s': %" PRIu32 " intervals, at most %d",
                         device->name, device->n_intervals, WEIR_INTERVALS_MAX);
    for (uint32_t i = 0; i < device->n_intervals; i++)
        if (device->intervals[i] < 1)
            return weir_fail(error, WEIR_EINVAL, "device '%s': an interval of %" PRId64 " us",
                             device->name, device->intervals[i]);
    return WEIR_OK;
}

weir_err weir_schedule_init(weir_schedule *s, const weir_catalog *catalog, int64_t slack_us,
                            weir_error *error)
{
    *s = (weir_schedule){.catalog = catalog, .slack_wish_us = slack_us};
    size_t n_intervals = 0;
    for (size_t i = 0; i < catalog->n_devices; i++) {
        const weir_err err = device_check(&catalog->devices[i], error);
        if (err)
            return err;
        n_intervals += catalog->devices[i].n_intervals;
    }
    s->devices = weir_alloc_zero(catalog->n_devices + 1, sizeof *s->devices);
    s->heap = weir_alloc_zero(catalog->n_devices + 1, sizeof *s->heap);
    s->next = weir_alloc_zero(n_intervals + 1, sizeof *s->next);
    if (!s->devices || !s->heap || !s->next) {
        weir_schedule_deinit(s);
        return weir_fail(error, WEIR_ENOMEM, "the schedule of %zu devices", catalog->n_devices);
    }
    int64_t *next = s->next;
    for (size_t i = 0; i < catalog->n_devices; i++) {
        s->devices[i].next = next;
        next += catalog->devices[i].n_intervals;
    }
    weir_schedule_settle(s);
    return WEIR_OK;
}

void weir_schedule_deinit(weir_schedule *s)
{
    for (size_t i = 0; s->devices && i < s->catalog->n_devices; i++)
        weir_rhythms_free(s->devices[i].rhythms);
    weir_free(s->devices);
    weir_free(s->heap);
    weir_free(s->next);
    *s = (weir_schedule){0};
}

/* ---- beats ---- */

uint32_t weir_schedule_beats(const weir_schedule *s, uint32_t device)
{
    const weir_rhythms *rhythms = s->devices[device].rhythms;
    return ((1u << s->catalog->devices[device].n_intervals) - 1) | (rhythms ? rhythms->present : 0);
}

uint32_t weir_schedule_beats_of(const weir_schedule *s, uint32_t device, uint64_t plans)
{
    const weir_rhythms *rhythms = s->devices[device].rhythms;
    uint32_t beats = 0;
    for (size_t i = 0; rhythms && i < rhythms->n_wants; i++)
        if (rhythms->wants[i].plans & plans)
            beats |= 1u << rhythms->wants[i].beat;
    return beats;
}

static int64_t *beat_next(const weir_schedule *s, uint32_t device, uint32_t beat)
{
    const bool own = beat < s->catalog->devices[device].n_intervals;
    return own ? &s->devices[device].next[beat] : &s->devices[device].rhythms->beats[beat].next;
}

int64_t weir_schedule_interval(const weir_schedule *s, uint32_t device, uint32_t beat)
{
    const weir_device *d = &s->catalog->devices[device];
    return beat < d->n_intervals ? d->intervals[beat]
                                 : s->devices[device].rhythms->beats[beat].beat.interval_us;
}

/* The first slot of the beat after t. */
static int64_t beat_after(const weir_schedule *s, uint32_t device, uint32_t beat, int64_t t)
{
    const weir_device *d = &s->catalog->devices[device];
    if (beat < d->n_intervals)
        return weir_floor_multiple(t, d->intervals[beat]) + d->intervals[beat];
    return weir_beat_after(&s->devices[device].rhythms->beats[beat].beat, t);
}

weir_wall weir_schedule_slot(const weir_schedule *s, uint32_t device, uint32_t beat)
{
    return (weir_wall){*beat_next(s, device, beat)};
}

weir_wall weir_schedule_earliest(const weir_schedule *s, uint32_t device, uint32_t beats)
{
    int64_t earliest = INT64_MAX;
    for (; beats; beats &= beats - 1) {
        const int64_t next = *beat_next(s, device, (uint32_t)__builtin_ctz(beats));
        if (next < earliest)
            earliest = next;
    }
    return (weir_wall){earliest};
}

/* ---- the heap ---- */

/* Equal slots in the order of the catalog: devices are read as they are written. */
static bool entry_before(const struct weir_schedule_entry *a, const struct weir_schedule_entry *b)
{
    return a->slot < b->slot || (a->slot == b->slot && a->device < b->device);
}

static void heap_sift_down(weir_schedule *s, size_t at)
{
    const struct weir_schedule_entry moved = s->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= s->n_heap)
            break;
        if (child + 1 < s->n_heap && entry_before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!entry_before(&s->heap[child], &moved))
            break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = moved;
}

static int64_t device_shortest(const weir_schedule *s, uint32_t device)
{
    int64_t shortest = INT64_MAX;
    for (uint32_t left = weir_schedule_beats(s, device); left; left &= left - 1) {
        const int64_t us = weir_schedule_interval(s, device, (uint32_t)__builtin_ctz(left));
        if (us && us < shortest)
            shortest = us;
    }
    return shortest;
}

void weir_schedule_settle(weir_schedule *s)
{
    s->n_heap = 0;
    s->slack_us = s->slack_wish_us;
    for (uint32_t i = 0; i < s->catalog->n_devices; i++) {
        const uint32_t beats = weir_schedule_beats(s, i);
        if (!beats || !weir_device_is_enabled(s->catalog, &s->catalog->devices[i]))
            continue;
        s->heap[s->n_heap++] =
            (struct weir_schedule_entry){weir_schedule_earliest(s, i, beats).us, i};
        const int64_t shortest = device_shortest(s, i);
        if (s->slack_us > shortest / 10)
            s->slack_us = shortest / 10;
    }
    for (size_t k = s->n_heap / 2; k-- > 0;)
        heap_sift_down(s, k);
}

void weir_schedule_restart(weir_schedule *s, weir_wall now)
{
    for (uint32_t i = 0; i < s->catalog->n_devices; i++)
        for (uint32_t left = weir_schedule_beats(s, i); left; left &= left - 1) {
            const uint32_t beat = (uint32_t)__builtin_ctz(left);
            *beat_next(s, i, beat) = beat_after(s, i, beat, now.us);
        }
    weir_schedule_settle(s);
}

uint32_t weir_schedule_exchange(weir_schedule *s, uint32_t device, weir_rhythms *rhythms,
                                weir_wall now)
{
    weir_rhythms *old = s->devices[device].rhythms;
    const uint32_t gone = rhythms ? weir_rhythms_follow(rhythms, old, now) : old ? old->present : 0;
    s->devices[device].rhythms = rhythms;
    weir_rhythms_free(old);
    return gone;
}

uint32_t weir_schedule_follow(weir_schedule *s, uint32_t device, const weir_schedule *old,
                              uint32_t old_device, weir_wall now)
{
    const weir_device *d = &s->catalog->devices[device];
    const weir_rhythms *before = old->devices[old_device].rhythms;
    weir_rhythms *rhythms = s->devices[device].rhythms;
    for (uint32_t i = 0; i < d->n_intervals; i++) {
        assert(d->intervals[i] == weir_schedule_interval(old, old_device, i));
        s->devices[device].next[i] = old->devices[old_device].next[i];
    }
    if (s->last_selection < old->last_selection)
        s->last_selection = old->last_selection; /* those of reads under way stay their own */
    return rhythms ? weir_rhythms_follow(rhythms, before, now) : before ? before->present : 0;
}

void weir_schedule_start(weir_schedule *s, uint32_t device, const weir_schedule *old,
                         uint32_t old_device, weir_wall now)
{
    const weir_device *d = &s->catalog->devices[device];
    const weir_device *before = old ? &old->catalog->devices[old_device] : NULL;
    for (uint32_t left = weir_schedule_beats(s, device); left; left &= left - 1) {
        const uint32_t beat = (uint32_t)__builtin_ctz(left);
        *beat_next(s, device, beat) = beat_after(s, device, beat, now.us);
    }
    for (uint32_t i = 0; before && i < d->n_intervals; i++)
        for (uint32_t k = 0; k < before->n_intervals; k++)
            if (d->intervals[i] == before->intervals[k])
                s->devices[device].next[i] = old->devices[old_device].next[k];
    if (old && s->last_selection < old->last_selection)
        s->last_selection = old->last_selection;
}

/* ---- what is due ---- */

/* The latest slot of a beat that has come, and how many were before it. */
static int64_t beat_latest(const weir_schedule *s, uint32_t device, uint32_t beat, int64_t now,
                           uint32_t *ret_missed)
{
    const int64_t interval = weir_schedule_interval(s, device, beat);
    int64_t slot = *beat_next(s, device, beat);
    *ret_missed = 0;
    if (interval) {
        const int64_t latest = weir_floor_multiple(now, interval);
        *ret_missed = (uint32_t)((latest - slot) / interval);
        return latest;
    }
    for (;;) {
        const int64_t next = beat_after(s, device, beat, slot);
        if (next > now)
            return slot;
        slot = next;
        ++*ret_missed;
    }
}

/* The oldest among the latest slots of the beats that are due: slots of a device go out in order.
 */
static int64_t device_slot(const weir_schedule *s, uint32_t device, int64_t now)
{
    int64_t slot = INT64_MAX;
    for (uint32_t left = weir_schedule_beats(s, device); left; left &= left - 1) {
        const uint32_t beat = (uint32_t)__builtin_ctz(left);
        uint32_t missed;
        if (*beat_next(s, device, beat) > now)
            continue;
        const int64_t latest = beat_latest(s, device, beat, now, &missed);
        if (latest < slot)
            slot = latest;
    }
    return slot;
}

bool weir_schedule_take(weir_schedule *s, weir_wall now, weir_due *ret)
{
    if (s->n_heap == 0 || s->heap[0].slot > now.us)
        return false;
    const uint32_t device = s->heap[0].device;
    weir_due due = {
        .device = device, .slot = {device_slot(s, device, now.us)}, .next_us = INT64_MAX};
    const uint32_t beats = weir_schedule_beats(s, device);
    for (uint32_t left = beats; left; left &= left - 1) {
        const uint32_t beat = (uint32_t)__builtin_ctz(left);
        int64_t *next = beat_next(s, device, beat);
        uint32_t missed;
        if (*next > now.us || beat_latest(s, device, beat, now.us, &missed) != due.slot.us)
            continue;
        due.intervals |= 1u << beat;
        due.missed += missed;
        *next = beat_after(s, device, beat, due.slot.us);
        if (*next - due.slot.us < due.next_us)
            due.next_us = *next - due.slot.us;
    }
    assert(due.intervals);
    s->heap[0].slot = weir_schedule_earliest(s, device, beats).us;
    heap_sift_down(s, 0);
    *ret = due;
    return true;
}

weir_err weir_schedule_choose(weir_schedule *s, uint32_t device, uint32_t beats, weir_chosen **ret)
{
    weir_rhythms *rhythms = s->devices[device].rhythms;
    *ret = NULL;
    if (!rhythms)
        return WEIR_OK;
    return weir_rhythms_choose(rhythms, &s->catalog->devices[device], beats, &s->last_selection,
                               ret);
}

weir_err weir_schedule_choose_members(weir_schedule *s, uint32_t device, const weir_plan *plan,
                                      weir_chosen **ret)
{
    return weir_chosen_of_members(&s->catalog->devices[device], device, plan, &s->last_selection,
                                  ret);
}

bool weir_schedule_next(const weir_schedule *s, weir_wall *ret)
{
    if (s->n_heap == 0 || s->heap[0].slot == INT64_MAX)
        return false;
    ret->us = s->heap[0].slot;
    return true;
}
