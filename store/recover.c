/* SPDX-License-Identifier: MIT */
/* After a failure: the file is closed, looked at, opened again, and compared with what is known. */

/*
 * An fsync that fails is not to be tried again: the kernel reports it once and takes the pages for
 * written. So after any failure but a full disk or somebody's lock the connection is closed and the
 * file is opened anew; a checkpoint then moves the WAL into it with fsyncs of its own, and only
 * what is read after that counts.
 *
 * What may have become of the commit that failed: nothing of it is there, or all of it (its frames
 * are in the page cache, and a reopening takes them for committed). Its last number tells which.
 * Then it is acknowledged, as the checkpoint has made it durable.
 *
 * What may have become of older commits: if the position is lower than what was acknowledged, the
 * disk has lost what it said it had. Their numbers are not given again.
 *
 * The file may be gone: deleted, or its directory. The connection still reads it, and writes all of
 * it into a new one. Its disk may be gone, with another file system in its place: that is waited
 * out, as writing there would fill the wrong disk. Or it may be another file: that of the same
 * store (an older copy) is taken as it is, and what it lacks is told; any other is left alone.
 */

#include "store/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/files.h"
#include "store/file/lock.h"
#include "store/repair/foreign_wal.h"
#include "store/repair/repair.h"

/* --- where the store is ------------------------------------------------------------------- */

weir_err weir_store_place(weir_store *store, const weir_store_options *options, weir_error *error)
{
    store->data_dir = weir_alloc_text(options->data_dir);
    store->vfs = options->vfs ? weir_alloc_text(options->vfs) : NULL;
    if (!store->data_dir || (options->vfs && !store->vfs))
        return weir_fail(error, WEIR_ENOMEM, "no memory for the store");
    return WEIR_OK;
}

static void path_make(const weir_store *store, const char *name, char ret[4200])
{
    (void)snprintf(ret, 4200, "%s/%s", store->data_dir, name);
}

void weir_store_take_notice(weir_store *store, char ret[400])
{
    memcpy(ret, store->notice, sizeof store->notice);
    store->notice[0] = '\0';
}

static void notice_set(weir_store *store, const char *text)
{
    const size_t n = strnlen(text, sizeof store->notice - 1);
    memcpy(store->notice, text, n);
    store->notice[n] = '\0';
}

void weir_store_note(const weir_store *store)
{
    weir_lock_hint hint = {"", store->position.committed_seq};
    if (store->lock_fd < 0 || !store->uuid[0])
        return;
    memcpy(hint.uuid, store->uuid, sizeof hint.uuid);
    weir_lock_hint_write(store->lock_fd, &hint);
}

static const char foreign_wal_words[] =
    "the data.db-wal beside data.db was of another store, whose own data.db is gone from here";

/* --- mending ------------------------------------------------------------------------------ */

weir_err weir_store_mend(weir_store *store, bool damaged, weir_wall now, weir_error *error)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_repair_report report = {0};
    bool found = false;
    const bool opening = !store->catalog; /* else a failing disk may be tried each second */
    weir_err err = weir_repair_resume(store->data_dir, store->vfs, error);
    if (err == WEIR_OK)
        err =
            weir_foreign_wal_put_aside(store->data_dir, store->vfs, now, report.quarantine, error);
    if (err == WEIR_OK && report.quarantine[0]) {
        weir_text_format(&text, "%s; it is now %s", foreign_wal_words, report.quarantine);
        notice_set(store, weir_text_get(&text));
        weir_text_clear(&text);
    }
    if (err == WEIR_OK)
        err = weir_repair_look(store->data_dir, store->vfs, opening, &found, report.why, error);
    if (err != WEIR_OK || (!found && !damaged))
        return err;
    err = weir_repair_run(store->data_dir, store->vfs, store->lock_fd,
                          store->position.committed_seq, now, &report, error);
    store->mended = err == WEIR_OK;
    if (err != WEIR_OK)
        return err;
    weir_text_format(&text, "the store was damaged (%.100s): ",
                     report.why[0] ? report.why : "rows cannot be read");
    weir_salvage_say(&report.counts, &text);
    weir_text_format(&text, ". The damaged file is in %s", report.quarantine);
    notice_set(store, weir_text_get(&text));
    return WEIR_OK;
}

