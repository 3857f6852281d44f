/* SPDX-License-Identifier: MIT */
/* The virtual table current: the newest sample of each tag of the newest catalog. */

/*
 * The log is walked backwards from its end until every tag wanted has been found. Newest is what
 * has the highest epoch, then ts, then seq. The first row that has a tag decides, unless it is
 * marked as possibly repeating older samples: then an older row may hold a newer ts, and the walk
 * goes on for that tag with the sample as a candidate. No tag is looked for before the sequence
 * number it was registered at. All is done when the table is opened; the cursor shows the list.
 */

#include "store/query_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/database.h"
#include "store/schema.h"

/* One tag and its newest sample so far. */
struct entry {
    weir_tag_uid uid;
    bool found, settled;
    uint64_t registered; /* no sample of it has a lower seq */
    uint64_t seq;
    weir_sample sample; /* string and bytes are in content */
    weir_batch batch;
    uint8_t *content;
};

typedef struct current_cursor {
    sqlite3_vtab_cursor base;
    weir_constraints constraints;
    struct entry *entries; /* by uid */
    size_t n, capacity;
    size_t at;
} current_cursor;

static weir_query *cursor_query(sqlite3_vtab_cursor *cursor)
{
    return ((weir_query_table *)(void *)cursor->pVtab)->query;
}

/* --- the search --------------------------------------------------------------------------- */

static weir_err entry_add(current_cursor *c, weir_tag_uid uid, uint64_t registered,
                          weir_error *error)
{
    if (c->n == c->capacity) {
        size_t n = c->capacity ? c->capacity * 2 : 64;
        struct entry *entries = weir_realloc_array(c->entries, n, sizeof *entries);
        if (!entries)
            return weir_fail(error, WEIR_ENOMEM, "no memory for the current values");
        c->entries = entries;
        c->capacity = n;
    }
    c->entries[c->n++] = (struct entry){.uid = uid, .registered = registered};
    return WEIR_OK;
}

static weir_err entries_read(current_cursor *c, sqlite3 *db, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(db,
                                   "SELECT uid, (SELECT min(seq) FROM tag_version v"
                                   " WHERE v.uid=t.uid) FROM tag t WHERE active ORDER BY uid",
                                   &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        weir_tag_uid uid = (weir_tag_uid)sqlite3_column_int64(stmt, 0);
        if (weir_scan_has_tag(&c->constraints.filter, uid))
            err = entry_add(c, uid, (uint64_t)sqlite3_column_int64(stmt, 1), error);
    }
    return err;
}

/* The tags still looked for, ascending, and the lowest seq any of them can have. */
struct wanted {
    weir_tag_uid *uids;
    size_t n;
    uint64_t lowest;
};

static void wanted_update(struct wanted *w, const current_cursor *c)
{
    w->n = 0;
    w->lowest = UINT64_MAX;
    for (size_t i = 0; i < c->n; i++) {
        if (c->entries[i].settled)
            continue;
        w->uids[w->n++] = c->entries[i].uid;
        w->lowest = c->entries[i].registered < w->lowest ? c->entries[i].registered : w->lowest;
    }
}

static struct entry *entry_find(current_cursor *c, weir_tag_uid uid)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->entries[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->n && c->entries[low].uid == uid ? &c->entries[low] : NULL;
}

/* Whether the sample replaces what was found. */
static bool entry_is_older(const struct entry *e, const weir_sample *s, uint32_t epoch,
                           uint64_t seq)
{
    if (!e->found || epoch != e->batch.epoch)
        return !e->found || epoch > e->batch.epoch;
    return s->ts.us > e->sample.ts.us || (s->ts.us == e->sample.ts.us && seq > e->seq);
}

static weir_err entry_set(struct entry *e, const weir_sample *s, const weir_batch *batch,
                          uint64_t seq, weir_error *error)
{
    uint8_t *content = NULL;
    if (s->value.kind >= WEIR_KIND_STRING) {
        content = weir_alloc(s->value.length);
        if (!content)
            return weir_fail(error, WEIR_ENOMEM, "no memory for the current values");
        memcpy(content, s->value.as.bytes, s->value.length);
    }
    weir_free(e->content);
    e->content = content;
    e->found = true;
    e->seq = seq;
    e->sample = *s;
    e->batch = *batch;
    if (content)
        e->sample.value.as.bytes = content;
    return WEIR_OK;
}

