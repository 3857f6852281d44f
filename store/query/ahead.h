/* SPDX-License-Identifier: MIT */
/* What a reading has before it: parts and rows that are not looked into until their time comes. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/query/tag_source.h"
#include "store/query/view.h"

typedef struct weir_ahead {
    const weir_tag_reading *reading;
    weir_view_part *parts; /* those that overlap, in the order of reading; owned */
    size_t n_parts, next_part;
    weir_view_row *rows; /* likewise */
    size_t n_rows, next_row;
} weir_ahead;

/* Borrows the reading; rows only if it has no tail. Release with weir_ahead_deinit, also on
 * failure. WEIR_ENOMEM. */
weir_err weir_ahead_init(weir_ahead *a, const weir_tag_reading *reading,
                         weir_error *error) WEIR_MUST_CHECK;
void weir_ahead_deinit(weir_ahead *a);

/* Where the first of them begins, in the order of reading; INT64_MAX: nothing is ahead. */
int64_t weir_ahead_low(const weir_ahead *a);

/* Takes the next part, or row, if it begins at `bound` or before; else NULL. Live as long as a. */
const weir_view_part *weir_ahead_part(weir_ahead *a, int64_t bound);
const weir_view_row *weir_ahead_row(weir_ahead *a, int64_t bound);
