/* SPDX-License-Identifier: MIT */
/* The virtual table current: the newest sample of each tag of the newest catalog. */

/*
 * The store keeps a snapshot: the newest sample of every tag up to some seq, no more than a minute
 * old. It and the rows behind it are all that is read. Without one that can be used, all rows are
 * read, and for each tag the heads of its segments, newest part first, and one slice. Newest is
 * what has the highest epoch, then ts, then seq. All is done when the table is opened; the cursor
 * shows the list.
 */

#include "store/query/query_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/query/newest.h"
#include "store/query/series.h"

/* One tag and its newest sample so far. */
struct entry {
    weir_tag_uid uid;
    bool found;
    uint64_t purged; /* samples up to this seq do not count */
    weir_item item;  /* string and bytes are in content */
    uint8_t *content;
};

typedef struct current_cursor {
    sqlite3_vtab_cursor base;
    weir_constraints constraints;
    struct entry *entries; /* by uid */
    weir_tag_uid *uids;    /* of the entries */
    size_t n, capacity;
    size_t at;
} current_cursor;

static weir_query *cursor_query(sqlite3_vtab_cursor *cursor)
{
    return ((weir_query_table *)(void *)cursor->pVtab)->query;
}

/* --- the list ----------------------------------------------------------------------------- */

static weir_err entry_add(current_cursor *c, weir_tag_uid uid, uint64_t purged, weir_error *error)
{
    if (c->n == c->capacity) {
        size_t n = c->capacity ? c->capacity * 2 : 64;
        struct entry *entries = weir_realloc_array(c->entries, n, sizeof *entries);
        if (!entries)
            return weir_fail(error, WEIR_ENOMEM, "no memory for the current values");
        c->entries = entries;
        weir_tag_uid *uids = weir_realloc_array(c->uids, n, sizeof *uids);
        if (!uids)
            return weir_fail(error, WEIR_ENOMEM, "no memory for the current values");
        c->uids = uids;
        c->capacity = n;
    }
    c->uids[c->n] = uid;
    c->entries[c->n++] = (struct entry){.uid = uid, .purged = purged};
    return WEIR_OK;
}

static bool has_tag(const weir_scan_filter *f, weir_tag_uid uid)
{
    return !f->tags || bsearch(&uid, f->tags, f->n_tags, sizeof *f->tags, weir_uid_compare) != NULL;
}

static weir_err entries_read(current_cursor *c, weir_query *q, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(q->db,
                                   weir_view_has_history(q->view)
                                       ? "SELECT uid, purged_seq FROM main.tag WHERE active AND"
                                         " uid BETWEEN 1 AND 2147483647 ORDER BY uid"
                                       : "SELECT uid, 0 FROM main.tag WHERE active AND"
                                         " uid BETWEEN 1 AND 2147483647 ORDER BY uid",
                                   &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        weir_tag_uid uid = (weir_tag_uid)sqlite3_column_int64(stmt, 0);
        if (has_tag(&c->constraints.filter, uid))
            err = entry_add(c, uid, (uint64_t)sqlite3_column_int64(stmt, 1), error);
    }
    return err;
}

static struct entry *entry_find(current_cursor *c, weir_tag_uid uid)
{
    const weir_tag_uid *at =
        c->n ? bsearch(&uid, c->uids, c->n, sizeof uid, weir_uid_compare) : NULL;
    return at ? &c->entries[at - c->uids] : NULL;
}

/* Whether the item replaces what was found. */
static bool entry_is_older(const struct entry *e, const weir_item *item)
{
    if (item->seq <= e->purged)
        return false;
    if (!e->found || item->epoch != e->item.epoch)
        return !e->found || item->epoch > e->item.epoch;
    return item->sample.ts.us > e->item.sample.ts.us ||
           (item->sample.ts.us == e->item.sample.ts.us && item->seq > e->item.seq);
}

static weir_err entry_set(struct entry *e, const weir_item *item, weir_error *error)
{
    uint8_t *content = NULL;
    const weir_value *v = &item->sample.value;
    if (v->kind >= WEIR_KIND_STRING) {
        content = weir_alloc(v->length);
        if (!content)
            return weir_fail(error, WEIR_ENOMEM, "no memory for the current values");
        if (v->length > 0)
            memcpy(content, v->as.bytes, v->length);
    }
    weir_free(e->content);
    e->content = content;
    e->found = true;
    e->item = *item;
    if (content)
        e->item.sample.value.as.bytes = content;
    return WEIR_OK;
}

/* --- the search --------------------------------------------------------------------------- */

static weir_err walk_take(current_cursor *c, weir_view_walk *walk, weir_error *error)
{
    weir_item item;
    weir_err err = WEIR_OK;
    while (err == WEIR_OK && weir_view_walk_next(walk, &item)) {
        struct entry *e = entry_find(c, item.sample.tag);
        if (e && entry_is_older(e, &item))
            err = entry_set(e, &item, error);
    }
    return err;
}

