/* SPDX-License-Identifier: MIT */
/* The registry: which uid a tag has for ever, what it was called and measured when, and devices. */

/*
 * A tag is found by its name. A known name keeps its uid; a new one gets the next, and no uid is
 * ever given twice. What can change about a tag is a version, valid from the sequence number that
 * the next sample gets; a register call that changes nothing writes nothing about tags.
 */

#include "store/store.h"

#include <string.h>

#include "base/alloc.h"
#include "model/type.h"
#include "store/file/database.h"
#include "store/file/lock.h"
#include "store/file/names.h"
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

static void labels_format(const weir_device *d, weir_text *t)
{
    weir_text_add_char(t, '{');
    for (size_t i = 0; i < d->n_labels; i++) {
        if (i > 0)
            weir_text_add_char(t, ',');
        weir_text_add_json(t, d->labels[i].key, strlen(d->labels[i].key));
        weir_text_add_char(t, ':');
        weir_text_add_json(t, d->labels[i].value, strlen(d->labels[i].value));
    }
    weir_text_add_char(t, '}');
}

/* "holding 52 float32 ABCD on boiler-room unit 1". */
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
    unsigned address = p->address + tag->element * weir_point_element_size(p);
    if (p->table == WEIR_REGISTER_FUNCTION)
        weir_text_format(t, "function %u at %u", p->function, address);
    else
        weir_text_format(t, "%s %u", weir_register_text(p->table), address);
    if (p->bit >= 0)
        weir_text_format(t, " bit %d", p->bit);
    weir_text_format(t, " %s", weir_type_text(p->type));
    unsigned width = weir_type_width(p->type);
    if (width > 1 && !weir_register_is_bits(p->table))
        weir_text_format(t, " %s", weir_order_text(p->order, width));
    weir_text_format(t, " on %s unit %u", connection->name, d->unit_id);
}

/* Statements of one register call, and what it has seen. */
struct registration {
    weir_store *store;
    const weir_catalog *catalog;
    sqlite3_stmt *find, *add, *activate, *retire, *version;
    sqlite3_stmt *device;
    weir_tag_uid *uids; /* of the catalog's tags */
};

static void registration_deinit(struct registration *r)
{
    (void)sqlite3_finalize(r->find);
    (void)sqlite3_finalize(r->add);
    (void)sqlite3_finalize(r->activate);
    (void)sqlite3_finalize(r->retire);
    (void)sqlite3_finalize(r->version);
    (void)sqlite3_finalize(r->device);
    weir_free(r->uids);
}

static weir_err registration_init(struct registration *r, weir_error *error)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } all[] = {
        /* The parameters from the third on are those of `version`, so that one binding serves
         * both. "same": the newest version says just that. */
        {&r->find,
         "SELECT t.uid, t.active, v.device IS ?4 AND v.unit IS ?5 AND v.type IS ?6 AND v.scale IS "
         "?7"
         " AND v.offset IS ?8 AND v.description IS ?9 AND v.labels IS ?10 AND v.address IS ?11"
         " AND v.counter IS ?12"
         " FROM tag t JOIN tag_version v ON v.uid=t.uid WHERE t.name=?3"
         " ORDER BY v.seq DESC LIMIT 1"},
        {&r->add, "INSERT INTO tag(name, active) VALUES(?, 1)"},
        {&r->activate, "UPDATE tag SET active=1 WHERE uid=?"},
        {&r->retire, "UPDATE tag SET active=0 WHERE uid=?"},
        /* Two registrations without a sample between them: only the second ever held. */
        {&r->version, "INSERT OR REPLACE INTO tag_version VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"},
        {&r->device,
         "INSERT INTO device VALUES(?1,?2,?3,?4,NULL,'',0,0,0,NULL,NULL,?5) ON CONFLICT(name) DO"
         " UPDATE SET connection=?2, state=?3, since=?4, error='', catalog=?5"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        weir_err err = weir_db_prepare(r->store->db, all[i].sql, all[i].stmt, error);
        if (err != WEIR_OK)
            return err;
    }
    r->uids = weir_alloc(r->catalog->n_tags * sizeof *r->uids);
    return r->uids ? WEIR_OK
                   : weir_fail(error, WEIR_ENOMEM, "no memory for %zu tags", r->catalog->n_tags);
}

static void bind_text(sqlite3_stmt *s, int at, const weir_text *text)
{
    (void)sqlite3_bind_text64(s, at, weir_text_get(text), text->length, SQLITE_STATIC, SQLITE_UTF8);
}

