/* SPDX-License-Identifier: MIT */
/* The sink that takes everything and keeps nothing. */

#include "sinks/noop/noop.h"

#include <stdio.h>

static weir_err noop_init(void *state, const weir_sink_host *host, const void *options,
                          weir_error *error)
{
    (void)state;
    (void)host;
    (void)options;
    (void)error;
    return WEIR_OK;
}

static void noop_deinit(void *state)
{
    (void)state;
}

static void noop_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                      weir_send_answer *ret)
{
    (void)state;
    (void)rows;
    (void)n;
    (void)deadline;
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
}

static void noop_test(void *state, weir_mono deadline, weir_sink_test *ret)
{
    (void)state;
    (void)deadline;
    *ret = (weir_sink_test){.answer.result = WEIR_SEND_DELIVERED};
    (void)snprintf(ret->peer, sizeof ret->peer, "nothing: samples are counted and forgotten");
}

static const weir_option noop_options[] = {{.name = NULL}};

const weir_sink_type weir_sink_noop = {
    .abi = WEIR_SINK_ABI,
    .name = "noop",
    .summary = "counts samples and forgets them",
    .text = "Takes everything at once and keeps nothing: to try filters, and to measure how fast "
            "samples could be delivered.",
    .options = noop_options,
    .options_size = 1,
    .state_size = 1,
    .rows_max = 20000,
    .init = noop_init,
    .deinit = noop_deinit,
    .send = noop_send,
    .test = noop_test,
};
