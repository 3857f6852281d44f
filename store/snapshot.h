/* SPDX-License-Identifier: MIT */
/* The newest sample of every tag: kept in memory as rows are merged, written now and then. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "blocks/block.h"

/* A tag's newest sample by (epoch, ts, seq). */
typedef struct weir_latest {
    weir_batch batch; /* its header; no samples */
    weir_sample sample;
    uint64_t seq; /* 0: none yet */
} weir_latest;

typedef struct weir_store_current {
    weir_latest *tags; /* by uid; strings and bytes are ours */
    size_t n;
    uint64_t seq;     /* all up to here was noted */
    uint64_t written; /* the seq of what is in the table */
    uint64_t since;   /* samples noted since then */
    int64_t searched; /* tags up to this were looked for elsewhere */
    bool partial;     /* the table has not all: damaged, made by a repair, or never written */
} weir_store_current;

void weir_store_current_deinit(weir_store_current *c);

/* Reads the table. Behind it come the rows above c->seq; if it is partial, all that are in no part,
 * and the newest of each tag in parts. */
weir_err weir_store_current_load(weir_store_current *c, sqlite3 *db,
                                 weir_error *error) WEIR_MUST_CHECK;

/* Notes the samples of a batch whose first one has this seq; again does no harm. WEIR_ENOMEM. */
weir_err weir_store_current_note(weir_store_current *c, const weir_batch *batch, uint64_t seq,
                                 weir_error *error) WEIR_MUST_CHECK;

/* Replaces the table's rows in the open transaction, less what was purged. */
weir_err weir_store_current_write(weir_store_current *c, sqlite3 *db,
                                  weir_error *error) WEIR_MUST_CHECK;
void weir_store_current_committed(weir_store_current *c);
