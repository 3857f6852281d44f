/* SPDX-License-Identifier: MIT */
/* The samples of one tag, merged from segments, log and fresh rows, each identity once. */

/*
 * Everything that may hold samples of the tag is a source with a span of time: a part's segment, a
 * row, or the list of a caller who has read the rows. What lies ahead is not touched: parts and
 * rows wait in order of time, a segment's slices likewise, and each is looked into when nothing
 * before it is left. Mostly one source is alone in its time; then its samples go straight through
 * until `limit`, where the next one begins. Only where spans overlap the heads are compared sample
 * by sample, and of one identity the source with the highest rank wins: rows by seq over parts,
 * parts by their last_seq.
 *
 * Descending is the same with the sign of time turned: all comparisons are made on the order of
 * reading.
 */

#include "store/query/series.h"
#include "store/query/series.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "store/file/schema.h"
#include "store/query/ahead.h"
#include "store/query/tag_source.h"

struct weir_tag_series {
    weir_tag_reading reading;
    weir_ahead ahead;
    weir_tag_source *sources; /* whose time has come */
    size_t n_sources, sources_capacity;

    size_t winner; /* the source whose head comes next, alone before limit */
    bool has_winner;
    int64_t limit;
    int64_t last;  /* order of what was handed out last */
    bool has_held; /* peeked at */
    weir_item held;
    weir_summary summary; /* what a stretch borrows */
    weir_sample sample;
};
static weir_err source_add(weir_tag_series *s, const weir_tag_source *source, weir_error *error)
{
    weir_tag_source *sources =
        weir_array_room(s->sources, s->n_sources, &s->sources_capacity, sizeof *sources);
    if (!sources)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read a tag's samples");
    s->sources = sources;
    s->sources[s->n_sources++] = *source;
    return WEIR_OK;
}

static void source_remove(weir_tag_series *s, size_t at)
{
    weir_tag_source_deinit(&s->sources[at]);
    s->sources[at] = s->sources[--s->n_sources];
    s->has_winner = false;
}

/* Where segments of a part are put as they are found. */
struct expansion {
    weir_tag_series *series;
    const weir_view_part *part;
    int64_t last_max; /* of the segment before; stored ts */
    bool any;
};

static weir_err expansion_on_head(void *data, int64_t key, const weir_segment_head *head,
                                  weir_error *error)
{
    struct expansion *e = data;
    const weir_view_part *p = e->part;
    weir_tag_source source;
    const int64_t min_ts = weir_view_shift(head->min_ts.us, p->offset);
    const int64_t max_ts = weir_view_shift(head->max_ts.us, p->offset);
    if (head->min_ts.us > head->max_ts.us || min_ts < p->min_ts || max_ts > p->max_ts ||
        (e->any && head->min_ts.us <= e->last_max)) {
        (void)weir_fail(error, WEIR_EDAMAGED,
                        "it lies outside of its part's times, or before the segment before it");
        return weir_view_segment_fail(key, error);
    }
    e->any = true;
    e->last_max = head->max_ts.us;
    return weir_tag_source_segment(&e->series->reading, p, key, head, &source)
               ? source_add(e->series, &source, error)
               : WEIR_OK;
}

static weir_err part_expand(weir_tag_series *s, const weir_view_part *part, weir_error *error)
{
    struct expansion e = {.series = s, .part = part};
    return weir_view_heads(s->reading.view, SEGMENT_KEY(part->id, s->reading.wish.tag, 0),
                           SEGMENT_KEY(part->id, s->reading.wish.tag, 0xff), expansion_on_head, &e,
                           error);
}

