/* SPDX-License-Identifier: MIT */
/* A file that is there whole or not at all. */

/*
 * It is written under a name of its own beside its place and gets its name when it is complete and
 * on the disk: whoever reads it, and a crash at any moment, finds the one or the other. What fails
 * removes that part again.
 */

#include "catalog/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool write_all(int fd, const weir_text *text)
{
    for (size_t done = 0; done < text->length;) {
        const ssize_t n = write(fd, weir_text_get(text) + done, text->length - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool give_mode(int fd)
{
    const mode_t mask = umask(0);
    (void)umask(mask);
    return fchmod(fd, 0666 & ~mask) == 0;
}

/* Of the same owner, or not at all: who may edit it today shall tomorrow. */
static bool make_like(int fd, const struct stat *like)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    if ((st.st_uid != like->st_uid || st.st_gid != like->st_gid) &&
        fchown(fd, like->st_uid, like->st_gid) != 0)
        return false;
    return fchmod(fd, like->st_mode & 07777) == 0;
}

/* link() never replaces; file systems without links (FAT) get the same but for a race. */
static bool give_name(const char *part, const char *name, bool replace)
{
    if (replace)
        return rename(part, name) == 0;
    if (link(part, name) == 0)
        return unlink(part) == 0;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
        return false;
    if (access(name, F_OK) == 0) {
        errno = EEXIST;
        return false;
    }
    return rename(part, name) == 0;
}

static void folder_sync(weir_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder =
        slash ? weir_arena_text_n(arena, path, slash == path ? 1 : (size_t)(slash - path)) : ".";
    const int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

int weir_whole_file_write(weir_arena *arena, const char *name, const weir_text *text, bool replace,
                          const struct stat *like, struct stat *ret_stat)
{
    char *part = weir_arena_format(arena, "%s.XXXXXX", name);
    if (!part)
        return ENOMEM;
    const int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0)
        return errno;
    bool good = write_all(fd, text) && (like ? make_like(fd, like) : give_mode(fd)) &&
                fsync(fd) == 0 && (!ret_stat || fstat(fd, ret_stat) == 0);
    int why = errno;
    if (close(fd) != 0 && good) {
        good = false;
        why = errno;
    }
    if (good && give_name(part, name, replace)) {
        folder_sync(arena, name);
        return 0;
    }
    why = good ? errno : why;
    (void)unlink(part);
    return why;
}
