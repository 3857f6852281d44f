/* SPDX-License-Identifier: MIT */
/* Taking from history and log in the order of time, for a replay. */

/*
 * History lies tag by tag: a stretch of time costs about the same whether much of it is wanted or
 * little. So as much is read at once as fits into the memory for it, in one short transaction, and
 * handed out in pieces. What comes late for a time that was read already is not seen: as all that
 * is new it goes to the sink without a replay.
 */

#include "store/query/take_priv.h"
#include "store/query/timeline.h"

enum {
    AHEAD_ROWS = 64 * 1024, /* 5 MB */
    AHEAD_BYTES = 16 * 1024 * 1024,
};

static weir_err no_memory(weir_error *error)
{
    return weir_fail(error, WEIR_ENOMEM, "no memory for a replay");
}

void weir_take_replay_deinit(weir_take *take)
{
    weir_free(take->replay.rows);
    weir_arena_free(take->replay.texts);
    take->replay.rows = NULL;
    take->replay.texts = NULL;
    take->replay.n = take->replay.at = take->replay.capacity = 0;
    take->replay.any = false;
    take->replay.span = 0;
}

/* Samples whose true time nobody knows are left out here as they are in the log's order. */
static bool is_doubtful(const weir_take *take, const weir_item *item)
{
    int64_t offset;
    return (item->flags & WEIR_BATCH_CLOCK_UNTRUSTED) &&
           !weir_take_offset(take, item->epoch, &offset);
}

static weir_err item_add(weir_take *take, const weir_item *item, weir_error *error)
{
    weir_sink_row *rows =
        weir_array_room(take->replay.rows, take->replay.n, &take->replay.capacity, sizeof *rows);
    if (!rows)
        return no_memory(error);
    take->replay.rows = rows;
    weir_sink_row *row = &rows[take->replay.n];
    *row = (weir_sink_row){.sample = item->sample,
                           .received = item->received,
                           .seq = item->seq,
                           .plans = item->plans,
                           .epoch = item->epoch,
                           .flags = item->flags,
                           .replayed = true};
    weir_value *v = &row->sample.value;
    if (v->kind >= WEIR_KIND_STRING) {
        v->as.text = weir_arena_text_n(take->replay.texts, v->as.text, v->length);
        if (!v->as.text)
            return no_memory(error);
    }
    weir_err err = weir_take_find_tag(take, item->sample.tag, item->seq, &row->tag, error);
    take->replay.n += err == WEIR_OK;
    return err;
}

/* Whether the rows are as many as are read ahead; one moment is always completed. */
static bool is_full(const weir_take *take, int64_t ts)
{
    const size_t n = take->replay.n;
    return (n >= AHEAD_ROWS || weir_arena_size(take->replay.texts) > AHEAD_BYTES) && n > 0 &&
           ts > take->replay.rows[n - 1].sample.ts.us;
}

/* As far as is likely to fit, by what the last stretch came to. */
static int64_t last_likely(const weir_take *take, int64_t from, int64_t to)
{
    const uint64_t left = (uint64_t)to - (uint64_t)from, span = take->replay.span;
    return span == 0 || span >= left ? to : (int64_t)((uint64_t)from + span);
}

static weir_err rows_read(weir_take *take, int64_t from, int64_t last, weir_error *error)
{
    WEIR_CLEANUP(weir_timeline_free) weir_timeline *timeline = NULL;
    weir_scan_filter filter = WEIR_SCAN_ALL;
    bool any = true;
    filter.min_ts = from;
    filter.max_ts = last;
    filter.replies = true;
    weir_err err = weir_view_update(take->view, error);
    if (err == WEIR_OK)
        err = weir_timeline_new(take->view, &filter, &timeline, error);
    take->replay.until = last;
    while (err == WEIR_OK) {
        weir_item item;
        err = weir_timeline_next(timeline, &item, &any, error);
        if (err != WEIR_OK || !any)
            break;
        if (is_full(take, item.sample.ts.us)) {
            take->replay.until = take->replay.rows[take->replay.n - 1].sample.ts.us;
            break;
        }
        if (!is_doubtful(take, &item))
            err = item_add(take, &item, error);
    }
    return err;
}

/* Reads ahead from `from` on. */
static weir_err replay_fill(weir_take *take, int64_t from, int64_t to, weir_error *error)
{
    const uint64_t span = take->replay.span;
    weir_take_replay_deinit(take);
    take->replay.span = span;
    take->replay.texts = weir_arena_new();
    if (!take->replay.texts)
        return no_memory(error);
    weir_err err = weir_take_begin(take, error);
    if (err != WEIR_OK)
        return err;
    if (!take->view)
        err = weir_view_new(weir_take_db(take), &take->view, error);
    if (err == WEIR_OK)
        err = rows_read(take, from, last_likely(take, from, to), error);
    weir_take_end(take);
    if (err != WEIR_OK)
        return err;
    take->replay.from = from;
    take->replay.to = to;
    take->replay.any = true;
    const uint64_t covered = (uint64_t)take->replay.until - (uint64_t)from + 1;
    /* Half full or less: it may be twice as much the next time. */
    take->replay.span =
        take->replay.n < AHEAD_ROWS / 2 && covered < UINT64_MAX / 2 ? covered * 2 : covered;
    return WEIR_OK;
}

/* Whether what was read ahead goes on at `from`. */
static bool replay_goes_on(const weir_take *take, int64_t from, int64_t to)
{
    const size_t at = take->replay.at;
    if (!take->replay.any || to != take->replay.to || from < take->replay.from ||
        from > take->replay.until)
        return false;
    return at == 0 ? from == take->replay.from : take->replay.rows[at - 1].sample.ts.us < from;
}

weir_err weir_take_history(weir_take *take, int64_t from, int64_t to, size_t wanted,
                           weir_take_chunk *ret, int64_t *ret_until, weir_error *error)
{
    if (from > to) {
        *ret = (weir_take_chunk){0};
        *ret_until = to;
        return WEIR_OK;
    }
    if (!replay_goes_on(take, from, to)) {
        weir_err err = replay_fill(take, from, to, error);
        if (err != WEIR_OK) {
            weir_take_replay_deinit(take);
            return err;
        }
    }
    const weir_sink_row *rows = take->replay.rows;
    size_t first = take->replay.at;
    while (first < take->replay.n && rows[first].sample.ts.us < from)
        first++;
    size_t end = first;
    while (end < take->replay.n &&
           (end - first < wanted ||
            (end > first && rows[end].sample.ts.us == rows[end - 1].sample.ts.us)))
        end++;
    *ret = (weir_take_chunk){.n = end - first, .rows = rows ? rows + first : NULL};
    *ret_until =
        end < take->replay.n && end > first ? rows[end - 1].sample.ts.us : take->replay.until;
    take->replay.at = end;
    return WEIR_OK;
}
