/* SPDX-License-Identifier: MIT */
/* LD_PRELOAD for the real program: a disk that fails or is slow, and a wall clock that is wrong.
 *
 * WEIR_SHIM_CONTROL names a file of at least sizeof(struct control), which tests/support/shim.py
 * maps and changes while the program runs; WEIR_SHIM_PATH is a pattern (fnmatch) of the paths
 * whose writes and syncs are meant. Without them nothing is changed. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { OP_SYNC = 1, OP_WRITE = 2, OP_TRUNCATE = 4 };

/* The same fields, in the same order, as shim.py packs: native, all of 8 bytes. */
struct control {
    _Atomic int64_t ops;      /* OP_*: those that fail or are slow */
    _Atomic int64_t code;     /* errno; 0: they succeed */
    _Atomic int64_t after;    /* so many calls more succeed first */
    _Atomic int64_t times;    /* so many fail; negative: all */
    _Atomic int64_t is_short; /* half of a write arrives */
    _Atomic int64_t delay_us; /* of each */
    _Atomic int64_t clock_us; /* the wall clock is ahead by so much */
    _Atomic int64_t calls, hits;
};

static struct control *control;
static const char *pattern;

/* Before main, and before any thread: no lock needed later. */
__attribute__((constructor)) static void shim_load(void)
{
    const char *path = getenv("WEIR_SHIM_CONTROL");
    pattern = getenv("WEIR_SHIM_PATH");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED)
        control = mapped;
    (void)close(fd);
}

static bool is_meant(int fd)
{
    char link[40], path[4096];
    if (!pattern)
        return false;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return false;
    path[n] = '\0';
    return fnmatch(pattern, path, 0) == 0;
}

/* The real clock_nanosleep is not interposed, and moves by the monotonic clock. */
static void wait_us(int64_t us)
{
    const struct timespec t = {us / 1000000, us % 1000000 * 1000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/* 0, or the errno of this call. */
static int call_begin(int64_t op, int fd)
{
    if (!control || !(control->ops & op) || !is_meant(fd))
        return 0;
    control->calls++;
    if (control->delay_us > 0)
        wait_us(control->delay_us);
    const int code = (int)control->code;
    if (code == 0 || control->times == 0)
        return 0;
    if (control->after > 0 && control->after-- > 0)
        return 0;
    if (control->times > 0)
        control->times--;
    control->hits++;
    return code;
}

#define REAL(name, type, ...) ((type(*)(__VA_ARGS__))(uintptr_t)dlsym(RTLD_NEXT, name))

static int fail(int code)
{
    errno = code;
    return -1;
}

int fsync(int fd)
{
    const int code = call_begin(OP_SYNC, fd);
    return code ? fail(code) : REAL("fsync", int, int)(fd);
}

int fdatasync(int fd)
{
    const int code = call_begin(OP_SYNC, fd);
    return code ? fail(code) : REAL("fdatasync", int, int)(fd);
}

static ssize_t write_at(int fd, const void *bytes, size_t n, off64_t at)
{
    const int code = call_begin(OP_WRITE, fd);
    if (code && !control->is_short)
        return fail(code);
    if (code && n > 1) /* then the caller tries the rest, and that fails */
        n /= 2;
    return REAL("pwrite64", ssize_t, int, const void *, size_t, off64_t)(fd, bytes, n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    return write_at(fd, bytes, n, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
    return write_at(fd, bytes, n, at);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    const int code = call_begin(OP_WRITE, fd);
    return code ? fail(code) : REAL("write", ssize_t, int, const void *, size_t)(fd, bytes, n);
}

static int truncate_to(int fd, off64_t size)
{
    const int code = call_begin(OP_TRUNCATE, fd);
    return code ? fail(code) : REAL("ftruncate64", int, int, off64_t)(fd, size);
}

int ftruncate(int fd, off_t size)
{
    return truncate_to(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return truncate_to(fd, size);
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int status = REAL("clock_gettime", int, clockid_t, struct timespec *)(clock, ret);
    if (status == 0 && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        const int64_t us = ret->tv_sec * INT64_C(1000000) + ret->tv_nsec / 1000 + control->clock_us;
        ret->tv_sec = us / 1000000;
        ret->tv_nsec = us % 1000000 * 1000 + ret->tv_nsec % 1000;
    }
    return status;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec t;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &t) != 0)
        return -1;
    *ret = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (ret)
        *ret = t.tv_sec;
    return t.tv_sec;
}