/* One block of the snapshot: seq, first_seq, head, body. */
static weir_err snapshot_block_take(current_cursor *c, weir_query *q, sqlite3_stmt *row,
                                    weir_error *error)
{
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    weir_block_head head;
    weir_err err = weir_block_head_parse(sqlite3_column_blob(row, 2),
                                         (size_t)sqlite3_column_bytes(row, 2), &head, error);
    if (err == WEIR_OK && !weir_block_head_has_any(&head, c->uids, c->n))
        return WEIR_OK;
    if (err == WEIR_OK)
        err = weir_block_decode(&head, sqlite3_column_blob(row, 3),
                                (size_t)sqlite3_column_bytes(row, 3), &block, error);
    if (err != WEIR_OK)
        return err;
    weir_view_count(q->view)->decoded++;
    const weir_view_row all = {.first_seq = (uint64_t)sqlite3_column_int64(row, 1),
                               .snapshot = true};
    weir_view_walk walk = {.view = q->view, .row = &all, .block = block};
    return walk_take(c, &walk, error);
}

/* *ret_seq: up to here the entries are right; 0: the snapshot is of no use. Only memory may be the
 * reason for an error: what is damaged here is found elsewhere. */
static weir_err snapshot_take(current_cursor *c, weir_query *q, uint64_t *ret_seq,
                              weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    uint64_t seq = 0;
    *ret_seq = 0;
    if (!weir_view_has_history(q->view))
        return WEIR_OK;
    weir_err err = weir_db_prepare(
        q->db, "SELECT seq, first_seq, head, body FROM main.snapshot ORDER BY id", &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        seq = (uint64_t)sqlite3_column_int64(stmt, 0);
        err = snapshot_block_take(c, q, stmt, error);
    }
    if (err == WEIR_OK && seq >= weir_view_history_seq(q->view))
        *ret_seq = seq;
    return err == WEIR_ENOMEM ? err : WEIR_OK;
}

static weir_err rows_take(current_cursor *c, weir_query *q, uint64_t after, weir_error *error)
{
    size_t n;
    const weir_view_row *rows = weir_view_rows(q->view, &n);
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < n; i++) {
        weir_view_block *block = NULL;
        if (rows[i].last_seq <= after)
            continue;
        err = weir_view_row_block(q->view, &rows[i], c->uids, c->n, &block, error);
        if (err != WEIR_OK || !block)
            continue;
        weir_view_walk walk = {.view = q->view, .row = &rows[i], .block = block->block};
        err = walk_take(c, &walk, error);
        weir_view_block_release(block);
    }
    return err;
}

/* Where a tag's newest sample in parts is. */
struct newest {
    bool any;
    uint32_t epoch;
    int64_t ts; /* as shown */
    const weir_view_part *part;
};

static weir_err newest_on_head(void *data, int64_t key, const weir_segment_head *head,
                               weir_error *error)
{
    struct newest *n = data;
    int64_t ts = weir_view_shift(head->max_ts.us, n->part->offset);
    (void)key, (void)error;
    if (!n->any || n->part->epoch > n->epoch || (n->part->epoch == n->epoch && ts > n->ts))
        *n = (struct newest){true, n->part->epoch, ts, n->part};
    return WEIR_OK;
}

/* The sample found by its time: one slice is read for it. */
static weir_err newest_take(struct entry *e, weir_view *view, const struct newest *n,
                            weir_error *error)
{
    WEIR_CLEANUP(weir_tag_series_free) weir_tag_series *series = NULL;
    const weir_tag_series_wish wish = {.tag = e->uid,
                                       .min_ts = n->ts,
                                       .max_ts = n->ts,
                                       .max_seq = UINT64_MAX,
                                       .replies = true,
                                       .has_tail = true};
    weir_item item;
    bool any;
    weir_err err = weir_tag_series_new(view, &wish, &series, error);
    while (err == WEIR_OK && (err = weir_tag_series_next(series, &item, &any, error)) == WEIR_OK &&
           any)
        if (entry_is_older(e, &item))
            err = entry_set(e, &item, error);
    return err;
}

static weir_err parts_take(struct entry *e, weir_view *view, weir_error *error)
{
    size_t n;
    const weir_view_part *parts = weir_view_parts(view, &n);
    struct newest newest = {e->found, e->item.epoch, e->item.sample.ts.us, NULL};
    const struct newest before = newest;
    for (size_t i = n; i-- > 0;) {
        const weir_view_part *p = &parts[i];
        if (p->last_seq <= e->purged ||
            (newest.any &&
             (p->epoch < newest.epoch || (p->epoch == newest.epoch && p->max_ts <= newest.ts))))
            continue;
        newest.part = p;
        weir_err err =
            weir_view_heads(view, SEGMENT_KEY(p->id, e->uid, 0), SEGMENT_KEY(p->id, e->uid, 0xff),
                            newest_on_head, &newest, error);
        if (err != WEIR_OK)
            return err;
    }
    if (!newest.any || (before.any && newest.epoch == before.epoch && newest.ts == before.ts))
        return WEIR_OK;
    return newest_take(e, view, &newest, error);
}

