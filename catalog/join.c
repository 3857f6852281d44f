/* SPDX-License-Identifier: MIT */
/* Several documents as one: what includes and databases say stands beside what the file says. */

#include "catalog/join.h"

#include <string.h>

#include "base/map.h"
#include "catalog/document_priv.h"

/* ---- new nodes among old ones ---- */

static const weir_document_node *node_at(const weir_document *d, uint32_t id)
{
    return &d->nodes[id];
}

/* A collection that was written where `like` was. 0: memory is short. */
static uint32_t collection_add(weir_document *d, uint32_t like, weir_node_kind kind,
                               const uint32_t *children, size_t n)
{
    const weir_document_part part = *weir_document_part_of(d, like);
    uint32_t *kept = weir_arena_alloc(d->arena, n, sizeof *kept);
    if (!kept || !weir_document_begin_part(d, &part))
        return 0;
    if (n)
        memcpy(kept, children, n * sizeof *kept);
    const weir_document_node node = {
        .as.children = kept,
        .n = (uint32_t)(kind == WEIR_NODE_MAPPING ? n / 2 : n),
        .line = node_at(d, like)->line,
        .column = node_at(d, like)->column,
        .kind = kind & 15u,
    };
    return weir_document_add(d, &node);
}

/* ---- adopting ---- */

static bool nodes_append(weir_document *into, const weir_document *from)
{
    const uint32_t shift = (uint32_t)into->n_nodes - 1; /* without "none" */
    size_t capacity = into->n_nodes + from->n_nodes;
    weir_document_node *nodes = weir_realloc_array(into->nodes, capacity, sizeof *nodes);
    if (!nodes)
        return false;
    into->nodes = nodes;
    into->capacity = capacity;
    for (size_t i = 1; i < from->n_nodes; i++) {
        weir_document_node *node = &nodes[i + shift];
        *node = from->nodes[i];
        if (node->kind != WEIR_NODE_LIST && node->kind != WEIR_NODE_MAPPING)
            continue;
        const size_t n = node->kind == WEIR_NODE_MAPPING ? 2 * (size_t)node->n : node->n;
        uint32_t *children = weir_arena_alloc(into->arena, n, sizeof *children);
        if (!children)
            return false;
        for (size_t k = 0; k < n; k++)
            children[k] = node->as.children[k] + shift;
        node->as.children = children;
    }
    return true;
}

static bool parts_append(weir_document *into, const weir_document *from)
{
    for (size_t i = 0; i < from->n_parts; i++) {
        const weir_document_part *part = &from->parts[i];
        /* A part of no nodes would stand in front of one that begins at the same node. */
        const uint32_t end = i + 1 < from->n_parts ? from->parts[i + 1].first : UINT32_MAX;
        const uint32_t first = part->first ? part->first : 1;
        if (first >= end)
            continue;
        const size_t n_before = into->n_parts;
        if (!weir_document_begin_part(into, part))
            return false;
        if (into->n_parts > n_before)
            into->parts[n_before].first = first + (uint32_t)into->n_nodes - 1;
    }
    return true;
}

static bool adopted_add(weir_document *into, weir_document *from)
{
    weir_document **adopted =
        weir_array_room(into->adopted, into->n_adopted, &into->adopted_capacity, sizeof *adopted);
    if (!adopted)
        return false;
    into->adopted = adopted;
    adopted[into->n_adopted++] = from;
    return true;
}

weir_node weir_document_adopt(weir_document *into, weir_document *from, weir_problems *problems)
{
    const size_t n = from->n_nodes - 1;
    const uint32_t root = from->root ? from->root + (uint32_t)into->n_nodes - 1 : 0;
    if (n + into->n_nodes > WEIR_DOCUMENT_NODES_MAX) {
        weir_problems_add(problems, WEIR_ELIMIT, (weir_where){from->name, 0, 0},
                          "too much: with what came before this is more than %d values",
                          WEIR_DOCUMENT_NODES_MAX);
        weir_document_free(from);
        return (weir_node){0};
    }
    if (!parts_append(into, from) || !nodes_append(into, from) || !adopted_add(into, from)) {
        problems->failed = true;
        weir_document_free(from);
        return (weir_node){0};
    }
    into->n_nodes += n;
    weir_free(from->nodes);
    from->nodes = NULL;
    return (weir_node){into, root};
}

