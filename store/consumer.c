/* SPDX-License-Identifier: MIT */
/* What the store keeps for each sink and each pulling historian: see consumer.h. */

#include "store/consumer.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/gap.h"
#include "store/store_priv.h"

static weir_err transaction_begin(weir_store *store, weir_error *error)
{
    weir_err err = weir_store_usable(store, error);
    return err == WEIR_OK ? weir_db_run(store->begin, error) : err;
}

static weir_err transaction_end(weir_store *store, weir_err err, weir_error *error)
{
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK && store->db)
        weir_store_rollback(store);
    else
        weir_store_checkpoint(store);
    return weir_store_note_failure(store, err, error ? error->text : "a sink's row was not stored");
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    (void)sqlite3_bind_text(stmt, at, text ? text : "", -1, SQLITE_STATIC);
}

/* A statement about one sink that gives no rows. */
static weir_err sink_run(sqlite3 *db, const char *sql, const char *sink, int64_t a, int64_t b,
                         weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    weir_err err = weir_db_prepare(db, sql, &stmt, error);
    if (err != WEIR_OK)
        return err;
    bind_text(stmt, 1, sink);
    (void)sqlite3_bind_int64(stmt, 2, a);
    (void)sqlite3_bind_int64(stmt, 3, b);
    return weir_db_run(stmt, error);
}

/* Ends the transaction; if it is committed, the table has all cursors as they are now. */
static weir_err cursors_end(weir_store *store, weir_err err, weir_error *error)
{
    if (err == WEIR_OK)
        err = weir_cursors_fold(&store->cursors, store->db, store->position.committed_seq, error);
    err = transaction_end(store, err, error);
    if (err == WEIR_OK)
        weir_cursors_folded(&store->cursors);
    return err;
}

/* One that is not known needs everything. */
static weir_cursor cursor_get(const weir_store *store, const char *name)
{
    const weir_cursor *found = weir_cursors_find(&store->cursors, name, strlen(name));
    return found ? *found : (weir_cursor){0};
}

/* --- who there is ------------------------------------------------------------------------- */

static bool is_named(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Of a sink that was away for longer than the log was kept for it: what went is a gap. */
static weir_err absence_note(weir_store *store, weir_cursor *cursor, weir_wall now,
                             weir_error *error)
{
    int64_t first = 0, events = 0, from_ts = 0;
    char sql[200];
    weir_err err = weir_db_int(store->db,
                               "SELECT min(first_seq) FROM (SELECT min(first_seq) AS first_seq"
                               " FROM log UNION ALL SELECT min(first_seq) FROM fresh"
                               " WHERE first_seq>(SELECT value FROM meta WHERE key='merged_seq'))",
                               (int64_t)store->position.committed_seq + 1, &first, error);
    if (err != WEIR_OK || first <= (int64_t)cursor->seq + 1)
        return err;
    const uint64_t needs = weir_cursor_needs(cursor, cursor->seq + 1, (uint64_t)first - 1);
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM event WHERE seq>%lld AND seq<%lld",
                   (long long)cursor->seq, (long long)first);
    err = weir_db_int(store->db, sql, 0, &events, error);
    if (err == WEIR_OK)
        err = weir_db_int(store->db, "SELECT min_ts FROM log ORDER BY first_seq LIMIT 1", now.us,
                          &from_ts, error);
    const weir_gap gap = {.sink = cursor->name,
                          .from_ts = cursor->ts.us,
                          .to_ts = from_ts > cursor->ts.us ? from_ts : cursor->ts.us,
                          .count = needs > (uint64_t)events ? needs - (uint64_t)events : 0,
                          .cause = "detached"};
    if (err == WEIR_OK && gap.count > 0)
        err = weir_gap_add(store->db, &gap, false, now, error);
    cursor->seq = (uint64_t)first - 1;
    const weir_cursor before = *cursor;
    return err == WEIR_OK ? weir_cursor_set_done(cursor, before.done, before.n_done, error) : err;
}

