/* SPDX-License-Identifier: MIT */
/* At a cap: the oldest samples go. */

/*
 * The order:
 *   1. rows of the log that are in history and that every sink has acknowledged: nothing is lost;
 *   2. blocks that could not be read (quarantine), if they are older than all of 4;
 *   3. rows that a sink would not take, if they are older than the newest sample of that part of 4,
 *      or when there is none: the sink loses them;
 *   4. the older of: the part whose newest sample is oldest; the first row of the log that is in
 *      history and kept for a sink. At the same age the part: the sink can still have its copy.
 *   5. if none of these is left: the first row of the log that is not in history yet.
 * The newest row of the log and what was committed since stay.
 *
 * What goes and its gap are one transaction. Where a merge is under way of what goes, it is given
 * up: its targets are dropped, and it begins again with what there is then.
 */

#include "store/history/cap.h"

#include <stdio.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/row.h"
#include "store/file/schema.h"
#include "store/gap.h"
#include "store/history/history.h"
#include "store/history/merge.h"
#include "store/history/part.h"
#include "store/set_aside.h"

enum {
    DROP_ROWS = 64,       /* of the log, in one piece ... */
    DROP_BYTES = 1 << 20, /* ... or so many bytes */
};

/* What went in one transaction. */
struct dropped {
    int64_t from_ts, to_ts;
    uint64_t count;
};

static void dropped_add(struct dropped *d, int64_t from_ts, int64_t to_ts, uint64_t count)
{
    d->from_ts = d->count == 0 || from_ts < d->from_ts ? from_ts : d->from_ts;
    d->to_ts = d->count == 0 || to_ts > d->to_ts ? to_ts : d->to_ts;
    d->count += count;
}

static weir_err dropped_record(weir_store *store, const struct dropped *d, const char *sink,
                               weir_wall now, weir_error *error)
{
    const weir_gap gap = {.sink = sink,
                          .from_ts = d->from_ts,
                          .to_ts = d->to_ts,
                          .count = d->count,
                          .cause = store->limits.cause};
    return d->count > 0 ? weir_gap_add(store->db, &gap, true, now, error) : WEIR_OK;
}

/* --- parts -------------------------------------------------------------------------------- */

static weir_err part_drop(weir_store *store, const weir_part *part, int64_t offset, weir_wall now,
                          weir_error *error)
{
    struct dropped d = {0};
    dropped_add(&d, part->min_ts + offset, part->max_ts + offset, part->samples);
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_part_drop(store->db, part->id, error);
    if (err == WEIR_OK)
        err = dropped_record(store, &d, "", now, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        return err;
    /* One that read the part begins again: weir_part_drop has dropped its targets. */
    weir_compact_free(store->history->compact);
    store->history->compact = NULL;
    store->history->compact_looked = false;
    store->history->parts_changed = true;
    weir_expire_free(store->history->expire); /* a sweep has a list of parts */
    store->history->expire = NULL;
    return weir_limits_dropped(store, d.from_ts, d.to_ts, d.count, now, error);
}

/* --- rows of the log ---------------------------------------------------------------------- */

struct counting {
    const weir_cursor *cursor;
    uint64_t count;
};

static weir_err counting_on_batch(void *data, const weir_batch *batch, uint64_t seq,
                                  weir_error *error)
{
    struct counting *c = data;
    (void)error;
    if (batch->n_samples > 0)
        c->count += weir_cursor_needs(c->cursor, seq, seq + batch->n_samples - 1);
    return WEIR_OK;
}

/* Columns of a row of the log: first_seq, last_seq, count, min_ts, max_ts, head, body. */
#define ROW_COLUMNS \
    "first_seq, ifnull(last_seq,first_seq+count-1), count, min_ts, max_ts, head, body"

/* How many of a row's samples a sink has not acknowledged. */
static weir_err row_count_needed(sqlite3_stmt *row, const weir_cursor *cursor, uint64_t *ret,
                                 weir_error *error)
{
    const uint64_t first = (uint64_t)sqlite3_column_int64(row, 0);
    const uint64_t last = (uint64_t)sqlite3_column_int64(row, 1);
    struct counting c = {.cursor = cursor};
    const uint64_t needs = weir_cursor_needs(cursor, first, last);
    *ret = needs == 0 ? 0 : (uint64_t)sqlite3_column_int64(row, 2);
    if (needs == 0 || needs == last - first + 1)
        return WEIR_OK;
    weir_err err = weir_row_each(weir_row_of(row, 0, 5, 6), &c, counting_on_batch, error);
    /* One that cannot be read was not to be had either. */
    if (err == WEIR_EDAMAGED)
        return WEIR_OK;
    if (err == WEIR_OK)
        *ret = c.count;
    return err;
}

/* Notes for each sink that the row is still kept for. */
static weir_err row_note_sinks(weir_store *store, sqlite3_stmt *row, struct dropped *sinks,
                               weir_wall now, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < store->cursors.n; i++) {
        const weir_cursor *c = &store->cursors.items[i];
        uint64_t count = 0;
        if (c->detached.us != 0 && now.us - c->detached.us >= store->options.detached_after_us)
            continue;
        err = row_count_needed(row, c, &count, error);
        if (err == WEIR_OK && count > 0)
            dropped_add(&sinks[i], sqlite3_column_int64(row, 3), sqlite3_column_int64(row, 4),
                        count);
    }
    return err;
}