static weir_err block_take(current_cursor *c, const weir_block *block, uint64_t first_seq,
                           weir_error *error)
{
    size_t i = 0;
    for (size_t b = 0; b < block->n_batches; b++) {
        const weir_batch *batch = &block->batches[b];
        for (size_t end = i + batch->n_samples; i < end; i++) {
            const weir_sample *s = &block->samples[i];
            struct entry *e = entry_find(c, s->tag);
            if (!e || e->settled || !entry_is_older(e, s, batch->epoch, first_seq + i))
                continue;
            weir_err err = entry_set(e, s, batch, first_seq + i, error);
            if (err != WEIR_OK)
                return err;
        }
    }
    return WEIR_OK;
}

/* The tags of an unmarked row are settled by it, also those found before in a marked one. */
static void block_settle(current_cursor *c, const weir_block *block)
{
    for (size_t i = 0; i < block->count; i++) {
        struct entry *e = entry_find(c, block->samples[i].tag);
        if (e)
            e->settled = true;
    }
}

static weir_err row_take(current_cursor *c, weir_query *q, sqlite3_stmt *row, struct wanted *w,
                         weir_error *error)
{
    int64_t first_seq = sqlite3_column_int64(row, 0);
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    weir_block_head head;
    q->counters.rows++;
    weir_err err = weir_scan_head(row, 2, first_seq, &head, error);
    if (err != WEIR_OK || !weir_block_head_has_any(&head, w->uids, w->n))
        return err;
    err = weir_scan_block(row, 3, first_seq, &head, &block, error);
    if (err == WEIR_OK) {
        q->counters.decoded++;
        err = block_take(c, block, (uint64_t)first_seq, error);
    }
    if (err == WEIR_OK && !(sqlite3_column_int(row, 1) & LOG_REPEATS)) {
        block_settle(c, block);
        wanted_update(w, c);
    }
    return err;
}

static weir_err current_search(current_cursor *c, weir_query *q, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = entries_read(c, q->db, error);
    if (err != WEIR_OK)
        return err;
    WEIR_CLEANUP(weir_free) void *uids = weir_alloc(c->n * sizeof(weir_tag_uid));
    struct wanted w = {.uids = uids};
    if (!uids)
        return weir_fail(error, WEIR_ENOMEM, "no memory for the current values");
    wanted_update(&w, c);
    err = weir_db_prepare(q->db,
                          "SELECT first_seq, late, head, body, first_seq+count-1 FROM log"
                          " ORDER BY first_seq DESC",
                          &rows, error);
    while (err == WEIR_OK && w.n > 0 && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        if ((uint64_t)sqlite3_column_int64(rows, 4) < w.lowest)
            break;
        err = row_take(c, q, rows, &w, error);
    }
    return err;
}

/* --- the table ---------------------------------------------------------------------------- */

/* Only the choice of tags narrows the search: which sample is the newest does not depend on what
 * else is asked of it. */
static int current_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    int rc = weir_constraints_plan(info, "nT");
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
    weir_free(c);
    return SQLITE_OK;
}

/* Whether the entry under the cursor is to be shown. */
static bool entry_shows(const current_cursor *c)
{
    const struct entry *e = &c->entries[c->at];
    const weir_scan_filter *f = &c->constraints.filter;
    return e->found && e->sample.ts.us >= f->min_ts && e->sample.ts.us <= f->max_ts &&
           weir_constraints_match(&c->constraints, e->sample.ts);
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
    weir_err err = weir_names_update(&q->names, q->db, &error);
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
    const weir_scan_item item = {&e->sample, &e->batch, e->seq};
    weir_column_result(context, &cursor_query(cursor)->names, &item, column);
    return SQLITE_OK;
}

static int current_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
    const current_cursor *c = (current_cursor *)(void *)cursor;
    *ret = c->entries[c->at].uid;
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
    .xRowid = current_rowid,
};
