/* SPDX-License-Identifier: MIT */
/* Walking through the samples of many tags, one tag after the other. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/query/view.h"

/* Where a walk was: behind this sample. All zero is the start. */
typedef struct weir_scan_place {
    weir_tag_uid tag;
    int64_t ts; /* as shown */
    uint32_t epoch;
} weir_scan_place;

/* What is wanted; bounds are inclusive. */
typedef struct weir_scan_filter {
    const weir_tag_uid *tags; /* ascending, distinct; NULL: all. Borrowed until the scan is freed */
    size_t n_tags;
    int64_t min_ts, max_ts; /* as shown */
    int64_t min_seq, max_seq;
    bool descending; /* ts within a tag */
    bool replies;    /* seq, plans and received are wanted */
} weir_scan_filter;

#define WEIR_SCAN_ALL                                             \
    {                                                             \
        NULL, 0, INT64_MIN, INT64_MAX, 0, INT64_MAX, false, false \
    }

typedef struct weir_scan weir_scan;

/*
 * Starts reading. Samples come by ascending tag uid, within a tag by ts, within that by epoch; of
 * one identity only that with the highest seq, also when bounds on seq would leave only others.
 * Memory stays flat, however much is asked for.
 *
 * Belongs to one read transaction, which the caller holds and in which he has updated the view. Who
 * walks for longer than a moment ends the scan now and then, notes weir_scan_get_place, ends his
 * transaction, and goes on in a new one with a scan that starts `behind` that place (ascending
 * only): what is late for times already passed he does not see, and nothing twice. behind: NULL,
 * from the start.
 */
weir_err weir_scan_new(weir_view *view, const weir_scan_filter *filter,
                       const weir_scan_place *behind, weir_scan **ret,
                       weir_error *error) WEIR_MUST_CHECK;

/* *ret_any: there was one. What it borrows lives until the next call. WEIR_EDAMAGED,
 * WEIR_EUNSUPPORTED: something cannot be read; error names it. */
weir_err weir_scan_next(weir_scan *scan, weir_item *ret, bool *ret_any,
                        weir_error *error) WEIR_MUST_CHECK;

weir_scan_place weir_scan_get_place(const weir_scan *scan);
void weir_scan_free(weir_scan *scan); /* accepts NULL */

/* All uids that the store ever gave, ascending. Free with weir_free. */
weir_err weir_scan_all_tags(sqlite3 *db, weir_tag_uid **ret, size_t *ret_n,
                            weir_error *error) WEIR_MUST_CHECK;

WEIR_DEFINE_CLEANUP(weir_scan, weir_scan_free)
