/* SPDX-License-Identifier: MIT */
/* The store worker: takes the inbox, commits, tells how far; a step function. */

#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/inbox.h"
#include "runtime/platform.h"
#include "runtime/postbox.h"
#include "store/store.h"

/* How the store is; the words are what `weir status` says. Anything but ok: what is acquired waits
 * in memory. */
#define WEIR_COMMIT_STATE_LIST(X)                                                    \
    X(WEIR_COMMIT_OK, "ok")                                                          \
    X(WEIR_COMMIT_FULL, "full")       /* no space on the disk */                     \
    X(WEIR_COMMIT_BLOCKED, "blocked") /* another program has the file, or its WAL */ \
    X(WEIR_COMMIT_MEMORY, "memory")   /* none is left to commit with */              \
    X(WEIR_COMMIT_FAILING, "failing") /* the disk, or the file is gone or damaged */

typedef enum weir_commit_state {
#define X(name, word) name,
    WEIR_COMMIT_STATE_LIST(X)
#undef X
} weir_commit_state;

const char *weir_commit_state_text(weir_commit_state state);

/* What the other threads may see of the store. */
typedef struct weir_worker_view {
    weir_store_position position;
    uint64_t refused; /* samples and events not kept: by a full inbox, or not fit to be stored */
    uint64_t commits;
    uint64_t failures; /* commits that failed and were tried again */
    bool failing;      /* the last commit failed; error says why */
    weir_store_usage usage;
    char error[512];
    weir_commit_state state;
    weir_wall since;        /* of the state */
    int64_t commit_us;      /* how long the last commit took ... */
    int64_t commit_us_max;  /* ... and the longest of the last minute */
    uint64_t waiting_bytes; /* acquired and not committed */
    uint64_t wal_bytes;     /* of data.db-wal */
    uint64_t recoveries;    /* the file was closed and opened again */
} weir_worker_view;

typedef struct weir_worker weir_worker;

/* Borrows all. The store is used on the worker's thread only, from the first step on. */
weir_err weir_worker_new(weir_store *store, weir_inbox *inbox, const weir_platform *platform,
                         int64_t max_loss_us, weir_worker **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_worker_free(weir_worker *worker); /* accepts NULL */

/* Empties this box too, at each step before it commits. Before the first step; borrowed. */
void weir_worker_set_postbox(weir_worker *worker, weir_postbox *box);

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

/* From the next commit on; the worker's thread. */
void weir_worker_set_max_loss(weir_worker *worker, int64_t max_loss_us);

weir_worker_view weir_worker_get_view(weir_worker *worker); /* any thread */
