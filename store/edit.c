/* SPDX-License-Identifier: MIT */
/* What a person changes about stored data: see edit.h. */

#include "store/edit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "store/edit_sink.h"
#include "store/file/database.h"
#include "store/file/names.h"
#include "store/store_priv.h"

/* --- purge -------------------------------------------------------------------------------- */

static weir_err purge_find(sqlite3 *db, const char *pattern, weir_uids *uids, weir_error *error)
{
    weir_err err = weir_uids_add_glob(uids, db, pattern, error);
    if (err == WEIR_OK && uids->n == 0)
        err = weir_fail(error, WEIR_ENOTFOUND,
                        "no tag matches '%s': 'weir sql \"SELECT tag FROM tags\"' lists them",
                        pattern);
    return err;
}

/* Readers and merges leave out what has a seq up to purged_seq. */
static weir_err purge_write(weir_store *store, const weir_uids *uids, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *mark = NULL;
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *forget = NULL;
    weir_err err =
        weir_db_prepare(store->db, "UPDATE tag SET purged_seq=?2 WHERE uid=?1", &mark, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(store->db, "DELETE FROM replacement WHERE uid=?", &forget, error);
    for (size_t i = 0; err == WEIR_OK && i < uids->n; i++) {
        (void)sqlite3_bind_int64(mark, 1, uids->at[i]);
        (void)sqlite3_bind_int64(mark, 2, (int64_t)store->position.committed_seq);
        (void)sqlite3_bind_int64(forget, 1, uids->at[i]);
        err = weir_db_run(mark, error);
        if (err == WEIR_OK)
            err = weir_db_run(forget, error);
    }
    return err;
}

/* --- replace ------------------------------------------------------------------------------ */

/* The counter meant, by its own name or as the only one of its device. */
static weir_err counter_find(sqlite3 *db, const char *subject, int64_t *ret_uid,
                             weir_text *ret_name, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    WEIR_TEXT_AUTO names = WEIR_TEXT_INIT;
    unsigned n = 0, others = 0;
    bool row;
    weir_err err = weir_db_prepare(
        db,
        "SELECT t.uid, t.name, v.counter FROM tag t JOIN tag_version v ON v.uid=t.uid AND"
        " v.seq=(SELECT max(seq) FROM tag_version WHERE uid=t.uid)"
        " WHERE t.name=?1 OR (v.device=?1 AND t.active) ORDER BY t.uid",
        &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_text(stmt, 1, subject, -1, SQLITE_STATIC);
    while ((err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        const char *name = (const char *)sqlite3_column_text(stmt, 1);
        if (!sqlite3_column_int(stmt, 2)) {
            others++;
            continue;
        }
        *ret_uid = sqlite3_column_int64(stmt, 0);
        weir_text_format(&names, n++ ? ", %s" : "%s", name ? name : "?");
    }
    if (err != WEIR_OK)
        return err;
    if (n == 1) {
        weir_text_add(ret_name, weir_text_get(&names));
        return ret_name->failed ? weir_fail(error, WEIR_ENOMEM, "out of memory") : WEIR_OK;
    }
    if (n > 1)
        return weir_fail(error, WEIR_EINVAL, "%s has %u counters: name the one that is meant (%s)",
                         subject, n, weir_text_get(&names));
    return others ? weir_fail(error, WEIR_ENOTFOUND,
                              "%s is no counter: only points with 'counter: true' grow on across a "
                              "replaced meter",
                              subject)
                  : weir_fail(error, WEIR_ENOTFOUND, "no device and no tag is named '%s'", subject);
}

static weir_err replace_write(weir_store *store, const weir_edit *edit, int64_t uid,
                              weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    weir_err err = weir_db_prepare(store->db, "INSERT OR REPLACE INTO replacement VALUES(?,?,?,?)",
                                   &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(stmt, 1, uid);
    (void)sqlite3_bind_int64(stmt, 2, edit->at.us);
    (void)sqlite3_bind_double(stmt, 3, edit->final);
    (void)sqlite3_bind_double(stmt, 4, edit->first);
    return weir_db_run(stmt, error);
}

/* --- all ---------------------------------------------------------------------------------- */

static weir_err purge(weir_store *store, const weir_edit *edit, uint64_t *ret_n,
                      weir_text *ret_text, weir_error *error)
{
    weir_uids uids = {0};
    weir_err err = purge_find(store->db, edit->subject, &uids, error);
    weir_text_format(ret_text, "the history of %zu tag%s up to seq %" PRIu64 " was purged", uids.n,
                     uids.n == 1 ? "" : "s", store->position.committed_seq);
    if (err == WEIR_OK)
        err = purge_write(store, &uids, error);
    *ret_n = uids.n;
    weir_uids_deinit(&uids);
    return err;
}

static weir_err replace(weir_store *store, const weir_edit *edit, uint64_t *ret_n,
                        weir_text *ret_text, weir_error *error)
{
    int64_t uid = 0;
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    weir_err err = counter_find(store->db, edit->subject, &uid, &name, error);
    char at[28];
    weir_wall_format(edit->at, at);
    weir_text_format(ret_text, "the meter of %s was replaced at %s: it ended at ",
                     weir_text_get(&name), at);
    weir_text_add_double(ret_text, edit->final);
    weir_text_add(ret_text, ", the new one began at ");
    weir_text_add_double(ret_text, edit->first);
    *ret_n = 1;
    return err == WEIR_OK ? replace_write(store, edit, uid, error) : err;
}

static weir_err edit_write(weir_store *store, const weir_edit *edit, weir_wall now, uint64_t *ret_n,
                           weir_text *ret_text, weir_error *error)
{
    switch (edit->kind) {
    case WEIR_EDIT_PURGE:
        return purge(store, edit, ret_n, ret_text, error);
    case WEIR_EDIT_REPLACE:
        return replace(store, edit, ret_n, ret_text, error);
    case WEIR_EDIT_SINK_PAUSE:
    case WEIR_EDIT_SINK_RESUME:
    case WEIR_EDIT_SINK_REPLAY:
    case WEIR_EDIT_SINK_REPLAY_STOP:
        *ret_n = 1;
        return weir_edit_sink_order(store, edit, ret_text, error);
    case WEIR_EDIT_SINK_RETRY:
    case WEIR_EDIT_SINK_DROP:
        return weir_edit_sink_rows(store, edit, now, ret_n, ret_text, error);
    }
    return weir_fail(error, WEIR_EINVAL, "no such edit");
}

/* The first transaction; one that is to be followed by others has ended it. */
static weir_err edit_run(weir_store *store, const weir_edit *edit, weir_wall now, uint64_t *ret_n,
                         weir_text *ret_text, weir_error *error)
{
    weir_err err = weir_store_change_begin(store, now, error);
    if (err == WEIR_OK)
        err = edit_write(store, edit, now, ret_n, ret_text, error);
    err = weir_store_change_end(store, err, error);
    if (err == WEIR_OK && edit->kind == WEIR_EDIT_PURGE)
        store->catalog_changes++;
    return err;
}

weir_err weir_store_edit(weir_store *store, const weir_edit *edit, weir_wall now, uint64_t *ret_n,
                         weir_error *error)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    uint64_t n = 0;
    weir_err err = edit_run(store, edit, now, &n, &text, error);
    if (err != WEIR_OK)
        return weir_store_note_failure(store, err, error ? error->text : "an edit failed");
    *ret_n = n;
    const weir_event event = {now, WEIR_EVENT_CONFIG, edit->subject, weir_text_get(&text)};
    err = weir_store_event(store, &event, error);
    return err == WEIR_OK ? weir_store_commit(store, now, error) : err;
}