static void tag_bind(sqlite3_stmt *s, const struct registration *r, const weir_tag *tag,
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
static weir_err tag_add(struct registration *r, const struct tag_texts *texts, weir_tag_uid *ret,
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

static weir_err tag_store(struct registration *r, const weir_tag *tag,
                          const struct tag_texts *texts, weir_tag_uid *ret, weir_error *error)
{
    bool known, active = true, same = false;
    tag_bind(r->find, r, tag, texts);
    weir_err err = weir_db_step(r->find, &known, error);
    if (err == WEIR_OK && known) {
        *ret = (weir_tag_uid)sqlite3_column_int64(r->find, 0);
        active = sqlite3_column_int(r->find, 1);
        same = sqlite3_column_int(r->find, 2);
    }
    (void)sqlite3_reset(r->find);
    if (err == WEIR_OK && !known)
        err = tag_add(r, texts, ret, error);
    if (err == WEIR_OK && !active) {
        (void)sqlite3_bind_int64(r->activate, 1, *ret);
        err = weir_db_run(r->activate, error);
    }
    if (err == WEIR_OK && !same) {
        tag_bind(r->version, r, tag, texts);
        (void)sqlite3_bind_int64(r->version, 1, *ret);
        err = weir_db_run(r->version, error);
    }
    return err;
}

static weir_err tags_store(struct registration *r, weir_error *error)
{
    struct tag_texts texts = {WEIR_TEXT_INIT, WEIR_TEXT_INIT, WEIR_TEXT_INIT};
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < r->catalog->n_tags; i++) {
        const weir_tag *tag = &r->catalog->tags[i];
        weir_text_clear(&texts.name);
        weir_text_clear(&texts.labels);
        weir_text_clear(&texts.address);
        weir_tag_name(r->catalog, tag, &texts.name);
        labels_format(weir_tag_device(r->catalog, tag), &texts.labels);
        address_format(r->catalog, tag, &texts.address);
        err = texts.name.failed || texts.labels.failed || texts.address.failed
                  ? weir_fail(error, WEIR_ENOMEM, "no memory for a tag's texts")
                  : tag_store(r, tag, &texts, &r->uids[i], error);
    }
    tag_texts_deinit(&texts);
    return err;
}

/* Tags that the catalog has no longer keep their history, but are not current. */
static weir_err tags_retire(struct registration *r, size_t n_uids, weir_error *error)
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

/* Devices of the catalog start anew; others go. */
static weir_err devices_store(struct registration *r, weir_wall now, weir_error *error)
{
    int64_t generation;
    weir_err err = weir_db_int(r->store->db, "SELECT value+1 FROM meta WHERE key='catalog'", 1,
                               &generation, error);
    for (size_t i = 0; err == WEIR_OK && i < r->catalog->n_devices; i++) {
        const weir_device *d = &r->catalog->devices[i];
        const weir_connection *c = &r->catalog->connections[d->connection];
        (void)sqlite3_bind_text(r->device, 1, d->name, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(r->device, 2, c->name, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(r->device, 3, d->enabled && c->enabled ? "connecting" : "disabled",
                                -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(r->device, 4, now.us);
        (void)sqlite3_bind_int64(r->device, 5, generation);
        err = weir_db_run(r->device, error);
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

static weir_err registration_write(struct registration *r, weir_wall now, weir_error *error)
{
    int64_t last = 0;
    weir_err err = weir_db_run(r->store->begin, error);
    if (err == WEIR_OK)
        err = tags_store(r, error);
    if (err == WEIR_OK)
        err = weir_db_int(r->store->db, "SELECT max(uid) FROM tag", 0, &last, error);
    if (err == WEIR_OK)
        err = tags_retire(r, (size_t)last + 1, error);
    if (err == WEIR_OK)
        err = devices_store(r, now, error);
    if (err == WEIR_OK)
        err = weir_db_run(r->store->commit, error);
    if (err == WEIR_OK)
        r->store->pending.n_tags = (size_t)last + 1;
    r->store->catalog_changes++;
    return err;
}

weir_err weir_store_register(weir_store *store, weir_catalog *catalog, weir_wall now,
                             weir_error *error)
{
    struct registration r = {.store = store, .catalog = catalog};
    if (!store->db)
        return weir_fail(error, WEIR_EIO, "the store could not be opened again");
    /* What waits was acquired before this catalog: its numbers come first. */
    weir_err err = weir_store_commit(store, now, error);
    if (err == WEIR_OK)
        err = registration_init(&r, error);
    if (err == WEIR_OK) {
        err = registration_write(&r, now, error);
        if (err != WEIR_OK)
            weir_store_rollback(store);
    }
    for (size_t i = 0; err == WEIR_OK && i < catalog->n_tags; i++)
        catalog->tags[i].uid = r.uids[i];
    if (err == WEIR_OK)
        store->catalog = catalog;
    if (err == WEIR_OK)
        err = names_note(store, error);
    registration_deinit(&r);
    return err;
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
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        weir_store_rollback(store);
    tag_texts_deinit(&texts);
    if (err != WEIR_OK)
        return err;
    struct registration r = {.store = store, .catalog = store->catalog};
    err = registration_init(&r, error);
    if (err == WEIR_OK)
        err = registration_write(&r, now, error);
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