/* What a piece takes of the log's beginning. */
struct rows {
    int64_t until_ts;   /* rows whose newest sample is not newer */
    uint64_t until_seq; /* and that end here at the latest */
    bool history;       /* they are not in history: it loses them too */
    int64_t last;       /* first_seq of the last one taken */
    uint64_t last_seq;
    struct dropped all, *sinks;
};

static weir_err rows_take(weir_store *store, struct rows *r, weir_wall now, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *row = NULL;
    int64_t n = 0, bytes = 0;
    bool found;
    weir_err err = weir_db_prepare(store->db,
                                   "SELECT " ROW_COLUMNS " FROM log WHERE first_seq<="
                                   "?1 AND first_seq<(SELECT max(first_seq) FROM log)"
                                   " ORDER BY first_seq",
                                   &row, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(row, 1, (int64_t)r->until_seq);
    while (n < (r->history ? 1 : DROP_ROWS) && bytes < DROP_BYTES &&
           (err = weir_db_step(row, &found, error)) == WEIR_OK && found) {
        const uint64_t last_seq = (uint64_t)sqlite3_column_int64(row, 1);
        if (sqlite3_column_int64(row, 4) > r->until_ts || last_seq > r->until_seq)
            break;
        err = row_note_sinks(store, row, r->sinks, now, error);
        if (err != WEIR_OK)
            return err;
        r->last = sqlite3_column_int64(row, 0);
        r->last_seq = last_seq;
        dropped_add(&r->all, sqlite3_column_int64(row, 3), sqlite3_column_int64(row, 4),
                    (uint64_t)sqlite3_column_int64(row, 2));
        bytes += sqlite3_column_bytes(row, 5) + sqlite3_column_bytes(row, 6);
        n++;
    }
    return err;
}

/* The range that an archive works on is not what it was: its parts go. */
static weir_err archive_give_up(weir_store *store, weir_error *error)
{
    weir_archive_free(store->history->archive);
    store->history->archive = NULL;
    return weir_db_exec(store->db, "UPDATE part SET state=2 WHERE tier=0 AND state IN (0,3)",
                        error);
}

/* As if it had gone to history; so current values must be in their table. */
static weir_err history_skip(weir_store *store, const struct rows *r, weir_error *error)
{
    weir_err err = archive_give_up(store, error);
    if (err == WEIR_OK)
        err = weir_store_set_meta(store, "history_seq", r->last_seq, error);
    if (err == WEIR_OK)
        err = weir_store_current_write(&store->current, store->db, error);
    return err;
}

static weir_err rows_write(weir_store *store, const struct rows *r, weir_wall now,
                           weir_error *error)
{
    char sql[80];
    (void)snprintf(sql, sizeof sql, "DELETE FROM log WHERE first_seq<=%lld", (long long)r->last);
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_db_exec(store->db, sql, error);
    if (err == WEIR_OK && r->history)
        err = history_skip(store, r, error);
    if (err == WEIR_OK && r->history)
        err = dropped_record(store, &r->all, "", now, error);
    for (size_t i = 0; err == WEIR_OK && i < store->cursors.n; i++)
        err = dropped_record(store, &r->sinks[i], store->cursors.items[i].name, now, error);
    return err == WEIR_OK ? weir_db_run(store->commit, error) : err;
}

static weir_err rows_drop(weir_store *store, struct rows *r, weir_wall now, bool *ret_did,
                          weir_error *error)
{
    WEIR_CLEANUP(weir_free)
    void *owner = weir_alloc_zero(store->cursors.n + 1, sizeof *r->sinks);
    if (!owner)
        return weir_fail(error, WEIR_ENOMEM, "no memory to drop samples");
    r->sinks = owner;
    r->last = -1;
    weir_err err = rows_take(store, r, now, error);
    if (err != WEIR_OK || r->last < 0)
        return err;
    err = rows_write(store, r, now, error);
    if (err != WEIR_OK)
        return err;
    *ret_did = true;
    if (r->history) {
        weir_store_current_committed(&store->current);
        store->history_seq = r->last_seq;
        store->log.known = false;
    }
    uint64_t count = r->history ? r->all.count : 0;
    for (size_t i = 0; !r->history && i < store->cursors.n; i++)
        count += r->sinks[i].count;
    return count > 0 ? weir_limits_dropped(store, r->all.from_ts, r->all.to_ts, count, now, error)
                     : WEIR_OK;
}

/* --- the duty ----------------------------------------------------------------------------- */

static weir_err quarantine_drop(weir_store *store, int64_t until_ts, bool *ret_did,
                                weir_error *error)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql,
                   "DELETE FROM quarantine WHERE id=(SELECT id FROM quarantine WHERE ts<=%lld"
                   " ORDER BY ts LIMIT 1)",
                   (long long)until_ts);
    weir_err err = weir_db_exec(store->db, sql, error);
    *ret_did = err == WEIR_OK && sqlite3_changes(store->db) > 0;
    return err;
}

