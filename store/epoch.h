/* SPDX-License-Identifier: MIT */
/* Epochs of a clock that was not trusted: what their times are off by, once that is known. */

#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/*
 * Adds the offsets and the event that tells them to the next commit: all of it or nothing. Copies.
 * Stored rows stay as they are; who reads adds an epoch's offset to ts and read_ts. WEIR_ENOMEM.
 */
weir_err weir_store_correct(weir_store *store, const weir_correction *correction,
                            weir_error *error) WEIR_MUST_CHECK;

/*
 * What is to be added to the times of an epoch; *ret_known false: nothing is known. A batch with
 * WEIR_BATCH_CLOCK_UNTRUSTED of such an epoch is what a sink holds back. Any connection to data.db.
 */
weir_err weir_epoch_find(sqlite3 *db, uint32_t epoch, bool *ret_known, int64_t *ret_offset_us,
                         weir_error *error) WEIR_MUST_CHECK;

/* --- for store.c -------------------------------------------------------------------------- */

/* Offsets that wait for the next commit. */
typedef struct weir_epochs {
    struct weir_epoch_row {
        weir_epoch_offset offset;
        weir_wall ts; /* when it became known */
    } * rows;
    size_t n, capacity;
} weir_epochs;

/* At opening, after the position was read: completes it by what concerns the newest epoch. */
weir_err weir_epochs_load(weir_store *store, weir_error *error) WEIR_MUST_CHECK;

/* Inside of the commit's transaction. */
weir_err weir_epochs_write(const weir_store *store, weir_error *error) WEIR_MUST_CHECK;

void weir_epochs_clear(weir_epochs *epochs); /* after the commit */
void weir_epochs_deinit(weir_epochs *epochs);
