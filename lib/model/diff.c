/* SPDX-License-Identifier: MIT */
/* The diff of two catalogs: what became of each connection, device, plan and sink. */

/*
 * Things are matched by name through hash maps (here), points by their lists (diff_points.c).
 * Devices of one template share their points, so that what was found out about one pair of point
 * lists serves all of them.
 */

#include "model/diff_priv.h"

#include "base/map.h"

struct differ {
    weir_diff *diff;
    const weir_catalog *older, *newer;
    weir_points_verdict points; /* of the last pair */
    bool failed;                /* memory was short */
};

static const weir_points_verdict *points_verdict_of(struct differ *d, const weir_device *older,
                                                    const weir_device *newer)
{
    weir_points_verdict *v = &d->points;
    if (v->older == older->points && v->newer == newer->points && v->n_older == older->n_points &&
        v->n_newer == newer->n_points && v->older)
        return v;
    d->failed |= !weir_diff_compare_points(v, older, newer);
    return v;
}

static weir_change device_compare(struct differ *d, const weir_device *a, const weir_device *b)
{
    const weir_points_verdict *points = points_verdict_of(d, a, b);
    if (!weir_diff_same_connection(d->diff, a, b) || a->unit_id != b->unit_id ||
        a->enabled != b->enabled || !weir_diff_rhythms_equal(a, b) || !weir_diff_limits_equal(a, b))
        return WEIR_CHANGE_READS;
    const bool same = weir_diff_texts_equal(a->name, b->name) &&
                      weir_diff_texts_equal(a->description, b->description) &&
                      weir_diff_labels_equal(a, b);
    return !same && points->change == WEIR_CHANGE_NONE ? WEIR_CHANGE_AROUND : points->change;
}

static weir_change connection_compare(const weir_connection *a, const weir_connection *b)
{
    if (!weir_diff_endpoints_equal(a, b))
        return WEIR_CHANGE_READS;
    return weir_diff_texts_equal(a->name, b->name) && weir_diff_timing_equal(a, b)
               ? WEIR_CHANGE_NONE
               : WEIR_CHANGE_AROUND;
}

/* ---- matching ---- */

static bool part_init(weir_diff *diff, weir_diff_part *part, size_t n_old, size_t n_new)
{
    part->n_old = n_old;
    part->n_new = n_new;
    part->old_of = weir_arena_alloc(diff->arena, n_new + 1, sizeof *part->old_of);
    part->new_of = weir_arena_alloc(diff->arena, n_old + 1, sizeof *part->new_of);
    part->change = weir_arena_alloc(diff->arena, n_new + 1, sizeof *part->change);
    if (!part->old_of || !part->new_of || !part->change)
        return false;
    for (size_t i = 0; i < n_new; i++)
        part->old_of[i] = WEIR_DIFF_NONE;
    for (size_t i = 0; i < n_old; i++)
        part->new_of[i] = WEIR_DIFF_NONE;
    return true;
}

static void part_match(weir_diff_part *part, uint32_t old, uint32_t fresh)
{
    part->old_of[fresh] = old;
    part->new_of[old] = fresh;
}

static void part_count(weir_diff_part *part)
{
    for (size_t i = 0; i < part->n_new; i++) {
        if (part->old_of[i] == WEIR_DIFF_NONE)
            part->change[i] = WEIR_CHANGE_ADDED;
        part->n_added += part->change[i] == WEIR_CHANGE_ADDED;
        part->n_changed +=
            part->change[i] == WEIR_CHANGE_AROUND || part->change[i] == WEIR_CHANGE_READS;
    }
    for (size_t i = 0; i < part->n_old; i++)
        part->n_removed += part->new_of[i] == WEIR_DIFF_NONE;
}

/* Index in the map, or WEIR_DIFF_NONE. */
static uint32_t map_index(const weir_map *map, const char *key)
{
    const uintptr_t number = (uintptr_t)weir_map_get(map, key);
    return number ? (uint32_t)(number - 1) : WEIR_DIFF_NONE;
}

static bool map_put(weir_map *map, const char *key, size_t index)
{
    return weir_map_set(map, key, (void *)(uintptr_t)(index + 1), NULL) == WEIR_OK;
}

