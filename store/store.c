/* SPDX-License-Identifier: MIT */
/* The store: opening data.db, and the commit. */

/*
 * Samples and events gather in memory (pending.c). A commit encodes them, gives them the next
 * sequence numbers and writes them in one transaction with synchronous=FULL, so what it reports
 * is on disk. If anything fails, the transaction is rolled back, the numbers are not used and all
 * keeps waiting; the next commit writes it again from the start. That is also right after a
 * failed fsync: SQLite publishes the frames of a transaction in the WAL only after the fsync, so
 * the retry writes every one of them anew.
 *
 * A commit writes fresh rows (fresh.c). What becomes of them is the business of maintain.c.
 *
 * This connection alone writes and checkpoints. It checkpoints after a commit, outside of the
 * transaction; a checkpoint that fails loses nothing (walsize.c).
 */

#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "blocks/segment.h"
#include "store/file/database.h"
#include "store/file/lock.h"
#include "store/file/schema.h"
#include "store/gap.h"
#include "store/migrate.h"
#include "store/recover.h"
#include "store/store_priv.h"

/* --- opening ------------------------------------------------------------------------------ */

/* The whole schema in one transaction: a crash leaves an empty file or a complete one. auto_vacuum
 * belongs inside, because it writes the first page. */
static weir_err store_create(weir_store *store, weir_wall now, weir_error *error)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA page_size=%d; BEGIN; PRAGMA auto_vacuum=incremental;"
                   "PRAGMA application_id=%d; PRAGMA user_version=%d;",
                   SCHEMA_PAGE_SIZE, SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
    weir_err err = weir_db_exec(store->db, sql, error);
    if (err == WEIR_OK)
        err = weir_db_exec(store->db, SCHEMA_SQL, error);
    if (err == WEIR_OK)
        err = weir_identity_create(store->db, error);
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO meta VALUES('created',%lld),('catalog',0),"
                   "('merged_seq',0),('history_seq',0); COMMIT;",
                   (long long)now.us);
    return err == WEIR_OK ? weir_db_exec(store->db, sql, error) : err;
}

/* A simulated disk has no place to be copied from. */
static weir_err store_read_identity(weir_store *store, const weir_store_options *o,
                                    weir_error *error)
{
    const bool real = !store->memory && !o->vfs;
    const weir_host host = real ? weir_host_read(o->data_dir) : (weir_host){0};
    weir_identity *id = &store->identity;
    weir_err err = weir_identity_open(store->db, real ? &host : NULL, o->data_dir, id, error);
    memcpy(store->uuid, id->uuid, sizeof store->uuid);
    if (err || !*id->notice)
        return err;
    return weir_store_event(store, &(weir_event){o->now, WEIR_EVENT_STORE, "", id->notice}, error);
}

/* The newest row, fresh or of the log, knows how far all rows before it came. Fresh rows that are
 * used count too: their slots may be all that is left. */
static weir_err store_read_newest(weir_store *store, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err =
        weir_db_prepare(store->db,
                        "SELECT first_seq, first_seq+count-1, newest_ts, trusted_ts, epoch,"
                        " epoch_ts FROM (SELECT * FROM fresh ORDER BY first_seq DESC LIMIT 1)"
                        " UNION ALL SELECT first_seq, ifnull(last_seq, first_seq+count-1),"
                        " newest_ts, trusted_ts, epoch, epoch_ts"
                        " FROM (SELECT * FROM log ORDER BY first_seq DESC LIMIT 1)"
                        " ORDER BY 2 DESC LIMIT 1",
                        &stmt, error);
    if (err == WEIR_OK)
        err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK || !row)
        return err;
    uint64_t last = (uint64_t)sqlite3_column_int64(stmt, 1);
    if (last > store->position.committed_seq)
        store->position.committed_seq = last;
    store->newest_ts = sqlite3_column_int64(stmt, 2);
    store->position.committed_ts.us = sqlite3_column_int64(stmt, 3);
    store->position.max_epoch = (uint32_t)sqlite3_column_int64(stmt, 4);
    store->epoch_ts = sqlite3_column_int64(stmt, 5);
    return WEIR_OK;
}

static weir_err store_read_position(weir_store *store, weir_error *error)
{
    static const char *const sql[] = {"SELECT value FROM meta WHERE key='merged_seq'",
                                      "SELECT value FROM meta WHERE key='history_seq'",
                                      "SELECT max(seq) FROM event"};
    int64_t seqs[3] = {0};
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < 3; i++)
        err = weir_db_int(store->db, sql[i], 0, &seqs[i], error);
    if (err != WEIR_OK)
        return err;
    store->newest_ts = store->epoch_ts = INT64_MIN;
    store->merged_seq = (uint64_t)seqs[0];
    store->history_seq = (uint64_t)seqs[1];
    store->position =
        (weir_store_position){.committed_seq = (uint64_t)(seqs[2] > seqs[0] ? seqs[2] : seqs[0])};
    return store_read_newest(store, error);
}