weir_err weir_newest_in_parts(weir_view *view, weir_tag_uid tag, uint64_t purged,
                              weir_newest_on_item *call, void *data, weir_error *error)
{
    struct entry e = {.uid = tag, .purged = purged};
    weir_err err = parts_take(&e, view, error);
    if (err == WEIR_OK && e.found) {
        const int64_t offset = weir_view_offset(view, e.item.epoch);
        e.item.sample.ts.us = weir_view_shift(e.item.sample.ts.us, -offset);
        e.item.received.us = weir_view_shift(e.item.received.us, -offset);
        err = call(data, &e.item, error);
    }
    weir_free(e.content);
    return err;
}

static weir_err current_search(current_cursor *c, weir_query *q, weir_error *error)
{
    uint64_t after = 0;
    weir_err err = entries_read(c, q, error);
    if (err != WEIR_OK || c->n == 0)
        return err;
    err = snapshot_take(c, q, &after, error);
    if (err == WEIR_OK)
        err = rows_take(c, q, after, error);
    for (size_t i = 0; err == WEIR_OK && after == 0 && i < c->n; i++)
        err = parts_take(&c->entries[i], q->view, error);
    return err;
}

/* --- the table ---------------------------------------------------------------------------- */

/* Only the choice of tags narrows the search: which sample is the newest does not depend on what
 * else is asked of it. */
static int current_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    int rc = weir_constraints_plan(info, "n T");
    info->estimatedCost /= 1e4;
    info->estimatedRows = info->estimatedRows / 10000 + 1;
    return rc;
}

static int current_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret)
{
    (void)table;
    current_cursor *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    *ret = &c->base;
    return SQLITE_OK;
}

static void cursor_end(current_cursor *c)
{
    for (size_t i = 0; i < c->n; i++)
        weir_free(c->entries[i].content);
    c->n = c->at = 0;
    weir_constraints_deinit(&c->constraints);
}

static int current_close(sqlite3_vtab_cursor *cursor)
{
    current_cursor *c = (current_cursor *)(void *)cursor;
    cursor_end(c);
    weir_free(c->entries);
    weir_free(c->uids);
    weir_free(c);
    return SQLITE_OK;
}

/* Whether the entry under the cursor is to be shown. */
static bool entry_shows(const current_cursor *c)
{
    const struct entry *e = &c->entries[c->at];
    const weir_scan_filter *f = &c->constraints.filter;
    return e->found && e->item.sample.ts.us >= f->min_ts && e->item.sample.ts.us <= f->max_ts &&
           weir_constraints_match(&c->constraints, e->item.sample.ts);
}

static void skip_hidden(current_cursor *c)
{
    while (c->at < c->n && !entry_shows(c))
        c->at++;
}

static int current_filter(sqlite3_vtab_cursor *cursor, int number, const char *plan, int argc,
                          sqlite3_value **argv)
{
    current_cursor *c = (current_cursor *)(void *)cursor;
    weir_query *q = cursor_query(cursor);
    weir_error error = WEIR_ERROR_INIT;
    (void)number;
    cursor_end(c);
    weir_err err = weir_query_begin(q, &error);
    if (err == WEIR_OK)
        err = weir_constraints_read(&c->constraints, q->db, plan, argc, argv, &error);
    if (err == WEIR_OK && !c->constraints.nothing)
        err = current_search(c, q, &error);
    if (err != WEIR_OK)
        return weir_query_table_fail(cursor->pVtab, err, &error);
    skip_hidden(c);
    return SQLITE_OK;
}

static int current_next(sqlite3_vtab_cursor *cursor)
{
    current_cursor *c = (current_cursor *)(void *)cursor;
    c->at++;
    skip_hidden(c);
    return SQLITE_OK;
}

static int current_eof(sqlite3_vtab_cursor *cursor)
{
    const current_cursor *c = (current_cursor *)(void *)cursor;
    return c->at >= c->n;
}

static int current_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    const current_cursor *c = (current_cursor *)(void *)cursor;
    const struct entry *e = &c->entries[c->at];
    weir_column_result(context, &cursor_query(cursor)->names, &e->item, column);
    return SQLITE_OK;
}

const sqlite3_module weir_current_module = {
    .iVersion = 0,
    .xConnect = weir_query_table_connect,
    .xBestIndex = current_best_index,
    .xDisconnect = weir_query_table_disconnect,
    .xOpen = current_open,
    .xClose = current_close,
    .xFilter = current_filter,
    .xNext = current_next,
    .xEof = current_eof,
    .xColumn = current_column,
    .xRowid = weir_query_no_rowid,
};
