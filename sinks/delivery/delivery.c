/* SPDX-License-Identifier: MIT */
/* Delivery: takes from the log, sends, acknowledges; the one loop of all sinks, as a step function.
 *
 * The happy path of a step: what was committed or ordered since the last one is looked at; what
 * goes next is chosen (choice.c) and sent (batch.c); how far it is goes to the postbox, and with
 * the store's next commit to the disk.
 *
 * What can fail: the sink (the answer says how, and when to try again), reading the log (tried
 * again each second, told once), the postbox for want of memory (nothing goes on that would need
 * it). Nothing is remembered beyond cursor and spans: what was sent and not acknowledged is sent
 * again. */

#include "sinks/delivery/delivery.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "sinks/delivery/delivery_priv.h"

#define IDLE_INTERVAL WEIR_S
#define TAKE_RETRY    WEIR_S

/* --- what the sink is given --------------------------------------------------------------- */

static weir_mono sink_now(void *data)
{
    const weir_delivery *d = data;
    return d->host->now(d->host->data);
}

static weir_wall sink_wall(void *data)
{
    const weir_delivery *d = data;
    return d->host->wall(d->host->data);
}

static bool sink_is_ending(void *data)
{
    const weir_delivery *d = data;
    return d->host->is_ending(d->host->data);
}

static void sink_log(void *data, weir_log_level level, const char *event, const char *text)
{
    const weir_delivery *d = data;
    d->host->log(d->host->data, level, event, text);
}

/* --- life --------------------------------------------------------------------------------- */

static weir_err delivery_init(weir_delivery *d, weir_error *error)
{
    const weir_delivery_host *host = d->host;
    const size_t most = d->config->batch ? d->config->batch : d->type->rows_max;
    weir_random random = {host->seed};
    weir_pace_init(&d->pace, most, d->config->backlog_rate, weir_random_u64(&random),
                   host->now(host->data));
    d->sink_host = (weir_sink_host){.data = d,
                                    .name = d->config->name,
                                    .store = weir_take_store(d->take),
                                    .program = "weir/" WEIR_VERSION,
                                    .seed = weir_random_u64(&random),
                                    .now = sink_now,
                                    .wall = sink_wall,
                                    .is_ending = sink_is_ending,
                                    .log = sink_log,
                                    .context = d->type->context};
    d->filter.config = d->config;
    d->in_order = (d->type->flags & WEIR_SINK_IN_ORDER) || d->type->resume;
    d->resumed = !d->type->resume;
    d->wanted_share = 1;
    d->state_text = "connecting";
    d->since = host->wall(host->data);
    d->wait_until = d->idle_due = d->retries_due = d->lost_due = host->now(host->data);
    d->state = weir_alloc_zero(1, d->type->state_size ? d->type->state_size : 1);
    if (!d->state)
        return weir_fail(error, WEIR_ENOMEM, "no memory for sink %s", d->config->name);
    return d->type->init(d->state, &d->sink_host, d->config->options, error);
}

weir_err weir_delivery_new(const weir_sink_config *config, weir_take *take,
                           const weir_delivery_host *host, weir_delivery **ret, weir_error *error)
{
    weir_delivery *d = weir_alloc_zero(1, sizeof *d);
    if (!d)
        return weir_fail(error, WEIR_ENOMEM, "no memory for sink %s", config->name);
    d->config = config;
    d->type = config->type;
    d->take = take;
    d->host = host;
    weir_err err = delivery_init(d, error);
    if (err != WEIR_OK) {
        weir_delivery_free(d);
        return err;
    }
    *ret = d;
    return WEIR_OK;
}

void weir_delivery_free(weir_delivery *delivery)
{
    if (!delivery)
        return;
    if (delivery->state)
        delivery->type->deinit(delivery->state);
    weir_free(delivery->state);
    weir_free(delivery->rows);
    weir_sink_filter_deinit(&delivery->filter);
    weir_free(delivery);
}

/* --- what the store says ------------------------------------------------------------------ */

weir_mono weir_delivery_take_failed(weir_delivery *d, const weir_error *error)
{
    if (!d->take_failing && error->code != WEIR_EINUSE)
        d->host->log(d->host->data, WEIR_LOG_WARNING, "sink_cannot_read", error->text);
    d->take_failing |= error->code != WEIR_EINUSE;
    return weir_mono_add(d->host->now(d->host->data), TAKE_RETRY);
}

void weir_delivery_take_works(weir_delivery *d)
{
    d->take_failing = false;
}

static void begin(weir_delivery *d, const weir_take_orders *orders)
{
    d->begun = true;
    d->done.seq = orders->cursor.seq;
    d->done.n = orders->cursor.n_done;
    memcpy(d->done.spans, orders->cursor.done, sizeof d->done.spans);
    d->oldest_ts = d->host->wall(d->host->data).us;
    /* What was committed before this start has waited for nobody knows how long. */
    d->marks[0].seq = d->head;
    d->marks[0].at.us = INT64_MIN / 2;
    d->n_marks = 1;
}