/* What rode with the commits that are not merged yet. */
static weir_err store_read_states(weir_store *store, weir_error *error)
{
    weir_err err = weir_cursors_load(&store->cursors, store->db, error);
    uint64_t after = store->merged_seq;
    for (const weir_fresh_slot *slot;
         err == WEIR_OK && (slot = weir_fresh_next(&store->fresh, after));) {
        WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *row = NULL;
        err = weir_fresh_select(&store->fresh, slot, &row, error);
        if (err == WEIR_OK)
            err = weir_cursors_apply(&store->cursors, sqlite3_column_blob(row, FRESH_STATE),
                                     (size_t)sqlite3_column_bytes(row, FRESH_STATE), error);
        after = slot->first_seq;
    }
    return err;
}

static weir_err store_read_tags(weir_store *store, weir_error *error)
{
    int64_t last;
    weir_err err = weir_db_int(store->db, "SELECT max(uid) FROM tag", 0, &last, error);
    if (err != WEIR_OK)
        return err;
    if (last < 0 || last >= UINT32_MAX)
        return weir_fail(error, WEIR_EDAMAGED, "tag uid %lld is impossible", (long long)last);
    store->pending.n_tags = (size_t)last + 1;
    return WEIR_OK;
}

static int store_on_wal(void *data, sqlite3 *db, const char *schema, int pages)
{
    weir_store *store = data;
    (void)db, (void)schema;
    store->wal_pages = pages;
    return SQLITE_OK;
}

weir_err weir_store_set_meta(weir_store *store, const char *key, uint64_t value, weir_error *error)
{
    char sql[120];
    (void)snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO meta VALUES('%s',%lld)", key,
                   (long long)value);
    return weir_db_exec(store->db, sql, error);
}

static weir_err store_prepare(weir_store *store, weir_error *error)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } all[] = {
        {&store->begin, "BEGIN IMMEDIATE"},
        {&store->commit, "COMMIT"},
        {&store->insert_event, "INSERT INTO event VALUES(?,?,?,?,?)"},
        {&store->count_pages, "PRAGMA page_count"},
        {&store->count_free_pages, "PRAGMA freelist_count"},
        {&store->find_dropped, "SELECT min(id) FROM part WHERE state=2"},
        {&store->find_passed, "SELECT first_seq, length(head)+length(body) FROM log"
                              " WHERE first_seq<=?1 AND ifnull(last_seq,first_seq+count-1)<=?1"
                              " AND first_seq<(SELECT max(first_seq) FROM log)"
                              " ORDER BY first_seq"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        weir_err err = weir_db_prepare(store->db, all[i].sql, all[i].stmt, error);
        if (err != WEIR_OK)
            return err;
    }
    return WEIR_OK;
}

static weir_err store_set_up(weir_store *store, const char *path, const weir_store_options *o,
                             weir_error *error)
{
    weir_db_content content;
    (void)sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
    weir_err err = weir_db_identify(store->db, path, &content, error);
    if (err == WEIR_OK && content == WEIR_DB_EMPTY)
        err = store_create(store, o->now, error);
    store->created = err == WEIR_OK && content == WEIR_DB_EMPTY;
    if (err == WEIR_OK)
        err = weir_db_exec(store->db,
                           "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                           "PRAGMA wal_autocheckpoint=0;"
                           "PRAGMA secure_delete=OFF",
                           error);
    if (err == WEIR_OK)
        err = weir_store_migrate(store->db, o->now, error);
    (void)sqlite3_wal_hook(store->db, store_on_wal, store);
    if (err == WEIR_OK)
        err = store_prepare(store, error);
    if (err == WEIR_OK)
        err = store_read_position(store, error);
    if (err == WEIR_OK)
        err = weir_epochs_load(store, error);
    if (err == WEIR_OK)
        err = weir_fresh_init(&store->fresh, store->db, error);
    if (err == WEIR_OK)
        err = store_read_states(store, error);
    if (err == WEIR_OK)
        err = store_read_tags(store, error);
    if (err == WEIR_OK)
        err = weir_limits_init(store, o->now, error);
    if (err == WEIR_OK)
        err = store_read_identity(store, o, error);
    store->opened = o->now;
    return err;
}

weir_err weir_store_attach(weir_store *store, const char *path, weir_wall now, weir_error *error)
{
    weir_err err = weir_db_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, store->vfs,
                                &store->db, error);
    const weir_store_options o = {.data_dir = store->data_dir, .vfs = store->vfs, .now = now};
    return err == WEIR_OK ? store_set_up(store, path, &o, error) : err;
}

static weir_err store_open_dir(weir_store *store, const weir_store_options *o, weir_error *error)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/data.db", o->data_dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return weir_fail(error, WEIR_EINVAL, "data directory: the path is too long");
    /* Only the last folder is made: a mistyped path should be seen. */
    if (mkdir(o->data_dir, 0750) != 0 && errno != EEXIST)
        return weir_fail(error, errno == EACCES || errno == EROFS ? WEIR_EPERM : WEIR_EIO,
                         "cannot make data directory %s: %s", o->data_dir, strerror(errno));
    weir_err err = weir_lock_take(o->data_dir, &store->lock_fd, error);
    if (err == WEIR_OK)
        err = weir_store_mend(store, false, o->now, error);
    if (err == WEIR_OK)
        err = weir_store_attach(store, path, o->now, error);
    /* What a look does not see, an opening may: then it is repaired after all, once. */
    if (err == WEIR_EDAMAGED && !store->mended) {
        weir_store_detach(store);
        err = weir_store_mend(store, true, o->now, error);
        if (err == WEIR_OK)
            err = weir_store_attach(store, path, o->now, error);
    }
    return err == WEIR_OK ? weir_store_settle_in(store, o->now, error) : err;
}

