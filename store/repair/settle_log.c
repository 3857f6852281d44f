/* SPDX-License-Identifier: MIT */
/* The end of a salvage: the newest rows go into the log, each with a number of its own. */

#include <string.h>

#include "blocks/block.h"
#include "model/sample.h"
#include "store/file/database.h"
#include "store/file/row.h"
#include "store/repair/salvage_priv.h"

/* Puts the row of `fresh` a statement stands on into the log, as this number. */
static weir_err log_take(weir_salvage *s, int64_t slot, int64_t first_seq, int64_t span,
                         weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    weir_err err =
        weir_db_prepare(s->db,
                        "INSERT OR IGNORE INTO log SELECT ?1, count, min_ts, max_ts, newest_ts,"
                        " trusted_ts, epoch, epoch_ts, 0, head, body, ?1+?2-1 FROM fresh"
                        " WHERE slot=?3",
                        &put, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(put, 1, first_seq);
    (void)sqlite3_bind_int64(put, 2, span);
    (void)sqlite3_bind_int64(put, 3, slot);
    return weir_db_run(put, error);
}

/* A fresh row that was merged lies in the log already, or is in history. */
weir_err weir_salvage_settle_fresh(weir_salvage *s, int64_t history_seq, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row, overlaps;
    weir_err err = weir_db_prepare(s->db,
                                   "SELECT slot, first_seq, count FROM fresh WHERE first_seq>0"
                                   " ORDER BY first_seq, count DESC",
                                   &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        const int64_t first = sqlite3_column_int64(rows, 1), count = sqlite3_column_int64(rows, 2);
        if (first + count - 1 <= history_seq)
            continue;
        err = weir_salvage_overlaps(s, first, first + count - 1, &overlaps, error);
        if (err == WEIR_OK && !overlaps)
            err = log_take(s, sqlite3_column_int64(rows, 0), first, count, error);
    }
    return err;
}

static int64_t block_span(sqlite3_stmt *row)
{
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    weir_block_head head;
    return weir_row_decode(weir_row_of(row, 0, 1, 2), &head, &block, NULL) == WEIR_OK
               ? (int64_t)weir_row_span(&head, block)
               : 0;
}

/* Rows whose numbers could not be told come last, the oldest first. */
weir_err weir_salvage_settle_homeless(weir_salvage *s, int64_t *at, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        s->db, "SELECT slot, head, body FROM fresh WHERE first_seq=0 ORDER BY min_ts", &rows,
        error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        const int64_t span = block_span(rows);
        if (span > 0)
            err = log_take(s, sqlite3_column_int64(rows, 0), *at, span, error);
        *at += span;
    }
    return err;
}

/* What the rows up to one come to. */
struct running {
    int64_t newest_ts, trusted_ts, epoch, epoch_ts;
};

static void running_add(struct running *r, const weir_block *block)
{
    for (size_t i = 0; i < block->n_batches; i++) {
        const weir_batch *batch = &block->batches[i];
        const bool trusted = !(batch->flags & WEIR_BATCH_CLOCK_UNTRUSTED);
        if (batch->n_samples > 0 && batch->epoch > r->epoch) {
            r->epoch = batch->epoch;
            r->epoch_ts = INT64_MIN;
        }
        for (size_t k = 0; k < batch->n_samples; k++) {
            const int64_t ts = batch->samples[k].ts.us;
            r->newest_ts = ts > r->newest_ts ? ts : r->newest_ts;
            r->trusted_ts =
                trusted && (r->trusted_ts == 0 || ts > r->trusted_ts) ? ts : r->trusted_ts;
            r->epoch_ts = batch->epoch == r->epoch && ts > r->epoch_ts ? ts : r->epoch_ts;
        }
    }
}

static weir_err running_write(sqlite3_stmt *put, int64_t first_seq, const struct running *r,
                              weir_error *error)
{
    const int64_t numbers[5] = {first_seq, r->newest_ts, r->trusted_ts, r->epoch, r->epoch_ts};
    for (int i = 0; i < 5; i++)
        (void)sqlite3_bind_int64(put, i + 1, numbers[i]);
    return weir_db_run(put, error);
}

/* newest_ts and the like are of all rows up to one: what lost rows added to them is not known of
 * those that remain, and what stands at the end is where the next start goes on. The first row's
 * own are of rows that are long gone, unless the log was never trimmed. */
weir_err weir_salvage_settle_running(weir_salvage *s, int64_t history_seq, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL, *put = NULL;
    struct running r = {INT64_MIN, 0, -1, INT64_MIN};
    bool row, started = history_seq == 0;
    weir_err err = weir_db_prepare(s->db,
                                   "SELECT first_seq, newest_ts, trusted_ts, epoch, epoch_ts, head,"
                                   " body FROM log ORDER BY 1",
                                   &rows, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(s->db,
                              "UPDATE log SET newest_ts=?2, trusted_ts=?3, epoch=?4, epoch_ts=?5"
                              " WHERE first_seq=?1",
                              &put, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
        weir_block_head head;
        const struct running was = {sqlite3_column_int64(rows, 1), sqlite3_column_int64(rows, 2),
                                    sqlite3_column_int64(rows, 3), sqlite3_column_int64(rows, 4)};
        r = started ? r : was;
        started = true;
        err = weir_row_decode(weir_row_of(rows, 0, 5, 6), &head, &block, error);
        if (err != WEIR_OK)
            break;
        running_add(&r, block);
        if (memcmp(&r, &was, sizeof r) != 0)
            err = running_write(put, sqlite3_column_int64(rows, 0), &r, error);
    }
    return err;
}
