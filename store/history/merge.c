/* SPDX-License-Identifier: MIT */
/* From commits to the log: fresh rows become rows of a minute. */

/*
 * Each merge_us, or when enough samples wait, a round begins: all rows committed by then become log
 * rows of at most ROW_SAMPLES, one transaction each, which also moves merged_seq and writes the
 * cursors that moved. A row that is large already is copied as it is. What the round reads also
 * goes into the current values; at most once a round these are written, if they changed enough.
 *
 * A fresh row that cannot be decoded is set aside. After any failure memory may know newer current
 * values than the table says; noting them again changes nothing.
 */

#include "store/history/merge.h"

#include <stdio.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/row.h"
#include "store/history/history.h"
#include "store/history/quarantine.h"
#include "store/query/newest.h"

enum {
    ROW_SAMPLES = 65536,
    ROW_RAW = WEIR_BLOCK_FULL_BYTES, /* bytes of bodies before compression in one row */
    ROUND_BYTES = 4 << 20,           /* of fresh rows: a round begins before its time */
    LOAD_SAMPLES = 400 * 1000,       /* decoded in one piece: about 10 ms */
    SEARCH_TAGS = 32,                /* of which parts are searched in one piece */
    TRIM_ROWS = 64,                  /* deleted in one piece ... */
    TRIM_BYTES = 1 << 20,            /* ... or so many bytes */
    CURRENT_RATIO = 4,               /* samples for each tag, before the values are written again */
};

/* A log row being put together. */
struct merge {
    weir_store *store;
    weir_block_builder *builder;
    uint64_t first_seq, last_seq, seq; /* seq: of the row being read */
    size_t rows, count, raw;
    uint64_t written; /* bytes */
    int64_t min_ts, max_ts;
    int64_t newest_ts, trusted_ts, epoch, epoch_ts; /* of the last row */
};

static weir_err log_insert(struct merge *m, const weir_block_bytes *block, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    const int64_t numbers[] = {
        (int64_t)m->first_seq, (int64_t)m->count, m->min_ts,   m->max_ts, m->newest_ts,
        m->trusted_ts,         m->epoch,          m->epoch_ts, 0,         (int64_t)m->last_seq};
    weir_err err = weir_db_prepare(
        m->store->db,
        "INSERT INTO log(first_seq,count,min_ts,max_ts,newest_ts,trusted_ts,epoch,epoch_ts,late,"
        "last_seq,head,body) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
        &put, error);
    if (err != WEIR_OK)
        return err;
    m->written += block->head_length + block->body_length;
    for (int i = 0; i < 10; i++)
        (void)sqlite3_bind_int64(put, i + 1, numbers[i]);
    (void)sqlite3_bind_blob(put, 11, block->head, (int)block->head_length, SQLITE_STATIC);
    (void)sqlite3_bind_blob(put, 12, block->body, (int)block->body_length, SQLITE_STATIC);
    return weir_db_run(put, error);
}

/* Moves merged_seq and folds the cursors, in the open transaction, and commits. */
static weir_err merge_end(struct merge *m, weir_error *error)
{
    weir_err err = weir_store_set_meta(m->store, "merged_seq", m->last_seq, error);
    if (err == WEIR_OK)
        err = weir_cursors_fold(&m->store->cursors, m->store->db, m->store->position.committed_seq,
                                error);
    if (err == WEIR_OK)
        err = weir_db_run(m->store->commit, error);
    if (err != WEIR_OK)
        return err;
    weir_cursors_folded(&m->store->cursors);
    m->store->merged_seq = m->last_seq;
    m->store->current.seq = m->last_seq;
    if (m->store->log.samples == 0)
        m->store->log.first_ts = m->store->log.newest_ts = m->newest_ts;
    m->store->log.samples += m->count;
    m->store->log.bytes += m->written;
    if (m->count > 0 && m->newest_ts > m->store->log.newest_ts)
        m->store->log.newest_ts = m->newest_ts;
    return WEIR_OK;
}

/* --- reading fresh rows ------------------------------------------------------------------- */

