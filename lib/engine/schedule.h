/* SPDX-License-Identifier: MIT */
/* The schedule: which intervals of which device are due at which slot. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/catalog.h"

/* One slot that has come: intervals of one device that fall on the same wall time. */
typedef struct weir_due {
    uint32_t device;
    uint32_t intervals; /* one bit each */
    uint32_t missed;    /* earlier slots of these intervals that nobody took in time */
    weir_wall slot;
    int64_t next_us; /* from the slot to the next one of the shortest of these intervals */
} weir_due;

/*
 * Slots are the multiples of an interval since 1970 UTC. Holds the devices that are enabled and
 * have intervals, in a heap by their earliest slot. Borrows the catalog.
 */
typedef struct weir_schedule {
    const weir_catalog *catalog;
    struct weir_schedule_device {
        int64_t *next; /* by interval: the next slot */
    } * devices;       /* all of the catalog */
    int64_t *next;     /* memory of devices[].next */
    struct weir_schedule_entry {
        int64_t slot; /* the earliest of the device */
        uint32_t device;
    } * heap;
    size_t n_heap;
    int64_t slack_us; /* what a wake-up may wait to gather slots: the wish, but at most a tenth of
                         the shortest interval of all */
} weir_schedule;

/* Both conditions for being read: device and connection enabled. */
bool weir_device_is_enabled(const weir_catalog *catalog, const weir_device *device);

/* WEIR_EINVAL: an interval below 1 us, or too many; WEIR_ENOMEM. */
weir_err weir_schedule_init(weir_schedule *schedule, const weir_catalog *catalog, int64_t slack_us,
                            weir_error *error) WEIR_MUST_CHECK;
void weir_schedule_deinit(weir_schedule *schedule);

/* Starts afresh: every next slot is the first one after now. Nothing counts as missed. */
void weir_schedule_restart(weir_schedule *schedule, weir_wall now);

/*
 * Takes what has come by now, one slot of one device at a time, until false. Of several slots of
 * one interval the latest is taken and the others are `missed`. Slots of one device come in order.
 */
bool weir_schedule_take(weir_schedule *schedule, weir_wall now, weir_due *ret);

/* The earliest slot of all; false: no device is read. */
bool weir_schedule_next(const weir_schedule *schedule, weir_wall *ret);

/* The next slot of one interval of an enabled device. */
weir_wall weir_schedule_slot(const weir_schedule *schedule, uint32_t device, uint32_t interval);