weir_err weir_store_settle_in(weir_store *store, weir_wall now, weir_error *error)
{
    struct stat st;
    const weir_lock_hint hint = weir_lock_hint_read(store->lock_fd);
    (void)now, (void)error;
    if (stat(store->data_dir, &st) == 0)
        store->device = (uint64_t)st.st_dev;
    if (store->created && hint.uuid[0])
        (void)snprintf(store->notice, sizeof store->notice,
                       "data.db is gone or empty, where a store with %" PRIu64
                       " samples and events (uuid %s) was: a new one was started. Restore a backup "
                       "if that was not meant",
                       hint.last_seq, hint.uuid);
    weir_store_note(store);
    return WEIR_OK;
}

/* --- checking ----------------------------------------------------------------------------- */

static bool file_has_moved(const weir_store *store)
{
    int moved = 0;
    return sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved;
}

/* A simulated disk tells through its own files only. */
static bool dir_is_read_only(const weir_store *store)
{
    struct statvfs st;
    return !store->vfs && statvfs(store->data_dir, &st) == 0 && (st.f_flag & ST_RDONLY) != 0;
}

static bool wal_is_gone(const weir_store *store)
{
    char path[4200];
    path_make(store, "data.db-wal", path);
    return store->wal_pages > 0 && !weir_file_exists(path, store->vfs);
}

weir_err weir_store_check(weir_store *store, weir_error *error)
{
    if (store->memory)
        return WEIR_OK;
    if (!store->db)
        return weir_fail(error, WEIR_EIO, "the store could not be opened again");
    if (file_has_moved(store))
        return weir_fail(error, WEIR_EIO, "data.db is not in %s any more", store->data_dir);
    if (wal_is_gone(store))
        return weir_fail(error, WEIR_EIO, "data.db-wal is not in %s any more", store->data_dir);
    if (dir_is_read_only(store))
        return weir_fail(error, WEIR_EPERM, "%s is read-only", store->data_dir);
    return weir_store_usable(store, error);
}

/* --- a file that is gone ------------------------------------------------------------------ */

static weir_err disk_fail(const weir_store *store, weir_error *error)
{
    return weir_fail(error, WEIR_EIO,
                     "the disk of %s is not there any more: mount it, or restart weir to begin "
                     "on what is there now",
                     store->data_dir);
}

/* Whether the folder that had the directory is of another disk than that was. */
static bool parent_is_elsewhere(const weir_store *store)
{
    char path[4200];
    struct stat parent;
    path_make(store, "..", path);
    char *end =
        path + strlen(store->data_dir); /* the directory itself is not there to go up from */
    while (end > path && end[-1] == '/')
        end--;
    while (end > path && end[-1] != '/')
        end--;
    if (end == path)
        (void)snprintf(path, sizeof path, ".");
    else
        *end = '\0';
    return stat(path, &parent) == 0 && (uint64_t)parent.st_dev != store->device;
}

