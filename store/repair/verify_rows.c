/* SPDX-License-Identifier: MIT */
/* Checking the rows of log and fresh, the snapshot, and the numbers of samples and events. */

/*
 * Rows are read in the order of their seq: the log, then the fresh rows above merged_seq. What is
 * used up may be gone: rows of the log below history_seq are deleted once every sink has them. So
 * there only an overlap is wrong; above, every number must be there once, in a row or as an event.
 * Numbers that grow from row to row (newest_ts and the like) are compared from the first row on,
 * and exactly, if nothing was deleted before it.
 */

#include "store/repair/verify_priv.h"

#include <inttypes.h>
#include <string.h>

#include "store/file/database.h"

/* Columns of both statements below. */
enum {
    ROW_FIRST_SEQ,
    ROW_LAST_SEQ,
    ROW_COUNT,
    ROW_MIN_TS,
    ROW_MAX_TS,
    ROW_NEWEST_TS,
    ROW_TRUSTED_TS,
    ROW_EPOCH,
    ROW_EPOCH_TS,
    ROW_HEAD,
    ROW_BODY,
    ROW_STATE, /* of fresh rows only */
    ROW_COLUMNS,
};

#define ROW_REST ", count, min_ts, max_ts, newest_ts, trusted_ts, epoch, epoch_ts, head, body"

/* What the rows so far came to. */
struct progress {
    int64_t newest_ts;
    int64_t trusted_ts; /* of batches whose clock was trusted; 0: none */
    int64_t epoch;      /* the greatest */
    int64_t epoch_ts;   /* the newest ts in it */
};

struct rows_check {
    struct verification *v;
    const char *table;
    bool fresh;
    int64_t used; /* seqs up to here were seen elsewhere */
    bool started; /* progress is known */
    struct progress progress;
    int64_t next_seq; /* all below was seen, or need not be there */
    sqlite3_stmt *events, *quarantined;
    int64_t next_event; /* INT64_MAX: no more */
};

/* --- numbers ------------------------------------------------------------------------------ */

/* They come from the file and may be at the end of what an integer can hold. */
static int64_t seq_shift(int64_t seq, int64_t n)
{
    return weir_view_shift(seq, n);
}

static weir_err event_step(struct rows_check *c, weir_error *error)
{
    bool row;
    weir_err err = weir_db_step(c->events, &row, error);
    c->next_event = err == WEIR_OK && row ? sqlite3_column_int64(c->events, 0) : INT64_MAX;
    c->v->counts.events += c->next_event != INT64_MAX;
    return err;
}

/* Whether all of first .. last was put aside as damaged. */
static bool is_quarantined(struct rows_check *c, int64_t first, int64_t last)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = c->quarantined;
    bool row;
    if (!stmt)
        return false;
    (void)sqlite3_bind_int64(stmt, 1, first);
    (void)sqlite3_bind_int64(stmt, 2, last);
    return weir_db_step(stmt, &row, NULL) == WEIR_OK && row;
}

static void seqs_cover(struct rows_check *c, int64_t first, int64_t last)
{
    int64_t history = (int64_t)weir_view_history_seq(c->v->view);
    int64_t missing = c->next_seq > history ? c->next_seq : seq_shift(history, 1);
    if (first < c->next_seq)
        weir_verify_finding(c->v, "sequence: %" PRId64 " is used twice", first);
    else if (first > missing && !is_quarantined(c, missing, first - 1))
        weir_verify_finding(c->v, "sequence: %" PRId64 " to %" PRId64 " are missing", missing,
                            first - 1);
    if (last >= c->next_seq)
        c->next_seq = seq_shift(last, 1);
}

/* Samples with these numbers, and the events before them. */
static weir_err seqs_add(struct rows_check *c, int64_t first, int64_t last, weir_error *error)
{
    weir_err err = WEIR_OK;
    while (err == WEIR_OK && c->next_event < first) {
        seqs_cover(c, c->next_event, c->next_event);
        err = event_step(c, error);
    }
    seqs_cover(c, first, last);
    return err;
}

