/* SPDX-License-Identifier: MIT */
/* weir check: a configuration beside what the store already has. */

#include "cli/check_store.h"

#include <sqlite3.h>
#include <string.h>

#include "base/map.h"
#include "base/text.h"
#include "store/query/query.h"

/* Devices whose tags are active, with an address that ends in "on CONNECTION unit N", and what
 * their provider knows them by. */
#define DEVICES_SQL(key, keys)                                                       \
    "SELECT v.device, max(v.address), " key " FROM main.tag t JOIN main.tag_version" \
    " v ON v.uid=t.uid AND v.seq=(SELECT max(seq) FROM main.tag_version WHERE"       \
    " uid=t.uid) " keys " WHERE t.active GROUP BY v.device"
static const char devices_sql[] =
    DEVICES_SQL("max(k.device)", "LEFT JOIN main.tag_key k ON k.uid=t.uid");
static const char devices_of_older_sql[] = DEVICES_SQL("NULL", "");

/* What is there on one side. */
struct known {
    weir_map names, keys;
};

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

/* Its provider knows it as one that is there under this name or another. */
static bool has_key(const struct known *known, const char *key)
{
    return key && *key && weir_map_get(&known->keys, key);
}

/* The new device that has the place of one that is gone. */
static const weir_device *find_successor(const weir_catalog *c, const struct known *stored,
                                         const char *address)
{
    WEIR_TEXT_AUTO place = WEIR_TEXT_INIT;
    for (size_t i = 0; i < c->n_devices; i++) {
        const weir_device *device = &c->devices[i];
        if (weir_map_get(&stored->names, device->name) || has_key(stored, device->key) ||
            (device->was && *device->was))
            continue;
        weir_text_clear(&place);
        weir_text_format(&place, " on %s unit %u", c->connections[device->connection].name,
                         device->unit_id);
        if (ends_with(address, weir_text_get(&place)))
            return device;
    }
    return NULL;
}

static void check_gone(const weir_catalog *c, const struct known *configured,
                       const struct known *stored, sqlite3_stmt *stmt, weir_problems *warnings)
{
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *address = (const char *)sqlite3_column_text(stmt, 1);
        const char *key = (const char *)sqlite3_column_text(stmt, 2);
        const weir_device *successor =
            name && address && !weir_map_get(&configured->names, name) && !has_key(configured, key)
                ? find_successor(c, stored, address)
                : NULL;
        if (successor)
            say_rename(successor, name, warnings);
    }
}

static bool known_add(weir_map *map, const char *text)
{
    return weir_map_set(map, text, (void *)(uintptr_t)text, NULL) == WEIR_OK;
}

static bool known_keep(weir_map *map, weir_arena *arena, const char *text)
{
    const char *copy = weir_arena_text(arena, text);
    return copy && known_add(map, copy);
}

/* Kept in the arena. False: no memory, or the store cannot be read. */
static bool stored_read(sqlite3_stmt *stmt, weir_arena *arena, struct known *ret)
{
    bool good = true;
    while (good && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *key = (const char *)sqlite3_column_text(stmt, 2);
        good = name && known_keep(&ret->names, arena, name) &&
               (!key || known_keep(&ret->keys, arena, key));
    }
    (void)sqlite3_reset(stmt);
    return good;
}

/* Those that are, and those that some device says it was. */
static bool configured_read(const weir_catalog *c, struct known *ret)
{
    bool good = true;
    for (size_t i = 0; good && i < c->n_devices; i++) {
        const weir_device *device = &c->devices[i];
        good = known_add(&ret->names, device->name);
        if (good && device->was && *device->was)
            good = known_add(&ret->names, device->was);
        if (good && device->key && *device->key)
            good = known_add(&ret->keys, device->key);
    }
    return good;
}

static void known_deinit(struct known *known)
{
    weir_map_deinit(&known->names);
    weir_map_deinit(&known->keys);
}

void weir_check_renames(const weir_catalog *catalog, weir_problems *warnings)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    struct known configured = {WEIR_MAP_INIT, WEIR_MAP_INIT},
                 stored = {WEIR_MAP_INIT, WEIR_MAP_INIT};
    weir_query *query = NULL;
    sqlite3_stmt *stmt = NULL;
    if (!arena || strcmp(catalog->store.data_dir, "memory") == 0 ||
        weir_query_open(catalog->store.data_dir, NULL, &query, NULL) != WEIR_OK)
        return;
    sqlite3 *db = weir_query_db(query);
    if ((sqlite3_prepare_v2(db, devices_sql, -1, &stmt, NULL) == SQLITE_OK ||
         sqlite3_prepare_v2(db, devices_of_older_sql, -1, &stmt, NULL) == SQLITE_OK) &&
        configured_read(catalog, &configured) && stored_read(stmt, arena, &stored))
        check_gone(catalog, &configured, &stored, stmt, warnings);
    (void)sqlite3_finalize(stmt);
    weir_query_close(query);
    known_deinit(&configured);
    known_deinit(&stored);
}
