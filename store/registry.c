/* SPDX-License-Identifier: MIT */
/* The registry: which uid a tag has for ever, what it was called and measured when, and devices. */

/*
 * A tag is found by its name, or where it was renamed by the former one (rename.c). A known name
 * keeps its uid; a new one gets the next, and no uid is ever given twice. What can change about a
 * tag is a version, valid from the sequence number that the next sample gets; a register call that
 * changes nothing writes nothing about tags.
 */

#include "store/store.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "model/place.h"
#include "model/type.h"
#include "store/file/database.h"
#include "store/file/lock.h"
#include "store/file/names.h"
#include "store/plans.h"
#include "store/registration_priv.h"
#include "store/store_priv.h"

/* What the versions of a tag are about. */
struct tag_texts {
    weir_text name, labels, address;
};

static void tag_texts_deinit(struct tag_texts *t)
{
    weir_text_deinit(&t->name);
    weir_text_deinit(&t->labels);
    weir_text_deinit(&t->address);
}

/* "holding 52 float32 ABCD on boiler-room unit 1", "coil 4-13 bytes on ...". */
static void address_format(const weir_catalog *c, const weir_tag *tag, weir_text *t)
{
    const weir_device *d = weir_tag_device(c, tag);
    const weir_point *p = weir_tag_point(c, tag);
    const weir_connection *connection = &c->connections[d->connection];
    if (!weir_scheme_is_modbus(connection->uri.scheme)) {
        weir_text_format(t, "%.*s on %s", (int)strcspn(connection->uri_text, ":"),
                         connection->uri_text, connection->name);
        return;
    }
    weir_place_format(p, tag->element, t);
    if (p->bit >= 0)
        weir_text_format(t, " bit %d", p->bit);
    weir_text_format(t, " %s", weir_type_text(p->type));
    unsigned width = weir_type_width(p->type);
    if (width > 1 && !weir_register_is_bits(p->table))
        weir_text_format(t, " %s", weir_order_text(p->order, width));
    weir_text_format(t, " on %s unit %u", connection->name, d->unit_id);
}

static void registration_deinit(weir_registration *r)
{
    (void)sqlite3_finalize(r->lookup);
    (void)sqlite3_finalize(r->former);
    (void)sqlite3_finalize(r->move);
    (void)sqlite3_finalize(r->displace);
    (void)sqlite3_finalize(r->device_keep);
    (void)sqlite3_finalize(r->find);
    (void)sqlite3_finalize(r->add);
    (void)sqlite3_finalize(r->activate);
    (void)sqlite3_finalize(r->retire);
    (void)sqlite3_finalize(r->version);
    (void)sqlite3_finalize(r->device);
    weir_free(r->uids);
}

static weir_err registration_init(weir_registration *r, weir_error *error)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } all[] = {
        /* The parameters from the third on are those of `version`, so that one binding serves
         * both. "same": the newest version says just that. */
        {&r->lookup, "SELECT uid FROM tag WHERE name=?"},
        {&r->former, "SELECT 1 FROM tag_version WHERE uid=? AND name=? LIMIT 1"},
        {&r->move, "UPDATE tag SET name=?2 WHERE uid=?1"},
        {&r->displace, "UPDATE tag SET name=name||'~'||uid WHERE name=? AND uid<>?"},
        {&r->find,
         "SELECT t.uid, t.active, v.name IS ?3 AND v.device IS ?4 AND v.unit IS ?5 AND v.type IS "
         "?6 AND v.scale IS "
         "?7"
         " AND v.offset IS ?8 AND v.description IS ?9 AND v.labels IS ?10 AND v.address IS ?11"
         " AND v.counter IS ?12"
         " FROM tag t JOIN tag_version v ON v.uid=t.uid WHERE t.uid=?1"
         " ORDER BY v.seq DESC LIMIT 1"},
        {&r->add, "INSERT INTO tag(name, active) VALUES(?, 1)"},
        {&r->activate, "UPDATE tag SET active=1 WHERE uid=?"},
        {&r->retire, "UPDATE tag SET active=0 WHERE uid=?"},
        /* Two registrations without a sample between them: only the second ever held. */
        {&r->version, "INSERT OR REPLACE INTO tag_version VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"},
        {&r->device,
         "INSERT INTO device VALUES(?1,?2,?3,?4,NULL,'',0,0,0,NULL,NULL,?5) ON CONFLICT(name) DO"
         " UPDATE SET connection=?2, state=?3, since=?4, error='', catalog=?5"},
        {&r->device_keep, "UPDATE device SET connection=?2, catalog=?3 WHERE name=?1"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        weir_err err = weir_db_prepare(r->store->db, all[i].sql, all[i].stmt, error);
        if (err != WEIR_OK)
            return err;
    }
    r->uids = weir_alloc_zero(r->catalog->n_tags + 1, sizeof *r->uids);
    return r->uids ? WEIR_OK
                   : weir_fail(error, WEIR_ENOMEM, "no memory for %zu tags", r->catalog->n_tags);
}

