/* SPDX-License-Identifier: MIT */
/* The lock of a data directory: one writing process at a time, and its pid for the others. */

/*
 * flock, not fcntl: a POSIX record lock would be lost when any other descriptor of the file is
 * closed, and would not keep out a second store in the same process. The file stays after the
 * lock is gone; only the lock counts, the pid in it is for people.
 */

#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"

enum { PID_BYTES = 32 };

static weir_err lock_in_use(int fd, const char *dir, weir_error *error)
{
    char text[PID_BYTES] = "";
    int64_t pid = 0;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[strcspn(text, "\n")] = '\0';
    /* Between taking the lock and writing the pid there is none. */
    if (n <= 0 || !weir_parse_i64(text, &pid))
        return weir_fail(error, WEIR_EINUSE,
                         "data directory %s is in use by another weir process: stop it or choose "
                         "another --data-dir",
                         dir);
    return weir_fail(error, WEIR_EINUSE,
                     "data directory %s is in use by weir process %lld: stop it or choose another "
                     "--data-dir",
                     dir, (long long)pid);
}

/* A killed process may need a moment to end, when the kernel still writes for it: whoever starts
 * the next one at once should not be turned away. errno is flock's. */
static bool lock_wait(int fd)
{
    enum { TRIES = 20 };
    static const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    for (int i = 0; i < TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

weir_err weir_lock_take(const char *dir, int *ret_fd, weir_error *error)
{
    char path[4096], text[PID_BYTES];
    int length = snprintf(path, sizeof path, "%s/weir.lock", dir);
    if (length < 0 || (size_t)length >= sizeof path)
        return weir_fail(error, WEIR_EINVAL, "data directory: the path is too long");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return weir_fail(error, errno == EACCES || errno == EROFS ? WEIR_EPERM : WEIR_EIO,
                         "cannot open %s: %s; choose a --data-dir that this user may write", path,
                         strerror(errno));
    if (!lock_wait(fd)) {
        weir_err err = errno == EWOULDBLOCK ? lock_in_use(fd, dir, error)
                                            : weir_fail(error, WEIR_EIO, "cannot lock %s: %s", path,
                                                        strerror(errno));
        (void)close(fd);
        return err;
    }
    const weir_lock_hint hint = weir_lock_hint_read(fd);
    length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length) {
        weir_err err = weir_fail(error, WEIR_EIO, "cannot write %s: %s", path, strerror(errno));
        (void)close(fd);
        return err;
    }
    weir_lock_hint_write(fd, &hint);
    *ret_fd = fd;
    return WEIR_OK;
}

void weir_lock_release(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

/* --- the second line ---------------------------------------------------------------------- */

/* Where it begins; 0: the first has no end. */
static off_t hint_at(int fd)
{
    char text[PID_BYTES] = "";
    if (pread(fd, text, sizeof text - 1, 0) <= 0 || !strchr(text, '\n'))
        return 0;
    return strchr(text, '\n') - text + 1;
}

weir_lock_hint weir_lock_hint_read(int fd)
{
    weir_lock_hint hint = {"", 0};
    char text[64] = "";
    int64_t seq;
    const off_t at = hint_at(fd);
    if (at == 0 || pread(fd, text, sizeof text - 1, at) <= 37 || text[36] != ' ')
        return hint;
    text[strcspn(text, "\n")] = '\0';
    if (!weir_parse_i64(text + 37, &seq) || seq < 0)
        return hint;
    memcpy(hint.uuid, text, 36);
    hint.last_seq = (uint64_t)seq;
    return hint;
}

void weir_lock_hint_write(int fd, const weir_lock_hint *hint)
{
    char text[64];
    const off_t at = hint_at(fd);
    if (at == 0 || strlen(hint->uuid) != 36)
        return;
    const int n =
        snprintf(text, sizeof text, "%s %llu\n", hint->uuid, (unsigned long long)hint->last_seq);
    /* Numbers only grow: no digits of an older line stay behind. */
    if (pwrite(fd, text, (size_t)n, at) != n)
        (void)ftruncate(fd, at);
}
