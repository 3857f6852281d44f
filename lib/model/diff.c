/* SPDX-License-Identifier: MIT */
/* The diff of two catalogs: what became of each connection, device and sink. */

/*
 * Things are matched by name through hash maps; points of a device mostly lie at the same place in
 * both catalogs and are looked for only where they do not. Devices of one template share their
 * points, so that what was found out about one pair of point lists serves all of them.
 */

#include "model/diff.h"

#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "model/option.h"
#include "model/sink.h"

/* How two lists of points differ. */
struct points_verdict {
    const weir_point *older, *newer; /* whose verdict it is; NULL: none yet */
    uint32_t n_older, n_newer;
    weir_change change;
    uint32_t added, removed, changed; /* points */
};

struct differ {
    weir_diff *diff;
    const weir_catalog *older, *newer;
    struct points_verdict points; /* of the last pair */
    bool failed;                  /* memory was short */
};

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static bool texts_equal(const char *a, const char *b)
{
    return a == b || strcmp(text_of(a), text_of(b)) == 0;
}

/* ---- points ---- */

static bool enums_equal(const weir_point *a, const weir_point *b)
{
    if (a->n_enum != b->n_enum)
        return false;
    for (size_t i = 0; i < a->n_enum; i++)
        if (a->enum_items[i].raw != b->enum_items[i].raw ||
            strcmp(a->enum_items[i].text, b->enum_items[i].text) != 0)
            return false;
    return true;
}

/* Two doubles of the configuration: the same text, the same bits. */
static bool numbers_equal(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool waves_equal(const weir_simulate *a, const weir_simulate *b)
{
    return a->wave == b->wave && numbers_equal(a->min, b->min) && numbers_equal(a->max, b->max) &&
           a->period_us == b->period_us && a->resolution_mantissa == b->resolution_mantissa &&
           a->resolution_exponent == b->resolution_exponent;
}

/* Where it is on the wire. */
static bool places_equal(const weir_point *a, const weir_point *b)
{
    return a->table == b->table && a->function == b->function && a->address == b->address &&
           a->type == b->type && a->order == b->order && a->length == b->length &&
           a->bit == b->bit && a->bit_width == b->bit_width && a->count == b->count &&
           a->group == b->group && a->access == b->access && a->allow_overlap == b->allow_overlap;
}

/* What its bytes mean. */
static bool meanings_equal(const weir_point *a, const weir_point *b)
{
    return a->scaling == b->scaling && a->exponent == b->exponent && a->sign == b->sign &&
           a->decimal_offset == b->decimal_offset && numbers_equal(a->scale, b->scale) &&
           numbers_equal(a->offset, b->offset) && a->n_na == b->n_na &&
           (a->n_na == 0 || memcmp(a->na, b->na, a->n_na * sizeof *a->na) == 0) &&
           a->has_min == b->has_min && a->has_max == b->has_max && numbers_equal(a->min, b->min) &&
           numbers_equal(a->max, b->max) && enums_equal(a, b);
}

static weir_change point_compare(const weir_point *a, const weir_point *b)
{
    if (!places_equal(a, b) || !meanings_equal(a, b) || !waves_equal(&a->simulate, &b->simulate))
        return WEIR_CHANGE_READS;
    const bool same = texts_equal(a->name, b->name) && texts_equal(a->unit, b->unit) &&
                      texts_equal(a->description, b->description) && a->counter == b->counter &&
                      a->max_unchanged_us == b->max_unchanged_us &&
                      weir_value_identical(&a->deadband, &b->deadband);
    return same ? WEIR_CHANGE_NONE : WEIR_CHANGE_AROUND;
}

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
        if (!p->taken[i] && texts_equal(p->older[i].name, name))
            return i;
    }
    return p->n_older;
}

static void pair_match_by_key(struct points_pair *p, uint32_t fresh)
{
    const char *key = text_of(p->newer[fresh].key);
    for (uint32_t i = 0; *key && i < p->n_older; i++)
        if (!p->taken[i] && texts_equal(p->older[i].key, key)) {
            pair_match(p, i, fresh);
            return;
        }
}

