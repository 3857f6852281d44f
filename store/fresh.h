/* SPDX-License-Identifier: MIT */
/* The fresh rows: what was committed since the last merge, each written over a used one. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"
#include "blocks/block.h"

/* A row as it is written. Borrows. */
typedef struct weir_fresh_row {
    uint64_t first_seq;
    uint32_t count;
    int64_t min_ts, max_ts;
    int64_t newest_ts, trusted_ts, epoch_ts; /* as in the log */
    uint32_t epoch;
    const uint8_t *state; /* what rides with the commit; length 0: nothing */
    size_t state_length;
    weir_block_bytes block;
} weir_fresh_row;

/* What memory knows of a row on disk. */
typedef struct weir_fresh_slot {
    uint64_t first_seq; /* 0: never written */
    uint32_t count;
    uint32_t size; /* of SQLite's record: a new one of this size goes in place */
} weir_fresh_slot;

typedef struct weir_fresh {
    sqlite3 *db;
    sqlite3_stmt *put, *read, *drop;
    weir_fresh_slot *slots; /* [i] is the row with slot i + 1 */
    size_t n, capacity;
    weir_fresh_slot *before; /* [n_written]: what the slots held that this transaction wrote */
    size_t *written;
    size_t n_written, written_capacity;
    uint8_t *padded; /* a body with its zeros */
    size_t padded_capacity;
    size_t peak; /* slots in use at a merge, slowly forgotten: more than a few times it are given
                    back */
} weir_fresh;

/* Prepares, and reads which slots there are. Release with weir_fresh_deinit, also on failure. */
weir_err weir_fresh_init(weir_fresh *f, sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;
void weir_fresh_deinit(weir_fresh *f);

/* Writes a row in the open transaction, over one with all its seqs <= merged_seq when one of about
 * its size is there. */
weir_err weir_fresh_put(weir_fresh *f, const weir_fresh_row *row, uint64_t merged_seq,
                        weir_error *error) WEIR_MUST_CHECK;

/* How the transaction ended. */
void weir_fresh_committed(weir_fresh *f);
void weir_fresh_rolled_back(weir_fresh *f);

/* The row with the lowest seq above after_seq; NULL: none. */
const weir_fresh_slot *weir_fresh_next(const weir_fresh *f, uint64_t after_seq);

/* What is not merged yet: rows above merged_seq. */
typedef struct weir_fresh_waits {
    size_t rows;
    uint64_t samples, bytes;
} weir_fresh_waits;
weir_fresh_waits weir_fresh_waiting(const weir_fresh *f, uint64_t merged_seq);

/* Columns of weir_fresh_select's statement. */
enum {
    FRESH_FIRST_SEQ,
    FRESH_COUNT,
    FRESH_MIN_TS,
    FRESH_MAX_TS,
    FRESH_NEWEST_TS,
    FRESH_TRUSTED_TS,
    FRESH_EPOCH,
    FRESH_EPOCH_TS,
    FRESH_STATE,
    FRESH_HEAD,
    FRESH_BODY,
};

/* The row of a slot, to be read until sqlite3_reset of *ret. WEIR_EDAMAGED: it is not there. */
weir_err weir_fresh_select(weir_fresh *f, const weir_fresh_slot *slot, sqlite3_stmt **ret,
                           weir_error *error) WEIR_MUST_CHECK;

/* To be called at each merge: lets the peak fade. */
void weir_fresh_note_peak(weir_fresh *f, size_t rows);

/* Deletes some used slots, last ones first, when there are far more than were needed lately; in
 * the open transaction. To be followed by weir_fresh_committed or weir_fresh_rolled_back. */
bool weir_fresh_is_large(const weir_fresh *f, uint64_t merged_seq);
weir_err weir_fresh_shrink(weir_fresh *f, uint64_t merged_seq, weir_error *error) WEIR_MUST_CHECK;