/* ---- joining ---- */

struct joined {
    uint32_t key;
    uint32_t *values; /* that all roots gave it */
    size_t n, capacity;
};

struct join {
    weir_document *document;
    const weir_option *table;
    weir_problems *problems;
    struct joined *keys;
    size_t n, capacity;
    weir_map numbers; /* key -> its index + 1 */
    bool failed;
};

static const char *text_of(const struct join *j, uint32_t id)
{
    return weir_node_text((weir_node){j->document, id});
}

static void say_twice(struct join *j, uint32_t key, uint32_t first, uint32_t second)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    const weir_where where = weir_node_where((weir_node){j->document, first});
    weir_where_format(&where, &text);
    weir_problems_add(j->problems, WEIR_ECONFIG, weir_node_where((weir_node){j->document, second}),
                      "'%.100s' is given twice, first at %s: keep one", text_of(j, key),
                      weir_text_get(&text));
}

static void join_value(struct join *j, uint32_t key, uint32_t value)
{
    size_t at = (size_t)(uintptr_t)weir_map_get(&j->numbers, text_of(j, key));
    if (!at) {
        struct joined *keys = weir_array_room(j->keys, j->n, &j->capacity, sizeof *keys);
        if (!keys ||
            weir_map_set(&j->numbers, text_of(j, key), (void *)(uintptr_t)(j->n + 1), NULL)) {
            j->keys = keys ? keys : j->keys;
            j->failed = true;
            return;
        }
        j->keys = keys;
        j->keys[j->n++] = (struct joined){.key = key};
        at = j->n;
    }
    struct joined *of = &j->keys[at - 1];
    uint32_t *values = weir_array_room(of->values, of->n, &of->capacity, sizeof *values);
    if (!values) {
        j->failed = true;
        return;
    }
    of->values = values;
    values[of->n++] = value;
}

/* What kind of node all values have; NONE when they differ. */
static weir_node_kind values_kind(const struct join *j, const struct joined *of)
{
    const weir_node_kind kind = (weir_node_kind)node_at(j->document, of->values[0])->kind;
    for (size_t i = 1; i < of->n; i++)
        if (node_at(j->document, of->values[i])->kind != kind)
            return WEIR_NODE_NONE;
    return kind;
}

static uint32_t values_as_list(struct join *j, const struct joined *of)
{
    size_t n = 0, total = 0;
    for (size_t i = 0; i < of->n; i++)
        total += node_at(j->document, of->values[i])->n;
    uint32_t *children = weir_realloc_array(NULL, total + 1, sizeof *children);
    for (size_t i = 0; children && i < of->n; i++) {
        const weir_document_node *list = node_at(j->document, of->values[i]);
        if (list->n)
            memcpy(children + n, list->as.children, list->n * sizeof *children);
        n += list->n;
    }
    const uint32_t id =
        children ? collection_add(j->document, of->values[0], WEIR_NODE_LIST, children, n) : 0;
    weir_free(children);
    j->failed = j->failed || !id;
    return id;
}

static uint32_t join_mappings(struct join *j, const uint32_t *mappings, size_t n);

/* One level down every value is single. */
static uint32_t values_as_mapping(struct join *j, const struct joined *of)
{
    static const weir_option none[] = {{.name = NULL}};
    struct join inner = {.document = j->document, .table = none, .problems = j->problems};
    const uint32_t id = join_mappings(&inner, of->values, of->n);
    j->failed = j->failed || inner.failed;
    return id;
}

