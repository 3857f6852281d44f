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
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/number.h"
#include "blocks/block.h"
#include "blocks/replies.h"
#include "blocks/segment.h"
#include "model/sample.h"
#include "store/file/cursor.h"
#include "store/file/database.h"
#include "store/file/identity.h"
#include "store/file/names.h"
#include "store/file/row.h"
#include "store/file/schema.h"
#include "store/repair/salvage_priv.h"

/* --- meta --------------------------------------------------------------------------------- */

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
        err = weir_db_prepare(s->db,
                              "SELECT state FROM fresh WHERE first_seq>0 AND length(state)>0"
                              " ORDER BY first_seq",
                              &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_err applied = weir_cursors_apply(&cursors, sqlite3_column_blob(rows, 0),
                                              (size_t)sqlite3_column_bytes(rows, 0), error);
        err = applied == WEIR_EDAMAGED ? WEIR_OK : applied;
    }
    if (err == WEIR_OK)
        err = weir_cursors_fold(&cursors, s->db, error);
    weir_cursors_deinit(&cursors);
    return err;
}

/* --- the log ------------------------------------------------------------------------------ */

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
static weir_err settle_fresh(weir_salvage *s, int64_t history_seq, weir_error *error)
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
    if (weir_row_decode(weir_row_of(row, 0, 1, 2), &head, &block, NULL) != WEIR_OK)
        return 0;
    if (head.codec == WEIR_BLOCK_CODEC)
        return head.count;
    return (int64_t)block->offsets[block->n_batches - 1] +
           block->batches[block->n_batches - 1].n_samples;
}

/* Rows whose numbers could not be told come last, the oldest first. */
static weir_err settle_homeless(weir_salvage *s, int64_t *at, weir_error *error)
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
static weir_err settle_running(weir_salvage *s, int64_t history_seq, weir_error *error)
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

/* --- history ------------------------------------------------------------------------------ */

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
    weir_reply *replies = weir_alloc_zero(head->count, sizeof *replies);
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
static weir_err settle_parts(weir_salvage *s, weir_error *error)
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

/* --- names -------------------------------------------------------------------------------- */

/* The last uid of the ranges in a head. */
static int64_t head_uid_highest(const weir_block_head *head)
{
    weir_reader r = weir_reader_of(head->ranges, head->ranges_length);
    uint64_t uid = 0;
    for (uint32_t i = 0; i < head->n_ranges; i++) {
        uid += weir_read_varint(&r);
        uid += weir_read_varint(&r);
    }
    return r.failed || uid >= UINT32_MAX ? 0 : (int64_t)uid;
}

/* The highest uid in use: of tags, segments, and the heads of blocks. */
static weir_err uid_highest(weir_salvage *s, int64_t *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_int(
        s->db,
        "SELECT max(u) FROM (SELECT max(uid) AS u FROM tag UNION ALL SELECT max(uid) FROM"
        " tag_version UNION ALL SELECT max(key>>8&0x7fffffff) FROM segment)",
        0, ret, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(s->db, "SELECT head FROM log", &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_block_head head;
        if (weir_block_head_parse(sqlite3_column_blob(rows, 0),
                                  (size_t)sqlite3_column_bytes(rows, 0), &head, NULL) == WEIR_OK)
            *ret = head_uid_highest(&head) > *ret ? head_uid_highest(&head) : *ret;
    }
    return err;
}

/* A uid is never given to another tag: each up to the highest in use has a row, and a name. */
static weir_err settle_tags(weir_salvage *s, weir_error *error)
{
    char sql[900];
    int64_t highest;
    weir_err err = uid_highest(s, &highest, error);
    if (err != WEIR_OK)
        return err;
    (void)snprintf(
        sql, sizeof sql,
        "INSERT OR IGNORE INTO tag(uid,name,active) SELECT uid, name, 0 FROM tag_version v"
        " WHERE seq=(SELECT max(seq) FROM tag_version w WHERE w.uid=v.uid);"
        "WITH RECURSIVE u(uid) AS (SELECT 1 UNION ALL SELECT uid+1 FROM u WHERE uid<%" PRId64 ")"
        " INSERT OR IGNORE INTO tag(uid,name,active) SELECT uid, 'salvaged/'||uid, 0 FROM u"
        " WHERE uid<=%" PRId64 " AND uid NOT IN (SELECT uid FROM tag);",
        highest, highest);
    err = weir_db_exec(s->db, sql, error);
    return err == WEIR_OK ? weir_names_complete(s->db, error) : err;
}

static weir_err name_help(sqlite3_stmt *put, const char *line, weir_error *error)
{
    char text[1024]; /* names are shorter */
    const size_t n = strcspn(line, "\n");
    const size_t digits = strspn(line, "0123456789");
    int64_t uid;
    if (digits == 0 || digits > 10 || line[digits] != ' ' || n <= digits + 1 || n >= sizeof text)
        return WEIR_OK;
    memcpy(text, line, n);
    text[n] = text[digits] = '\0';
    if (!weir_parse_i64(text, &uid) || uid <= 0 || uid >= UINT32_MAX ||
        !weir_utf8_valid(text + digits + 1, n - digits - 1))
        return WEIR_OK;
    (void)sqlite3_bind_int64(put, 1, uid);
    (void)sqlite3_bind_text(put, 2, text + digits + 1, -1, SQLITE_TRANSIENT);
    return weir_db_run(put, error);
}

weir_err weir_salvage_help(weir_salvage *salvage, const char *uuid, const char *tags,
                           bool *ret_same, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    char sql[200];
    int64_t same;
    *ret_same = false;
    if (strlen(uuid) != WEIR_UUID_SIZE - 1 || strspn(uuid, "0123456789abcdef-") != strlen(uuid))
        return WEIR_OK;
    (void)snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO meta VALUES('uuid','%s');", uuid);
    weir_err err = weir_db_exec(salvage->db, sql, error);
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM meta WHERE key='uuid' AND value='%s'",
                   uuid);
    if (err == WEIR_OK)
        err = weir_db_int(salvage->db, sql, 0, &same, error);
    if (err == WEIR_OK && same)
        err = weir_db_prepare(
            salvage->db, "INSERT OR IGNORE INTO tag(uid,name,active) VALUES(?,?,0)", &put, error);
    *ret_same = err == WEIR_OK && same;
    while (err == WEIR_OK && same && *tags) {
        err = name_help(put, tags, error);
        tags += strcspn(tags, "\n");
        tags += *tags == '\n';
    }
    return err;
}

