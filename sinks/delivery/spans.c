/* SPDX-License-Identifier: MIT */
/* Spans: which sequence numbers are done, and which stretch comes next; arithmetic only. */

#include "sinks/delivery/spans.h"

#include <assert.h>
#include <string.h>

/* Spans that begin at or before seq + 1 become part of it. */
static void spans_absorb(weir_spans *s)
{
    size_t taken = 0;
    while (taken < s->n && s->spans[taken].first <= s->seq + 1) {
        s->seq = s->spans[taken].last > s->seq ? s->spans[taken].last : s->seq;
        taken++;
    }
    s->n -= taken;
    memmove(s->spans, s->spans + taken, s->n * sizeof *s->spans);
}

bool weir_spans_add(weir_spans *s, uint64_t first, uint64_t last)
{
    assert(first >= 1 && first <= last);
    size_t from = 0, to;
    if (first <= s->seq + 1) {
        s->seq = last > s->seq ? last : s->seq;
        spans_absorb(s);
        return true;
    }
    while (from < s->n && s->spans[from].last + 1 < first)
        from++;
    for (to = from; to < s->n && s->spans[to].first <= last + 1; to++) {
        first = s->spans[to].first < first ? s->spans[to].first : first;
        last = s->spans[to].last > last ? s->spans[to].last : last;
    }
    if (from == to && s->n == WEIR_CURSOR_SPANS_MAX)
        return false;
    memmove(s->spans + from + 1, s->spans + to, (s->n - to) * sizeof *s->spans);
    s->spans[from] = (weir_span){first, last};
    s->n = s->n + 1 - (to - from);
    return true;
}

bool weir_spans_fits(const weir_spans *s, uint64_t first)
{
    if (s->n < WEIR_CURSOR_SPANS_MAX || first <= s->seq + 1)
        return true;
    for (size_t i = 0; i < s->n; i++)
        if (first >= s->spans[i].first && first <= s->spans[i].last + 1)
            return true;
    return false;
}

bool weir_spans_next(const weir_spans *s, uint64_t after, uint64_t until, weir_span *ret)
{
    size_t i = 0;
    after = s->seq > after ? s->seq : after;
    while (i < s->n && s->spans[i].first <= after + 1) {
        after = s->spans[i].last > after ? s->spans[i].last : after;
        i++;
    }
    if (i < s->n && s->spans[i].first - 1 < until)
        until = s->spans[i].first - 1;
    if (after >= until)
        return false;
    *ret = (weir_span){after + 1, until};
    return true;
}

bool weir_spans_next_open(const weir_spans *done, const weir_spans *held, uint64_t after,
                          uint64_t until, weir_span *ret)
{
    weir_span open, part;
    while (weir_spans_next(done, after, until, &open)) {
        after = open.first - 1;
        while (weir_spans_next(held, after, open.last, &part)) {
            if (weir_spans_fits(done, part.first)) {
                *ret = part;
                return true;
            }
            after = part.last;
        }
        after = open.last;
    }
    return false;
}

uint64_t weir_spans_missing(const weir_spans *s, uint64_t until)
{
    uint64_t missing = until > s->seq ? until - s->seq : 0;
    for (size_t i = 0; i < s->n && s->spans[i].first <= until; i++)
        missing -= (s->spans[i].last < until ? s->spans[i].last : until) - s->spans[i].first + 1;
    return missing;
}
