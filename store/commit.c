/* SPDX-License-Identifier: MIT */
/* The commit: what gathered in memory is written, and on disk when it returns. */

/*
 * Samples and events gather in memory (pending.c). A commit encodes them, gives them the next
 * sequence numbers and writes them in one transaction with synchronous=FULL, so what it reports
 * is on disk. If anything fails, the transaction is rolled back, the numbers are not used and all
 * keeps waiting; the next commit writes it again from the start: after an I/O error only once the
 * file has been opened anew (recover.c).
 *
 * A commit writes fresh rows (fresh.c). What becomes of them is the business of maintain.c.
 */

#include <stdio.h>

#include "base/error.h"
#include "store/file/database.h"
#include "store/gap.h"
#include "store/store_priv.h"

weir_err weir_store_append(weir_store *store, const weir_batch *batch, weir_error *error)
{
    return weir_pending_append(&store->pending, batch, error);
}

weir_err weir_store_event(weir_store *store, const weir_event *event, weir_error *error)
{
    return weir_pending_event_add(&store->pending, event, error);
}

size_t weir_store_pending(const weir_store *store, size_t *ret_bytes)
{
    if (ret_bytes)
        *ret_bytes = weir_pending_bytes(&store->pending);
    return store->pending.n_samples + store->pending.n_events;
}

/* How far all will have come once the transaction is committed. */
struct progress {
    weir_store_position position;
    int64_t newest_ts, epoch_ts;
};

static void progress_add(struct progress *p, const weir_pending_row *row,
                         const weir_block_head *head)
{
    weir_store_position *at = &p->position;
    if (head->max_ts.us > p->newest_ts)
        p->newest_ts = head->max_ts.us;
    if (row->trusted_ts != INT64_MIN &&
        (at->committed_ts.us == 0 || row->trusted_ts > at->committed_ts.us))
        at->committed_ts.us = row->trusted_ts;
    if (row->newest.epoch > at->max_epoch ||
        (row->newest.epoch == at->max_epoch && row->newest.ts > p->epoch_ts)) {
        at->max_epoch = row->newest.epoch;
        p->epoch_ts = row->newest.ts;
    }
}

/* first: moves of cursors ride with it. */
static weir_err row_put(weir_store *store, const weir_pending_row *row, bool first,
                        struct progress *p, weir_error *error)
{
    weir_fresh_row fresh = {.first_seq = p->position.committed_seq + 1};
    weir_block_head head;
    weir_err err = weir_block_builder_encode(row->builder, &fresh.block, error);
    if (err == WEIR_OK)
        err = weir_block_head_parse(fresh.block.head, fresh.block.head_length, &head, error);
    if (err == WEIR_OK && first)
        err = weir_cursors_state(&store->cursors, &fresh.state, &fresh.state_length, error);
    if (err != WEIR_OK)
        return err;
    progress_add(p, row, &head);
    fresh.count = head.count;
    fresh.min_ts = head.min_ts.us;
    fresh.max_ts = head.max_ts.us;
    fresh.newest_ts = p->newest_ts;
    fresh.trusted_ts = p->position.committed_ts.us;
    fresh.epoch = p->position.max_epoch;
    fresh.epoch_ts = p->epoch_ts;
    p->position.committed_seq += head.count;
    return weir_fresh_put(&store->fresh, &fresh, store->merged_seq, error);
}

static weir_err event_insert(weir_store *store, const weir_pending_event *e, struct progress *p,
                             weir_error *error)
{
    sqlite3_stmt *s = store->insert_event;
    (void)sqlite3_bind_int64(s, 1, (int64_t)++p->position.committed_seq);
    (void)sqlite3_bind_int64(s, 2, e->ts.us);
    (void)sqlite3_bind_int(s, 3, (int)e->kind);
    (void)sqlite3_bind_text(s, 4, e->subject, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 5, e->text, -1, SQLITE_STATIC);
    weir_err err = weir_db_run(s, error);
    (void)sqlite3_clear_bindings(s);
    return err;
}

/* What is not stored, or was lost before it came here. */
static weir_err gaps_write(weir_store *store, bool without, weir_wall now, weir_error *error)
{
    const weir_pending *p = &store->pending;
    const char *cause = store->limits.cause ? store->limits.cause : "max_size";
    const weir_gap refused = {"", 0, p->min_ts, p->max_ts, p->n_samples, cause};
    const weir_gap lost = {
        "", 0, store->lost.since.us, store->lost.until.us, store->lost.count, "memory"};
    weir_err err = WEIR_OK;
    if (without && p->n_samples > 0)
        err = weir_gap_add(store->db, &refused, store->limits.refusing, now, error);
    if (err == WEIR_OK && store->lost.count > 0)
        err = weir_gap_add(store->db, &lost, false, now, error);
    return err;
}

