/* SPDX-License-Identifier: MIT */
/* Checking a store from end to end. */

#include "store/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "blocks/block.h"
#include "store/database.h"
#include "store/names.h"
#include "store/query.h"
#include "store/scan.h"

enum { INTEGRITY_FINDINGS_MAX = 100 };

struct verification {
    sqlite3 *db;
    weir_verify_report *report;
    void *data;
    weir_verify_counts counts;
    weir_names names;
    int64_t newest_ts;  /* of the rows so far */
    int64_t trusted_ts; /* the same, of batches whose clock was trusted; 0: none */
    int64_t epoch;      /* the greatest of the rows so far; -1: of none */
    int64_t epoch_ts;   /* the newest ts in it */
};

static void WEIR_PRINTF(2, 3) finding(struct verification *v, const char *format, ...)
{
    char line[600];
    va_list va;
    va_start(va, format);
    (void)vsnprintf(line, sizeof line, format, va);
    va_end(va);
    v->counts.findings++;
    if (v->report)
        v->report(v->data, line);
}

/* A fault of a pass is a finding when it means damage; memory and the like end the verification. */
static weir_err pass_end(struct verification *v, const char *what, weir_err err,
                         const weir_error *error)
{
    if (err != WEIR_EDAMAGED)
        return err;
    finding(v, "%s: reading stopped: %s", what, error->text);
    return WEIR_OK;
}

static weir_err verify_integrity(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    char sql[64];
    bool row;
    (void)snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", INTEGRITY_FINDINGS_MAX);
    weir_err err = weir_db_prepare(v->db, sql, &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (text && strcmp(text, "ok") != 0)
            finding(v, "database: %s", text);
    }
    return pass_end(v, "database", err, error);
}

/* --- rows --------------------------------------------------------------------------------- */

/* Each tag inside is one that the head names and the registry knows. */
static void verify_tags(struct verification *v, int64_t first_seq, const weir_block_head *head,
                        const weir_block *block)
{
    for (size_t i = 0; i < block->count; i++) {
        weir_tag_uid uid = block->samples[i].tag;
        if (i > 0 && uid == block->samples[i - 1].tag)
            continue;
        if (!weir_names_of(&v->names, uid)) {
            finding(v, "log row %" PRId64 ": a sample of tag uid %" PRIu32 ", which has no name",
                    first_seq, uid);
            return;
        }
        if (!weir_block_head_has_any(head, &uid, 1)) {
            finding(v, "log row %" PRId64 ": tag uid %" PRIu32 " is not in its head", first_seq,
                    uid);
            return;
        }
    }
}

/* The columns beside the block repeat what is inside. */
static void verify_columns(struct verification *v, sqlite3_stmt *row, int64_t first_seq,
                           const weir_block_head *head)
{
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        bool blob = i == 5 || i == 6;
        if (sqlite3_column_type(row, i) != (blob ? SQLITE_BLOB : SQLITE_INTEGER)) {
            finding(v, "log row %" PRId64 ": %s is of the wrong type", first_seq,
                    sqlite3_column_name(row, i));
            break;
        }
    }
    if (sqlite3_column_int64(row, 1) != head->count)
        finding(v, "log row %" PRId64 ": count is %lld, its block holds %" PRIu32, first_seq,
                (long long)sqlite3_column_int64(row, 1), head->count);
    if (sqlite3_column_int64(row, 2) != head->min_ts.us ||
        sqlite3_column_int64(row, 3) != head->max_ts.us)
        finding(v, "log row %" PRId64 ": min_ts and max_ts are not those of its block", first_seq);
    if (head->max_ts.us > v->newest_ts)
        v->newest_ts = head->max_ts.us;
    if (sqlite3_column_int64(row, 4) != v->newest_ts)
        finding(v, "log row %" PRId64 ": newest_ts is not the newest so far", first_seq);
}

/* The greatest epoch so far and the newest ts in it go on from row to row. `late` needs no look:
 * the integrity check compares it with its index. */
static void verify_epoch(struct verification *v, sqlite3_stmt *row, int64_t first_seq,
                         const weir_block *block)
{
    for (size_t i = 0; i < block->n_batches; i++) {
        const weir_batch *batch = &block->batches[i];
        if (batch->epoch < v->epoch)
            continue;
        if (batch->epoch > v->epoch) {
            v->epoch = batch->epoch;
            v->epoch_ts = INT64_MIN;
        }
        for (size_t k = 0; k < batch->n_samples; k++)
            if (batch->samples[k].ts.us > v->epoch_ts)
                v->epoch_ts = batch->samples[k].ts.us;
    }
    if (sqlite3_column_int64(row, 7) != v->epoch || sqlite3_column_int64(row, 8) != v->epoch_ts)
        finding(v, "log row %" PRId64 ": epoch and epoch_ts are not those of the rows so far",
                first_seq);
}

static void verify_trusted(struct verification *v, sqlite3_stmt *row, int64_t first_seq,
                           const weir_block *block)
{
    for (size_t i = 0; i < block->n_batches; i++) {
        const weir_batch *batch = &block->batches[i];
        for (size_t k = 0; k < batch->n_samples; k++)
            if (!(batch->flags & WEIR_BATCH_CLOCK_UNTRUSTED) &&
                (v->trusted_ts == 0 || batch->samples[k].ts.us > v->trusted_ts))
                v->trusted_ts = batch->samples[k].ts.us;
    }
    if (sqlite3_column_int64(row, 9) != v->trusted_ts)
        finding(v, "log row %" PRId64 ": trusted_ts is not that of the rows so far", first_seq);
}

