/* SPDX-License-Identifier: MIT */
/* A verification on its way: shared by verify.c and the passes over rows and parts. */

#pragma once
#include "store/file/names.h"
#include "store/query/view.h"
#include "store/repair/verify.h"

struct verification {
    sqlite3 *db;
    weir_view *view;
    weir_verify_report *report;
    weir_verify_progress *progress; /* NULL: nobody looks */
    void *data;
    uint64_t total; /* samples in history */
    weir_verify_counts counts;
    weir_names names;
};

/* All of it, on a connection that has a store open and no transaction. Ends with weir_verify_end,
 * also on failure. */
weir_err weir_verify_all(struct verification *v, weir_error *error) WEIR_MUST_CHECK;
void weir_verify_end(struct verification *v);

void WEIR_PRINTF(2, 3) weir_verify_finding(struct verification *v, const char *format, ...);

/* Damage becomes a finding, and the verification goes on; what else is wrong ends it. */
weir_err weir_verify_pass_end(struct verification *v, const char *what, weir_err err,
                              const weir_error *error) WEIR_MUST_CHECK;

/* Rows of log and fresh, snapshots, and that all seqs are there. */
weir_err weir_verify_rows(struct verification *v, weir_error *error) WEIR_MUST_CHECK;

/* All parts and segments. */
weir_err weir_verify_parts(struct verification *v, weir_error *error) WEIR_MUST_CHECK;
