/* SPDX-License-Identifier: MIT */
/* A file that is written in one piece, and replaces no other unless it shall. */

/*
 * It is written under a name of its own beside its place and gets its name when it is complete and
 * on the disk. What fails removes that part again.
 */

#include "cli/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, const weir_text *text)
{
    for (size_t done = 0; done < text->length;) {
        const ssize_t n = write(fd, weir_text_get(text) + done, text->length - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0;
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

static weir_err write_fail(const char *name, int why, weir_error *error)
{
    const weir_err err = why == EEXIST                   ? WEIR_EINUSE
                         : why == EACCES || why == EROFS ? WEIR_EPERM
                                                         : WEIR_EIO;
    return weir_fail(error, err, "cannot write %s: %s", name, strerror(why));
}

static weir_err file_write(const char *name, const weir_text *text, bool replace, weir_arena *arena,
                           weir_error *error)
{
    char *part = weir_arena_format(arena, "%s.XXXXXX", name);
    const mode_t mask = umask(0);
    (void)umask(mask);
    if (!part)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    const int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0)
        return write_fail(name, errno, error);
    bool good = write_all(fd, text) && fchmod(fd, 0666 & ~mask) == 0;
    int why = errno;
    if (close(fd) && good) {
        good = false;
        why = errno;
    }
    if (good && give_name(part, name, replace))
        return WEIR_OK;
    why = good ? errno : why;
    (void)unlink(part);
    return write_fail(name, why, error);
}

weir_err weir_new_file_write(const char *name, const weir_text *text, bool replace,
                             weir_arena *arena, weir_error *error)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    weir_err err = file_write(name, text, replace, arena, error);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}
