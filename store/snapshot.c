/* SPDX-License-Identifier: MIT */
/* The newest sample of every tag: kept in memory as rows are merged, written now and then. */

/*
 * The table is what a start and every reader of current values begins with, so that neither reads
 * the log further back. It holds blocks of merged form: entries that came in one batch, side by
 * side, share its header. Blocks count the seq of their batches with 32 bits from their first, so
 * tags that have been silent for long may need blocks of their own.
 */

#include "store/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/row.h"

#define SEQ_SPAN_MAX INT32_MAX /* within one block */

static bool value_is_owned(const weir_value *v)
{
    return v->kind >= WEIR_KIND_STRING;
}

static void latest_drop(weir_latest *l)
{
    if (l->seq && value_is_owned(&l->sample.value))
        weir_free((void *)(uintptr_t)l->sample.value.as.bytes);
    l->seq = 0;
}

void weir_store_current_deinit(weir_store_current *c)
{
    for (size_t i = 0; i < c->n; i++)
        latest_drop(&c->tags[i]);
    weir_free(c->tags);
    *c = (weir_store_current){0};
}

static bool current_reserve(weir_store_current *c, size_t n)
{
    if (n <= c->n)
        return true;
    n += n / 8;
    weir_latest *tags = weir_realloc_array(c->tags, n, sizeof *tags);
    if (!tags)
        return false;
    memset(tags + c->n, 0, (n - c->n) * sizeof *tags);
    c->tags = tags;
    c->n = n;
    return true;
}

static bool latest_is_before(const weir_latest *l, uint32_t epoch, weir_wall ts, uint64_t seq)
{
    if (l->seq == 0 || l->batch.epoch != epoch)
        return l->seq == 0 || l->batch.epoch < epoch;
    return l->sample.ts.us != ts.us ? l->sample.ts.us < ts.us : l->seq < seq;
}

static bool latest_set(weir_latest *l, const weir_batch *batch, const weir_sample *sample,
                       uint64_t seq)
{
    weir_value value = sample->value;
    if (value_is_owned(&value)) {
        uint8_t *copy = weir_alloc(value.length + 1u);
        if (!copy)
            return false;
        memcpy(copy, value.as.bytes, value.length);
        value.as.bytes = copy;
    }
    latest_drop(l);
    *l = (weir_latest){*batch, *sample, seq};
    l->batch.samples = NULL;
    l->sample.value = value;
    return true;
}

weir_err weir_store_current_note(weir_store_current *c, const weir_batch *batch, uint64_t seq,
                                 weir_error *error)
{
    for (uint32_t i = 0; i < batch->n_samples; i++) {
        const weir_sample *s = &batch->samples[i];
        if (!current_reserve(c, (size_t)s->tag + 1))
            return weir_fail(error, WEIR_ENOMEM, "no memory for the current values");
        weir_latest *l = &c->tags[s->tag];
        if (latest_is_before(l, batch->epoch, s->ts, seq + i) && !latest_set(l, batch, s, seq + i))
            return weir_fail(error, WEIR_ENOMEM, "no memory for the current values");
    }
    c->since += batch->n_samples;
    return WEIR_OK;
}

static weir_err current_on_batch(void *data, const weir_batch *batch, uint64_t seq,
                                 weir_error *error)
{
    return weir_store_current_note(data, batch, seq, error);
}

weir_err weir_store_current_load(weir_store_current *c, sqlite3 *db, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        db, "SELECT seq, first_seq, head, body FROM snapshot ORDER BY id", &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        c->seq = c->written = (uint64_t)sqlite3_column_int64(rows, 0);
        err = weir_row_each(weir_row_of(rows, 1, 2, 3), c, current_on_batch, error);
        if (err == WEIR_EDAMAGED) {
            c->partial = true;
            err = WEIR_OK;
        }
    }
    c->partial |= c->seq == 0;
    c->since = 0;
    return err;
}

/* --- writing ------------------------------------------------------------------------------ */

