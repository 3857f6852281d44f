/* SPDX-License-Identifier: MIT */
/* Renamed tags: which uid goes on under another name. */

/*
 * First every renamed tag gives its name up, in the table, for one that no tag can have; then each
 * takes its new one. So names can be exchanged, and none is ever there twice.
 *
 * That a tag was renamed by `was` before is known by its versions: the tag which has the name now
 * has had the former one. `was` may therefore stay in the configuration. A key says it each time
 * anew: exchanging two names and exchanging them back are two changes.
 */

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/registration_priv.h"
#include "store/store_priv.h"

/* 0: no tag has this name. */
static weir_err tag_lookup(weir_registration *r, const weir_text *name, weir_tag_uid *ret,
                           weir_error *error)
{
    bool row;
    if (name->failed)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a tag's name");
    (void)sqlite3_bind_text64(r->lookup, 1, weir_text_get(name), name->length, SQLITE_STATIC,
                              SQLITE_UTF8);
    weir_err err = weir_db_step(r->lookup, &row, error);
    if (err == WEIR_OK)
        *ret = row ? (weir_tag_uid)sqlite3_column_int64(r->lookup, 0) : 0;
    (void)sqlite3_reset(r->lookup);
    return err;
}

static weir_err tag_had_name(weir_registration *r, weir_tag_uid uid, const weir_text *name,
                             bool *ret, weir_error *error)
{
    (void)sqlite3_bind_int64(r->former, 1, uid);
    (void)sqlite3_bind_text64(r->former, 2, weir_text_get(name), name->length, SQLITE_STATIC,
                              SQLITE_UTF8);
    weir_err err = weir_db_step(r->former, ret, error);
    (void)sqlite3_reset(r->former);
    return err;
}

/* Whether somebody can still be this tag. */
static bool tag_is_free(const weir_registration *r, weir_tag_uid uid)
{
    return uid && uid < r->n_taken && r->taken[uid] == WEIR_TAKEN_NOT;
}

/* The tag gives up its name. "\x01": names have no control characters. */
static weir_err tag_take(weir_registration *r, uint32_t tag, weir_tag_uid uid, weir_error *error)
{
    char temporary[16];
    (void)snprintf(temporary, sizeof temporary, "\x01%u", uid);
    (void)sqlite3_bind_int64(r->move, 1, uid);
    (void)sqlite3_bind_text(r->move, 2, temporary, -1, SQLITE_STATIC);
    r->uids[tag] = uid;
    r->taken[uid] = WEIR_TAKEN_MOVED;
    r->n_named++;
    return weir_db_run(r->move, error);
}

static void tag_keep(weir_registration *r, uint32_t tag, weir_tag_uid uid)
{
    r->uids[tag] = uid;
    r->taken[uid] = WEIR_TAKEN_IN_PLACE;
}

static void name_put(weir_text *t, const char *device, const char *point, bool array,
                     uint32_t element)
{
    weir_text_clear(t);
    weir_text_format(t, "%s/%s", device, point);
    if (array)
        weir_text_format(t, "[%u]", element);
}

static bool has(const char *text)
{
    return text && *text;
}

/* Takes what `former` is called, unless the tag that has the new name was called so before. */
static weir_err tag_try_former(weir_registration *r, uint32_t tag, const weir_text *name,
                               const weir_text *former, weir_error *error)
{
    weir_tag_uid holder = 0, old = 0;
    bool applied = false;
    weir_err err = tag_lookup(r, name, &holder, error);
    if (err == WEIR_OK && holder)
        err = tag_had_name(r, holder, former, &applied, error);
    if (err != WEIR_OK || applied)
        return err;
    err = tag_lookup(r, former, &old, error);
    return err == WEIR_OK && tag_is_free(r, old) ? tag_take(r, tag, old, error) : err;
}

