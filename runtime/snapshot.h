/* SPDX-License-Identifier: MIT */
/* A snapshot: the current value of every tag and the state of every device, to look at. */

#pragma once
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "model/catalog.h"
#include "model/source.h"

/* Immutable and reference-counted: made on the loop thread, read on any. */
typedef struct weir_snapshot {
    _Atomic uint32_t references;
    weir_catalog *catalog; /* a reference: tags and devices are numbered as there */
    weir_wall taken;
    size_t n_tags;
    size_t n_devices;
    weir_current *current;          /* [n_tags], sample.tag 0: no sample yet */
    weir_device_status *status;     /* [n_devices] */
    weir_device_counters *counters; /* [n_devices] */
    weir_clock_state clock;
    uint64_t overruns;
    uint64_t filtered; /* samples left out of the store */
} weir_snapshot;

weir_snapshot *weir_snapshot_new(const weir_catalog *catalog) WEIR_MUST_CHECK; /* one reference */
weir_snapshot *weir_snapshot_ref(weir_snapshot *snapshot);
void weir_snapshot_unref(weir_snapshot *snapshot); /* accepts NULL */

/* The value of a copied current, with string and byte contents pointing into the copy. */
weir_value weir_snapshot_value(const weir_snapshot *snapshot, size_t tag);
