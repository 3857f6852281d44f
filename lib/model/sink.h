/* SPDX-License-Identifier: MIT */
/* What a sink is made of: code that delivers samples. Delivery itself comes with the sinks. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/option.h"
#include "model/sample.h"

/* A sink answers one question honestly. */
typedef enum weir_send_result {
    WEIR_SEND_DELIVERED,   /* the other side said so */
    WEIR_SEND_RETRY_AFTER, /* not now: retry_after_us */
    WEIR_SEND_REJECTED,    /* first_bad: index of the first sample it will never take, and why */
} weir_send_result;

typedef struct weir_send_answer {
    weir_send_result result;
    int64_t retry_after_us;
    size_t first_bad;
    char why[256];
} weir_send_answer;

enum { WEIR_SINK_ABI = 1 };

/* A const descriptor. Each sink has a thread of its own: send may block until its deadline. */
typedef struct weir_sink_type {
    uint32_t abi; /* WEIR_SINK_ABI */
    const char *name;
    const char *summary;
    const weir_option *options;
    size_t state_size;
    weir_err (*init)(void *state, const void *options, weir_error *error);
    void (*deinit)(void *state); /* called even when init failed */
    void (*send)(void *state, const weir_batch *batches, size_t n, weir_mono deadline,
                 weir_send_answer *ret);
} weir_sink_type;