weir_err weir_tag_series_new(weir_view *view, const weir_tag_series_wish *wish,
                             weir_tag_series **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_tag_series_free) weir_tag_series *s = weir_alloc_zero(1, sizeof *s);
    if (!s)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read a tag's samples");
    s->reading = (weir_tag_reading){.view = view, .wish = *wish};
    s->last = INT64_MIN;
    weir_err err = weir_view_purged(view, wish->tag, &s->reading.purged, error);
    if (err == WEIR_OK)
        err = weir_ahead_init(&s->ahead, &s->reading, error);
    if (err == WEIR_OK && wish->has_tail) {
        const weir_tag_source tail = weir_tag_source_items(&s->reading, wish->tail, wish->n_tail);
        err = source_add(s, &tail, error);
    }
    if (err != WEIR_OK)
        return err;
    *ret = s;
    s = NULL;
    return WEIR_OK;
}

void weir_tag_series_free(weir_tag_series *series)
{
    if (!series)
        return;
    for (size_t i = 0; i < series->n_sources; i++)
        weir_tag_source_deinit(&series->sources[i]);
    weir_free(series->sources);
    weir_ahead_deinit(&series->ahead);
    weir_free(series);
}

/* --- the merge ---------------------------------------------------------------------------- */

/* The source that may come first; of several those not looked into yet. Those at their end go. */
static bool series_first(weir_tag_series *s, size_t *ret)
{
    bool any = false;
    for (size_t i = s->n_sources; i-- > 0;)
        if (weir_tag_source_is_done(&s->reading, &s->sources[i]))
            source_remove(s, i);
    for (size_t i = 0; i < s->n_sources; i++) {
        const weir_tag_source *c = &s->sources[i];
        int64_t bound = weir_tag_source_bound(&s->reading, c);
        if (any) {
            const weir_tag_source *best = &s->sources[*ret];
            int64_t best_bound = weir_tag_source_bound(&s->reading, best);
            if (bound > best_bound || (bound == best_bound && (weir_tag_source_is_exact(c) ||
                                                               !weir_tag_source_is_exact(best))))
                continue;
        }
        *ret = i;
        any = true;
    }
    return any;
}

/* Finds the first source, bringing in parts and rows whose time has come. */
static weir_err series_settle(weir_tag_series *s, size_t *ret, bool *ret_any, weir_error *error)
{
    for (;;) {
        weir_err err = WEIR_OK;
        *ret_any = series_first(s, ret);
        const int64_t bound =
            *ret_any ? weir_tag_source_bound(&s->reading, &s->sources[*ret]) : INT64_MAX;
        const weir_view_part *part = weir_ahead_part(&s->ahead, bound);
        const weir_view_row *row = part ? NULL : weir_ahead_row(&s->ahead, bound);
        if (part) {
            err = part_expand(s, part, error);
        } else if (row) {
            const weir_tag_source source = weir_tag_source_row(&s->reading, row);
            err = source_add(s, &source, error);
        } else {
            return WEIR_OK;
        }
        if (err != WEIR_OK)
            return err;
    }
}

/* Where something else than this source may begin. */
static int64_t series_limit(const weir_tag_series *s, size_t except)
{
    int64_t limit = weir_ahead_low(&s->ahead);
    for (size_t i = 0; i < s->n_sources; i++) {
        int64_t bound =
            i == except ? INT64_MAX : weir_tag_source_bound(&s->reading, &s->sources[i]);
        limit = bound < limit ? bound : limit;
    }
    return limit;
}

/* Of all samples with the first (ts, epoch) the one to be shown; the others are passed over. */
static size_t winner_choose(weir_tag_series *s, size_t first)
{
    const int64_t bound = weir_tag_source_bound(&s->reading, &s->sources[first]);
    size_t winner = first;
    for (size_t i = 0; i < s->n_sources; i++) {
        const weir_tag_source *c = &s->sources[i], *w = &s->sources[winner];
        if (i == winner || weir_tag_source_bound(&s->reading, c) != bound)
            continue;
        uint32_t epoch = weir_tag_source_epoch(&s->reading, c),
                 best = weir_tag_source_epoch(&s->reading, w);
        if (s->reading.wish.descending ? epoch > best : epoch < best)
            winner = i;
        else if (epoch == best &&
                 weir_tag_source_rank(&s->reading, c) > weir_tag_source_rank(&s->reading, w))
            winner = i;
    }
    const uint32_t epoch = weir_tag_source_epoch(&s->reading, &s->sources[winner]);
    for (size_t i = 0; i < s->n_sources; i++) {
        weir_tag_source *c = &s->sources[i];
        if (i != winner && weir_tag_source_bound(&s->reading, c) == bound &&
            weir_tag_source_epoch(&s->reading, c) == epoch)
            c->at++;
    }
    return winner;
}

