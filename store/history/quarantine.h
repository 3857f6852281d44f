/* SPDX-License-Identifier: MIT */
/* Blocks that cannot be read: set aside, so that a merge neither loses them nor stops at them. */

#pragma once
#include "store/file/row.h"
#include "store/store_priv.h"

typedef struct weir_damaged {
    const char *origin; /* "fresh", "log", "segment" */
    int64_t key;        /* first_seq, or segment.key */
    int64_t count;      /* samples, as far as known */
    weir_row row;
    const uint8_t *marks;
    size_t marks_length;
} weir_damaged;

/* Copies it to its table in the open transaction, and records an event with the next commit. why:
 * what reading it said. The caller takes it away from where it was. */
weir_err weir_quarantine_add(weir_store *store, const weir_damaged *damaged, weir_wall now,
                             const weir_error *why, weir_error *error) WEIR_MUST_CHECK;

/* The same for a segment, which goes from its table. */
weir_err weir_quarantine_segment(weir_store *store, const weir_damaged *damaged, weir_wall now,
                                 const weir_error *why, weir_error *error) WEIR_MUST_CHECK;

/* Moves a row of the log there, in a transaction of its own. count: its samples. */
weir_err weir_quarantine_log_row(weir_store *store, const weir_row *row, int64_t count,
                                 weir_wall now, const weir_error *why,
                                 weir_error *error) WEIR_MUST_CHECK;
