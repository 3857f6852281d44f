/* SPDX-License-Identifier: MIT */
/* Gaps: an exact record of what is not there, or was not kept for a sink. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/error.h"
#include "model/sample.h"

typedef struct weir_gap {
    const char *sink; /* what it was not kept for; "": history, that is for nobody */
    weir_tag_uid tag; /* 0: all tags */
    int64_t from_ts, to_ts;
    uint64_t count; /* samples */
    const char *cause;
} weir_gap;

/*
 * Records it in the open transaction. extend: it goes on where the last one of the same sink, tag
 * and cause ended: that row is made wider, so that a week at a limit is one row.
 */
weir_err weir_gap_add(sqlite3 *db, const weir_gap *gap, bool extend, weir_wall now,
                      weir_error *error) WEIR_MUST_CHECK;
