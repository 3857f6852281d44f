/* SPDX-License-Identifier: MIT */
/* Sinks: from what was written to what it means. */

/*
 * A sink has keys of its own kind, so it is read by two tables at once: the catalog's rows and,
 * behind them, the rows of its type, which is looked up first. What the type's rows fill is then
 * copied into the catalog's arena, and the type is asked whether it makes sense. A type that is not
 * known is told once; its keys are then nobody's.
 */

#include "catalog/sink.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "catalog/plan.h"
#include "model/sink.h"

enum {
    SINKS_MAX = 64, /* each has a thread and a connection to the store */
    NAME_MAX = 128, /* bytes: part of file names, which have 255 */
    ALIGNMENT = 16, /* of any type's options */
    RATE_MAX = 1000 * 1000 * 1000,
};

/* ---- both tables as one ---- */

struct sink_read {
    const weir_sink_type *type; /* NULL: not known */
    weir_sink_in *in;
    void *options; /* of the type */
};

static size_t options_at(void)
{
    return (sizeof(weir_sink_in) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t table_size(const weir_option *table)
{
    size_t n = 0;
    while (table[n].name)
        n++;
    return n;
}

/* The catalog's rows, then the type's, which fill what lies options_at() behind. */
static const weir_option *table_join(weir_loader *l, const weir_sink_type *type)
{
    const size_t n = table_size(weir_sink_table), n_type = table_size(type->options);
    weir_option *rows = weir_loader_scratch(l, n + n_type + 1, sizeof *rows);
    if (!rows)
        return NULL;
    memcpy(rows, weir_sink_table, n * sizeof *rows);
    memcpy(rows + n, type->options, n_type * sizeof *rows);
    for (size_t i = n; i < n + n_type; i++) {
        assert(rows[i].type <= WEIR_OPTION_MAP); /* nobody could read the others */
        rows[i].offset += options_at();
        rows[i].set_offset += rows[i].set_offset ? options_at() : 0;
    }
    return rows;
}

static bool sink_read(weir_loader *l, weir_node mapping, struct sink_read *s)
{
    const size_t size = s->type ? s->type->options_size : 0;
    char *base = weir_loader_scratch(l, 1, options_at() + size + 1);
    const weir_option *table = s->type ? table_join(l, s->type) : weir_sink_table;
    if (!base || !table)
        return false;
    s->in = (weir_sink_in *)(void *)base;
    s->options = base + options_at();
    weir_option_defaults(weir_sink_table, s->in);
    if (s->type) {
        weir_option_defaults(s->type->options, s->options);
        weir_loader_read(l, mapping, table, base);
    } else {
        weir_loader_read_some(l, mapping, table, base);
    }
    return true;
}

static void sink_tell(weir_loader *l, weir_node mapping, const struct sink_read *s)
{
    const weir_layer layer = {.node = mapping};
    weir_effective_value *value = weir_effective_add(
        l->effective, weir_effective_list(l->effective, l->top, "sinks"), NULL, WEIR_NODE_MAPPING);
    weir_effective_fill(l->effective, value, weir_sink_table, &layer, 1, NULL);
    if (s->type)
        weir_effective_fill(l->effective, value, s->type->options, &layer, 1, NULL);
}

static const weir_sink_type *sink_find_type(weir_loader *l, weir_node mapping)
{
    const weir_node at = weir_node_get(mapping, "type");
    const weir_sink_type *type = NULL;
    weir_error error = WEIR_ERROR_INIT;
    if (!weir_node_is(at, WEIR_NODE_SCALAR) || weir_node_empty(at) || !*weir_node_text(at))
        return NULL; /* said when the keys are read */
    for (const weir_sink_type *const *own = l->options->own_sinks; own && *own; own++)
        if (!strcmp((*own)->name, weir_node_text(at)))
            return *own;
    const weir_err err = l->options->sink_type(weir_node_text(at), &type, &error);
    if (err == WEIR_OK)
        return type;
    weir_problems_add(l->problems, err == WEIR_EUNSUPPORTED ? err : WEIR_ECONFIG,
                      weir_node_where(at), "%s", error.text);
    return NULL;
}

/* ---- the options of the type, for the life of the catalog ---- */

static void list_keep(weir_loader *l, void *field, size_t item_size)
{
    struct list {
        size_t n;
        const void *items;
    } list;
    memcpy(&list, field, sizeof list); /* all of weir_option_strings, _ranges and _map look so */
    if (list.n == 0)
        return;
    list.items = weir_loader_keep(l, list.items, list.n * item_size);
    memcpy(field, &list, sizeof list);
}

static const void *options_keep(weir_loader *l, const weir_sink_type *type, void *options)
{
    for (const weir_option *row = type->options; row->name; row++) {
        char *field = (char *)options + row->offset;
        if (row->type == WEIR_OPTION_STRINGS)
            list_keep(l, field, sizeof(const char *));
        else if (row->type == WEIR_OPTION_RANGES)
            list_keep(l, field, sizeof(struct weir_option_range));
        else if (row->type == WEIR_OPTION_MAP)
            list_keep(l, field, sizeof(struct weir_option_pair));
    }
    /* Not interned: a secret in it is nobody else's. */
    void *kept = weir_arena_alloc(l->arena, 1, type->options_size + 1);
    if (kept)
        memcpy(kept, options, type->options_size);
    else
        l->failed = true;
    return kept;
}

/* The key that a type's complaint begins with, or the sink. */
static weir_node complaint_place(weir_loader *l, weir_node mapping, const char *text)
{
    const char *word =
        weir_arena_text_n(l->scratch, text, strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_"));
    if (!word) {
        l->failed = true;
        return mapping;
    }
    const weir_node at = weir_node_get(mapping, word);
    return at.id ? at : mapping;
}

static void options_check(weir_loader *l, weir_node mapping, const struct sink_read *s)
{
    weir_error error = WEIR_ERROR_INIT;
    if (!s->type->check || s->type->check(s->options, &error) == WEIR_OK)
        return;
    weir_loader_problem(l, complaint_place(l, mapping, error.text), "%s", error.text);
}

/* ---- its name ---- */

static void name_check(weir_loader *l, weir_node at, const char *name)
{
    const size_t n = strlen(name);
    const char *wrong = NULL;
    if (n > NAME_MAX)
        wrong = "is too long: at most 128 bytes";
    for (const char *p = name; *p && !wrong; p++)
        if (*p == '/' || *p == '\\')
            wrong = "has a slash in it";
        else if ((unsigned char)*p < 0x20 || *p == 0x7f)
            wrong = "has a control character in it";
    if (!wrong && (name[0] == '.' || name[0] == '-'))
        wrong = "begins with a dot or a hyphen";
    if (!wrong && n && (name[0] == ' ' || name[n - 1] == ' '))
        wrong = "has a blank at its end";
    if (wrong)
        weir_loader_problem(l, at,
                            "the name of the sink %s: it is a word of commands and part of the "
                            "names of files",
                            wrong);
}

/* names: -> the number of the node in the one document */
static void name_check_unique(weir_loader *l, weir_node mapping, weir_map *names, const char *name)
{
    void *old = NULL;
    if (weir_map_set(names, name, (void *)(uintptr_t)mapping.id, &old))
        l->failed = true;
    const weir_node first = {mapping.document, (unsigned)(uintptr_t)old};
    if (old)
        weir_loader_problem(l, weir_node_get(mapping, "name"),
                            "the sink name '%s' is already used at %s: names are unique", name,
                            weir_loader_place(l, weir_node_where(mapping), weir_node_where(first)));
}

/* ---- its filters ---- */

/* The i-th item where one text counts as a list. */
static weir_node item_at(weir_node mapping, const char *key, size_t i)
{
    const weir_node list = weir_node_get(mapping, key);
    return weir_node_is(list, WEIR_NODE_LIST) ? weir_node_item(list, i) : list;
}

static void list_check_filled(weir_loader *l, weir_node mapping, const char *key)
{
    const weir_node list = weir_node_get(mapping, key);
    if (weir_node_is(list, WEIR_NODE_LIST) && weir_node_count(list) == 0)
        weir_loader_problem(l, list, "%s is an empty list: leave it out for all", key);
}

static bool pattern_matches_any(const char *pattern, const weir_device_list *devices)
{
    const weir_catalog catalog = {.n_devices = devices->n, .devices = devices->items};
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    for (uint32_t d = 0; d < devices->n; d++)
        for (uint32_t p = 0; p < devices->items[d].n_points; p++)
            for (uint32_t e = 0; e < devices->items[d].points[p].count; e++) {
                const weir_tag tag = {.device = d, .point = p, .element = e};
                weir_text_clear(&name);
                weir_tag_name(&catalog, &tag, &name);
                if (name.failed || weir_glob_match(pattern, weir_text_get(&name)))
                    return true;
            }
    return false;
}

static void tags_check(weir_loader *l, weir_node mapping, const weir_option_strings *tags,
                       const weir_device_list *devices)
{
    list_check_filled(l, mapping, "tags");
    for (size_t i = 0; i < tags->n; i++) {
        const char *pattern = tags->items[i] + (tags->items[i][0] == '!');
        const weir_node at = item_at(mapping, "tags", i);
        if (!*pattern)
            weir_loader_problem(l, at, "tags: a pattern such as \"main-meter/*\" is wanted");
        else if (l->options->warnings && !pattern_matches_any(pattern, devices))
            weir_loader_warn(l, at,
                             "the pattern \"%.200s\" matches no tag: tags are named "
                             "device/point",
                             pattern);
    }
}

static bool label_matches(const struct weir_option_pair *wanted, const weir_label *labels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(labels[i].key, wanted->key) && weir_glob_match(wanted->value, labels[i].value))
            return true;
    return false;
}

static bool label_matches_any(const struct weir_option_pair *wanted,
                              const weir_device_list *devices)
{
    for (size_t d = 0; d < devices->n; d++) {
        const weir_device *device = &devices->items[d];
        if (label_matches(wanted, device->labels, device->n_labels))
            return true;
        for (uint32_t i = 0; i < device->n_points; i++)
            if (label_matches(wanted, device->points[i].labels, device->points[i].n_labels))
                return true;
    }
    return false;
}

static void labels_check(weir_loader *l, weir_node mapping, const weir_option_map *labels,
                         const weir_device_list *devices)
{
    const weir_node at = weir_node_get(mapping, "labels");
    for (size_t i = 0; i < labels->n; i++)
        if (devices->n && !label_matches_any(&labels->items[i], devices))
            weir_loader_warn(l, weir_node_get(at, labels->items[i].key),
                             "no device and no point has the label %.100s: %.100s",
                             labels->items[i].key, labels->items[i].value);
}

static void plans_check(weir_loader *l, weir_node mapping, const weir_option_strings *plans,
                        const weir_catalog *catalog)
{
    list_check_filled(l, mapping, "plans");
    for (size_t i = 0; i < plans->n; i++)
        if (strcmp(plans->items[i], WEIR_PLAN_DEFAULT_NAME) != 0 &&
            !weir_catalog_find_plan(catalog, plans->items[i]))
            weir_plans_unknown(l, item_at(mapping, "plans", i), catalog, plans->items[i]);
}

static uint64_t rate_read(weir_loader *l, weir_node node)
{
    const char *text = node.id ? weir_loader_scalar(l, node, "backlog_rate") : NULL;
    const size_t n = text ? strlen(text) : 0;
    int64_t rate = 0;
    if (!text || !strcmp(text, "none"))
        return 0;
    const char *number =
        n > 2 && !strcmp(text + n - 2, "/s") ? weir_arena_text_n(l->scratch, text, n - 2) : "";
    if (!number)
        l->failed = true;
    else if (!weir_parse_i64(number, &rate) || rate < 1 || rate > RATE_MAX)
        weir_loader_problem(l, node,
                            "backlog_rate must be samples a second such as 20000/s, or none, not "
                            "\"%.80s\"",
                            text);
    return (uint64_t)rate;
}

/* ---- one sink ---- */

static const weir_label *labels_keep(weir_loader *l, const weir_option_map *labels)
{
    weir_label *kept = weir_arena_alloc(l->arena, labels->n, sizeof *kept);
    if (!kept)
        l->failed = true;
    for (size_t i = 0; kept && i < labels->n; i++)
        kept[i] = (weir_label){labels->items[i].key, labels->items[i].value};
    return kept;
}

static bool sink_require(weir_loader *l, weir_node mapping, const struct sink_read *s)
{
    char what[100] = "a sink";
    bool good = weir_loader_require(l, mapping, weir_sink_table, what, s->in);
    if (!s->type)
        return false;
    (void)snprintf(what, sizeof what, "a sink of type %.60s", s->type->name);
    return weir_loader_require(l, mapping, s->type->options, what, s->options) && good;
}

static void sink_build(weir_loader *l, weir_node mapping, const weir_device_list *devices,
                       const weir_catalog *catalog, weir_map *names, weir_sink_config *ret)
{
    const size_t n_before = l->problems->n;
    struct sink_read s = {.type = sink_find_type(l, mapping)};
    if (!sink_read(l, mapping, &s))
        return;
    sink_tell(l, mapping, &s);
    const weir_sink_in *in = s.in;
    const bool complete = sink_require(l, mapping, &s);
    if (in->name && *in->name) {
        name_check(l, weir_node_get(mapping, "name"), in->name);
        name_check_unique(l, mapping, names, in->name);
    }
    tags_check(l, mapping, &in->tags, devices);
    labels_check(l, mapping, &in->labels, devices);
    plans_check(l, mapping, &in->plans, catalog);
    *ret = (weir_sink_config){
        .memory = ret->memory,
        .name = in->name,
        .where = weir_node_where(mapping),
        .type = s.type,
        .enabled = in->enabled,
        .n_tags = in->tags.n,
        .tags = in->tags.items,
        .n_labels = in->labels.n,
        .labels = labels_keep(l, &in->labels),
        .n_plans = in->plans.n,
        .quality = (weir_sink_quality)in->quality,
        .batch = (uint32_t)in->batch,
        .backlog_rate = rate_read(l, in->backlog_rate),
    };
    ret->where.file = weir_loader_text(l, ret->where.file);
    if (in->tags.n)
        ret->tags = weir_loader_keep(l, in->tags.items, in->tags.n * sizeof *in->tags.items);
    if (in->plans.n)
        ret->plan_names =
            weir_loader_keep(l, in->plans.items, in->plans.n * sizeof *in->plans.items);
    if (!complete || l->problems->n != n_before)
        return;
    ret->options = options_keep(l, s.type, s.options);
    options_check(l, mapping, &s);
}

/* All that is kept of the sink goes into memory of its own. */
static void sink_build_apart(weir_loader *l, weir_node mapping, const weir_device_list *devices,
                             const weir_catalog *catalog, weir_map *names, weir_sink_config *ret)
{
    weir_arena *arena = weir_arena_new(), *outer = l->arena;
    const weir_intern outer_texts = l->texts;
    ret->memory = arena ? weir_arena_alloc(arena, 1, sizeof *ret->memory) : NULL;
    if (!ret->memory) {
        weir_arena_free(arena);
        l->failed = true;
        return;
    }
    ret->memory->arena = arena;
    l->arena = arena;
    l->texts = (weir_intern){.arena = arena};
    sink_build(l, mapping, devices, catalog, names, ret);
    weir_intern_deinit(&l->texts);
    l->texts = outer_texts;
    l->arena = outer;
}

void weir_sinks_build(weir_loader *l, weir_node list, const weir_device_list *devices,
                      weir_catalog *catalog)
{
    weir_map names = WEIR_MAP_INIT;
    if (!l->options || !l->options->sink_type || !list.id ||
        !weir_loader_expect(l, list, WEIR_NODE_LIST, "sinks"))
        return;
    const size_t n = weir_node_count(list);
    if (n > SINKS_MAX) {
        weir_loader_problem(l, list, "%zu sinks: at most %d", n, SINKS_MAX);
        return;
    }
    weir_sink_config *sinks = weir_arena_alloc(l->arena, n, sizeof *sinks);
    if (!sinks)
        l->failed = true;
    for (size_t i = 0; sinks && i < n; i++)
        if (weir_loader_expect(l, weir_node_item(list, i), WEIR_NODE_MAPPING, "entry of sinks"))
            sink_build_apart(l, weir_node_item(list, i), devices, catalog, &names, &sinks[i]);
    weir_map_deinit(&names);
    catalog->sinks = sinks;
    catalog->n_sinks = sinks ? n : 0;
}
