/* SPDX-License-Identifier: MIT */
/* A configuration as a tree of nodes that know where they were written. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "catalog/problem.h"
#include "model/catalog.h"

typedef struct weir_document weir_document;

typedef enum weir_node_kind {
    WEIR_NODE_NONE,
    WEIR_NODE_SCALAR,
    WEIR_NODE_LIST,
    WEIR_NODE_MAPPING,
} weir_node_kind;

/* A plain value. A zero node is "none" and every function below accepts it. */
typedef struct weir_node {
    const weir_document *document;
    unsigned id; /* 1, 2, ...; 0: none */
} weir_node;

enum {
    WEIR_DOCUMENT_SIZE_MAX = 16 * 1024 * 1024,
    WEIR_DOCUMENT_DEPTH_MAX = 64,
    /* Nodes counted as often as aliases repeat them: 2000 devices of 100 points of 12 keys still
     * fit, the "billion laughs" do not. */
    WEIR_DOCUMENT_NODES_MAX = 10 * 1000 * 1000,
};

/*
 * Parses one document. name is copied, text borrowed until return. Aliases are followed and merge
 * keys (`<<`) are merged, so what the node functions show has neither. All scalars are text.
 * NULL, with at least one problem added (or problems->failed), when the text cannot be used.
 * Keys that appear twice and tags such as !include are problems too, but do not stop it: compare
 * problems->n.
 */
weir_document *weir_document_parse(const char *name, const char *text, size_t n,
                                   weir_problems *problems);
void weir_document_free(weir_document *document); /* accepts NULL */
WEIR_DEFINE_CLEANUP(weir_document, weir_document_free)

const char *weir_document_name(const weir_document *document);
weir_node weir_document_root(const weir_document *document);

weir_node_kind weir_node_kind_of(weir_node node);
weir_where weir_node_where(weir_node node);
/* What the provider of a row of a database knows it by, as weir_builder_known_as said. False:
 * nothing. */
bool weir_node_known_as(weir_node node, weir_text *ret);
const char *weir_node_text(weir_node node); /* scalar: its text, else "" */
bool weir_node_quoted(weir_node node);      /* scalar: written in quotes */
bool weir_node_empty(weir_node node);       /* scalar: nothing, ~ or null, not in quotes */

size_t weir_node_count(weir_node node); /* items of a list, pairs of a mapping */
weir_node weir_node_item(weir_node node, size_t i);
weir_node weir_node_key(weir_node node, size_t i); /* a scalar */
weir_node weir_node_value(weir_node node, size_t i);
weir_node weir_node_get(weir_node mapping, const char *key); /* the value, or none */

static inline bool weir_node_is(weir_node node, weir_node_kind kind)
{
    return weir_node_kind_of(node) == kind;
}
