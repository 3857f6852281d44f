/* SPDX-License-Identifier: MIT */
/* What the parts of the collector share: its threads' data, and the jobs they do for others. */

#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <uv.h>

#include "runtime/collector.h"
#include "runtime/loop.h"
#include "runtime/uv_transport.h"

/* What the store thread is to do for somebody who waits; belongs to that thread. */
struct store_job {
    void (*run)(struct weir_runtime *c, struct store_job *job);
    const weir_edit *edit;
    struct exchange *exchange;
    const char *plan_name; /* to get its bit: n */
    bool begun, done;
    uint64_t n;
    weir_err err;
    weir_error error;
};

/* How far an exchange of the catalog is. */
enum step {
    STEP_REGISTER, /* the store thread gives the uids */
    STEP_PREPARE,  /* the loop gets all it needs, or says why not */
    STEP_COMMIT,   /* the store thread ends its transaction */
    STEP_APPLY,    /* the loop exchanges */
    STEP_CANCEL,   /* the loop gives back what it had got */
    STEP_DONE,
};

struct exchange {
    weir_catalog *catalog;
    const weir_diff *diff;
    const char *text; /* of the event */
    enum step step;   /* under the lock */
    weir_loop_change *change;
    uint8_t *states;
    weir_err err; /* of the loop */
    weir_error error;
};

/* What the loop thread is to do with its plans. */
struct plan_job {
    void (*run)(weir_runtime *c, struct plan_job *job);
    const char *name;
    weir_plan_change change;
    const weir_plan *plan;
    uint32_t cycles;
    int64_t wait_us;
    weir_arena *arena;
    weir_plan_status *status;
    size_t n;
    weir_err err;
    weir_error error;
    bool done; /* under the lock */
};

/* Of a plan started by hand: it may go on through any number of catalogs. */
struct zone {
    struct zone *next;
    weir_zone *owned;
    const weir_zone *zone;
    char name[];
};

struct weir_runtime {
    weir_runtime_config config; /* but the catalog */
    weir_catalog *catalog;      /* in force; a reference. Changed by the loop, under the lock */
    char *data_dir;
    weir_platform platform;
    weir_store *store; /* NULL when once */
    weir_inbox inbox;
    bool has_inbox;
    weir_postbox *postbox; /* NULL when once */
    uint64_t told_seq;     /* on_committed; the store thread's */
    weir_worker *worker;   /* NULL when once */
    weir_loop *loop;

    uv_loop_t uv;
    bool has_uv;
    uv_timer_t timer;
    uv_async_t async;
    uv_prepare_t prepare;
    weir_uv_transport_host transport;
    weir_mono timer_at;
    weir_mono devices_next, states_next;
    uint8_t *states; /* of the devices, as last posted */

    pthread_t loop_thread, store_thread;
    bool loop_started, store_started;
    atomic_bool stopping;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* of what follows; CLOCK_MONOTONIC */
    bool store_woken, store_ending, store_ok;
    struct store_job *job;     /* waits for the store thread, or is under way */
    struct exchange *exchange; /* under way */
    bool applying;
    bool done;               /* once: all reads ended */
    uint32_t wanted, given;  /* snapshots: tickets asked for and answered */
    weir_snapshot *snapshot; /* the last one given; a reference */
    bool pause_wanted;
    uint32_t pauses_wanted, pauses_done; /* tickets likewise */
    struct plan_job *plan_job;           /* waits for the loop, or is under way */
    struct zone *zones;
};

/* For a wait on the condition. */
static inline struct timespec timespec_of(weir_mono t)
{
    return (struct timespec){t.us / WEIR_S, t.us % WEIR_S * 1000};
}

/* The store with its tags and sinks registered, the inbox, the postbox and the worker. What was
 * opened before a failure is weir_runtime_stop's to close, here and with the loop. */
weir_err weir_collector_open_store(weir_runtime *c, weir_error *error) WEIR_MUST_CHECK;

/* The loop and libuv's handles for it; after the store. */
weir_err weir_collector_open_loop(weir_runtime *c, weir_error *error) WEIR_MUST_CHECK;
void weir_collector_end_loop(weir_runtime *c); /* its thread too */

/* The two threads. */
void *weir_collector_store_main(void *data);
void *weir_collector_loop_main(void *data);

/* Waits for the store thread to have done it; 30 s at most for its beginning. Any thread but the
 * collector's own. */
weir_err weir_collector_do(weir_runtime *c, struct store_job *job,
                           weir_error *error) WEIR_MUST_CHECK;

/* The loop's turn in an exchange of the catalog, if it has one. Loop thread. */
void weir_collector_exchange(weir_runtime *c);

/* What somebody asked of the plans, if anybody did. Loop thread. */
void weir_collector_run_plan_job(weir_runtime *c);

void weir_collector_free_zones(weir_runtime *c);
