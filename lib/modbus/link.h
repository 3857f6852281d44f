/* SPDX-License-Identifier: MIT */
/* A link: Modbus transactions over one connection, as a state machine without I/O. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "model/catalog.h"
#include "model/quality.h"

typedef enum weir_framing { WEIR_FRAMING_TCP, WEIR_FRAMING_RTU } weir_framing;

/* The classes of the queue, first served first. Within one class units take turns. */
typedef enum weir_request_class {
    WEIR_CLASS_WRITE,
    WEIR_CLASS_ON_DEMAND,
    WEIR_CLASS_POLL,
    WEIR_REQUEST_CLASSES,
} weir_request_class;

/* How a request ended. bad_quality() of it: link.c. */
typedef enum weir_reply_result {
    WEIR_REPLY_GOOD,
    WEIR_REPLY_EXCEPTION,      /* code: 1, 2, 3, 4, 7, 8, 10, 11 ...; 5 and 6 after busy_retries */
    WEIR_REPLY_TIMEOUT,        /* nothing came, retries included; writes are never retried */
    WEIR_REPLY_WRONG_UNIT,     /* only answers with another unit id came */
    WEIR_REPLY_WRONG_FUNCTION, /* the link is broken then: the owner reconnects */
    WEIR_REPLY_MALFORMED,      /* byte count or length is not what was asked for, an echo is none,
                                  or (RTU) only wrong CRCs came */
    WEIR_REPLY_DISCONNECTED,   /* the connection went after the request was sent */
    WEIR_REPLY_NOT_CONNECTED,  /* submitted or queued while there is no connection */
    WEIR_REPLY_CANCELED,       /* the link was freed; or the request may not be sent at all: a
                                  writing function outside WEIR_CLASS_WRITE, a forbidden count */
} weir_reply_result;

typedef struct weir_reply {
    weir_reply_result result;
    uint8_t code;        /* exception code; WRONG_UNIT, WRONG_FUNCTION: what came instead */
    const uint8_t *data; /* GOOD, functions 1-4: the n_data bytes after the byte count; others: all
                            bytes after the function code. Borrowed until return. */
    size_t n_data;
    bool sent;         /* at least one byte went out; sent_at is valid */
    weir_mono sent_at; /* of the last try */
    weir_mono received_at;
} weir_reply;

/*
 * A request. The caller owns the object (embed it in yours) and leaves it alone until on_reply,
 * which comes exactly once and never from inside weir_link_submit. From inside on_reply the object
 * may be reused or released, and further requests submitted.
 */
typedef struct weir_request {
    uint8_t unit;
    uint8_t function;    /* 1-4: address and count; any other: data */
    uint16_t address;    /* 0-based */
    uint16_t count;      /* registers or bits */
    const uint8_t *data; /* bytes after the function code; borrowed until on_reply */
    uint8_t n_data;
    weir_request_class class;
    void (*on_reply)(struct weir_request *request, const weir_reply *reply);

    /* The link's own, zero at first. */
    struct weir_request *next;
    weir_mono sent_at, deadline;
    uint16_t tid;
    uint8_t state;
    uint8_t tries, busy_tries, saw; /* saw: a wrong unit was met */
    uint8_t saw_code;
    bool ever_sent;
} weir_request;

typedef struct weir_link_config {
    weir_framing framing;
    weir_tid_check tid_check;
    uint16_t max_in_flight; /* RTU and lenient: 1 whatever is given */
    uint16_t retries;
    uint16_t busy_retries;
    int64_t timeout_us;
    int64_t busy_retries_wait_us;
    int64_t pause_after_connect_us;
    int64_t pause_between_requests_us;
    int64_t pause_on_unit_switch_us;
    int64_t pause_after_write_us;
    uint64_t seed; /* transaction ids start at random */
} weir_link_config;

/* Every request sent (retries are requests too) ends in one of replies (good ones), exceptions,
 * timeouts, malformed or a lost connection; late, wrong_id and wrong_unit count frames dropped. */
typedef struct weir_link_counters {
    uint64_t requests, replies, timeouts, late, exceptions, wrong_id, wrong_unit, malformed;
} weir_link_counters;

/* Observers, both may be NULL: per unit counting and a clear word when something is odd. */
typedef struct weir_link_host {
    void *data;
    /* One per event: what is "sent", "reply" and "exception" (with rtt_us), "timeout",
     * "late", "malformed", "wrong_id", "wrong_unit". */
    void (*on_count)(void *data, uint8_t unit, const char *what, int64_t rtt_us);
    /* A sentence for the log, at most once per cause and connection: "replies carry transaction id
     * +1: set tid_check: lenient". */
    void (*on_notice)(void *data, const char *text);
} weir_link_host;

typedef struct weir_link weir_link;

weir_link *weir_link_new(const weir_link_config *config,
                         const weir_link_host *host) WEIR_MUST_CHECK;

/* Ends every request with CANCELED. Accepts NULL. */
void weir_link_free(weir_link *link);

/* Queues a request; without a connection it ends NOT_CONNECTED at the next step. */
void weir_link_submit(weir_link *link, weir_request *request, weir_mono now);

/*
 * Nobody wants the reply any more: the request is the caller's again, on_reply does not come. If it
 * was on the wire its id rests, and the reply is dropped and counted as late; without ids nothing
 * is sent before that or a timeout has passed. Not from inside on_reply.
 */
void weir_link_cancel(weir_link *link, weir_request *request, weir_mono now);

/* The transport connected; ids, buffers and quarantine start afresh. */
void weir_link_connected(weir_link *link, weir_mono now);

/* The transport is gone: requests on the wire end DISCONNECTED, queued ones NOT_CONNECTED. */
void weir_link_disconnected(weir_link *link, weir_mono now);

/* Bytes from the transport, any number, any slicing. */
void weir_link_input(weir_link *link, const uint8_t *bytes, size_t n, weir_mono now);

/*
 * The bytes to send now (in the link's buffer, until the next call of any function). The caller
 * hands all of them to the transport. 0: nothing.
 */
size_t weir_link_output(weir_link *link, weir_mono now, const uint8_t **ret_bytes);

/* Runs timeouts and pauses due by now; returns when to call again. Call it also after submit,
 * input and connected, then take the output. */
weir_mono weir_link_step(weir_link *link, weir_mono now);

/* Other pauses, retries, timeout and max_in_flight, also for what waits and is on the wire;
 * framing, tid_check and seed stay as they are. */
void weir_link_set_timing(weir_link *link, const weir_link_config *config);

/* Non-NULL when the byte stream cannot be trusted any more: a sentence with the cause ("not
 * Modbus: 'HTTP/1.1 400'"). The owner closes the transport and connects again. Cleared by
 * weir_link_connected. */
const char *weir_link_broken(const weir_link *link);

/* Neither queued nor on the wire. */
bool weir_link_idle(const weir_link *link);

weir_link_counters weir_link_get_counters(const weir_link *link);

/* The bad quality a reply that is not GOOD gives to its samples. */
weir_quality weir_reply_quality(const weir_reply *reply);
