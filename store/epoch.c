/* SPDX-License-Identifier: MIT */
/* Epochs of a clock that was not trusted: see epoch.h. */

#include "store/epoch.h"

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/trust.h"
#include "store/store_priv.h"

/* --- what waits --------------------------------------------------------------------------- */

static weir_err epochs_reserve(weir_epochs *epochs, size_t n, weir_error *error)
{
    if (n <= epochs->capacity - epochs->n)
        return WEIR_OK;
    struct weir_epoch_row *rows = weir_realloc_array(epochs->rows, epochs->n + n, sizeof *rows);
    if (!rows)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the offsets of %zu epochs", n);
    epochs->rows = rows;
    epochs->capacity = epochs->n + n;
    return WEIR_OK;
}

weir_err weir_store_correct(weir_store *store, const weir_correction *correction, weir_error *error)
{
    weir_epochs *epochs = &store->epochs;
    weir_err err = epochs_reserve(epochs, correction->n_offsets, error);
    if (err == WEIR_OK)
        err = weir_pending_event_add(&store->pending, &correction->event, error);
    for (size_t i = 0; err == WEIR_OK && i < correction->n_offsets; i++)
        epochs->rows[epochs->n++] =
            (struct weir_epoch_row){correction->offsets[i], correction->event.ts};
    return err;
}

weir_err weir_epochs_write(const weir_store *store, weir_error *error)
{
    const weir_epochs *epochs = &store->epochs;
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *insert = NULL;
    if (epochs->n == 0)
        return WEIR_OK;
    weir_err err =
        weir_db_prepare(store->db, "INSERT OR REPLACE INTO epoch VALUES(?,?,?)", &insert, error);
    for (size_t i = 0; err == WEIR_OK && i < epochs->n; i++) {
        (void)sqlite3_bind_int64(insert, 1, epochs->rows[i].offset.epoch);
        (void)sqlite3_bind_int64(insert, 2, epochs->rows[i].offset.offset_us);
        (void)sqlite3_bind_int64(insert, 3, epochs->rows[i].ts.us);
        err = weir_db_run(insert, error);
    }
    return err;
}

void weir_epochs_clear(weir_epochs *epochs)
{
    epochs->n = 0;
}

void weir_epochs_deinit(weir_epochs *epochs)
{
    weir_free(epochs->rows);
    *epochs = (weir_epochs){0};
}

/* --- what is known ------------------------------------------------------------------------ */

weir_err weir_epoch_find(sqlite3 *db, uint32_t epoch, bool *ret_known, int64_t *ret_offset_us,
                         weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(db, "SELECT offset FROM epoch WHERE epoch=?", &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(stmt, 1, epoch);
    err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK)
        return err;
    *ret_known = row;
    *ret_offset_us = row ? sqlite3_column_int64(stmt, 0) : 0;
    return WEIR_OK;
}

/* Where it is not known whether the newest epoch can be trusted, a start takes the next one: an
 * epoch more costs nothing, and trusted samples shall never be in one that is corrected. */
weir_err weir_epochs_load(weir_store *store, weir_error *error)
{
    weir_store_position *at = &store->position;
    weir_epoch_trust trust = WEIR_EPOCH_TRUSTED;
    int64_t corrected;
    weir_err err = weir_db_int(store->db, "SELECT max(epoch) FROM epoch", -1, &corrected, error);
    if (err != WEIR_OK)
        return err;
    if (corrected > at->max_epoch) { /* of its samples none was kept */
        at->max_epoch = (uint32_t)corrected;
        store->epoch_ts = INT64_MIN;
    }
    if (corrected == at->max_epoch)
        trust = WEIR_EPOCH_UNTRUSTED;
    else if (at->max_epoch > 0 || store->newest_ts != INT64_MIN)
        err = weir_epoch_read_trust(store->db, at->max_epoch, &trust, error);
    at->epoch_untrusted = trust != WEIR_EPOCH_TRUSTED;
    at->epoch_corrected = trust != WEIR_EPOCH_UNTRUSTED || corrected == at->max_epoch;
    return err;
}