/* --- what is lost ------------------------------------------------------------------------- */

struct seen {
    int64_t last;   /* all up to here is accounted for */
    int64_t max_ts; /* of the last row of samples; INT64_MIN: none */
};

/* A row of `quarantine` without a block: what verifies the store knows of the hole. */
static weir_err hole_note(weir_salvage *s, int64_t first, int64_t last, weir_wall now,
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
static weir_err settle_lost(weir_salvage *s, int64_t history_seq, struct seen *seen, weir_wall now,
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
            err = hole_note(s, seen->last + 1, first - 1, now, error);
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
            err = hole_note(s, next, seq - 1, now, error);
        }
        next = seq + 1;
    }
    return err;
}

static weir_err settle_lost_events(weir_salvage *s, int64_t history_seq, weir_wall now,
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
    struct seen seen = {0};
    int64_t history_seq = 0;
    weir_err err = settle_orphans(s, error);
    if (err == WEIR_OK)
        err = weir_salvage_settle_replies(s, error);
    if (err == WEIR_OK)
        err = settle_parts(s, error);
    if (err == WEIR_OK)
        err = settle_meta(s, now, error);
    if (err == WEIR_OK)
        err = weir_db_int(s->db, "SELECT value FROM meta WHERE key='history_seq'", 0, &history_seq,
                          error);
    if (err == WEIR_OK)
        err = settle_cursors(s, error);
    if (err == WEIR_OK)
        err = settle_fresh(s, history_seq, error);
    if (err == WEIR_OK)
        err = settle_lost(s, history_seq, &seen, now, error);
    if (err == WEIR_OK)
        err = settle_lost_events(s, history_seq, now, error);
    if (known_seq >= (uint64_t)SALVAGE_SEQ_MAX)
        known_seq = 0;
    s->counts.last_seq = (uint64_t)seen.last > known_seq ? (uint64_t)seen.last : known_seq;
    if (known_seq > (uint64_t)seen.last)
        range_add(s, seen.last + 1, (int64_t)known_seq, seen.max_ts, 0);
    if (err == WEIR_OK)
        err = count_all(s, error);
    const int64_t jump = ((int64_t)(s->counts.last_seq >> 32) + 1) << 32;
    int64_t at = jump;
    if (err == WEIR_OK)
        err = settle_homeless(s, &at, error);
    if (err == WEIR_OK)
        err = settle_running(s, history_seq, error);
    if (err == WEIR_OK)
        err = settle_tags(s, error);
    if (err == WEIR_OK)
        err = count_all(s, error);
    if (err == WEIR_OK)
        err = settle_report(s, at, now, error);
    /* Behind the last one that is known: lost, or never given. */
    if (err == WEIR_OK)
        err = hole_note(s, seen.last + 1, jump - 1, now, error);
    char sql[120];
    (void)snprintf(sql, sizeof sql,
                   "DELETE FROM fresh; UPDATE snapshot SET seq=min(seq,%" PRId64 ");", history_seq);
    if (err == WEIR_OK)
        err = weir_db_exec(s->db, sql, error);
    s->counts.next_seq = (uint64_t)at;
    if (err == WEIR_OK)
        *ret = s->counts;
    return err;
}
