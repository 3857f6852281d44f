/* SPDX-License-Identifier: MIT */
/* Plans of a collector: sets of tags that are collected together, begun and ended while it runs. */

#pragma once
#include "weir/collector.h"

WEIR_C_BEGIN

/*
 * The plan `default` is what intervals of devices and points make, and always runs. All others are
 * ready, running, paused, stopped or expired. One read is one sample, whatever plans wanted it: the
 * batch says which plans were due, a bit each (weir_plan_info.bit). The times of several plans that
 * want one tag add up; plans with merge_gcd share the greatest common divisor of their intervals.
 *
 * Plans of the configuration (its key `plans`) start by themselves, unless `enabled: false`. Their
 * changes, by whatever cause, are told to listeners as stages with the plan's name, on the loop.
 *
 * All functions want a collector that runs (else WEIR_EINVAL) and wait for its loop.
 */

/* What becomes of an interval below minimum_interval_us. */
typedef enum weir_interval_policy {
    WEIR_INTERVAL_IGNORE, /* it is taken all the same */
    WEIR_INTERVAL_LIMIT,  /* it becomes the minimum */
    WEIR_INTERVAL_ERROR,  /* the plan does not start */
} weir_interval_policy;

/* struct_size is sizeof of it; 0 and NULL elsewhere are the defaults. Copied. */
typedef struct weir_plan_options {
    size_t struct_size;
    const char *name; /* unique; required */
    uint32_t id;      /* the number that somebody else gave it */
    size_t n_tags;    /* patterns; one with ! in front leaves out what it matches */
    const char *const *tags;
    int64_t interval_us;         /* of all its tags; else cron, or each point's own */
    int64_t default_interval_us; /* of points without an interval of their own */
    int64_t minimum_interval_us;
    weir_interval_policy policy;
    bool merge_gcd;
    const char *cron;     /* six fields, seconds first: "0 30 6-18 * * mon-fri" */
    const char *zone;     /* of cron; NULL: the machine's */
    int64_t lifetime_us;  /* from its start; 0: 24 h; below 0: endless */
    weir_wall start, end; /* it runs from the one until before the other; 0: no limit */
} weir_plan_options;

/*
 * Begins a plan that the configuration does not have.
 *
 * WEIR_EINVAL     what it says does not fit together, or the collector does not run.
 * WEIR_ENOTFOUND  no tag matches, or there is no such zone.
 * WEIR_EINUSE     a plan with its name is not over.
 * WEIR_ELIMIT     63 plans, beside `default`, were known to this store already.
 * WEIR_ETIMEOUT, WEIR_ENOMEM
 */
WEIR_API weir_err weir_plan_begin(weir_collector *collector, const weir_plan_options *options,
                                  weir_error *error) WEIR_MUST_CHECK;

/*
 * By name; also those of the configuration. start: one that is ready, stopped or expired.
 *
 * WEIR_ENOTFOUND  there is none of that name.
 * WEIR_EINVAL     not from the state it is in: error says which that is; or it is `default`.
 */
WEIR_API weir_err weir_plan_start(weir_collector *collector, const char *name, weir_error *error);
WEIR_API weir_err weir_plan_pause(weir_collector *collector, const char *name, weir_error *error);
WEIR_API weir_err weir_plan_resume(weir_collector *collector, const char *name, weir_error *error);
WEIR_API weir_err weir_plan_stop(weir_collector *collector, const char *name, weir_error *error);

/* Reads all its tags now, so many cycles, each so long after the end of the one before; `default`
 * too. WEIR_EINUSE: it is being collected so. */
WEIR_API weir_err weir_plan_collect(weir_collector *collector, const char *name, uint32_t cycles,
                                    int64_t wait_us, weir_error *error);

/* How a plan is; times are 0 where there is none. */
typedef struct weir_plan_info {
    size_t struct_size; /* set by the caller */
    char name[65];
    uint8_t bit; /* in sets of plans: plans >> bit & 1 */
    uint32_t id;
    const char *state; /* ready, running, paused, stopped, expired */
    weir_wall started, ended;
    weir_wall expires;  /* by lifetime or end */
    weir_wall next_due; /* of one that is ready: when it starts */
    size_t n_tags;
    uint32_t cycles; /* of weir_plan_collect that are not over */
} weir_plan_info;

/* By name, or by place: 0 is `default`. WEIR_ENOTFOUND: there is none. */
WEIR_API weir_err weir_plan_find(weir_collector *collector, const char *name, weir_plan_info *ret,
                                 weir_error *error) WEIR_MUST_CHECK;
WEIR_API weir_err weir_plan_at(weir_collector *collector, size_t i, weir_plan_info *ret,
                               weir_error *error) WEIR_MUST_CHECK;

WEIR_C_END
