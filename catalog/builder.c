/* SPDX-License-Identifier: MIT */
/* A document made by code: what a database's rows become. */

#include "catalog/builder.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "catalog/document_priv.h"
#include "catalog/intern.h"

enum { PLACES_MAX = UINT16_MAX };

struct weir_builder {
    weir_document *document;
    weir_intern texts;
    weir_map place_numbers; /* text -> its index in `places` + 1 */
    const char **places;    /* in the arena of the document */
    size_t n_places, places_capacity;
    uint32_t row;
    uint16_t place;
    struct frame {
        uint32_t node;
        size_t first; /* of its children */
    } frames[WEIR_DOCUMENT_DEPTH_MAX];
    size_t n_frames;
    uint32_t *children;
    size_t n_children, children_capacity;
    bool is_file; /* `row` is a line, `place` its column */
    bool failed;
};

weir_builder *weir_builder_new(const char *name)
{
    weir_builder *b = weir_alloc_zero(1, sizeof *b);
    if (!b)
        return NULL;
    b->document = weir_document_new(name);
    if (!b->document) {
        weir_free(b);
        return NULL;
    }
    b->texts.arena = b->document->arena;
    weir_builder_place(b, name, 0);
    return b;
}

static bool place_add(weir_builder *b, const char *text)
{
    const char *kept = weir_intern_text(&b->texts, text);
    const char **places =
        weir_array_room(b->places, b->n_places, &b->places_capacity, sizeof *places);
    b->places = places ? places : b->places;
    if (!kept || !places ||
        weir_map_set(&b->place_numbers, kept, (void *)(uintptr_t)(b->n_places + 1), NULL))
        return false;
    places[b->n_places++] = kept;
    return true;
}

void weir_builder_place(weir_builder *b, const char *text, uint32_t row)
{
    if (!b || b->failed)
        return;
    uintptr_t number = (uintptr_t)weir_map_get(&b->place_numbers, text);
    if (!number && b->n_places < PLACES_MAX) {
        b->failed = !place_add(b, text);
        number = b->n_places;
    }
    b->place = (uint16_t)((number ? number : b->n_places) - 1);
    b->row = row;
}

void weir_builder_line(weir_builder *b, uint32_t line, uint32_t column)
{
    if (!b)
        return;
    b->is_file = true;
    b->row = line;
    b->place = column < UINT16_MAX ? (uint16_t)column : UINT16_MAX;
}

static void child_add(weir_builder *b, uint32_t id)
{
    uint32_t *children =
        weir_array_room(b->children, b->n_children, &b->children_capacity, sizeof *children);
    if (!id || !children) {
        b->failed = true;
        return;
    }
    b->children = children;
    if (b->n_frames)
        children[b->n_children++] = id;
    else
        b->document->root = id;
}

static uint32_t node_add(weir_builder *b, weir_node_kind kind, const char *text, bool quoted)
{
    const weir_document_node node = {
        .as.text = text, .line = b->row, .column = b->place, .kind = kind & 15u, .quoted = quoted};
    return weir_document_add(b->document, &node);
}

void weir_builder_open(weir_builder *b, weir_node_kind kind)
{
    if (!b || b->failed)
        return;
    assert(b->n_frames < WEIR_DOCUMENT_DEPTH_MAX);
    const uint32_t id = node_add(b, kind, "", false);
    b->frames[b->n_frames++] = (struct frame){id, b->n_children};
    b->failed = !id;
}

uint32_t weir_builder_close(weir_builder *b)
{
    if (!b || b->failed)
        return 0;
    assert(b->n_frames > 0);
    const struct frame frame = b->frames[--b->n_frames];
    const size_t n = b->n_children - frame.first;
    uint32_t *children = weir_arena_alloc(b->document->arena, n, sizeof *children);
    if (!children) {
        b->failed = true;
        return 0;
    }
    if (n)
        memcpy(children, b->children + frame.first, n * sizeof *children);
    b->n_children = frame.first;
    weir_document_node *node = &b->document->nodes[frame.node];
    node->as.children = children;
    node->n = (uint32_t)(node->kind == WEIR_NODE_MAPPING ? n / 2 : n);
    child_add(b, frame.node);
    return frame.node;
}

static void scalar_add(weir_builder *b, const char *text, bool quoted)
{
    if (!b || b->failed)
        return;
    const char *kept = weir_intern_text(&b->texts, text);
    b->failed = !kept;
    if (kept)
        child_add(b, node_add(b, WEIR_NODE_SCALAR, kept, quoted));
}

void weir_builder_text(weir_builder *b, const char *text)
{
    scalar_add(b, text, !*text || !strcmp(text, "~") || !strcmp(text, "null"));
}

void weir_builder_quoted(weir_builder *b, const char *text)
{
    scalar_add(b, text, true);
}

void weir_builder_repeat(weir_builder *b, uint32_t node)
{
    if (b && !b->failed)
        child_add(b, node);
}

void weir_builder_fail(weir_builder *b)
{
    if (b)
        b->failed = true;
}

void weir_builder_pair(weir_builder *b, const char *key, const char *text)
{
    weir_builder_text(b, key);
    weir_builder_text(b, text);
}

static bool builder_keep_places(weir_builder *b)
{
    const char **places = weir_arena_alloc(b->document->arena, b->n_places, sizeof *places);
    if (!places)
        return false;
    memcpy(places, b->places, b->n_places * sizeof *places);
    b->document->parts[0].places = places;
    return true;
}

weir_document *weir_builder_finish(weir_builder *b)
{
    if (!b)
        return NULL;
    weir_document *made = b->document;
    if (b->failed || b->n_frames || (!b->is_file && !builder_keep_places(b))) {
        weir_document_free(made);
        made = NULL;
    }
    weir_intern_deinit(&b->texts);
    weir_map_deinit(&b->place_numbers);
    weir_free(b->places);
    weir_free(b->children);
    weir_free(b);
    return made;
}