/* Makes the source whose sample is next the winner. */
static weir_err series_advance(weir_tag_series *s, bool in_steps, bool *ret_any, weir_error *error)
{
    size_t at;
    for (;;) {
        weir_err err = series_settle(s, &at, ret_any, error);
        if (err != WEIR_OK || !*ret_any)
            return err;
        if (weir_tag_source_is_exact(&s->sources[at]))
            break;
        err = weir_tag_source_advance(&s->reading, &s->sources[at], in_steps, error);
        if (err != WEIR_OK)
            return err;
    }
    s->limit = series_limit(s, at);
    s->winner = at;
    if (s->limit == weir_tag_source_bound(&s->reading, &s->sources[at]))
        s->winner = winner_choose(s, at);
    s->has_winner = true;
    return WEIR_OK;
}

/* No source may hand out what lies before what was handed out: its readers count on it. */
static weir_err series_check(weir_tag_series *s, int64_t order, weir_error *error)
{
    if (order < s->last)
        return weir_fail(error, WEIR_EDAMAGED,
                         "history of tag uid %" PRIu32 ": samples are not in order",
                         s->reading.wish.tag);
    s->last = order;
    return WEIR_OK;
}

static weir_err series_next(weir_tag_series *s, bool in_steps, weir_item *ret, bool *ret_any,
                            weir_error *error)
{
    for (;;) {
        weir_tag_source *c = s->has_winner ? &s->sources[s->winner] : NULL;
        if (!c || !weir_tag_source_is_exact(c) ||
            weir_tag_source_bound(&s->reading, c) >= s->limit) {
            weir_err err = series_advance(s, in_steps, ret_any, error);
            if (err != WEIR_OK || !*ret_any)
                return err;
            c = &s->sources[s->winner];
        }
        weir_err err = weir_tag_source_take(&s->reading, c, ret, error);
        if (err == WEIR_OK)
            err = series_check(s, weir_tag_reading_order(&s->reading, ret->sample.ts.us), error);
        if (err != WEIR_OK)
            return err;
        if (c->check_seq && (ret->seq <= s->reading.purged || ret->seq < s->reading.wish.min_seq ||
                             ret->seq > s->reading.wish.max_seq))
            continue;
        *ret_any = true;
        return WEIR_OK;
    }
}

weir_err weir_tag_series_next(weir_tag_series *series, weir_item *ret, bool *ret_any,
                              weir_error *error)
{
    if (series->has_held) {
        series->has_held = false;
        *ret = series->held;
        *ret_any = true;
        return WEIR_OK;
    }
    return series_next(series, false, ret, ret_any, error);
}

/* --- stretches ---------------------------------------------------------------------------- */

/* A summary of all the source has next, if nothing else has a say in that time. */
static const weir_summary *series_summary(const weir_tag_series *s, size_t at, int64_t until,
                                          bool with_falls)
{
    int64_t high;
    const weir_summary *summary =
        weir_tag_source_summary(&s->reading, &s->sources[at], until, with_falls, &high);
    return summary && high < series_limit(s, at) ? summary : NULL;
}

static weir_err summary_take(weir_tag_series *s, size_t at, const weir_summary *summary,
                             weir_stretch *ret, weir_error *error)
{
    weir_tag_source *c = &s->sources[at];
    const weir_err err = series_check(s, c->low, error);
    s->summary = *summary;
    s->summary.first_ts.us = weir_view_shift(summary->first_ts.us, c->offset);
    s->summary.last_ts.us = weir_view_shift(summary->last_ts.us, c->offset);
    if (c->opened)
        c->slices_read++;
    else
        source_remove(s, at);
    *ret = (weir_stretch){.summary = &s->summary};
    return err;
}

