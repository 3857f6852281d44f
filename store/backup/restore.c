/* SPDX-License-Identifier: MIT */
/* From a backup to a data directory, or a data directory that was copied by hand to a declared one.
 */

/*
 * The happy path: the headers are walked through and compared with the list of contents; under the
 * directory's lock all is unpacked into restore.part within it, summed up on the way; SQLite checks
 * the database, which then gets its identity; the pieces are renamed to their places, data.db last.
 *
 * Within the directory, because it may be the mount of a disk of its own. Until the last rename
 * there is no data.db: half a restore is no store. A kill leaves restore.part, which nobody reads
 * and the next restore removes.
 */

#include "store/backup/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup/member.h"
#include "store/backup/package.h"
#include "store/backup/transfer.h"
#include "store/file/database.h"
#include "store/file/files.h"
#include "store/file/lock.h"

#define PART "restore.part"

/* What is in a data directory that somebody may miss, in the order it is moved away: without
 * data.db the rest is no store. */
static const char *const kept[] = {
    WEIR_MANIFEST_DATA,        WEIR_MANIFEST_DATA "-wal",
    WEIR_MANIFEST_DATA "-shm", WEIR_MANIFEST_DATA "-journal",
    WEIR_MANIFEST_EDITS,       WEIR_MANIFEST_EDITS "-journal",
    WEIR_RESTORE_FOLDER,
};
enum { KEPT = sizeof kept / sizeof *kept };

/* --- checking in place -------------------------------------------------------------------- */

static bool member_is_database(const weir_manifest_member *m)
{
    return !strcmp(m->name, WEIR_MANIFEST_DATA) || !strcmp(m->name, WEIR_MANIFEST_EDITS);
}

static weir_err database_check(const weir_package *a, size_t i, weir_transfer *t, weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    weir_member member;
    weir_err err =
        weir_member_init(&member, a->fd, a->at[i], (int64_t)a->manifest.members[i].size, error);
    if (!err)
        err = weir_member_open(&member, false, &db, error);
    if (!err)
        err = weir_transfer_check(t, db, error);
    (void)sqlite3_close(db);
    db = NULL;
    weir_member_deinit(&member);
    return err;
}

weir_err weir_restore_check(const char *file, weir_backup_progress progress, void *data,
                            weir_arena *arena, weir_manifest *ret, weir_error *error)
{
    weir_package a;
    weir_err err = weir_package_open(&a, file, arena, error);
    weir_transfer t = {progress, data, 0, err ? 0 : weir_package_total(&a)};
    for (size_t i = 0; !err && i < a.manifest.n_members; i++) {
        err = weir_package_take(&a, i, &t, -1, NULL, error);
        if (!err && member_is_database(&a.manifest.members[i]))
            err = database_check(&a, i, &t, error);
    }
    weir_package_close(&a);
    if (!err)
        *ret = a.manifest;
    return err;
}

/* --- the data directory ------------------------------------------------------------------- */

struct place {
    const char *dir;
    bool made; /* by us */
    int lock_fd;
    uid_t uid; /* who shall own what is unpacked */
    gid_t gid;
    bool give; /* to them */
};

/* dir/a, or dir/a/b. */
static weir_err path_make(char ret[PATH_MAX], const char *dir, const char *a, const char *b,
                          weir_error *error)
{
    const int n = snprintf(ret, PATH_MAX, "%s/%s%s%s", dir, a, b ? "/" : "", b ? b : "");
    return n > 0 && n < PATH_MAX ? WEIR_OK
                                 : weir_fail(error, WEIR_EINVAL, "data directory: too long a path");
}

/* Root restores for the user whose directory it is; who cannot start is not helped. */
static weir_err place_open(struct place *p, const char *dir, weir_error *error)
{
    struct stat st;
    *p = (struct place){.dir = dir, .lock_fd = -1};
    if (!strcmp(dir, "memory"))
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "data_dir is memory: name a folder with --data-dir");
    p->made = mkdir(dir, 0750) == 0;
    if (!p->made && errno != EEXIST)
        return weir_transfer_fail(error, "make data directory", dir);
    if (stat(dir, &st) != 0)
        return weir_transfer_fail(error, "look into", dir);
    p->uid = st.st_uid;
    p->gid = st.st_gid;
    p->give = geteuid() == 0 && st.st_uid != 0;
    weir_err err = weir_lock_take(dir, &p->lock_fd, error);
    if (!err && p->give && fchown(p->lock_fd, p->uid, p->gid) != 0)
        err = weir_transfer_fail(error, "give to its owner the lock in", dir);
    return err;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    (void)remove(path);
    return 0;
}