static weir_err seqs_of_block(struct rows_check *c, int64_t first_seq, const weir_block *block,
                              weir_error *error)
{
    int64_t before = 0, first = first_seq, next = first_seq;
    for (size_t i = 0; i < block->n_batches; i++) {
        int64_t at = seq_shift(first_seq, block->offsets ? (int64_t)block->offsets[i] : before);
        if (at != next && i > 0) {
            weir_err err = seqs_add(c, first, seq_shift(next, -1), error);
            if (err != WEIR_OK)
                return err;
            first = at;
        } else if (i == 0) {
            first = at;
        }
        next = seq_shift(at, block->batches[i].n_samples);
        before += block->batches[i].n_samples;
    }
    return seqs_add(c, first, seq_shift(next, -1), error);
}

/* --- one row ------------------------------------------------------------------------------ */

static void row_finding(struct rows_check *c, sqlite3_stmt *row, const char *text)
{
    weir_verify_finding(c->v, "%s row %lld: %s", c->table,
                        (long long)sqlite3_column_int64(row, ROW_FIRST_SEQ), text);
}

/* Each tag inside is one that the head names and the registry knows. */
static void tags_check(struct rows_check *c, sqlite3_stmt *row, const weir_block_head *head,
                       const weir_block *block)
{
    for (size_t i = 0; i < block->count; i++) {
        weir_tag_uid uid = block->samples[i].tag;
        if (i > 0 && uid == block->samples[i - 1].tag)
            continue;
        bool named = weir_names_of(&c->v->names, uid);
        if (named && weir_block_head_has_any(head, &uid, 1))
            continue;
        weir_verify_finding(c->v, "%s row %lld: a sample of tag uid %" PRIu32 ", which %s",
                            c->table, (long long)sqlite3_column_int64(row, ROW_FIRST_SEQ), uid,
                            named ? "is not in its head" : "has no name");
        return;
    }
}

/* Behind the block of a fresh row there are zeros. */
static void padding_check(struct rows_check *c, sqlite3_stmt *row, const weir_block_head *head)
{
    const uint8_t *body = sqlite3_column_blob(row, ROW_BODY);
    size_t n = (size_t)sqlite3_column_bytes(row, ROW_BODY);
    for (size_t i = head->body_size; i < n; i++) {
        if (body[i] != 0) {
            row_finding(c, row, "what is behind its block is not zero");
            break;
        }
    }
}

static void columns_check(struct rows_check *c, sqlite3_stmt *row, const weir_block_head *head)
{
    for (int i = 0; i < (c->fresh ? ROW_COLUMNS : ROW_STATE); i++) {
        bool blob = i == ROW_HEAD || i == ROW_BODY || i == ROW_STATE;
        if (sqlite3_column_type(row, i) != (blob ? SQLITE_BLOB : SQLITE_INTEGER)) {
            row_finding(c, row, "a column is of the wrong type");
            break;
        }
    }
    if (sqlite3_column_int64(row, ROW_COUNT) != head->count)
        weir_verify_finding(c->v, "%s row %lld: count is %lld, its block holds %" PRIu32, c->table,
                            (long long)sqlite3_column_int64(row, ROW_FIRST_SEQ),
                            (long long)sqlite3_column_int64(row, ROW_COUNT), head->count);
    if (sqlite3_column_int64(row, ROW_MIN_TS) != head->min_ts.us ||
        sqlite3_column_int64(row, ROW_MAX_TS) != head->max_ts.us)
        row_finding(c, row, "min_ts and max_ts are not those of its block");
    /* Only merged rows have numbers of events between those of their samples. */
    const int64_t last = sqlite3_column_int64(row, ROW_LAST_SEQ);
    const int64_t full = seq_shift(sqlite3_column_int64(row, ROW_FIRST_SEQ), head->count - 1);
    if (head->codec == WEIR_BLOCK_CODEC ? last != full : last < full)
        row_finding(c, row, "last_seq does not fit its block");
}