static void bind_text(sqlite3_stmt *s, int at, const weir_text *text)
{
    (void)sqlite3_bind_text64(s, at, weir_text_get(text), text->length, SQLITE_STATIC, SQLITE_UTF8);
}

static void tag_bind(sqlite3_stmt *s, const weir_registration *r, const weir_tag *tag,
                     const struct tag_texts *texts)
{
    const weir_device *d = weir_tag_device(r->catalog, tag);
    const weir_point *p = weir_tag_point(r->catalog, tag);
    (void)sqlite3_bind_int64(s, 2, (int64_t)r->store->position.committed_seq + 1);
    bind_text(s, 3, &texts->name);
    (void)sqlite3_bind_text(s, 4, d->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 5, p->unit, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 6, weir_type_text(p->type), -1, SQLITE_STATIC);
    (void)sqlite3_bind_double(s, 7, p->scale);
    (void)sqlite3_bind_double(s, 8, p->offset);
    (void)sqlite3_bind_text(s, 9, p->description, -1, SQLITE_STATIC);
    bind_text(s, 10, &texts->labels);
    bind_text(s, 11, &texts->address);
    (void)sqlite3_bind_int(s, 12, p->counter);
}

/* Gives a new name its uid. */
static weir_err tag_add(weir_registration *r, const struct tag_texts *texts, weir_tag_uid *ret,
                        weir_error *error)
{
    bind_text(r->add, 1, &texts->name);
    weir_err err = weir_db_run(r->add, error);
    int64_t uid = sqlite3_last_insert_rowid(r->store->db);
    if (err == WEIR_OK && uid >= UINT32_MAX)
        return weir_fail(error, WEIR_ELIMIT, "no tag uid is left");
    *ret = (weir_tag_uid)uid;
    return err;
}

/* uid 0: the tag is not there. */
static weir_err tag_lookup(weir_registration *r, const weir_text *name, weir_tag_uid *ret_uid,
                           weir_error *error)
{
    bool known;
    bind_text(r->lookup, 1, name);
    weir_err err = weir_db_step(r->lookup, &known, error);
    if (err == WEIR_OK && known)
        *ret_uid = (weir_tag_uid)sqlite3_column_int64(r->lookup, 0);
    (void)sqlite3_reset(r->lookup);
    return err;
}

/* uid: of a tag that was renamed, else 0. */
static weir_err tag_store(weir_registration *r, const weir_tag *tag, const struct tag_texts *texts,
                          weir_tag_uid *uid, weir_error *error)
{
    bool known = false, active = true, same = false;
    weir_err err = *uid ? WEIR_OK : tag_lookup(r, &texts->name, uid, error);
    if (err == WEIR_OK && *uid) {
        tag_bind(r->find, r, tag, texts);
        (void)sqlite3_bind_int64(r->find, 1, *uid);
        err = weir_db_step(r->find, &known, error);
        active = err == WEIR_OK && known && sqlite3_column_int(r->find, 1);
        same = err == WEIR_OK && known && sqlite3_column_int(r->find, 2);
        (void)sqlite3_reset(r->find);
    } else if (err == WEIR_OK) {
        err = tag_add(r, texts, uid, error);
        r->n_named++;
    }
    if (err == WEIR_OK && !active) {
        (void)sqlite3_bind_int64(r->activate, 1, *uid);
        err = weir_db_run(r->activate, error);
    }
    if (err == WEIR_OK && !same) {
        tag_bind(r->version, r, tag, texts);
        (void)sqlite3_bind_int64(r->version, 1, *uid);
        err = weir_db_run(r->version, error);
    }
    return err;
}