static weir_err sink_attach(weir_store *store, const char *name, weir_wall now, weir_error *error)
{
    const size_t length = strlen(name);
    const weir_cursor *found = weir_cursors_find(&store->cursors, name, length);
    weir_cursor to =
        found ? *found : (weir_cursor){.seq = store->position.committed_seq, .ts = now};
    weir_err err = WEIR_OK;
    if (found && found->detached.us == 0)
        return WEIR_OK;
    if (found)
        err = absence_note(store, &to, now, error);
    to.detached = (weir_wall){0};
    return err == WEIR_OK ? weir_cursors_set(&store->cursors, name, length, &to, error) : err;
}

/* Historians have no orders; what has is a sink, and was named once. */
static weir_err sinks_detach(weir_store *store, const char *const *names, size_t n, weir_wall now,
                             weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(store->db, "SELECT sink FROM sink_order", &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        const char *text = (const char *)sqlite3_column_text(rows, 0), *name = text ? text : "";
        const weir_cursor *cursor = weir_cursors_find(&store->cursors, name, strlen(name));
        if (is_named(name, names, n))
            continue;
        err = sink_run(store->db,
                       "UPDATE sink SET state='removed', since=?2, error='', remedy=''"
                       " WHERE name=?1 AND state<>'removed'",
                       name, now.us, 0, error);
        if (err == WEIR_OK && cursor && cursor->detached.us == 0)
            err = weir_store_detach_cursor(store, name, now, error);
    }
    return err;
}

weir_err weir_store_register_sinks(weir_store *store, const char *const *names, size_t n,
                                   weir_wall now, weir_error *error)
{
    weir_err err = weir_store_commit(store, now, error);
    if (err == WEIR_OK)
        err = transaction_begin(store, error);
    if (err != WEIR_OK)
        return err;
    for (size_t i = 0; err == WEIR_OK && i < n; i++) {
        err = sink_run(store->db, "INSERT OR IGNORE INTO sink_order VALUES(?1,0,0,0,0,0,0,0)",
                       names[i], 0, 0, error);
        if (err == WEIR_OK)
            err = sink_attach(store, names[i], now, error);
    }
    if (err == WEIR_OK)
        err = sinks_detach(store, names, n, now, error);
    return cursors_end(store, err, error);
}

weir_err weir_store_write_cursors(weir_store *store, weir_error *error)
{
    if (!weir_cursors_unfolded(&store->cursors))
        return WEIR_OK;
    weir_err err = transaction_begin(store, error);
    return err == WEIR_OK ? cursors_end(store, err, error) : err;
}

/* --- rows set aside ----------------------------------------------------------------------- */

struct aside {
    sqlite3_stmt *find, *put, *again, *drop, *drop_retry;
    int64_t rows, retries; /* how their numbers change */
};

static void aside_deinit(struct aside *a)
{
    sqlite3_stmt *all[] = {a->find, a->put, a->again, a->drop, a->drop_retry};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        (void)sqlite3_finalize(all[i]);
}

static weir_err aside_init(struct aside *a, sqlite3 *db, weir_error *error)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } all[] = {
        {&a->find, "SELECT 1 FROM set_aside WHERE sink=?1 AND seq=?2"},
        {&a->put, "INSERT INTO set_aside VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
        {&a->again, "UPDATE set_aside SET why=?3, at=?4 WHERE sink=?1 AND seq=?2"},
        {&a->drop, "DELETE FROM set_aside WHERE sink=?1 AND seq=?2"},
        {&a->drop_retry, "DELETE FROM set_aside_retry WHERE sink=?1 AND seq=?2"},
    };
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < sizeof all / sizeof *all; i++)
        err = weir_db_prepare(db, all[i].sql, all[i].stmt, error);
    return err;
}

