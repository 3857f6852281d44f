/* SPDX-License-Identifier: MIT */
/* Delivery: takes from the log, sends, acknowledges; the one loop of all sinks, as a step function.
 */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/sink.h"
#include "store/consumer.h"
#include "store/query/take.h"

/*
 * Happy path: what was committed since the last step goes through the filters and to the sink's
 * `send`; when it says delivered, the cursor moves. With a backlog, live rows go first: from then
 * on there are a cursor, spans that are done, and the head; see docs/design/delivery.md.
 */
typedef struct weir_delivery weir_delivery;

/* All that it takes from outside. Called on the thread that steps. */
typedef struct weir_delivery_host {
    void *data;
    weir_mono (*now)(void *data);
    weir_wall (*wall)(void *data);
    uint64_t seed;
    bool (*is_ending)(void *data); /* any thread */
    /* The postbox (box.h), with box_data; false: not taken now, memory is short: the step stays
     * where it was. */
    void *box_data;
    bool (*on_cursor)(void *data, uint64_t seq, const weir_span *spans, size_t n_spans);
    bool (*on_set_aside)(void *data, const weir_set_aside *rows, size_t n);
    bool (*on_replay)(void *data, uint64_t id, int64_t done);
    /* Samples that the sink will never get. gap->sink is not set. */
    bool (*on_gap)(void *data, const weir_consumer_gap *gap);
    /* The state is another one: an event (urgent, so that it is committed at once) and a line. */
    void (*on_state)(void *data, const char *state, const char *why, const char *remedy);
    void (*log)(void *data, weir_log_level level, const char *event, const char *text);
} weir_delivery_host;

/* Borrows all three as long as it lives. Errors of the type's init. */
weir_err weir_delivery_new(const weir_sink_config *config, weir_take *take,
                           const weir_delivery_host *host, weir_delivery **ret,
                           weir_error *error) WEIR_MUST_CHECK;
void weir_delivery_free(weir_delivery *delivery); /* accepts NULL */

/*
 * Sends at most one batch; returns when to call again (also earlier, when something was committed
 * or ordered). Blocks as long as a send does.
 */
weir_mono weir_delivery_step(weir_delivery *delivery);

/* How it stands; texts live until the next step. The stepping thread. */
weir_sink_record weir_delivery_get_record(const weir_delivery *delivery);