static void part_remove(const char *dir)
{
    enum { DESCRIPTORS = 8 };
    char path[PATH_MAX];
    if (path_make(path, dir, PART, NULL, NULL) == WEIR_OK)
        (void)nftw(path, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

static void place_close(struct place *p, bool done)
{
    char path[PATH_MAX];
    if (!done && p->lock_fd >= 0)
        part_remove(p->dir);
    if (!done && p->made && path_make(path, p->dir, "weir.lock", NULL, NULL) == WEIR_OK) {
        (void)unlink(path);
        (void)rmdir(p->dir);
    }
    weir_lock_release(p->lock_fd);
}

static weir_err place_is_free(const struct place *p, weir_error *error)
{
    for (size_t i = 0; i < KEPT; i++) {
        char path[PATH_MAX];
        struct stat st;
        weir_err err = path_make(path, p->dir, kept[i], NULL, error);
        if (err)
            return err;
        if (lstat(path, &st) == 0)
            return weir_fail(error, WEIR_EINUSE,
                             "%s holds a store already (%s): choose another --data-dir, or give "
                             "--replace to move what is there into a folder within it",
                             p->dir, kept[i]);
    }
    return WEIR_OK;
}

/* Everything of before into DIR/replaced-TIME; nothing is deleted. */
static weir_err place_clear(const struct place *p, weir_wall now, char *ret, size_t size,
                            weir_error *error)
{
    char time[28], folder[64], from[PATH_MAX], to[PATH_MAX];
    bool made = false;
    weir_file_time(now, time);
    (void)snprintf(folder, sizeof folder, "replaced-%s", time);
    for (size_t i = 0; i < KEPT; i++) {
        struct stat st;
        weir_err err = path_make(from, p->dir, kept[i], NULL, error);
        if (!err)
            err = path_make(to, p->dir, folder, NULL, error);
        if (err)
            return err;
        if (lstat(from, &st) != 0)
            continue;
        if (!made && mkdir(to, 0750) != 0)
            return weir_transfer_fail(error, "make", to);
        if (!made && p->give && chown(to, p->uid, p->gid) != 0)
            return weir_transfer_fail(error, "give to its owner", to);
        made = true;
        err = path_make(to, p->dir, folder, kept[i], error);
        if (err)
            return err;
        if (rename(from, to) != 0)
            return weir_transfer_fail(error, "move away", from);
    }
    if (made)
        (void)snprintf(ret, size, "%s", folder);
    return WEIR_OK;
}

/* --- unpacking ---------------------------------------------------------------------------- */

/* The folders above a file; name is relative to dir. */
static weir_err folders_make(const struct place *p, const char *name, weir_error *error)
{
    char path[PATH_MAX];
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        char part[PATH_MAX];
        (void)snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
        weir_err err = path_make(path, p->dir, part, NULL, error);
        if (err)
            return err;
        if (mkdir(path, 0700) != 0) {
            if (errno != EEXIST)
                return weir_transfer_fail(error, "make", path);
        } else if (p->give && chown(path, p->uid, p->gid) != 0) {
            return weir_transfer_fail(error, "give to its owner", path);
        }
    }
    return WEIR_OK;
}

static weir_err member_unpack(const weir_package *a, size_t i, const struct place *p,
                              weir_transfer *t, weir_error *error)
{
    const weir_manifest_member *m = &a->manifest.members[i];
    const bool database = member_is_database(m);
    char name[PATH_MAX], path[PATH_MAX];
    (void)snprintf(name, sizeof name, PART "/%s%s", database ? "" : WEIR_RESTORE_FOLDER "/",
                   m->name);
    weir_err err = folders_make(p, name, error);
    if (!err)
        err = path_make(path, p->dir, name, NULL, error);
    if (err)
        return err;
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, database ? 0644 : 0600);
    if (fd < 0)
        return weir_transfer_fail(error, "write", path);
    err = weir_package_take(a, i, t, fd, path, error);
    if (!err && p->give && fchown(fd, p->uid, p->gid) != 0)
        err = weir_transfer_fail(error, "give to its owner", path);
    if (!err && fsync(fd) != 0)
        err = weir_transfer_fail(error, "write", path);
    (void)close(fd);
    return err;
}

static weir_err database_open(const char *path, weir_transfer *t, sqlite3 **ret, weir_error *error)
{
    weir_db_content content;
    sqlite3 *db = NULL;
    weir_err err = weir_db_open(path, SQLITE_OPEN_READWRITE, NULL, &db, error);
    if (!err)
        err = weir_db_identify(db, path, &content, error);
    if (!err && content != WEIR_DB_OURS)
        err = weir_fail(error, WEIR_EDAMAGED, "%s is empty", path);
    if (!err)
        err = weir_db_exec(db, "PRAGMA synchronous=FULL", error);
    if (!err)
        err = weir_transfer_check(t, db, error);
    if (err)
        (void)sqlite3_close(db);
    else
        *ret = db;
    return err;
}

/* The database as it will be used; what the list says of it must be so. */
static weir_err data_declare(const char *path, weir_transfer *t, const weir_manifest *m,
                             const char *name, weir_wall now, weir_identity *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    weir_identity found;
    uint64_t seq;
    weir_err err = database_open(path, t, &db, error);
    if (!err)
        err = weir_identity_read(db, &found, error);
    if (!err)
        err = weir_identity_last_seq(db, &seq, error);
    if (!err && m && (strcmp(found.uuid, m->identity.uuid) != 0 || seq != m->seq))
        err = weir_fail(error, WEIR_EDAMAGED,
                        "the backup's list of contents belongs to another database");
    return err ? err : weir_identity_renew(db, name, now, ret, error);
}

