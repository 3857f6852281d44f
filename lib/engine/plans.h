/* SPDX-License-Identifier: MIT */
/* Plans as they run: their states, and what those that run want of a device. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/rhythms.h"
#include "model/catalog.h"

#define WEIR_PLAN_STATE_LIST(X)     \
    X(WEIR_PLAN_READY, "ready")     \
    X(WEIR_PLAN_RUNNING, "running") \
    X(WEIR_PLAN_PAUSED, "paused")   \
    X(WEIR_PLAN_STOPPED, "stopped") \
    X(WEIR_PLAN_EXPIRED, "expired")

typedef enum weir_plan_state {
#define X(name, text) name,
    WEIR_PLAN_STATE_LIST(X)
#undef X
} weir_plan_state;

const char *weir_plan_state_text(weir_plan_state state);

typedef enum weir_plan_change {
    WEIR_PLAN_EXPIRE, /* by lifetime or end; before START, where both come at one time */
    WEIR_PLAN_START,
    WEIR_PLAN_PAUSE,
    WEIR_PLAN_RESUME,
    WEIR_PLAN_STOP,
} weir_plan_change;

/* "started", "expired". */
const char *weir_plan_change_text(weir_plan_change change);

typedef struct weir_plan_run {
    const weir_plan *plan;
    weir_arena *arena; /* owned: of a plan that is not in the catalog; else NULL */
    weir_plan_state state;
    weir_wall started, ended; /* 0: not yet */
    weir_mono began, expires; /* the same as started; by its lifetime, WEIR_MONO_NEVER */
    bool by_hand;             /* stopped or started by somebody: start does not start it */
    /* Read at once, so many cycles: see weir_engine_plan_collect. */
    uint32_t cycles; /* still to begin */
    bool collecting; /* one is under way */
    int64_t wait_us;
    weir_mono next_cycle;
} weir_plan_run;

/*
 * All plans but `default`. A plan goes from ready to running by itself when `start` has come, if it
 * is enabled; from running or paused to expired when its lifetime is over, which counts pauses, or
 * `end` has come. By hand: start (not of one that runs or is paused), pause, resume, stop.
 */
typedef struct weir_plans {
    size_t n, capacity;
    weir_plan_run *runs;
} weir_plans;

/* WEIR_ENOMEM. */
weir_err weir_plans_init(weir_plans *plans, const weir_catalog *catalog,
                         weir_error *error) WEIR_MUST_CHECK;
void weir_plans_deinit(weir_plans *plans);

/*
 * The plans of another catalog go on where those of `old` with their names are; one that is expired
 * and has another end or lifetime now is ready again. Old's own, which no
 * catalog has, are copied with the tags they match now. fresh was made by weir_plans_init of the
 * newer catalog. WEIR_ENOMEM; WEIR_EINVAL: a plan of the catalog has the name of one started by
 * hand.
 */
weir_err weir_plans_follow(weir_plans *fresh, const weir_plans *old, const weir_catalog *catalog,
                           weir_error *error) WEIR_MUST_CHECK;

/* Adds one that is ready, started by hand only; takes the arena, which holds it. WEIR_ENOMEM (the
 * arena is not taken), WEIR_EINUSE: there is one with its name. */
weir_err weir_plans_add(weir_plans *plans, const weir_plan *plan, weir_arena *arena,
                        weir_error *error) WEIR_MUST_CHECK;
/* Takes the last one out again. */
void weir_plans_drop_last(weir_plans *plans);

/* NULL: there is none. Valid until the next one is added. */
weir_plan_run *weir_plans_find(const weir_plans *plans, const char *name);

/* A copy of a plan in an arena, with the members it has in this catalog. WEIR_ENOMEM. */
weir_err weir_plan_copy(const weir_plan *plan, const weir_catalog *catalog, weir_arena *arena,
                        const weir_plan **ret) WEIR_MUST_CHECK;

/*
 * Changes the state at time `at`, which is `mono` on the other clock. Whoever calls sees to it that
 * reads follow. WEIR_EINVAL: not from the state it is in; the text says which that is, and what can
 * be done. Resuming what runs and stopping what is stopped is nothing, and no mistake.
 */
weir_err weir_plan_run_change(weir_plan_run *run, weir_plan_change change, weir_mono mono,
                              weir_wall at, weir_error *error) WEIR_MUST_CHECK;

/*
 * The earliest change that comes by itself: at `*ret_at`, wall time; anchor_us: wall minus mono.
 * NULL: none is to come.
 */
weir_plan_run *weir_plans_next(const weir_plans *plans, int64_t anchor_us,
                               weir_plan_change *ret_change, weir_wall *ret_at);

/*
 * What the running plans want of a device; *ret NULL: nothing. WEIR_ENOMEM; WEIR_ELIMIT: more beats
 * than a device can have; WEIR_EINVAL: an interval below a minimum, where that is an error.
 */
weir_err weir_plans_resolve(const weir_plans *plans, const weir_catalog *catalog, uint32_t device,
                            weir_rhythms **ret, weir_error *error) WEIR_MUST_CHECK;
