/* SPDX-License-Identifier: MIT */
/* Names to addresses, off the loop. */

#pragma once
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

/*
 * The system's resolver may block for half a minute when no name server answers, and nothing can
 * interrupt it. So each look-up has a detached thread of its own: giving one up costs nothing, and
 * neither other look-ups nor the end of the program wait for it. (libuv's thread pool would do
 * both.)
 */
typedef struct weir_resolve weir_resolve;

/*
 * Begins to look host up. on_done is called once, on another thread, unless it was freed before;
 * it may only wake the loop. The host is copied.
 *
 * NULL: WEIR_RESOLVES_MAX are under way, or memory is short.
 */
weir_resolve *weir_resolve_new(const char *host, uint16_t port, void (*on_done)(void *data),
                               void *data) WEIR_MUST_CHECK;

enum { WEIR_RESOLVES_MAX = 64 };

/* After on_done: fills an address, of IPv4 if there is one, and returns NULL, or returns why there
 * is none. */
const char *weir_resolve_get(weir_resolve *resolve, struct sockaddr_storage *ret);

/* Gives it up if it is still under way. After return on_done is not called. Accepts NULL. */
void weir_resolve_free(weir_resolve *resolve);
