/* SPDX-License-Identifier: MIT */
/* Growing arrays for the block builder: room is made first, then written without checks. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"

typedef struct weir_column {
    void *at;
    size_t n, capacity; /* items */
} weir_column;

/* Room for n more items of `size` bytes; false when memory is short. Doubles, so that appending
 * costs constant time an item. */
static inline bool weir_column_reserve(weir_column *c, size_t n, size_t size)
{
    if (c->capacity - c->n >= n)
        return true;
    size_t capacity = c->capacity * 2 > c->n + n ? c->capacity * 2 : c->n + n;
    void *at = weir_realloc_array(c->at, capacity, size);
    if (!at)
        return false;
    c->at = at;
    c->capacity = capacity;
    return true;
}

/* The functions below need reserved room. */
static inline void weir_column_put_bytes(weir_column *c, const void *bytes, size_t n)
{
    if (n)
        memcpy((uint8_t *)c->at + c->n, bytes, n);
    c->n += n;
}

static inline void weir_column_put_u8(weir_column *c, uint8_t v)
{
    ((uint8_t *)c->at)[c->n++] = v;
}

static inline void weir_column_put_be(weir_column *c, uint64_t v, unsigned n_bytes)
{
    while (n_bytes-- > 0)
        weir_column_put_u8(c, (uint8_t)(v >> 8 * n_bytes));
}

enum { WEIR_VARINT_MAX = 10 }; /* bytes of the longest */

static inline void weir_column_put_varint(weir_column *c, uint64_t v)
{
    while (v > 0x7f) {
        weir_column_put_u8(c, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    weir_column_put_u8(c, (uint8_t)v);
}

/* a - b with wrap-around, small when they are near. */
static inline void weir_column_put_delta(weir_column *c, uint64_t a, uint64_t b)
{
    weir_column_put_varint(c, weir_zigzag((int64_t)(a - b)));
}
