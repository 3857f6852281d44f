/* SPDX-License-Identifier: MIT */
/* What goes next to a sink: live rows, rows to be tried again, the backlog, a replay. */

/*
 * A sink that keeps up has one stretch to look at, behind its cursor. When what is there has
 * waited for ten seconds, the head of now is where "live" begins: what is behind it goes first and
 * becomes a span, what is before it is the backlog. When the live rows themselves have waited so
 * long (an outage during an outage), live begins anew at the head, and what lies between is more
 * backlog; with all spans in use it does not, and the youngest stretch goes in order.
 *
 * Stretches that are held are left out of all this as if they were done, but for the cursor. They
 * are looked at now and then: a correction concerns all of them at once, so one look at the first
 * tells.
 */

#include <stdio.h>

#include "base/alloc.h"
#include "sinks/delivery/delivery_priv.h"

#define LIVE_AGE       (10 * WEIR_S)
#define MARK_INTERVAL  WEIR_S
#define HELD_INTERVAL  (5 * WEIR_S)
#define RETRY_INTERVAL (10 * WEIR_S) /* from the end of one round to the next look */
#define TAKE_RETRY     WEIR_S

enum {
    WANTED_MAX = 65536, /* samples taken at a time, however few of them the filter lets through */
    LOOKS_MAX = 64,     /* chunks without a row for the sink, in one step */
};

static const double share_weight = 0.2; /* of the newest chunk, in wanted_share */

/* --- how long things wait ----------------------------------------------------------------- */

static void marks_add(weir_delivery *d, weir_mono now)
{
    const size_t n = d->n_marks;
    if (n > 0 && d->marks[n - 1].seq >= d->head)
        return;
    if (n > 0 && now.us - d->marks[n - 1].at.us < MARK_INTERVAL)
        return;
    if (n == DELIVERY_MARKS) {
        for (size_t i = 1; i < n; i++)
            d->marks[i - 1] = d->marks[i];
        d->n_marks--;
    }
    d->marks[d->n_marks].seq = d->head;
    d->marks[d->n_marks++].at = now;
}

/* What was committed up to it is no longer live. */
static uint64_t old_seq(const weir_delivery *d, weir_mono now)
{
    uint64_t seq = 0;
    for (size_t i = 0; i < d->n_marks; i++)
        if (now.us - d->marks[i].at.us > LIVE_AGE)
            seq = d->marks[i].seq;
    return seq;
}

static bool has_open(const weir_delivery *d, uint64_t until)
{
    weir_span open;
    return weir_spans_next_open(&d->done, &d->held, 0, until, &open);
}

static void live_update(weir_delivery *d, uint64_t old)
{
    weir_span open;
    if (d->in_order)
        return;
    if (d->live_from && !has_open(d, d->live_from))
        d->live_from = 0;
    if (weir_spans_next_open(&d->done, &d->held, d->live_from, d->head, &open) &&
        open.first <= old && weir_spans_fits(&d->done, d->head + 1))
        d->live_from = d->head;
}

/* --- batches ------------------------------------------------------------------------------ */

void weir_delivery_drop_batch(weir_delivery *d)
{
    if (d->batch.kind == BATCH_RETRY)
        d->retry_after = 0;
    d->batch = (weir_delivery_batch){0};
    d->chunk = (weir_take_chunk){0};
    d->chunk_at = 0;
    d->chunk_kind = BATCH_NONE;
}

void weir_delivery_mark(weir_delivery *d, uint64_t first, uint64_t last, bool is_backlog)
{
    /* Cannot fail: no stretch is begun that has no room. Were it so, it would be sent again. */
    d->moved |= weir_spans_add(&d->done, first, last);
    if (is_backlog)
        weir_pace_backlog_less(&d->pace, (int64_t)(last - first + 1), d->host->now(d->host->data));
}

