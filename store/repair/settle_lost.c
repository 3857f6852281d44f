/* SPDX-License-Identifier: MIT */
/* The end of a salvage: which numbers were given and are not there any more. */

#include <inttypes.h>
#include <stdio.h>

#include "blocks/block.h"
#include "store/file/database.h"
#include "store/file/row.h"
#include "store/repair/salvage_priv.h"

struct seen {
    int64_t last;   /* all up to here is accounted for */
    int64_t max_ts; /* of the last row of samples; INT64_MIN: none */
};

weir_err weir_salvage_note_hole(weir_salvage *s, int64_t first, int64_t last, weir_wall now,
                                weir_error *error)
{
    char sql[240];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO quarantine(ts,origin,key,count,error)"
                   " VALUES(%" PRId64 ",'log',%" PRId64 ",%" PRId64 ",'lost in a repair')",
                   now.us, first, last - first + 1);
    return weir_db_exec(s->db, sql, error);
}

static void range_add(weir_salvage *s, int64_t first, int64_t last, int64_t from, int64_t to)
{
    s->counts.lost_seqs += (uint64_t)(last - first + 1);
    if (s->counts.n_ranges < WEIR_LOST_RANGES_MAX)
        s->counts.ranges[s->counts.n_ranges++] = (weir_lost_range){
            (uint64_t)first, (uint64_t)last, {from == INT64_MIN ? 0 : from}, {to}};
}

/* Numbers above history_seq that neither the log nor events have. A merged row spans events. */
static weir_err rows_settle(weir_salvage *s, int64_t history_seq, struct seen *seen, weir_wall now,
                            weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        s->db,
        "SELECT first_seq, ifnull(last_seq, first_seq+count-1), min_ts, max_ts FROM log"
        " UNION ALL SELECT seq, seq, NULL, NULL FROM event ORDER BY 1, 2",
        &rows, error);
    seen->last = history_seq;
    seen->max_ts = INT64_MIN;
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        const int64_t first = sqlite3_column_int64(rows, 0), last = sqlite3_column_int64(rows, 1);
        const bool samples = sqlite3_column_type(rows, 2) != SQLITE_NULL;
        if (first > seen->last + 1) {
            range_add(s, seen->last + 1, first - 1, seen->max_ts,
                      samples ? sqlite3_column_int64(rows, 2) : 0);
            err = weir_salvage_note_hole(s, seen->last + 1, first - 1, now, error);
        }
        seen->last = last > seen->last ? last : seen->last;
        if (samples)
            seen->max_ts = sqlite3_column_int64(rows, 3);
    }
    return err;
}

/* The numbers between the batches of a merged row are events'. */
static weir_err gap_settle(weir_salvage *s, int64_t first, int64_t last, int64_t ts, weir_wall now,
                           weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row = true;
    weir_err err = weir_db_prepare(
        s->db, "SELECT seq FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq", &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, first);
    (void)sqlite3_bind_int64(rows, 2, last);
    for (int64_t next = first; err == WEIR_OK && row;) {
        err = weir_db_step(rows, &row, error);
        const int64_t seq = err == WEIR_OK && row ? sqlite3_column_int64(rows, 0) : last + 1;
        if (err == WEIR_OK && seq > next) {
            range_add(s, next, seq - 1, ts, ts);
            err = weir_salvage_note_hole(s, next, seq - 1, now, error);
        }
        next = seq + 1;
    }
    return err;
}

static weir_err batches_settle(weir_salvage *s, int64_t history_seq, weir_wall now,
                               weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(s->db,
                                   "SELECT first_seq, head, body FROM log WHERE"
                                   " last_seq-first_seq>=count AND last_seq>?",
                                   &rows, error);
    (void)sqlite3_bind_int64(rows, 1, history_seq);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
        weir_block_head head;
        const int64_t first_seq = sqlite3_column_int64(rows, 0);
        err = weir_row_decode(weir_row_of(rows, 0, 1, 2), &head, &block, error);
        for (size_t i = 1; err == WEIR_OK && block->offsets && i < block->n_batches; i++) {
            const int64_t next =
                first_seq + block->offsets[i - 1] + block->batches[i - 1].n_samples;
            const int64_t at = first_seq + block->offsets[i];
            const int64_t from = next > history_seq ? next : history_seq + 1;
            if (at > from)
                err = gap_settle(s, from, at - 1, block->batches[i].due.us, now, error);
        }
    }
    return err;
}

weir_err weir_salvage_settle_lost(weir_salvage *s, int64_t history_seq, uint64_t known_seq,
                                  weir_wall now, int64_t *ret_last, weir_error *error)
{
    struct seen seen = {0};
    weir_err err = rows_settle(s, history_seq, &seen, now, error);
    if (err == WEIR_OK)
        err = batches_settle(s, history_seq, now, error);
    if (err != WEIR_OK)
        return err;
    if (known_seq >= (uint64_t)SALVAGE_SEQ_MAX)
        known_seq = 0;
    s->counts.last_seq = (uint64_t)seen.last > known_seq ? (uint64_t)seen.last : known_seq;
    if (known_seq > (uint64_t)seen.last)
        range_add(s, seen.last + 1, (int64_t)known_seq, seen.max_ts, 0);
    *ret_last = seen.last;
    return WEIR_OK;
}
