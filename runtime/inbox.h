/* SPDX-License-Identifier: MIT */
/* The inbox: batches and events on their way from the loop to the store thread. */

#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/sample.h"

/*
 * A bounded queue. The loop packs copies into chunks under a short lock; the store thread takes
 * all chunks at once when it commits. Adding does not wake the store thread, which wakes by itself
 * for every commit, unless many bytes wait or something is urgent: then `wake` is called.
 * At the limit the newest is refused and counted: what was acquired first is kept.
 */
typedef struct weir_inbox_chunk weir_inbox_chunk;

typedef struct weir_inbox {
    pthread_mutex_t lock;
    weir_inbox_chunk *first, *last;
    weir_inbox_chunk *spare; /* emptied chunks, for reuse */
    size_t bytes;            /* waiting */
    size_t limit;
    uint64_t refused; /* samples and events refused at the limit, in total */
    bool urgent;
    bool woken; /* wake was called since the last take */
    void (*wake)(void *data);
    void *data;
} weir_inbox;

/* wake may be NULL; it is called on the adding thread, outside the lock. */
weir_err weir_inbox_init(weir_inbox *inbox, size_t limit_bytes, void (*wake)(void *data),
                         void *data) WEIR_MUST_CHECK;
void weir_inbox_deinit(weir_inbox *inbox);

/* Copies. False: refused (limit or memory), counted. Any one thread at a time. */
bool weir_inbox_put_batch(weir_inbox *inbox, const weir_batch *batch);
/* urgent: to be committed at once (configuration, writes). */
bool weir_inbox_put_event(weir_inbox *inbox, const weir_event *event, bool urgent);
/* Always urgent, and taken beyond the limit too: it is small, rare, and what it corrects would be
 * lost with it. False: no memory. */
bool weir_inbox_put_correction(weir_inbox *inbox, const weir_correction *correction);

/* What was taken. Records keep their order; release gives the chunks back for reuse. */
typedef struct weir_inbox_taken {
    weir_inbox_chunk *first;
    bool urgent;
    uint64_t refused;
} weir_inbox_taken;

weir_inbox_taken weir_inbox_take(weir_inbox *inbox);

/* Who is told of each record. */
typedef struct weir_inbox_visitor {
    void *data;
    weir_err (*batch)(void *data, const weir_batch *batch);
    weir_err (*event)(void *data, const weir_event *event);
    weir_err (*correction)(void *data, const weir_correction *correction);
} weir_inbox_visitor;

/* Calls one of them for every record, in order, until it returns an error, which is returned; the
 * record that failed and all after it stay for the next call. */
weir_err weir_inbox_each(weir_inbox_taken *taken, const weir_inbox_visitor *visitor);
void weir_inbox_release(weir_inbox *inbox, weir_inbox_taken *taken);

size_t weir_inbox_bytes(weir_inbox *inbox);
uint64_t weir_inbox_refused(weir_inbox *inbox); /* as of now, not of the last take */