static weir_err tag_register(weir_registration *r, uint32_t index, struct tag_texts *texts,
                             weir_error *error)
{
    const weir_tag *tag = &r->catalog->tags[index];
    weir_text_clear(&texts->name);
    weir_text_clear(&texts->labels);
    weir_text_clear(&texts->address);
    weir_tag_name(r->catalog, tag, &texts->name);
    weir_tag_labels_format(weir_labels_of_tag(r->catalog, tag), &texts->labels);
    address_format(r->catalog, tag, &texts->address);
    return texts->name.failed || texts->labels.failed || texts->address.failed
               ? weir_fail(error, WEIR_ENOMEM, "no memory for a tag's texts")
               : tag_store(r, tag, texts, &r->uids[index], error);
}

/* Nothing of the device's tags is different from what is registered: not their names, and not that
 * of their connection. */
static bool device_is_registered(const weir_registration *r, uint32_t device)
{
    return r->diff && r->diff->devices.change[device] == WEIR_CHANGE_NONE &&
           r->diff->connections.change[r->catalog->devices[device].connection] !=
               WEIR_CHANGE_AROUND;
}

static void device_copy_uids(weir_registration *r, uint32_t device)
{
    const weir_device *fresh = &r->catalog->devices[device];
    const weir_device *old = &r->diff->older->devices[r->diff->devices.old_of[device]];
    for (uint32_t i = 0; i < fresh->n_tags; i++)
        r->uids[fresh->first_tag + i] = r->diff->older->tags[old->first_tag + i].uid;
}

static weir_err tags_store(weir_registration *r, weir_error *error)
{
    struct tag_texts texts = {WEIR_TEXT_INIT, WEIR_TEXT_INIT, WEIR_TEXT_INIT};
    weir_err err = weir_registration_rename(r, error);
    for (uint32_t d = 0; err == WEIR_OK && d < r->catalog->n_devices; d++) {
        const weir_device *device = &r->catalog->devices[d];
        if (device_is_registered(r, d)) {
            device_copy_uids(r, d);
            continue;
        }
        for (uint32_t i = 0; err == WEIR_OK && i < device->n_tags; i++)
            err = tag_register(r, device->first_tag + i, &texts, error);
    }
    tag_texts_deinit(&texts);
    return err;
}

/* Tags that the catalog has no longer keep their history, but are not current. */
static weir_err tags_retire(weir_registration *r, size_t n_uids, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *active = NULL;
    WEIR_CLEANUP(weir_free) void *owner = weir_alloc_zero(n_uids, 1);
    uint8_t *seen = owner;
    bool row = false;
    if (!seen)
        return weir_fail(error, WEIR_ENOMEM, "no memory for %zu tags", n_uids);
    for (size_t i = 0; i < r->catalog->n_tags; i++)
        seen[r->uids[i]] = 1;
    weir_err err = weir_db_prepare(r->store->db, "SELECT uid FROM tag WHERE active ORDER BY uid",
                                   &active, error);
    while (err == WEIR_OK && (err = weir_db_step(active, &row, error)) == WEIR_OK && row) {
        int64_t uid = sqlite3_column_int64(active, 0);
        if (seen[uid])
            continue;
        (void)sqlite3_bind_int64(r->retire, 1, uid);
        err = weir_db_run(r->retire, error);
    }
    return err;
}

