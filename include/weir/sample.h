/* SPDX-License-Identifier: MIT */
/* Sample and event: what is collected. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "weir/clock.h"
#include "weir/quality.h"
#include "weir/value.h"

WEIR_C_BEGIN

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

/* Flags of a batch. */
enum {
    WEIR_BATCH_SOURCE_TIME = 1u << 0,     /* ts came from the source, not from the schedule */
    WEIR_BATCH_FIRST_READ = 1u << 1,      /* the extra read at start: ts is the read time */
    WEIR_BATCH_CLOCK_UNTRUSTED = 1u << 2, /* the wall clock cannot be true: ts says little */
};

/* The implicit plan `default` is bit 0 of the plan set. */
#define WEIR_PLAN_DEFAULT 1ull

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

/* "clock_step"; "?" for an unknown number. */
WEIR_API const char *weir_event_word(weir_event_kind kind);

/* Something that happened. Stored under the same sequence as samples. Texts are borrowed. */
typedef struct weir_event {
    weir_wall ts;
    weir_event_kind kind;
    const char *subject; /* device, sink or tag name; "" when it concerns the whole program */
    const char *text;    /* a sentence */
} weir_event;

WEIR_C_END
