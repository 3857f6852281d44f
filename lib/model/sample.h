/* SPDX-License-Identifier: MIT */
/* Sample, batch and event: what travels from a source to the store and on to the sinks. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/quality.h"
#include "model/value.h"

/* A tag's identity within one store: given once by the store, never reused, 0 is none. */
typedef uint32_t weir_tag_uid;

/*
 * Tag, time, value, quality. Its identity is (tag uid, ts, epoch); the epoch is its batch's.
 * A sample of bad quality has a null value.
 */
typedef struct weir_sample {
    weir_tag_uid tag;
    weir_quality quality;
    weir_wall ts; /* the due slot, or the source's own time */
    weir_value value;
} weir_sample;

_Static_assert(sizeof(weir_sample) == 32, "a sample is 32 bytes");

/* weir_batch.flags */
enum {
    WEIR_BATCH_SOURCE_TIME = 1u << 0,     /* ts came from the source, not from the schedule */
    WEIR_BATCH_FIRST_READ = 1u << 1,      /* the extra read at start: ts is the read time */
    WEIR_BATCH_CLOCK_UNTRUSTED = 1u << 2, /* the wall clock cannot be true: ts says little */
};

/* The implicit plan `default` is bit 0 of the plan set. */
#define WEIR_PLAN_DEFAULT 1ull

/*
 * Samples that travel together: normally those of one reply. The header holds what they share.
 * Borrowed by every function that takes it, until that function returns; strings and bytes of the
 * samples live at least as long.
 */
typedef struct weir_batch {
    uint32_t connection;       /* index in the catalog of catalog_revision */
    uint32_t device;           /* index likewise */
    uint32_t catalog_revision; /* 1, 2, ... */
    uint32_t epoch;            /* 0, grows at each backward clock step */
    uint32_t flags;
    uint32_t n_samples;
    uint64_t plans;     /* set of plans that were due: one bit each */
    uint64_t fence;     /* a cluster's fence token; 0 without a cluster */
    weir_wall due;      /* the slot */
    weir_wall sent;     /* the request's last byte was handed to the transport; 0: no request */
    weir_wall received; /* the reply was complete, or the failure was known */
    int64_t anchor_us;  /* wall minus monotonic time when it was received */
    const weir_sample *samples;
} weir_batch;

/* Kinds of events. Numbers are stored on disk: append only. */
#define WEIR_EVENT_LIST(X)                      \
    X(WEIR_EVENT_GAP, 1, "gap")                 \
    X(WEIR_EVENT_CLOCK_STEP, 2, "clock_step")   \
    X(WEIR_EVENT_DEVICE_UP, 3, "device_up")     \
    X(WEIR_EVENT_DEVICE_DOWN, 4, "device_down") \
    X(WEIR_EVENT_CONFIG, 5, "config")           \
    X(WEIR_EVENT_STORE, 6, "store")             \
    X(WEIR_EVENT_WRITE, 7, "write")             \
    X(WEIR_EVENT_ALARM, 8, "alarm")

typedef enum weir_event_kind {
#define X(name, number, word) name = number,
    WEIR_EVENT_LIST(X)
#undef X
} weir_event_kind;

const char *weir_event_word(weir_event_kind kind); /* "clock_step"; "?" for an unknown number */

/* Something that happened. Stored under the same sequence as samples. Texts are borrowed. */
typedef struct weir_event {
    weir_wall ts;
    weir_event_kind kind;
    const char *subject; /* device, sink or tag name; "" when it concerns the whole program */
    const char *text;    /* a sentence */
} weir_event;

/* How far the clock of an epoch was off: true time = time in that epoch + offset. */
typedef struct weir_epoch_offset {
    uint32_t epoch;
    int64_t offset_us;
} weir_epoch_offset;

/* A clock that was not trusted has become right: the event that says so, and what the epochs before
 * were off by. One record, kept or lost together. Borrowed like the others. */
typedef struct weir_correction {
    weir_event event;
    size_t n_offsets;
    const weir_epoch_offset *offsets;
} weir_correction;