/* The lock of a directory that was deleted keeps nobody out of the one made in its place. */
static weir_err dir_remake(weir_store *store, weir_error *error)
{
    struct stat dir, held, lock;
    char path[4200];
    int fd = -1;
    path_make(store, "weir.lock", path);
    /* A folder made where a disk should be mounted would lie on the wrong one. */
    if (stat(store->data_dir, &dir) != 0 && parent_is_elsewhere(store))
        return disk_fail(store, error);
    if (mkdir(store->data_dir, 0750) != 0 && errno != EEXIST)
        return weir_fail(error, errno == EACCES || errno == EROFS ? WEIR_EPERM : WEIR_EIO,
                         "%s is gone and cannot be made: %s", store->data_dir, strerror(errno));
    if (stat(store->data_dir, &dir) != 0 || (uint64_t)dir.st_dev != store->device)
        return disk_fail(store, error);
    if (stat(path, &lock) == 0 && fstat(store->lock_fd, &held) == 0 && lock.st_ino == held.st_ino &&
        lock.st_dev == held.st_dev)
        return WEIR_OK;
    weir_err err = weir_lock_take(store->data_dir, &fd, error);
    if (err != WEIR_OK)
        return err;
    weir_lock_release(store->lock_fd);
    store->lock_fd = fd;
    return WEIR_OK;
}

/* The copy is exchanged as a repaired file is, so it says when it was made. */
static weir_err copy_mark(const char *path, const char *vfs, weir_wall now, weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    char sql[120];
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA synchronous=FULL; INSERT OR REPLACE INTO meta VALUES('repaired',%lld)",
                   (long long)now.us);
    weir_err err = weir_db_open(path, SQLITE_OPEN_READWRITE, vfs, &db, error);
    return err == WEIR_OK ? weir_db_exec(db, sql, error) : err;
}

/* Writes all that the connection still reads of a file without a name into a new one. */
static weir_err gone_rescue(weir_store *store, weir_wall now, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    char part[4200], repaired[4200];
    path_make(store, "data.db.part", part);
    path_make(store, "data.db.repaired", repaired);
    weir_store_rollback(store);
    weir_err err = weir_file_remove(part, store->vfs, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(store->db, "VACUUM INTO ?", &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_text(stmt, 1, part, -1, SQLITE_STATIC);
    err = weir_db_run(stmt, error);
    if (err == WEIR_OK)
        err = copy_mark(part, store->vfs, now, error);
    if (err == WEIR_OK)
        err = weir_file_move(part, repaired, store->vfs, error);
    return err == WEIR_OK ? weir_dir_sync(store->data_dir, error) : err;
}

/*
 * A name that leads to another file is somebody's doing, and is respected. But our write-ahead log
 * may still lie beside it, and whoever opens that file would take it for the file's own: it is
 * emptied. What only this connection can read goes to quarantine/ before.
 */
static weir_err exchanged_keep(weir_store *store, weir_wall now, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    char path[4200], when[28];
    weir_err err = WEIR_OK;
    weir_store_rollback(store);
    weir_file_time(now, when);
    path_make(store, "quarantine", path);
    if (!store->vfs) { /* a simulated disk has no folders */
        (void)mkdir(path, 0750);
        (void)snprintf(path + strlen(path), 64, "/exchanged-%s.db", when);
        err = weir_db_prepare(store->db, "VACUUM INTO ?", &stmt, error);
        if (err == WEIR_OK) {
            (void)sqlite3_bind_text(stmt, 1, path, -1, SQLITE_STATIC);
            err = weir_db_run(stmt, error);
        }
        if (err == WEIR_OK)
            (void)snprintf(store->kept, sizeof store->kept, "%.299s", path);
        if (err == WEIR_EDAMAGED) /* what cannot be read any more cannot be saved */
            err = WEIR_OK;
    }
    if (err == WEIR_OK && sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                                    NULL, NULL) != SQLITE_OK)
        err = weir_db_fail(store->db, error, "empty the write-ahead log");
    return err;
}

static weir_err gone_mend(weir_store *store, weir_wall now, weir_recovery *ret, weir_error *error)
{
    char path[4200];
    path_make(store, "data.db", path);
    weir_err err = dir_remake(store, error);
    if (err != WEIR_OK)
        return err;
    if (weir_file_exists(path, store->vfs))
        return exchanged_keep(store, now, error);
    err = gone_rescue(store, now, error);
    /* What cannot be read any more cannot be saved: then it begins anew. */
    if (err == WEIR_EDAMAGED)
        err = WEIR_OK;
    ret->recreated = err == WEIR_OK;
    return err;
}

/* --- recovering --------------------------------------------------------------------------- */

/* What memory knows of the store while it is closed. */
struct before {
    weir_identity identity;
    weir_store_position position;
    int64_t newest_ts, epoch_ts;
    size_t n_tags;
    weir_cursors cursors;
};

static struct before before_take(weir_store *store)
{
    struct before b = {.identity = store->identity,
                       .position = store->position,
                       .newest_ts = store->newest_ts,
                       .epoch_ts = store->epoch_ts,
                       .n_tags = store->pending.n_tags,
                       .cursors = store->cursors};
    store->cursors = (weir_cursors){0};
    return b;
}

static void before_put_back(weir_store *store, struct before *b)
{
    weir_store_detach(store);
    weir_cursors_deinit(&store->cursors);
    store->position = b->position;
    store->newest_ts = b->newest_ts;
    store->epoch_ts = b->epoch_ts;
    store->pending.n_tags = b->n_tags;
    store->cursors = b->cursors;
    store->identity = b->identity;
    memcpy(store->uuid, b->identity.uuid, sizeof store->uuid);
    b->cursors = (weir_cursors){0};
}

/* Acknowledgements that no commit has written yet. */
static weir_err cursors_keep(weir_store *store, const struct before *b, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < b->cursors.n; i++) {
        const weir_cursor *c = &b->cursors.items[i];
        const weir_cursor *has = weir_cursors_find(&store->cursors, c->name, strlen(c->name));
        if (!has || has->seq <= c->seq)
            err = weir_cursors_set(&store->cursors, c->name, strlen(c->name), c, error);
    }
    return err;
}

