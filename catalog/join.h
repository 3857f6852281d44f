/* SPDX-License-Identifier: MIT */
/* Several documents as one: what includes and databases say stands beside what the file says. */

#pragma once
#include "catalog/document.h"
#include "model/option.h"

/*
 * Appends the nodes of `from`, each still where it was written; takes `from`. Returns its root as
 * a node of `into`; none, with a problem, when that is too much or memory is short.
 */
weir_node weir_document_adopt(weir_document *into, weir_document *from, weir_problems *problems);

/*
 * Makes one mapping of n mappings of the document its root: what table calls a LIST is joined, what
 * it calls a TABLE gets the keys of all, and a single value that two of them give is a problem that
 * names both places. Of `include` and of x-keys each file has its own. False: memory is short.
 */
bool weir_document_join(weir_document *document, const weir_node *roots, size_t n,
                        const weir_option *table, weir_problems *problems);

/*
 * Gives each mapping of the list that is the root's `section` the pairs of `defaults` for keys
 * which it has not itself, each where the default was written. False: memory is short.
 */
bool weir_document_default(weir_document *document, const char *section, weir_node defaults);