static uint32_t values_join(struct join *j, const struct joined *of)
{
    const char *key = text_of(j, of->key);
    const weir_option *row = weir_option_find(j->table, key);
    const weir_node_kind kind = values_kind(j, of);
    if (of->n == 1 || !strcmp(key, "include") || !strncmp(key, "x-", 2))
        return of->values[0];
    if (row && row->type == WEIR_OPTION_LIST && kind == WEIR_NODE_LIST)
        return values_as_list(j, of);
    if (row && row->type == WEIR_OPTION_TABLE && kind == WEIR_NODE_MAPPING)
        return values_as_mapping(j, of);
    for (size_t i = 1; i < of->n; i++)
        say_twice(j, of->key, of->values[0], of->values[i]);
    return of->values[0];
}

static uint32_t join_mappings(struct join *j, const uint32_t *mappings, size_t n)
{
    uint32_t id = 0;
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < node_at(j->document, mappings[i])->n; k++) {
            const uint32_t *pair = node_at(j->document, mappings[i])->as.children + 2 * k;
            join_value(j, pair[0], pair[1]);
        }
    uint32_t *children = weir_realloc_array(NULL, 2 * j->n + 1, sizeof *children);
    for (size_t i = 0; children && i < j->n && !j->failed; i++) {
        children[2 * i] = j->keys[i].key;
        children[2 * i + 1] = values_join(j, &j->keys[i]);
    }
    if (children && !j->failed)
        id = collection_add(j->document, mappings[0], WEIR_NODE_MAPPING, children, 2 * j->n);
    j->failed = j->failed || !id;
    weir_free(children);
    for (size_t i = 0; i < j->n; i++)
        weir_free(j->keys[i].values);
    weir_free(j->keys);
    weir_map_deinit(&j->numbers);
    return id;
}

bool weir_document_join(weir_document *document, const weir_node *roots, size_t n,
                        const weir_option *table, weir_problems *problems)
{
    struct join j = {.document = document, .table = table, .problems = problems};
    uint32_t *ids = weir_realloc_array(NULL, n + 1, sizeof *ids);
    size_t n_ids = 0;
    for (size_t i = 0; ids && i < n; i++)
        if (weir_node_is(roots[i], WEIR_NODE_MAPPING))
            ids[n_ids++] = roots[i].id;
    const uint32_t root = ids && n_ids ? join_mappings(&j, ids, n_ids) : document->root;
    weir_free(ids);
    if (!ids || j.failed)
        return false;
    document->root = root;
    return true;
}

/* ---- defaults ---- */

static uint32_t mapping_default(weir_document *d, uint32_t mapping, weir_node defaults)
{
    const size_t n_own = 2 * (size_t)node_at(d, mapping)->n;
    size_t n = n_own;
    uint32_t *children =
        weir_realloc_array(NULL, n_own + 2 * weir_node_count(defaults) + 1, sizeof *children);
    if (!children)
        return 0;
    if (n_own)
        memcpy(children, node_at(d, mapping)->as.children, n_own * sizeof *children);
    for (size_t i = 0; i < weir_node_count(defaults); i++) {
        const weir_node key = weir_node_key(defaults, i);
        if (weir_node_get((weir_node){d, mapping}, weir_node_text(key)).id)
            continue;
        children[n++] = key.id;
        children[n++] = weir_node_value(defaults, i).id;
    }
    const uint32_t id =
        n == n_own ? mapping : collection_add(d, mapping, WEIR_NODE_MAPPING, children, n);
    weir_free(children);
    return id;
}

bool weir_document_default(weir_document *document, const char *section, weir_node defaults)
{
    const weir_node list = weir_node_get(weir_document_root(document), section);
    const size_t n = weir_node_is(list, WEIR_NODE_LIST) ? weir_node_count(list) : 0;
    if (!weir_node_is(defaults, WEIR_NODE_MAPPING) || !n)
        return true;
    uint32_t *items = weir_arena_alloc(document->arena, n, sizeof *items);
    for (size_t i = 0; items && i < n; i++) {
        const weir_node item = weir_node_item(list, i);
        items[i] = weir_node_is(item, WEIR_NODE_MAPPING)
                       ? mapping_default(document, item.id, defaults)
                       : item.id;
        if (!items[i])
            return false;
    }
    if (items)
        document->nodes[list.id].as.children = items;
    return items != NULL;
}
