/* SPDX-License-Identifier: MIT */
/* Another catalog for a loop that runs. */

/*
 * prepare decides what stays: a connection whose settings are the same and whose source can take
 * another catalog, and behind it the devices whose reads are the same and whose tags have the same
 * uids. It makes sources for the other connections, asks those that stay to prepare, and prepares
 * engine and filter. apply then only moves and exchanges: sources first, so that the engine can
 * read through them at once.
 *
 * What can fail is in prepare, and all of it is given back by discard.
 */

#include "runtime/loop_priv.h"

#include "base/alloc.h"

struct weir_loop_change {
    weir_loop *loop;
    const weir_diff *diff;
    uint32_t *stays;      /* [older devices] */
    uint32_t *was;        /* [newer devices]: for the engine */
    uint32_t *source_was; /* likewise, for sources: behind a connection that stays */
    size_t n_slots;
    bool *kept;          /* [n_slots] */
    struct slot **slots; /* [n_slots]; of those that are kept NULL until apply */
    void **prepared;     /* [n_slots], by the sources that are kept */
    bool *is_prepared;
    weir_wake wake;
    weir_engine_change *engine;
    weir_filter *filter;
};

/* ---- what stays ---- */

static bool connection_stays(const weir_loop_change *c, uint32_t index)
{
    const weir_diff_part *part = &c->diff->connections;
    const uint32_t old = part->old_of[index];
    return old != WEIR_DIFF_NONE && part->change[index] < WEIR_CHANGE_READS &&
           (!c->loop->slots[old]->type || c->loop->slots[old]->type->prepare);
}

static bool uids_equal(const weir_diff *diff, const weir_device *a, const weir_device *b)
{
    const weir_tag *x = &diff->older->tags[a->first_tag], *y = &diff->newer->tags[b->first_tag];
    bool equal = a->n_tags == b->n_tags;
    for (uint32_t i = 0; equal && i < a->n_tags; i++)
        equal = x[i].uid == y[i].uid;
    return equal;
}

static void change_map_device(weir_loop_change *c, uint32_t index)
{
    const weir_diff *diff = c->diff;
    const weir_device *newer = &diff->newer->devices[index];
    const uint32_t old = diff->devices.old_of[index];
    c->was[index] = c->source_was[index] = WEIR_DEVICE_NONE;
    if (old == WEIR_DIFF_NONE)
        return;
    const weir_device *older = &diff->older->devices[old];
    /* With another unit id or switched on again it begins anew, as if it were another. */
    if (older->unit_id != newer->unit_id || older->enabled != newer->enabled)
        return;
    c->was[index] = old;
    if (diff->connections.old_of[newer->connection] != older->connection ||
        !c->kept[newer->connection])
        return;
    c->source_was[index] = old;
    if (diff->devices.change[index] < WEIR_CHANGE_READS && uids_equal(diff, older, newer))
        c->stays[old] = index;
}

static void change_map(weir_loop_change *c)
{
    for (uint32_t i = 0; i < c->n_slots; i++)
        c->kept[i] = connection_stays(c, i);
    for (size_t i = 0; i < c->diff->older->n_devices; i++)
        c->stays[i] = WEIR_DEVICE_NONE;
    for (uint32_t i = 0; i < c->diff->newer->n_devices; i++)
        change_map_device(c, i);
}

/* ---- preparing ---- */

static weir_source_change source_change(const weir_loop_change *c, uint32_t index)
{
    return (weir_source_change){
        .catalog = c->diff->newer, .connection = index, .stays = c->stays, .was = c->source_was};
}

static weir_err change_prepare_sources(weir_loop_change *c, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (uint32_t i = 0; !err && i < c->n_slots; i++) {
        if (!c->kept[i]) {
            err = weir_slot_new(c->loop, c->diff->newer, i, &c->slots[i], error);
            continue;
        }
        const struct slot *slot = c->loop->slots[c->diff->connections.old_of[i]];
        const weir_source_change change = source_change(c, i);
        if (!slot->type)
            continue;
        err = slot->type->prepare(slot->state, &change, &c->prepared[i], error);
        c->is_prepared[i] = !err;
    }
    return err;
}

