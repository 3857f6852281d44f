/* SPDX-License-Identifier: MIT */
/* Which table a row is of, and whether it can be believed. */

#pragma once
#include <stdbool.h>

#include "store/repair/cells.h"

/* What a check makes of a row. */
typedef enum weir_verdict {
    WEIR_VERDICT_DROP,
    WEIR_VERDICT_KEEP,
    WEIR_VERDICT_HOMELESS, /* a block whose number cannot be told */
} weir_verdict;

/*
 * columns: one letter each. k the key (null in the record), i integer, r real (stored as an integer
 * when it is whole), t text, b blob; in capitals when it may be null, * anything. The last ones may
 * be missing in older stores: those behind `least`.
 */
typedef struct weir_salvage_table {
    const char *name;
    const char *columns;
    unsigned least;
    bool sweeps;                            /* has checksums: believed wherever it is found */
    weir_verdict (*check)(weir_cell *cell); /* of a row that fits; mends what the block repeats */
} weir_salvage_table;

/* Those that are told apart by name, at the front. */
enum {
    SALVAGE_LOG,
    SALVAGE_FRESH,
    SALVAGE_TAG_INDEX,
    SALVAGE_EVENT,
    SALVAGE_TAG,
    SALVAGE_SEGMENT,
    SALVAGE_TABLES = 21,
};

/* The first that a row's columns fit is its table. The index of tag names is no table: what it
 * repeats makes up for a lost row of `tag`. */
extern const weir_salvage_table weir_salvage_tables[SALVAGE_TABLES];

bool weir_salvage_table_fits(const weir_salvage_table *t, const weir_cell *cell);

/* Whether a row with the columns of that index is of it: a tag's name has a slash, a key of meta
 * none. */
bool weir_salvage_is_tag_index(const weir_cell *cell);
