/* SPDX-License-Identifier: MIT */
/* The schedule: what of which device is due at which slot. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/rhythms.h"
#include "model/catalog.h"

/* One slot that has come: beats of one device that fall on the same wall time. */
typedef struct weir_due {
    uint32_t device;
    uint32_t intervals; /* beats (rhythms.h), one bit each */
    uint32_t missed;    /* earlier slots of these beats that nobody took in time */
    weir_wall slot;
    int64_t next_us; /* from the slot to the next one of any of these beats */
} weir_due;

/*
 * Slots are the multiples of an interval since 1970 UTC, and what cron expressions say. Holds the
 * devices that are enabled and have intervals or are wanted by plans, in a heap by their earliest
 * slot. Borrows the catalog.
 */
typedef struct weir_schedule {
    const weir_catalog *catalog;
    struct weir_schedule_device {
        int64_t *next;         /* by interval: the next slot */
        weir_rhythms *rhythms; /* NULL: no plan wants anything of it */
    } * devices;               /* all of the catalog */
    int64_t *next;             /* memory of devices[].next */
    struct weir_schedule_entry {
        int64_t slot; /* the earliest of the device */
        uint32_t device;
    } * heap;
    size_t n_heap;
    int64_t slack_wish_us;
    int64_t slack_us; /* what a wake-up may wait to gather slots: the wish, but at most a tenth of
                         the shortest interval of all */
    uint32_t last_selection; /* id */
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
 * From now on plans want this of the device (NULL: nothing); takes ownership. Beats that stay keep
 * number and next slot, new ones begin with the first slot after now. Returns the beats that are
 * gone: their numbers may mean others from here on. weir_schedule_settle follows, once for all
 * devices.
 */
uint32_t weir_schedule_exchange(weir_schedule *schedule, uint32_t device, weir_rhythms *rhythms,
                                weir_wall now);

/*
 * The device is the same as old_device of another schedule, with the same intervals: its beats that
 * are there as well keep number and next slot. Returns the beats that are gone. Before anything is
 * taken; weir_schedule_settle follows.
 */
uint32_t weir_schedule_follow(weir_schedule *schedule, uint32_t device, const weir_schedule *old,
                              uint32_t old_device, weir_wall now);
void weir_schedule_settle(weir_schedule *schedule);

/*
 * The device is read otherwise than old_device of another schedule: intervals that both have keep
 * their next slot, all other beats begin with the first slot after now. old NULL: it is new.
 * weir_schedule_settle follows.
 */
void weir_schedule_start(weir_schedule *schedule, uint32_t device, const weir_schedule *old,
                         uint32_t old_device, weir_wall now);

/*
 * Takes what has come by now, one slot of one device at a time, until false. Of several slots of
 * one beat the latest is taken and the others are `missed`. Slots of one device come in order.
 */
bool weir_schedule_take(weir_schedule *schedule, weir_wall now, weir_due *ret);

/* As weir_rhythms_choose. */
weir_err weir_schedule_choose(weir_schedule *schedule, uint32_t device, uint32_t beats,
                              weir_chosen **ret) WEIR_MUST_CHECK;

/* All members of a plan on the device, NULL: all points with an interval of its own, whatever is
 * due. *ret NULL: there are none. WEIR_ENOMEM. */
weir_err weir_schedule_choose_members(weir_schedule *schedule, uint32_t device,
                                      const weir_plan *plan, weir_chosen **ret) WEIR_MUST_CHECK;

/* The earliest slot of all; false: no device is read. */
bool weir_schedule_next(const weir_schedule *schedule, weir_wall *ret);

/* All beats of a device; the interval of one, 0: cron; its next slot; the earliest of several. */
uint32_t weir_schedule_beats(const weir_schedule *schedule, uint32_t device);
/* Those at which one of these plans wants something; not `default`. */
uint32_t weir_schedule_beats_of(const weir_schedule *schedule, uint32_t device, uint64_t plans);
int64_t weir_schedule_interval(const weir_schedule *schedule, uint32_t device, uint32_t beat);
weir_wall weir_schedule_slot(const weir_schedule *schedule, uint32_t device, uint32_t beat);
weir_wall weir_schedule_earliest(const weir_schedule *schedule, uint32_t device, uint32_t beats);
