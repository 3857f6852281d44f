/* SPDX-License-Identifier: MIT */
/* Checking a store from end to end. */

#pragma once
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"

typedef struct weir_verify_counts {
    uint64_t rows, parts, segments, events, tags; /* read without a finding */
    uint64_t samples; /* likewise: of segments, and of rows that are in no part yet */
    uint64_t findings;
} weir_verify_counts;

/* One finding: a sentence that names the place. */
typedef void weir_verify_report(void *data, const char *finding);

/*
 * Reads everything: the database's own integrity check; each row's checksums, codec, counts and
 * times; each segment's samples, summaries and replies, and its part's numbers; that sequence
 * numbers above history_seq have no gap and each tag a version. Beside a running daemon too: it
 * sees one moment. Goes on after a finding where it can.
 *
 * WEIR_OK        no finding.
 * WEIR_EDAMAGED  findings were reported, or the file cannot be opened as a store; error says which.
 * else           as weir_query_open.
 * *ret is set in every case, as far as it came. report may be NULL.
 */
weir_err weir_store_verify(const char *data_dir, const char *vfs, weir_verify_report *report,
                           void *data, weir_verify_counts *ret, weir_error *error) WEIR_MUST_CHECK;

/* The same, and tells how far it is: so many samples of about so many. */
typedef void weir_verify_progress(void *data, uint64_t done, uint64_t total);
weir_err weir_store_verify_watched(const char *data_dir, const char *vfs,
                                   weir_verify_report *report, weir_verify_progress *progress,
                                   void *data, weir_verify_counts *ret,
                                   weir_error *error) WEIR_MUST_CHECK;

/*
 * Reads one segment from a row of (key, head, marks, body): checksums, samples and summaries, or
 * replies. *ret_count: samples or replies, as its head says; 0 when that cannot be read.
 *
 * WEIR_EDAMAGED, WEIR_EUNSUPPORTED: error names the segment and what is wrong with it.
 */
weir_err weir_verify_segment(sqlite3_stmt *row, uint64_t *ret_count,
                             weir_error *error) WEIR_MUST_CHECK;