static weir_err row_put(struct aside *a, const char *sink, const weir_set_aside *row, weir_wall now,
                        weir_error *error)
{
    sqlite3_stmt *s = a->put;
    const weir_sink_row *r = row->row;
    const weir_value *v = &r->sample.value;
    const bool bytes = v->kind >= WEIR_KIND_STRING;
    bind_text(s, 1, sink);
    (void)sqlite3_bind_int64(s, 2, (int64_t)r->seq);
    (void)sqlite3_bind_int64(s, 3, r->tag->uid);
    (void)sqlite3_bind_int64(s, 4, r->sample.ts.us);
    (void)sqlite3_bind_int64(s, 5, r->received.us);
    (void)sqlite3_bind_int64(s, 6, (int64_t)r->plans);
    (void)sqlite3_bind_int64(s, 7, r->epoch);
    (void)sqlite3_bind_int64(s, 8, r->sample.quality);
    (void)sqlite3_bind_int(s, 9, v->kind);
    (void)sqlite3_bind_int(s, 10, v->exponent);
    (void)sqlite3_bind_int64(s, 11, bytes ? 0 : (int64_t)v->as.bits);
    if (bytes)
        (void)sqlite3_bind_blob(s, 12, v->length > 0 ? v->as.bytes : (const uint8_t *)"",
                                (int)v->length, SQLITE_STATIC);
    bind_text(s, 13, row->why);
    (void)sqlite3_bind_int64(s, 14, now.us);
    weir_err err = weir_db_run(s, error);
    (void)sqlite3_clear_bindings(s);
    return err;
}

static weir_err key_run(sqlite3_stmt *s, const char *sink, uint64_t seq, int64_t *changed,
                        weir_error *error)
{
    bind_text(s, 1, sink);
    (void)sqlite3_bind_int64(s, 2, (int64_t)seq);
    weir_err err = weir_db_run(s, error);
    if (err == WEIR_OK && changed)
        *changed -= sqlite3_changes(sqlite3_db_handle(s));
    return err;
}

static weir_err row_set_aside(struct aside *a, const char *sink, const weir_set_aside *row,
                              weir_wall now, weir_error *error)
{
    const uint64_t seq = row->row->seq;
    int64_t known = 0;
    /* It was tried, however that ended. */
    weir_err err = key_run(a->drop_retry, sink, seq, &a->retries, error);
    if (err == WEIR_OK && !row->why)
        return key_run(a->drop, sink, seq, &a->rows, error);
    bind_text(a->find, 1, sink);
    (void)sqlite3_bind_int64(a->find, 2, (int64_t)seq);
    if (err == WEIR_OK)
        err = weir_db_step_int(a->find, 0, &known, error);
    if (err != WEIR_OK)
        return err;
    if (known) {
        bind_text(a->again, 3, row->why);
        (void)sqlite3_bind_int64(a->again, 4, now.us);
        return key_run(a->again, sink, seq, NULL, error);
    }
    a->rows++;
    return row_put(a, sink, row, now, error);
}

static weir_err rows_set_aside(weir_store *store, struct aside *a, const char *sink,
                               const weir_set_aside *rows, size_t n, weir_wall now,
                               weir_error *error)
{
    weir_err err = aside_init(a, store->db, error);
    if (err == WEIR_OK)
        err = sink_run(store->db, "INSERT OR IGNORE INTO sink_order VALUES(?1,0,0,0,0,0,0,0)", sink,
                       0, 0, error);
    for (size_t i = 0; err == WEIR_OK && i < n; i++)
        err = row_set_aside(a, sink, &rows[i], now, error);
    return err == WEIR_OK ? sink_run(store->db,
                                     "UPDATE sink_order SET set_aside=set_aside+?2,"
                                     " retries=retries+?3 WHERE sink=?1",
                                     sink, a->rows, a->retries, error)
                          : err;
}

weir_err weir_store_set_aside(weir_store *store, const char *sink, const weir_set_aside *rows,
                              size_t n, weir_wall now, weir_error *error)
{
    struct aside a = {0};
    weir_err err = transaction_begin(store, error);
    if (err != WEIR_OK)
        return weir_store_note_failure(store, err, "a row was not set aside");
    err = rows_set_aside(store, &a, sink, rows, n, now, error);
    aside_deinit(&a);
    return transaction_end(store, err, error);
}

