/* SPDX-License-Identifier: MIT */
/* The end of a salvage: a store is made of the rows that were brought over. */

/*
 * Order matters: first what the numbers depend on (history_seq, cursors), then the newest rows go
 * from `fresh` to the log, so that `fresh` is empty and nothing is there twice; then what is
 * missing is found, and only then rows without a number get one, above all that was ever given.
 *
 * The numbers jump to the next multiple of 2^32. How many were given behind the last one that could
 * be read is not known, and a sink must never see a number again for something else.
 */

#include <inttypes.h>
#include <stdio.h>

#include <inttypes.h>
#include <stdio.h>

#include "model/sample.h"
#include "store/file/cursor.h"
#include "store/file/database.h"
#include "store/file/identity.h"
#include "store/repair/salvage_priv.h"

static weir_err settle_meta(weir_salvage *s, weir_wall now, weir_error *error)
{
    char sql[400], uuid[WEIR_UUID_SIZE];
    weir_uuid_make(uuid);
    (void)snprintf(sql, sizeof sql,
                   "INSERT OR IGNORE INTO meta VALUES('created',%lld),('catalog',0),('uuid','%s');"
                   "UPDATE meta SET value=value+1 WHERE key='catalog';"
                   "DELETE FROM meta WHERE key='merged_seq';"
                   "INSERT OR IGNORE INTO meta"
                   " SELECT 'history_seq', ifnull(max(last_seq),0) FROM part;",
                   (long long)now.us, uuid);
    return weir_db_exec(s->db, sql, error);
}

/* Moves that rode with commits which were not merged. What cannot be read is not moved: a sink gets
 * some samples once more. */
