/* SPDX-License-Identifier: MIT */
/* What the tests of the link share: a link under simulated time and a peer played by hand. */

#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "modbus/frame.h"
#include "modbus/link.h"

/* One connection, and all that came out of it. */
typedef struct bench {
    weir_link *link;
    weir_framing framing;
    weir_mono now;
    weir_mono wake;     /* what the last step returned */
    uint8_t sent[8192]; /* since the last look */
    size_t n_sent;
    char counted[2048]; /* "sent 1, reply 1, " */
    char notice[256];
    unsigned notices;
    unsigned ends; /* on_reply calls of all probes */
} bench;

/* A request and how it ended. */
typedef struct probe {
    weir_request request;
    bench *bench;
    unsigned ends;
    unsigned end_order; /* 1: the first of all to end */
    weir_reply reply;
    uint8_t data[256];
} probe;

static inline void bench_on_count(void *data, uint8_t unit, const char *what, int64_t rtt_us)
{
    bench *b = data;
    (void)rtt_us;
    size_t n = strlen(b->counted);
    (void)snprintf(b->counted + n, sizeof b->counted - n, "%s %u, ", what, (unsigned)unit);
}

static inline void bench_on_notice(void *data, const char *text)
{
    bench *b = data;
    (void)snprintf(b->notice, sizeof b->notice, "%s", text);
    b->notices++;
}

/* Defaults of the catalog, with one try only: what a test is about it says itself. */
#define BENCH_CONFIG(...)                                       \
    (&(weir_link_config){.framing = WEIR_FRAMING_TCP,           \
                         .tid_check = WEIR_TID_STRICT,          \
                         .max_in_flight = 1,                    \
                         .retries = 0,                          \
                         .busy_retries = 3,                     \
                         .timeout_us = WEIR_S,                  \
                         .busy_retries_wait_us = 200 * WEIR_MS, \
                         .seed = 7,                             \
                         __VA_ARGS__})

#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif

static inline void bench_step(bench *b)
{
    const uint8_t *bytes;
    b->wake = weir_link_step(b->link, b->now);
    size_t n = weir_link_output(b->link, b->now, &bytes);
    assert_true(b->n_sent + n <= sizeof b->sent);
    if (n)
        memcpy(b->sent + b->n_sent, bytes, n);
    b->n_sent += n;
}

static inline void bench_open(bench *b, const weir_link_config *config)
{
    memset(b, 0, sizeof *b);
    b->framing = config->framing;
    b->now.us = 1000 * WEIR_S;
    b->link = weir_link_new(config, &(weir_link_host){b, bench_on_count, bench_on_notice});
    assert_non_null(b->link);
    weir_link_connected(b->link, b->now);
}

static inline void bench_close(bench *b)
{
    weir_link_free(b->link);
}

static inline void bench_wait(bench *b, int64_t us)
{
    b->now.us += us;
    bench_step(b);
}

static inline void probe_on_reply(weir_request *request, const weir_reply *reply)
{
    probe *p = (probe *)request;
    p->ends++;
    p->end_order = ++p->bench->ends;
    p->reply = *reply;
    if (reply->n_data)
        memcpy(p->data, reply->data, reply->n_data);
}

/* Submits a read and steps. */
static inline void ask(bench *b, probe *p, uint8_t unit, uint8_t function, uint16_t address,
                       uint16_t count)
{
    *p = (probe){.bench = b,
                 .request = {.unit = unit,
                             .function = function,
                             .address = address,
                             .count = count,
                             .class = WEIR_CLASS_POLL,
                             .on_reply = probe_on_reply}};
    weir_link_submit(b->link, &p->request, b->now);
    assert_int_equal(p->ends, 0);
    bench_step(b);
}

static inline void receive_bytes(bench *b, const uint8_t *bytes, size_t n)
{
    weir_link_input(b->link, bytes, n, b->now);
    bench_step(b);
}

static inline void receive_hex(bench *b, const char *hex)
{
    uint8_t bytes[600];
    int n = weir_hex_parse(hex, bytes, sizeof bytes);
    assert_true(n >= 0);
    receive_bytes(b, bytes, (size_t)n);
}

/* The frame around a PDU given in hex. */
static inline size_t frame_of(weir_framing framing, uint16_t tid, uint8_t unit, const char *pdu_hex,
                              uint8_t ret[WEIR_FRAME_MAX])
{
    uint8_t pdu[253];
    int n = weir_hex_parse(pdu_hex, pdu, sizeof pdu);
    assert_true(n >= 0);
    weir_writer w = weir_writer_of(ret, WEIR_FRAME_MAX);
    weir_frame_begin(&w, framing, tid, unit);
    weir_write_bytes(&w, pdu, (size_t)n);
    weir_frame_end(&w, framing, ret);
    assert_false(w.failed);
    return weir_writer_length(&w);
}

static inline void receive_frame(bench *b, uint16_t tid, uint8_t unit, const char *pdu_hex)
{
    uint8_t frame[WEIR_FRAME_MAX];
    receive_bytes(b, frame, frame_of(b->framing, tid, unit, pdu_hex, frame));
}

/* The reply of the right unit under the right id. */
static inline void receive_reply(bench *b, const probe *p, const char *pdu_hex)
{
    receive_frame(b, p->request.tid, p->request.unit, pdu_hex);
}

/* Takes the next frame off what was sent; its unit and, if ret_tid, its id. -1: nothing was sent.
 */
static inline int sent_unit(bench *b, uint16_t *ret_tid)
{
    size_t size;
    weir_frame frame;
    if (weir_frame_read(b->framing, WEIR_DIRECTION_REQUEST, b->sent, b->n_sent, &size, &frame) !=
        WEIR_FRAME_WHOLE)
        return -1;
    if (ret_tid)
        *ret_tid = frame.tid;
    int unit = frame.unit;
    b->n_sent -= size;
    memmove(b->sent, b->sent + size, b->n_sent);
    return unit;
}

static inline void assert_ended(const probe *p, weir_reply_result result)
{
    assert_int_equal(p->ends, 1);
    assert_int_equal(p->reply.result, result);
}

static inline void assert_good(const probe *p, const char *data_hex)
{
    uint8_t want[256];
    int n = weir_hex_parse(data_hex, want, sizeof want);
    assert_ended(p, WEIR_REPLY_GOOD);
    assert_int_equal(p->reply.n_data, n);
    assert_memory_equal(p->data, want, (size_t)n);
}