/* --- gaps, replays, states ---------------------------------------------------------------- */

weir_err weir_store_note_gap(weir_store *store, const weir_consumer_gap *gap, weir_wall now,
                             weir_error *error)
{
    const weir_gap g = {.sink = gap->sink,
                        .from_ts = gap->from_ts,
                        .to_ts = gap->to_ts,
                        .count = gap->count,
                        .cause = gap->cause};
    const weir_cursor before = cursor_get(store, gap->sink);
    weir_err err = transaction_begin(store, error);
    if (err != WEIR_OK)
        return err;
    err = weir_gap_add(store->db, &g, true, now, error);
    if (err == WEIR_OK)
        err = weir_store_set_cursor(store, gap->sink, gap->seq, gap->done, gap->n_done,
                                    gap->seq > before.seq ? now : before.ts, error);
    err = cursors_end(store, err, error);
    if (err != WEIR_OK) { /* without the gap it has not passed over these; no memory is needed */
        weir_error ignored = WEIR_ERROR_INIT;
        const size_t length = strlen(gap->sink);
        if (weir_cursors_set(&store->cursors, gap->sink, length, &before, &ignored) != WEIR_OK)
            err = WEIR_ENOMEM;
    }
    return err;
}

weir_err weir_store_note_replay(weir_store *store, const char *sink, uint64_t id, int64_t done,
                                weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    weir_err err = transaction_begin(store, error);
    if (err != WEIR_OK)
        return err;
    err = weir_db_prepare(store->db,
                          "UPDATE sink_order SET replay_done=?3 WHERE sink=?1 AND replay_id=?2"
                          " AND replay_done<>?4",
                          &stmt, error);
    if (err == WEIR_OK) {
        bind_text(stmt, 1, sink);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)id);
        (void)sqlite3_bind_int64(stmt, 3, done);
        (void)sqlite3_bind_int64(stmt, 4, INT64_MAX);
        err = weir_db_run(stmt, error);
    }
    return transaction_end(store, err, error);
}

static void bind_unless(sqlite3_stmt *s, int at, int64_t v, int64_t none)
{
    if (v != none)
        (void)sqlite3_bind_int64(s, at, v);
}

static void record_bind(sqlite3_stmt *s, const weir_sink_record *r)
{
    bind_text(s, 1, r->name);
    bind_text(s, 2, r->type);
    bind_text(s, 3, r->state);
    (void)sqlite3_bind_int64(s, 4, r->since.us);
    bind_text(s, 5, r->error);
    bind_text(s, 6, r->remedy);
    bind_unless(s, 7, r->delivered.us, 0);
    bind_unless(s, 8, r->oldest_unsent.us, 0);
    (void)sqlite3_bind_int64(s, 9, r->backlog == WEIR_BACKLOG_UNKNOWN ? -1 : (int64_t)r->backlog);
    (void)sqlite3_bind_int64(s, 10, (int64_t)r->sent);
    (void)sqlite3_bind_int64(s, 11, (int64_t)r->repeated);
    (void)sqlite3_bind_int64(s, 12, (int64_t)r->left_out);
    (void)sqlite3_bind_double(s, 13, r->rows_per_s);
    if (r->rtt_ms > 0)
        (void)sqlite3_bind_double(s, 14, r->rtt_ms);
}

weir_err weir_store_put_sinks(weir_store *store, const weir_sink_record *sinks, size_t n,
                              weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    weir_err err = transaction_begin(store, error);
    if (err != WEIR_OK)
        return err;
    err = weir_db_prepare(
        store->db, "INSERT OR REPLACE INTO sink VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)", &put, error);
    for (size_t i = 0; err == WEIR_OK && i < n; i++) {
        (void)sqlite3_clear_bindings(put);
        record_bind(put, &sinks[i]);
        err = weir_db_run(put, error);
    }
    return transaction_end(store, err, error);
}
