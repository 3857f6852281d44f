/* SPDX-License-Identifier: MIT */
/* All that the collector's steps take from outside: clocks, seed, network, file system, log. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/catalog.h"
#include "runtime/transport.h"

/*
 * The loop (runtime/loop.h) and the store worker (runtime/worker.h) are step functions over a
 * platform. Threads and libuv only call them (runtime/collector.c); a simulation calls them in one
 * thread, with clocks and a network of its own.
 */
typedef struct weir_platform {
    void *data;
    weir_mono (*now)(void *data);
    weir_wall (*wall)(void *data);
    /* Whether the kernel says that the wall clock is synchronized. NULL: it always is. */
    bool (*synchronized)(void *data);
    uint64_t seed;                  /* of all jitter and ids */
    weir_transport_host *transport; /* used by the loop only */
    const char *vfs;                /* SQLite VFS; NULL: the default */
    /* Bytes of the data directory's disk that are free, and its size; UINT64_MAX: not known. May be
     * NULL. */
    uint64_t (*free_bytes)(void *data, uint64_t *ret_total);
    /* Has weir_loop_poked called on the loop's thread soon. Any thread. NULL: there is only one. */
    void (*poke)(void *data);
    weir_wall built; /* the program's build date: for the trust in the wall clock */
    /* One line per change of state. subject: device, connection or "". Any thread. May be NULL. */
    void (*log)(void *data, weir_log_level level, const char *event, const char *subject,
                const char *text);
} weir_platform;
