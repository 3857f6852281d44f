/* SPDX-License-Identifier: MIT */
/* Plans: from what was written to what it means. */

/*
 * Each entry is read by its table; times and zones become what the engine needs; the patterns are
 * matched with the tags of all devices. At the end the points are looked through that have no
 * interval: some plan must read them, and every tag of a plan without a rhythm must have one.
 */

#include "catalog/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "catalog/times.h"

static weir_node key_or(weir_node mapping, const char *key)
{
    const weir_node at = weir_node_get(mapping, key);
    return at.id ? at : mapping;
}

/* The i-th item where one text counts as a list. */
static weir_node item_at(weir_node mapping, const char *key, size_t i)
{
    const weir_node list = weir_node_get(mapping, key);
    return weir_node_is(list, WEIR_NODE_LIST) ? weir_node_item(list, i) : list;
}

void weir_plans_unknown(weir_loader *l, weir_node at, const weir_catalog *catalog, const char *name)
{
    const char **names = weir_loader_scratch(l, catalog->n_plans + 1, sizeof *names);
    for (size_t i = 0; names && i < catalog->n_plans; i++)
        names[i] = catalog->plans[i].name;
    if (!names)
        return;
    names[catalog->n_plans] = WEIR_PLAN_DEFAULT_NAME;
    const char *meant = weir_loader_meant(l, name, names, catalog->n_plans + 1);
    weir_loader_problem(l, at, "there is no plan '%.100s'%s", name,
                        *meant ? meant : ": define it in `plans`, or name 'default'");
}

/* ---- when ---- */

static void plan_read_cron(weir_loader *l, weir_node node, weir_plan *plan)
{
    if (node.id)
        plan->has_cron = weir_times_cron(l, node, "cron", &plan->cron, &plan->cron_text);
}

/* As weir_wall_parse, and without seconds: "2026-11-21T08:00". */
static bool time_parse(const char *text, weir_wall *ret)
{
    enum { WITHOUT_SECONDS = 16 };
    char longer[WITHOUT_SECONDS + sizeof ":00Z"];
    const size_t n = strlen(text);
    if (weir_wall_parse(text, ret))
        return true;
    if (n < WITHOUT_SECONDS || n > WITHOUT_SECONDS + 1)
        return false;
    (void)snprintf(longer, sizeof longer, "%.*s:00%s", WITHOUT_SECONDS, text,
                   text + WITHOUT_SECONDS);
    return weir_wall_parse(longer, ret);
}

/* By the clock of the plan's zone, unless it says Z. */
static weir_wall plan_read_time(weir_loader *l, weir_node node, const char *key,
                                const weir_zone *zone, weir_wall otherwise)
{
    weir_wall t;
    const char *text = node.id ? weir_loader_scalar(l, node, key) : NULL;
    if (!text)
        return otherwise;
    if (!time_parse(text, &t)) {
        weir_loader_problem(l, node,
                            "%s must be a time such as 2026-11-21T08:00 or 2026-11-21, not "
                            "\"%.60s\"",
                            key, text);
        return otherwise;
    }
    return text[strlen(text) - 1] == 'Z' || !zone ? t : weir_zone_to_utc(zone, t.us);
}

static int64_t plan_read_interval(weir_loader *l, weir_node node, const char *key)
{
    const int64_t interval = weir_loader_interval(l, node);
    if (interval != WEIR_INTERVAL_ON_DEMAND)
        return interval;
    weir_loader_problem(l, node,
                        "%s of a plan must be a duration such as 5s: on_demand is for "
                        "points and devices",
                        key);
    return 0;
}

/* ---- which tags ---- */

static const char *tag_nearest(weir_loader *l, const char *name, const weir_device_list *devices)
{
    const weir_catalog catalog = {.n_devices = devices->n, .devices = devices->items};
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    const char *best = "";
    size_t best_distance = SIZE_MAX;
    for (uint32_t d = 0; d < devices->n && d < 200; d++) /* a hint is not worth more time */
        for (uint32_t p = 0; p < devices->items[d].n_points; p++) {
            const weir_tag tag = {.device = d, .point = p};
            weir_text_clear(&text);
            weir_tag_name(&catalog, &tag, &text);
            const char *const candidate = weir_text_get(&text);
            const size_t distance = weir_text_distance(name, candidate);
            if (distance >= best_distance || !weir_text_nearest(name, &candidate, 1))
                continue;
            best_distance = distance;
            best = weir_loader_text(l, candidate);
        }
    return best;
}

