/* SPDX-License-Identifier: MIT */
/* Devices: from what was written to what it means. */

/*
 * One entry: profile under device under the device's points, then one weir_device for each unit
 * id. The points are built once for the entry and interned, so that the devices of a template, and
 * entries that come to the same points, share them. A mistake stops only what depends on it.
 */

#include "catalog/device.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "catalog/point.h"
#include "catalog/profile.h"

/* One entry on its way to devices. */
struct entry {
    weir_loader *l;
    weir_node mapping;
    weir_device_in in;
    const weir_profile *profile;
    const weir_connection *connections;
    size_t n_connections;
    size_t n_ins;
    weir_point_in *ins;
    int64_t interval_us; /* when nothing gives one; 0: that is a mistake */
    weir_device device;  /* what all its devices share */
};

static weir_node entry_at(const struct entry *e, const char *key)
{
    const weir_node node = weir_node_get(e->mapping, key);
    return node.id ? node : e->mapping;
}

void weir_device_list_deinit(weir_device_list *devices)
{
    weir_free(devices->items);
    weir_map_deinit(&devices->names);
    *devices = (weir_device_list){0};
}

/* ---- only, multiply ---- */

static void say_no_match(weir_loader *l, weir_node at, const char *key, const char *pattern,
                         const weir_point_in *ins, size_t n)
{
    const char *nearest = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        const size_t distance = weir_text_distance(pattern, ins[i].name);
        if (distance < best) {
            best = distance;
            nearest = ins[i].name;
        }
    }
    if (nearest)
        weir_loader_problem(l, at, "%s: no point matches \"%.100s\": the nearest is '%s'", key,
                            pattern, nearest);
}

/* The item of `only` as a node, for its place; the list may also be one word. */
static weir_node only_at(const struct entry *e, size_t i)
{
    const weir_node node = weir_node_get(e->mapping, "only");
    return weir_node_is(node, WEIR_NODE_LIST) && i < weir_node_count(node) ? weir_node_item(node, i)
                                                                           : node;
}

/* The profile's points that `only` leaves, in scratch memory. */
static weir_point_in *entry_chosen(struct entry *e, size_t *ret_n)
{
    const weir_profile *profile = e->profile;
    const weir_option_strings *only = &e->in.only;
    const size_t n_all = profile ? profile->n_points : 0;
    *ret_n = 0;
    if (!only->n || !profile) {
        if (only->n && !weir_node_get(e->mapping, "profile").id)
            weir_loader_problem(e->l, entry_at(e, "only"),
                                "'only' chooses among a profile's "
                                "points: this device has no profile");
        *ret_n = n_all;
        return profile ? profile->points : NULL;
    }
    bool *chosen = weir_loader_scratch(e->l, n_all, sizeof *chosen);
    weir_point_in *points = weir_loader_scratch(e->l, n_all, sizeof *points);
    if (!chosen || !points)
        return NULL;
    for (size_t k = 0; k < only->n; k++) {
        bool matched = false;
        for (size_t i = 0; i < n_all; i++)
            if (weir_glob_match(only->items[k], profile->points[i].name))
                chosen[i] = matched = true;
        if (!matched)
            say_no_match(e->l, only_at(e, k), "only", only->items[k], profile->points, n_all);
    }
    *ret_n = 0;
    for (size_t i = 0; i < n_all; i++)
        if (chosen[i])
            points[(*ret_n)++] = profile->points[i];
    return points;
}

/* The factor for each of the entry's points, as exact text; NULL: none. */
struct factors {
    const char **texts;
    weir_node *at;
};

/* A factor may be for a point that `only` leaves out today. */
static bool profile_matches(const weir_profile *profile, const char *pattern)
{
    for (size_t i = 0; profile && i < profile->n_points; i++)
        if (weir_glob_match(pattern, profile->points[i].name))
            return true;
    return false;
}