static bool rows_reserve(weir_delivery *d, size_t n)
{
    if (n <= d->capacity)
        return true;
    weir_sink_row *rows = weir_realloc_array(d->rows, n, sizeof *rows);
    if (!rows)
        return false;
    d->rows = rows;
    d->capacity = n;
    return true;
}

/* Moves rows of the chunk into the batch. Returns how many; d->chunk_at is behind the last. */
static size_t rows_fill(weir_delivery *d, bool filters)
{
    const size_t most = weir_pace_size(&d->pace), from = d->chunk_at;
    size_t n = 0;
    for (; d->chunk_at < d->chunk.n && n < most; d->chunk_at++) {
        const weir_sink_row *row = &d->chunk.rows[d->chunk_at];
        if (!filters || weir_sink_filter_row(&d->filter, row))
            d->rows[n++] = *row;
    }
    const size_t looked = d->chunk_at - from;
    if (filters && looked > 0) {
        d->left_out += looked - n;
        d->wanted_share += share_weight * ((double)n / (double)looked - d->wanted_share);
    }
    return n;
}

static size_t wanted(const weir_delivery *d)
{
    const double n = (double)weir_pace_size(&d->pace) / (d->wanted_share + 1e-6);
    return n < WANTED_MAX ? (size_t)n + 1 : WANTED_MAX;
}

/* --- the log ------------------------------------------------------------------------------ */

enum look { LOOK_AGAIN, LOOK_BATCH, LOOK_NOTHING };

/* What a limit took is recorded by the store: a line a minute is enough. */
static void lost_tell(weir_delivery *d, weir_mono now)
{
    char text[160];
    d->lost += d->chunk.lost;
    if (d->lost == 0 || !weir_mono_reached(now, d->lost_due))
        return;
    (void)snprintf(text, sizeof text,
                   "%llu samples cannot be delivered: SELECT * FROM gaps says which and why",
                   (unsigned long long)d->lost);
    d->host->log(d->host->data, WEIR_LOG_WARNING, "sink_gap", text);
    d->lost = 0;
    d->lost_due = weir_mono_add(now, WEIR_MINUTE);
}

/* What will never be sent is told together with the cursor behind it. False: not now. */
static bool never_tell(weir_delivery *d)
{
    const weir_take_chunk *c = &d->chunk;
    weir_spans behind = d->done;
    if (!weir_spans_add(&behind, d->chunk_seq, c->last_seq))
        return false; /* cannot be: no stretch is begun that has no room */
    const weir_consumer_gap gap = {.from_ts = c->from_ts,
                                   .to_ts = c->to_ts,
                                   .count = c->lost,
                                   .cause = "clock",
                                   .seq = behind.seq,
                                   .done = behind.spans,
                                   .n_done = behind.n};
    return d->host->on_gap(d->host->box_data, &gap);
}

/* What the chunk says when it is not a matter of sending. LOOK_BATCH: it is. */
static enum look chunk_pass(weir_delivery *d, weir_mono now, weir_mono *ret_next)
{
    const weir_take_chunk *c = &d->chunk;
    if (c->held) {
        if (!d->held.n && !d->held.seq)
            d->held_due = weir_mono_add(now, HELD_INTERVAL);
        if (weir_spans_add(&d->held, d->chunk_seq, c->last_seq))
            return LOOK_AGAIN;
        *ret_next = weir_mono_min(*ret_next, d->held_due);
        return LOOK_NOTHING;
    }
    if (c->never && c->lost > 0 && !never_tell(d)) {
        *ret_next = weir_mono_min(*ret_next, weir_mono_add(now, TAKE_RETRY));
        return LOOK_NOTHING;
    }
    lost_tell(d, now);
    return LOOK_BATCH;
}