static void merge_take(struct merge *m, sqlite3_stmt *row, const weir_block_head *head)
{
    if (m->count == 0) {
        m->first_seq = (uint64_t)sqlite3_column_int64(row, FRESH_FIRST_SEQ);
        m->min_ts = head->min_ts.us;
        m->max_ts = head->max_ts.us;
    }
    m->min_ts = head->min_ts.us < m->min_ts ? head->min_ts.us : m->min_ts;
    m->max_ts = head->max_ts.us > m->max_ts ? head->max_ts.us : m->max_ts;
    m->last_seq = (uint64_t)sqlite3_column_int64(row, FRESH_FIRST_SEQ) + head->count - 1;
    m->newest_ts = sqlite3_column_int64(row, FRESH_NEWEST_TS);
    m->trusted_ts = sqlite3_column_int64(row, FRESH_TRUSTED_TS);
    m->epoch = sqlite3_column_int64(row, FRESH_EPOCH);
    m->epoch_ts = sqlite3_column_int64(row, FRESH_EPOCH_TS);
    m->count += head->count;
    m->raw += head->raw_size;
    m->rows++;
}

static weir_err merge_row(struct merge *m, const weir_row *row, const weir_block_head *head,
                          const weir_block *block, bool copy, weir_error *error)
{
    size_t before = 0;
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < block->n_batches; i++) {
        const weir_batch *batch = &block->batches[i];
        uint64_t seq = weir_row_seq(row, head, block, i, before);
        err = weir_store_current_note(&m->store->current, batch, seq, error);
        if (err == WEIR_OK && !copy)
            err = weir_block_builder_append_at(m->builder, batch, seq, error);
        before += batch->n_samples;
    }
    return err;
}

/* A row that goes over alone: a large one as it is, a damaged one out of the way. */
static weir_err merge_alone(struct merge *m, sqlite3_stmt *stmt, const weir_row *row,
                            const weir_block_head *head, weir_err reading, const weir_error *why,
                            weir_wall now, weir_error *error)
{
    weir_err err = weir_db_run(m->store->begin, error);
    if (reading == WEIR_OK) {
        const weir_block_bytes bytes = {row->head, row->head_length, row->body, head->body_size};
        merge_take(m, stmt, head);
        return err == WEIR_OK ? log_insert(m, &bytes, error) : err;
    }
    const int64_t count = sqlite3_column_int64(stmt, FRESH_COUNT);
    m->last_seq = row->first_seq + (uint64_t)count - 1;
    return err == WEIR_OK ? weir_quarantine_add(m->store,
                                                &(weir_damaged){.origin = "fresh",
                                                                .key = (int64_t)row->first_seq,
                                                                .count = count,
                                                                .row = *row},
                                                now, why, error)
                          : err;
}

/* Adds the row of a slot. *ret_full: it does not fit any more, or went over alone. */
static weir_err merge_slot(struct merge *m, const weir_fresh_slot *slot, weir_wall now,
                           bool *ret_full, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = NULL;
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    weir_error why = WEIR_ERROR_INIT;
    weir_block_head head = {0};
    weir_err err = weir_fresh_select(&m->store->fresh, slot, &stmt, error);
    if (err != WEIR_OK)
        return err;
    const weir_row row = weir_row_of(stmt, FRESH_FIRST_SEQ, FRESH_HEAD, FRESH_BODY);
    weir_err reading = weir_row_decode(row, &head, &block, &why);
    if (reading != WEIR_OK && reading != WEIR_EDAMAGED)
        return weir_fail(error, reading, "%s", why.text);
    const bool copy = head.count > ROW_SAMPLES / 2 || head.raw_size > ROW_RAW / 2;
    *ret_full = reading != WEIR_OK || copy || m->count + head.count > ROW_SAMPLES ||
                m->raw + head.raw_size > ROW_RAW;
    if (*ret_full && m->count > 0)
        return WEIR_OK; /* the next piece begins with it */
    if (reading == WEIR_OK)
        err = merge_row(m, &row, &head, block, copy, error);
    if (err == WEIR_OK && *ret_full)
        err = merge_alone(m, stmt, &row, &head, reading, &why, now, error);
    else if (err == WEIR_OK)
        merge_take(m, stmt, &head);
    return err;
}