static weir_err store_open_memory(weir_store *store, const weir_store_options *o, weir_error *error)
{
    store->memory = true;
    return weir_store_attach(store, ":memory:", o->now, error);
}

static weir_store_options options_complete(const weir_store_options *options)
{
    weir_store_options o = *options;
    o.data_dir = o.vfs = NULL;
    o.wal_max = o.wal_max ? o.wal_max : 256 * 1000 * 1000;
    o.merge_us = o.merge_us ? o.merge_us : WEIR_MINUTE;
    o.archive_us = o.archive_us ? o.archive_us : WEIR_HOUR;
    if (o.detached_after_us == 0 && o.config)
        o.detached_after_us = o.config->detached_after_us;
    o.detached_after_us = o.detached_after_us ? o.detached_after_us : 7 * WEIR_DAY;
    o.memory_bytes_max = o.memory_bytes_max ? o.memory_bytes_max : 64 * 1000 * 1000;
    o.piece_samples = o.piece_samples ? o.piece_samples : WEIR_SEGMENT_COUNT_MAX;
    o.group_bytes = o.group_bytes ? o.group_bytes : 10 << 20; /* 16 MB with all around it */
    return o;
}

weir_err weir_store_open(const weir_store_options *options, weir_store **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_store_close) weir_store *store = weir_alloc_zero(1, sizeof *store);
    if (!store)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the store");
    store->lock_fd = -1;
    store->options = options_complete(options);
    weir_err err = weir_store_place(store, options, error);
    if (err != WEIR_OK)
        return err;
    err = strcmp(options->data_dir, "memory") == 0 ? store_open_memory(store, options, error)
                                                   : store_open_dir(store, options, error);
    if (err != WEIR_OK)
        return err;
    *ret = store;
    store = NULL;
    return WEIR_OK;
}

void weir_store_detach(weir_store *store)
{
    sqlite3_stmt **statements[] = {
        &store->begin,       &store->commit,           &store->insert_event,
        &store->count_pages, &store->count_free_pages, &store->find_dropped,
        &store->find_passed};
    if (store->history)
        store->history_free(store);
    weir_fresh_deinit(&store->fresh);
    weir_store_current_deinit(&store->current);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        (void)sqlite3_finalize(*statements[i]);
        *statements[i] = NULL;
    }
    (void)sqlite3_close(store->db);
    store->db = NULL;
    store->current_loaded = store->log.known = false;
    store->wal_pages = 0;
    store->failed = false;
    store->checked = (weir_wall){0};
}

void weir_store_close(weir_store *store)
{
    if (!store)
        return;
    weir_store_note(store);
    /* The last connection checkpoints the WAL and removes it; beside a reader it stays, and the
     * next open finds all in it. */
    weir_store_detach(store);
    weir_lock_release(store->lock_fd);
    weir_pending_deinit(&store->pending);
    weir_epochs_deinit(&store->epochs);
    weir_cursors_deinit(&store->cursors);
    weir_free(store->data_dir);
    weir_free(store->vfs);
    weir_free(store);
}

/* --- the log ------------------------------------------------------------------------------ */

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

weir_store_position weir_store_get_position(const weir_store *store)
{
    return store->position;
}

const char *weir_store_uuid(const weir_store *store)
{
    return store->uuid;
}

const weir_identity *weir_store_identity(const weir_store *store)
{
    return &store->identity;
}

/* --- cursors ------------------------------------------------------------------------------ */

weir_err weir_store_set_cursor(weir_store *store, const char *name, uint64_t seq, weir_wall now,
                               weir_error *error)
{
    if (seq > store->position.committed_seq)
        return weir_fail(error, WEIR_EINVAL, "cursor %s: seq %llu is not committed yet", name,
                         (unsigned long long)seq);
    return weir_cursors_set(&store->cursors, name, strlen(name), seq, now, (weir_wall){0}, error);
}

weir_err weir_store_detach_cursor(weir_store *store, const char *name, weir_wall now,
                                  weir_error *error)
{
    const weir_cursor *cursor = weir_cursors_find(&store->cursors, name, strlen(name));
    if (!cursor)
        return weir_fail(error, WEIR_ENOTFOUND, "no cursor named %s", name);
    return weir_cursors_set(&store->cursors, name, strlen(name), cursor->seq, cursor->ts, now,
                            error);
}

const weir_cursor *weir_store_cursors(const weir_store *store, size_t *ret_n)
{
    *ret_n = store->cursors.n;
    return store->cursors.items;
}