static void progress_add(struct progress *p, const weir_block *block)
{
    for (size_t i = 0; i < block->n_batches; i++) {
        const weir_batch *batch = &block->batches[i];
        const bool trusted = !(batch->flags & WEIR_BATCH_CLOCK_UNTRUSTED);
        if (batch->n_samples > 0 && batch->epoch > p->epoch) {
            p->epoch = batch->epoch;
            p->epoch_ts = INT64_MIN;
        }
        for (size_t k = 0; k < batch->n_samples; k++) {
            int64_t ts = batch->samples[k].ts.us;
            p->newest_ts = ts > p->newest_ts ? ts : p->newest_ts;
            if (trusted && (p->trusted_ts == 0 || ts > p->trusted_ts))
                p->trusted_ts = ts;
            if (batch->epoch == p->epoch && ts > p->epoch_ts)
                p->epoch_ts = ts;
        }
    }
}

static struct progress progress_of(sqlite3_stmt *row)
{
    return (struct progress){
        sqlite3_column_int64(row, ROW_NEWEST_TS), sqlite3_column_int64(row, ROW_TRUSTED_TS),
        sqlite3_column_int64(row, ROW_EPOCH), sqlite3_column_int64(row, ROW_EPOCH_TS)};
}

/* The row's own numbers go on from those before: with its samples added they are what it says. */
static void progress_check(struct rows_check *c, sqlite3_stmt *row, const weir_block *block)
{
    const struct progress says = progress_of(row);
    struct progress is = c->started ? c->progress : says;
    progress_add(&is, block);
    if (is.newest_ts != says.newest_ts)
        row_finding(c, row, "newest_ts is not the newest so far");
    if (is.trusted_ts != says.trusted_ts)
        row_finding(c, row, "trusted_ts is not that of the rows so far");
    if (is.epoch != says.epoch || is.epoch_ts != says.epoch_ts)
        row_finding(c, row, "epoch and epoch_ts are not those of the rows so far");
    c->progress = is;
    c->started = true;
}

/* What cannot be read must not make its successors look wrong. */
static weir_err row_skip(struct rows_check *c, sqlite3_stmt *row, weir_error *error)
{
    const struct progress says = progress_of(row);
    int64_t last = sqlite3_column_int64(row, ROW_LAST_SEQ);
    struct progress *p = &c->progress;
    if (!c->started || says.newest_ts > p->newest_ts)
        p->newest_ts = says.newest_ts;
    if (!c->started || says.trusted_ts > p->trusted_ts)
        p->trusted_ts = says.trusted_ts;
    if (!c->started || says.epoch >= p->epoch) {
        p->epoch = says.epoch;
        p->epoch_ts = says.epoch_ts;
    }
    c->started = true;
    weir_err err = seqs_add(c, sqlite3_column_int64(row, ROW_FIRST_SEQ), last, error);
    while (err == WEIR_OK && c->next_event <= last)
        err = event_step(c, error);
    return err;
}

static weir_err row_decode(struct rows_check *c, sqlite3_stmt *row, weir_block_head *ret_head,
                           weir_block **ret, weir_error *error)
{
    size_t head_size = (size_t)sqlite3_column_bytes(row, ROW_HEAD);
    size_t body_size = (size_t)sqlite3_column_bytes(row, ROW_BODY);
    weir_err err =
        weir_block_head_parse(sqlite3_column_blob(row, ROW_HEAD), head_size, ret_head, error);
    if (err == WEIR_OK && ret_head->head_length != head_size)
        err = weir_fail(error, WEIR_EDAMAGED, "bytes behind the block head");
    if (err == WEIR_OK && c->fresh && body_size > ret_head->body_size)
        body_size = ret_head->body_size; /* padded */
    if (err == WEIR_OK)
        err =
            weir_block_decode(ret_head, sqlite3_column_blob(row, ROW_BODY), body_size, ret, error);
    return err == WEIR_OK ? err
                          : weir_fail_prefix(error, "%s row %lld: ", c->table,
                                             (long long)sqlite3_column_int64(row, ROW_FIRST_SEQ));
}

/* Damage of one row is a finding; the next rows are still looked at. */
static weir_err row_check(struct rows_check *c, sqlite3_stmt *row, weir_error *error)
{
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    uint64_t before = c->v->counts.findings;
    int64_t first_seq = sqlite3_column_int64(row, ROW_FIRST_SEQ);
    weir_block_head head;
    weir_err err = row_decode(c, row, &head, &block, error);
    if (err == WEIR_EDAMAGED || err == WEIR_EUNSUPPORTED) {
        weir_verify_finding(c->v, "%s", error->text);
        return row_skip(c, row, error);
    }
    if (err != WEIR_OK)
        return err;
    columns_check(c, row, &head);
    padding_check(c, row, &head);
    tags_check(c, row, &head, block);
    progress_check(c, row, block);
    err = seqs_of_block(c, first_seq, block, error);
    if (c->v->counts.findings == before) {
        c->v->counts.rows++;
        if (sqlite3_column_int64(row, ROW_LAST_SEQ) > c->used)
            c->v->counts.samples += head.count;
    }
    return err;
}

