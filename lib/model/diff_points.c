/* SPDX-License-Identifier: MIT */
/* Two lists of points: which one is which, and how they differ. */

/*
 * Points mostly lie at the same place in both lists and are looked for only where they do not.
 */

#include "model/diff_priv.h"

#include "base/alloc.h"

/* Two lists on their way to being matched. */
struct points_pair {
    const weir_point *older, *newer;
    uint32_t n_older, n_newer;
    uint32_t *old_of; /* [n_newer] */
    bool *taken;      /* [n_older] */
};

static void pair_match(struct points_pair *p, uint32_t old, uint32_t fresh)
{
    p->old_of[fresh] = old;
    p->taken[old] = true;
}

/* The first from a place on, going round, that is not taken and has the name; n_older: none. */
static uint32_t pair_find(const struct points_pair *p, const char *name, uint32_t from)
{
    for (uint32_t k = 0; k < p->n_older; k++) {
        const uint32_t i = (from + k) % p->n_older;
        if (!p->taken[i] && weir_diff_texts_equal(p->older[i].name, name))
            return i;
    }
    return p->n_older;
}

/* guess: of those that are still left, by keys that are only that. */
static void pair_match_by_key(struct points_pair *p, uint32_t fresh, bool guess)
{
    const char *key = weir_diff_text(p->newer[fresh].key);
    if (!*key || weir_key_is_guess(key) != guess || p->old_of[fresh] != WEIR_DIFF_NONE)
        return;
    for (uint32_t i = 0; i < p->n_older; i++)
        if (!p->taken[i] && weir_diff_texts_equal(p->older[i].key, key)) {
            pair_match(p, i, fresh);
            return;
        }
}

/* Not when it was applied before: the name is there with the same `was`. */
static void pair_match_by_was(struct points_pair *p, uint32_t fresh)
{
    const char *was = weir_diff_text(p->newer[fresh].was);
    if (!*was || p->old_of[fresh] != WEIR_DIFF_NONE)
        return;
    const uint32_t namesake = pair_find(p, p->newer[fresh].name, fresh);
    const uint32_t old = pair_find(p, was, fresh);
    if (old < p->n_older &&
        !(namesake < p->n_older && weir_diff_texts_equal(p->older[namesake].was, was)))
        pair_match(p, old, fresh);
}

static bool has_id(const weir_point *point)
{
    return *weir_diff_text(point->key) && !weir_key_is_guess(point->key);
}

/* What has another id is another one, although the name is the same. */
static void pair_match_by_name(struct points_pair *p, uint32_t fresh)
{
    const weir_point *newer = &p->newer[fresh];
    if (p->old_of[fresh] != WEIR_DIFF_NONE)
        return;
    const uint32_t old = pair_find(p, newer->name, fresh);
    if (old < p->n_older && (!has_id(&p->older[old]) || !has_id(newer) ||
                             weir_diff_texts_equal(p->older[old].key, newer->key)))
        pair_match(p, old, fresh);
}

bool weir_diff_match_points(const weir_device *older, const weir_device *newer, uint32_t *old_of)
{
    WEIR_CLEANUP(weir_free) void *taken = weir_alloc_zero(older->n_points + 1, sizeof(bool));
    struct points_pair p = {older->points,   newer->points, older->n_points,
                            newer->n_points, old_of,        taken};
    if (!taken)
        return false;
    for (uint32_t i = 0; i < p.n_newer; i++)
        old_of[i] = WEIR_DIFF_NONE;
    for (uint32_t i = 0; i < p.n_newer; i++)
        pair_match_by_key(&p, i, false);
    for (uint32_t i = 0; i < p.n_newer; i++)
        pair_match_by_was(&p, i);
    for (uint32_t i = 0; i < p.n_newer; i++)
        pair_match_by_name(&p, i);
    for (uint32_t i = 0; i < p.n_newer; i++)
        pair_match_by_key(&p, i, true);
    return true;
}

bool weir_diff_compare_points(weir_points_verdict *v, const weir_device *older,
                              const weir_device *newer)
{
    uint32_t found = 0;
    WEIR_CLEANUP(weir_free) void *owner = weir_alloc_zero(newer->n_points + 1, sizeof(uint32_t));
    uint32_t *old_of = owner;
    *v = (weir_points_verdict){.older = older->points,
                               .newer = newer->points,
                               .n_older = older->n_points,
                               .n_newer = newer->n_points};
    if (!old_of || !weir_diff_match_points(older, newer, old_of))
        return false;
    for (uint32_t i = 0; i < v->n_newer; i++) {
        if (old_of[i] == WEIR_DIFF_NONE) {
            v->added++;
            continue;
        }
        weir_change change = weir_diff_point(&v->older[old_of[i]], &v->newer[i]);
        found++;
        v->changed += change != WEIR_CHANGE_NONE;
        if (old_of[i] != i)
            change = WEIR_CHANGE_READS; /* reads under way know it by its place */
        if (change > v->change)
            v->change = change;
    }
    v->removed = v->n_older - found;
    if (v->added || v->removed)
        v->change = WEIR_CHANGE_READS;
    return true;
}
