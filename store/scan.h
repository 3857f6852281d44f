/* SPDX-License-Identifier: MIT */
/* Reading the log: samples by tag, time and sequence, each identity once. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"
#include "blocks/block.h"
#include "model/sample.h"

/* What is wanted; bounds are inclusive. */
typedef struct weir_scan_filter {
    const weir_tag_uid *tags; /* ascending, distinct; NULL: all. Borrowed until the scan is freed */
    size_t n_tags;
    int64_t min_ts, max_ts;
    int64_t min_seq, max_seq;
} weir_scan_filter;

#define WEIR_SCAN_ALL                               \
    {                                               \
        NULL, 0, INT64_MIN, INT64_MAX, 0, INT64_MAX \
    }

/* How much was read, added up over scans; for tests and diagnosis. */
typedef struct weir_scan_counters {
    uint64_t rows;    /* of the log, looked at */
    uint64_t decoded; /* of these, decompressed */
} weir_scan_counters;

/* One sample as found. Borrows from the scan until its next call. */
typedef struct weir_scan_item {
    const weir_sample *sample;
    const weir_batch *batch;
    uint64_t seq;
} weir_scan_item;

/* Whether the ascending set has the tag. */
bool weir_scan_has_tag(const weir_scan_filter *filter, weir_tag_uid tag);

typedef struct weir_scan weir_scan;

/*
 * Starts reading. Samples come by ascending seq; of samples with the same (tag, ts, epoch) only
 * the one with the highest seq comes, also when a filter on seq would leave only earlier ones.
 * Belongs to one read transaction of db, which the caller holds. counters may be NULL.
 */
weir_err weir_scan_new(sqlite3 *db, const weir_scan_filter *filter, weir_scan_counters *counters,
                       weir_scan **ret, weir_error *error) WEIR_MUST_CHECK;

/* *ret_any: there was one. WEIR_EDAMAGED, WEIR_EUNSUPPORTED: a row cannot be read; error names it.
 */
weir_err weir_scan_next(weir_scan *scan, weir_scan_item *ret, bool *ret_any,
                        weir_error *error) WEIR_MUST_CHECK;

void weir_scan_free(weir_scan *scan); /* accepts NULL */

/* Head and block of the row a statement stands on: columns head and body, of which the latter is
 * only read when asked for. Errors name the row. */
weir_err weir_scan_head(sqlite3_stmt *row, int column, int64_t first_seq, weir_block_head *ret,
                        weir_error *error) WEIR_MUST_CHECK;
weir_err weir_scan_block(sqlite3_stmt *row, int column, int64_t first_seq,
                         const weir_block_head *head, weir_block **ret,
                         weir_error *error) WEIR_MUST_CHECK;

WEIR_DEFINE_CLEANUP(weir_scan, weir_scan_free)