/* By what the configuration says: device and point were called otherwise, or one of them. */
static weir_err tag_rename_by_was(weir_registration *r, uint32_t index, weir_text *name,
                                  weir_text *former, weir_error *error)
{
    const weir_tag *tag = &r->catalog->tags[index];
    const weir_device *d = weir_tag_device(r->catalog, tag);
    const weir_point *p = weir_tag_point(r->catalog, tag);
    const struct {
        bool wanted;
        const char *device, *point;
    } formers[] = {{has(d->was) && has(p->was), d->was, p->was},
                   {has(d->was), d->was, p->name},
                   {has(p->was), d->name, p->was}};
    weir_err err = WEIR_OK;
    name_put(name, d->name, p->name, p->count > 1, tag->element);
    for (size_t i = 0; err == WEIR_OK && r->uids[index] == 0 && i < 3; i++) {
        if (!formers[i].wanted)
            continue;
        name_put(former, formers[i].device, formers[i].point, p->count > 1, tag->element);
        err = tag_try_former(r, index, name, former, error);
    }
    return err;
}

/* ---- by key ---- */

/* The tag is the one with this uid, under its name or another one. */
static weir_err tag_be(weir_registration *r, uint32_t index, weir_tag_uid uid, weir_text *name,
                       weir_error *error)
{
    weir_tag_uid holder = 0;
    weir_text_clear(name);
    weir_tag_name(r->catalog, &r->catalog->tags[index], name);
    weir_err err = tag_lookup(r, name, &holder, error);
    if (err != WEIR_OK || holder != uid)
        return err == WEIR_OK ? tag_take(r, index, uid, error) : err;
    tag_keep(r, index, uid);
    return WEIR_OK;
}

/* Whether a version of the tag was of a point with this name. */
static weir_err tag_had_point(weir_registration *r, weir_tag_uid uid, const weir_point *p,
                              uint32_t element, bool *ret, weir_error *error)
{
    WEIR_TEXT_AUTO was = WEIR_TEXT_INIT;
    weir_text_add(&was, p->was);
    if (p->count > 1)
        weir_text_format(&was, "[%u]", element);
    if (was.failed)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a point's name");
    (void)sqlite3_bind_int64(r->had_point, 1, uid);
    (void)sqlite3_bind_text(r->had_point, 2, weir_text_get(&was), -1, SQLITE_STATIC);
    const weir_err err = weir_db_step(r->had_point, ret, error);
    (void)sqlite3_reset(r->had_point);
    return err;
}

/* Of a point that has no key in a device that has one: it is known by its name there, or, once, by
 * its former one. *uid: by its name, or 0. */
static weir_err point_try_former(weir_registration *r, const weir_tag *tag, weir_text *room,
                                 weir_tag_uid *uid, weir_error *error)
{
    const weir_point *p = weir_tag_point(r->catalog, tag);
    weir_tag_uid former = 0;
    bool applied = false;
    weir_err err = *uid ? tag_had_point(r, *uid, p, tag->element, &applied, error) : WEIR_OK;
    if (err != WEIR_OK || applied)
        return err;
    weir_text_clear(room);
    weir_text_format(room, "/%s", p->was);
    if (room->failed)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a point's name");
    const weir_tag_key key = {weir_tag_device(r->catalog, tag)->key, weir_text_get(room),
                              tag->element};
    err = weir_registration_find_key(r, &key, &former, error);
    *uid = err == WEIR_OK && former ? former : *uid;
    return err;
}

/* 0: it has no key, or one that was not registered. */
static weir_err tag_find_key(weir_registration *r, const weir_tag *tag, weir_text *room,
                             weir_tag_uid *ret, weir_error *error)
{
    weir_tag_key key;
    if (!weir_tag_key_of(r->catalog, tag, room, &key))
        return WEIR_OK;
    if (room->failed)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a tag's key");
    return weir_registration_find_key(r, &key, ret, error);
}