/* The next batch of the chunk, which begins at d->chunk_seq. */
static enum look chunk_batch(weir_delivery *d, bool is_backlog)
{
    const weir_take_chunk *c = &d->chunk;
    const uint64_t first = d->chunk_seq;
    const size_t n = rows_fill(d, true);
    const uint64_t last = d->chunk_at < c->n ? c->rows[d->chunk_at].seq - 1 : c->last_seq;
    const int64_t last_ts = d->chunk_at > 0 ? c->rows[d->chunk_at - 1].sample.ts.us : d->oldest_ts;
    d->chunk_seq = last + 1;
    if (n == 0) {
        if (last >= first)
            weir_delivery_mark(d, first, last, is_backlog);
        if (d->done.seq >= last)
            d->oldest_ts = last_ts;
        return LOOK_AGAIN;
    }
    d->batch = (weir_delivery_batch){.kind = BATCH_LOG,
                                     .is_backlog = is_backlog,
                                     .search = {.n = n},
                                     .first_seq = first,
                                     .last_seq = last,
                                     .last_ts = last_ts};
    return LOOK_BATCH;
}

static bool chunk_goes_on_at(const weir_delivery *d, uint64_t seq)
{
    return d->chunk_kind == BATCH_LOG && d->chunk_seq == seq && seq <= d->chunk.last_seq;
}

/* Everything up to resume_seq behind the last span is with the sink, but for what is held. */
static bool is_resumed(const weir_delivery *d, uint64_t seq)
{
    const weir_spans *s = &d->done;
    return seq <= d->resume_seq && seq > (s->n ? s->spans[s->n - 1].last : s->seq);
}

static enum look log_look(weir_delivery *d, weir_span open, bool is_backlog, weir_mono now,
                          weir_mono *ret_next)
{
    weir_error error = WEIR_ERROR_INIT;
    const bool resumed = is_resumed(d, open.first);
    bool any = false;
    if (resumed && open.last > d->resume_seq)
        open.last = d->resume_seq;
    if (chunk_goes_on_at(d, open.first))
        return chunk_batch(d, is_backlog);
    weir_delivery_drop_batch(d);
    weir_err err =
        weir_take_next(d->take, open.first - 1, open.last, wanted(d), &d->chunk, &any, &error);
    if (err == WEIR_EDAMAGED && d->chunk.last_seq >= open.first) {
        d->host->log(d->host->data, WEIR_LOG_ERROR, "sink_gap", error.text);
        weir_delivery_mark(d, open.first, d->chunk.last_seq, is_backlog);
        weir_delivery_drop_batch(d);
        return LOOK_AGAIN;
    }
    if (err != WEIR_OK) {
        weir_delivery_drop_batch(d);
        *ret_next = weir_delivery_take_failed(d, &error);
        return LOOK_NOTHING;
    }
    weir_delivery_take_works(d);
    if (!any) {
        weir_delivery_drop_batch(d);
        *ret_next = weir_mono_add(now, TAKE_RETRY);
        return LOOK_NOTHING;
    }
    d->chunk_kind = BATCH_LOG;
    d->chunk_at = 0;
    d->chunk_seq = open.first;
    if (d->chunk.n > 0 && open.first == d->done.seq + 1)
        d->oldest_ts = d->chunk.rows[0].sample.ts.us;
    enum look look = chunk_pass(d, now, ret_next);
    if (look != LOOK_BATCH || !resumed)
        return look == LOOK_BATCH ? chunk_batch(d, is_backlog) : look;
    weir_delivery_mark(d, open.first, d->chunk.last_seq, is_backlog);
    weir_delivery_drop_batch(d);
    return LOOK_AGAIN;
}

/* Whether what is held may go by now. */
static void held_check(weir_delivery *d, weir_mono now)
{
    weir_error error = WEIR_ERROR_INIT;
    bool any = false;
    if ((d->held.n == 0 && d->held.seq == 0) || !weir_mono_reached(now, d->held_due))
        return;
    d->held_due = weir_mono_add(now, HELD_INTERVAL);
    const uint64_t first = d->held.seq > 0 ? 1 : d->held.spans[0].first;
    weir_delivery_drop_batch(d);
    const weir_err err = weir_take_next(d->take, first - 1, first, 1, &d->chunk, &any, &error);
    if (err == WEIR_OK && any && !d->chunk.held)
        d->held = (weir_spans){0};
    weir_delivery_drop_batch(d);
}

