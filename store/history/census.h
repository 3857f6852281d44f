/* SPDX-License-Identifier: MIT */
/* What a range of the log holds: how much of each tag, and which parts that makes. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/history/part.h"
#include "store/history/log_range.h"

enum { WEIR_RANGE_SAMPLES = 22 * 1000 * 1000 }; /* a range has no more */

/* What a tag, or a series of replies, has in the range. */
typedef struct weir_volume {
    uint32_t samples, text, replies; /* text: bytes */
} weir_volume;

typedef struct weir_census {
    const weir_log_range *range;
    weir_volume *volumes; /* by uid */
    weir_part *parts;     /* of each epoch and day; samples that lie far apart in time share one */
    size_t n_parts, parts_capacity;
    bool resumed;   /* the parts are there already: only volumes are counted */
    uint64_t count; /* samples */
} weir_census;

/* Borrows the range. Release with weir_census_deinit, also on failure. */
weir_err weir_census_init(weir_census *c, const weir_log_range *range,
                          weir_error *error) WEIR_MUST_CHECK;
void weir_census_deinit(weir_census *c);

/* Counts a row: data is the census. The range ends before a tag has more than a segment can hold,
 * or all have WEIR_RANGE_SAMPLES. */
weir_log_range_on_row weir_census_on_row;
