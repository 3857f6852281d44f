/* SPDX-License-Identifier: MIT */
/* Edits of what a sink is to be given: see edit.h. */

/*
 * Orders are a row of sink_order, which delivery reads when the store has changed. A million rows
 * set aside are retried or dropped some thousands at a time, and what was sampled meanwhile is
 * committed in between. A crash leaves a part of them done, and the same edit does the others.
 */

#include "store/edit_sink.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/gap.h"
#include "store/store_priv.h"

enum { PIECE_ROWS = 10000 }; /* some MB of the write-ahead log, some 50 ms */

/* --- which sink --------------------------------------------------------------------------- */

static weir_err names_read(sqlite3 *db, weir_arena *arena, const char ***ret, size_t *ret_n,
                           weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    size_t capacity = 0;
    bool row;
    weir_err err = weir_db_prepare(db, "SELECT sink FROM sink_order ORDER BY sink", &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        const char *text = (const char *)sqlite3_column_text(rows, 0);
        const char *name = weir_arena_text(arena, text ? text : "");
        const char **names = weir_array_room(*ret, *ret_n, &capacity, sizeof *names);
        if (names)
            *ret = names;
        if (!names || !name)
            return weir_fail(error, WEIR_ENOMEM, "no memory for the names of the sinks");
        names[(*ret_n)++] = name;
    }
    return err;
}

static weir_err fail_unknown(const char *name, const char *const *names, size_t n,
                             weir_error *error)
{
    WEIR_TEXT_AUTO all = WEIR_TEXT_INIT;
    const char *nearest = weir_text_nearest(name, names, n);
    all.limit = 120;
    for (size_t i = 0; i < n; i++)
        weir_text_format(&all, "%s%s", i > 0 ? ", " : "", names[i]);
    if (n == 0)
        return weir_fail(error, WEIR_ENOTFOUND,
                         "there is no sink: the configuration names none, or weir has not run with "
                         "it yet");
    return weir_fail(error, WEIR_ENOTFOUND, "no sink is named '%.60s'%s%.40s%s: there %s %s%s",
                     name, nearest ? " (did you mean '" : "", nearest ? nearest : "",
                     nearest ? "'?)" : "", n == 1 ? "is" : "are", weir_text_get(&all),
                     all.failed ? " ..." : "");
}

static weir_err sink_find(sqlite3 *db, const char *name, weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    const char **names = NULL;
    size_t n = 0;
    bool found = false;
    if (!arena)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the names of the sinks");
    weir_err err = names_read(db, arena, &names, &n, error);
    for (size_t i = 0; i < n; i++)
        found |= strcmp(names[i], name) == 0;
    if (err == WEIR_OK && !found)
        err = fail_unknown(name, names, n, error);
    weir_free(names);
    return err;
}

/* --- orders ------------------------------------------------------------------------------- */

