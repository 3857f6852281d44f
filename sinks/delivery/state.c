/* SPDX-License-Identifier: MIT */
/* The state of a sink: told when it changes, shown at any time. */

#include <stdio.h>
#include <string.h>

#include "sinks/delivery/delivery_priv.h"

/* Another reason for the same state is told too, but not each time two take turns. */
#define REASON_TOLD_AGAIN (5 * WEIR_MINUTE)

static void text_set(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from);
}

void weir_delivery_set_state(weir_delivery *d, const char *state, const char *why,
                             const char *remedy)
{
    const weir_mono now = d->host->now(d->host->data);
    const bool is_other = strcmp(state, d->state_text) != 0;
    text_set(d->why, sizeof d->why, why);
    text_set(d->remedy, sizeof d->remedy, remedy);
    if (!is_other && (strcmp(why, d->told_why) == 0 ||
                      !weir_mono_reached(now, weir_mono_add(d->told, REASON_TOLD_AGAIN))))
        return;
    if (is_other)
        d->since = d->host->wall(d->host->data);
    d->state_text = state;
    d->told = now;
    text_set(d->told_why, sizeof d->told_why, why);
    d->host->on_state(d->host->data, state, d->why, d->remedy);
}

static weir_wall replayed_to(const weir_delivery *d)
{
    const bool is_under_way = d->replay_id != 0 && d->replay_done != INT64_MAX;
    return (weir_wall){is_under_way ? d->replay_done : 0};
}

/* As fast as the backlog grew smaller of late. */
static double done_in_s(const weir_delivery *d, uint64_t backlog, weir_mono now)
{
    const double rate = weir_pace_backlog_rate(&d->pace, now);
    return d->begun && backlog > 0 && rate > 0 ? (double)backlog / rate : 0;
}

weir_sink_record weir_delivery_get_record(const weir_delivery *delivery)
{
    const weir_delivery *d = delivery;
    const weir_mono now = d->host->now(d->host->data);
    const uint64_t backlog =
        d->begun ? weir_spans_missing(&d->done, d->head) : WEIR_BACKLOG_UNKNOWN;
    return (weir_sink_record){
        .name = d->config->name,
        .type = d->type->name,
        .state = d->state_text,
        .error = d->why,
        .remedy = d->remedy,
        .since = d->since,
        .delivered = d->delivered,
        .oldest_unsent = {d->begun && backlog > 0 ? d->oldest_ts : 0},
        .replayed_to = replayed_to(d),
        .backlog = backlog,
        .head = d->head,
        .done_in_s = done_in_s(d, backlog, now),
        .sent = d->sent,
        .repeated = d->repeated,
        .left_out = d->left_out,
        .set_aside = d->n_set_aside,
        .rows_per_s = weir_pace_rate(&d->pace, now),
        .rtt_ms = (double)weir_pace_rtt(&d->pace) / (double)WEIR_MS,
    };
}
