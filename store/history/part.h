/* SPDX-License-Identifier: MIT */
/* Parts: the pieces history is made of. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

enum { WEIR_TIER_RATIO = 8 }; /* between the periods of two tiers */

/* A row of the table; schema.h. */
typedef struct weir_part {
    int64_t id;
    int tier; /* with PART_STAYS */
    uint32_t epoch;
    int state;
    int64_t min_ts, max_ts;
    uint64_t first_seq, last_seq;
    uint64_t segments, samples, bytes;
} weir_part;

/* How long the periods of a tier are; tier 0 has days as well. */
int64_t weir_tier_period(int tier);

/* Reads the rows that `where` names ("WHERE state=1 ORDER BY id"). Release with weir_free. */
weir_err weir_parts_read(sqlite3 *db, const char *where, weir_part **ret, size_t *ret_n,
                         weir_error *error) WEIR_MUST_CHECK;

/* What is to be added to the times of a part: its clock was wrong (epoch.h). */
weir_err weir_part_offset(sqlite3 *db, const weir_part *part, int64_t *ret,
                          weir_error *error) WEIR_MUST_CHECK;

/* Writes it, with an id above all others if it has none; in the open transaction. */
weir_err weir_part_write(sqlite3 *db, weir_part *part, weir_error *error) WEIR_MUST_CHECK;

/* Sets its numbers to those of the segments that are there. */
weir_err weir_part_count(sqlite3 *db, weir_part *part, weir_error *error) WEIR_MUST_CHECK;

/*
 * From now on nobody reads the part, and its segments are deleted in pieces. A part that is being
 * built from it goes too, and is begun again without it. In the open transaction, or one of its
 * own.
 */
weir_err weir_part_drop(sqlite3 *db, int64_t id, weir_error *error) WEIR_MUST_CHECK;

/* A duty (maintain.c): deletes some segments of parts that were dropped. */
weir_err weir_part_delete(weir_store *store, weir_wall now, bool *ret_did,
                          weir_error *error) WEIR_MUST_CHECK;

/* The seq up to which a tag's samples are purged, by uid below n. Release with weir_free. */
weir_err weir_part_purged(sqlite3 *db, size_t n, uint64_t **ret, weir_error *error) WEIR_MUST_CHECK;
