/* SPDX-License-Identifier: MIT */
/* One Modbus request after another over a blocking connection, for the commands. */

#pragma once
#include <signal.h>
#include <stdint.h>

#include "base/error.h"
#include "modbus/link.h"

typedef struct weir_blocking weir_blocking;

typedef struct weir_blocking_options {
    weir_uri uri;            /* tcp or rtu+tcp; host is borrowed */
    int64_t timeout_us;      /* of connecting, and of each answer */
    uint16_t retries;        /* after silence */
    weir_link_host observer; /* counts and notices; may be all zero */
    const volatile sig_atomic_t
        *stop; /* becomes non-zero: what waits ends with CANCELED; or NULL */
} weir_blocking_options;

/* The answer to one request; data as in weir_reply, copied. */
typedef struct weir_blocking_answer {
    weir_reply_result result;
    uint8_t code;
    size_t n_data;
    uint8_t data[256];
    int64_t rtt_us;
} weir_blocking_answer;

/*
 * Resolves, connects; every address of the host is tried within the timeout.
 *
 * WEIR_ECONNECT   error says why and what to look at.
 * WEIR_ETIMEOUT   is not used: silence while connecting is WEIR_ECONNECT too.
 * WEIR_ECANCELED  stop was set.
 *
 * Signals named by stop's handler must be blocked outside of the calls (weir_blocking_watch): they
 * are let in only while waiting, so none is lost.
 */
weir_err weir_blocking_open(const weir_blocking_options *options, weir_blocking **ret,
                            weir_error *error) WEIR_MUST_CHECK;
void weir_blocking_close(weir_blocking *blocking); /* accepts NULL */
WEIR_DEFINE_CLEANUP(weir_blocking, weir_blocking_close)

/*
 * Reads count registers or bits; ends with the answer, whatever it is. When the answer is
 * DISCONNECTED or NOT_CONNECTED, or weir_blocking_broken says so, the connection is of no more use.
 * WEIR_ECANCELED: stop was set.
 */
weir_err weir_blocking_read(weir_blocking *blocking, uint8_t unit, uint8_t function,
                            uint16_t address, uint16_t count, weir_blocking_answer *ret,
                            weir_error *error) WEIR_MUST_CHECK;

/* Non-NULL: the stream is not Modbus any more, and why. */
const char *weir_blocking_broken(const weir_blocking *blocking);

/* SIGINT and SIGTERM set *stop and are blocked except while a call above or weir_blocking_wait
 * waits. Once in a program. */
void weir_blocking_watch(volatile sig_atomic_t *stop);

/* Waits until the monotonic time; returns earlier when stop is set. */
void weir_blocking_wait(weir_mono until, const volatile sig_atomic_t *stop);
