/* SPDX-License-Identifier: MIT */
/* Rows set aside, at a cap: the oldest go. */

/*
 * A sink's rows lie by seq, and so about by time; the first thousand of each sink are looked at, so
 * that a look costs the same however many there are. What has a time far ahead may lie in front of
 * others there; it goes when history has no part any more.
 */

#include "store/set_aside.h"

#include "base/text.h"
#include "store/file/database.h"
#include "store/gap.h"

/* Some ms; 64 MB if all are the longest texts there are. */
#define FIRST "(SELECT seq, ts FROM set_aside WHERE sink=?1 ORDER BY seq LIMIT 1000) WHERE ts<?2"

struct piece {
    weir_store *store;
    const char *sink;
    int64_t before;
    int64_t from_ts, to_ts, rows, retries;
};

static weir_err find_sink(sqlite3 *db, int64_t before, weir_text *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *s = NULL;
    bool row;
    weir_err err =
        weir_db_prepare(db,
                        "SELECT sink, (SELECT min(ts) FROM (SELECT ts FROM set_aside a WHERE"
                        " a.sink=o.sink ORDER BY seq LIMIT 1000)) AS oldest FROM sink_order o"
                        " WHERE oldest<?1 ORDER BY oldest LIMIT 1",
                        &s, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(s, 1, before);
    err = weir_db_step(s, &row, error);
    const char *name = err == WEIR_OK && row ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (name)
        weir_text_add(ret, name);
    return ret->failed ? weir_fail(error, WEIR_ENOMEM, "no memory to drop rows") : err;
}

static weir_err piece_prepare(const struct piece *p, const char *sql, int64_t second,
                              sqlite3_stmt **ret, weir_error *error)
{
    weir_err err = weir_db_prepare(p->store->db, sql, ret, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_text(*ret, 1, p->sink, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(*ret, 2, second);
    (void)sqlite3_bind_int64(*ret, 3, p->retries);
    return WEIR_OK;
}

static weir_err piece_look(struct piece *p, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *s = NULL;
    bool row;
    weir_err err =
        piece_prepare(p, "SELECT count(*), min(ts), max(ts) FROM " FIRST, p->before, &s, error);
    if (err == WEIR_OK)
        err = weir_db_step(s, &row, error);
    if (err != WEIR_OK)
        return err;
    p->rows = sqlite3_column_int64(s, 0);
    p->from_ts = sqlite3_column_int64(s, 1);
    p->to_ts = sqlite3_column_int64(s, 2);
    return WEIR_OK;
}

static weir_err piece_run(const struct piece *p, const char *sql, int64_t second, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *s = NULL;
    weir_err err = piece_prepare(p, sql, second, &s, error);
    return err == WEIR_OK ? weir_db_run(s, error) : err;
}

static weir_err piece_delete(struct piece *p, weir_error *error)
{
    weir_err err = piece_run(p,
                             "DELETE FROM set_aside_retry WHERE sink=?1 AND seq IN"
                             " (SELECT seq FROM " FIRST ")",
                             p->before, error);
    if (err != WEIR_OK)
        return err;
    p->retries = sqlite3_changes(p->store->db);
    err = piece_run(p, "DELETE FROM set_aside WHERE sink=?1 AND seq IN (SELECT seq FROM " FIRST ")",
                    p->before, error);
    return err == WEIR_OK ? piece_run(p,
                                      "UPDATE sink_order SET set_aside=set_aside-?2,"
                                      " retries=retries-?3 WHERE sink=?1",
                                      p->rows, error)
                          : err;
}

weir_err weir_set_aside_drop(weir_store *store, int64_t before, weir_wall now, bool *ret_did,
                             weir_error *error)
{
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    *ret_did = false;
    weir_err err = find_sink(store->db, before, &name, error);
    if (err != WEIR_OK || name.length == 0)
        return err;
    struct piece p = {.store = store, .sink = weir_text_get(&name), .before = before};
    err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = piece_look(&p, error);
    const weir_gap gap = {.sink = p.sink,
                          .from_ts = p.from_ts,
                          .to_ts = p.to_ts,
                          .count = (uint64_t)p.rows,
                          .cause = store->limits.cause};
    if (err == WEIR_OK)
        err = weir_gap_add(store->db, &gap, true, now, error);
    if (err == WEIR_OK)
        err = piece_delete(&p, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        return err;
    *ret_did = true;
    return weir_limits_dropped(store, p.from_ts, p.to_ts, gap.count, now, error);
}