/* Not when it was applied before: the name is there with the same `was`. */
static void pair_match_by_was(struct points_pair *p, uint32_t fresh)
{
    const char *was = text_of(p->newer[fresh].was);
    if (!*was || p->old_of[fresh] != WEIR_DIFF_NONE)
        return;
    const uint32_t namesake = pair_find(p, p->newer[fresh].name, fresh);
    const uint32_t old = pair_find(p, was, fresh);
    if (old < p->n_older && !(namesake < p->n_older && texts_equal(p->older[namesake].was, was)))
        pair_match(p, old, fresh);
}

/* What has another key is another one, although the name is the same. */
static void pair_match_by_name(struct points_pair *p, uint32_t fresh)
{
    const weir_point *newer = &p->newer[fresh];
    if (p->old_of[fresh] != WEIR_DIFF_NONE)
        return;
    const uint32_t old = pair_find(p, newer->name, fresh);
    if (old < p->n_older && (!*text_of(p->older[old].key) || !*text_of(newer->key) ||
                             texts_equal(p->older[old].key, newer->key)))
        pair_match(p, old, fresh);
}

/* False: no memory. */
static bool points_match(const weir_device *older, const weir_device *newer, uint32_t *old_of)
{
    WEIR_CLEANUP(weir_free) void *taken = weir_alloc_zero(older->n_points + 1, sizeof(bool));
    struct points_pair p = {older->points,   newer->points, older->n_points,
                            newer->n_points, old_of,        taken};
    if (!taken)
        return false;
    for (uint32_t i = 0; i < p.n_newer; i++)
        old_of[i] = WEIR_DIFF_NONE;
    for (uint32_t i = 0; i < p.n_newer; i++)
        pair_match_by_key(&p, i);
    for (uint32_t i = 0; i < p.n_newer; i++)
        pair_match_by_was(&p, i);
    for (uint32_t i = 0; i < p.n_newer; i++)
        pair_match_by_name(&p, i);
    return true;
}

bool weir_diff_points(const weir_diff *diff, uint32_t device, uint32_t *ret_old_of)
{
    const uint32_t old = diff->devices.old_of[device];
    return points_match(&diff->older->devices[old], &diff->newer->devices[device], ret_old_of);
}

