/* SPDX-License-Identifier: MIT */
/* Moving whole database files, on the disk or in a simulated one. */

#include "store/file/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/alloc.h"

enum { COPY_BYTES = 65536 };

bool weir_file_exists(const char *path, const char *vfs)
{
    sqlite3_vfs *v = sqlite3_vfs_find(vfs);
    int exists = 0;
    return v && (v->xAccess(v, path, SQLITE_ACCESS_EXISTS, &exists) != SQLITE_OK || exists);
}

static weir_err errno_fail(weir_error *error, const char *doing, const char *path)
{
    const bool may_not = errno == EACCES || errno == EPERM || errno == EROFS;
    return weir_fail(error, may_not ? WEIR_EPERM : WEIR_EIO, "cannot %s %s: %s", doing, path,
                     strerror(errno));
}

weir_err weir_file_check(const char *path, const char *vfs, weir_error *error)
{
    struct stat st;
    if (vfs || stat(path, &st) != 0 || S_ISREG(st.st_mode))
        return WEIR_OK;
    return weir_fail(error, WEIR_EIO,
                     "%s is %s, where a database file belongs: move it away, or choose another "
                     "--data-dir",
                     path,
                     S_ISDIR(st.st_mode)    ? "a folder"
                     : S_ISFIFO(st.st_mode) ? "a named pipe"
                                            : "no file");
}

/* --- through the VFS ---------------------------------------------------------------------- */

static sqlite3_file *vfs_open(sqlite3_vfs *v, const char *path, int flags)
{
    sqlite3_filename name = sqlite3_create_filename(path, "", "", 0, NULL);
    sqlite3_file *file = weir_alloc_zero(1, (size_t)v->szOsFile);
    int out;
    if (name && file && v->xOpen(v, name, file, flags, &out) != SQLITE_OK) {
        weir_free(file);
        file = NULL;
    }
    sqlite3_free_filename(name);
    return file;
}

static void vfs_close(sqlite3_file *file)
{
    if (file && file->pMethods)
        (void)file->pMethods->xClose(file);
    weir_free(file);
}

/* A journal of its own kind is opened as a database: no lock is taken, no name is looked up. */
int64_t weir_file_size(const char *path, const char *vfs)
{
    sqlite3_vfs *v = sqlite3_vfs_find(vfs);
    sqlite3_int64 size = -1;
    if (!weir_file_exists(path, vfs))
        return -1;
    sqlite3_file *file = vfs_open(v, path, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READONLY);
    if (file && file->pMethods->xFileSize(file, &size) != SQLITE_OK)
        size = -1;
    vfs_close(file);
    return size;
}

static int vfs_copy(sqlite3_file *from, sqlite3_file *to)
{
    static const int whole = SQLITE_OK;
    uint8_t *bytes = weir_alloc(COPY_BYTES);
    sqlite3_int64 size = 0;
    int rc = bytes ? from->pMethods->xFileSize(from, &size) : SQLITE_NOMEM;
    if (rc == whole)
        rc = to->pMethods->xTruncate(to, 0);
    for (sqlite3_int64 at = 0; rc == whole && at < size; at += COPY_BYTES) {
        const int n = (int)(size - at < COPY_BYTES ? size - at : COPY_BYTES);
        rc = from->pMethods->xRead(from, bytes, n, at);
        if (rc == whole)
            rc = to->pMethods->xWrite(to, bytes, n, at);
    }
    weir_free(bytes);
    return rc == whole ? to->pMethods->xSync(to, SQLITE_SYNC_NORMAL) : rc;
}

static weir_err vfs_move(const char *from, const char *to, const char *vfs, weir_error *error)
{
    sqlite3_vfs *v = sqlite3_vfs_find(vfs);
    sqlite3_file *source = vfs_open(v, from, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READONLY);
    sqlite3_file *target =
        vfs_open(v, to, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    const int rc = source && target ? vfs_copy(source, target) : SQLITE_CANTOPEN;
    vfs_close(source);
    vfs_close(target);
    if (rc != SQLITE_OK || v->xDelete(v, from, 1) != SQLITE_OK)
        return weir_fail(error, WEIR_EIO, "cannot move %s to %s", from, to);
    return WEIR_OK;
}

/* --- */

weir_err weir_file_move(const char *from, const char *to, const char *vfs, weir_error *error)
{
    if (vfs)
        return vfs_move(from, to, vfs, error);
    return rename(from, to) == 0 ? WEIR_OK : errno_fail(error, "move", from);
}

weir_err weir_file_remove(const char *path, const char *vfs, weir_error *error)
{
    sqlite3_vfs *v = sqlite3_vfs_find(vfs);
    if (!weir_file_exists(path, vfs) || v->xDelete(v, path, 1) == SQLITE_OK)
        return WEIR_OK;
    return weir_fail(error, WEIR_EIO, "cannot remove %s", path);
}

weir_err weir_dir_sync(const char *path, weir_error *error)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno_fail(error, "open", path);
    const int status = fsync(fd);
    weir_err err = status == 0 ? WEIR_OK : errno_fail(error, "write", path);
    (void)close(fd);
    return err;
}

weir_err weir_dir_make(const char *path, weir_error *error)
{
    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return WEIR_OK;
    return weir_fail(error, errno == EACCES || errno == EROFS ? WEIR_EPERM : WEIR_EIO,
                     "cannot make %s: %s", path, strerror(errno));
}

void weir_file_time(weir_wall t, char ret[28])
{
    weir_wall_format(t, ret);
    for (char *c = ret; *c; c++)
        *c = *c == ':' ? '-' : *c;
}
