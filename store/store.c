/* SPDX-License-Identifier: MIT */
/* The store: opening and closing data.db. */

/*
 * This connection alone writes and checkpoints. It checkpoints after a commit, outside of the
 * transaction; a checkpoint that fails loses nothing (walsize.c).
 */

#include "store/store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "blocks/segment.h"
#include "store/file/database.h"
#include "store/file/lock.h"
#include "store/file/schema.h"
#include "store/file/tables.h"
#include "store/migrate.h"
#include "store/recover.h"
#include "store/store_priv.h"

enum { MEMORY_SPARE = 16 << 20 }; /* for pages that were given up, and those of a commit */

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
        err = weir_db_tables_make(store->db, 0, error);
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
            err = weir_cursors_apply(&store->cursors, slot->first_seq,
                                     sqlite3_column_blob(row, FRESH_STATE),
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
    weir_err err = weir_db_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                store->memory ? "memdb" : store->vfs, &store->db, error);
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
    /* SQLite's own, shared by the connections of this process that know the name. */
    static atomic_uint opened;
    store->memory = true;
    (void)snprintf(store->memory_dir, sizeof store->memory_dir, "%s/weir-%ld-%u",
                   WEIR_DB_MEMORY_PREFIX, (long)getpid(), atomic_fetch_add(&opened, 1));
    weir_err err =
        weir_store_attach(store, store->memory_dir + strlen(WEIR_DB_MEMORY_PREFIX), o->now, error);
    /* The file doubles when it grows; what is not written to of it is no memory yet. */
    sqlite3_int64 most = (sqlite3_int64)(store->options.memory_bytes_max / 4 * 5 + MEMORY_SPARE);
    if (err == WEIR_OK)
        (void)sqlite3_file_control(store->db, "main", SQLITE_FCNTL_SIZE_LIMIT, &most);
    return err;
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

/* --- what it holds ------------------------------------------------------------------------ */

weir_store_position weir_store_get_position(const weir_store *store)
{
    return store->position;
}

const char *weir_store_dir(const weir_store *store)
{
    return store->memory ? store->memory_dir : store->data_dir;
}

const char *weir_store_uuid(const weir_store *store)
{
    return store->uuid;
}

const weir_identity *weir_store_identity(const weir_store *store)
{
    return &store->identity;
}

weir_err weir_store_set_cursor(weir_store *store, const char *name, uint64_t seq,
                               const weir_span *done, size_t n_done, weir_wall now,
                               weir_error *error)
{
    weir_cursor to = {.seq = seq, .ts = now};
    const uint64_t last = n_done > 0 && done[n_done - 1].last > seq ? done[n_done - 1].last : seq;
    if (last > store->position.committed_seq)
        return weir_fail(error, WEIR_EINVAL, "cursor %s: seq %llu is not committed yet", name,
                         (unsigned long long)last);
    weir_err err = weir_cursor_set_done(&to, done, n_done, error);
    return err == WEIR_OK ? weir_cursors_set(&store->cursors, name, strlen(name), &to, error) : err;
}

weir_err weir_store_detach_cursor(weir_store *store, const char *name, weir_wall now,
                                  weir_error *error)
{
    const weir_cursor *cursor = weir_cursors_find(&store->cursors, name, strlen(name));
    if (!cursor)
        return weir_fail(error, WEIR_ENOTFOUND, "no cursor named %s", name);
    weir_cursor to = *cursor;
    to.detached = now;
    return weir_cursors_set(&store->cursors, name, strlen(name), &to, error);
}

const weir_cursor *weir_store_cursors(const weir_store *store, size_t *ret_n)
{
    *ret_n = store->cursors.n;
    return store->cursors.items;
}
