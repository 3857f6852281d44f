/* SPDX-License-Identifier: MIT */
/* Sends a batch, and judges the answer. */

/*
 * The happy path: all of it is sent at once, and delivered. What comes in between: "later" gives
 * the batch up, but for what of it is settled; the rows are taken anew when it is time. "Too large"
 * and "rejected" go on with the same batch, in parts, until every row is settled: delivered, or
 * set aside with the reason the sink gave for it alone.
 *
 * When most rows are rejected it is not the rows: nothing is set aside any more, and one row at a
 * time is tried, another each time, since the first may be bad also when all else is mended.
 */

#include <stdio.h>
#include <string.h>

#include "sinks/delivery/delivery_priv.h"

static bool most_are_rejected(const weir_delivery *d)
{
    return d->n_rejected > DELIVERY_OUTCOMES / 2;
}

static void note_outcomes(weir_delivery *d, size_t n, bool rejected)
{
    for (size_t i = 0; i < n && i < DELIVERY_OUTCOMES; i++) {
        uint8_t *outcome = &d->outcomes[d->next_outcome];
        d->next_outcome = (d->next_outcome + 1) % DELIVERY_OUTCOMES;
        d->n_rejected = d->n_rejected + rejected - *outcome;
        *outcome = rejected;
    }
}

/* It takes a row again. What it has rejected is forgotten but for so many that a hundred more are
 * set aside, and no five hundred, before it is judged again. */
static void forget_outcomes(weir_delivery *d)
{
    size_t i = d->next_outcome; /* the oldest */
    while (d->n_rejected > DELIVERY_REMEMBERED) {
        d->n_rejected -= d->outcomes[i];
        d->outcomes[i] = 0;
        i = (i + 1) % DELIVERY_OUTCOMES;
    }
}

/* --- progress ----------------------------------------------------------------------------- */

/* Rows before search.at are settled: the cursor moves as far. */
static void batch_advance(weir_delivery *d)
{
    weir_delivery_batch *b = &d->batch;
    const bool is_over = weir_bisect_done(&b->search);
    if (b->kind != BATCH_LOG)
        return;
    const uint64_t last = is_over ? b->last_seq : d->rows[b->search.at].seq - 1;
    if (last < b->first_seq)
        return;
    weir_delivery_mark(d, b->first_seq, last, b->is_backlog);
    b->first_seq = last + 1;
    if (d->done.seq >= last)
        d->oldest_ts = is_over ? b->last_ts : d->rows[b->search.at].sample.ts.us;
}

/* False: the postbox is full. The batch stays as it is. */
static bool batch_end(weir_delivery *d)
{
    weir_delivery_batch *b = &d->batch;
    if (b->kind == BATCH_REPLAY && !weir_delivery_replayed(d, b))
        return false;
    *b = (weir_delivery_batch){0};
    return true;
}

static void wait_for_postbox(weir_delivery *d)
{
    d->wait_until = weir_mono_add(d->host->now(d->host->data), WEIR_S);
}

/* --- answers ------------------------------------------------------------------------------ */

static void is_online(weir_delivery *d)
{
    weir_pace_recovered(&d->pace);
    weir_delivery_set_state(d, weir_trouble_text(WEIR_TROUBLE_NONE), "", "");
}

void weir_delivery_put_off(weir_delivery *d, const weir_send_answer *answer)
{
    const weir_trouble trouble =
        answer->trouble != WEIR_TROUBLE_NONE ? answer->trouble : WEIR_TROUBLE_OFFLINE;
    if (d->host->is_ending(d->host->data))
        return; /* it was given up by our own wish */
    const int64_t wait = weir_pace_failed(&d->pace, trouble, answer->retry_after_us);
    d->wait_until = weir_mono_add(d->host->now(d->host->data), wait);
    weir_delivery_set_state(d, weir_trouble_text(trouble), answer->why, answer->remedy);
}

/* Rows that had been set aside and were taken at last leave the quarantine. */
static bool retries_done(weir_delivery *d, size_t at, size_t k)
{
    weir_set_aside gone[64];
    while (k > 0) {
        const size_t n = k < 64 ? k : 64;
        for (size_t i = 0; i < n; i++)
            gone[i] = (weir_set_aside){.row = &d->rows[at + i]};
        if (!d->host->on_set_aside(d->host->box_data, gone, n))
            return false;
        at += n;
        k -= n;
    }
    return true;
}

static void on_delivered(weir_delivery *d, size_t k, int64_t rtt_us)
{
    weir_delivery_batch *b = &d->batch;
    const weir_mono now = d->host->now(d->host->data);
    weir_pace_delivered(&d->pace, k, rtt_us, now);
    note_outcomes(d, k, false);
    d->sent += k;
    d->repeated += b->kind == BATCH_LOG ? 0 : k;
    d->delivered = d->host->wall(d->host->data);
    if (b->is_backlog)
        weir_pace_backlog_sent(&d->pace, k);
    is_online(d);
    if (b->kind == BATCH_RETRY && !retries_done(d, b->search.at, k)) {
        wait_for_postbox(d);
        return;
    }
    weir_bisect_delivered(&b->search, k);
    batch_advance(d);
}

