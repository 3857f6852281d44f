/* SPDX-License-Identifier: MIT */
/* The virtual table samples: all samples, each identity once. */

#include "store/query/query_priv.h"

#include "base/alloc.h"
#include "store/query/timeline.h"

typedef struct samples_cursor {
    sqlite3_vtab_cursor base;
    weir_constraints constraints;
    weir_scan *scan;         /* tag by tag */
    weir_timeline *timeline; /* or by time */
    weir_item item;
    bool any; /* item is one */
} samples_cursor;

static weir_query *cursor_query(sqlite3_vtab_cursor *cursor)
{
    return ((weir_query_table *)(void *)cursor->pVtab)->query;
}

static int samples_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    bool descending, one_tag;
    (void)table;
    int rc = weir_constraints_plan(info, SAMPLES_LETTERS);
    if (rc != SQLITE_OK)
        return rc;
    info->orderByConsumed = weir_constraints_order(info, SAMPLES_LETTERS, &descending, &one_tag);
    info->idxNum = (descending ? PLAN_DESCENDING : 0) |
                   (info->orderByConsumed && !one_tag ? PLAN_BY_TIME : 0) |
                   (weir_columns_need_replies(info->colUsed) ? PLAN_REPLIES : 0);
    return SQLITE_OK;
}

static int samples_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret)
{
    (void)table;
    samples_cursor *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    *ret = &c->base;
    return SQLITE_OK;
}

static void cursor_end(samples_cursor *c)
{
    weir_scan_free(c->scan);
    weir_timeline_free(c->timeline);
    c->scan = NULL;
    c->timeline = NULL;
    c->any = false;
    weir_constraints_deinit(&c->constraints);
}

static int samples_close(sqlite3_vtab_cursor *cursor)
{
    samples_cursor *c = (samples_cursor *)(void *)cursor;
    cursor_end(c);
    weir_free(c);
    return SQLITE_OK;
}

static int samples_next(sqlite3_vtab_cursor *cursor)
{
    samples_cursor *c = (samples_cursor *)(void *)cursor;
    weir_error error = WEIR_ERROR_INIT;
    do {
        weir_err err = c->timeline ? weir_timeline_next(c->timeline, &c->item, &c->any, &error)
                                   : weir_scan_next(c->scan, &c->item, &c->any, &error);
        if (err != WEIR_OK)
            return weir_query_table_fail(cursor->pVtab, err, &error);
    } while (c->any && !weir_constraints_match(&c->constraints, c->item.sample.ts));
    return SQLITE_OK;
}

static int samples_filter(sqlite3_vtab_cursor *cursor, int number, const char *plan, int argc,
                          sqlite3_value **argv)
{
    samples_cursor *c = (samples_cursor *)(void *)cursor;
    weir_query *q = cursor_query(cursor);
    weir_error error = WEIR_ERROR_INIT;
    cursor_end(c);
    weir_err err = weir_query_begin(q, &error);
    if (err == WEIR_OK)
        err = weir_constraints_read(&c->constraints, q->db, plan, argc, argv, &error);
    if (err == WEIR_OK && c->constraints.nothing)
        return SQLITE_OK;
    c->constraints.filter.descending = number & PLAN_DESCENDING;
    c->constraints.filter.replies = number & PLAN_REPLIES;
    const weir_scan_filter *filter = &c->constraints.filter;
    if (err == WEIR_OK)
        err = number & PLAN_BY_TIME ? weir_timeline_new(q->view, filter, &c->timeline, &error)
                                    : weir_scan_new(q->view, filter, NULL, &c->scan, &error);
    if (err != WEIR_OK)
        return weir_query_table_fail(cursor->pVtab, err, &error);
    return samples_next(cursor);
}

static int samples_eof(sqlite3_vtab_cursor *cursor)
{
    return !((samples_cursor *)(void *)cursor)->any;
}

static int samples_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    weir_column_result(context, &cursor_query(cursor)->names,
                       &((samples_cursor *)(void *)cursor)->item, column);
    return SQLITE_OK;
}

/* Without xCreate: the table is there by itself and cannot be made or dropped. */
const sqlite3_module weir_samples_module = {
    .iVersion = 0,
    .xConnect = weir_query_table_connect,
    .xBestIndex = samples_best_index,
    .xDisconnect = weir_query_table_disconnect,
    .xOpen = samples_open,
    .xClose = samples_close,
    .xFilter = samples_filter,
    .xNext = samples_next,
    .xEof = samples_eof,
    .xColumn = samples_column,
    .xRowid = weir_query_no_rowid,
};