static weir_err order_run(sqlite3 *db, const char *sql, const weir_edit *edit, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    weir_err err = weir_db_prepare(db, sql, &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_text(stmt, 1, edit->subject, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 2, edit->from.us);
    (void)sqlite3_bind_int64(stmt, 3, edit->to.us);
    (void)sqlite3_bind_int64(stmt, 4, INT64_MAX); /* a replay that has ended */
    return weir_db_run(stmt, error);
}

weir_err weir_edit_sink_order(weir_store *store, const weir_edit *edit, weir_text *ret_text,
                              weir_error *error)
{
    char from[28], to[28];
    weir_err err = sink_find(store->db, edit->subject, error);
    if (err != WEIR_OK)
        return err;
    if (edit->kind == WEIR_EDIT_SINK_PAUSE || edit->kind == WEIR_EDIT_SINK_RESUME) {
        const bool pause = edit->kind == WEIR_EDIT_SINK_PAUSE;
        weir_text_format(ret_text, "sink %s was %s", edit->subject, pause ? "paused" : "resumed");
        return order_run(store->db,
                         pause ? "UPDATE sink_order SET paused=1 WHERE sink=?1"
                               : "UPDATE sink_order SET paused=0 WHERE sink=?1",
                         edit, error);
    }
    if (edit->kind == WEIR_EDIT_SINK_REPLAY_STOP) {
        weir_text_format(ret_text, "the replay to sink %s was stopped", edit->subject);
        return order_run(store->db, "UPDATE sink_order SET replay_done=?4 WHERE sink=?1", edit,
                         error);
    }
    weir_wall_format(edit->from, from);
    weir_wall_format(edit->to, to);
    if (edit->from.us > edit->to.us)
        return weir_fail(error, WEIR_EINVAL, "the replay's beginning %s is behind its end %s", from,
                         to);
    weir_text_format(ret_text, "sink %s gets again what was sampled from %s to %s", edit->subject,
                     from, to);
    return order_run(store->db,
                     "UPDATE sink_order SET replay_id=replay_id+1, replay_from=?2, replay_to=?3,"
                     " replay_done=?2 WHERE sink=?1",
                     edit, error);
}

/* --- rows set aside ----------------------------------------------------------------------- */

#define PIECE                                \
    " WHERE sink=?1 AND seq>?2 AND seq<=?3 " \
    "AND (?4 IS NULL OR uid IN (SELECT uid FROM tag WHERE name GLOB ?4))"

struct piece {
    int64_t after, last; /* seq */
    uint64_t n;
};

static weir_err piece_run(weir_store *store, const char *sql, const weir_edit *edit,
                          const struct piece *p, weir_wall now, uint64_t *ret_n, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    weir_err err = weir_db_prepare(store->db, sql, &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_text(stmt, 1, edit->subject, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 2, p->after);
    (void)sqlite3_bind_int64(stmt, 3, p->last);
    if (edit->tags)
        (void)sqlite3_bind_text(stmt, 4, edit->tags, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 5, now.us);
    err = weir_db_run(stmt, error);
    *ret_n = err == WEIR_OK ? (uint64_t)sqlite3_changes64(store->db) : 0;
    return err;
}

static weir_err counts_add(weir_store *store, const char *sink, int64_t set_aside, int64_t retries,
                           weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    weir_err err = weir_db_prepare(store->db,
                                   "UPDATE sink_order SET set_aside=set_aside+?2,"
                                   " retries=retries+?3 WHERE sink=?1",
                                   &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_text(stmt, 1, sink, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 2, set_aside);
    (void)sqlite3_bind_int64(stmt, 3, retries);
    return weir_db_run(stmt, error);
}

static weir_err piece_retry(weir_store *store, const weir_edit *edit, struct piece *p,
                            weir_wall now, weir_error *error)
{
    weir_err err = piece_run(store,
                             "INSERT OR IGNORE INTO set_aside_retry SELECT sink, seq, ?5"
                             " FROM set_aside" PIECE,
                             edit, p, now, &p->n, error);
    return err == WEIR_OK ? counts_add(store, edit->subject, 0, (int64_t)p->n, error) : err;
}

/* What is given up is missing there for ever. */
static weir_err piece_note(weir_store *store, const weir_edit *edit, const struct piece *p,
                           weir_wall now, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        store->db, "SELECT count(*), min(ts), max(ts) FROM set_aside" PIECE, &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_text(stmt, 1, edit->subject, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 2, p->after);
    (void)sqlite3_bind_int64(stmt, 3, p->last);
    if (edit->tags)
        (void)sqlite3_bind_text(stmt, 4, edit->tags, -1, SQLITE_STATIC);
    err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK || !row || sqlite3_column_int64(stmt, 0) == 0)
        return err;
    const weir_gap gap = {.sink = edit->subject,
                          .from_ts = sqlite3_column_int64(stmt, 1),
                          .to_ts = sqlite3_column_int64(stmt, 2),
                          .count = (uint64_t)sqlite3_column_int64(stmt, 0),
                          .cause = "dropped"};
    return weir_gap_add(store->db, &gap, true, now, error);
}

static weir_err piece_drop(weir_store *store, const weir_edit *edit, struct piece *p, weir_wall now,
                           weir_error *error)
{
    uint64_t retries = 0;
    weir_err err = piece_note(store, edit, p, now, error);
    if (err == WEIR_OK)
        err = piece_run(store,
                        "DELETE FROM set_aside_retry WHERE sink=?1 AND seq IN"
                        " (SELECT seq FROM set_aside" PIECE ")",
                        edit, p, now, &retries, error);
    if (err == WEIR_OK)
        err = piece_run(store, "DELETE FROM set_aside" PIECE, edit, p, now, &p->n, error);
    return err == WEIR_OK
               ? counts_add(store, edit->subject, -(int64_t)p->n, -(int64_t)retries, error)
               : err;
}

/* p->last: how far the next piece goes; INT64_MIN: there is none. */
static weir_err piece_find(sqlite3 *db, const char *sink, struct piece *p, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    weir_err err = weir_db_prepare(db,
                                   "SELECT max(seq) FROM (SELECT seq FROM set_aside WHERE sink=?1"
                                   " AND seq>?2 ORDER BY seq LIMIT ?3)",
                                   &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_text(stmt, 1, sink, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 2, p->after);
    (void)sqlite3_bind_int64(stmt, 3, PIECE_ROWS);
    return weir_db_step_int(stmt, INT64_MIN, &p->last, error);
}

static weir_err transaction_renew(weir_store *store, weir_wall now, weir_error *error)
{
    weir_err err = weir_db_exec(store->db, "COMMIT", error);
    if (err == WEIR_OK)
        err = weir_store_commit(store, now, error);
    weir_store_checkpoint(store);
    return err == WEIR_OK ? weir_db_exec(store->db, "BEGIN IMMEDIATE", error) : err;
}

weir_err weir_edit_sink_rows(weir_store *store, const weir_edit *edit, weir_wall now,
                             uint64_t *ret_n, weir_text *ret_text, weir_error *error)
{
    const bool drop = edit->kind == WEIR_EDIT_SINK_DROP;
    struct piece p = {.after = -1};
    weir_err err = sink_find(store->db, edit->subject, error);
    *ret_n = 0;
    while (err == WEIR_OK) {
        err = piece_find(store->db, edit->subject, &p, error);
        if (err != WEIR_OK || p.last == INT64_MIN)
            break;
        err = drop ? piece_drop(store, edit, &p, now, error)
                   : piece_retry(store, edit, &p, now, error);
        if (err == WEIR_OK)
            err = transaction_renew(store, now, error);
        *ret_n += p.n;
        p.after = p.last;
    }
    weir_text_format(ret_text, "%" PRIu64 " rows that sink %s would not take %s", *ret_n,
                     edit->subject, drop ? "were given up" : "are tried again");
    return err;
}
