/* SPDX-License-Identifier: MIT */
/* The collector: loop and store worker on threads of their own. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/diff.h"
#include "model/source.h"
#include "runtime/platform.h"
#include "runtime/postbox.h"
#include "runtime/snapshot.h"
#include "runtime/worker.h"
#include "store/edit.h"
#include "store/store.h"

typedef struct weir_runtime weir_runtime;

typedef struct weir_runtime_config {
    weir_catalog *catalog; /* tag uids are set at start; the collector takes a reference */
    const weir_source_type *const *sources; /* NULL-terminated */
    bool once;     /* every point once, nothing stored, no lock: weir_runtime_wait */
    uint64_t seed; /* 0: from the system */
    weir_wall built;
    /* One line per change of state; any thread. May be NULL. */
    void (*log)(void *data, weir_log_level level, const char *event, const char *subject,
                const char *text);
    /* Sees every batch; loop thread; must not block. May be NULL. */
    void (*on_batch)(void *data, const weir_batch *batch);
    /* Sees every event of devices and clock; likewise. May be NULL. */
    void (*on_event)(void *data, const weir_event *event);
    /* Sees every change of a plan, before it (the state is still the old one) and after, also those
     * that come by time; loop thread; must not block, nor call the collector. May be NULL. */
    void (*on_plan)(void *data, const weir_plan_notice *notice);
    /* More was committed, up to seq, or something else of the store has changed; store thread; must
     * not block. May be NULL. */
    void (*on_committed)(void *data, uint64_t seq);
    void *data;
} weir_runtime_config;

/*
 * Opens the store in catalog->store.data_dir, registers the tags and starts both threads. All
 * signals are blocked in them.
 *
 * Errors of weir_store_open and weir_loop_new; nothing runs then.
 */
weir_err weir_runtime_start(const weir_runtime_config *config, weir_runtime **ret,
                            weir_error *error) WEIR_MUST_CHECK;

/*
 * Stops reading, commits what was acquired, closes. Accepts NULL. False: the last commit failed.
 * Any thread but the collector's own.
 */
bool weir_runtime_stop(weir_runtime *collector);

/*
 * Stops reading for a while, or goes on: see weir_loop_pause. What is under way ends, what was
 * acquired is committed and delivered. Returns when the loop has obeyed; false: it did not within a
 * second, and will later. Any thread but the loop's. A start is not paused.
 */
bool weir_runtime_pause(weir_runtime *collector, bool paused);

/* once: waits until every read has ended, or timeout_us; false on time-out. */
bool weir_runtime_wait(weir_runtime *collector, int64_t timeout_us);

/*
 * Current values and device states as the loop sees them, at most 100 ms old. Waits for the loop
 * to answer; NULL when it does not within a second, or memory is short. Any thread but the loop's.
 * Release with weir_snapshot_unref.
 */
weir_snapshot *weir_runtime_snapshot(weir_runtime *collector) WEIR_MUST_CHECK;

/* How far the store is. Any thread. Zero when once. */
weir_worker_view weir_runtime_store(weir_runtime *collector);

/* The catalog in force; a reference, released with weir_catalog_free. Any thread. */
weir_catalog *weir_runtime_catalog(weir_runtime *collector) WEIR_MUST_CHECK;

/*
 * Exchanges the catalog: registers its tags, and then lets the loop go on with it (runtime/loop.h).
 * All or nothing; what failed leaves the catalog in force as it is. The collector takes a reference
 * and gives the revision. Waits, in the order of a second with 100 000 tags. Any thread but the
 * collector's own. Sinks are not its business: weir_runtime_register_sinks.
 *
 * who   for the event: "SIGHUP", "weir reload".
 * ret   may be NULL; gets what is different, with both catalogs, to be released by the caller. The
 *       older catalog lives on until then.
 *
 * WEIR_EINVAL, WEIR_EUNSUPPORTED: the catalog cannot be run; WEIR_EINUSE: another change is under
 * way, nothing is stored (once), or the store is at work; WEIR_ENOMEM, WEIR_EIO and others of the
 * store.
 */
typedef struct weir_applied {
    weir_diff *diff;
    weir_catalog *older, *newer; /* references */
} weir_applied;
weir_err weir_runtime_apply(weir_runtime *collector, weir_catalog *catalog, const char *who,
                            weir_applied *ret, weir_error *error) WEIR_MUST_CHECK;
void weir_applied_deinit(weir_applied *applied);

/* Makes the sinks of the catalog in force known to the store: cursors for those that are new, those
 * that are gone are detached. After threads of removed sinks have ended. Waits. Any thread. */
weir_err weir_runtime_register_sinks(weir_runtime *collector, weir_error *error) WEIR_MUST_CHECK;

/*
 * Plans, while the collector runs. All wait for the loop; any thread but the collector's own. Not
 * when once (WEIR_EINVAL). Errors of weir_engine_plan_change and the others there.
 *
 * start begins a plan that no catalog has: its name, patterns, interval, cron with zone_name (zone
 * is opened here) and the rest are copied; the members are found, the bit is the store's. Its
 * lifetime is what it says, 0: endless. WEIR_EINVAL: as weir_plan_check; WEIR_ENOTFOUND: no such
 * zone, or no tag matches.
 */
weir_err weir_runtime_plan_change(weir_runtime *collector, const char *name,
                                  weir_plan_change change, weir_error *error) WEIR_MUST_CHECK;
weir_err weir_runtime_plan_start(weir_runtime *collector, const weir_plan *plan,
                                 weir_error *error) WEIR_MUST_CHECK;
weir_err weir_runtime_plan_collect(weir_runtime *collector, const char *name, uint32_t cycles,
                                   int64_t wait_us, weir_error *error) WEIR_MUST_CHECK;

/* What there is to see of all plans, `default` first; owned by the arena, which the caller gives.
 */
weir_err weir_runtime_plans(weir_runtime *collector, weir_arena *arena, weir_plan_status **ret,
                            size_t *ret_n, weir_error *error) WEIR_MUST_CHECK;

/*
 * Has the store thread make the edit between two commits, and waits for it, 30 s at most. Any
 * thread but the collector's own. Errors of weir_store_edit; WEIR_ETIMEOUT: it was not begun and
 * will not be; WEIR_EINUSE: another edit is under way.
 */
weir_err weir_runtime_edit(weir_runtime *collector, const weir_edit *edit, uint64_t *ret_n,
                           weir_error *error) WEIR_MUST_CHECK;

/* Where sinks post what the store thread shall do for them; NULL when once. Any thread, until
 * weir_runtime_stop. */
weir_postbox *weir_runtime_postbox(weir_runtime *collector);

/* Where readers of this process find the store, also one in memory; NULL when once. */
const char *weir_runtime_store_dir(const weir_runtime *collector);

/* Which store this is; NULL when once. Any thread. */
const struct weir_identity *weir_runtime_identity(const weir_runtime *collector);