static weir_err pending_write(weir_store *store, bool without, struct progress *p,
                              weir_error *error)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && !without && i < store->pending.n_rows; i++)
        err = row_put(store, &store->pending.rows[i], i == 0, p, error);
    for (size_t i = 0; err == WEIR_OK && i < store->pending.n_events; i++)
        err = event_insert(store, &store->pending.events[i], p, error);
    if (err == WEIR_OK)
        err = weir_epochs_write(store, error);
    return err;
}

void weir_store_rollback(weir_store *store)
{
    /* Many failures have rolled back by themselves. */
    if (!sqlite3_get_autocommit(store->db))
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

weir_err weir_store_change_begin(weir_store *store, weir_wall now, weir_error *error)
{
    weir_err err = weir_store_usable(store, error);
    if (err == WEIR_OK)
        err = weir_store_commit(store, now, error);
    return err == WEIR_OK ? weir_db_exec(store->db, "BEGIN IMMEDIATE", error) : err;
}

weir_err weir_store_change_end(weir_store *store, weir_err err, weir_error *error)
{
    if (err == WEIR_OK)
        err = weir_db_exec(store->db, "COMMIT", error);
    if (err != WEIR_OK)
        weir_store_rollback(store);
    return err;
}

static void commit_failed(weir_store *store, const struct progress *p, bool reopening)
{
    weir_store_rollback(store);
    weir_fresh_rolled_back(&store->fresh);
    /* An fsync that failed may have left all of it on the disk, where a reopening would find it. */
    if (reopening) {
        store->attempt_seq = p->position.committed_seq;
        weir_pending_seal(&store->pending);
    }
}

static weir_err commit_write(weir_store *store, bool without, struct progress *p, weir_wall now,
                             weir_error *error)
{
    /* Writes over what an earlier attempt has left. */
    weir_pending_unseal(&store->pending, false);
    store->attempt_seq = 0;
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = pending_write(store, without, p, error);
    if (err == WEIR_OK)
        err = gaps_write(store, without, now, error);
    const bool ending = err == WEIR_OK;
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        commit_failed(store, p, ending && err != WEIR_ELIMIT && err != WEIR_EINUSE);
    return err;
}

/* All of it is on disk. */
static void commit_done(weir_store *store, bool without, const struct progress *p)
{
    store->position = p->position;
    store->newest_ts = p->newest_ts;
    store->epoch_ts = p->epoch_ts;
    store->attempt_seq = 0;
    store->lost.count = 0;
    if (without && store->pending.n_samples > 0) {
        store->limits.not_stored += store->pending.n_samples;
        store->limits.refusing = true;
    }
    weir_fresh_committed(&store->fresh);
    if (store->pending.n_rows > 0 && !without)
        weir_cursors_committed(&store->cursors);
    weir_pending_clear(&store->pending);
    weir_epochs_clear(&store->epochs);
    weir_store_checkpoint(store);
}

weir_err weir_store_usable(const weir_store *store, weir_error *error)
{
    if (!store->db || store->gone)
        return weir_fail(error, WEIR_EIO, "the store could not be opened again");
    return store->failed ? weir_fail(error, WEIR_EIO, "%s", store->failure) : WEIR_OK;
}

weir_err weir_store_note_failure(weir_store *store, weir_err err, const char *text)
{
    if (err != WEIR_EIO || store->memory || !store->db)
        return err;
    store->failed = true;
    (void)snprintf(store->failure, sizeof store->failure, "%.199s", text);
    return err;
}

/* without: the samples are not stored, and a gap says so. */
static weir_err commit_run(weir_store *store, bool without, weir_wall now, weir_error *error)
{
    struct progress p = {store->position, store->newest_ts, store->epoch_ts};
    weir_err err = weir_store_usable(store, error);
    if (err == WEIR_OK)
        err = weir_store_wal_room(store, error);
    if (err == WEIR_OK)
        err = weir_store_note_failure(store, commit_write(store, without, &p, now, error),
                                      error ? error->text : "a commit failed");
    if (err != WEIR_OK) {
        (void)weir_fail_prefix(
            error, "%zu samples and events not committed yet: ", weir_store_pending(store, NULL));
        return err;
    }
    commit_done(store, without, &p);
    return WEIR_OK;
}

weir_err weir_store_commit(weir_store *store, weir_wall now, weir_error *error)
{
    const bool refuse = weir_limits_refuse(store) && store->pending.n_samples > 0;
    if (store->pending.n_samples + store->pending.n_events + store->lost.count == 0)
        return WEIR_OK;
    if (refuse && store->options.config->when_full == WEIR_FULL_BLOCK)
        return weir_fail(error, WEIR_ELIMIT, "the store is full (%s): %zu samples wait in memory",
                         store->limits.cause, store->pending.n_samples);
    return commit_run(store, refuse, now, error);
}

weir_err weir_store_commit_without_samples(weir_store *store, weir_wall now, weir_error *error)
{
    return commit_run(store, true, now, error);
}

void weir_store_note_lost(weir_store *store, uint64_t count, weir_wall since, weir_wall now)
{
    if (store->lost.count == 0 || since.us < store->lost.since.us)
        store->lost.since = since;
    store->lost.until = now;
    store->lost.count += count;
}