static weir_err tags_take_by_key(weir_registration *r, weir_text *name, weir_text *room,
                                 weir_error *error)
{
    weir_err err = WEIR_OK;
    for (uint32_t i = 0; err == WEIR_OK && i < r->catalog->n_tags; i++) {
        const weir_tag *tag = &r->catalog->tags[i];
        const weir_point *p = weir_tag_point(r->catalog, tag);
        weir_tag_uid uid = 0;
        if (r->uids[i] || weir_key_is_guess(p->key))
            continue;
        err = tag_find_key(r, tag, room, &uid, error);
        if (err == WEIR_OK && has(weir_tag_device(r->catalog, tag)->key) && !has(p->key) &&
            has(p->was))
            err = point_try_former(r, tag, room, &uid, error);
        if (err == WEIR_OK && tag_is_free(r, uid))
            err = tag_be(r, i, uid, name, error);
    }
    return err;
}

/* ---- by guess ---- */

/* Those whose name is there are who they were; the guess is about the others. */
static weir_err tags_take_by_guess(weir_registration *r, bool names, weir_text *name,
                                   weir_text *room, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (uint32_t i = 0; err == WEIR_OK && i < r->catalog->n_tags; i++) {
        const weir_tag *tag = &r->catalog->tags[i];
        weir_tag_uid uid = 0;
        if (r->uids[i] || !weir_key_is_guess(weir_tag_point(r->catalog, tag)->key))
            continue;
        weir_text_clear(name);
        weir_tag_name(r->catalog, tag, name);
        err = names ? tag_lookup(r, name, &uid, error) : tag_find_key(r, tag, room, &uid, error);
        if (err != WEIR_OK || !tag_is_free(r, uid))
            continue;
        if (names)
            tag_keep(r, i, uid);
        else
            err = tag_take(r, i, uid, error);
    }
    return err;
}

/* ---- all ---- */

static weir_err tags_take(weir_registration *r, weir_text *name, weir_text *former,
                          weir_error *error)
{
    weir_err err = tags_take_by_key(r, name, former, error);
    for (uint32_t i = 0; err == WEIR_OK && i < r->catalog->n_tags; i++) {
        const weir_tag *tag = &r->catalog->tags[i];
        if (r->uids[i] == 0 && (has(weir_tag_device(r->catalog, tag)->was) ||
                                has(weir_tag_point(r->catalog, tag)->was)))
            err = tag_rename_by_was(r, i, name, former, error);
    }
    for (int names = 1; err == WEIR_OK && names >= 0; names--)
        err = tags_take_by_guess(r, names, name, former, error);
    return err;
}

/* Gives the tags that were taken their names; whoever has one of these is not in the catalog. */
static weir_err tags_name(weir_registration *r, weir_text *name, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (uint32_t i = 0; err == WEIR_OK && r->n_named && i < r->catalog->n_tags; i++) {
        if (r->uids[i] == 0 || r->taken[r->uids[i]] != WEIR_TAKEN_MOVED)
            continue;
        weir_text_clear(name);
        weir_tag_name(r->catalog, &r->catalog->tags[i], name);
        if (name->failed)
            return weir_fail(error, WEIR_ENOMEM, "no memory for a tag's name");
        (void)sqlite3_bind_text(r->displace, 1, weir_text_get(name), -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(r->displace, 2, r->uids[i]);
        err = weir_db_run(r->displace, error);
        (void)sqlite3_bind_int64(r->move, 1, r->uids[i]);
        (void)sqlite3_bind_text(r->move, 2, weir_text_get(name), -1, SQLITE_STATIC);
        if (err == WEIR_OK)
            err = weir_db_run(r->move, error);
    }
    return err;
}

weir_err weir_registration_rename(weir_registration *r, weir_error *error)
{
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO former = WEIR_TEXT_INIT;
    weir_err err = tags_take(r, &name, &former, error);
    return err == WEIR_OK ? tags_name(r, &name, error) : err;
}
