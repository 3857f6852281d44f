/* SPDX-License-Identifier: MIT */
/* A hash map from text to a pointer-sized value: open addressing, linear probing, FNV-1a. */

#include "base/map.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

static uint64_t hash_text(const char *key)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 0x100000001b3u;
    return h ^ h >> 32;
}

void weir_map_deinit(weir_map *map)
{
    if (!map)
        return;
    weir_free(map->slots);
    *map = (weir_map)WEIR_MAP_INIT;
}

static struct weir_map_slot *map_find(const weir_map *map, const char *key)
{
    size_t i = hash_text(key) & (map->capacity - 1);
    while (map->slots[i].key && strcmp(map->slots[i].key, key) != 0)
        i = (i + 1) & (map->capacity - 1);
    return &map->slots[i];
}

static weir_err map_grow(weir_map *map)
{
    weir_map bigger = {NULL, map->count, map->capacity ? map->capacity * 2 : 16};
    bigger.slots = weir_alloc_zero(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].key)
            *map_find(&bigger, map->slots[i].key) = map->slots[i];
    weir_free(map->slots);
    *map = bigger;
    return WEIR_OK;
}

weir_err weir_map_set(weir_map *map, const char *key, void *value, void **ret_old)
{
    if (map->count * 4 >= map->capacity * 3) {
        weir_err err = map_grow(map);
        if (err)
            return err;
    }
    struct weir_map_slot *slot = map_find(map, key);
    if (ret_old)
        *ret_old = slot->key ? slot->value : NULL;
    if (!slot->key) {
        slot->key = key;
        map->count++;
    }
    slot->value = value;
    return WEIR_OK;
}

void *weir_map_get(const weir_map *map, const char *key)
{
    return map->capacity ? map_find(map, key)->value : NULL;
}
