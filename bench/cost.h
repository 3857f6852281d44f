/* SPDX-License-Identifier: MIT */
/* What weir's side of bench/store and its reference share: values, and what storing them costs. */

#pragma once
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static uint64_t noise = 88172645463325252u;

/* Xorshift: the same numbers on both sides. */
static inline uint64_t noise_next(void)
{
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    return noise;
}

enum { WALK_START = 23000, WALK_MIN = 22000, WALK_MAX = 24000 };

/* 220.00 to 240.00 in random steps of up to 0.05; in hundredths. */
static inline int32_t walk_next(int32_t *walk)
{
    *walk += (int32_t)(noise_next() % 11) - 5;
    *walk = *walk < WALK_MIN ? WALK_MIN : *walk > WALK_MAX ? WALK_MAX : *walk;
    return *walk;
}

static inline double seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double cpu_seconds(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* What the kernel has sent to disks for this process. */
static inline uint64_t bytes_written(void)
{
    char line[128];
    uint64_t n = 0;
    FILE *f = fopen("/proc/self/io", "r");
    while (f && fgets(line, sizeof line, f))
        (void)sscanf(line, "write_bytes: %" SCNu64, &n);
    if (f)
        (void)fclose(f);
    return n;
}
