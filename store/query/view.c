/* SPDX-License-Identifier: MIT */
/* One moment of the store as readers see it: live parts, and the rows that are in no part yet. */

/*
 * There are tens to hundreds of parts, and of rows behind them an hour's at most, so both lists
 * are simply read, again whenever another connection has committed something (data_version).
 */

#include "store/query/view_priv.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"

static weir_err view_prepare(weir_view *view, weir_error *error)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
        bool history;
    } all[] = {
        {&view->version, "PRAGMA main.data_version", false},
        {&view->log_row, "SELECT head, body FROM main.log WHERE first_seq=?", false},
        {&view->fresh_row, "SELECT head, body, first_seq FROM main.fresh WHERE slot=?", true},
        {&view->purged, "SELECT purged_seq FROM main.tag WHERE uid=?", true},
        {&view->heads, "SELECT key, head FROM main.segment WHERE key BETWEEN ? AND ? ORDER BY key",
         true},
        {&view->marks, "SELECT marks FROM main.segment WHERE key=?", true},
        {&view->body, "SELECT body FROM main.segment WHERE key=?", true},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].history && !view->has_history)
            continue;
        weir_err err = weir_db_prepare(view->db, all[i].sql, all[i].stmt, error);
        if (err != WEIR_OK)
            return err;
    }
    return WEIR_OK;
}

weir_err weir_view_new(sqlite3 *db, weir_view **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_view_free) weir_view *view = weir_alloc_zero(1, sizeof *view);
    int64_t version = 0;
    if (!view)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
    view->db = db;
    view->data_version = -1;
    weir_err err = weir_db_int(db, "PRAGMA main.user_version", 0, &version, error);
    view->has_history = version >= SCHEMA_HAS_HISTORY;
    view->has_sinks = version >= SCHEMA_HAS_SINKS;
    view->has_keys = version >= SCHEMA_HAS_KEYS;
    if (err == WEIR_OK)
        err = view_prepare(view, error);
    if (err != WEIR_OK)
        return err;
    *ret = view;
    view = NULL;
    return WEIR_OK;
}

void weir_view_free(weir_view *view)
{
    if (!view)
        return;
    sqlite3_stmt *statements[] = {view->version, view->purged, view->log_row, view->fresh_row,
                                  view->heads,   view->marks,  view->body};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        (void)sqlite3_finalize(statements[i]);
    for (size_t i = 0; i < VIEW_BLOCKS; i++)
        weir_view_block_release(view->cache[i]);
    for (size_t i = 0; i < VIEW_REPLIES; i++)
        weir_free(view->replies[i].replies);
    weir_free(view->parts);
    weir_free(view->rows);
    weir_free(view->epochs);
    weir_free(view);
}

static weir_err no_memory(weir_error *error)
{
    return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
}

static weir_err epochs_read(weir_view *view, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        view->db, "SELECT epoch, offset FROM main.epoch WHERE offset<>0 ORDER BY epoch", &stmt,
        error);
    view->n_epochs = 0;
    view->offset_min = view->offset_max = 0;
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room = weir_array_room(view->epochs, view->n_epochs, &view->epochs_capacity,
                                     sizeof *view->epochs);
        if (!room)
            return no_memory(error);
        view->epochs = room;
        int64_t offset = sqlite3_column_int64(stmt, 1);
        view->epochs[view->n_epochs++] =
            (struct view_epoch){(uint32_t)sqlite3_column_int64(stmt, 0), offset};
        view->offset_min = offset < view->offset_min ? offset : view->offset_min;
        view->offset_max = offset > view->offset_max ? offset : view->offset_max;
    }
    return err;
}

static weir_err parts_read(weir_view *view, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(view->db,
                                   "SELECT id, epoch, min_ts, max_ts, first_seq, last_seq"
                                   " FROM main.part WHERE state=1",
                                   &stmt, error);
    view->n_parts = 0;
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room =
            weir_array_room(view->parts, view->n_parts, &view->parts_capacity, sizeof *view->parts);
        if (!room)
            return no_memory(error);
        view->parts = room;
        uint32_t epoch = (uint32_t)sqlite3_column_int64(stmt, 1);
        int64_t offset = weir_view_offset(view, epoch), id = sqlite3_column_int64(stmt, 0);
        if (id < 0 || id >= 1 << 23)
            return weir_fail(error, WEIR_EDAMAGED, "part %" PRId64 ": its number is impossible",
                             id);
        view->parts[view->n_parts++] =
            (weir_view_part){.id = id,
                             .epoch = epoch,
                             .offset = offset,
                             .min_ts = weir_view_shift(sqlite3_column_int64(stmt, 2), offset),
                             .max_ts = weir_view_shift(sqlite3_column_int64(stmt, 3), offset),
                             .first_seq = (uint64_t)sqlite3_column_int64(stmt, 4),
                             .last_seq = (uint64_t)sqlite3_column_int64(stmt, 5)};
    }
    return err;
}

static int part_compare(const void *a, const void *b)
{
    const weir_view_part *x = a, *y = b;
    return x->min_ts != y->min_ts ? (x->min_ts > y->min_ts) - (x->min_ts < y->min_ts)
                                  : (x->id > y->id) - (x->id < y->id);
}

