/* SPDX-License-Identifier: MIT */
/* Equal contents kept once: what makes a thousand devices of one template share their points. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

/* Copies live in the arena, the table itself is released by deinit. */
typedef struct weir_intern {
    weir_arena *arena;
    struct weir_intern_slot {
        const void *bytes;
        uint64_t hash;
        size_t n;
    } * slots;
    size_t count;
    size_t capacity; /* power of two, or 0 */
} weir_intern;

void weir_intern_deinit(weir_intern *intern);

/* The one copy of these bytes, NULL when memory is short. Two calls with equal bytes give the same
 * pointer. n may be 0: the pointer is then not NULL. */
const void *weir_intern_bytes(weir_intern *intern, const void *bytes, size_t n);
const char *weir_intern_text(weir_intern *intern, const char *text);

/* The same for count items of a size, where n bytes at `at` of each item do not count: what is
 * given back may differ there. */
typedef struct weir_intern_gap {
    size_t at, n;
} weir_intern_gap;
const void *weir_intern_items(weir_intern *intern, const void *items, size_t count, size_t size,
                              weir_intern_gap gap);
