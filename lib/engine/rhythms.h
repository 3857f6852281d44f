/* SPDX-License-Identifier: MIT */
/* Rhythms: what plans want of one device, point by point, beside its own intervals. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cron.h"
#include "model/source.h"

/* When: every so often, on the multiples since 1970 UTC, or as a cron expression says. */
typedef struct weir_beat {
    int64_t interval_us; /* 0: cron */
    weir_cron cron;
    const weir_zone *zone; /* borrowed; NULL: UTC */
    const char *zone_name; /* likewise: what tells two zones apart */
} weir_beat;

/* The first slot after t, INT64_MAX: none. */
int64_t weir_beat_after(const weir_beat *beat, int64_t t);

/*
 * A device has at most WEIR_INTERVALS_MAX beats, numbered as the bits of weir_read.intervals: first
 * its own intervals, which make the plan `default`, then those only plans have. Where a plan wants
 * a point at one of the device's intervals, that is the beat.
 */
typedef struct weir_rhythms {
    uint32_t n_intervals; /* of the device */
    uint32_t present;     /* beats of plans alone */
    struct weir_rhythm {
        weir_beat beat;
        int64_t next;            /* slot */
    } beats[WEIR_INTERVALS_MAX]; /* those that are present */
    struct weir_want {
        uint32_t point, beat;
        uint64_t plans;
    } * wants;
    size_t n_wants, capacity;
    uint32_t wanted; /* beats of wants */
    size_t n_cached, next_cached;
    struct weir_cached {
        uint32_t beats;
        struct weir_chosen *chosen;
    } cached[8]; /* more than coincide in practice */
} weir_rhythms;

/* The points of a read that plans take part in. Counted: a read under way has one. */
typedef struct weir_chosen {
    uint32_t refs;
    weir_selection selection;
    uint64_t plans;              /* of all its points */
    const uint64_t *point_plans; /* by point of the device; NULL: `plans` holds for every one */
} weir_chosen;

void weir_chosen_unref(weir_chosen *chosen); /* accepts NULL */

/* As weir_schedule_choose_members. */
weir_err weir_chosen_of_members(const weir_device *device, uint32_t index, const weir_plan *plan,
                                uint32_t *next_id, weir_chosen **ret) WEIR_MUST_CHECK;

/* NULL: memory is short. */
weir_rhythms *weir_rhythms_new(const weir_device *device) WEIR_MUST_CHECK;
void weir_rhythms_free(weir_rhythms *rhythms); /* accepts NULL */

/* These plans want the point at that beat. WEIR_ELIMIT: the device has no beat left; WEIR_ENOMEM.
 */
weir_err weir_rhythms_want(weir_rhythms *rhythms, const weir_device *device, uint32_t point,
                           const weir_beat *beat, uint64_t plans,
                           weir_error *error) WEIR_MUST_CHECK;

/*
 * Gives beats that `old` has as well the same number and the same next slot, and all others the
 * first slot after now. Returns the beats of `old` that are gone. Before anything is chosen; old
 * may be NULL.
 */
uint32_t weir_rhythms_follow(weir_rhythms *rhythms, const weir_rhythms *old, weir_wall now);

/*
 * What these beats of the device ask for, a reference for the caller; *ret is NULL when no plan but
 * `default` has a part in it. WEIR_ENOMEM.
 */
weir_err weir_rhythms_choose(weir_rhythms *rhythms, const weir_device *device, uint32_t beats,
                             uint32_t *next_id, weir_chosen **ret) WEIR_MUST_CHECK;
