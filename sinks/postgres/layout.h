/* SPDX-License-Identifier: MIT */
/* The tables: how they are made, which columns they must have, and what of a row goes where. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "model/sink.h"
#include "sinks/postgres/copy.h"
#include "sinks/postgres/options.h"

typedef enum weir_pg_layout_kind {
    WEIR_PG_LAYOUT_WEIR,
    WEIR_PG_LAYOUT_EMDC, /* topics and data of predecessor Energy Meter Data Collector */
} weir_pg_layout_kind;

extern const char *const weir_pg_layout_words[];

enum { WEIR_PG_COLUMNS_MAX = 12, WEIR_PG_TYPES_MAX = 4 };

/* A column that a table must have. Types as format_type() names them; the first is what weir makes,
 * all are sent by the same bytes but for the width of integers. */
typedef struct weir_pg_column {
    const char *name;
    const char *types[WEIR_PG_TYPES_MAX + 1];
    bool is_null_sent; /* so NOT NULL would not fit */
} weir_pg_column;

typedef struct weir_pg_table {
    const weir_pg_column *columns; /* NULL-name-terminated */
    const char *key;               /* "store, uid": what must be unique; ascending in key_sorted */
    const char *key_sorted;
} weir_pg_table;

typedef struct weir_pg_layout {
    const char *tags_table, *samples_table; /* by default */
    weir_pg_table tags, samples;
    bool has_epoch; /* part of the key */
    bool has_null;  /* samples without a value have a row */
    /* SQL, with @TAGS@ and @SAMPLES@ for the tables */
    const char *tags_ddl, *samples_ddl;
    /* $1 a JSON array of {n, uid, seq, name ...}, $2 the store's uuid. SELECT gives n, id, seq. */
    const char *tags_update; /* NULL: nothing changes */
    const char *tags_insert, *tags_select;
    const char *staged_insert; /* with @STAGING@, @COLUMNS@ */
} weir_pg_layout;

/* The tables of one sink, quoted and ready for SQL. */
typedef struct weir_pg_tables {
    const weir_pg_layout *layout;
    const char *schema_name, *tags_name, *samples_name; /* as they are; of the options */
    char schema[132], tags[264], samples[264];
    /* What the samples table has, found by looking: index into the types of each column. */
    uint8_t types[WEIR_PG_COLUMNS_MAX];
} weir_pg_tables;

void weir_pg_tables_init(weir_pg_tables *t, const weir_pg_options *options);

/* text with @TAGS@, @SAMPLES@, @COLUMNS@ and @STAGING@ replaced. */
void weir_pg_tables_fill(const weir_pg_tables *t, const char *text, weir_text *ret);

/* Table of a temporary copy of samples, in a transaction that met a duplicate key. */
#define WEIR_PG_STAGING "weir_staging"

/* Appends one row that weir_pg_row_refused() does not refuse; false: memory is short. */
bool weir_pg_row_copy(const weir_pg_tables *t, const weir_sink_row *row, int64_t tag_id,
                      weir_pg_copy *c);

/* Why a row cannot be in PostgreSQL at all; NULL: it can. */
const char *weir_pg_row_refused(const weir_sink_row *row);

/* The DDL for a DBA. */
void weir_pg_tables_ddl(const weir_pg_tables *t, weir_text *ret);