static bool connections_match(struct differ *d)
{
    weir_map names = WEIR_MAP_INIT;
    weir_diff_part *part = &d->diff->connections;
    bool good = true;
    for (size_t i = 0; good && i < part->n_old; i++)
        good = map_put(&names, d->older->connections[i].name, i);
    for (uint32_t i = 0; good && i < part->n_new && part->n_old; i++) {
        const uint32_t old = map_index(&names, d->newer->connections[i].name);
        if (old != WEIR_DIFF_NONE)
            part_match(part, old, i);
    }
    weir_map_deinit(&names);
    /* A few at most have new names. */
    for (uint32_t i = 0; i < part->n_new; i++)
        for (uint32_t k = 0; k < part->n_old && part->old_of[i] == WEIR_DIFF_NONE; k++)
            if (part->new_of[k] == WEIR_DIFF_NONE &&
                weir_diff_endpoints_equal(&d->older->connections[k], &d->newer->connections[i]) &&
                weir_diff_timing_equal(&d->older->connections[k], &d->newer->connections[i]))
                part_match(part, k, i);
    for (size_t i = 0; i < part->n_new; i++)
        if (part->old_of[i] != WEIR_DIFF_NONE)
            part->change[i] = (uint8_t)connection_compare(&d->older->connections[part->old_of[i]],
                                                          &d->newer->connections[i]);
    part_count(part);
    return good;
}

static void devices_match_by_key(struct differ *d, const weir_map *keys)
{
    weir_diff_part *part = &d->diff->devices;
    for (uint32_t i = 0; i < part->n_new; i++) {
        const char *key = weir_diff_text(d->newer->devices[i].key);
        const uint32_t old = *key && keys->count ? map_index(keys, key) : WEIR_DIFF_NONE;
        if (old != WEIR_DIFF_NONE && part->new_of[old] == WEIR_DIFF_NONE)
            part_match(part, old, i);
    }
}

static void devices_match_by_was(struct differ *d, const weir_map *names)
{
    weir_diff_part *part = &d->diff->devices;
    for (uint32_t i = 0; i < part->n_new && names->count; i++) {
        const weir_device *device = &d->newer->devices[i];
        const char *was = weir_diff_text(device->was);
        if (!*was || part->old_of[i] != WEIR_DIFF_NONE)
            continue;
        const uint32_t old = map_index(names, was), namesake = map_index(names, device->name);
        const bool applied = namesake != WEIR_DIFF_NONE &&
                             weir_diff_texts_equal(d->older->devices[namesake].was, was);
        if (!applied && old != WEIR_DIFF_NONE && part->new_of[old] == WEIR_DIFF_NONE)
            part_match(part, old, i);
    }
}

static void devices_match_by_name(struct differ *d, const weir_map *names)
{
    weir_diff_part *part = &d->diff->devices;
    for (uint32_t i = 0; i < part->n_new && names->count; i++) {
        const weir_device *device = &d->newer->devices[i];
        if (part->old_of[i] != WEIR_DIFF_NONE)
            continue;
        const uint32_t old = map_index(names, device->name);
        if (old == WEIR_DIFF_NONE || part->new_of[old] != WEIR_DIFF_NONE)
            continue;
        const char *key = weir_diff_text(d->older->devices[old].key);
        if (!*key || !*weir_diff_text(device->key) || weir_diff_texts_equal(key, device->key))
            part_match(part, old, i);
    }
}

static bool devices_match(struct differ *d)
{
    weir_map names = WEIR_MAP_INIT, keys = WEIR_MAP_INIT;
    const weir_diff_part *part = &d->diff->devices;
    bool good = true;
    for (size_t i = 0; good && i < part->n_old; i++) {
        const weir_device *device = &d->older->devices[i];
        good = map_put(&names, device->name, i) &&
               (!*weir_diff_text(device->key) || map_put(&keys, device->key, i));
    }
    if (good) {
        devices_match_by_key(d, &keys);
        devices_match_by_was(d, &names);
        devices_match_by_name(d, &names);
    }
    weir_map_deinit(&names);
    weir_map_deinit(&keys);
    return good;
}

static void devices_compare(struct differ *d)
{
    weir_diff_part *part = &d->diff->devices;
    for (size_t i = 0; i < part->n_new; i++) {
        const weir_device *newer = &d->newer->devices[i];
        if (part->old_of[i] == WEIR_DIFF_NONE) {
            d->diff->n_tags_added += newer->n_tags;
            continue;
        }
        const weir_device *older = &d->older->devices[part->old_of[i]];
        part->change[i] = (uint8_t)device_compare(d, older, newer);
        const weir_points_verdict *points = points_verdict_of(d, older, newer);
        d->diff->n_tags_added += points->added;
        d->diff->n_tags_removed += points->removed;
    }
    for (size_t i = 0; i < part->n_old; i++)
        if (part->new_of[i] == WEIR_DIFF_NONE)
            d->diff->n_tags_removed += d->older->devices[i].n_tags;
    part_count(part);
}