static void plan_read_tags(weir_loader *l, weir_node mapping, const weir_plan_in *in,
                           const weir_device_list *devices, weir_plan *plan)
{
    const bool devices_are_whole = l->problems->n == 0;
    bool *used = weir_loader_scratch(l, in->tags.n + 1, sizeof *used);
    plan->n_patterns = in->tags.n;
    if (in->tags.n)
        plan->patterns = weir_loader_keep(l, in->tags.items, in->tags.n * sizeof *in->tags.items);
    if (!used || (in->tags.n && !plan->patterns) ||
        weir_plan_find_members(plan, devices->items, devices->n, l->arena, used)) {
        l->failed = true;
        return;
    }
    for (size_t i = 0; i < in->tags.n; i++) {
        const char *text = in->tags.items[i];
        const weir_node at = item_at(mapping, "tags", i);
        const char *pattern = text + (*text == '!');
        if (!*pattern)
            weir_loader_problem(l, at,
                                "tags: a name or a pattern such as \"main-meter/*\" is "
                                "wanted");
        else if (used[i])
            continue;
        else if (weir_plan_is_pattern(pattern) && pattern != text)
            continue; /* one to leave out is for what may come */
        else if (weir_plan_is_pattern(pattern))
            weir_loader_warn(l, at,
                             "the pattern \"%.200s\" matches no tag: tags are named "
                             "device/point",
                             pattern);
        else if (devices_are_whole) {
            const char *near = tag_nearest(l, pattern, devices);
            weir_loader_problem(l, at, "there is no tag '%.200s'%s%s%s", pattern,
                                *near ? ": did you mean '" : ": tags are named device/point", near,
                                *near ? "'?" : "");
        }
    }
}

/* ---- one plan ---- */

static void plan_check_unique(weir_loader *l, weir_node mapping, const weir_catalog *catalog,
                              const weir_plan *plan)
{
    for (const weir_plan *other = catalog->plans; other < plan; other++) {
        if (!other->name || !plan->name || !other->where)
            continue;
        if (!strcmp(other->name, plan->name))
            weir_loader_problem(l, key_or(mapping, "name"),
                                "the plan name '%.100s' is already used at line %u: names are "
                                "unique",
                                plan->name, other->where->line);
        if (plan->id && other->id == plan->id)
            weir_loader_problem(l, key_or(mapping, "id"),
                                "the plan '%.100s' at line %u has this id already", other->name,
                                other->where->line);
    }
}

/* The key that a complaint begins with, or the plan. */
static weir_node complaint_place(weir_loader *l, weir_node mapping, const char *text)
{
    char *key = weir_arena_text_n(l->scratch, text, strcspn(text, ":"));
    if (!key)
        l->failed = true;
    return key ? key_or(mapping, key) : mapping;
}

static void plan_tell(weir_loader *l, weir_node mapping, const weir_plan *plan, const char *zone)
{
    const weir_layer layer = {.node = mapping};
    weir_effective_value *list = weir_effective_list(l->effective, l->top, "plans");
    weir_effective_value *value = weir_effective_add(l->effective, list, NULL, WEIR_NODE_MAPPING);
    weir_effective_fill(l->effective, value, weir_plan_table, &layer, 1, NULL);
    if (strcmp(plan->zone_name, zone) != 0)
        weir_effective_set(l->effective, value, "zone", plan->zone_name,
                           "TZ of an environment file");
}