/* first_seq, last_seq, min_ts, max_ts, key of each row. */
static weir_err rows_read(weir_view *view, const char *sql, uint64_t used, bool fresh,
                          weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(view->db, sql, &stmt, error);
    if (err == WEIR_OK)
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)used);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room =
            weir_array_room(view->rows, view->n_rows, &view->rows_capacity, sizeof *view->rows);
        if (!room)
            return no_memory(error);
        view->rows = room;
        int64_t min_ts = sqlite3_column_int64(stmt, 2), max_ts = sqlite3_column_int64(stmt, 3);
        weir_view_row r = {.key = sqlite3_column_int64(stmt, 4),
                           .fresh = fresh,
                           .first_seq = (uint64_t)sqlite3_column_int64(stmt, 0),
                           .last_seq = (uint64_t)sqlite3_column_int64(stmt, 1),
                           .min_ts = weir_view_shift(min_ts, view->offset_min),
                           .max_ts = weir_view_shift(max_ts, view->offset_max),
                           .stored_min_ts = min_ts,
                           .stored_max_ts = max_ts};
        if (r.last_seq > used)
            view->rows[view->n_rows++] = r;
    }
    return err;
}

static weir_err mark_read(weir_view *view, const char *sql, uint64_t *ret, weir_error *error)
{
    int64_t v;
    weir_err err = weir_db_int(view->db, sql, 0, &v, error);
    if (err == WEIR_OK)
        *ret = v < 0 ? 0 : (uint64_t)v;
    return err;
}

/* Rows of the log do not overlap: all before the last that begins at or below history_seq are used
 * up too, so that a long log of what some sink has not taken yet is not walked. */
#define LOG_START                                                        \
    " WHERE first_seq>=(SELECT coalesce(max(first_seq),0) FROM main.log" \
    " WHERE first_seq<=?1) ORDER BY first_seq"

static weir_err view_read(weir_view *view, weir_error *error)
{
    view->n_rows = 0;
    if (!view->has_history)
        return rows_read(view,
                         "SELECT first_seq, first_seq+count-1, min_ts, max_ts, first_seq"
                         " FROM main.log" LOG_START,
                         0, false, error);
    weir_err err = mark_read(view, "SELECT value FROM main.meta WHERE key='history_seq'",
                             &view->history_seq, error);
    if (err == WEIR_OK)
        err = mark_read(view, "SELECT value FROM main.meta WHERE key='merged_seq'",
                        &view->merged_seq, error);
    if (err == WEIR_OK)
        err = epochs_read(view, error);
    if (err == WEIR_OK)
        err = parts_read(view, error);
    if (err == WEIR_OK && view->n_parts > 0)
        qsort(view->parts, view->n_parts, sizeof *view->parts, part_compare);
    if (err == WEIR_OK)
        err = rows_read(view,
                        "SELECT first_seq, coalesce(last_seq, first_seq+count-1), min_ts, max_ts,"
                        " first_seq FROM main.log" LOG_START,
                        view->history_seq, false, error);
    if (err == WEIR_OK)
        err = rows_read(view,
                        "SELECT first_seq, first_seq+count-1, min_ts, max_ts, slot"
                        " FROM main.fresh WHERE first_seq>?1 ORDER BY first_seq",
                        view->merged_seq, true, error);
    return err;
}

weir_err weir_view_update(weir_view *view, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->version;
    bool row = false;
    weir_err err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK)
        return err;
    int64_t version = row ? sqlite3_column_int64(stmt, 0) : -1;
    int64_t changes = sqlite3_total_changes64(view->db);
    if (version == view->data_version && changes == view->changes && version != -1)
        return WEIR_OK;
    view->data_version = -1;
    err = view_read(view, error);
    if (err != WEIR_OK)
        return err;
    view->data_version = version;
    view->changes = changes;
    return WEIR_OK;
}

sqlite3 *weir_view_db(const weir_view *view)
{
    return view->db;
}

weir_view_counters *weir_view_count(weir_view *view)
{
    return &view->counters;
}

const weir_view_part *weir_view_parts(const weir_view *view, size_t *ret_n)
{
    *ret_n = view->n_parts;
    return view->parts;
}

const weir_view_row *weir_view_rows(const weir_view *view, size_t *ret_n)
{
    *ret_n = view->n_rows;
    return view->rows;
}

int64_t weir_view_offset(const weir_view *view, uint32_t epoch)
{
    for (size_t i = 0; i < view->n_epochs; i++)
        if (view->epochs[i].epoch == epoch)
            return view->epochs[i].offset;
    return 0;
}

uint64_t weir_view_history_seq(const weir_view *view)
{
    return view->history_seq;
}

uint64_t weir_view_merged_seq(const weir_view *view)
{
    return view->merged_seq;
}

bool weir_view_has_history(const weir_view *view)
{
    return view->has_history;
}

bool weir_view_has_sinks(const weir_view *view)
{
    return view->has_sinks;
}

bool weir_view_has_keys(const weir_view *view)
{
    return view->has_keys;
}

weir_err weir_view_purged(weir_view *view, weir_tag_uid tag, uint64_t *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->purged;
    bool row = false;
    *ret = 0;
    if (!stmt)
        return WEIR_OK;
    (void)sqlite3_bind_int64(stmt, 1, tag);
    weir_err err = weir_db_step(stmt, &row, error);
    if (err == WEIR_OK && row && sqlite3_column_int64(stmt, 0) > 0)
        *ret = (uint64_t)sqlite3_column_int64(stmt, 0);
    return err;
}