static weir_err current_purge(weir_store_current *c, sqlite3 *db, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err =
        weir_db_prepare(db, "SELECT uid, purged_seq FROM tag WHERE purged_seq>0", &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        int64_t uid = sqlite3_column_int64(rows, 0);
        if (uid > 0 && (size_t)uid < c->n &&
            c->tags[uid].seq <= (uint64_t)sqlite3_column_int64(rows, 1))
            latest_drop(&c->tags[uid]);
    }
    return err;
}

static int latest_compare(const void *a, const void *b)
{
    const uint64_t x = (*(weir_latest *const *)a)->seq, y = (*(weir_latest *const *)b)->seq;
    return (x > y) - (x < y);
}

/* Whether b may stand right behind a in a batch. */
static bool latest_continue(const weir_latest *a, const weir_latest *b)
{
    return b->seq == a->seq + 1 && memcmp(&a->batch, &b->batch, sizeof a->batch) == 0;
}

struct snapshot_writer {
    sqlite3_stmt *put;
    weir_block_builder *builder;
    weir_sample *samples; /* of a batch being put together */
    uint64_t seq, first_seq;
    int64_t id;
};

static weir_err snapshot_flush(struct snapshot_writer *w, weir_error *error)
{
    weir_block_bytes bytes;
    if (weir_block_builder_count(w->builder) == 0)
        return WEIR_OK;
    weir_err err = weir_block_builder_encode(w->builder, &bytes, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(w->put, 1, ++w->id);
    (void)sqlite3_bind_int64(w->put, 2, (int64_t)w->seq);
    (void)sqlite3_bind_int64(w->put, 3, (int64_t)w->first_seq);
    (void)sqlite3_bind_blob(w->put, 4, bytes.head, (int)bytes.head_length, SQLITE_STATIC);
    (void)sqlite3_bind_blob(w->put, 5, bytes.body, (int)bytes.body_length, SQLITE_STATIC);
    err = weir_db_run(w->put, error);
    weir_block_builder_clear(w->builder);
    return err;
}

/* all: ascending by seq. */
static weir_err snapshot_put(struct snapshot_writer *w, weir_latest *const *all, size_t n,
                             weir_error *error)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < n;) {
        size_t run = 0;
        do {
            w->samples[run] = all[i + run]->sample;
            run++;
        } while (run < WEIR_BLOCK_BATCH_MAX && i + run < n &&
                 latest_continue(all[i + run - 1], all[i + run]));
        weir_batch batch = all[i]->batch;
        batch.samples = w->samples;
        batch.n_samples = (uint32_t)run;
        if (weir_block_builder_full(w->builder) || all[i]->seq - w->first_seq > SEQ_SPAN_MAX)
            err = snapshot_flush(w, error);
        if (weir_block_builder_count(w->builder) == 0)
            w->first_seq = all[i]->seq;
        if (err == WEIR_OK)
            err = weir_block_builder_append_at(w->builder, &batch, all[i]->seq, error);
        i += run;
    }
    return err == WEIR_OK ? snapshot_flush(w, error) : err;
}

weir_err weir_store_current_write(weir_store_current *c, sqlite3 *db, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    WEIR_CLEANUP(weir_free) void *sorted = weir_alloc(c->n * sizeof(weir_latest *) + 1);
    WEIR_CLEANUP(weir_free) void *samples = weir_alloc(c->n * sizeof(weir_sample) + 1);
    WEIR_CLEANUP(weir_block_builder_free)
    weir_block_builder *builder = weir_block_builder_new_merged();
    if (!sorted || !samples || !builder)
        return weir_fail(error, WEIR_ENOMEM, "no memory to write the current values");
    weir_err err = current_purge(c, db, error);
    if (err == WEIR_OK)
        err = weir_db_exec(db, "DELETE FROM snapshot", error);
    if (err == WEIR_OK)
        err = weir_db_prepare(db, "INSERT INTO snapshot VALUES(?,?,?,?,?)", &put, error);
    if (err != WEIR_OK)
        return err;
    weir_latest **all = sorted;
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->tags[i].seq)
            all[n++] = &c->tags[i];
    qsort(all, n, sizeof *all, latest_compare);
    struct snapshot_writer w = {put, builder, samples, c->seq, 0, 0};
    return snapshot_put(&w, all, n, error);
}

void weir_store_current_committed(weir_store_current *c)
{
    c->written = c->seq;
    c->since = 0;
}