static void obey(weir_delivery *d, const weir_take_orders *orders)
{
    const weir_mono now = d->host->now(d->host->data);
    if (orders->replay_id != d->replay_id) {
        d->replay_id = orders->replay_id;
        d->replay_from = orders->replay_from;
        d->replay_to = orders->replay_to;
        d->replay_done = orders->replay_done;
        d->replay_skip = 0;
        if (d->batch.kind == BATCH_REPLAY || d->chunk_kind == BATCH_REPLAY)
            weir_delivery_drop_batch(d);
    }
    if (orders->retries > d->n_retries)
        d->retries_due = now;
    if (d->paused && !orders->paused) {
        d->wait_until = now;
        weir_pace_recovered(&d->pace);
        weir_delivery_set_state(d, "connecting", "", "");
    }
    d->n_retries = orders->retries;
    d->n_set_aside = orders->set_aside;
    d->paused = orders->paused;
}

/* False: it cannot be read now, or the store does not know the sink. */
static bool refresh(weir_delivery *d, weir_mono *ret_next)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_take_head head;
    const weir_take_orders *orders;
    if (d->begun && !weir_take_changed(d->take))
        return true;
    weir_err err = weir_take_get_head(d->take, &head, &error);
    if (err == WEIR_OK)
        err = weir_take_get_orders(d->take, &orders, &error);
    if (err == WEIR_OK && !d->begun && !orders->known)
        err = weir_fail(&error, WEIR_ENOTFOUND, "the store does not know this sink");
    if (err != WEIR_OK) {
        *ret_next = weir_delivery_take_failed(d, &error);
        return false;
    }
    weir_delivery_take_works(d);
    /* In order, what is new waits behind the rest and is more of it. */
    if (d->begun && d->in_order && head.committed_seq > d->head)
        weir_pace_backlog_less(&d->pace, -(int64_t)(head.committed_seq - d->head),
                               d->host->now(d->host->data));
    d->head = head.committed_seq;
    if (!d->begun)
        begin(d, orders);
    obey(d, orders);
    return true;
}

/* --- a step ------------------------------------------------------------------------------- */

/* A sink that notes how far it came is asked, once. False: it does not answer now. */
static bool resume(weir_delivery *d)
{
    weir_send_answer answer = {0};
    uint64_t seq = 0;
    char text[160];
    if (d->resumed)
        return true;
    const weir_mono now = d->host->now(d->host->data);
    d->type->resume(d->state, weir_mono_add(now, WEIR_SEND_DEADLINE), &seq, &answer);
    if (answer.result != WEIR_SEND_DELIVERED) {
        weir_delivery_put_off(d, &answer);
        return false;
    }
    d->resumed = true;
    d->resume_seq = seq;
    if (seq > d->head) {
        (void)snprintf(text, sizeof text,
                       "it has samples up to %llu, the store only up to %llu: it is taken for the "
                       "data of another store",
                       (unsigned long long)seq, (unsigned long long)d->head);
        d->host->log(d->host->data, WEIR_LOG_WARNING, "sink_ahead", text);
        d->resume_seq = 0;
    }
    return true;
}

/* Nothing is sent now: the sink may tidy up. Returns when to look again. */
static weir_mono idle(weir_delivery *d, weir_mono next)
{
    const weir_mono now = d->host->now(d->host->data);
    if (!d->type->idle)
        return next;
    if (weir_mono_reached(now, d->idle_due)) {
        d->idle_due = weir_mono_add(now, IDLE_INTERVAL);
        d->type->idle(d->state, now);
    }
    return weir_mono_min(next, d->idle_due);
}

static void post_cursor(weir_delivery *d)
{
    if (d->moved)
        d->moved = !d->host->on_cursor(d->host->box_data, d->done.seq, d->done.spans, d->done.n);
}

static void tell_paused(weir_delivery *d)
{
    char remedy[sizeof d->remedy];
    (void)snprintf(remedy, sizeof remedy, "weir sink resume %.128s", d->config->name);
    weir_delivery_set_state(d, "paused", "", remedy);
}

static weir_mono work(weir_delivery *d)
{
    const weir_mono now = d->host->now(d->host->data);
    weir_mono next = WEIR_MONO_NEVER;
    if (d->paused) {
        weir_delivery_drop_batch(d);
        tell_paused(d);
        return idle(d, WEIR_MONO_NEVER);
    }
    if (!weir_mono_reached(now, d->wait_until))
        return idle(d, d->wait_until);
    if (!resume(d))
        return d->wait_until;
    if (d->batch.kind == BATCH_NONE && !weir_delivery_choose(d, now, &next)) {
        post_cursor(d);
        return next.us > now.us ? idle(d, next) : next;
    }
    weir_delivery_send(d);
    d->idle_due = weir_mono_add(now, IDLE_INTERVAL);
    post_cursor(d);
    return d->host->now(d->host->data).us < d->wait_until.us ? d->wait_until : now;
}

weir_mono weir_delivery_step(weir_delivery *delivery)
{
    weir_delivery *d = delivery;
    weir_mono next;
    if (d->host->is_ending(d->host->data))
        return WEIR_MONO_NEVER;
    const bool begins = !d->begun;
    if (!refresh(d, &next))
        return next;
    if (begins) /* how much waits is known now, and a send may take long */
        return d->host->now(d->host->data);
    next = work(d);
    if (d->moved) /* the postbox had no memory */
        next = weir_mono_min(next, weir_mono_add(d->host->now(d->host->data), TAKE_RETRY));
    return next;
}
