/* SPDX-License-Identifier: MIT */
/* What the two halves of a salvage share: salvage.c (reading), settle.c (making a store of it). */

#pragma once
#include "store/repair/cells.h"
#include "store/repair/salvage.h"

/* first_seq in `fresh` of rows whose numbers cannot be told. */
enum { SALVAGE_HOMELESS = 0 };

enum { SALVAGE_TABLES_MAX = 24 };

/* Numbers above it are no numbers of ours: 2^53, what JSON can hold. */
#define SALVAGE_SEQ_MAX (1LL << 53)

struct weir_salvage {
    weir_pages *pages;
    sqlite3 *db;
    weir_cells cells;
    sqlite3_stmt *put[SALVAGE_TABLES_MAX]; /* by table */
    sqlite3_stmt *part;                    /* whether a part lives */
    sqlite3_stmt *overlap; /* the log row with the highest first_seq up to a number */
    uint32_t next;         /* page */
    bool leftovers;        /* second round: free pages, and rows nothing points to */
    uint32_t *again;       /* pages that need a second look */
    uint32_t n_again, again_capacity;
    weir_salvage_counts counts;
};

/* settle_replies.c: after it, every sample of history has its reply, and numbers have no gaps. */
weir_err weir_salvage_settle_replies(weir_salvage *s, weir_error *error) WEIR_MUST_CHECK;

/* Whether a row of the log has one of these numbers already. */
weir_err weir_salvage_overlaps(weir_salvage *s, int64_t first, int64_t last, bool *ret,
                               weir_error *error) WEIR_MUST_CHECK;