static bool points_compare(struct points_verdict *v, const weir_device *older,
                           const weir_device *newer)
{
    uint32_t found = 0;
    WEIR_CLEANUP(weir_free) void *owner = weir_alloc_zero(newer->n_points + 1, sizeof(uint32_t));
    uint32_t *old_of = owner;
    *v = (struct points_verdict){.older = older->points,
                                 .newer = newer->points,
                                 .n_older = older->n_points,
                                 .n_newer = newer->n_points};
    if (!old_of || !points_match(older, newer, old_of))
        return false;
    for (uint32_t i = 0; i < v->n_newer; i++) {
        if (old_of[i] == WEIR_DIFF_NONE) {
            v->added++;
            continue;
        }
        weir_change change = point_compare(&v->older[old_of[i]], &v->newer[i]);
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

static const struct points_verdict *points_verdict_of(struct differ *d, const weir_device *older,
                                                      const weir_device *newer)
{
    struct points_verdict *v = &d->points;
    if (v->older == older->points && v->newer == newer->points && v->n_older == older->n_points &&
        v->n_newer == newer->n_points && v->older)
        return v;
    d->failed |= !points_compare(v, older, newer);
    return v;
}

/* ---- devices ---- */

static bool rhythms_equal(const weir_device *a, const weir_device *b)
{
    return a->n_intervals == b->n_intervals && a->n_points == b->n_points &&
           (a->n_intervals == 0 ||
            memcmp(a->intervals, b->intervals, a->n_intervals * sizeof *a->intervals) == 0) &&
           (a->n_points == 0 || memcmp(a->point_interval, b->point_interval,
                                       a->n_points * sizeof *a->point_interval) == 0);
}

static bool forbidden_equal(const weir_device *a, const weir_device *b)
{
    if (a->n_forbidden != b->n_forbidden)
        return false;
    for (size_t i = 0; i < a->n_forbidden; i++)
        if (a->forbidden[i].first != b->forbidden[i].first ||
            a->forbidden[i].last != b->forbidden[i].last ||
            a->forbidden[i].table != b->forbidden[i].table)
            return false;
    return true;
}

static bool limits_equal(const weir_device *a, const weir_device *b)
{
    return a->one_point_per_request == b->one_point_per_request &&
           a->max_registers_per_request == b->max_registers_per_request &&
           a->max_bits_per_request == b->max_bits_per_request &&
           a->max_hole_registers == b->max_hole_registers && a->max_hole_bits == b->max_hole_bits &&
           a->demote_after_failures == b->demote_after_failures &&
           a->demote_period_us == b->demote_period_us &&
           a->minimum_interval_us == b->minimum_interval_us && forbidden_equal(a, b);
}

static bool labels_equal(const weir_device *a, const weir_device *b)
{
    if (a->n_labels != b->n_labels)
        return false;
    for (size_t i = 0; i < a->n_labels; i++)
        if (strcmp(a->labels[i].key, b->labels[i].key) != 0 ||
            strcmp(a->labels[i].value, b->labels[i].value) != 0)
            return false;
    return true;
}

static bool is_same_connection(const weir_diff *diff, const weir_device *older,
                               const weir_device *newer)
{
    return diff->connections.old_of[newer->connection] == older->connection;
}

static weir_change device_compare(struct differ *d, const weir_device *a, const weir_device *b)
{
    const struct points_verdict *points = points_verdict_of(d, a, b);
    if (!is_same_connection(d->diff, a, b) || a->unit_id != b->unit_id ||
        a->enabled != b->enabled || !rhythms_equal(a, b) || !limits_equal(a, b))
        return WEIR_CHANGE_READS;
    const bool same = texts_equal(a->name, b->name) &&
                      texts_equal(a->description, b->description) && labels_equal(a, b);
    return !same && points->change == WEIR_CHANGE_NONE ? WEIR_CHANGE_AROUND : points->change;
}

/* ---- connections ---- */

static bool uris_equal(const weir_connection *a, const weir_connection *b)
{
    return a->uri.scheme == b->uri.scheme && a->uri.port == b->uri.port &&
           texts_equal(a->uri.host, b->uri.host) && texts_equal(a->uri_text, b->uri_text);
}

static bool connections_equal(const weir_connection *a, const weir_connection *b)
{
    return uris_equal(a, b) && a->enabled == b->enabled &&
           a->close_after_poll == b->close_after_poll && a->tid_check == b->tid_check &&
           a->max_in_flight == b->max_in_flight && a->retries == b->retries &&
           a->busy_retries == b->busy_retries && a->timeout_us == b->timeout_us &&
           a->busy_retries_wait_us == b->busy_retries_wait_us &&
           a->pause_after_connect_us == b->pause_after_connect_us &&
           a->pause_between_requests_us == b->pause_between_requests_us &&
           a->pause_on_unit_switch_us == b->pause_on_unit_switch_us &&
           a->pause_after_write_us == b->pause_after_write_us &&
           a->reconnect_max_us == b->reconnect_max_us &&
           a->minimum_interval_us == b->minimum_interval_us;
}

static weir_change connection_compare(const weir_connection *a, const weir_connection *b)
{
    if (!connections_equal(a, b))
        return WEIR_CHANGE_READS;
    return texts_equal(a->name, b->name) ? WEIR_CHANGE_NONE : WEIR_CHANGE_AROUND;
}

/* ---- sinks ---- */

static bool strings_equal(const weir_option_strings *a, const weir_option_strings *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static bool maps_equal(const weir_option_map *a, const weir_option_map *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i].key, b->items[i].key) != 0 ||
            strcmp(a->items[i].value, b->items[i].value) != 0)
            return false;
    return true;
}

static bool ranges_equal(const weir_option_ranges *a, const weir_option_ranges *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->items[i].first != b->items[i].first || a->items[i].last != b->items[i].last)
            return false;
    return true;
}

