/* SPDX-License-Identifier: MIT */
/* Equal contents kept once: open addressing, linear probing, FNV-1a over eight bytes at a time. */

#include "catalog/intern.h"

#include <string.h>

static uint64_t hash_bytes(const unsigned char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u ^ n;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 29;
    }
    for (; n; p++, n--)
        h = (h ^ *p) * 0x100000001b3u;
    return h ^ h >> 32;
}

void weir_intern_deinit(weir_intern *intern)
{
    weir_free(intern->slots);
    intern->slots = NULL;
    intern->count = intern->capacity = 0;
}

static struct weir_intern_slot *intern_find(const weir_intern *intern, const void *bytes, size_t n,
                                            uint64_t hash)
{
    size_t i = hash & (intern->capacity - 1);
    for (;; i = (i + 1) & (intern->capacity - 1)) {
        struct weir_intern_slot *slot = &intern->slots[i];
        if (!slot->bytes ||
            (slot->hash == hash && slot->n == n && (!n || memcmp(slot->bytes, bytes, n) == 0)))
            return slot;
    }
}

static bool intern_grow(weir_intern *intern)
{
    weir_intern bigger = *intern;
    bigger.capacity = intern->capacity ? intern->capacity * 2 : 64;
    bigger.slots = weir_alloc_zero(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < intern->capacity; i++) {
        const struct weir_intern_slot *old = &intern->slots[i];
        if (old->bytes)
            *intern_find(&bigger, old->bytes, old->n, old->hash) = *old;
    }
    weir_free(intern->slots);
    *intern = bigger;
    return true;
}

const void *weir_intern_bytes(weir_intern *intern, const void *bytes, size_t n)
{
    const uint64_t hash = hash_bytes(bytes, n);
    if (intern->count * 4 >= intern->capacity * 3 && !intern_grow(intern))
        return NULL;
    struct weir_intern_slot *slot = intern_find(intern, bytes, n, hash);
    if (slot->bytes)
        return slot->bytes;
    void *copy = weir_arena_alloc(intern->arena, n ? n : 1, 1);
    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, bytes, n);
    *slot = (struct weir_intern_slot){copy, hash, n};
    intern->count++;
    return copy;
}

const char *weir_intern_text(weir_intern *intern, const char *text)
{
    return weir_intern_bytes(intern, text, strlen(text) + 1);
}
