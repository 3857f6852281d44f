/* SPDX-License-Identifier: MIT */
/* What a configuration came to, value by value, and where each one came from. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "catalog/document.h"
#include "model/option.h"

/*
 * While a configuration is loaded, whoever reads a mapping by an option table tells here which
 * mappings it was read from, the one that wins first. That is the only place where the question
 * "who said so?" is answered: the first of these layers that has the key, or else the default of
 * the table's row. The texts are copies; secrets are not in them.
 */
typedef struct weir_effective weir_effective;

typedef struct weir_effective_value {
    const char *key; /* of a mapping; NULL: an item of a list */
    weir_node_kind kind;
    const char *text;   /* of a scalar */
    bool quoted;        /* a scalar that was in quotes: "40001" is not 40001 */
    const char *origin; /* of a scalar: "weir.yaml:7", "profile meter.yaml:3", "default" ... */
    struct weir_effective_value *first, *last, *next; /* children, and the one behind this */
} weir_effective_value;

/* One mapping that keys are looked for in; or, instead, the defaults of a table. */
typedef struct weir_layer {
    weir_node node;
    const weir_option *defaults;
    const char *source;             /* "profile ": before the place; NULL: nothing */
    bool (*takes)(const char *key); /* which keys count; NULL: all */
} weir_layer;

weir_effective *weir_effective_new(void); /* NULL: memory is short */
void weir_effective_free(weir_effective *e);
WEIR_DEFINE_CLEANUP(weir_effective, weir_effective_free)

/* The whole; a mapping. NULL only for NULL. */
weir_effective_value *weir_effective_root(weir_effective *e);
/* Something is missing: memory was short. */
bool weir_effective_failed(const weir_effective *e);

/* All of these accept NULL and do nothing then: nobody asks. */

/* A new mapping or list at the end of parent; key NULL: an item of a list. */
weir_effective_value *weir_effective_add(weir_effective *e, weir_effective_value *parent,
                                         const char *key, weir_node_kind kind);

/* The list of that key of the mapping, made when it is not there. */
weir_effective_value *weir_effective_list(weir_effective *e, weir_effective_value *parent,
                                          const char *key);

/*
 * Adds what the table's rows came to. Left out: keys that nobody gave and that have no default, an
 * empty default, and rows that are lists or mappings of further tables (unless they are items of
 * `whole`, NULL-terminated: these are taken as they were written).
 */
void weir_effective_fill(weir_effective *e, weir_effective_value *mapping, const weir_option *table,
                         const weir_layer *layers, size_t n_layers, const char *const *whole);

/* A default that is known only now, in place of the table's; what was given stays. */
void weir_effective_default(weir_effective *e, weir_effective_value *mapping, const char *key,
                            const char *text);
/* A value from elsewhere, whatever was there. */
void weir_effective_set(weir_effective *e, weir_effective_value *mapping, const char *key,
                        const char *text, const char *origin);

/* The child of a mapping with that key, or of a list of mappings the one with that name. */
weir_effective_value *weir_effective_get(const weir_effective_value *value, const char *key);

/* The first n bytes of a path of such words, "devices/main-meter/points/"; NULL: there is none. */
weir_effective_value *weir_effective_find(weir_effective_value *root, const char *path, size_t n);