weir_err weir_cap_run(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    WEIR_CLEANUP(weir_free) void *owner = NULL;
    weir_part *part = NULL;
    size_t n = 0;
    if (!store->limits.cause || weir_limits_refuse(store))
        return WEIR_OK;
    weir_err err = weir_merge_trim_log(store, now, ret_did, error);
    if (err != WEIR_OK || *ret_did)
        return err;
    err = weir_parts_read(store->db,
                          "WHERE state=1 ORDER BY max_ts+ifnull((SELECT offset FROM epoch e"
                          " WHERE e.epoch=part.epoch),0), last_seq LIMIT 1",
                          &part, &n, error);
    owner = part;
    int64_t offset = 0;
    if (err == WEIR_OK && n > 0)
        err = weir_part_offset(store->db, part, &offset, error);
    const int64_t until_ts = n > 0 ? part->max_ts + offset : INT64_MAX;
    if (err == WEIR_OK)
        err = quarantine_drop(store, until_ts, ret_did, error);
    if (err == WEIR_OK && !*ret_did)
        err = weir_set_aside_drop(store, until_ts, now, ret_did, error);
    struct rows r = {.until_ts = n > 0 ? until_ts - 1 : INT64_MAX, .until_seq = store->history_seq};
    if (err == WEIR_OK && !*ret_did)
        err = rows_drop(store, &r, now, ret_did, error);
    if (err != WEIR_OK || *ret_did)
        return err;
    if (n > 0) {
        err = part_drop(store, part, offset, now, error);
        *ret_did = err == WEIR_OK;
        return err;
    }
    r = (struct rows){.until_ts = INT64_MAX, .until_seq = store->merged_seq, .history = true};
    return store->current_loaded ? rows_drop(store, &r, now, ret_did, error) : WEIR_OK;
}