static enum look log_choose(weir_delivery *d, weir_mono now, bool live, weir_mono *ret_next)
{
    const uint64_t old = old_seq(d, now);
    weir_span open;
    enum look look = LOOK_AGAIN;
    for (int looks = 0; looks < LOOKS_MAX && look == LOOK_AGAIN; looks++) {
        live_update(d, old);
        if (!live && d->live_from == 0)
            return LOOK_NOTHING; /* there is no backlog apart from what is live */
        const uint64_t after = live ? d->live_from : 0, until = live ? d->head : d->live_from;
        if (!weir_spans_next_open(&d->done, &d->held, after, until, &open))
            return LOOK_NOTHING;
        const bool is_backlog = !live || open.first <= old;
        const weir_mono at = is_backlog ? weir_pace_backlog_at(&d->pace, now) : now;
        if (at.us > now.us) {
            *ret_next = weir_mono_min(*ret_next, at);
            return LOOK_NOTHING;
        }
        look = log_look(d, open, is_backlog, now, ret_next);
    }
    return look;
}

/* --- orders ------------------------------------------------------------------------------- */

static enum look retries_choose(weir_delivery *d, weir_mono now, weir_mono *ret_next)
{
    weir_error error = WEIR_ERROR_INIT;
    if (d->n_retries == 0)
        return LOOK_NOTHING;
    if (!weir_mono_reached(now, d->retries_due)) {
        *ret_next = weir_mono_min(*ret_next, d->retries_due);
        return LOOK_NOTHING;
    }
    weir_delivery_drop_batch(d);
    const weir_err err =
        weir_take_retries(d->take, d->retry_after, weir_pace_size(&d->pace), &d->chunk, &error);
    if (err != WEIR_OK) {
        weir_delivery_drop_batch(d);
        *ret_next = weir_delivery_take_failed(d, &error);
        return LOOK_NOTHING;
    }
    if (d->chunk.n == 0) { /* what was posted is known to the store by then */
        d->retry_after = 0;
        d->retries_due = weir_mono_add(now, RETRY_INTERVAL);
        return LOOK_NOTHING;
    }
    d->chunk_at = 0;
    const size_t n = rows_fill(d, false);
    d->retry_after = d->rows[n - 1].seq;
    d->batch = (weir_delivery_batch){.kind = BATCH_RETRY, .search = {.n = n}};
    return LOOK_BATCH;
}

static enum look replay_take(weir_delivery *d, weir_mono *ret_next)
{
    weir_error error = WEIR_ERROR_INIT;
    const int64_t from = d->replay_done > d->replay_from ? d->replay_done : d->replay_from;
    weir_delivery_drop_batch(d);
    const weir_err err = weir_take_history(d->take, from, d->replay_to, wanted(d), &d->chunk,
                                           &d->chunk_until, &error);
    if (err != WEIR_OK) {
        weir_delivery_drop_batch(d);
        *ret_next = weir_delivery_take_failed(d, &error);
        return LOOK_NOTHING;
    }
    weir_delivery_take_works(d);
    d->chunk_kind = BATCH_REPLAY;
    while (d->chunk_at < d->chunk.n && d->chunk_at < d->replay_skip &&
           d->chunk.rows[d->chunk_at].sample.ts.us == from)
        d->chunk_at++;
    return LOOK_AGAIN;
}

/* Where the replay is when all rows of the chunk up to chunk_at are settled. */
static void replay_position(const weir_delivery *d, weir_delivery_batch *b)
{
    const weir_take_chunk *c = &d->chunk;
    b->replay_id = d->replay_id;
    b->replay_skip = 0;
    if (d->chunk_at == c->n) {
        b->replay_done = d->chunk_until >= d->replay_to ? INT64_MAX : d->chunk_until + 1;
        return;
    }
    b->replay_done = c->rows[d->chunk_at].sample.ts.us;
    for (size_t i = d->chunk_at; i > 0 && c->rows[i - 1].sample.ts.us == b->replay_done; i--)
        b->replay_skip++;
}

