/* SPDX-License-Identifier: MIT */
/* What the two halves of a salvage share: reading (salvage.c), and settle.c and its like. */

#pragma once
#include "store/repair/cells.h"
#include "store/repair/salvage.h"
#include "store/repair/salvage_tables.h"

/* first_seq in `fresh` of rows whose numbers cannot be told. */
enum { SALVAGE_HOMELESS = 0 };

/* Numbers above it are no numbers of ours: 2^53, what JSON can hold. */
#define SALVAGE_SEQ_MAX (1LL << 53)

struct weir_salvage {
    weir_pages *pages;
    sqlite3 *db;
    weir_cells cells;
    sqlite3_stmt *put[SALVAGE_TABLES]; /* by table */
    sqlite3_stmt *part;                /* whether a part lives */
    sqlite3_stmt *overlap;             /* the log row with the highest first_seq up to a number */
    uint32_t next;                     /* page */
    bool leftovers;                    /* second round: free pages, and rows nothing points to */
    uint32_t *again;                   /* pages that need a second look */
    size_t n_again, again_capacity;
    weir_salvage_counts counts;
};

/* Whether a row of the log has one of these numbers already. */
weir_err weir_salvage_overlaps(weir_salvage *s, int64_t first, int64_t last, bool *ret,
                               weir_error *error) WEIR_MUST_CHECK;

/* --- the steps of settle.c, in its order -------------------------------------------------- */

/* settle_parts.c: parts without a row get one, and all say what they have. */
weir_err weir_salvage_settle_parts(weir_salvage *s, weir_error *error) WEIR_MUST_CHECK;

/* settle_replies.c: after it, every sample of history has its reply, and numbers have no gaps. */
weir_err weir_salvage_settle_replies(weir_salvage *s, weir_error *error) WEIR_MUST_CHECK;

/* settle_log.c: rows of `fresh` that are not in the log already go there. */
weir_err weir_salvage_settle_fresh(weir_salvage *s, int64_t history_seq,
                                   weir_error *error) WEIR_MUST_CHECK;

/* settle_lost.c: counts and notes the numbers above history_seq that nothing has, up to known_seq;
 * *ret_last: the last one that something has. */
weir_err weir_salvage_settle_lost(weir_salvage *s, int64_t history_seq, uint64_t known_seq,
                                  weir_wall now, int64_t *ret_last,
                                  weir_error *error) WEIR_MUST_CHECK;

/* A row of `quarantine` without a block: what verifies the store knows of the hole. */
weir_err weir_salvage_note_hole(weir_salvage *s, int64_t first, int64_t last, weir_wall now,
                                weir_error *error) WEIR_MUST_CHECK;

/* settle_log.c: rows whose numbers could not be told get them from *at on; then every row says
 * what those up to it come to. */
weir_err weir_salvage_settle_homeless(weir_salvage *s, int64_t *at,
                                      weir_error *error) WEIR_MUST_CHECK;
weir_err weir_salvage_settle_running(weir_salvage *s, int64_t history_seq,
                                     weir_error *error) WEIR_MUST_CHECK;

/* settle_tags.c: a uid is never given to another tag, so each in use has a row, and a name. */
weir_err weir_salvage_settle_tags(weir_salvage *s, weir_error *error) WEIR_MUST_CHECK;
