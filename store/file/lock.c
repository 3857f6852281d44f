/* SPDX-License-Identifier: MIT */
/* The lock of a data directory: one writing process at a time, and its pid for the others. */

/*
 * flock, not fcntl: a POSIX record lock would be lost when any other descriptor of the file is
 * closed, and would not keep out a second store in the same process. The file stays after the
 * lock is gone; only the lock counts, the pid in it is for people.
 */

#include "store/file/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"

/* The file: the pid, padded; the store's uuid and how far it was, padded; its tags, a line each.
 * Each is written in place, so that a full disk keeps nobody from starting. */
enum {
    PID_BYTES = 21,
    HINT_BYTES = 36 + 1 + 20 + 1,
    TAGS_AT = PID_BYTES + HINT_BYTES,
    TAGS_BYTES_MAX = 64 * 1024 * 1024,
};

static weir_err lock_in_use(int fd, const char *dir, weir_error *error)
{
    char text[PID_BYTES + 1] = "";
    int64_t pid = 0;
    ssize_t n = pread(fd, text, PID_BYTES, 0);
    text[strcspn(text, " \n")] = '\0';
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
    char path[4096], text[PID_BYTES + 1];
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
    length = snprintf(text, sizeof text, "%-20ld\n", (long)getpid());
    if (pwrite(fd, text, (size_t)length, 0) != length) {
        weir_err err = weir_fail(error, WEIR_EIO, "cannot write %s: %s", path, strerror(errno));
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return WEIR_OK;
}

void weir_lock_release(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

/* --- what store was here ------------------------------------------------------------------- */

weir_lock_hint weir_lock_hint_read(int fd)
{
    weir_lock_hint hint = {"", 0};
    char text[HINT_BYTES + 1] = "";
    int64_t seq;
    if (pread(fd, text, HINT_BYTES, PID_BYTES) != HINT_BYTES || text[36] != ' ')
        return hint;
    text[37 + strcspn(text + 37, " \n")] = '\0';
    if (!weir_parse_i64(text + 37, &seq) || seq < 0)
        return hint;
    memcpy(hint.uuid, text, 36);
    hint.last_seq = (uint64_t)seq;
    return hint;
}

void weir_lock_hint_write(int fd, const weir_lock_hint *hint)
{
    char text[HINT_BYTES + 1];
    if (strlen(hint->uuid) != 36)
        return;
    (void)snprintf(text, sizeof text, "%s %-20llu\n", hint->uuid,
                   (unsigned long long)hint->last_seq);
    const ssize_t n = pwrite(fd, text, HINT_BYTES, PID_BYTES);
    (void)n;
}

weir_err weir_lock_tags_read(int fd, weir_text *ret, weir_error *error)
{
    struct stat st;
    weir_text_clear(ret);
    if (fstat(fd, &st) != 0 || st.st_size <= TAGS_AT || st.st_size > TAGS_BYTES_MAX)
        return WEIR_OK;
    const size_t n = (size_t)(st.st_size - TAGS_AT);
    char *bytes = weir_alloc(n);
    if (!bytes)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the tags' names");
    if (pread(fd, bytes, n, TAGS_AT) == (ssize_t)n)
        weir_text_add_n(ret, bytes, n);
    weir_free(bytes);
    return ret->failed ? weir_fail(error, WEIR_ENOMEM, "no memory for the tags' names") : WEIR_OK;
}

static bool tags_are(int fd, const char *text, size_t n)
{
    char bytes[4096];
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size != TAGS_AT + (off_t)n)
        return false;
    for (size_t at = 0; at < n; at += sizeof bytes) {
        const size_t some = n - at < sizeof bytes ? n - at : sizeof bytes;
        if (pread(fd, bytes, some, TAGS_AT + (off_t)at) != (ssize_t)some ||
            memcmp(bytes, text + at, some) != 0)
            return false;
    }
    return true;
}

void weir_lock_tags_write(int fd, const weir_text *tags)
{
    const char *text = weir_text_get(tags);
    if (weir_lock_hint_read(fd).uuid[0] == '\0' || tags->length + TAGS_AT > TAGS_BYTES_MAX ||
        tags_are(fd, text, tags->length))
        return;
    /* Half of it is of use too. */
    if (pwrite(fd, text, tags->length, TAGS_AT) == (ssize_t)tags->length &&
        ftruncate(fd, TAGS_AT + (off_t)tags->length) != 0)
        return;
}
