/* SPDX-License-Identifier: MIT */
/* Rows that a query gave, as text. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/map.h"
#include "catalog/problem.h"

/* What a cell points to that holds what is no text: a BLOB, or text that is not UTF-8. */
extern const char weir_cell_unreadable[];

typedef struct weir_rows {
    weir_arena *arena; /* owns the names of columns and what cells point to; NULL: nothing yet */
    size_t n_columns;
    const char **columns;
    size_t n, capacity; /* rows */
    const char **cells; /* n * n_columns; NULL: null */
} weir_rows;

void weir_rows_deinit(weir_rows *rows);

/* WEIR_ENOMEM: false. Names are copied. */
bool weir_rows_start(weir_rows *rows, size_t n_columns, const char *const *names);

/* Room for one more row, whose cells are NULL until set; NULL: memory is short. */
const char **weir_rows_add(weir_rows *rows);

/* A copy for a cell: weir_cell_unreadable when it is no text; NULL: memory is short. */
const char *weir_rows_text(weir_rows *rows, const char *text, size_t n);

/* Of all columns and cells: equal rows have equal digests, others as good as never. */
uint64_t weir_rows_digest(const weir_rows *rows, uint64_t before);

enum { WEIR_ROWS_MAX = 1000 * 1000 };

/* ---- reading them ---- */

/* One row and how it is called: what is wrong with it is told of its table, number and column. */
typedef struct weir_row {
    const weir_rows *rows;
    size_t at;
    const char *table; /* "config.db, table device" */
    const char *word;  /* "row": what its number is called */
    const char *id;    /* the number as text; "" : none */
    weir_problems *problems;
} weir_row;

/* Index of the column, or -1. */
int weir_rows_column(const weir_rows *rows, const char *name);

/* NULL: null, or no such column, or unreadable, and said so. */
const char *weir_row_text(const weir_row *row, int column);

/* "config.db, table device, column unit_id, row" and the number; column -1: without it. The text
 * of a number that is none stands in ret_text, and 0 is returned. */
uint32_t weir_row_place(const weir_row *row, int column, weir_text *ret_text);

/* A problem with the cell, or with the row. */
void weir_row_problem(const weir_row *row, int column, const char *format, ...) WEIR_PRINTF(3, 4);

/* A whole number within limits. False, and said so: null or another. */
bool weir_row_int(const weir_row *row, int column, int64_t min, int64_t max, int64_t *ret);

/* A text that is not empty. NULL, and said so: null, empty or unreadable. */
const char *weir_row_word(const weir_row *row, int column);

/* Whether no two rows have the same text there; null is like nothing. False: memory is short. */
bool weir_rows_distinct(const weir_rows *rows, int column, bool *ret);

/* ---- rows by a key ---- */

#define WEIR_ROW_NONE UINT32_MAX

/* Lists of rows with the same key, each in the order in which rows were added. */
typedef struct weir_groups {
    weir_map map; /* key -> number of the group + 1 */
    struct weir_group_of_rows {
        const char *key;
        uint32_t first, last;
    } * items;
    size_t n, capacity;
    uint32_t *next; /* [n_rows] */
} weir_groups;

bool weir_groups_init(weir_groups *groups, size_t n_rows); /* false: memory is short */
void weir_groups_deinit(weir_groups *groups);
/* The key is borrowed. */
bool weir_groups_add(weir_groups *groups, const char *key, uint32_t row);
/* The first row with the key, or WEIR_ROW_NONE. */
uint32_t weir_groups_first(const weir_groups *groups, const char *key);