static bool change_allocate(weir_loop_change *c)
{
    const weir_catalog *older = c->diff->older, *newer = c->diff->newer;
    c->stays = weir_alloc_zero(older->n_devices + 1, sizeof *c->stays);
    c->was = weir_alloc_zero(newer->n_devices + 1, sizeof *c->was);
    c->source_was = weir_alloc_zero(newer->n_devices + 1, sizeof *c->source_was);
    c->kept = weir_alloc_zero(c->n_slots + 1, sizeof *c->kept);
    c->slots = weir_alloc_zero(c->n_slots + 1, sizeof(struct slot *));
    c->prepared = weir_alloc_zero(c->n_slots + 1, sizeof(void *));
    c->is_prepared = weir_alloc_zero(c->n_slots + 1, sizeof *c->is_prepared);
    return c->stays && c->was && c->source_was && c->kept && c->slots && c->prepared &&
           c->is_prepared && weir_wake_init(&c->wake, c->n_slots) == WEIR_OK;
}

weir_err weir_loop_prepare(weir_loop *loop, const weir_diff *diff, weir_loop_change **ret,
                           weir_error *error)
{
    weir_loop_change *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return weir_fail(error, WEIR_ENOMEM, "the loop");
    *c = (weir_loop_change){.loop = loop, .diff = diff, .n_slots = diff->newer->n_connections};
    weir_err err = change_allocate(c) ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "the loop");
    if (!err) {
        change_map(c);
        err = change_prepare_sources(c, error);
    }
    if (!err)
        err = weir_engine_prepare(loop->engine, diff->newer, &c->engine, error);
    if (!err && loop->filter)
        err = weir_filter_new(diff->newer, &c->filter, error);
    if (err)
        weir_loop_discard(c);
    else
        *ret = c;
    return err;
}

void weir_loop_discard(weir_loop_change *c)
{
    if (!c)
        return;
    for (size_t i = 0; c->is_prepared && i < c->n_slots; i++) {
        if (!c->is_prepared[i])
            continue;
        const struct slot *slot = c->loop->slots[c->diff->connections.old_of[i]];
        slot->type->discard(slot->state, c->prepared[i]);
    }
    for (size_t i = 0; c->slots && i < c->n_slots; i++)
        weir_slot_free(c->slots[i]);
    weir_engine_discard(c->engine);
    weir_filter_free(c->filter);
    weir_wake_deinit(&c->wake);
    weir_free(c->stays);
    weir_free(c->was);
    weir_free(c->source_was);
    weir_free(c->kept);
    weir_free(c->slots);
    weir_free(c->prepared);
    weir_free(c->is_prepared);
    weir_free(c);
}

/* ---- applying ---- */

/* The loop has the new table, the change the old one, of which what is kept is taken out. */
static void change_exchange_slots(weir_loop_change *c)
{
    weir_loop *loop = c->loop;
    struct slot **old = loop->slots;
    const size_t n_old = loop->n_slots;
    const weir_wake wake = loop->wake;
    for (uint32_t i = 0; i < c->n_slots; i++) {
        if (!c->kept[i])
            continue;
        c->slots[i] = old[c->diff->connections.old_of[i]];
        old[c->diff->connections.old_of[i]] = NULL;
    }
    loop->slots = c->slots;
    loop->n_slots = c->n_slots;
    loop->wake = c->wake;
    c->slots = old;
    c->wake = wake;
    for (size_t i = 0; i < n_old; i++) { /* closed before others may want the same device */
        weir_slot_free(c->slots[i]);
        c->slots[i] = NULL;
    }
}

static void change_apply_sources(weir_loop_change *c)
{
    weir_loop *loop = c->loop;
    for (uint32_t i = 0; i < loop->n_slots; i++) {
        struct slot *slot = loop->slots[i];
        slot->host.catalog = c->diff->newer;
        weir_slot_go_live(slot, i);
        if (!c->is_prepared[i])
            continue;
        const weir_source_change change = source_change(c, i);
        slot->type->apply(slot->state, &change, c->prepared[i]);
        c->is_prepared[i] = false;
    }
}

void weir_loop_apply(weir_loop *loop, weir_loop_change *c)
{
    const weir_platform *platform = loop->config.platform;
    const weir_mono now = platform->now(platform->data);
    change_exchange_slots(c);
    change_apply_sources(c);
    loop->config.catalog = c->diff->newer;
    if (loop->filter) {
        weir_filter_take_over(c->filter, loop->filter, c->diff->devices.old_of);
        weir_filter_free(loop->filter);
        loop->filter = c->filter;
        c->filter = NULL;
    }
    weir_snapshot_unref(loop->snapshot); /* it has the older catalog */
    loop->snapshot = NULL;
    weir_engine_apply(loop->engine, c->engine, c->stays, c->was, now);
    c->engine = NULL;
    loop->engine_next = now;
    c->n_slots = 0; /* nothing is left in its tables */
    weir_loop_discard(c);
}
