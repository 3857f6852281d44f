/* SPDX-License-Identifier: MIT */
/* Bytes between files for backup and restore: whole or an error in words. */

#include "store/backup/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crc.h"
#include "base/number.h"
#include "store/file/database.h"

enum {
    PIECE = 1 << 20,         /* read, written and counted at once */
    KEPT = 64 * 1000 * 1000, /* for the WAL and some hours of an ordinary plant */
};

weir_err weir_transfer_fail(weir_error *error, const char *doing, const char *path)
{
    const int why = errno;
    weir_err err = WEIR_EIO;
    const char *more = "";
    if (why == EACCES || why == EPERM || why == EROFS)
        err = WEIR_EPERM;
    else if (why == ENOENT || why == ENOTDIR)
        err = WEIR_ENOTFOUND;
    else if (why == ENOSPC || why == EDQUOT)
        err = WEIR_ELIMIT;
    else if (why == EFBIG)
        err = WEIR_ELIMIT, more = " for its file system (FAT32 ends at 4 GB)";
    return weir_fail(error, err, "cannot %s %s: %s%s", doing, path, strerror(why), more);
}

weir_err weir_transfer_write(int fd, const char *path, const void *bytes, size_t n, int64_t at,
                             weir_error *error)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = pwrite(fd, (const char *)bytes + done, n - done, at + (off_t)done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return weir_transfer_fail(error, "write", path);
        done += (size_t)k;
    }
    return WEIR_OK;
}

weir_err weir_transfer_read(int fd, const char *path, void *ret_bytes, size_t n, int64_t at,
                            weir_error *error)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = pread(fd, (char *)ret_bytes + done, n - done, at + (off_t)done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return weir_transfer_fail(error, "read", path);
        if (k == 0)
            return weir_fail(error, WEIR_EDAMAGED, "%s is cut short", path);
        done += (size_t)k;
    }
    return WEIR_OK;
}

weir_err weir_transfer_advance(weir_transfer *t, uint64_t n, weir_error *error)
{
    t->done += n;
    if (!t->progress || t->progress(t->data, t->done, t->total))
        return WEIR_OK;
    return weir_fail(error, WEIR_ECANCELED, "interrupted: nothing was left behind");
}

static int on_sqlite_progress(void *data)
{
    return weir_transfer_advance(data, 0, NULL) != WEIR_OK;
}

weir_err weir_transfer_check(weir_transfer *t, sqlite3 *db, weir_error *error)
{
    enum { STEPS = 10000 }; /* of SQLite's machine: some milliseconds */
    sqlite3_progress_handler(db, STEPS, on_sqlite_progress, t);
    weir_err err = weir_db_quick_check(db, error);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    /* What it then says is no finding. */
    return err && (sqlite3_errcode(db) & 0xff) == SQLITE_INTERRUPT
               ? weir_fail(error, WEIR_ECANCELED, "interrupted: nothing was left behind")
               : err;
}

static weir_err piece_keep(int fd, const char *path, const void *bytes, size_t n, int64_t at,
                           weir_error *error)
{
    weir_err err = weir_transfer_write(fd, path, bytes, n, at, error);
    if (!err && fdatasync(fd) != 0)
        err = weir_transfer_fail(error, "write", path);
    return err;
}

weir_err weir_transfer_crc(weir_transfer *t, int fd, const char *path, int64_t at, uint64_t n,
                           int to_fd, const char *to_path, uint32_t *ret_crc, weir_error *error)
{
    WEIR_CLEANUP(weir_free) void *bytes = weir_alloc(PIECE);
    uint32_t crc = 0;
    if (!bytes)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read %s", path);
    for (uint64_t done = 0; done < n;) {
        const size_t k = n - done < PIECE ? (size_t)(n - done) : PIECE;
        weir_err err = weir_transfer_read(fd, path, bytes, k, at + (int64_t)done, error);
        if (!err && to_fd >= 0)
            err = piece_keep(to_fd, to_path, bytes, k, (int64_t)done, error);
        if (!err)
            err = weir_transfer_advance(t, k, error);
        if (err)
            return err;
        crc = weir_crc32c(crc, bytes, k);
        done += k;
    }
    *ret_crc = crc;
    return WEIR_OK;
}

weir_err weir_transfer_space(const char *folder, uint64_t need, const char *beside,
                             weir_error *error)
{
    struct statvfs fs;
    struct stat there, here;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (statvfs(folder, &fs) != 0)
        return weir_transfer_fail(error, "write to", folder);
    if (beside && stat(folder, &there) == 0 && stat(beside, &here) == 0 &&
        there.st_dev == here.st_dev)
        need += KEPT;
    const uint64_t have = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (have >= need)
        return WEIR_OK;
    weir_text_add_size(&text, need);
    weir_text_add(&text, " are needed, ");
    weir_text_add_size(&text, have);
    return weir_fail(error, WEIR_ELIMIT, "not enough space in %s: %s are free. Nothing was written",
                     folder, weir_text_get(&text));
}

weir_err weir_transfer_sync_folder(const char *folder, weir_error *error)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return weir_transfer_fail(error, "open", folder);
    /* FAT and some network file systems know no fsync of a folder. */
    const bool failed = fsync(fd) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP;
    weir_err err = failed ? weir_transfer_fail(error, "write", folder) : WEIR_OK;
    (void)close(fd);
    return err;
}
