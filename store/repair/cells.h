/* SPDX-License-Identifier: MIT */
/* The rows in one page of a database, one by one, each believed only as far as it can be read. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/repair/pages.h"

enum {
    WEIR_CELL_FIELDS_MAX = 16,                /* no table of ours has more columns */
    WEIR_CELL_BYTES_MAX = 80 * 1024 * 1024,   /* nor a row more bytes */
    WEIR_CELLS_PAGE_MAX = WEIR_PAGE_SIZE / 2, /* cells in a page: two bytes point to each */
};

typedef enum weir_field_kind {
    WEIR_FIELD_NULL,
    WEIR_FIELD_INTEGER,
    WEIR_FIELD_REAL,
    WEIR_FIELD_TEXT,
    WEIR_FIELD_BLOB,
} weir_field_kind;

typedef struct weir_field {
    weir_field_kind kind;
    uint32_t n;           /* bytes of a text or blob */
    const uint8_t *bytes; /* of a text or blob, after weir_cells_load; borrows */
    int64_t integer;
    double real;
} weir_field;

typedef struct weir_cell {
    bool has_rowid; /* of a table with rowid; else of an index or a table without */
    int64_t rowid;
    bool out_of_order; /* its rowid does not fit between those beside it */
    bool swept;        /* not pointed to: found by trying, perhaps deleted long ago */
    unsigned n_fields;
    weir_field fields[WEIR_CELL_FIELDS_MAX];

    /* where it is */
    uint32_t at;                         /* of its payload in the page */
    uint32_t size;                       /* of the payload */
    uint32_t local;                      /* of that in the page */
    uint32_t header;                     /* of the record */
    uint32_t overflow;                   /* the page that goes on; 0: none */
    uint8_t types[WEIR_CELL_FIELDS_MAX]; /* how numbers are stored: serial types 0 to 9 */
} weir_cell;

/* One page at a time. {0} is empty; all memory is released by weir_cells_deinit. */
typedef struct weir_cells {
    weir_pages *pages;
    bool later;        /* rows that go on in other pages: take these as weir_pages_read's later */
    uint64_t followed; /* pages read for such rows, all in all: bounded by the file's size, so
                          that chains that loop end */
    uint8_t page[WEIR_PAGE_SIZE], next_page[WEIR_PAGE_SIZE];
    uint8_t type;
    bool sweeping;
    unsigned n, at; /* cells pointed to; the next one. Sweeping: the next offset */
    uint16_t offsets[WEIR_CELLS_PAGE_MAX];
    unsigned bad; /* cells of this page that could not be read */
    uint8_t *bytes;
    size_t capacity;
} weir_cells;

void weir_cells_deinit(weir_cells *cells);

/* Begins with a page. False: it holds no rows, or cannot be read. */
bool weir_cells_start(weir_cells *cells, weir_pages *pages, uint32_t number);

/* Begins with any page, whatever it says of itself, and tries a row at each byte. */
bool weir_cells_sweep(weir_cells *cells, weir_pages *pages, uint32_t number);

/* The next row whose columns can be told; fields have kinds and sizes, and no values yet. */
bool weir_cells_next(weir_cells *cells, weir_cell *ret);

/* Gives the fields their values; texts and blobs live until the next call. False: a page it goes on
 * in cannot be read, or memory is short. */
bool weir_cells_load(weir_cells *cells, weir_cell *cell);
