/* SPDX-License-Identifier: MIT */
/* The loop: engine and sources of one collector, as a step function over a platform. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "model/diff.h"
#include "model/source.h"
#include "runtime/inbox.h"
#include "runtime/platform.h"
#include "runtime/snapshot.h"

typedef struct weir_loop weir_loop;

typedef struct weir_loop_config {
    const weir_catalog *catalog; /* borrowed until another is applied; what follows, for ever */
    const weir_platform *platform;
    const weir_source_type *const *sources; /* NULL-terminated */
    weir_inbox *inbox;                      /* NULL: nothing is stored */
    uint32_t first_epoch;                   /* of the store */
    bool epoch_untrusted, epoch_corrected;  /* likewise */
    weir_wall newest_committed;
    bool once; /* no schedule: every point is read once, at the first step */
    /* Sees every batch after the engine, before the filter. Loop thread. May be NULL. */
    void (*on_batch)(void *data, const weir_batch *batch);
    /* Sees every event of the engine. Loop thread. May be NULL. */
    void (*on_event)(void *data, const weir_event *event);
    /* Sees every change of a plan, before and after. Loop thread. May be NULL. */
    void (*on_plan)(void *data, const weir_plan_notice *notice);
    void *data;
} weir_loop_config;

/* WEIR_EUNSUPPORTED: no source serves a connection's scheme. */
weir_err weir_loop_new(const weir_loop_config *config, weir_loop **ret,
                       weir_error *error) WEIR_MUST_CHECK;

/*
 * Another catalog, whose tags have their uids; diff: from the one in force. prepare gets all
 * memory, opens nothing and may fail: WEIR_EUNSUPPORTED, WEIR_EINVAL (a point that no request can
 * hold), WEIR_ENOMEM. apply cannot fail: connections that are the same stay open, devices that are
 * the same miss nothing; diff and the older catalog are not used after it. Not when once.
 */
typedef struct weir_loop_change weir_loop_change;
weir_err weir_loop_prepare(weir_loop *loop, const weir_diff *diff, weir_loop_change **ret,
                           weir_error *error) WEIR_MUST_CHECK;
void weir_loop_apply(weir_loop *loop, weir_loop_change *change);
void weir_loop_discard(weir_loop_change *change); /* accepts NULL */

/* An event of the loop's, stored at once and logged. */
void weir_loop_tell(weir_loop *loop, weir_event_kind kind, const char *subject, const char *text);

/* Closes all connections. Accepts NULL. */
void weir_loop_free(weir_loop *loop);

/* Runs all that is due; returns when to call again. Also to be called after transport events when
 * weir_loop_next is earlier than the wake-up already set. */
weir_mono weir_loop_step(weir_loop *loop);
weir_mono weir_loop_next(const weir_loop *loop);

/* After platform.poke: sees to the sources that asked for it; call step next. */
void weir_loop_poked(weir_loop *loop);

/* Paused: no slot is taken, and none counts as missed afterwards. Not when once. */
void weir_loop_pause(weir_loop *loop, bool paused);

/* Plans: see engine/engine.h. Not when once. Call weir_loop_step next. */
weir_err weir_loop_plan_change(weir_loop *loop, const char *name, weir_plan_change change,
                               weir_error *error) WEIR_MUST_CHECK;
weir_err weir_loop_plan_start(weir_loop *loop, const weir_plan *plan,
                              weir_error *error) WEIR_MUST_CHECK;
weir_err weir_loop_plan_collect(weir_loop *loop, const char *name, uint32_t cycles, int64_t wait_us,
                                weir_error *error) WEIR_MUST_CHECK;
/* Copies of all, in an arena. WEIR_ENOMEM. */
weir_err weir_loop_plans(const weir_loop *loop, weir_arena *arena, weir_plan_status **ret,
                         size_t *ret_n) WEIR_MUST_CHECK;

/* once: every read has ended. */
bool weir_loop_done(const weir_loop *loop);

/* State and counters of one device (catalog index). Not when once. */
void weir_loop_device(const weir_loop *loop, uint32_t device, weir_device_status *ret_status,
                      weir_device_counters *ret_counters);

weir_device_state weir_loop_state(const weir_loop *loop, uint32_t device);

/* A reference for the caller; the same object while it is younger than 100 ms. NULL: no memory. */
weir_snapshot *weir_loop_snapshot(weir_loop *loop);
