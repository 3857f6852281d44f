/* SPDX-License-Identifier: MIT */
/* What providers know tags by: the table tag_key. */

/*
 * A row of a database keeps its id when its name changes, also while weir is stopped; so each
 * registration notes the ids. Only tags of the catalog have keys: an id that was given up may be
 * given again, and is then somebody else. A catalog without keys writes nothing here.
 */

#include <string.h>

#include "base/alloc.h"
#include "store/registration_priv.h"
#include "store/store_priv.h"

static const char *text_of(const char *text)
{
    return text ? text : "";
}

bool weir_tag_key_of(const weir_catalog *catalog, const weir_tag *tag, weir_text *room,
                     weir_tag_key *ret)
{
    const weir_device *d = weir_tag_device(catalog, tag);
    const weir_point *p = weir_tag_point(catalog, tag);
    *ret = (weir_tag_key){text_of(d->key), text_of(p->key), tag->element};
    if (!*ret->device && (!*ret->point || weir_key_is_guess(ret->point)))
        return false;
    if (*ret->point)
        return true;
    weir_text_clear(room);
    weir_text_format(room, "/%s", p->name);
    ret->point = weir_text_get(room);
    return true;
}

static void key_bind(sqlite3_stmt *s, const weir_tag_key *key)
{
    (void)sqlite3_bind_text(s, 1, key->device, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 2, key->point, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 3, key->element);
}

weir_err weir_registration_find_key(weir_registration *r, const weir_tag_key *key,
                                    weir_tag_uid *ret, weir_error *error)
{
    bool row;
    key_bind(r->key_find, key);
    weir_err err = weir_db_step(r->key_find, &row, error);
    if (err == WEIR_OK)
        *ret = row ? (weir_tag_uid)sqlite3_column_int64(r->key_find, 0) : 0;
    (void)sqlite3_reset(r->key_find);
    return err;
}

static weir_err key_drop(weir_registration *r, const weir_tag_key *key, weir_error *error)
{
    key_bind(r->key_drop, key);
    return weir_db_run(r->key_drop, error);
}

static weir_err room_check(const weir_text *room, weir_error *error)
{
    return room->failed ? weir_fail(error, WEIR_ENOMEM, "no memory for a tag's key") : WEIR_OK;
}

/* Those of a device, as it was registered. */
static weir_err device_drop(weir_registration *r, const weir_device *old, weir_text *room,
                            weir_error *error)
{
    const weir_catalog *older = r->diff->older;
    weir_tag_key key;
    weir_err err = WEIR_OK;
    for (uint32_t i = 0; err == WEIR_OK && i < old->n_tags; i++) {
        if (!weir_tag_key_of(older, &older->tags[old->first_tag + i], room, &key))
            continue;
        err = room_check(room, error);
        if (err == WEIR_OK)
            err = key_drop(r, &key, error);
    }
    return err;
}

/* What was registered is known: only of devices that are not the same any more. */
static weir_err changed_drop(weir_registration *r, weir_text *room, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (uint32_t k = 0; err == WEIR_OK && k < r->diff->devices.n_old; k++) {
        const uint32_t fresh = r->diff->devices.new_of[k];
        if (fresh == WEIR_DIFF_NONE || !r->same[fresh])
            err = device_drop(r, &r->diff->older->devices[k], room, error);
    }
    return err;
}

static weir_err keys_put(weir_registration *r, weir_text *room, weir_error *error)
{
    weir_tag_key key;
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < r->catalog->n_tags; i++) {
        const weir_tag *tag = &r->catalog->tags[i];
        if (r->same[tag->device] || !weir_tag_key_of(r->catalog, tag, room, &key))
            continue;
        err = room_check(room, error);
        key_bind(r->key_put, &key);
        (void)sqlite3_bind_int64(r->key_put, 4, r->uids[i]);
        if (err == WEIR_OK)
            err = weir_db_run(r->key_put, error);
    }
    return err;
}

/* --- keys of nobody ------------------------------------------------------------------------- */

/* Rows of the table that are to go: not deleted while they are read. */
struct strays {
    weir_arena *arena;
    weir_tag_key *items;
    size_t n, capacity;
};

/* Index + 1 in the catalog, by uid. */
static uint32_t *tags_by_uid(const weir_registration *r)
{
    uint32_t *index = weir_alloc_zero((size_t)r->last + 1, sizeof *index);
    for (size_t i = 0; index && i < r->catalog->n_tags; i++)
        index[r->uids[i]] = (uint32_t)(i + 1);
    return index;
}

static bool key_is_of(const weir_registration *r, const weir_tag_key *key, uint32_t tag,
                      weir_text *room)
{
    weir_tag_key own;
    return tag && weir_tag_key_of(r->catalog, &r->catalog->tags[tag - 1], room, &own) &&
           own.element == key->element && strcmp(own.device, key->device) == 0 &&
           strcmp(own.point, key->point) == 0;
}

static bool stray_add(struct strays *s, const weir_tag_key *key)
{
    weir_tag_key *items = weir_array_room(s->items, s->n, &s->capacity, sizeof *items);
    if (!items)
        return false;
    s->items = items;
    items[s->n] = (weir_tag_key){weir_arena_text(s->arena, key->device),
                                 weir_arena_text(s->arena, key->point), key->element};
    return items[s->n].device && items[s->n++].point;
}

static weir_err strays_find(weir_registration *r, const uint32_t *index, struct strays *s,
                            weir_text *room, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(r->store->db, "SELECT device, point, element, uid FROM tag_key",
                                   &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        const weir_tag_key key = {text_of((const char *)sqlite3_column_text(rows, 0)),
                                  text_of((const char *)sqlite3_column_text(rows, 1)),
                                  (uint32_t)sqlite3_column_int64(rows, 2)};
        const int64_t uid = sqlite3_column_int64(rows, 3);
        const uint32_t tag = uid > 0 && uid <= r->last ? index[uid] : 0;
        if (!key_is_of(r, &key, tag, room) && !stray_add(s, &key))
            err = weir_fail(error, WEIR_ENOMEM, "no memory for a tag's key");
        if (err == WEIR_OK)
            err = room_check(room, error);
    }
    return err;
}

/* Nothing is known of what was registered: all that the table has is compared. */
static weir_err strays_drop(weir_registration *r, weir_text *room, weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    WEIR_CLEANUP(weir_free) void *index = tags_by_uid(r);
    struct strays s = {.arena = arena};
    weir_err err = arena && index ? strays_find(r, index, &s, room, error)
                                  : weir_fail(error, WEIR_ENOMEM, "no memory for the tags' keys");
    for (size_t i = 0; err == WEIR_OK && i < s.n; i++)
        err = key_drop(r, &s.items[i], error);
    weir_free(s.items);
    return err;
}

weir_err weir_registration_put_keys(weir_registration *r, weir_error *error)
{
    WEIR_TEXT_AUTO room = WEIR_TEXT_INIT;
    weir_err err = r->diff ? changed_drop(r, &room, error) : WEIR_OK;
    if (err == WEIR_OK)
        err = keys_put(r, &room, error);
    return err == WEIR_OK && !r->diff ? strays_drop(r, &room, error) : err;
}
