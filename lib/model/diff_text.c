/* SPDX-License-Identifier: MIT */
/* What is said of a diff. */

#include "model/diff_priv.h"

static bool part_is_empty(const weir_diff_part *part)
{
    return part->n_added == 0 && part->n_changed == 0 && part->n_removed == 0;
}

bool weir_diff_is_empty(const weir_diff *diff)
{
    const weir_catalog *a = diff->older, *b = diff->newer;
    return a && part_is_empty(&diff->connections) && part_is_empty(&diff->devices) &&
           part_is_empty(&diff->plans) && part_is_empty(&diff->sinks) &&
           weir_diff_stores_equal(&a->store, &b->store) && a->clock_rule == b->clock_rule &&
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
    weir_points_verdict points;
    if (!weir_diff_compare_points(&points, a, b))
        return;
    if (!weir_diff_texts_equal(a->name, b->name))
        weir_text_format(t, "was %s", a->name);
    if (a->enabled != b->enabled)
        say(t, true, b->enabled ? "enabled" : "disabled");
    say(t, !weir_diff_same_connection(diff, a, b), "connection");
    say(t, a->unit_id != b->unit_id, "unit_id");
    say_points(t, points.added, "added");
    say_points(t, points.changed, "changed");
    say_points(t, points.removed, "removed");
    say(t, !points.added && !points.removed && !weir_diff_rhythms_equal(a, b), "interval");
    say(t, !weir_diff_limits_equal(a, b), "limits of requests");
    say(t, !weir_diff_texts_equal(a->description, b->description), "description");
    say(t, !weir_diff_labels_equal(a, b), "labels");
    if (diff->devices.change[device] != WEIR_CHANGE_NONE)
        say(t, t->length == 0, "order of points");
}

static void describe_connection(const weir_diff *diff, uint32_t i, weir_text *t)
{
    const weir_connection *b = &diff->newer->connections[i];
    const weir_connection *a = &diff->older->connections[diff->connections.old_of[i]];
    if (!weir_diff_texts_equal(a->name, b->name))
        weir_text_format(t, "was %s", a->name);
    say(t, !weir_diff_endpoints_equal(a, b), "endpoint");
    say(t, !weir_diff_timing_equal(a, b), "timing");
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
        else if (part == &diff->connections && part->old_of[i] != WEIR_DIFF_NONE)
            describe_connection(diff, i, &detail);
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
    if (diff->older &&
        !weir_diff_texts_equal(diff->older->store.data_dir, diff->newer->store.data_dir))
        weir_text_add(t, "data_dir");
    if (diff->older && diff->older->clock_rule != diff->newer->clock_rule)
        weir_text_add(t, t->length ? ", clock.trust" : "clock.trust");
}
