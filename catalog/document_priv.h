/* SPDX-License-Identifier: MIT */
/* The inside of a document, for those that make one: the YAML composer, the builder, the joiner. */

#pragma once
#include <stdint.h>

#include "base/alloc.h"
#include "catalog/document.h"

typedef struct weir_document_node {
    union {
        const char *text;
        const uint32_t *children; /* list: n items; mapping: key, value, key, value ... */
    } as;
    uint32_t n;           /* items, or pairs */
    uint32_t line;        /* or row */
    uint32_t expanded;    /* nodes below and including this one, aliases counted as often as used */
    unsigned column : 16; /* where the part has places: which of them */
    unsigned depth : 8;   /* of what is below, including this one */
    unsigned kind : 4;    /* weir_node_kind */
    unsigned quoted : 1;
    unsigned variable : 1; /* scalar: its text is the end of a weir_variable (variables.h) */
} weir_document_node;
_Static_assert(sizeof(weir_document_node) <= 24, "a large file has a million of them");

/* Where rows of a database are, and what they are known by; a row's number comes behind both. */
struct weir_place {
    const char *text;
    const char *key; /* NULL: by nothing */
    bool is_shared;  /* by rows that have other keys: nobody has one */
};

/* Nodes from `first` on, up to the next part's, are from one file or one database. */
typedef struct weir_document_part {
    uint32_t first;
    const char *name;
    const struct weir_place *places; /* NULL: a file; node.column is then its column */
} weir_document_part;

struct weir_document {
    weir_arena *arena;
    char *name;
    weir_document_node *nodes; /* [0] is "none" */
    size_t n_nodes, capacity;
    weir_document_part *parts; /* ascending; [0].first is 0 */
    size_t n_parts, parts_capacity;
    weir_document **adopted; /* whose texts are still used; their nodes are gone */
    size_t n_adopted, adopted_capacity;
    uint32_t root;
    bool has_variables; /* "${NAME}" in it means one: somebody wrote it as YAML */
};

/* One part, no nodes but "none". NULL: memory is short. */
weir_document *weir_document_new(const char *name);

/* Appends it to the last part; `expanded` and `depth` become 1 where they are 0. 0: memory is
 * short. */
uint32_t weir_document_add(weir_document *document, const weir_document_node *node);

/* What is added from now on is of this part. Texts are borrowed. */
bool weir_document_begin_part(weir_document *document, const weir_document_part *part);

/* The part that a node belongs to. */
const weir_document_part *weir_document_part_of(const weir_document *document, uint32_t id);