static weir_err edits_check(const char *path, weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    if (access(path, F_OK) != 0)
        return WEIR_OK; /* the backup had none */
    weir_err err = weir_db_open(path, SQLITE_OPEN_READONLY, NULL, &db, error);
    if (!err)
        err = weir_db_quick_check(db, error);
    return err ? weir_fail_prefix(error, WEIR_MANIFEST_EDITS ": ") : err;
}

static weir_err unpack(const weir_package *a, const weir_restore_options *o, const struct place *p,
                       weir_identity *ret, weir_error *error)
{
    weir_transfer t = {o->progress, o->data, 0, weir_package_total(a)};
    char path[PATH_MAX];
    weir_err err = WEIR_OK;
    part_remove(p->dir);
    for (size_t i = 0; !err && i < a->manifest.n_members; i++)
        err = member_unpack(a, i, p, &t, error);
    if (!err)
        err = path_make(path, p->dir, PART, WEIR_MANIFEST_EDITS, error);
    if (!err)
        err = edits_check(path, error);
    if (!err)
        err = path_make(path, p->dir, PART, WEIR_MANIFEST_DATA, error);
    return err ? err : data_declare(path, &t, &a->manifest, o->name, o->now, ret, error);
}

/* Files are on the disk, the folders they are in perhaps not. */
static weir_err part_sync(const struct place *p, weir_error *error)
{
    int fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    weir_err err =
        fd >= 0 && syncfs(fd) == 0 ? WEIR_OK : weir_transfer_fail(error, "write", p->dir);
    if (fd >= 0)
        (void)close(fd);
    return err;
}

/* data.db last: with it the store is there. */
static weir_err pieces_place(const struct place *p, weir_error *error)
{
    static const char *const pieces[] = {WEIR_RESTORE_FOLDER, WEIR_MANIFEST_EDITS,
                                         WEIR_MANIFEST_DATA};
    char from[PATH_MAX], to[PATH_MAX];
    weir_err err = part_sync(p, error);
    for (size_t i = 0; !err && i < sizeof pieces / sizeof *pieces; i++) {
        err = path_make(from, p->dir, PART, pieces[i], error);
        if (!err)
            err = path_make(to, p->dir, pieces[i], NULL, error);
        if (!err && rename(from, to) != 0 && errno != ENOENT) /* not every backup has all */
            err = weir_transfer_fail(error, "rename to", to);
    }
    if (!err)
        err = weir_transfer_sync_folder(p->dir, error);
    if (!err)
        part_remove(p->dir);
    return err;
}

static weir_err restore_into(const weir_package *a, const weir_restore_options *o,
                             const struct place *p, weir_restore_report *report, weir_error *error)
{
    weir_err err = o->replace ? WEIR_OK : place_is_free(p, error);
    if (!err)
        err = weir_transfer_space(p->dir, weir_package_total(a), NULL, error);
    if (!err)
        err = unpack(a, o, p, &report->identity, error);
    if (!err && o->replace)
        err = place_clear(p, o->now, report->replaced, sizeof report->replaced, error);
    return err ? err : pieces_place(p, error);
}

weir_err weir_restore(const weir_restore_options *options, weir_arena *arena,
                      weir_restore_report *ret, weir_error *error)
{
    weir_package a;
    struct place p = {.lock_fd = -1};
    weir_restore_report report = {0};
    weir_err err = weir_package_open(&a, options->file, arena, error);
    if (!err && options->name && !strcmp(options->name, a.manifest.identity.name))
        err = weir_fail(error, WEIR_EINVAL,
                        "'%s' is the name of what was backed up: a copy needs one of its own",
                        options->name);
    if (!err)
        err = place_open(&p, options->data_dir, error);
    if (!err)
        err = restore_into(&a, options, &p, &report, error);
    place_close(&p, !err);
    weir_package_close(&a);
    if (err)
        return err;
    report.manifest = a.manifest;
    *ret = report;
    return WEIR_OK;
}

/* --- in place ----------------------------------------------------------------------------- */

weir_err weir_restore_in_place(const char *data_dir, const char *name, weir_wall now,
                               weir_identity *ret, weir_error *error)
{
    char path[PATH_MAX];
    int lock_fd = -1;
    weir_err err = path_make(path, data_dir, WEIR_MANIFEST_DATA, NULL, error);
    if (err)
        return err;
    if (access(path, F_OK) != 0)
        return weir_fail(error, WEIR_ENOTFOUND,
                         "no store in %s: name the copied data directory with --data-dir, or give "
                         "a backup's FILE",
                         data_dir);
    err = weir_lock_take(data_dir, &lock_fd, error);
    if (!err)
        err = data_declare(path, &(weir_transfer){0}, NULL, name, now, ret, error);
    weir_lock_release(lock_fd);
    return err;
}
