/* SPDX-License-Identifier: MIT */
/* A configuration as a tree of nodes that know where they were written. */

#include "catalog/document_priv.h"

#include <string.h>

void weir_document_free(weir_document *document)
{
    if (!document)
        return;
    for (size_t i = 0; i < document->n_adopted; i++)
        weir_document_free(document->adopted[i]);
    weir_free(document->adopted);
    weir_arena_free(document->arena);
    weir_free(document->parts);
    weir_free(document->nodes);
    weir_free(document);
}

const char *weir_document_name(const weir_document *document)
{
    return document->name;
}

weir_node weir_document_root(const weir_document *document)
{
    return (weir_node){document, document->root};
}

static const weir_document_node *node_of(weir_node node)
{
    static const weir_document_node none = {.as.text = ""};
    return node.document ? &node.document->nodes[node.id] : &none;
}

weir_node_kind weir_node_kind_of(weir_node node)
{
    return (weir_node_kind)node_of(node)->kind;
}

/* Binary search: the last part that does not begin behind the node. */
const weir_document_part *weir_document_part_of(const weir_document *document, uint32_t id)
{
    size_t low = 0, high = document->n_parts;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (document->parts[middle].first <= id)
            low = middle;
        else
            high = middle;
    }
    return &document->parts[low];
}

weir_where weir_node_where(weir_node node)
{
    const weir_document_node *n = node_of(node);
    if (!node.document)
        return (weir_where){"", 0, 0};
    const weir_document_part *part = weir_document_part_of(node.document, node.id);
    if (part->places)
        return (weir_where){part->places[n->column].text, n->line, 0};
    return (weir_where){part->name, n->line, n->column};
}

bool weir_node_known_as(weir_node node, weir_text *ret)
{
    const weir_document_node *n = node_of(node);
    const weir_document_part *part =
        node.document ? weir_document_part_of(node.document, node.id) : NULL;
    const struct weir_place *place = part && part->places ? &part->places[n->column] : NULL;
    weir_text_clear(ret);
    if (!place || !place->key || place->is_shared)
        return false;
    weir_text_add(ret, place->key);
    if (n->line)
        weir_text_format(ret, " %u", n->line);
    return true;
}

const char *weir_node_text(weir_node node)
{
    return weir_node_is(node, WEIR_NODE_SCALAR) ? node_of(node)->as.text : "";
}

bool weir_node_quoted(weir_node node)
{
    return node_of(node)->quoted;
}

bool weir_node_empty(weir_node node)
{
    const char *text = weir_node_text(node);
    return weir_node_is(node, WEIR_NODE_SCALAR) && !weir_node_quoted(node) &&
           (!*text || !strcmp(text, "~") || !strcmp(text, "null"));
}

size_t weir_node_count(weir_node node)
{
    return weir_node_is(node, WEIR_NODE_LIST) || weir_node_is(node, WEIR_NODE_MAPPING)
               ? node_of(node)->n
               : 0;
}

weir_node weir_node_item(weir_node node, size_t i)
{
    return (weir_node){node.document, node_of(node)->as.children[i]};
}

weir_node weir_node_key(weir_node node, size_t i)
{
    return (weir_node){node.document, node_of(node)->as.children[2 * i]};
}

weir_node weir_node_value(weir_node node, size_t i)
{
    return (weir_node){node.document, node_of(node)->as.children[2 * i + 1]};
}

weir_node weir_node_get(weir_node mapping, const char *key)
{
    if (weir_node_is(mapping, WEIR_NODE_MAPPING))
        for (size_t i = 0; i < weir_node_count(mapping); i++)
            if (!strcmp(weir_node_text(weir_node_key(mapping, i)), key))
                return weir_node_value(mapping, i);
    return (weir_node){0};
}

/* ---- for those that make one ---- */

weir_document *weir_document_new(const char *name)
{
    WEIR_CLEANUP(weir_document_free) weir_document *document = weir_alloc_zero(1, sizeof *document);
    if (!document)
        return NULL;
    document->arena = weir_arena_new();
    document->name = document->arena ? weir_arena_text(document->arena, name) : NULL;
    if (!document->name ||
        !weir_document_begin_part(document, &(weir_document_part){.name = document->name}))
        return NULL;
    (void)weir_document_add(document, &(weir_document_node){.as.text = ""});
    if (!document->n_nodes)
        return NULL;
    weir_document *made = document;
    document = NULL;
    return made;
}

uint32_t weir_document_add(weir_document *document, const weir_document_node *node)
{
    weir_document_node *nodes =
        weir_array_room(document->nodes, document->n_nodes, &document->capacity, sizeof *nodes);
    if (!nodes)
        return 0;
    document->nodes = nodes;
    weir_document_node *added = &nodes[document->n_nodes];
    *added = *node;
    if (!added->expanded)
        added->expanded = 1;
    if (!added->depth)
        added->depth = 1;
    return (uint32_t)document->n_nodes++;
}

bool weir_document_begin_part(weir_document *document, const weir_document_part *part)
{
    weir_document_part *last = document->n_parts ? &document->parts[document->n_parts - 1] : NULL;
    if (last && last->name == part->name && last->places == part->places)
        return true;
    weir_document_part *parts = weir_array_room(document->parts, document->n_parts,
                                                &document->parts_capacity, sizeof *parts);
    if (!parts)
        return false;
    document->parts = parts;
    parts[document->n_parts] = *part;
    parts[document->n_parts++].first = (uint32_t)document->n_nodes;
    return true;
}