static size_t scalar_size(weir_option_type type)
{
    switch (type) {
    case WEIR_OPTION_BOOL:
        return sizeof(bool);
    case WEIR_OPTION_ENUM:
        return sizeof(int);
    case WEIR_OPTION_INT:
    case WEIR_OPTION_NUMBER:
    case WEIR_OPTION_DURATION:
    case WEIR_OPTION_SIZE:
        return 8;
    case WEIR_OPTION_STRING:
    case WEIR_OPTION_STRINGS:
    case WEIR_OPTION_RANGES:
    case WEIR_OPTION_MAP:
    case WEIR_OPTION_TABLE:
    case WEIR_OPTION_LIST:
    case WEIR_OPTION_CUSTOM:
        break;
    }
    return 0;
}

static bool option_equal(const weir_option *row, const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    switch (row->type) {
    case WEIR_OPTION_STRING:
        return texts_equal(*x, *y);
    case WEIR_OPTION_STRINGS:
        return strings_equal(a, b);
    case WEIR_OPTION_MAP:
        return maps_equal(a, b);
    case WEIR_OPTION_RANGES:
        return ranges_equal(a, b);
    case WEIR_OPTION_BOOL:
    case WEIR_OPTION_INT:
    case WEIR_OPTION_NUMBER:
    case WEIR_OPTION_DURATION:
    case WEIR_OPTION_SIZE:
    case WEIR_OPTION_ENUM:
        return memcmp(a, b, scalar_size(row->type)) == 0;
    case WEIR_OPTION_TABLE: /* no sink has such (catalog/sink.c) */
    case WEIR_OPTION_LIST:
    case WEIR_OPTION_CUSTOM:
        break;
    }
    return true;
}

static bool options_equal(const weir_sink_config *a, const weir_sink_config *b)
{
    const char *x = a->options, *y = b->options;
    if (!x || !y)
        return x == y;
    for (const weir_option *row = a->type->options; row->name; row++) {
        if (!option_equal(row, x + row->offset, y + row->offset))
            return false;
        if (row->set_offset && x[row->set_offset] != y[row->set_offset])
            return false;
    }
    return true;
}

static bool sinks_equal(const weir_sink_config *a, const weir_sink_config *b)
{
    if (a->type != b->type || a->enabled != b->enabled || a->n_tags != b->n_tags ||
        a->n_labels != b->n_labels || a->n_plans != b->n_plans || a->quality != b->quality ||
        a->batch != b->batch || a->backlog_rate != b->backlog_rate)
        return false;
    for (size_t i = 0; i < a->n_tags; i++)
        if (strcmp(a->tags[i], b->tags[i]) != 0)
            return false;
    for (size_t i = 0; i < a->n_plans; i++) /* their bits are the store's, and follow */
        if (strcmp(a->plan_names[i], b->plan_names[i]) != 0)
            return false;
    for (size_t i = 0; i < a->n_labels; i++)
        if (strcmp(a->labels[i].key, b->labels[i].key) != 0 ||
            strcmp(a->labels[i].value, b->labels[i].value) != 0)
            return false;
    return options_equal(a, b);
}

/* ---- plans ---- */

static bool patterns_equal(const weir_plan *a, const weir_plan *b)
{
    if (a->n_patterns != b->n_patterns)
        return false;
    for (size_t i = 0; i < a->n_patterns; i++)
        if (strcmp(a->patterns[i], b->patterns[i]) != 0)
            return false;
    return true;
}

/* As written: which tags the patterns match may be another matter. */
static bool plans_equal(const weir_plan *a, const weir_plan *b)
{
    return a->id == b->id && a->enabled == b->enabled && a->merge == b->merge &&
           a->policy == b->policy && a->interval_us == b->interval_us &&
           a->default_interval_us == b->default_interval_us &&
           a->minimum_interval_us == b->minimum_interval_us && a->has_cron == b->has_cron &&
           texts_equal(a->cron_text, b->cron_text) && texts_equal(a->zone_name, b->zone_name) &&
           a->lifetime_us == b->lifetime_us && a->start.us == b->start.us &&
           a->end.us == b->end.us && texts_equal(a->description, b->description) &&
           patterns_equal(a, b);
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
                connections_equal(&d->older->connections[k], &d->newer->connections[i]))
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
        const char *key = text_of(d->newer->devices[i].key);
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
        const char *was = text_of(device->was);
        if (!*was || part->old_of[i] != WEIR_DIFF_NONE)
            continue;
        const uint32_t old = map_index(names, was), namesake = map_index(names, device->name);
        const bool applied =
            namesake != WEIR_DIFF_NONE && texts_equal(d->older->devices[namesake].was, was);
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
        const char *key = text_of(d->older->devices[old].key);
        if (!*key || !*text_of(device->key) || texts_equal(key, device->key))
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
               (!*text_of(device->key) || map_put(&keys, device->key, i));
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
        const struct points_verdict *points = points_verdict_of(d, older, newer);
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
                part->change[i] = sinks_equal(&d->older->sinks[k], &d->newer->sinks[i])
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
                part->change[i] = plans_equal(&d->older->plans[k], &d->newer->plans[i])
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