static void factors_set(struct entry *e, struct factors *f, const char *pattern, weir_node value)
{
    double number;
    bool matched = false;
    const char *text = weir_loader_scalar(e->l, value, "multiply");
    if (text && !weir_parse_double(text, &number)) {
        weir_loader_problem(e->l, value, "multiply must be a number such as 40, not \"%.80s\"",
                            text);
        return;
    }
    for (size_t i = 0; text && i < e->n_ins; i++) {
        if (!weir_glob_match(pattern, e->ins[i].name))
            continue;
        matched = true;
        if (f->texts[i])
            weir_loader_problem(e->l, value,
                                "multiply: point '%s' matches two patterns: write "
                                "them so that they do not overlap",
                                e->ins[i].name);
        f->texts[i] = text;
        f->at[i] = value;
    }
    if (!text || matched || profile_matches(e->profile, pattern))
        return;
    if (e->profile)
        say_no_match(e->l, value, "multiply", pattern, e->profile->points, e->profile->n_points);
    else
        say_no_match(e->l, value, "multiply", pattern, e->ins, e->n_ins);
}

static struct factors entry_factors(struct entry *e)
{
    struct factors f = {weir_loader_scratch(e->l, e->n_ins, sizeof *f.texts),
                        weir_loader_scratch(e->l, e->n_ins, sizeof *f.at)};
    const weir_node map = e->in.multiply;
    if (f.texts && f.at && map.id && weir_loader_expect(e->l, map, WEIR_NODE_MAPPING, "multiply"))
        for (size_t i = 0; i < weir_node_count(map); i++)
            factors_set(e, &f, weir_node_text(weir_node_key(map, i)), weir_node_value(map, i));
    return f;
}

/* ---- limits of the device ---- */

static bool entry_order(struct entry *e, weir_order *ret)
{
    *ret = WEIR_ORDER_ABCD;
    if (!e->in.order.id)
        return true;
    const char *text = weir_loader_scalar(e->l, e->in.order, "order");
    if (text && !weir_order_parse(text, ret))
        weir_loader_problem(e->l, e->in.order,
                            "order must be AB, BA, ABCD, CDAB, BADC, DCBA or an "
                            "eight-letter form, not \"%.80s\"",
                            text);
    return text != NULL;
}