static void plan_build(weir_loader *l, weir_node mapping, const weir_device_list *devices,
                       weir_catalog *catalog, weir_plan *plan)
{
    const size_t before = l->problems->n;
    weir_error error = WEIR_ERROR_INIT;
    weir_plan_in in = {0};
    weir_option_defaults(weir_plan_table, &in);
    weir_loader_read(l, mapping, weir_plan_table, &in);
    *plan = (weir_plan){
        .name = in.name,
        .description = in.description ? in.description : "",
        .id = (uint32_t)in.id,
        .enabled = in.enabled,
        .merge = (weir_plan_merge)in.merge,
        .policy = (weir_plan_policy)in.policy,
        .interval_us = plan_read_interval(l, in.interval, "interval"),
        .default_interval_us = plan_read_interval(l, in.default_interval, "default_interval"),
        .minimum_interval_us = in.minimum_interval,
        .lifetime_us = in.lifetime,
    };
    weir_where where = weir_node_where(mapping);
    where.file = weir_loader_text(l, where.file);
    plan->where = weir_loader_keep(l, &where, sizeof where);
    plan->zone = weir_times_zone(l, key_or(mapping, "zone"), in.zone, &plan->zone_name);
    plan_tell(l, mapping, plan, in.zone);
    plan_read_cron(l, in.cron, plan);
    plan->start = plan_read_time(l, in.start, "start", plan->zone, (weir_wall){INT64_MIN});
    plan->end = plan_read_time(l, in.end, "end", plan->zone, (weir_wall){INT64_MAX});
    plan_read_tags(l, mapping, &in, devices, plan);
    plan_check_unique(l, mapping, catalog, plan);
    if (weir_loader_require(l, mapping, weir_plan_table, "a plan", &in) &&
        l->problems->n == before && weir_plan_check(plan, &error))
        weir_loader_problem(l, complaint_place(l, mapping, error.text), "%s", error.text);
}

/* ---- all of them with the points ---- */

static bool plan_has_member(const weir_plan *plan, uint32_t device, uint32_t point)
{
    size_t first;
    const size_t n = weir_plan_members_of(plan, device, &first);
    for (size_t i = 0; i < n; i++)
        if (plan->members[first + i].point == point)
            return true;
    return false;
}

static bool point_is_planned(const weir_catalog *catalog, uint32_t device, uint32_t point)
{
    for (size_t i = 0; i < catalog->n_plans; i++)
        if (plan_has_member(&catalog->plans[i], device, point))
            return true;
    return false;
}

/* One entry of a file may be many devices: it is named once. */
static void check_points_are_read(weir_loader *l, const weir_device_list *devices,
                                  const weir_catalog *catalog)
{
    weir_where last = {0};
    for (uint32_t d = 0; d < devices->n; d++) {
        const weir_device *device = &devices->items[d];
        for (uint32_t p = 0; p < device->n_points; p++) {
            if (device->points[p].interval_us != 0 || point_is_planned(catalog, d, p) ||
                (device->where.line == last.line && device->where.column == last.column))
                continue;
            last = device->where;
            weir_problems_add(l->problems, WEIR_ECONFIG, device->where,
                              "point '%s' of '%s' has no interval, and no plan reads it: give it "
                              "or its device one, such as interval: 5s",
                              device->points[p].name, device->name);
        }
    }
}

/* A plan without a rhythm of its own needs one of every tag. */
static void plan_check_intervals(weir_loader *l, weir_node mapping, const weir_device_list *devices,
                                 const weir_plan *plan)
{
    if (plan->has_cron)
        return;
    for (size_t i = 0; i < plan->n_members; i++) {
        const weir_plan_member m = plan->members[i];
        const weir_device *device = &devices->items[m.device];
        if (weir_plan_interval(plan, device, m.point) > 0)
            continue;
        weir_loader_problem(l, mapping,
                            "plan '%s' has no interval, and its tag '%s/%s' none of its own: give "
                            "the plan interval, cron or default_interval",
                            plan->name, device->name, device->points[m.point].name);
        return;
    }
}

void weir_plans_build(weir_loader *l, weir_node list, const weir_device_list *devices,
                      weir_catalog *catalog)
{
    if (!list.id || !weir_loader_expect(l, list, WEIR_NODE_LIST, "plans"))
        return;
    const size_t n = weir_node_count(list), before = l->problems->n;
    if (n > WEIR_PLANS_MAX) {
        weir_loader_problem(l, list, "%zu plans: at most %d", n, WEIR_PLANS_MAX);
        return;
    }
    catalog->plans = weir_arena_alloc(l->arena, n + 1, sizeof *catalog->plans);
    if (!catalog->plans) {
        l->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (weir_loader_expect(l, weir_node_item(list, i), WEIR_NODE_MAPPING, "entry of plans"))
            plan_build(l, weir_node_item(list, i), devices, catalog, &catalog->plans[i]);
    catalog->n_plans = n;
    if (l->problems->n != before || l->failed)
        return;
    for (size_t i = 0; i < n; i++)
        plan_check_intervals(l, weir_node_item(list, i), devices, &catalog->plans[i]);
    check_points_are_read(l, devices, catalog);
}