/* What cannot be read must not make its successors look wrong. */
static void verify_skip(struct verification *v, sqlite3_stmt *row)
{
    int64_t epoch = sqlite3_column_int64(row, 7);
    int64_t trusted_ts = sqlite3_column_int64(row, 9);
    if (trusted_ts != 0 && (v->trusted_ts == 0 || trusted_ts > v->trusted_ts))
        v->trusted_ts = trusted_ts;
    if (sqlite3_column_int64(row, 4) > v->newest_ts)
        v->newest_ts = sqlite3_column_int64(row, 4);
    if (epoch >= v->epoch) {
        v->epoch = epoch;
        v->epoch_ts = sqlite3_column_int64(row, 8);
    }
}

/* Damage of one row is a finding; the next rows are still looked at. */
static weir_err verify_row(struct verification *v, sqlite3_stmt *row, weir_error *error)
{
    int64_t first_seq = sqlite3_column_int64(row, 0);
    uint64_t before = v->counts.findings;
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    weir_block_head head;
    weir_err err = weir_scan_head(row, 5, first_seq, &head, error);
    if (err == WEIR_OK) {
        verify_columns(v, row, first_seq, &head);
        err = weir_scan_block(row, 6, first_seq, &head, &block, error);
    }
    if (err == WEIR_OK) {
        verify_tags(v, first_seq, &head, block);
        verify_epoch(v, row, first_seq, block);
        verify_trusted(v, row, first_seq, block);
    }
    if (err == WEIR_EDAMAGED || err == WEIR_EUNSUPPORTED) {
        finding(v, "%s", error->text);
        verify_skip(v, row);
        return WEIR_OK;
    }
    if (err == WEIR_OK && v->counts.findings == before) {
        v->counts.rows++;
        v->counts.samples += head.count;
    }
    return err;
}

static weir_err verify_rows(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    v->newest_ts = INT64_MIN;
    v->epoch = -1;
    weir_err err = weir_db_prepare(v->db,
                                   "SELECT first_seq, count, min_ts, max_ts, newest_ts, head, body,"
                                   " epoch, epoch_ts, trusted_ts FROM log ORDER BY first_seq",
                                   &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row)
        err = verify_row(v, rows, error);
    return pass_end(v, "log", err, error);
}

/* --- numbers and names -------------------------------------------------------------------- */

/* Samples and events together use every number from 1 on, once. */
static weir_err verify_sequence(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    int64_t next = 1;
    bool row;
    weir_err err = weir_db_prepare(v->db,
                                   "SELECT first_seq, count, 0 FROM log UNION ALL"
                                   " SELECT seq, 1, 1 FROM event ORDER BY 1",
                                   &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        int64_t first = sqlite3_column_int64(stmt, 0), count = sqlite3_column_int64(stmt, 1);
        if (first > next)
            finding(v, "sequence: %" PRId64 " to %" PRId64 " are missing", next, first - 1);
        else if (first < next)
            finding(v, "sequence: %" PRId64 " is used twice", first);
        next = first + count > next ? first + count : next;
        v->counts.events += (uint64_t)sqlite3_column_int64(stmt, 2);
    }
    return pass_end(v, "sequence", err, error);
}

static weir_err verify_registry(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(v->db,
                                   "SELECT t.uid, count(v.uid) FROM tag t LEFT JOIN tag_version v"
                                   " USING(uid) GROUP BY t.uid",
                                   &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        if (sqlite3_column_int64(stmt, 1) == 0)
            finding(v, "tag uid %lld has no version", (long long)sqlite3_column_int64(stmt, 0));
        else
            v->counts.tags++;
    }
    return pass_end(v, "tags", err, error);
}

static weir_err verify_all(struct verification *v, weir_error *error)
{
    weir_err err = weir_db_exec(v->db, "BEGIN", error);
    if (err == WEIR_OK)
        err = verify_integrity(v, error);
    if (err == WEIR_OK)
        err = pass_end(v, "tags", weir_names_update(&v->names, v->db, error), error);
    if (err == WEIR_OK)
        err = verify_rows(v, error);
    if (err == WEIR_OK)
        err = verify_sequence(v, error);
    return err == WEIR_OK ? verify_registry(v, error) : err;
}

weir_err weir_store_verify(const char *data_dir, const char *vfs, weir_verify_report *report,
                           void *data, weir_verify_counts *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_query_close) weir_query *query = NULL;
    weir_error local = WEIR_ERROR_INIT; /* findings need its words, whatever the caller wants */
    struct verification v = {.report = report, .data = data};
    weir_err err = weir_query_open(data_dir, vfs, &query, &local);
    if (err == WEIR_OK) {
        v.db = weir_query_db(query);
        err = verify_all(&v, &local);
    }
    weir_names_deinit(&v.names);
    *ret = v.counts;
    if (err != WEIR_OK)
        return weir_fail(error, err, "%s", local.text);
    if (v.counts.findings > 0)
        return weir_fail(error, WEIR_EDAMAGED,
                         "%s: %" PRIu64 " findings; %" PRIu64 " rows with %" PRIu64
                         " samples are sound",
                         data_dir, v.counts.findings, v.counts.rows, v.counts.samples);
    return WEIR_OK;
}