/* The samples at hand that nothing else comes between. */
static weir_err run_take(weir_tag_series *s, int64_t until, weir_stretch *ret, weir_error *error)
{
    weir_tag_source *c = &s->sources[s->winner];
    const weir_sample *first = weir_tag_source_sample(&s->reading, c);
    size_t n = 1, left = c->n - c->at;
    int64_t end = s->limit == INT64_MAX ? INT64_MAX : s->limit - 1;
    end = until < end ? until : end;
    if (first[left - 1].ts.us <= end)
        n = left;
    else
        while (n < left && first[n].ts.us <= end)
            n++;
    weir_err err = series_check(s, first->ts.us, error);
    c->at += n;
    s->last = first[n - 1].ts.us;
    *ret = (weir_stretch){.samples = first, .n = n};
    return err;
}

static weir_err stretch_of_one(weir_tag_series *s, weir_stretch *ret, bool *ret_any,
                               weir_error *error)
{
    weir_item item;
    weir_err err = s->has_held ? weir_tag_series_next(s, &item, ret_any, error)
                               : series_next(s, true, &item, ret_any, error);
    if (err != WEIR_OK || !*ret_any)
        return err;
    s->sample = item.sample;
    *ret = (weir_stretch){.samples = &s->sample, .n = 1};
    return WEIR_OK;
}

weir_err weir_tag_series_next_stretch(weir_tag_series *series, int64_t until, bool with_falls,
                                      weir_stretch *ret, bool *ret_any, weir_error *error)
{
    size_t at;
    if (series->has_held)
        return stretch_of_one(series, ret, ret_any, error);
    for (;;) {
        weir_err err = series_settle(series, &at, ret_any, error);
        if (err != WEIR_OK || !*ret_any)
            return err;
        if (weir_tag_source_is_exact(&series->sources[at]))
            break;
        const weir_summary *summary = series_summary(series, at, until, with_falls);
        if (summary)
            return summary_take(series, at, summary, ret, error);
        err = weir_tag_source_advance(&series->reading, &series->sources[at], true, error);
        if (err != WEIR_OK)
            return err;
    }
    const weir_tag_source *c = &series->sources[at];
    series->limit = series_limit(series, at);
    series->winner = at;
    series->has_winner = series->limit > weir_tag_source_bound(&series->reading, c);
    if (!series->has_winner || c->kind != WEIR_TAG_SOURCE_SEGMENT || c->check_seq ||
        series->reading.wish.descending)
        return stretch_of_one(series, ret, ret_any, error);
    return run_take(series, until, ret, error);
}

weir_err weir_tag_series_peek(weir_tag_series *series, int64_t *ret_ts, bool *ret_any,
                              weir_error *error)
{
    size_t at;
    while (!series->has_held) {
        weir_err err = series_settle(series, &at, ret_any, error);
        if (err != WEIR_OK || !*ret_any)
            return err;
        const weir_tag_source *c = &series->sources[at];
        int64_t ts = weir_tag_reading_order(
            &series->reading, weir_tag_source_bound(&series->reading, c)); /* its own inverse */
        bool known = weir_tag_source_is_exact(c) || c->kind == WEIR_TAG_SOURCE_SEGMENT;
        if (known && !c->check_seq && ts >= series->reading.wish.min_ts &&
            ts <= series->reading.wish.max_ts) {
            *ret_ts = ts;
            return WEIR_OK;
        }
        if (!weir_tag_source_is_exact(c)) {
            err = weir_tag_source_advance(&series->reading, &series->sources[at], true, error);
            if (err != WEIR_OK)
                return err;
            continue;
        }
        err = series_next(series, true, &series->held, ret_any, error);
        if (err != WEIR_OK || !*ret_any)
            return err;
        series->has_held = true;
    }
    *ret_ts = series->held.sample.ts.us;
    *ret_any = true;
    return WEIR_OK;
}
