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

/* Intervals ascend: the first is the shortest. */
static void schedule_add(weir_schedule *s, uint32_t index)
{
    const weir_device *device = &s->catalog->devices[index];
    if (device->n_intervals == 0 || !weir_device_is_enabled(s->catalog, device))
        return;
    s->heap[s->n_heap++].device = index;
    if (s->slack_us > device->intervals[0] / 10)
        s->slack_us = device->intervals[0] / 10;
}

weir_err weir_schedule_init(weir_schedule *s, const weir_catalog *catalog, int64_t slack_us,
                            weir_error *error)
{
    *s = (weir_schedule){.catalog = catalog, .slack_us = slack_us};
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
        schedule_add(s, (uint32_t)i);
    }
    return WEIR_OK;
}

void weir_schedule_deinit(weir_schedule *s)
{
    weir_free(s->devices);
    weir_free(s->heap);
    weir_free(s->next);
    *s = (weir_schedule){0};
}

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

static int64_t device_earliest(const weir_schedule *s, uint32_t device)
{
    const int64_t *next = s->devices[device].next;
    int64_t earliest = next[0];
    for (uint32_t i = 1; i < s->catalog->devices[device].n_intervals; i++)
        if (next[i] < earliest)
            earliest = next[i];
    return earliest;
}

void weir_schedule_restart(weir_schedule *s, weir_wall now)
{
    for (size_t k = 0; k < s->n_heap; k++) {
        const uint32_t index = s->heap[k].device;
        const weir_device *device = &s->catalog->devices[index];
        for (uint32_t i = 0; i < device->n_intervals; i++)
            s->devices[index].next[i] =
                weir_floor_multiple(now.us, device->intervals[i]) + device->intervals[i];
        s->heap[k].slot = device_earliest(s, index);
    }
    for (size_t k = s->n_heap / 2; k-- > 0;)
        heap_sift_down(s, k);
}

/* The oldest among the latest slots of the intervals that are due: slots of a device go out in
 * order. */
static int64_t device_slot(const weir_device *device, const int64_t *next, int64_t now)
{
    int64_t slot = INT64_MAX;
    for (uint32_t i = 0; i < device->n_intervals; i++) {
        const int64_t latest = weir_floor_multiple(now, device->intervals[i]);
        if (next[i] <= now && latest < slot)
            slot = latest;
    }
    return slot;
}

bool weir_schedule_take(weir_schedule *s, weir_wall now, weir_due *ret)
{
    if (s->n_heap == 0 || s->heap[0].slot > now.us)
        return false;
    const uint32_t index = s->heap[0].device;
    const weir_device *device = &s->catalog->devices[index];
    int64_t *next = s->devices[index].next;
    weir_due due = {.device = index, .slot = {device_slot(device, next, now.us)}};
    for (uint32_t i = device->n_intervals; i-- > 0;) {
        const int64_t interval = device->intervals[i];
        if (next[i] > now.us || weir_floor_multiple(now.us, interval) != due.slot.us)
            continue;
        due.intervals |= 1u << i;
        due.missed += (uint32_t)((due.slot.us - next[i]) / interval);
        due.next_us = interval; /* downwards: the shortest stays */
        next[i] = due.slot.us + interval;
    }
    assert(due.intervals);
    s->heap[0].slot = device_earliest(s, index);
    heap_sift_down(s, 0);
    *ret = due;
    return true;
}

bool weir_schedule_next(const weir_schedule *s, weir_wall *ret)
{
    if (s->n_heap == 0)
        return false;
    ret->us = s->heap[0].slot;
    return true;
}

weir_wall weir_schedule_slot(const weir_schedule *s, uint32_t device, uint32_t interval)
{
    return (weir_wall){s->devices[device].next[interval]};
}
