/* SPDX-License-Identifier: MIT */
/* The files that a configuration includes. */

#pragma once
#include "catalog/document.h"
#include "catalog/env.h"
#include "catalog/yaml.h"

/* The mappings at the top of a document's parts, the configuration's own first. */
typedef struct weir_roots {
    weir_node *items;
    size_t n, capacity;
} weir_roots;

void weir_roots_deinit(weir_roots *roots);
bool weir_roots_add(weir_roots *roots, weir_node root); /* false: memory is short */

/* A path as seen from the file `from`, tidied; NULL: memory is short. */
char *weir_include_path(weir_arena *arena, const char *from, const char *path);

/*
 * Reads what the document's root includes, and what that includes, into the document; the roots of
 * all are appended to roots. What cannot be had is a problem at the word that names it. env: of
 * their variables; NULL: they have none.
 */
void weir_include_follow(weir_document *document, const weir_yaml_files *files, const weir_env *env,
                         weir_roots *roots, weir_problems *problems);
