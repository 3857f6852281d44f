/* SPDX-License-Identifier: MIT */
/* Samples, or replies, side by side in memory: put in order and cut into segments. */

#include "store/history/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

bool weir_run_reserve(weir_run *run, bool replies, size_t n)
{
    if (replies) {
        weir_reply_record *all = weir_realloc_array(run->replies, n, sizeof *all);
        run->replies = all ? all : run->replies;
        return all != NULL;
    }
    weir_sample *samples = weir_realloc_array(run->samples, n, sizeof *samples);
    run->samples = samples ? samples : run->samples;
    weir_reply_ref *refs = samples ? weir_realloc_array(run->refs, n, sizeof *refs) : NULL;
    run->refs = refs ? refs : run->refs;
    return refs != NULL;
}

void weir_run_free(weir_run *run)
{
    weir_free(run->samples);
    weir_free(run->refs);
    weir_free(run->replies);
    *run = (weir_run){0};
}

weir_run weir_run_part(const weir_run *run, size_t at, size_t n)
{
    return run->replies ? (weir_run){.replies = run->replies + at, .n = n}
                        : (weir_run){.samples = run->samples + at, .refs = run->refs + at, .n = n};
}

void weir_run_shift(weir_run *run, size_t n)
{
    const size_t rest = run->n - n;
    if (run->replies) {
        memmove(run->replies, run->replies + n, rest * sizeof *run->replies);
    } else {
        memmove(run->samples, run->samples + n, rest * sizeof *run->samples);
        memmove(run->refs, run->refs + n, rest * sizeof *run->refs);
    }
    run->n = rest;
}

/* --- order -------------------------------------------------------------------------------- */

struct order_key {
    int64_t ts;
    uint64_t seq; /* of replies */
    uint32_t at;  /* what came later is later */
};

static struct order_key key_of(const weir_run *run, size_t i)
{
    return run->replies
               ? (struct order_key){run->replies[i].due.us, run->replies[i].seq, (uint32_t)i}
               : (struct order_key){run->samples[i].ts.us, 0, (uint32_t)i};
}

static int key_compare_identity(const struct order_key *a, const struct order_key *b)
{
    if (a->ts != b->ts)
        return a->ts < b->ts ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static int key_compare(const void *a, const void *b)
{
    const struct order_key *x = a, *y = b;
    int c = key_compare_identity(x, y);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static bool run_in_order(const weir_run *run)
{
    for (size_t i = 1; i < run->n; i++) {
        struct order_key a = key_of(run, i - 1), b = key_of(run, i);
        if (key_compare_identity(&a, &b) >= 0)
            return false;
    }
    return true;
}

/* Moves items[keys[i].at] to items[i]; scratch has room for as many. */
static void items_permute(void *items, size_t size, const struct order_key *keys, size_t n,
                          void *scratch)
{
    for (size_t i = 0; i < n; i++)
        memcpy((char *)scratch + i * size, (const char *)items + keys[i].at * size, size);
    memcpy(items, scratch, n * size);
}

weir_err weir_run_order(weir_run *run, weir_error *error)
{
    if (run_in_order(run))
        return WEIR_OK;
    const size_t size = run->replies ? sizeof *run->replies : sizeof *run->samples;
    WEIR_CLEANUP(weir_free) void *owner = weir_alloc(run->n * sizeof(struct order_key));
    WEIR_CLEANUP(weir_free) void *scratch = weir_alloc(run->n * size);
    struct order_key *keys = owner;
    if (!keys || !scratch)
        return weir_fail(error, WEIR_ENOMEM, "no memory to sort %zu samples", run->n);
    for (size_t i = 0; i < run->n; i++)
        keys[i] = key_of(run, i);
    qsort(keys, run->n, sizeof *keys, key_compare);
    size_t n = 0;
    for (size_t i = 0; i < run->n; i++)
        if (i + 1 == run->n || key_compare_identity(&keys[i], &keys[i + 1]) != 0)
            keys[n++] = keys[i];
    if (run->replies) {
        items_permute(run->replies, size, keys, n, scratch);
    } else {
        items_permute(run->samples, size, keys, n, scratch);
        items_permute(run->refs, sizeof *run->refs, keys, n, scratch);
    }
    run->n = n;
    return WEIR_OK;
}

size_t weir_run_segment(const weir_run *run)
{
    size_t n = run->n < WEIR_SEGMENT_COUNT_MAX ? run->n : WEIR_SEGMENT_COUNT_MAX, text = 0;
    for (size_t i = 0; !run->replies && i < n; i++) {
        const weir_value *v = &run->samples[i].value;
        text += v->kind >= WEIR_KIND_STRING ? v->length : 0;
        if (text >= WEIR_SEGMENT_TEXT)
            return i + 1;
    }
    /* Replies with one due stay together: who looks for one looks into one segment. */
    while (run->replies && n > 1 && n < run->n &&
           run->replies[n].due.us == run->replies[n - 1].due.us)
        n--;
    return n;
}