/* Whether the commit that failed is in the file after all. A repair gives no number of its own
 * below the ones it knows. */
static weir_err attempt_find(weir_store *store, uint64_t acknowledged, bool *ret, weir_error *error)
{
    char sql[300];
    int64_t found = 0;
    *ret = false;
    if (store->attempt_seq == 0)
        return WEIR_OK;
    if (!store->mended) {
        *ret = store->position.committed_seq == store->attempt_seq;
        return WEIR_OK;
    }
    (void)snprintf(sql, sizeof sql,
                   "SELECT (SELECT count(*) FROM log WHERE first_seq=%" PRIu64
                   ") + (SELECT count(*) FROM event WHERE seq=%" PRIu64 ")",
                   acknowledged + 1, acknowledged + 1);
    weir_err err = weir_db_int(store->db, sql, 0, &found, error);
    *ret = found > 0;
    return err;
}

/* Numbers that were acknowledged and are gone: a hole that verifying knows of. */
static weir_err lost_note(weir_store *store, const weir_recovery *r, weir_wall now,
                          weir_error *error)
{
    char sql[300];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO quarantine(ts,origin,key,count,error) VALUES(%" PRId64
                   ",'log',%" PRIu64 ",%" PRIu64 ",'lost by the disk')",
                   now.us, r->lost_first, r->lost_last - r->lost_first + 1);
    return weir_db_exec(store->db, sql, error);
}

static weir_err position_compare(weir_store *store, const struct before *b, weir_wall now,
                                 weir_recovery *ret, weir_error *error)
{
    const uint64_t had = b->position.committed_seq, has = store->position.committed_seq;
    weir_err err = attempt_find(store, had, &ret->written, error);
    if (err != WEIR_OK)
        return err;
    weir_pending_unseal(&store->pending, ret->written);
    store->attempt_seq = 0;
    if (store->pending.n_tags < b->n_tags)
        store->pending.n_tags = b->n_tags;
    if (has >= had)
        return WEIR_OK;
    ret->lost_first = has + 1;
    ret->lost_last = had;
    store->position = b->position;
    store->newest_ts = b->newest_ts > store->newest_ts ? b->newest_ts : store->newest_ts;
    store->epoch_ts = b->epoch_ts;
    return lost_note(store, ret, now, error);
}