static weir_err settle_cursors(weir_salvage *s, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    weir_cursors cursors = {0};
    bool row;
    weir_err err = weir_cursors_load(&cursors, s->db, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(
            s->db,
            "SELECT state, first_seq FROM fresh WHERE first_seq>0 AND length(state)>0"
            " ORDER BY first_seq",
            &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_err applied = weir_cursors_apply(&cursors, (uint64_t)sqlite3_column_int64(rows, 1),
                                              sqlite3_column_blob(rows, 0),
                                              (size_t)sqlite3_column_bytes(rows, 0), error);
        err = applied == WEIR_EDAMAGED ? WEIR_OK : applied;
    }
    if (err == WEIR_OK)
        err = weir_cursors_fold(&cursors, s->db, 0, error);
    weir_cursors_deinit(&cursors);
    return err;
}

/* Counts are of the rows that were brought over. */
static weir_err settle_sinks(weir_salvage *s, weir_error *error)
{
    return weir_db_exec(
        s->db,
        "DELETE FROM set_aside_retry WHERE NOT EXISTS (SELECT 1 FROM set_aside a"
        " WHERE a.sink=set_aside_retry.sink AND a.seq=set_aside_retry.seq);"
        "INSERT OR IGNORE INTO sink_order SELECT DISTINCT sink,0,0,0,0,0,0,0 FROM set_aside;"
        "UPDATE sink_order SET set_aside=(SELECT count(*) FROM set_aside a"
        " WHERE a.sink=sink_order.sink), retries=(SELECT count(*) FROM set_aside_retry r"
        " WHERE r.sink=sink_order.sink)",
        error);
}

/* --- what came of it ---------------------------------------------------------------------- */

static weir_err count_all(weir_salvage *s, weir_error *error)
{
    int64_t log, parts, tags, cursors;
    weir_err err = weir_db_int(s->db, "SELECT sum(count) FROM log", 0, &log, error);
    if (err == WEIR_OK)
        err = weir_db_int(s->db, "SELECT sum(samples) FROM part", 0, &parts, error);
    if (err == WEIR_OK)
        err = weir_db_int(s->db, "SELECT count(*) FROM tag", 0, &tags, error);
    if (err == WEIR_OK)
        err = weir_db_int(s->db, "SELECT max(seq) FROM cursor", 0, &cursors, error);
    if (err != WEIR_OK)
        return err;
    s->counts.samples = (uint64_t)(log + parts);
    s->counts.tags = (uint64_t)tags;
    if ((uint64_t)cursors > s->counts.last_seq)
        s->counts.last_seq = (uint64_t)cursors;
    return WEIR_OK;
}

void weir_salvage_say(const weir_salvage_counts *c, weir_text *ret)
{
    weir_text_format(
        ret, "%" PRIu64 " samples and %" PRIu64 " events of %" PRIu64 " tags were brought over",
        c->samples, c->events, c->tags);
    if (c->lost_seqs > 0)
        weir_text_format(ret,
                         "; %" PRIu64 " of the log are lost (numbers %" PRIu64 " to %" PRIu64 "%s)",
                         c->lost_seqs, c->ranges[0].first_seq, c->ranges[0].last_seq,
                         c->n_ranges > 1 ? " and others" : "");
    if (c->lost_samples > 0)
        weir_text_format(ret, "; %" PRIu64 " samples of history are lost", c->lost_samples);
    if (c->lost_replies > 0)
        weir_text_format(ret, "; of %" PRIu64 " replies only the due time is known",
                         c->lost_replies);
    if (c->moved > 0)
        weir_text_format(ret, "; %" PRIu64 " samples got new numbers", c->moved);
    if (c->lost_seqs + c->lost_samples == 0)
        weir_text_format(ret, "; nothing is known to be lost before number %" PRIu64, c->last_seq);
}

static weir_err settle_report(weir_salvage *s, int64_t seq, weir_wall now, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    char sql[200];
    weir_text_add(&text, "the store was damaged and has been repaired: ");
    weir_salvage_say(&s->counts, &text);
    weir_err err = weir_db_prepare(s->db, "INSERT INTO event VALUES(?,?,?,'',?)", &put, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(put, 1, seq);
    (void)sqlite3_bind_int64(put, 2, now.us);
    (void)sqlite3_bind_int(put, 3, WEIR_EVENT_STORE);
    (void)sqlite3_bind_text(put, 4, weir_text_get(&text), -1, SQLITE_STATIC);
    err = weir_db_run(put, error);
    (void)snprintf(sql, sizeof sql,
                   "INSERT OR REPLACE INTO meta VALUES('merged_seq',%" PRId64 "),"
                   "('repaired',%lld)",
                   seq, (long long)now.us);
    return err == WEIR_OK ? weir_db_exec(s->db, sql, error) : err;
}

weir_err weir_salvage_finish(weir_salvage *salvage, uint64_t known_seq, weir_wall now,
                             weir_salvage_counts *ret, weir_error *error)
{
    weir_salvage *s = salvage;
    int64_t history_seq = 0, last = 0;
    weir_err err = weir_salvage_settle_parts(s, error);
    if (err == WEIR_OK)
        err = settle_meta(s, now, error);
    if (err == WEIR_OK)
        err = weir_db_int(s->db, "SELECT value FROM meta WHERE key='history_seq'", 0, &history_seq,
                          error);
    if (err == WEIR_OK)
        err = settle_cursors(s, error);
    if (err == WEIR_OK)
        err = settle_sinks(s, error);
    if (err == WEIR_OK)
        err = weir_salvage_settle_fresh(s, history_seq, error);
    if (err == WEIR_OK)
        err = weir_salvage_settle_lost(s, history_seq, known_seq, now, &last, error);
    if (err == WEIR_OK)
        err = count_all(s, error);
    const int64_t jump = ((int64_t)(s->counts.last_seq >> 32) + 1) << 32;
    int64_t at = jump;
    if (err == WEIR_OK)
        err = weir_salvage_settle_homeless(s, &at, error);
    if (err == WEIR_OK)
        err = weir_salvage_settle_running(s, history_seq, error);
    if (err == WEIR_OK)
        err = weir_salvage_settle_tags(s, error);
    if (err == WEIR_OK)
        err = count_all(s, error);
    if (err == WEIR_OK)
        err = settle_report(s, at, now, error);
    /* Behind the last one that is known: lost, or never given. */
    if (err == WEIR_OK)
        err = weir_salvage_note_hole(s, last + 1, jump - 1, now, error);
    /* Rows of the snapshot may be lost: with no number it does not pass for whole. */
    if (err == WEIR_OK)
        err = weir_db_exec(s->db, "DELETE FROM fresh; UPDATE snapshot SET seq=0", error);
    if (err != WEIR_OK)
        return err;
    s->counts.next_seq = (uint64_t)at;
    *ret = s->counts;
    return WEIR_OK;
}