/* Sets row i of the batch aside. False: not now. */
static bool set_aside(weir_delivery *d, size_t i, const weir_send_answer *answer)
{
    const weir_set_aside row = {&d->rows[i],
                                *answer->why ? answer->why : "rejected without a reason"};
    if (!d->host->on_set_aside(d->host->box_data, &row, 1)) {
        wait_for_postbox(d);
        return false;
    }
    d->n_set_aside += d->batch.kind != BATCH_RETRY;
    return true;
}

/* All of this sink's rows are rejected, or nearly. */
static void on_hopeless(weir_delivery *d, const weir_send_answer *answer)
{
    weir_send_answer later;
    weir_send_later(&later, WEIR_TROUBLE_MISCONFIGURED,
                    *answer->remedy ? answer->remedy : "see what it rejects: weir sink quarantine",
                    "most rows are rejected: %.200s", answer->why);
    d->odd_one++;
    weir_delivery_drop_batch(d);
    weir_delivery_put_off(d, &later);
}

/* It was sent alone. */
static void on_bad_row(weir_delivery *d, const weir_send_answer *answer)
{
    weir_bisect *search = &d->batch.search;
    note_outcomes(d, 1, true);
    if (most_are_rejected(d)) {
        on_hopeless(d, answer);
        return;
    }
    if (!set_aside(d, search->at, answer))
        return;
    (void)weir_bisect_rejected(search, 1);
    batch_advance(d);
}

/* A row that is named is tried alone all the same: the sink may be wrong about which it is, or the
 * row at odds only with another one beside it. */
static void on_rejected(weir_delivery *d, size_t k, const weir_send_answer *answer)
{
    weir_bisect *search = &d->batch.search;
    weir_pace_recovered(&d->pace);
    if (k == 1)
        on_bad_row(d, answer);
    else if (answer->first_bad < k)
        weir_bisect_named(search, k, answer->first_bad);
    else
        (void)weir_bisect_rejected(search, k);
}

static void judge(weir_delivery *d, size_t k, int64_t rtt_us, const weir_send_answer *answer)
{
    switch (answer->result) {
    case WEIR_SEND_DELIVERED:
        on_delivered(d, k, rtt_us);
        return;
    case WEIR_SEND_LATER:
        weir_delivery_drop_batch(d);
        weir_delivery_put_off(d, answer);
        return;
    case WEIR_SEND_REJECTED:
        on_rejected(d, k, answer);
        return;
    case WEIR_SEND_TOO_LARGE:
        if (k > 1)
            weir_pace_too_large(&d->pace, k, answer->max_rows);
        else
            on_bad_row(d, answer);
        return;
    }
}

/* --- sending ------------------------------------------------------------------------------ */

static int64_t send_rows(weir_delivery *d, size_t at, size_t k, weir_send_answer *answer)
{
    const weir_mono began = d->host->now(d->host->data);
    *answer = (weir_send_answer){0};
    d->type->send(d->state, d->rows + at, k, weir_mono_add(began, WEIR_SEND_DEADLINE), answer);
    return d->host->now(d->host->data).us - began.us;
}

/* While most rows are rejected: one of them. It says whether the sink takes rows again; the cursor
 * stays, unless it was the first. */
static void send_odd_one(weir_delivery *d)
{
    const weir_bisect *search = &d->batch.search;
    weir_send_answer answer;
    const size_t i = d->in_order ? search->at : d->odd_one % search->n;
    const int64_t rtt_us = send_rows(d, i, 1, &answer);
    if (answer.result == WEIR_SEND_DELIVERED) {
        forget_outcomes(d);
        if (i == search->at)
            on_delivered(d, 1, rtt_us);
        else
            d->sent++;
    } else if (answer.result == WEIR_SEND_LATER) {
        judge(d, 1, rtt_us, &answer);
    } else {
        on_hopeless(d, &answer);
    }
}

void weir_delivery_send(weir_delivery *d)
{
    weir_send_answer answer;
    const weir_bisect *search = &d->batch.search;
    if (!weir_bisect_done(search) && most_are_rejected(d)) {
        send_odd_one(d);
    } else if (!weir_bisect_done(search)) {
        const size_t k = weir_bisect_next(search, weir_pace_size(&d->pace));
        const int64_t rtt_us = send_rows(d, search->at, k, &answer);
        judge(d, k, rtt_us, &answer);
    }
    if (d->batch.kind != BATCH_NONE && weir_bisect_done(search) && !batch_end(d))
        wait_for_postbox(d);
}
