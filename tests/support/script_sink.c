/* SPDX-License-Identifier: MIT */
/* A sink type for tests, whose other side does as it is told and outlives any process. */

#include "support/script_sink.h"

#include <stdio.h>

struct script_state {
    const weir_sink_host *host;
    script_server *server;
};

static weir_err script_init(void *state, const weir_sink_host *host, const void *options,
                            weir_error *error)
{
    struct script_state *s = state;
    (void)error;
    s->host = host;
    s->server = ((const script_sink_options *)options)->server;
    return WEIR_OK;
}

static void script_deinit(void *state)
{
    (void)state;
}

static void take_rows(script_server *server, const weir_sink_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        server->on_row(server->data, &rows[i]);
        server->has_seq = rows[i].seq > server->has_seq ? rows[i].seq : server->has_seq;
    }
    server->n_rows += n;
}

static void later(weir_send_answer *ret, weir_trouble trouble, const char *why)
{
    ret->result = WEIR_SEND_LATER;
    ret->trouble = trouble;
    (void)snprintf(ret->why, sizeof ret->why, "%s", why);
}

static void server_sleep(script_server *server, int64_t us)
{
    if (us > 0 && server->on_sleep)
        server->on_sleep(server->data, us);
}

/* False: it is not in the mood, and has answered. */
static bool server_is_well(script_server *server, int64_t patience_us, weir_send_answer *ret)
{
    switch (server->mood) {
    case SCRIPT_WELL:
        return true;
    case SCRIPT_OFFLINE:
        later(ret, WEIR_TROUBLE_OFFLINE, "connection refused");
        return false;
    case SCRIPT_REFUSING:
        later(ret, WEIR_TROUBLE_REFUSED, "wrong password");
        return false;
    case SCRIPT_MISCONFIGURED:
        later(ret, WEIR_TROUBLE_MISCONFIGURED, "no such table");
        return false;
    case SCRIPT_BUSY:
        later(ret, WEIR_TROUBLE_BUSY, "429 Too Many Requests");
        ret->retry_after_us = server->retry_after_us;
        return false;
    case SCRIPT_FULL:
        later(ret, WEIR_TROUBLE_FULL, "no space left on its disk");
        return false;
    case SCRIPT_MUTE:
    case SCRIPT_TORN:
        return true; /* it takes them first */
    case SCRIPT_SILENT:
        server_sleep(server, patience_us);
        later(ret, WEIR_TROUBLE_OFFLINE, "it does not answer");
        return false;
    }
    return true;
}

static void reject(const script_server *server, size_t i, weir_send_answer *ret)
{
    ret->result = WEIR_SEND_REJECTED;
    ret->first_bad = !server->names_bad ? SIZE_MAX : server->names_wrong ? 0 : i;
    (void)snprintf(ret->why, sizeof ret->why, "value out of range");
}

static void script_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                        weir_send_answer *ret)
{
    struct script_state *s = state;
    script_server *server = s->server;
    server->n_sends++;
    server_sleep(server, server->send_us + (int64_t)n * server->row_us);
    if (!server_is_well(server, deadline.us - s->host->now(s->host->data).us, ret))
        return;
    if (server->rows_max && n > server->rows_max) {
        ret->result = WEIR_SEND_TOO_LARGE;
        ret->max_rows = server->says_rows_max ? server->rows_max : 0;
        return;
    }
    for (size_t i = 0; server->is_bad && i < n; i++) {
        if (server->is_bad(server->data, &rows[i])) {
            reject(server, i, ret);
            return;
        }
    }
    const bool dies = server->mood == SCRIPT_MUTE || server->mood == SCRIPT_TORN;
    take_rows(server, rows, server->mood == SCRIPT_TORN ? n / 2 : n);
    if (dies) {
        later(ret, WEIR_TROUBLE_OFFLINE, "the connection was closed");
        return;
    }
    server->largest = n > server->largest ? n : server->largest;
    ret->result = WEIR_SEND_DELIVERED;
}

static void script_test(void *state, weir_mono deadline, weir_sink_test *ret)
{
    (void)state;
    (void)deadline;
    *ret = (weir_sink_test){.answer.result = WEIR_SEND_DELIVERED};
}

static void script_resume(void *state, weir_mono deadline, uint64_t *ret_seq, weir_send_answer *ret)
{
    const struct script_state *s = state;
    if (!server_is_well(s->server, deadline.us - s->host->now(s->host->data).us, ret))
        return;
    *ret_seq = s->server->has_seq;
    ret->result = WEIR_SEND_DELIVERED;
}

static void script_idle(void *state, weir_mono now)
{
    const struct script_state *s = state;
    (void)now;
    s->server->n_idle++;
}

static const weir_option script_options[] = {{.name = NULL}};

#define SCRIPT_SINK                                                                         \
    .abi = WEIR_SINK_ABI, .summary = "a script", .text = "", .options = script_options,     \
    .options_size = sizeof(script_sink_options), .state_size = sizeof(struct script_state), \
    .rows_max = 5000, .init = script_init, .deinit = script_deinit, .send = script_send,    \
    .test = script_test, .idle = script_idle

const weir_sink_type script_sink = {SCRIPT_SINK, .name = "script"};
const weir_sink_type script_sink_file = {SCRIPT_SINK, .name = "script_file",
                                         .flags = WEIR_SINK_IN_ORDER, .resume = script_resume};