/* --- all of them -------------------------------------------------------------------------- */

static weir_err table_check(struct rows_check *c, const char *sql, uint64_t used, uint64_t after,
                            weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    c->used = (int64_t)used;
    weir_err err = weir_db_prepare(c->v->db, sql, &rows, error);
    if (err == WEIR_OK)
        (void)sqlite3_bind_int64(rows, 1, (int64_t)after);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row)
        err = row_check(c, rows, error);
    return weir_verify_pass_end(c->v, c->table, err, error);
}

static weir_err snapshot_check(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(v->db, "SELECT id, head, body FROM main.snapshot ORDER BY id",
                                   &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_block *block = NULL;
        weir_block_head head;
        err = weir_block_head_parse(sqlite3_column_blob(rows, 1),
                                    (size_t)sqlite3_column_bytes(rows, 1), &head, error);
        if (err == WEIR_OK)
            err = weir_block_decode(&head, sqlite3_column_blob(rows, 2),
                                    (size_t)sqlite3_column_bytes(rows, 2), &block, error);
        weir_block_free(block);
        if (err == WEIR_EDAMAGED || err == WEIR_EUNSUPPORTED) {
            weir_verify_finding(v, "snapshot row %lld: %s",
                                (long long)sqlite3_column_int64(rows, 0), error->text);
            err = WEIR_OK;
        }
    }
    return weir_verify_pass_end(v, "snapshot", err, error);
}

static weir_err tables_check(struct rows_check *c, weir_error *error)
{
    const weir_view *view = c->v->view;
    const bool history = weir_view_has_history(view);
    c->table = "log";
    weir_err err =
        table_check(c,
                    history ? "SELECT first_seq, coalesce(last_seq, first_seq+count-1)" ROW_REST
                              " FROM main.log WHERE first_seq>?1 ORDER BY first_seq"
                            : "SELECT first_seq, first_seq+count-1" ROW_REST
                              " FROM main.log WHERE first_seq>?1 ORDER BY first_seq",
                    weir_view_history_seq(view), 0, error);
    if (err != WEIR_OK || !history)
        return err;
    c->table = "fresh";
    c->fresh = true;
    err = table_check(c,
                      "SELECT first_seq, first_seq+count-1" ROW_REST
                      ", state FROM main.fresh WHERE first_seq>?1 ORDER BY first_seq",
                      weir_view_merged_seq(view), weir_view_merged_seq(view), error);
    return err == WEIR_OK ? snapshot_check(c->v, error) : err;
}

weir_err weir_verify_rows(struct verification *v, weir_error *error)
{
    const bool history = weir_view_has_history(v->view);
    struct rows_check c = {.v = v,
                           .started = weir_view_history_seq(v->view) == 0,
                           .progress = {INT64_MIN, 0, -1, INT64_MIN},
                           .next_seq = 1};
    weir_err err =
        weir_db_prepare(v->db, "SELECT seq FROM main.event ORDER BY seq", &c.events, error);
    if (err == WEIR_OK && history)
        err = weir_db_prepare(v->db,
                              "SELECT 1 FROM main.quarantine WHERE origin IN ('log', 'fresh')"
                              " AND key<=?1 AND key+count>?2 LIMIT 1",
                              &c.quarantined, error);
    if (err == WEIR_OK)
        err = event_step(&c, error);
    if (err == WEIR_OK)
        err = tables_check(&c, error);
    while (err == WEIR_OK && c.next_event != INT64_MAX) {
        seqs_cover(&c, c.next_event, c.next_event);
        err = event_step(&c, error);
    }
    (void)sqlite3_finalize(c.events);
    (void)sqlite3_finalize(c.quarantined);
    return weir_verify_pass_end(v, "sequence", err, error);
}
