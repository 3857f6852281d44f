/* SPDX-License-Identifier: MIT */
/* A database inside a larger file: an SQLite VFS over a part of it. */

#include "store/backup/member.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/file/database.h"

/* Written back in small steps: gigabytes in the page cache would make the fsync of a commit beside
 * it wait for all of them. */
static const int64_t sync_bytes = 4 << 20;

typedef struct member_file {
    sqlite3_file base;
    weir_member *member;
} member_file;

static weir_member *member_of(sqlite3_file *file)
{
    return ((member_file *)(void *)file)->member;
}

static int member_close(sqlite3_file *file)
{
    (void)file;
    return SQLITE_OK;
}

static int member_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
    weir_member *m = member_of(file);
    const int64_t left = at < m->size ? m->size - at : 0;
    const size_t want = left < n ? (size_t)left : (size_t)n;
    size_t got = 0;
    while (got < want) {
        ssize_t k = pread(m->fd, (char *)bytes + got, want - got, m->base + at + (off_t)got);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            m->error = k < 0 ? errno : EIO;
            return SQLITE_IOERR_READ;
        }
        got += (size_t)k;
    }
    if (got == (size_t)n)
        return SQLITE_OK;
    memset((char *)bytes + got, 0, (size_t)n - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int put(weir_member *m, const void *bytes, size_t n, int64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = pwrite(m->fd, (const char *)bytes + done, n - done, m->base + at + (off_t)done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            m->error = errno;
            return errno == ENOSPC || errno == EDQUOT ? SQLITE_FULL : SQLITE_IOERR_WRITE;
        }
        done += (size_t)k;
    }
    return SQLITE_OK;
}

static int member_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    static const uint8_t rollback_journal[] = {1, 1};
    enum { VERSIONS_AT = 18 }; /* https://sqlite.org/fileformat.html 1.3.3 */
    weir_member *m = member_of(file);
    int rc = put(m, bytes, (size_t)n, at);
    if (rc == SQLITE_OK && at == 0 && n > VERSIONS_AT + 2)
        rc = put(m, rollback_journal, sizeof rollback_journal, VERSIONS_AT);
    if (rc != SQLITE_OK)
        return rc;
    if (at + n > m->size)
        m->size = at + n;
    m->unsynced += n;
    if (m->unsynced >= sync_bytes) {
        m->unsynced = 0;
        /* Linux tells of a failed write once: a later fsync would succeed. */
        if (fdatasync(m->fd) != 0) {
            m->error = errno;
            return errno == ENOSPC || errno == EDQUOT ? SQLITE_FULL : SQLITE_IOERR_FSYNC;
        }
    }
    return SQLITE_OK;
}

static int member_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (size < member_of(file)->size)
        member_of(file)->size = size;
    return SQLITE_OK;
}

static int member_sync(sqlite3_file *file, int flags)
{
    (void)file, (void)flags;
    return SQLITE_OK;
}

static int member_file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    *ret = member_of(file)->size;
    return SQLITE_OK;
}

static int member_lock(sqlite3_file *file, int level)
{
    (void)file, (void)level;
    return SQLITE_OK;
}

static int member_reserved(sqlite3_file *file, int *ret)
{
    (void)file;
    *ret = 0;
    return SQLITE_OK;
}

static int member_control(sqlite3_file *file, int op, void *arg)
{
    (void)file, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int member_sector_size(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

static int member_characteristics(sqlite3_file *file)
{
    (void)file;
    return 0;
}

static const sqlite3_io_methods member_methods = {
    .iVersion = 1,
    .xClose = member_close,
    .xRead = member_read,
    .xWrite = member_write,
    .xTruncate = member_truncate,
    .xSync = member_sync,
    .xFileSize = member_file_size,
    .xLock = member_lock,
    .xUnlock = member_lock,
    .xCheckReservedLock = member_reserved,
    .xFileControl = member_control,
    .xSectorSize = member_sector_size,
    .xDeviceCharacteristics = member_characteristics,
};

/* --- the VFS: one file, and everything else is the system's ------------------------------- */

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *ret_flags)
{
    member_file *f = (member_file *)(void *)file;
    (void)name;
    f->base.pMethods = NULL;
    if (!(flags & SQLITE_OPEN_MAIN_DB))
        return SQLITE_CANTOPEN;
    f->member = vfs->pAppData;
    f->base.pMethods = &member_methods;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs, (void)name, (void)sync;
    return SQLITE_OK;
}

/* No journal, no WAL. */
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    (void)vfs, (void)name, (void)flags;
    *ret = 0;
    return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
    (void)vfs;
    (void)snprintf(ret, (size_t)size, "%s", name);
    return SQLITE_OK;
}

weir_err weir_member_init(weir_member *member, int fd, int64_t base, int64_t size,
                          weir_error *error)
{
    const sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    *member = (weir_member){.fd = fd, .base = base, .size = size};
    if (!system)
        return weir_fail(error, WEIR_EIO, "SQLite has no VFS");
    (void)snprintf(member->name, sizeof member->name, "weir-member-%p", (void *)member);
    member->vfs = *system; /* time, randomness, sleep */
    member->vfs.iVersion = 1;
    member->vfs.pNext = NULL;
    member->vfs.szOsFile = sizeof(member_file);
    member->vfs.zName = member->name;
    member->vfs.pAppData = member;
    member->vfs.xOpen = vfs_open;
    member->vfs.xDelete = vfs_delete;
    member->vfs.xAccess = vfs_access;
    member->vfs.xFullPathname = vfs_full_name;
    if (sqlite3_vfs_register(&member->vfs, 0) != SQLITE_OK)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the archive");
    return WEIR_OK;
}

void weir_member_deinit(weir_member *member)
{
    if (*member->name)
        (void)sqlite3_vfs_unregister(&member->vfs);
    *member = (weir_member){.fd = -1};
}

weir_err weir_member_open(weir_member *member, bool writable, sqlite3 **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *db = NULL;
    const int flags = writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    weir_err err = weir_db_open("member", flags, member->name, &db, error);
    if (!err)
        err = weir_db_exec(db, "PRAGMA temp_store=memory; PRAGMA cache_size=-2000", error);
    if (!err && writable)
        err = weir_db_exec(db, "PRAGMA journal_mode=off; PRAGMA synchronous=off", error);
    if (err)
        return err;
    *ret = db;
    db = NULL;
    return WEIR_OK;
}
