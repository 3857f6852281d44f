/* SPDX-License-Identifier: MIT */
/* Equal contents kept once: open addressing, linear probing, FNV-1a over eight bytes at a time. */

#include "catalog/intern.h"

#include <string.h>

/* What is looked for: items of a size, each with a gap that does not count. */
struct key {
    const unsigned char *bytes;
    size_t n, size;
    weir_intern_gap gap;
    uint64_t hash;
};

static uint64_t hash_bytes(uint64_t h, const unsigned char *p, size_t n)
{
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

static uint64_t key_hash(const struct key *key)
{
    const size_t after = key->gap.at + key->gap.n;
    uint64_t h = 0xcbf29ce484222325u ^ key->n;
    for (size_t i = 0; i < key->n; i += key->size) {
        h = hash_bytes(h, key->bytes + i, key->gap.at);
        h = hash_bytes(h, key->bytes + i + after, key->size - after);
    }
    return h;
}

static bool key_equals(const struct key *key, const struct weir_intern_slot *slot)
{
    const unsigned char *other = slot->bytes;
    const size_t after = key->gap.at + key->gap.n;
    if (slot->hash != key->hash || slot->n != key->n)
        return false;
    for (size_t i = 0; i < key->n; i += key->size)
        if (memcmp(key->bytes + i, other + i, key->gap.at) != 0 ||
            memcmp(key->bytes + i + after, other + i + after, key->size - after) != 0)
            return false;
    return true;
}

void weir_intern_deinit(weir_intern *intern)
{
    weir_free(intern->slots);
    intern->slots = NULL;
    intern->count = intern->capacity = 0;
}

/* The slot of the key, or the empty one where it belongs. NULL key: only an empty one will do. */
static struct weir_intern_slot *intern_find(const weir_intern *intern, const struct key *key,
                                            uint64_t hash)
{
    size_t i = hash & (intern->capacity - 1);
    for (;; i = (i + 1) & (intern->capacity - 1)) {
        struct weir_intern_slot *slot = &intern->slots[i];
        if (!slot->bytes || (key && key_equals(key, slot)))
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
            *intern_find(&bigger, NULL, old->hash) = *old;
    }
    weir_free(intern->slots);
    *intern = bigger;
    return true;
}

static const void *intern_key(weir_intern *intern, struct key *key)
{
    key->hash = key_hash(key);
    if (intern->count * 4 >= intern->capacity * 3 && !intern_grow(intern))
        return NULL;
    struct weir_intern_slot *slot = intern_find(intern, key, key->hash);
    if (slot->bytes)
        return slot->bytes;
    void *copy = weir_arena_alloc(intern->arena, key->n ? key->n : 1, 1);
    if (!copy)
        return NULL;
    if (key->n)
        memcpy(copy, key->bytes, key->n);
    *slot = (struct weir_intern_slot){copy, key->hash, key->n};
    intern->count++;
    return copy;
}

const void *weir_intern_bytes(weir_intern *intern, const void *bytes, size_t n)
{
    struct key key = {.bytes = bytes, .n = n, .size = n, .gap = {n, 0}};
    return intern_key(intern, &key);
}

const void *weir_intern_items(weir_intern *intern, const void *items, size_t count, size_t size,
                              weir_intern_gap gap)
{
    struct key key = {.bytes = items, .n = count * size, .size = size, .gap = gap};
    return intern_key(intern, &key);
}

const char *weir_intern_text(weir_intern *intern, const char *text)
{
    return weir_intern_bytes(intern, text, strlen(text) + 1);
}
