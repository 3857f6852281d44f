/* SPDX-License-Identifier: MIT */
/* Where a backup goes: a file that is there whole or not at all, or standard output. */

#include "store/backup/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup/manifest.h"
#include "store/backup/tar.h"
#include "store/backup/transfer.h"

/* Whoever mistypes shall not lose a database or a configuration. */
static weir_err target_is_ours(const char *path, int fd, weir_error *error)
{
    uint8_t block[WEIR_TAR_BLOCK];
    weir_tar_header header = {0};
    const ssize_t n = pread(fd, block, sizeof block, 0);
    if (n == 0)
        return WEIR_OK;
    if (n == sizeof block && weir_tar_read(block, &header, NULL) == WEIR_OK &&
        !strcmp(header.name, WEIR_MANIFEST_NAME))
        return WEIR_OK;
    return weir_fail(error, WEIR_EPERM,
                     "%s exists and is no backup of weir: choose another name, or remove it", path);
}

static weir_err target_look(const char *path, weir_error *error)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno == ENOENT ? WEIR_OK : weir_transfer_fail(error, "write", path);
    if (S_ISDIR(st.st_mode))
        return weir_fail(error, WEIR_EINVAL, "%s is a folder: name a file in it", path);
    if (!S_ISREG(st.st_mode))
        return weir_fail(error, WEIR_EINVAL, "%s is not a file: name one, or - for standard output",
                         path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return weir_transfer_fail(error, "replace", path);
    weir_err err = target_is_ours(path, fd, error);
    (void)close(fd);
    return err;
}

/* Names of the target, the part and their folder. A link keeps pointing at the new backup. */
static weir_err target_name(weir_target *t, weir_error *error)
{
    const char *wanted = t->wanted;
    char *real = realpath(wanted, NULL);
    const int n = snprintf(t->name, sizeof t->name, "%s", real ? real : wanted);
    free(real);
    if (n <= 0 || (size_t)n >= sizeof t->name - sizeof ".part")
        return weir_fail(error, WEIR_EINVAL, "'%.80s' is no usable file name", wanted);
    (void)snprintf(t->part, sizeof t->part, "%s.part", t->name);
    (void)snprintf(t->folder, sizeof t->folder, "%s", t->name);
    char *slash = strrchr(t->folder, '/');
    if (slash)
        slash[slash == t->folder] = '\0';
    else
        (void)snprintf(t->folder, sizeof t->folder, ".");
    return WEIR_OK;
}

weir_err weir_target_init(weir_target *t, const char *wanted, weir_error *error)
{
    *t = (weir_target)WEIR_TARGET_INIT;
    t->wanted = wanted;
    if (!strcmp(wanted, "-"))
        return WEIR_OK;
    weir_err err = target_look(wanted, error);
    return err ? err : target_name(t, error);
}

/* Whether the file that is open still has the name: another backup may have renamed it. */
static bool part_has_name(const weir_target *t)
{
    struct stat open_one, named;
    return fstat(t->fd, &open_one) == 0 && stat(t->part, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

static weir_err part_open(weir_target *t, weir_error *error)
{
    t->fd = open(t->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (t->fd < 0)
        return weir_transfer_fail(error, "write", t->part);
    const bool locked = flock(t->fd, LOCK_EX | LOCK_NB) == 0;
    if ((!locked && errno == EWOULDBLOCK) || !part_has_name(t)) /* some network disks have none */
        return weir_fail(error, WEIR_EINUSE, "another backup to %s is under way", t->name);
    t->linked = true;
    if (fchmod(t->fd, 0600) != 0 && errno != EPERM) /* FAT has no modes */
        return weir_transfer_fail(error, "write", t->part);
    return ftruncate(t->fd, 0) == 0 ? WEIR_OK : weir_transfer_fail(error, "write", t->part);
}

/* For standard output: sums stand at the front, so all is made in a nameless file first. */
static weir_err spool_open(weir_target *t, uint64_t size, const char *beside, weir_error *error)
{
    const char *folder = getenv("TMPDIR");
    (void)snprintf(t->folder, sizeof t->folder, "%s", folder && *folder ? folder : "/var/tmp");
    weir_err err = weir_transfer_space(t->folder, size, beside, error);
    if (err)
        return err;
    (void)snprintf(t->part, sizeof t->part, "%s/weir-backup-XXXXXX", t->folder);
    t->fd = mkostemp(t->part, O_CLOEXEC);
    if (t->fd < 0)
        return weir_transfer_fail(error, "make a temporary file in", t->folder);
    (void)unlink(t->part);
    return WEIR_OK;
}

weir_err weir_target_open(weir_target *t, uint64_t size, const char *beside, weir_error *error)
{
    if (!strcmp(t->wanted, "-"))
        return spool_open(t, size, beside, error);
    weir_err err = weir_transfer_space(t->folder, size, beside, error);
    return err ? err : part_open(t, error);
}

static weir_err stream(const weir_target *t, uint64_t size, weir_error *error)
{
    char bytes[65536];
    for (uint64_t at = 0; at < size;) {
        const size_t n = size - at < sizeof bytes ? (size_t)(size - at) : sizeof bytes;
        weir_err err = weir_transfer_read(t->fd, t->part, bytes, n, (int64_t)at, error);
        if (err)
            return err;
        for (size_t done = 0; done < n;) {
            const ssize_t k = write(STDOUT_FILENO, bytes + done, n - done);
            if (k < 0 && errno != EINTR)
                return weir_transfer_fail(error, "write to", "standard output");
            done += k > 0 ? (size_t)k : 0;
        }
        at += n;
    }
    return WEIR_OK;
}

weir_err weir_target_hand_over(weir_target *t, uint64_t size, weir_error *error)
{
    if (!t->linked)
        return stream(t, size, error);
    if (rename(t->part, t->name) != 0)
        return weir_transfer_fail(error, "rename to", t->name);
    t->linked = false;
    return weir_transfer_sync_folder(t->folder, error);
}

void weir_target_close(weir_target *t)
{
    if (t->linked)
        (void)unlink(t->part);
    if (t->fd >= 0)
        (void)close(t->fd);
    *t = (weir_target)WEIR_TARGET_INIT;
}
