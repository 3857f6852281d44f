/* SPDX-License-Identifier: MIT */
/* What the tables look like and how a sample becomes a row of them. */

#pragma once
#include <sqlite3.h>

#include "model/sink.h"
#include "sinks/sqlite/sqlite.h"

/* Of what a layout needs: a table and the columns that it must have. */
typedef struct weir_sqlite_table {
    const char *name; /* NULL: the one that `table` names */
    const char *const *columns;
} weir_sqlite_table;

/* What is bound to a statement; the first failure is remembered: check once, at the end. */
typedef struct weir_sqlite_binding {
    sqlite3_stmt *statement;
    int code; /* SQLITE_OK */
} weir_sqlite_binding;

void weir_sqlite_bind_int(weir_sqlite_binding *b, int at, int64_t i);
void weir_sqlite_bind_text(weir_sqlite_binding *b, int at, const char *text); /* borrows */
void weir_sqlite_bind_bytes(weir_sqlite_binding *b, int at, const void *bytes, size_t n);

/* What is in the file before the layout's tables are made. */
typedef struct weir_sqlite_found {
    bool table;      /* the one with the samples */
    bool parents;    /* the table that its rows belong to */
    bool parent_key; /* and what they name is the key of that */
} weir_sqlite_found;

typedef struct weir_sqlite_layout {
    const char *table; /* the name of the one with the samples, unless `table` gives another */
    const weir_sqlite_table *tables; /* NULL columns: the end */
    /* The DDL, with IF NOT EXISTS, so that it can be run each time. */
    void (*schema)(const char *table, const weir_sqlite_found *found, weir_text *t);
    /* One row; a repetition changes nothing. */
    void (*insert)(const char *table, weir_text *t);
    /* Binds a row; texts are borrowed until the step. False: it is none of this layout. tag_id is
     * the row of weir_tags, where the layout has that. */
    bool (*bind)(weir_sqlite_binding *b, const weir_sink_row *row, int64_t tag_id);
    bool has_tags;
    /* Where rows belong to those of another table: find_parents gives a row when it is in the same
     * file, with 1 where they name its key; find_parent one for the row that a sample belongs to.
     * What belongs to none is left out. NULL: there is no such table. */
    const char *find_parents, *find_parent;
    /* Binds what find_parent looks for. False: the sample can belong to none. */
    bool (*bind_parent)(weir_sqlite_binding *b, const weir_sink_row *row);
} weir_sqlite_layout;

extern const weir_sqlite_layout weir_sqlite_results_raw;
const weir_sqlite_layout *weir_sqlite_layout_of(const weir_sqlite_options *options);

/* The tables that every layout has beside its own. */
extern const char weir_sqlite_upsert_tag[];
extern const char weir_sqlite_find_tag[];
extern const char weir_sqlite_upsert_cursor[];
extern const char weir_sqlite_find_cursor[];
extern const char *const weir_sqlite_cursor_columns[];

/* What the form has to be told that the options give. */
const char *weir_sqlite_table_name(const weir_sqlite_options *options);

/* All of the DDL. */
void weir_sqlite_schema(const weir_sqlite_options *options, const weir_sqlite_found *found,
                        weir_text *t);