/* ---- what is said of it ---- */

static bool part_is_empty(const weir_diff_part *part)
{
    return part->n_added == 0 && part->n_changed == 0 && part->n_removed == 0;
}

static bool retention_equal(const weir_store_config *a, const weir_store_config *b)
{
    if (a->n_retention != b->n_retention)
        return false;
    for (size_t i = 0; i < a->n_retention; i++) {
        const weir_retention *x = &a->retention[i], *y = &b->retention[i];
        if (x->keep_us != y->keep_us || x->max_bytes != y->max_bytes || x->n_tags != y->n_tags)
            return false;
        for (size_t k = 0; k < x->n_tags; k++)
            if (strcmp(x->tags[k], y->tags[k]) != 0)
                return false;
    }
    return true;
}

static bool stores_equal(const weir_store_config *a, const weir_store_config *b)
{
    return texts_equal(a->data_dir, b->data_dir) && a->max_loss_us == b->max_loss_us &&
           a->max_bytes == b->max_bytes && a->max_percent == b->max_percent &&
           a->min_free == b->min_free && a->min_free_given == b->min_free_given &&
           a->when_full == b->when_full && a->detached_after_us == b->detached_after_us &&
           a->wal_max == b->wal_max && retention_equal(a, b);
}

bool weir_diff_is_empty(const weir_diff *diff)
{
    const weir_catalog *a = diff->older, *b = diff->newer;
    return a && part_is_empty(&diff->connections) && part_is_empty(&diff->devices) &&
           part_is_empty(&diff->plans) && part_is_empty(&diff->sinks) &&
           stores_equal(&a->store, &b->store) && a->clock_rule == b->clock_rule &&
           a->reload_interval_us == b->reload_interval_us && a->log_level == b->log_level &&
           a->log_format == b->log_format;
}

void weir_diff_count(const weir_diff *diff, weir_text *t)
{
    const weir_diff_part *parts[] = {&diff->connections, &diff->devices, &diff->plans,
                                     &diff->sinks};
    size_t n_added = 0, n_changed = 0, n_removed = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        n_added += parts[i]->n_added;
        n_changed += parts[i]->n_changed;
        n_removed += parts[i]->n_removed;
    }
    weir_text_format(t, "%zu added, %zu changed, %zu removed", n_added, n_changed, n_removed);
}

static void say(weir_text *t, bool differs, const char *what)
{
    if (differs)
        weir_text_format(t, "%s%s", t->length ? ", " : "", what);
}

static void say_points(weir_text *t, uint32_t n, const char *what)
{
    if (n)
        weir_text_format(t, "%s%u point%s %s", t->length ? ", " : "", n, n == 1 ? "" : "s", what);
}

void weir_diff_describe_device(const weir_diff *diff, uint32_t device, weir_text *t)
{
    const uint32_t old = diff->devices.old_of[device];
    if (old == WEIR_DIFF_NONE)
        return;
    const weir_device *a = &diff->older->devices[old], *b = &diff->newer->devices[device];
    struct points_verdict points;
    if (!points_compare(&points, a, b))
        return;
    if (!texts_equal(a->name, b->name))
        weir_text_format(t, "was %s", a->name);
    if (a->enabled != b->enabled)
        say(t, true, b->enabled ? "enabled" : "disabled");
    say(t, !is_same_connection(diff, a, b), "connection");
    say(t, a->unit_id != b->unit_id, "unit_id");
    say_points(t, points.added, "added");
    say_points(t, points.changed, "changed");
    say_points(t, points.removed, "removed");
    say(t, !points.added && !points.removed && !rhythms_equal(a, b), "interval");
    say(t, !limits_equal(a, b), "limits of requests");
    say(t, !texts_equal(a->description, b->description), "description");
    say(t, !labels_equal(a, b), "labels");
    if (diff->devices.change[device] != WEIR_CHANGE_NONE)
        say(t, t->length == 0, "order of points");
}