/* One row of the log. */
static weir_err merge_piece(struct merge *m, weir_wall now, weir_error *error)
{
    uint64_t after = m->store->merged_seq;
    bool full = false;
    weir_err err = WEIR_OK;
    for (const weir_fresh_slot *slot; err == WEIR_OK && !full;) {
        slot = weir_fresh_next(&m->store->fresh, after);
        if (!slot || slot->first_seq > m->store->history->merge_until)
            break;
        err = merge_slot(m, slot, now, &full, error);
        after = slot->first_seq;
    }
    if (err == WEIR_OK && sqlite3_get_autocommit(m->store->db)) {
        weir_block_bytes bytes;
        err = weir_block_builder_encode(m->builder, &bytes, error);
        if (err == WEIR_OK)
            err = weir_db_run(m->store->begin, error);
        if (err == WEIR_OK)
            err = log_insert(m, &bytes, error);
    }
    return err == WEIR_OK ? merge_end(m, error) : err;
}

/* --- duties ------------------------------------------------------------------------------- */

/* A round ends with what was committed when it began. */
static void round_begin(weir_store *store, weir_wall now)
{
    const weir_fresh_waits waits = weir_fresh_waiting(&store->fresh, store->merged_seq);
    const bool due = now.us - store->history->merge_began.us >= store->options.merge_us ||
                     now.us < store->history->merge_began.us;
    if (!due && waits.samples < ROW_SAMPLES && waits.bytes < ROUND_BYTES)
        return;
    if (due)
        store->history->merge_began = now;
    store->history->merge_until = store->position.committed_seq;
    weir_fresh_note_peak(&store->fresh, waits.rows);
}

static bool round_has_rows(const weir_store *store)
{
    const weir_fresh_slot *slot = weir_fresh_next(&store->fresh, store->merged_seq);
    return slot && slot->first_seq <= store->history->merge_until;
}

weir_err weir_merge_fresh(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    const uint64_t ended = store->history->merge_until;
    if (!round_has_rows(store))
        round_begin(store, now);
    const bool rows = round_has_rows(store);
    const bool began =
        store->history->merge_until > ended || store->history->merge_began.us == now.us;
    if (!rows && !(began && weir_cursors_unfolded(&store->cursors)))
        return WEIR_OK;
    struct merge m = {.store = store, .last_seq = store->merged_seq};
    weir_err err = WEIR_OK;
    if (rows) {
        WEIR_CLEANUP(weir_block_builder_free)
        weir_block_builder *builder = weir_block_builder_new_merged();
        m.builder = builder;
        err = builder ? merge_piece(&m, now, error)
                      : weir_fail(error, WEIR_ENOMEM, "no memory to merge commits");
    } else {
        err = weir_db_run(store->begin, error);
        if (err == WEIR_OK)
            err = merge_end(&m, error);
    }
    *ret_did = err == WEIR_OK;
    return err;
}

weir_err weir_merge_shrink(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    (void)now;
    if (!weir_fresh_is_large(&store->fresh, store->merged_seq))
        return WEIR_OK;
    const size_t before = store->fresh.n;
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_fresh_shrink(&store->fresh, store->merged_seq, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK) {
        weir_store_rollback(store);
        weir_fresh_rolled_back(&store->fresh);
        return err;
    }
    weir_fresh_committed(&store->fresh);
    *ret_did = store->fresh.n < before;
    return WEIR_OK;
}

/* --- current values ----------------------------------------------------------------------- */

static weir_err load_on_batch(void *data, const weir_batch *batch, uint64_t seq, weir_error *error)
{
    return weir_store_current_note(data, batch, seq, error);
}

static weir_err search_on_item(void *data, const weir_item *item, weir_error *error)
{
    const weir_batch batch = {.plans = item->plans,
                              .epoch = item->epoch,
                              .due = item->sample.ts,
                              .sent = item->received,
                              .received = item->received,
                              .n_samples = 1,
                              .samples = &item->sample};
    return weir_store_current_note(data, &batch, item->seq, error);
}

