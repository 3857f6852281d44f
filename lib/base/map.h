/* SPDX-License-Identifier: MIT */
/* A hash map from text to a pointer-sized value; for names. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Borrows the keys: they must outlive the map. Insertion only; iteration is not offered. */
typedef struct weir_map {
    struct weir_map_slot {
        const char *key;
        void *value;
    } * slots;
    size_t count;
    size_t capacity; /* power of two, or 0 */
} weir_map;

#define WEIR_MAP_INIT \
    {                 \
        0             \
    }

void weir_map_deinit(weir_map *map);

/* Sets key to value. *ret_old (may be NULL) gets what was there, or NULL. WEIR_ENOMEM. */
weir_err weir_map_set(weir_map *map, const char *key, void *value, void **ret_old) WEIR_MUST_CHECK;

void *weir_map_get(const weir_map *map, const char *key); /* NULL: not there */
