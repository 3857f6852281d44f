/* SPDX-License-Identifier: MIT */
/* Every point of a catalog read once: nothing is stored, no data directory is needed. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/catalog.h"
#include "model/sample.h"

/* What was read of a tag. sample.tag 0: nothing, its device or connection is disabled, or did not
 * answer before the end. */
typedef struct weir_once_reading {
    weir_sample sample;
    weir_wall received;
} weir_once_reading;

typedef struct weir_once {
    const weir_catalog *catalog;
    weir_once_reading *readings; /* [n_tags], in the arena */
    int64_t *rtt_us;             /* [n_devices]: of its slowest request; 0: none was sent */
    bool complete;               /* false: some did not end within a minute */
} weir_once;

/* What was read of a device. */
typedef struct weir_once_share {
    size_t n_read, n_good; /* tags; uncertain values count as good */
    weir_quality worst;
} weir_once_share;

/* Reads; takes as long as the slowest device, at most a minute. Texts live in the arena. Numbers
 * the tags of the catalog. Errors of weir_runtime_start. */
weir_err weir_once_read(weir_catalog *catalog, weir_arena *arena, weir_once *ret,
                        weir_error *error) WEIR_MUST_CHECK;

weir_once_share weir_once_share_of(const weir_once *once, size_t device);