/* "holding 100-199", or "300-310" for all four tables, appended to room for four. */
static size_t forbidden_parse(weir_loader *l, weir_node node, weir_range *ret)
{
    static const weir_register tables[] = {WEIR_REGISTER_COIL, WEIR_REGISTER_DISCRETE,
                                           WEIR_REGISTER_HOLDING, WEIR_REGISTER_INPUT};
    static const weir_option row = {.name = "forbidden_ranges", .min = 0, .max = 65535};
    const char *text = weir_loader_scalar(l, node, row.name);
    weir_option_ranges ranges = {0};
    weir_register only = WEIR_REGISTER_FUNCTION;
    size_t n = 0;
    if (!text)
        return 0;
    const char *blank = strchr(text, ' ');
    if (blank) {
        const char *word = weir_arena_text_n(l->scratch, text, (size_t)(blank - text));
        if (!word) {
            l->failed = true;
            return 0;
        }
        if (!weir_register_parse(word, &only)) {
            weir_loader_problem(l, node,
                                "forbidden_ranges: \"%.40s\" is no table: write coil, "
                                "discrete, input or holding before the range",
                                word);
            return 0;
        }
        text = blank + 1;
    }
    if (!weir_loader_ranges(l, text, node, &row, &ranges))
        return 0;
    if (ranges.n > 1) {
        weir_loader_problem(l, node,
                            "forbidden_ranges: one range in each text: [\"holding "
                            "100-199\", \"input 5\"]");
        return 0;
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (!blank || tables[i] == only)
            ret[n++] = (weir_range){(uint32_t)ranges.items[0].first, (uint32_t)ranges.items[0].last,
                                    tables[i]};
    return n;
}

static void entry_forbidden(struct entry *e)
{
    const weir_node node = e->in.forbidden_ranges;
    const bool list = weir_node_is(node, WEIR_NODE_LIST);
    const size_t n_texts = !node.id ? 0 : list ? weir_node_count(node) : 1;
    weir_range *ranges = weir_loader_scratch(e->l, 4 * n_texts, sizeof *ranges);
    size_t n = 0;
    if (!n_texts || !ranges)
        return;
    for (size_t i = 0; i < n_texts; i++)
        n += forbidden_parse(e->l, list ? weir_node_item(node, i) : node, ranges + n);
    e->device.forbidden = weir_loader_keep(e->l, ranges, n * sizeof *ranges);
    e->device.n_forbidden = e->device.forbidden ? n : 0;
}

static void entry_limits(struct entry *e)
{
    const weir_device_in *in = &e->in;
    weir_device *d = &e->device;
    d->description = in->description;
    d->profile = in->profile ? in->profile : "";
    d->where = weir_node_where(e->mapping);
    d->where.file = weir_loader_text(e->l, d->where.file);
    d->enabled = in->enabled;
    d->one_point_per_request = in->one_point_per_request;
    d->max_registers_per_request = (uint16_t)in->max_registers_per_request;
    d->max_bits_per_request = (uint16_t)in->max_bits_per_request;
    d->max_hole_registers = (uint16_t)in->max_hole_registers;
    d->max_hole_bits = (uint16_t)in->max_hole_bits;
    d->demote_after_failures = (uint16_t)in->demote_after_failures;
    d->demote_period_us = in->demote_period;
    d->minimum_interval_us = in->minimum_interval;
    d->labels = weir_loader_labels(e->l, &in->labels, &d->n_labels);
    entry_forbidden(e);
}

/* ---- points and intervals ---- */

static int interval_compare(const void *x, const void *y)
{
    int64_t a, b;
    memcpy(&a, x, sizeof a);
    memcpy(&b, y, sizeof b);
    return a < b ? -1 : a > b;
}

/* Distinct, ascending. Returns how many; 0 also when there are more than fit, and said so. */
static size_t intervals_collect(struct entry *e, const weir_point *points, size_t n, int64_t *all)
{
    size_t n_all = 0, kept = 0;
    for (size_t i = 0; i < n; i++)
        if (points[i].interval_us > 0)
            all[n_all++] = points[i].interval_us;
    qsort(all, n_all, sizeof *all, interval_compare);
    for (size_t i = 0; i < n_all; i++)
        if (!kept || all[kept - 1] != all[i])
            all[kept++] = all[i];
    if (kept > WEIR_INTERVALS_MAX) {
        weir_loader_problem(e->l, e->mapping,
                            "the points of this device have %zu different "
                            "intervals: at most %d",
                            kept, WEIR_INTERVALS_MAX);
        return 0;
    }
    return kept;
}

static void entry_keep_intervals(struct entry *e, const weir_point *points, size_t n)
{
    int64_t *all = weir_loader_scratch(e->l, n, sizeof *all);
    uint8_t *of_point = weir_loader_scratch(e->l, n, sizeof *of_point);
    if (!all || !of_point)
        return;
    const size_t n_intervals = intervals_collect(e, points, n, all);
    for (size_t i = 0; i < n; i++) {
        of_point[i] = 0xff;
        for (size_t k = 0; k < n_intervals; k++)
            if (points[i].interval_us == all[k])
                of_point[i] = (uint8_t)k;
    }
    e->device.n_intervals = (uint32_t)n_intervals;
    e->device.intervals = weir_loader_keep(e->l, all, n_intervals * sizeof *all);
    e->device.point_interval = weir_loader_keep(e->l, of_point, n * sizeof *of_point);
}

/* Every point its own interval or the device's; those with none are named in one message, unless
 * there are plans, which may read them. */
static void entry_set_intervals(struct entry *e, weir_point *points, size_t n)
{
    const size_t before = e->l->problems->n;
    const int64_t interval = weir_loader_interval(e->l, e->in.interval);
    const char *first = NULL;
    size_t n_without = 0;
    if (e->l->problems->n != before)
        return;
    for (size_t i = 0; i < n; i++) {
        if (points[i].interval_us == 0)
            points[i].interval_us = interval ? interval : e->interval_us;
        if (points[i].interval_us == 0 && n_without++ == 0)
            first = points[i].name;
    }
    if (e->l->has_plans)
        return;
    if (n_without == 1)
        weir_loader_problem(e->l, e->mapping,
                            "point '%s' has no interval: give it or its device "
                            "one, such as interval: 5s",
                            first);
    else if (n_without)
        weir_loader_problem(e->l, e->mapping,
                            "point '%s' and %zu more have no interval: give them "
                            "or their device one, such as interval: 5s",
                            first, n_without - 1);
}

/* A device's max_unchanged_interval that serves none of its points was meant otherwise. */
static void entry_check_max_unchanged(struct entry *e, const weir_point *points, size_t n)
{
    const weir_node node = weir_node_get(e->mapping, "max_unchanged_interval");
    for (size_t i = 0; i < n; i++)
        if (points[i].deadband.kind != WEIR_KIND_NULL)
            return;
    if (node.id && n == e->n_ins && !weir_node_get(e->mapping, "deadband").id)
        weir_loader_problem(e->l, node,
                            "max_unchanged_interval is for points with a deadband, and there is "
                            "none: give one (0: stored when it changes)");
}

static void entry_keep_points(struct entry *e, weir_point *points, size_t n)
{
    uint32_t *tag = weir_loader_scratch(e->l, n, sizeof *tag);
    uint32_t n_tags = 0;
    for (size_t i = 0; tag && i < n; i++) {
        tag[i] = n_tags;
        n_tags += points[i].count;
    }
    e->device.n_points = (uint32_t)n;
    e->device.n_tags = n_tags;
    /* Entries that come to the same points share them, wherever they were written. */
    const weir_intern_gap line = {offsetof(weir_point, line), sizeof points->line};
    e->device.points = weir_intern_items(&e->l->texts, points, n, sizeof *points, line);
    e->device.point_tag = tag ? weir_loader_keep(e->l, tag, n * sizeof *tag) : NULL;
    if (!e->device.points || !e->device.point_tag)
        e->l->failed = true;
}

/* False when there is nothing to build: no points, or a profile that is missing or wrong. Without
 * the profile, what the device says of its points cannot be judged, only their keys. */
static bool entry_merge(struct entry *e, bool *ret_good)
{
    size_t n_base;
    const bool profile_failed = weir_node_get(e->mapping, "profile").id && !e->profile;
    const weir_point_in *base = entry_chosen(e, &n_base);
    *ret_good = weir_points_merge(e->l, e->in.points, base, n_base, &e->ins, &e->n_ins);
    if (!e->n_ins && !profile_failed)
        weir_loader_problem(e->l, e->mapping,
                            "device '%s' has no points: name a profile or list points",
                            e->in.name ? e->in.name : "?");
    return e->n_ins > 0 && !profile_failed && !e->l->failed;
}

static void entry_points(struct entry *e, bool placeless)
{
    weir_loader *l = e->l;
    weir_point_rules rules = {
        .registers_max = (unsigned)e->in.max_registers_per_request,
        .bits_max = (unsigned)e->in.max_bits_per_request,
        .placeless = placeless,
        .deadband = weir_deadband_read(l, e->in.deadband, e->in.max_unchanged_interval)};
    bool good = true;
    const bool ordered = entry_order(e, &rules.order);
    if (!entry_merge(e, &good))
        return;
    const struct factors factors = entry_factors(e);
    weir_point *points = weir_loader_scratch(l, e->n_ins, sizeof *points);
    const weir_point_in **ins = weir_loader_scratch(l, e->n_ins, sizeof *ins);
    if (!points || !ins || !factors.texts || !factors.at)
        return;
    size_t n = 0;
    for (size_t i = 0; i < e->n_ins; i++) {
        rules.multiply = factors.texts[i];
        rules.multiply_at = factors.at[i];
        ins[n] = &e->ins[i];
        n += weir_point_build(l, &e->ins[i], &rules, &points[n]);
    }
    entry_set_intervals(e, points, n);
    entry_check_max_unchanged(e, points, n);
    if (!weir_points_check_overlap(l, points, ins, n) || !good || !ordered || n != e->n_ins)
        return;
    entry_keep_intervals(e, points, n);
    entry_keep_points(e, points, n);
}

/* ---- connection, unit ids, names ---- */

static bool entry_connection(struct entry *e)
{
    const char **names = weir_loader_scratch(e->l, e->n_connections, sizeof *names);
    for (size_t i = 0; names && i < e->n_connections; i++) {
        names[i] = e->connections[i].name;
        if (!strcmp(names[i], e->in.connection)) {
            e->device.connection = (uint32_t)i;
            return true;
        }
    }
    if (names)
        weir_loader_problem(e->l, entry_at(e, "connection"), "there is no connection '%.100s'%s",
                            e->in.connection,
                            weir_loader_meant(e->l, e->in.connection, names, e->n_connections));
    return false;
}

/* "{unit_id}", "{unit_id:02}" and "{connection}"; anything else in braces is a mistake. */
static bool name_expand(struct entry *e, const char *key, const char *name, unsigned unit_id,
                        weir_text *t, bool *ret_has_unit)
{
    const char *connection = e->connections[e->device.connection].name;
    for (const char *p = name; *p; p++) {
        unsigned width = 0;
        int n = 0;
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (*p != '{') {
            weir_text_add_char(t, *p);
            continue;
        }
        const char *colon = end ? memchr(p, ':', (size_t)(end - p)) : NULL;
        const char *key_end = colon ? colon : end;
        if (colon)
            for (const char *digit = colon + 1; digit < end; digit++, n++)
                width = *digit >= '0' && *digit <= '9' && n < 2
                            ? width * 10 + (unsigned)(*digit - '0')
                            : 100;
        const bool is_unit = end && key_end - p == 8 && !strncmp(p, "{unit_id", 8);
        const bool is_connection = end && !colon && end - p == 11 && !strncmp(p, "{connection", 11);
        if ((!is_unit && !is_connection) || (colon && (n == 0 || width > 20))) {
            weir_loader_problem(e->l, entry_at(e, key),
                                "\"%.60s\": in braces there may be "
                                "{unit_id}, {unit_id:02} or {connection}",
                                p);
            return false;
        }
        if (is_unit) {
            weir_text_format(t, "%0*u", (int)width, unit_id);
            *ret_has_unit = true;
        } else {
            weir_text_add(t, connection);
        }
        p = end;
    }
    if (t->failed)
        e->l->failed = true;
    return !t->failed;
}

static bool list_add(weir_loader *l, weir_device_list *devices, const weir_device *device)
{
    weir_device *items =
        weir_array_room(devices->items, devices->n, &devices->capacity, sizeof *items);
    if (!items) {
        l->failed = true;
        return false;
    }
    devices->items = items;
    devices->items[devices->n++] = *device;
    return true;
}

/* One row may be several devices. */
static const char *entry_key(struct entry *e, unsigned unit_id)
{
    const weir_option_ranges *ids = &e->in.unit_id;
    const char *key = weir_loader_key(e->l, e->device.where);
    if (!*key || !ids->n || (ids->n == 1 && ids->items[0].first == ids->items[0].last))
        return key;
    const char *own = weir_arena_format(e->l->scratch, "%s, unit %u", key, unit_id);
    return weir_loader_text(e->l, own ? own : "");
}

static void entry_add_device(struct entry *e, const char *name, const char *was, unsigned unit_id,
                             weir_device_list *devices)
{
    enum { TAGS_MAX = 10 * 1000 * 1000 };
    weir_loader *l = e->l;
    const weir_node at = entry_at(e, "name");
    if (!weir_loader_check_name(l, at, "a device", name, "/"))
        return;
    weir_device device = e->device;
    device.name = weir_loader_text(l, name);
    device.was = weir_loader_text(l, was);
    device.key = entry_key(e, unit_id);
    device.unit_id = (uint8_t)unit_id;
    device.first_tag = devices->n_tags;
    const size_t old = (size_t)(uintptr_t)weir_map_get(&devices->names, device.name);
    if (old) {
        weir_loader_problem(l, at, "the device name '%s' is already used at %s: names are unique",
                            name,
                            weir_loader_place(l, device.where, devices->items[old - 1].where));
    } else if (devices->n_tags + (uint64_t)device.n_tags > TAGS_MAX) {
        weir_loader_problem(l, e->mapping, "more than %d tags", TAGS_MAX);
    } else if (list_add(l, devices, &device)) {
        devices->n_tags += device.n_tags;
        if (weir_map_set(&devices->names, device.name, (void *)(uintptr_t)devices->n, NULL))
            l->failed = true;
    }
}

/* False when its name cannot be expanded: once is enough to say it. */
static bool entry_add_unit(struct entry *e, unsigned unit_id, bool several,
                           weir_device_list *devices)
{
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO was = WEIR_TEXT_INIT;
    bool has_unit = false, was_has_unit = false;
    if (!name_expand(e, "name", e->in.name, unit_id, &name, &has_unit) ||
        !name_expand(e, "was", e->in.was, unit_id, &was, &was_has_unit))
        return false;
    if (several && !has_unit) {
        weir_loader_problem(e->l, entry_at(e, "name"),
                            "several unit ids need {unit_id} in the "
                            "name, such as \"%.100s-{unit_id:02}\"",
                            e->in.name);
        return false;
    }
    if (several && *e->in.was && !was_has_unit) {
        weir_loader_problem(e->l, entry_at(e, "was"),
                            "several unit ids need {unit_id} in the former name too, such as "
                            "\"%.100s-{unit_id:02}\"",
                            e->in.was);
        return false;
    }
    entry_add_device(e, weir_text_get(&name), weir_text_get(&was), unit_id, devices);
    return true;
}

static const char *entry_unit_key(const struct entry *e)
{
    static const char *const keys[] = {"unit_id", "slave_id", "slave"};
    for (size_t i = 1; i < 3; i++)
        if (weir_node_get(e->mapping, keys[i]).id)
            return keys[i];
    return keys[0];
}

static void entry_units(struct entry *e, weir_device_list *devices)
{
    const weir_option_ranges *ids = &e->in.unit_id;
    const weir_scheme scheme = e->connections[e->device.connection].uri.scheme;
    const char *key = entry_unit_key(e);
    if (!ids->n) {
        if (weir_node_get(e->mapping, key).id)
            return; /* wrong, and said so */
        if (weir_scheme_is_modbus(scheme))
            weir_loader_problem(e->l, e->mapping,
                                "device '%s' needs 'unit_id': its Modbus "
                                "address, 0 to 255",
                                e->in.name);
        else
            (void)entry_add_unit(e, 1, false, devices);
        return;
    }
    const bool several = ids->n > 1 || ids->items[0].first != ids->items[0].last;
    if (scheme == WEIR_SCHEME_RTU_TCP && ids->items[0].first == 0)
        weir_loader_problem(e->l, entry_at(e, key),
                            "unit id 0 is broadcast with rtu+tcp://: no "
                            "device answers it");
    for (size_t i = 0; i < ids->n; i++)
        for (int64_t id = ids->items[i].first; id <= ids->items[i].last; id++)
            if (!entry_add_unit(e, (unsigned)id, several, devices))
                return;
}

/* ---- what it came to ---- */

/* Of a profile a device takes the limits; name and words are its own. */
static bool profile_gives(const char *key)
{
    static const char *const own[] = {"name", "description", "points", "connection"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strcmp(key, own[i]))
            return false;
    return weir_option_find(weir_profile_table, key) != NULL;
}

/* What its points have from the device. */
static bool device_gives(const char *key)
{
    return !strcmp(key, "interval") || !strcmp(key, "order");
}

enum { DEVICE_LAYERS_MAX = WEIR_LAYERS_MAX + 1 };

/* The entry and its profiles, the one that wins first. */
static size_t entry_layers(const struct entry *e, weir_layer layers[DEVICE_LAYERS_MAX])
{
    size_t n = 0;
    layers[n++] = (weir_layer){.node = e->mapping};
    for (const weir_profile *p = e->profile; p && n < DEVICE_LAYERS_MAX; p = p->parent)
        layers[n++] = (weir_layer){
            .node = weir_document_root(p->document), .source = "profile ", .takes = profile_gives};
    return n;
}

static void point_tell(const struct entry *e, const weir_point_in *in, weir_effective_value *list)
{
    static const char *const whole[] = {"simulate", NULL};
    weir_effective *effective = e->l->effective;
    weir_layer layers[WEIR_LAYERS_MAX + DEVICE_LAYERS_MAX + 1];
    size_t n = 0;
    for (unsigned i = in->n_layers; i > 0; i--)
        layers[n++] = (weir_layer){
            .node = in->layers[i - 1],
            .source = in->layers[i - 1].document == e->mapping.document ? NULL : "profile "};
    const size_t n_own = n;
    n += entry_layers(e, layers + n);
    layers[n++] = (weir_layer){.defaults = weir_device_table};
    for (size_t i = n_own; i < n; i++)
        layers[i].takes = device_gives;
    weir_effective_fill(effective, weir_effective_add(effective, list, NULL, WEIR_NODE_MAPPING),
                        weir_point_table, layers, n, whole);
}

static void entry_tell(const struct entry *e)
{
    weir_effective *effective = e->l->effective;
    weir_layer layers[DEVICE_LAYERS_MAX];
    if (!effective)
        return;
    weir_effective_value *value = weir_effective_add(
        effective, weir_effective_list(effective, e->l->top, "devices"), NULL, WEIR_NODE_MAPPING);
    weir_effective_fill(effective, value, weir_device_table, layers, entry_layers(e, layers), NULL);
    weir_effective_value *points = weir_effective_list(effective, value, "points");
    for (size_t i = 0; points && i < e->n_ins; i++)
        point_tell(e, &e->ins[i], points);
}

/* ---- the entry ---- */

static void entry_read(struct entry *e)
{
    weir_loader *l = e->l;
    const weir_node profile = weir_node_get(e->mapping, "profile");
    weir_option_defaults(weir_device_table, &e->in);
    if (weir_node_is(profile, WEIR_NODE_SCALAR) && !weir_node_empty(profile))
        e->profile = weir_profile_get(l, weir_node_text(profile), profile);
    if (e->profile) {
        e->in = e->profile->device;
        e->in.name = e->in.connection = e->in.profile = NULL;
        e->in.description = "";
        e->in.was = "";
        e->in.points = (weir_node){0};
    }
    weir_loader_read(l, e->mapping, weir_device_table, &e->in);
}

static void entry_build(struct entry *e, weir_device_list *devices)
{
    entry_read(e);
    const bool named = weir_loader_require(e->l, e->mapping, weir_device_table, "a device", &e->in);
    const bool connected = e->in.connection && *e->in.connection && entry_connection(e);
    entry_limits(e);
    entry_points(e, connected &&
                        weir_scheme_is_placeless(e->connections[e->device.connection].uri.scheme));
    entry_tell(e);
    if (named && connected)
        entry_units(e, devices);
}

void weir_device_build(weir_loader *l, weir_node mapping, const weir_connection *connections,
                       size_t n_connections, weir_device_list *devices)
{
    weir_arena *outer = l->scratch;
    if (!weir_loader_expect(l, mapping, WEIR_NODE_MAPPING, "entry of devices"))
        return;
    WEIR_CLEANUP(weir_arena_free) weir_arena *scratch = weir_arena_new();
    if (!scratch) {
        l->failed = true;
        return;
    }
    struct entry e = {
        .l = l, .mapping = mapping, .connections = connections, .n_connections = n_connections};
    l->scratch = scratch;
    entry_build(&e, devices);
    l->scratch = outer;
}

void weir_device_of_profile(weir_loader *l, const weir_profile *profile, weir_device_list *devices)
{
    static const weir_connection simulated = {.name = "simulated",
                                              .uri = {.scheme = WEIR_SCHEME_SIMULATED}};
    struct entry e = {.l = l,
                      .profile = profile,
                      .in = profile->device,
                      .mapping = weir_document_root(profile->document),
                      .connections = &simulated,
                      .n_connections = 1};
    e.in.points = (weir_node){0};
    e.in.profile = profile->name;
    e.interval_us = WEIR_S;
    entry_limits(&e);
    entry_points(&e, false);
    entry_add_device(&e, profile->device.name, "", 1, devices);
}
