/* SPDX-License-Identifier: MIT */
/* weir check: a configuration beside what the store already has. */

#include "cli/check_store.h"

#include <sqlite3.h>
#include <string.h>

#include "base/map.h"
#include "base/text.h"
#include "store/query/query.h"

/* Devices whose tags are active, with an address that ends in "on CONNECTION unit N". */
#define DEVICES_SQL                                                                          \
    "SELECT v.device, max(v.address) FROM main.tag t JOIN main.tag_version v ON v.uid=t.uid" \
    " AND v.seq=(SELECT max(seq) FROM main.tag_version WHERE uid=t.uid)"                     \
    " WHERE t.active GROUP BY v.device"

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

static void say_rename(const weir_device *fresh, const char *old, weir_problems *warnings)
{
    weir_problems_add(warnings, WEIR_OK, fresh->where,
                      "%.100s gone, %.100s new with the same unit: rename? Then 'was: %.100s' at "
                      "%.100s keeps the history together",
                      old, fresh->name, old, fresh->name);
}

/* The new device that has the place of one that is gone. */
static const weir_device *find_successor(const weir_catalog *c, const weir_map *stored,
                                         const char *address)
{
    WEIR_TEXT_AUTO place = WEIR_TEXT_INIT;
    for (size_t i = 0; i < c->n_devices; i++) {
        const weir_device *device = &c->devices[i];
        if (weir_map_get(stored, device->name) || (device->was && *device->was))
            continue;
        weir_text_clear(&place);
        weir_text_format(&place, " on %s unit %u", c->connections[device->connection].name,
                         device->unit_id);
        if (ends_with(address, weir_text_get(&place)))
            return device;
    }
    return NULL;
}

static void check_gone(const weir_catalog *c, const weir_map *configured, const weir_map *stored,
                       sqlite3_stmt *stmt, weir_problems *warnings)
{
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *address = (const char *)sqlite3_column_text(stmt, 1);
        const weir_device *successor = name && address && !weir_map_get(configured, name)
                                           ? find_successor(c, stored, address)
                                           : NULL;
        if (successor)
            say_rename(successor, name, warnings);
    }
}

/* Names, kept in the arena. False: no memory, or the store cannot be read. */
static bool stored_names(sqlite3_stmt *stmt, weir_arena *arena, weir_map *ret)
{
    bool good = true;
    while (good && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *copy = name ? weir_arena_text(arena, name) : NULL;
        good = copy && weir_map_set(ret, copy, (void *)(uintptr_t)copy, NULL) == WEIR_OK;
    }
    (void)sqlite3_reset(stmt);
    return good;
}

/* Those that are, and those that some device says it was. */
static bool configured_names(const weir_catalog *c, weir_map *ret)
{
    bool good = true;
    for (size_t i = 0; good && i < c->n_devices; i++) {
        const weir_device *device = &c->devices[i];
        void *value = (void *)(uintptr_t)device;
        good = weir_map_set(ret, device->name, value, NULL) == WEIR_OK;
        if (good && device->was && *device->was)
            good = weir_map_set(ret, device->was, value, NULL) == WEIR_OK;
    }
    return good;
}

void weir_check_renames(const weir_catalog *catalog, weir_problems *warnings)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    weir_map configured = WEIR_MAP_INIT, stored = WEIR_MAP_INIT;
    weir_query *query = NULL;
    sqlite3_stmt *stmt = NULL;
    if (!arena || strcmp(catalog->store.data_dir, "memory") == 0 ||
        weir_query_open(catalog->store.data_dir, NULL, &query, NULL) != WEIR_OK)
        return;
    if (sqlite3_prepare_v2(weir_query_db(query), DEVICES_SQL, -1, &stmt, NULL) == SQLITE_OK &&
        configured_names(catalog, &configured) && stored_names(stmt, arena, &stored))
        check_gone(catalog, &configured, &stored, stmt, warnings);
    (void)sqlite3_finalize(stmt);
    weir_query_close(query);
    weir_map_deinit(&configured);
    weir_map_deinit(&stored);
}