static const char *connection_name(const weir_catalog *c, uint32_t i)
{
    return c->connections[i].name;
}

static const char *device_name(const weir_catalog *c, uint32_t i)
{
    return c->devices[i].name;
}

static const char *plan_name(const weir_catalog *c, uint32_t i)
{
    return c->plans[i].name;
}

static const char *sink_name(const weir_catalog *c, uint32_t i)
{
    return c->sinks[i].name;
}

/* The new ones and those that differ, and then those that are gone. */
static void part_each(const weir_diff *diff, const weir_diff_part *part, const char *kind,
                      const char *(*name)(const weir_catalog *c, uint32_t i),
                      weir_diff_visitor visit, void *data)
{
    WEIR_TEXT_AUTO detail = WEIR_TEXT_INIT;
    for (uint32_t i = 0; i < part->n_new; i++) {
        if (part->change[i] == WEIR_CHANGE_NONE)
            continue;
        weir_text_clear(&detail);
        if (part == &diff->devices)
            weir_diff_describe_device(diff, i, &detail);
        else if (part->old_of[i] != WEIR_DIFF_NONE &&
                 strcmp(name(diff->newer, i), name(diff->older, part->old_of[i])) != 0)
            weir_text_format(&detail, "was %s", name(diff->older, part->old_of[i]));
        const weir_diff_item item = {kind, name(diff->newer, i),
                                     part->change[i] == WEIR_CHANGE_ADDED ? "added" : "changed",
                                     weir_text_get(&detail)};
        visit(data, &item);
    }
    for (uint32_t i = 0; i < part->n_old; i++)
        if (part->new_of[i] == WEIR_DIFF_NONE)
            visit(data, &(weir_diff_item){kind, name(diff->older, i), "removed", ""});
}

void weir_diff_each(const weir_diff *diff, weir_diff_visitor visit, void *data)
{
    part_each(diff, &diff->connections, "connection", connection_name, visit, data);
    part_each(diff, &diff->devices, "device", device_name, visit, data);
    part_each(diff, &diff->plans, "plan", plan_name, visit, data);
    part_each(diff, &diff->sinks, "sink", sink_name, visit, data);
}

/* What is told one by one; an event's text is not for more. */
enum { TOLD_MAX = 20 };

struct telling {
    weir_text *text;
    size_t n;
};

static void tell(void *data, const weir_diff_item *item)
{
    struct telling *t = data;
    if (t->n++ >= TOLD_MAX)
        return;
    weir_text_format(t->text, "%s %s %s %s", t->n == 1 ? ":" : ";", item->kind, item->name,
                     item->change);
    if (*item->detail)
        weir_text_format(t->text, " (%s)", item->detail);
}

void weir_diff_describe(const weir_diff *diff, weir_text *t)
{
    struct telling telling = {t, 0};
    weir_diff_count(diff, t);
    weir_diff_each(diff, tell, &telling);
    if (telling.n > TOLD_MAX)
        weir_text_format(t, "; and %zu more", telling.n - TOLD_MAX);
}

void weir_diff_describe_hint(const weir_diff *diff, const weir_diff_hint *hint, weir_text *t)
{
    const char *old = diff->older->devices[hint->old_device].name;
    const char *fresh = diff->newer->devices[hint->new_device].name;
    weir_text_format(t,
                     "%s gone, %s new with the same unit: rename? Then 'was: %s' at %s keeps the "
                     "history together",
                     old, fresh, old, fresh);
}

void weir_diff_describe_restart(const weir_diff *diff, weir_text *t)
{
    if (diff->older && !texts_equal(diff->older->store.data_dir, diff->newer->store.data_dir))
        weir_text_add(t, "data_dir");
    if (diff->older && diff->older->clock_rule != diff->newer->clock_rule)
        weir_text_add(t, t->length ? ", clock.trust" : "clock.trust");
}
