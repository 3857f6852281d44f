/* SPDX-License-Identifier: MIT */
/* Secrets: from the configuration, which may have them from the environment, or from a file. */

#include "sinks/text/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

enum { SECRET_MAX = 64 * 1024 };

/* Memory that held a secret is not left to the next user of the heap. */
static void forget(char *memory, size_t n)
{
    explicit_bzero(memory, n);
    weir_free(memory);
}

static weir_err file_failed(const char *file, int code, weir_error *error)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return weir_fail(error, WEIR_ENOTFOUND,
                         "the file with the secret, %.300s, is not there: create it, with the "
                         "secret as its first line",
                         file);
    case EACCES:
    case EPERM:
        return weir_fail(error, WEIR_EPERM,
                         "the file with the secret, %.300s, cannot be read by the user that weir "
                         "runs as: chown or chmod it",
                         file);
    default:
        return weir_fail(error, WEIR_EIO, "the file with the secret, %.300s, cannot be read: %s",
                         file, strerror(code));
    }
}

/* At most SECRET_MAX + 1 bytes, so that a larger file is noticed. 0, or errno. */
static int file_load(int fd, char *memory, size_t *ret_n)
{
    size_t n = 0;
    while (n <= SECRET_MAX) {
        const ssize_t got = read(fd, memory + n, SECRET_MAX + 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *ret_n = n;
    return 0;
}

/* O_NONBLOCK: a FIFO without a writer must not hold up the sink. A pipe of the shell's <(...) or a
 * mounted secret is fine. */
static int file_open(const char *file, int *ret_fd)
{
    struct stat st;
    const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)close(fd);
        return EISDIR;
    }
    *ret_fd = fd;
    return 0;
}

/* What editors and echo leave at the end of a line is not part of the secret. */
static weir_err first_line(const char *file, const char *memory, size_t n, weir_text *ret,
                           weir_error *error)
{
    if (n > SECRET_MAX)
        return weir_fail(error, WEIR_EINVAL,
                         "%.300s is larger than 64 KiB: that is no file with a secret", file);
    if (memchr(memory, '\0', n))
        return weir_fail(error, WEIR_EINVAL, "%.300s has a NUL byte: a secret is one line of text",
                         file);
    const char *end = memchr(memory, '\n', n);
    size_t length = end ? (size_t)(end - memory) : n;
    if (length > 0 && memory[length - 1] == '\r')
        length--;
    if (length == 0)
        return weir_fail(error, WEIR_EINVAL, "%.300s is empty: its first line must be the secret",
                         file);
    weir_text_clear(ret);
    weir_text_add_n(ret, memory, length);
    return ret->failed ? weir_fail(error, WEIR_ENOMEM, "%.300s: out of memory", file) : WEIR_OK;
}

static weir_err file_read(const char *file, weir_text *ret, weir_error *error)
{
    int fd = -1;
    size_t n = 0;
    int code = file_open(file, &fd);
    if (code)
        return file_failed(file, code, error);
    char *memory = weir_alloc(SECRET_MAX + 1);
    if (memory)
        code = file_load(fd, memory, &n);
    (void)close(fd);
    if (!memory)
        return weir_fail(error, WEIR_ENOMEM, "%.300s: out of memory", file);
    weir_err err = code ? file_failed(file, code, error) : first_line(file, memory, n, ret, error);
    forget(memory, SECRET_MAX + 1);
    return err;
}

weir_err weir_secret_read(const char *value, const char *file, weir_text *ret, weir_error *error)
{
    if (file && *file && !(value && *value))
        return file_read(file, ret, error);
    weir_text_clear(ret);
    weir_text_add(ret, value ? value : "");
    return ret->failed ? weir_fail(error, WEIR_ENOMEM, "a secret: out of memory") : WEIR_OK;
}
