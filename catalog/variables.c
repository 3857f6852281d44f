/* SPDX-License-Identifier: MIT */
/* "${NAME}" in the values of a document. */

#include "catalog/variables.h"

#include <string.h>

#include "catalog/document_priv.h"

/* The node's text is the end of a weir_variable from then on, so it goes wherever the text goes. */
const weir_variable *weir_node_variable(weir_node node)
{
    const weir_document_node *n = node.id ? &node.document->nodes[node.id] : NULL;
    if (!n || !n->variable)
        return NULL;
    const void *at = n->as.text - offsetof(weir_variable, text);
    return at;
}

static weir_variable *variable_new(weir_arena *arena, const weir_env_expansion *e, const char *raw)
{
    const size_t n = e->text.length;
    weir_variable *v = weir_arena_alloc(arena, 1, sizeof *v + n + 1);
    if (!v)
        return NULL;
    v->raw = raw;
    v->is_unset = e->is_unset;
    v->name = weir_arena_text(arena, e->name);
    v->origin = weir_arena_text(arena, weir_text_get(&e->origin));
    v->problem = weir_arena_text(arena, weir_text_get(&e->problem));
    v->file = weir_arena_text(arena, e->file ? e->file : "");
    memcpy(v->text, weir_text_get(&e->text), n + 1);
    return v->name && v->origin && v->problem && v->file ? v : NULL;
}

/* Aliases lead to one node several times: it is replaced once. */
static bool node_replace(weir_document *document, uint32_t id, const weir_env *env)
{
    weir_document_node *node = &document->nodes[id];
    weir_env_expansion e;
    if (node->kind != WEIR_NODE_SCALAR || node->variable || !weir_env_concerns(node->as.text))
        return true;
    weir_env_expand(env, node->as.text, &e);
    /* A text beyond the limit fails too: it is no setting. */
    const bool failed = e.text.failed || e.origin.failed || e.problem.failed;
    weir_variable *v = failed ? NULL : variable_new(document->arena, &e, node->as.text);
    if (v) {
        node->as.text = v->text;
        node->variable = 1;
    }
    weir_env_expansion_deinit(&e);
    return v != NULL;
}

bool weir_variables_replace(weir_document *document, const weir_env *env)
{
    for (size_t i = 1; document->has_variables && i < document->n_nodes; i++) {
        const weir_document_node node = document->nodes[i];
        const bool mapping = node.kind == WEIR_NODE_MAPPING;
        if (!mapping && node.kind != WEIR_NODE_LIST)
            continue;
        for (uint32_t k = 0; k < node.n; k++)
            if (!node_replace(document, node.as.children[mapping ? 2 * k + 1 : k], env))
                return false;
    }
    return true;
}
