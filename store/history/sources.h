/* SPDX-License-Identifier: MIT */
/* The parts that a merge reads, and the series of replies in them. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "blocks/replies.h"
#include "store/history/choice.h"
#include "store/history/part.h"

enum { WEIR_SOURCES_SERIES = 4 }; /* looked up ones are kept: a tag is mostly of one or two */

typedef struct weir_source {
    weir_part part;
    uint32_t next; /* lowest uid not done yet; UINT32_MAX: none */
    bool known;    /* next is a uid it has */
} weir_source;

typedef struct weir_sources {
    sqlite3 *db;
    weir_source *items; /* ascending by last_seq */
    size_t n;
    struct weir_sources_series *series[WEIR_SOURCES_SERIES]; /* NULL: the place is free */
    size_t next_series;                                      /* the place to be taken next */
    struct weir_view *view; /* of the sources' replies; NULL: not needed yet */
} weir_sources;

/* Takes what the choice does of the parts. Release with weir_sources_deinit, also on failure. */
weir_err weir_sources_init(weir_sources *s, sqlite3 *db, const weir_choice *choice,
                           const weir_part *parts, size_t n, weir_error *error) WEIR_MUST_CHECK;
void weir_sources_deinit(weir_sources *s);

/* The lowest uid (or series) that is in any source and not done yet; UINT32_MAX: none is left. */
weir_err weir_sources_seek(weir_sources *s, uint32_t *ret_lowest,
                           weir_error *error) WEIR_MUST_CHECK;

/* How many replies of a series all sources have. */
weir_err weir_sources_count_replies(weir_sources *s, uint32_t series, uint64_t *ret,
                                    weir_error *error) WEIR_MUST_CHECK;

/*
 * Gives marks to refs of a part's samples where another source has replies around the same due: the
 * first of its source with some due need not be the first of all. Replies that cannot be read are
 * passed over: they are set aside when their turn comes.
 */
weir_err weir_sources_mark(weir_sources *s, int64_t part, weir_reply_ref *refs, size_t n,
                           weir_error *error) WEIR_MUST_CHECK;
