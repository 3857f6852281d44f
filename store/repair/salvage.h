/* SPDX-License-Identifier: MIT */
/* From a damaged file to a sound one: every row that can still be read. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "store/repair/pages.h"

enum { WEIR_LOST_RANGES_MAX = 32 };

/* Sequence numbers that were given and are not there any more. */
typedef struct weir_lost_range {
    uint64_t first_seq, last_seq;
    weir_wall from, to; /* of the samples before and behind; 0: none */
} weir_lost_range;

typedef struct weir_salvage_counts {
    uint64_t samples, events, tags; /* brought over */
    uint64_t segments;
    uint64_t bad_pages;    /* that cannot be read or are not what they were */
    uint64_t lost_seqs;    /* numbers of samples and events that are gone, as far as known */
    uint64_t lost_samples; /* of history: known from what a part says of itself */
    uint64_t lost_replies; /* when samples of history were read: known only to the due time */
    uint64_t moved;        /* samples that got a new number, because theirs could not be told */
    unsigned n_ranges;     /* the first ones of lost_seqs */
    weir_lost_range ranges[WEIR_LOST_RANGES_MAX];
    uint64_t last_seq; /* numbers up to here were given by the damaged store, as far as seen */
    uint64_t next_seq; /* the sound one goes on above this */
} weir_salvage_counts;

/*
 * Reads the damaged file page by page and writes its rows to db, which has the tables of a store
 * and nothing in them. What has a checksum must match it; what has none must make sense.
 * Borrows both.
 */
typedef struct weir_salvage weir_salvage;
weir_err weir_salvage_new(weir_pages *pages, sqlite3 *db, weir_salvage **ret,
                          weir_error *error) WEIR_MUST_CHECK;
void weir_salvage_free(weir_salvage *salvage); /* accepts NULL */

/* Looks at the next pages, in the caller's transaction. *ret_done: that was all. */
weir_err weir_salvage_step(weir_salvage *salvage, uint32_t pages, bool *ret_done,
                           weir_error *error) WEIR_MUST_CHECK;

/* What is known beside the file, for what it lacks: the uuid, and names of tags, lines "UID NAME".
 * Of another store, by the uuid, nothing is taken: *ret_same. Between the steps and the end. */
weir_err weir_salvage_help(weir_salvage *salvage, const char *uuid, const char *tags,
                           bool *ret_same, weir_error *error) WEIR_MUST_CHECK;

/*
 * Makes a store of what was brought over, in the caller's transaction: puts the newest rows into
 * the log, completes parts and names, finds out what is lost, and records it as an event.
 * known_seq: numbers up to it are known to have been given.
 */
weir_err weir_salvage_finish(weir_salvage *salvage, uint64_t known_seq, weir_wall now,
                             weir_salvage_counts *ret, weir_error *error) WEIR_MUST_CHECK;

/* Whether anything in the file is ours: rows with our checksums, or our tables. Looks at the first
 * pages only. */
bool weir_salvage_is_ours(weir_pages *pages);

/* "12 samples ... lost": one sentence for people. */
void weir_salvage_say(const weir_salvage_counts *counts, weir_text *ret);

WEIR_DEFINE_CLEANUP(weir_salvage, weir_salvage_free)
