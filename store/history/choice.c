/* SPDX-License-Identifier: MIT */
/* Which parts become a larger one. */

#include "store/history/choice.h"

#include "store/file/schema.h"
#include "store/history/history.h"

enum {
    LATE_PARTS = 8, /* so many are worth a merge of their own */
    KEEP_RATIO = 4, /* a tag is kept for so many periods at least */
};

static bool part_is_within(const weir_part *p, int64_t start, int64_t period)
{
    return weir_floor_multiple(p->min_ts, period) == start &&
           weir_floor_multiple(p->max_ts, period) == start;
}

bool weir_choice_takes(const weir_choice *c, const weir_part *p)
{
    return p->state == PART_LIVE && p->tier < c->tier && p->epoch == c->epoch &&
           p->first_seq >= c->first_seq && p->last_seq <= c->last_seq &&
           part_is_within(p, c->start, weir_tier_period(c->tier));
}

static void choice_count(weir_choice *c, const weir_part *parts, size_t n)
{
    uint64_t first = UINT64_MAX, last = 0;
    c->n = 0;
    c->bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (!weir_choice_takes(c, &parts[i]))
            continue;
        first = parts[i].first_seq < first ? parts[i].first_seq : first;
        last = parts[i].last_seq > last ? parts[i].last_seq : last;
        c->bytes += parts[i].bytes;
        c->n++;
    }
    c->first_seq = first;
    c->last_seq = last;
}

/* A part that is left out and overlaps: what is later than it waits. */
static void choice_narrow(weir_choice *c, const weir_part *parts, size_t n)
{
    const int64_t period = weir_tier_period(c->tier);
    for (size_t i = 0; i < n && c->n > 0; i++) {
        const weir_part *p = &parts[i];
        if (p->state != PART_LIVE || p->epoch != c->epoch || p->tier & PART_STAYS ||
            weir_choice_takes(c, p) || p->max_ts < c->start || p->min_ts >= c->start + period ||
            p->last_seq < c->first_seq || p->first_seq > c->last_seq)
            continue;
        c->last_seq = p->first_seq - 1;
        choice_count(c, parts, n);
        i = SIZE_MAX; /* from the start: the range is another */
    }
}

bool weir_period_suits(int tier, int64_t keep)
{
    return keep / KEEP_RATIO >= weir_tier_period(tier);
}

/* The merge at this tier of the period of a part, if there is something to gain. */
static bool choose(const weir_store *store, const weir_part *parts, size_t n, const weir_part *of,
                   int tier, weir_wall now, weir_choice *ret)
{
    /* The last samples of a period come to history with the next archive, and one that may be
     * under way. */
    const int64_t slack = 2 * store->options.archive_us;
    const int64_t period = weir_tier_period(tier), start = weir_floor_multiple(of->min_ts, period);
    weir_choice c = {.tier = tier, .epoch = of->epoch, .start = start, .last_seq = UINT64_MAX};
    if (!part_is_within(of, start, period) || now.us < start + period + slack ||
        !weir_period_suits(tier, weir_expire_keep(store, 0)))
        return false;
    for (size_t i = 0; i < n; i++)
        c.merged |= parts[i].state == PART_LIVE && (parts[i].tier & ~PART_STAYS) == tier &&
                    parts[i].epoch == of->epoch && part_is_within(&parts[i], start, period);
    choice_count(&c, parts, n);
    choice_narrow(&c, parts, n);
    if (c.n < (c.merged ? LATE_PARTS : 2) || c.bytes > weir_limits_piece(store))
        return false;
    *ret = c;
    return true;
}

bool weir_choice_make(const weir_store *store, const weir_part *parts, size_t n, weir_wall now,
                      weir_choice *ret)
{
    for (int tier = 1; tier <= PART_TIER_MAX; tier++)
        for (size_t i = 0; i < n; i++)
            if (parts[i].state == PART_LIVE && parts[i].tier < tier &&
                choose(store, parts, n, &parts[i], tier, now, ret))
                return true;
    return false;
}

bool weir_choice_again(const weir_part *target, const weir_part *parts, size_t n, weir_choice *ret)
{
    weir_choice c = {.tier = target->tier,
                     .epoch = target->epoch,
                     .start = weir_floor_multiple(target->min_ts, weir_tier_period(target->tier)),
                     .first_seq = target->first_seq,
                     .last_seq = target->last_seq};
    choice_count(&c, parts, n);
    if (c.n == 0 || c.first_seq != target->first_seq || c.last_seq != target->last_seq)
        return false;
    *ret = c;
    return true;
}