/* The newest of some tags in parts, where the table had not all. *ret_more: tags are left. */
static weir_err current_search(weir_store *store, weir_view *view, bool *ret_more,
                               weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    weir_store_current *c = &store->current;
    bool row = true;
    int n = 0;
    weir_err err = weir_db_prepare(store->db,
                                   "SELECT uid, purged_seq FROM tag WHERE active AND uid>?"
                                   " AND uid<=2147483647 ORDER BY uid",
                                   &rows, error);
    if (err == WEIR_OK)
        err = weir_view_update(view, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, c->searched);
    for (; n < SEARCH_TAGS && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row; n++) {
        const weir_tag_uid tag = (weir_tag_uid)sqlite3_column_int64(rows, 0);
        err = weir_newest_in_parts(view, tag, (uint64_t)sqlite3_column_int64(rows, 1),
                                   search_on_item, c, error);
        if (err != WEIR_OK && err != WEIR_EDAMAGED) /* who reads that finds it */
            return err;
        c->searched = tag;
    }
    *ret_more = row;
    return err;
}

static weir_err search_piece(weir_store *store, bool *ret_more, weir_error *error)
{
    WEIR_CLEANUP(weir_view_free) weir_view *view = NULL;
    weir_err err = weir_view_new(store->db, &view, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->begin, error);
    if (err != WEIR_OK)
        return err;
    err = current_search(store, view, ret_more, error);
    weir_store_rollback(store); /* nothing was written */
    return err;
}

/* After a start: what the table has, and the log behind it. */
weir_err weir_merge_load_current(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    weir_store_current *c = &store->current;
    bool row = true;
    weir_err err = WEIR_OK;
    (void)now;
    if (store->current_loaded)
        return WEIR_OK;
    if (c->seq == 0 && !c->partial) {
        err = weir_store_current_load(c, store->db, error);
        if (err == WEIR_OK && c->partial && c->seq > store->history_seq)
            c->seq = store->history_seq;
    }
    if (err == WEIR_OK)
        err = weir_db_prepare(store->db,
                              "SELECT first_seq, head, body, count,"
                              " ifnull(last_seq, first_seq+count-1) FROM log WHERE first_seq>?"
                              " ORDER BY first_seq",
                              &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, (int64_t)c->seq);
    for (int64_t n = 0; err == WEIR_OK && row && n < LOAD_SAMPLES;) {
        err = weir_db_step(rows, &row, error);
        if (err != WEIR_OK || !row)
            break;
        err = weir_row_each(weir_row_of(rows, 0, 1, 2), c, load_on_batch, error);
        if (err == WEIR_EDAMAGED)
            err = WEIR_OK; /* history sets it aside */
        n += sqlite3_column_int64(rows, 3);
        c->seq = (uint64_t)sqlite3_column_int64(rows, 4);
    }
    bool more = false;
    if (err == WEIR_OK && !row && c->partial && store->history_seq > 0)
        err = search_piece(store, &more, error);
    if (err == WEIR_OK && !row && !more) {
        c->seq = store->merged_seq;
        c->partial = false;
        store->current_loaded = true;
    }
    *ret_did = err == WEIR_OK;
    return err;
}

weir_err weir_merge_write_current(weir_store *store, weir_wall now, bool *ret_did,
                                  weir_error *error)
{
    weir_store_current *c = &store->current;
    const int64_t age = now.us - store->history->current_written.us;
    if (c->since < CURRENT_RATIO * store->pending.n_tags || round_has_rows(store) ||
        (age >= 0 && age < store->options.merge_us))
        return WEIR_OK;
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_store_current_write(c, store->db, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        return err;
    weir_store_current_committed(c);
    store->history->current_written = now;
    *ret_did = true;
    return WEIR_OK;
}

/* --- the log's end ------------------------------------------------------------------------ */

weir_err weir_merge_trim_log(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *rows = store->find_passed;
    char sql[160];
    uint64_t until = weir_cursors_passed(&store->cursors, now, store->options.detached_after_us);
    int64_t n = 0, bytes = 0, last = -1;
    bool row;
    until = until < store->history_seq ? until : store->history_seq;
    weir_err err = WEIR_OK;
    (void)sqlite3_bind_int64(rows, 1, (int64_t)until);
    while (n < TRIM_ROWS && bytes < TRIM_BYTES &&
           (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        last = sqlite3_column_int64(rows, 0);
        bytes += sqlite3_column_int64(rows, 1);
        n++;
    }
    weir_db_stmt_reset(rows);
    if (err != WEIR_OK || n == 0)
        return err;
    (void)snprintf(sql, sizeof sql, "DELETE FROM log WHERE first_seq<=%lld", (long long)last);
    err = weir_db_exec(store->db, sql, error);
    *ret_did = err == WEIR_OK;
    return err;
}