bool weir_delivery_replayed(weir_delivery *d, const weir_delivery_batch *b)
{
    if (b->replay_id != d->replay_id)
        return true; /* another was ordered meanwhile */
    if (b->replay_done != d->replay_done &&
        !d->host->on_replay(d->host->box_data, b->replay_id, b->replay_done))
        return false;
    d->replay_done = b->replay_done;
    d->replay_skip = b->replay_skip;
    return true;
}

static enum look replay_look(weir_delivery *d, weir_mono now, weir_mono *ret_next)
{
    const weir_mono at = weir_pace_backlog_at(&d->pace, now);
    weir_delivery_batch b = {.kind = BATCH_REPLAY, .is_backlog = true};
    if (d->replay_id == 0 || d->replay_done == INT64_MAX)
        return LOOK_NOTHING;
    if (at.us > now.us) {
        *ret_next = weir_mono_min(*ret_next, at);
        return LOOK_NOTHING;
    }
    if ((d->chunk_kind != BATCH_REPLAY || d->chunk_at >= d->chunk.n) &&
        replay_take(d, ret_next) == LOOK_NOTHING)
        return LOOK_NOTHING;
    const size_t n = rows_fill(d, true);
    for (size_t i = 0; i < n; i++)
        d->rows[i].replayed = true;
    replay_position(d, &b);
    b.search.n = n;
    if (n > 0) {
        d->batch = b;
        return LOOK_BATCH;
    }
    if (weir_delivery_replayed(d, &b))
        return LOOK_AGAIN;
    *ret_next = weir_mono_add(now, TAKE_RETRY);
    return LOOK_NOTHING;
}

static enum look replay_choose(weir_delivery *d, weir_mono now, weir_mono *ret_next)
{
    enum look look = LOOK_AGAIN;
    for (int looks = 0; looks < LOOKS_MAX && look == LOOK_AGAIN; looks++)
        look = replay_look(d, now, ret_next);
    return look;
}

/* --- all of it ---------------------------------------------------------------------------- */

static enum look others_choose(weir_delivery *d, weir_mono now, weir_mono *ret_next)
{
    enum look look = retries_choose(d, now, ret_next);
    if (look == LOOK_NOTHING)
        look = log_choose(d, now, false, ret_next);
    if (look == LOOK_NOTHING)
        look = replay_choose(d, now, ret_next);
    return look;
}

/* Live first. Where a send takes as long as it is from commit to commit, there would always be
 * something live, and nothing else would ever be sent: then they take turns. */
static enum look any_choose(weir_delivery *d, weir_mono now, weir_mono *ret_next)
{
    const bool is_others_turn = d->was_live && weir_pace_is_far(&d->pace);
    enum look look = LOOK_NOTHING;
    d->was_live = false;
    if (is_others_turn)
        look = others_choose(d, now, ret_next);
    if (look == LOOK_NOTHING) {
        look = log_choose(d, now, true, ret_next);
        d->was_live = look == LOOK_BATCH;
    }
    if (look == LOOK_NOTHING && !is_others_turn)
        look = others_choose(d, now, ret_next);
    return look;
}

bool weir_delivery_choose(weir_delivery *d, weir_mono now, weir_mono *ret_next)
{
    weir_mono next = WEIR_MONO_NEVER;
    marks_add(d, now);
    held_check(d, now);
    if (d->held.n > 0 || d->held.seq > 0)
        next = weir_mono_min(next, d->held_due);
    if (!rows_reserve(d, weir_pace_size(&d->pace))) {
        *ret_next = weir_mono_add(now, TAKE_RETRY);
        return false;
    }
    const enum look look = any_choose(d, now, &next);
    *ret_next = look == LOOK_NOTHING ? next : now;
    return look == LOOK_BATCH;
}