/* What the WAL holds is durable only once it was fsynced; a checkpoint does that. */
static weir_err wal_settle(weir_store *store, weir_error *error)
{
    const int rc =
        sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    /* Somebody else moves it at this moment. */
    return rc == SQLITE_OK || rc == SQLITE_BUSY ? WEIR_OK
                                                : weir_db_fail(store->db, error, "checkpoint");
}

static weir_err reopen(weir_store *store, const struct before *b, weir_wall now, weir_recovery *ret,
                       weir_error *error)
{
    char path[4200];
    path_make(store, "data.db", path);
    weir_err err = weir_store_attach(store, path, now, error);
    if (err == WEIR_OK && store->created)
        ret->recreated = true;
    else if (err == WEIR_OK && strcmp(store->uuid, b->identity.uuid) != 0 && !store->mended)
        err = weir_fail(error, WEIR_EPERM,
                        "data.db in %s was exchanged for that of another store (uuid %s): restart "
                        "weir to use that%s%s",
                        store->data_dir, store->uuid, store->kept[0] ? "; the one before is " : "",
                        store->kept);
    if (err == WEIR_OK)
        err = wal_settle(store, error);
    if (err == WEIR_OK)
        err = cursors_keep(store, b, error);
    if (err == WEIR_OK && (store->created || store->mended))
        err = weir_registry_restore(store, now, error);
    return err == WEIR_OK ? position_compare(store, b, now, ret, error) : err;
}

static void recovery_say(const weir_store *store, weir_recovery *r)
{
    size_t n = 0;
    if (r->repaired)
        n = (size_t)snprintf(r->text, sizeof r->text, "%.390s", store->notice);
    else if (store->kept[0])
        n = (size_t)snprintf(r->text, sizeof r->text,
                             "data.db was exchanged for another file of this store, which is used "
                             "now; the one before is %s",
                             store->kept);
    else if (r->recreated)
        n = (size_t)snprintf(r->text, sizeof r->text, "data.db was gone and has been made anew%s",
                             store->created ? ", empty" : " with all that was in it");
    if (r->lost_last > 0 && n < sizeof r->text)
        (void)snprintf(r->text + n, sizeof r->text - n,
                       "%s%" PRIu64 " samples and events that were committed are lost: the disk "
                       "did not keep them (numbers %" PRIu64 " to %" PRIu64 ")",
                       n ? "; " : "", r->lost_last - r->lost_first + 1, r->lost_first,
                       r->lost_last);
}

weir_err weir_store_recover(weir_store *store, bool damaged, weir_wall now, weir_recovery *ret,
                            weir_error *error)
{
    weir_err err = WEIR_OK;
    *ret = (weir_recovery){0};
    if (store->memory)
        return WEIR_OK;
    if (store->db && file_has_moved(store)) {
        store->gone = true;
        err = gone_mend(store, now, ret, error);
    } else if (!store->db || store->lock_fd < 0) {
        err = dir_remake(store, error);
    }
    if (err != WEIR_OK)
        return err;
    /* The connection still has a WAL without a name, and nobody else will. */
    if (store->db && !store->gone && wal_is_gone(store))
        err = wal_settle(store, error);
    if (err != WEIR_OK)
        return err;
    struct before b = before_take(store);
    if (store->db)
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    weir_store_detach(store);
    store->mended = store->created = store->gone = false;
    err = weir_store_mend(store, damaged, now, error);
    if (err == WEIR_OK)
        err = reopen(store, &b, now, ret, error);
    if (err != WEIR_OK) {
        before_put_back(store, &b);
        return err;
    }
    weir_cursors_deinit(&b.cursors);
    ret->repaired = store->mended;
    recovery_say(store, ret);
    store->notice[0] = store->kept[0] = '\0';
    weir_store_note(store);
    return WEIR_OK;
}
