/* SPDX-License-Identifier: MIT */
/* Blocks that cannot be read: set aside, so that a merge neither loses them nor stops at them. */

#include "store/history/quarantine.h"

#include <stdio.h>
#include <string.h>

#include "store/file/database.h"

static void bind_blob(sqlite3_stmt *s, int i, const uint8_t *bytes, size_t n)
{
    (void)sqlite3_bind_blob(s, i, bytes, (int)n, SQLITE_STATIC);
}

weir_err weir_quarantine_add(weir_store *store, const weir_damaged *damaged, weir_wall now,
                             const weir_error *why, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    char text[sizeof why->text + 120];
    weir_err err =
        weir_db_prepare(store->db,
                        "INSERT INTO quarantine(ts, origin, key, count, error, head, marks, body)"
                        " VALUES(?,?,?,?,?,?,?,?)",
                        &put, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(put, 1, now.us);
    (void)sqlite3_bind_text(put, 2, damaged->origin, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(put, 3, damaged->key);
    (void)sqlite3_bind_int64(put, 4, damaged->count);
    (void)sqlite3_bind_text(put, 5, why->text, -1, SQLITE_STATIC);
    bind_blob(put, 6, damaged->row.head, damaged->row.head_length);
    bind_blob(put, 7, damaged->marks, damaged->marks_length);
    bind_blob(put, 8, damaged->row.body, damaged->row.body_length);
    err = weir_db_run(put, error);
    if (err != WEIR_OK)
        return err;
    (void)snprintf(text, sizeof text,
                   "about %lld samples (%s %lld) are damaged and were set aside: %s",
                   (long long)damaged->count, damaged->origin, (long long)damaged->key, why->text);
    return weir_store_event(store, &(weir_event){now, WEIR_EVENT_STORE, "", text}, error);
}

static weir_err move(weir_store *store, const weir_damaged *damaged, const char *key, weir_wall now,
                     const weir_error *why, weir_error *error)
{
    char drop[100];
    (void)snprintf(drop, sizeof drop, "DELETE FROM %s WHERE %s=%lld", damaged->origin, key,
                   (long long)damaged->key);
    weir_err err = weir_quarantine_add(store, damaged, now, why, error);
    return err == WEIR_OK ? weir_db_exec(store->db, drop, error) : err;
}

weir_err weir_quarantine_segment(weir_store *store, const weir_damaged *damaged, weir_wall now,
                                 const weir_error *why, weir_error *error)
{
    return move(store, damaged, "key", now, why, error);
}

weir_err weir_quarantine_log_row(weir_store *store, const weir_row *row, int64_t count,
                                 weir_wall now, const weir_error *why, weir_error *error)
{
    const weir_damaged damaged = {
        .origin = "log", .key = (int64_t)row->first_seq, .count = count, .row = *row};
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = move(store, &damaged, "first_seq", now, why, error);
    return err == WEIR_OK ? weir_db_run(store->commit, error) : err;
}
