/* SPDX-License-Identifier: MIT */
/* LD_PRELOAD for the real program: how many bytes it has allocated, looked at ten times a second.
 *
 * WEIR_HEAP_REPORT names a file of at least 8 bytes, which tests/support/heap.py maps. */

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* AddressSanitizer's; mallinfo2 knows nothing of its heap. */
__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

static void *look(void *data)
{
    _Atomic int64_t *report = data;
    for (;;) {
        const struct timespec pause = {0, 100 * 1000 * 1000};
        size_t n;
        if (__sanitizer_get_current_allocated_bytes) {
            n = __sanitizer_get_current_allocated_bytes();
        } else {
            const struct mallinfo2 info = mallinfo2();
            n = info.uordblks + info.hblkhd;
        }
        atomic_store(report, (int64_t)n);
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

__attribute__((constructor)) static void heap_load(void)
{
    const char *path = getenv("WEIR_HEAP_REPORT");
    sigset_t every, old;
    pthread_t thread;
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (mapped == MAP_FAILED)
        return;
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_SETMASK, &every, &old); /* the program's signals are its own */
    if (pthread_create(&thread, NULL, look, mapped) == 0)
        (void)pthread_detach(thread);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}
