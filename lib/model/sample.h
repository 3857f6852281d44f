/* SPDX-License-Identifier: MIT */
/* Sample, batch and event: what travels from a source to the store and on to the sinks. */

#pragma once
#include "base/clock.h"
#include "model/quality.h"
#include "model/value.h"
#include "weir/sample.h"

_Static_assert(sizeof(weir_sample) == 32, "a sample is 32 bytes");

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