/* How a device stands goes on, when it does. */
static weir_err device_keep(weir_registration *r, const weir_device *device, int64_t generation,
                            weir_error *error)
{
    const weir_connection *connection = &r->catalog->connections[device->connection];
    (void)sqlite3_bind_text(r->device_keep, 1, device->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(r->device_keep, 2, connection->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(r->device_keep, 3, generation);
    return weir_db_run(r->device_keep, error);
}

static weir_err device_start(weir_registration *r, const weir_device *d, int64_t generation,
                             weir_wall now, weir_error *error)
{
    const weir_connection *c = &r->catalog->connections[d->connection];
    (void)sqlite3_bind_text(r->device, 1, d->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(r->device, 2, c->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(r->device, 3, d->enabled && c->enabled ? "connecting" : "disabled", -1,
                            SQLITE_STATIC);
    (void)sqlite3_bind_int64(r->device, 4, now.us);
    (void)sqlite3_bind_int64(r->device, 5, generation);
    return weir_db_run(r->device, error);
}

/* Devices that are new or read otherwise start anew; those the catalog has not go. */
static weir_err devices_store(weir_registration *r, weir_wall now, weir_error *error)
{
    int64_t generation;
    weir_err err = weir_db_int(r->store->db, "SELECT value+1 FROM meta WHERE key='catalog'", 1,
                               &generation, error);
    for (uint32_t i = 0; err == WEIR_OK && i < r->catalog->n_devices; i++) {
        const weir_device *d = &r->catalog->devices[i];
        const uint32_t old = r->diff ? r->diff->devices.old_of[i] : WEIR_DIFF_NONE;
        const bool stays = old != WEIR_DIFF_NONE &&
                           r->diff->devices.change[i] < WEIR_CHANGE_READS &&
                           strcmp(r->diff->older->devices[old].name, d->name) == 0;
        err = stays ? device_keep(r, d, generation, error)
                    : device_start(r, d, generation, now, error);
    }
    if (err == WEIR_OK)
        err = weir_db_exec(r->store->db,
                           "UPDATE meta SET value=value+1 WHERE key='catalog';"
                           "DELETE FROM device WHERE catalog<>"
                           "(SELECT value FROM meta WHERE key='catalog')",
                           error);
    return err;
}

/* A copy of the names for a repair. */
static weir_err names_note(const weir_store *store, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    bool row;
    weir_err err =
        weir_db_prepare(store->db, "SELECT uid, name FROM tag ORDER BY uid", &rows, error);
    weir_store_note(store);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row)
        weir_text_format(&text, "%lld %s\n", (long long)sqlite3_column_int64(rows, 0),
                         (const char *)sqlite3_column_text(rows, 1));
    if (err == WEIR_OK && text.failed)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the tags' names");
    if (err == WEIR_OK && store->lock_fd >= 0)
        weir_lock_tags_write(store->lock_fd, &text);
    return err;
}

/* All but the end of the transaction. */
static weir_err registration_write(weir_registration *r, weir_wall now, weir_error *error)
{
    weir_err err = weir_db_run(r->store->begin, error);
    if (err == WEIR_OK)
        err = tags_store(r, error);
    if (err == WEIR_OK)
        err = weir_db_int(r->store->db, "SELECT max(uid) FROM tag", 0, &r->last, error);
    if (err == WEIR_OK)
        err = tags_retire(r, (size_t)r->last + 1, error);
    if (err == WEIR_OK)
        err = devices_store(r, now, error);
    if (err == WEIR_OK)
        err = weir_plan_bits_register(r->store, r->catalog, error);
    return err;
}

static weir_err registration_commit(weir_registration *r, weir_error *error)
{
    weir_err err = weir_db_run(r->store->commit, error);
    if (err == WEIR_OK && (size_t)r->last + 1 > r->store->pending.n_tags)
        r->store->pending.n_tags = (size_t)r->last + 1;
    r->store->catalog_changes++;
    return err;
}

static void registration_free(weir_store *store)
{
    if (store->registering) {
        registration_deinit(store->registering);
        weir_free(store->registering);
    }
    store->registering = NULL;
}

weir_err weir_store_register_begin(weir_store *store, weir_catalog *catalog, const weir_diff *diff,
                                   weir_wall now, weir_error *error)
{
    if (!store->db)
        return weir_fail(error, WEIR_EIO, "the store could not be opened again");
    assert(!store->registering && (!diff || diff->older == store->catalog));
    weir_registration *r = store->registering = weir_alloc_zero(1, sizeof *r);
    if (!r)
        return weir_fail(error, WEIR_ENOMEM, "the tags' registration");
    *r = (weir_registration){.store = store, .catalog = catalog, .diff = diff};
    /* What waits was acquired before this catalog: its numbers come first. */
    weir_err err = weir_store_commit(store, now, error);
    if (err == WEIR_OK)
        err = registration_init(r, error);
    if (err == WEIR_OK) {
        err = registration_write(r, now, error);
        if (err != WEIR_OK)
            weir_store_rollback(store);
    }
    for (size_t i = 0; err == WEIR_OK && i < catalog->n_tags; i++)
        catalog->tags[i].uid = r->uids[i];
    if (err != WEIR_OK)
        registration_free(store);
    return err;
}

/* ret_noted: what came of the copy for a repair; what is registered is registered without it. */
static weir_err registration_end(weir_store *store, weir_err *ret_noted, weir_error *error)
{
    weir_registration *r = store->registering;
    *ret_noted = WEIR_OK;
    weir_err err = registration_commit(r, error);
    if (err != WEIR_OK)
        weir_store_rollback(store);
    else
        store->catalog = r->catalog;
    if (err == WEIR_OK && (r->n_named || !r->diff))
        *ret_noted = names_note(store, error);
    registration_free(store);
    return err;
}

weir_err weir_store_register_end(weir_store *store, weir_error *error)
{
    weir_err noted;
    return registration_end(store, &noted, error);
}

void weir_store_register_cancel(weir_store *store)
{
    weir_store_rollback(store);
    registration_free(store);
}

weir_err weir_store_register(weir_store *store, weir_catalog *catalog, weir_wall now,
                             weir_error *error)
{
    weir_err err = weir_store_register_begin(store, catalog, NULL, now, error);
    weir_err noted = WEIR_OK;
    if (err == WEIR_OK)
        err = registration_end(store, &noted, error);
    return err == WEIR_OK ? noted : err;
}

/* A repair brings the tags' rows over, or at least their uids; a file that was made anew has none.
 * Names that are there under another uid would be somebody else's: they cannot be, as uids are
 * given only here. */
weir_err weir_registry_restore(weir_store *store, weir_wall now, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    struct tag_texts texts = {WEIR_TEXT_INIT, WEIR_TEXT_INIT, WEIR_TEXT_INIT};
    if (!store->catalog)
        return WEIR_OK;
    weir_err err = weir_db_prepare(store->db,
                                   "INSERT INTO tag(uid,name,active) VALUES(?,?,1)"
                                   " ON CONFLICT(uid) DO UPDATE SET name=excluded.name, active=1",
                                   &put, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->begin, error);
    for (size_t i = 0; err == WEIR_OK && i < store->catalog->n_tags; i++) {
        const weir_tag *tag = &store->catalog->tags[i];
        weir_text_clear(&texts.name);
        weir_tag_name(store->catalog, tag, &texts.name);
        (void)sqlite3_bind_int64(put, 1, tag->uid);
        bind_text(put, 2, &texts.name);
        err = weir_db_run(put, error);
    }
    if (err == WEIR_OK)
        err = weir_names_complete(store->db, error);
    if (err == WEIR_OK)
        err = weir_plan_bits_restore(store, store->catalog, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        weir_store_rollback(store);
    tag_texts_deinit(&texts);
    if (err != WEIR_OK)
        return err;
    weir_registration r = {.store = store, .catalog = store->catalog};
    err = registration_init(&r, error);
    if (err == WEIR_OK)
        err = registration_write(&r, now, error);
    if (err == WEIR_OK)
        err = registration_commit(&r, error);
    if (err != WEIR_OK)
        weir_store_rollback(store);
    registration_deinit(&r);
    return err == WEIR_OK ? names_note(store, error) : err;
}

/* --- devices ------------------------------------------------------------------------------ */

static void device_bind(sqlite3_stmt *s, const weir_device_record *d)
{
    (void)sqlite3_bind_text(s, 1, d->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 2, d->connection, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 3, d->state, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 4, d->since.us);
    if (d->last_good.us != 0)
        (void)sqlite3_bind_int64(s, 5, d->last_good.us);
    (void)sqlite3_bind_text(s, 6, d->error ? d->error : "", -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 7, (int64_t)d->requests);
    (void)sqlite3_bind_int64(s, 8, (int64_t)d->timeouts);
    (void)sqlite3_bind_int64(s, 9, (int64_t)d->late);
    if (d->rtt_p50_ms > 0)
        (void)sqlite3_bind_double(s, 10, d->rtt_p50_ms);
    if (d->rtt_p99_ms > 0)
        (void)sqlite3_bind_double(s, 11, d->rtt_p99_ms);
}

weir_err weir_store_put_devices(weir_store *store, const weir_device_record *devices, size_t n,
                                weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    weir_err err = weir_store_usable(store, error);
    if (err != WEIR_OK)
        return err;
    err = weir_db_prepare(store->db,
                          "INSERT OR REPLACE INTO device SELECT ?,?,?,?,?,?,?,?,?,?,?,"
                          " value FROM meta WHERE key='catalog'",
                          &put, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->begin, error);
    for (size_t i = 0; err == WEIR_OK && i < n; i++) {
        (void)sqlite3_clear_bindings(put);
        device_bind(put, &devices[i]);
        err = weir_db_run(put, error);
    }
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        weir_store_rollback(store);
    return weir_store_note_failure(store, err, error ? error->text : "devices were not stored");
}
