/* SPDX-License-Identifier: MIT */
/* Renamed tags: which uid goes on under another name. */

/*
 * First every renamed tag gives its name up, in the table, for one that no tag can have; then each
 * takes its new one. So names can be exchanged, and none is ever there twice.
 *
 * That a tag was renamed before is known by its versions: the tag which has the name now has had
 * the former one. `was` may therefore stay in the configuration.
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

/* The tag gives up its name. "\x01": names have no control characters. */
static weir_err tag_take(weir_registration *r, uint32_t tag, weir_tag_uid uid, weir_error *error)
{
    char temporary[16];
    (void)snprintf(temporary, sizeof temporary, "\x01%u", uid);
    (void)sqlite3_bind_int64(r->move, 1, uid);
    (void)sqlite3_bind_text(r->move, 2, temporary, -1, SQLITE_STATIC);
    r->uids[tag] = uid;
    r->n_named++;
    return weir_db_run(r->move, error);
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
    return err == WEIR_OK && old ? tag_take(r, tag, old, error) : err;
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

/* A device that its provider knows by a key, or has points that it knows so: the older catalog has
 * the same, maybe under other names. */
static weir_err device_rename_by_key(weir_registration *r, uint32_t device, weir_error *error)
{
    const weir_device *fresh = &r->catalog->devices[device];
    const weir_device *old = &r->diff->older->devices[r->diff->devices.old_of[device]];
    WEIR_CLEANUP(weir_free) void *owner = weir_alloc((fresh->n_points + 1) * sizeof(uint32_t));
    uint32_t *old_of = owner;
    weir_err err = WEIR_OK;
    if (!old_of || !weir_diff_points(r->diff, device, old_of))
        return weir_fail(error, WEIR_ENOMEM, "no memory for a device's points");
    for (uint32_t i = 0; err == WEIR_OK && i < fresh->n_points; i++) {
        const weir_point *p = &fresh->points[i];
        if (old_of[i] == WEIR_DIFF_NONE || !(has(fresh->key) || has(p->key)))
            continue;
        const weir_point *q = &old->points[old_of[i]];
        const uint32_t n = p->count < q->count ? p->count : q->count;
        const bool renamed = strcmp(old->name, fresh->name) != 0 || strcmp(p->name, q->name) != 0;
        for (uint32_t k = 0; err == WEIR_OK && renamed && k < n; k++) {
            const uint32_t tag = fresh->first_tag + fresh->point_tag[i] + k;
            const weir_tag_uid uid =
                r->diff->older->tags[old->first_tag + old->point_tag[old_of[i]] + k].uid;
            err = uid ? tag_take(r, tag, uid, error) : WEIR_OK;
        }
    }
    return err;
}

static weir_err tags_take(weir_registration *r, weir_text *name, weir_text *former,
                          weir_error *error)
{
    weir_err err = WEIR_OK;
    for (uint32_t i = 0; err == WEIR_OK && r->diff && i < r->catalog->n_devices; i++)
        if (r->diff->devices.change[i] == WEIR_CHANGE_AROUND ||
            r->diff->devices.change[i] == WEIR_CHANGE_READS)
            err = device_rename_by_key(r, i, error);
    for (uint32_t i = 0; err == WEIR_OK && i < r->catalog->n_tags; i++) {
        const weir_tag *tag = &r->catalog->tags[i];
        if (r->uids[i] == 0 && (has(weir_tag_device(r->catalog, tag)->was) ||
                                has(weir_tag_point(r->catalog, tag)->was)))
            err = tag_rename_by_was(r, i, name, former, error);
    }
    return err;
}

/* Gives the tags that were taken their names; whoever has one of these is not in the catalog. */
static weir_err tags_name(weir_registration *r, weir_text *name, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (uint32_t i = 0; err == WEIR_OK && r->n_named && i < r->catalog->n_tags; i++) {
        if (r->uids[i] == 0)
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