static void sinks_match(struct differ *d)
{
    weir_diff_part *part = &d->diff->sinks;
    for (uint32_t i = 0; i < part->n_new; i++) /* at most 64 each */
        for (uint32_t k = 0; k < part->n_old; k++)
            if (strcmp(d->older->sinks[k].name, d->newer->sinks[i].name) == 0) {
                part_match(part, k, i);
                part->change[i] = weir_diff_sinks_equal(&d->older->sinks[k], &d->newer->sinks[i])
                                      ? WEIR_CHANGE_NONE
                                      : WEIR_CHANGE_READS;
            }
    part_count(part);
}

static void plans_match(struct differ *d)
{
    weir_diff_part *part = &d->diff->plans;
    for (uint32_t i = 0; i < part->n_new; i++) /* at most 63 each */
        for (uint32_t k = 0; k < part->n_old; k++)
            if (strcmp(d->older->plans[k].name, d->newer->plans[i].name) == 0) {
                part_match(part, k, i);
                part->change[i] = weir_diff_plans_equal(&d->older->plans[k], &d->newer->plans[i])
                                      ? WEIR_CHANGE_NONE
                                      : WEIR_CHANGE_READS;
            }
    part_count(part);
}

/* ---- hints ---- */

/* Behind the same connection with the same unit id. */
static uint32_t unit_of(const weir_device *device, uint32_t connection)
{
    return connection << 8 | device->unit_id;
}

static bool hints_find(struct differ *d)
{
    const weir_diff_part *part = &d->diff->devices;
    if (part->n_added == 0 || part->n_removed == 0)
        return true;
    const size_t most = part->n_added < part->n_removed ? part->n_added : part->n_removed;
    weir_diff_hint *hints = weir_arena_alloc(d->diff->arena, most, sizeof *hints);
    if (!hints)
        return false;
    size_t n = 0;
    for (uint32_t k = 0; k < part->n_old && n < most; k++) {
        if (part->new_of[k] != WEIR_DIFF_NONE)
            continue;
        const weir_device *old = &d->older->devices[k];
        const uint32_t connection = d->diff->connections.new_of[old->connection];
        for (uint32_t i = 0; i < part->n_new && connection != WEIR_DIFF_NONE; i++)
            if (part->old_of[i] == WEIR_DIFF_NONE &&
                unit_of(&d->newer->devices[i], d->newer->devices[i].connection) ==
                    unit_of(old, connection)) {
                hints[n++] = (weir_diff_hint){k, i};
                break;
            }
    }
    d->diff->hints = hints;
    d->diff->n_hints = n;
    return true;
}

/* ---- all ---- */

static bool diff_fill(weir_diff *diff)
{
    static const weir_catalog nothing = {0};
    struct differ d = {
        .diff = diff, .older = diff->older ? diff->older : &nothing, .newer = diff->newer};
    if (!part_init(diff, &diff->connections, d.older->n_connections, d.newer->n_connections) ||
        !part_init(diff, &diff->devices, d.older->n_devices, d.newer->n_devices) ||
        !part_init(diff, &diff->plans, d.older->n_plans, d.newer->n_plans) ||
        !part_init(diff, &diff->sinks, d.older->n_sinks, d.newer->n_sinks) ||
        !connections_match(&d) || !devices_match(&d))
        return false;
    devices_compare(&d);
    plans_match(&d);
    sinks_match(&d);
    return hints_find(&d) && !d.failed;
}

weir_err weir_diff_new(const weir_catalog *older, const weir_catalog *newer, weir_diff **ret,
                       weir_error *error)
{
    weir_arena *arena = weir_arena_new();
    weir_diff *diff = arena ? weir_arena_alloc(arena, 1, sizeof *diff) : NULL;
    if (diff)
        *diff = (weir_diff){.arena = arena, .older = older, .newer = newer};
    if (!diff || !diff_fill(diff)) {
        weir_arena_free(arena);
        return weir_fail(error, WEIR_ENOMEM, "the diff of %zu devices", newer->n_devices);
    }
    *ret = diff;
    return WEIR_OK;
}

void weir_diff_free(weir_diff *diff)
{
    if (diff)
        weir_arena_free(diff->arena);
}
