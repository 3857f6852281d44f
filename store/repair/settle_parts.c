/* SPDX-License-Identifier: MIT */
/* The end of a salvage: parts whose rows are lost get new ones, and all say what they have. */

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "blocks/block.h"
#include "blocks/replies.h"
#include "blocks/segment.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/repair/salvage_priv.h"

/* A part whose row is lost: its segments say nearly all of it. */
struct orphan {
    int64_t id;
    int64_t min_ts, max_ts;
    int64_t first_seq, last_seq;
    int64_t segments, samples, bytes;
};

static void orphan_add_replies(struct orphan *o, const weir_segment_head *head, const void *body,
                               size_t n)
{
    weir_reply_record *replies = weir_alloc_zero(head->count, sizeof *replies);
    if (replies && weir_replies_decode(head, body, n, replies, NULL) == WEIR_OK)
        for (uint32_t i = 0; i < head->count; i++) {
            const int64_t seq = (int64_t)replies[i].seq;
            if (seq <= 0 || seq >= SALVAGE_SEQ_MAX)
                continue;
            o->first_seq = o->first_seq == 0 || seq < o->first_seq ? seq : o->first_seq;
            o->last_seq = seq > o->last_seq ? seq : o->last_seq;
        }
    weir_free(replies);
}

static void orphan_add(struct orphan *o, sqlite3_stmt *row)
{
    weir_segment_head head;
    if (weir_segment_head_parse(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1),
                                &head, NULL) != WEIR_OK)
        return;
    o->min_ts = o->segments == 0 || head.min_ts.us < o->min_ts ? head.min_ts.us : o->min_ts;
    o->max_ts = o->segments == 0 || head.max_ts.us > o->max_ts ? head.max_ts.us : o->max_ts;
    o->segments++;
    o->bytes +=
        sqlite3_column_bytes(row, 1) + sqlite3_column_bytes(row, 2) + sqlite3_column_bytes(row, 3);
    if ((uint64_t)sqlite3_column_int64(row, 0) >> 8 & SEGMENT_REPLIES)
        orphan_add_replies(o, &head, sqlite3_column_blob(row, 3),
                           (size_t)sqlite3_column_bytes(row, 3));
    else
        o->samples += head.count;
}

/* A sample's number is its reply's and its place in it: below the next reply's, if that is known.
 * Numbers of history end with history_seq. */
static weir_err orphan_write(weir_salvage *s, const struct orphan *o, weir_error *error)
{
    char sql[300];
    int64_t history_seq;
    if (o->segments == 0)
        return WEIR_OK;
    weir_err err = weir_db_int(s->db, "SELECT value FROM meta WHERE key='history_seq'",
                               o->last_seq + WEIR_BLOCK_BATCH_MAX, &history_seq, error);
    if (err != WEIR_OK)
        return err;
    const int64_t last = o->last_seq == 0 || o->last_seq + WEIR_BLOCK_BATCH_MAX > history_seq
                             ? history_seq
                             : o->last_seq + WEIR_BLOCK_BATCH_MAX;
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO part VALUES(%" PRId64 ",0,0,%d,%" PRId64 ",%" PRId64 ",%" PRId64
                   ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ")",
                   o->id, PART_LIVE, o->min_ts, o->max_ts, o->first_seq, last, o->segments,
                   o->samples, o->bytes);
    return weir_db_exec(s->db, sql, error);
}

static weir_err settle_orphans(weir_salvage *s, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    struct orphan o = {0};
    bool row;
    weir_err err = weir_db_prepare(s->db,
                                   "SELECT key, head, marks, body FROM segment"
                                   " WHERE key>>40 NOT IN (SELECT id FROM part) ORDER BY key",
                                   &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        const int64_t id = sqlite3_column_int64(rows, 0) >> 40;
        if (id != o.id) {
            err = orphan_write(s, &o, error);
            o = (struct orphan){.id = id};
        }
        orphan_add(&o, rows);
    }
    return err == WEIR_OK ? orphan_write(s, &o, error) : err;
}

/* What a part says it had, and has no more. Then it says what it has. */
static weir_err settle_counts(weir_salvage *s, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL, *put = NULL;
    int64_t part = 0, had = 0, n = 0, samples = 0, lost = 0;
    bool row = true;
    weir_err err = weir_db_prepare(s->db,
                                   "SELECT p.id, p.samples, g.key, g.head FROM part p"
                                   " LEFT JOIN segment g ON g.key BETWEEN p.id<<40 AND"
                                   " (p.id<<40)+0xffffffffff ORDER BY p.id, g.key",
                                   &rows, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(s->db, "UPDATE part SET segments=?2, samples=?3 WHERE id=?1", &put,
                              error);
    while (err == WEIR_OK && row && (err = weir_db_step(rows, &row, error)) == WEIR_OK) {
        const int64_t id = row ? sqlite3_column_int64(rows, 0) : 0;
        if (id != part && part > 0) {
            lost += had > samples ? had - samples : 0;
            (void)sqlite3_bind_int64(put, 1, part);
            (void)sqlite3_bind_int64(put, 2, n);
            (void)sqlite3_bind_int64(put, 3, samples);
            err = weir_db_run(put, error);
        }
        if (id != part) {
            part = id;
            had = row ? sqlite3_column_int64(rows, 1) : 0;
            n = samples = 0;
        }
        weir_segment_head head;
        if (!row || sqlite3_column_type(rows, 2) == SQLITE_NULL)
            continue;
        n++;
        if (!((uint64_t)sqlite3_column_int64(rows, 2) >> 8 & SEGMENT_REPLIES) &&
            weir_segment_head_parse(sqlite3_column_blob(rows, 3),
                                    (size_t)sqlite3_column_bytes(rows, 3), &head, NULL) == WEIR_OK)
            samples += head.count;
    }
    s->counts.lost_samples = (uint64_t)lost;
    return err == WEIR_OK ? weir_db_exec(s->db, "DELETE FROM part WHERE segments=0", error) : err;
}

weir_err weir_salvage_settle_parts(weir_salvage *s, weir_error *error)
{
    weir_err err = settle_orphans(s, error);
    if (err == WEIR_OK)
        err = weir_salvage_settle_replies(s, error);
    return err == WEIR_OK ? settle_counts(s, error) : err;
}
