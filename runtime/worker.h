/* SPDX-License-Identifier: MIT */
/* The store worker: takes the inbox, commits, tells how far; a step function. */

#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/inbox.h"
#include "runtime/platform.h"
#include "store/store.h"

/* What the other threads may see of the store. */
typedef struct weir_worker_view {
    weir_store_position position;
    uint64_t refused; /* samples and events not kept: by a full inbox, or not fit to be stored */
    uint64_t commits;
    uint64_t failures; /* commits that failed and were tried again */
    bool failing;      /* the last commit failed; error says why */
    weir_store_usage usage;
    char error[512];
} weir_worker_view;

typedef struct weir_worker weir_worker;

/* Borrows all. The store is used on the worker's thread only, from the first step on. */
weir_err weir_worker_new(weir_store *store, weir_inbox *inbox, const weir_platform *platform,
                         int64_t max_loss_us, weir_worker **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_worker_free(weir_worker *worker); /* accepts NULL */

/*
 * Takes what waits, commits when it is time (or urgent, or much), and returns when to call again.
 * A commit starts so early that it should be over max_loss after the last one was.
 * last: commit whatever waits, now; false (of weir_worker_flush) when that failed.
 */
weir_mono weir_worker_step(weir_worker *worker);
bool weir_worker_flush(weir_worker *worker);

/* Posts the devices' rows for the next step. Copies; replaces what was posted before. Any thread.
 */
void weir_worker_post_devices(weir_worker *worker, const weir_device_record *devices, size_t n);

weir_worker_view weir_worker_get_view(weir_worker *worker); /* any thread */
