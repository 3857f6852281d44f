/* SPDX-License-Identifier: MIT */
/* Samples, or replies, side by side in memory: put in order and cut into segments. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "blocks/replies.h"
#include "blocks/segment.h"

enum { WEIR_SEGMENT_TEXT = 8 << 20 }; /* bytes of strings after which a segment ends */

/* Samples and refs, or replies, of one tag or series. */
typedef struct weir_run {
    weir_sample *samples;
    weir_reply_ref *refs;
    weir_reply_record *replies; /* or these; NULL: samples */
    size_t n;
} weir_run;

/* Gives a run that is to be filled room for n replies, or n samples with their refs; what it
 * has of the other kind is not touched. False: memory is short; to be freed all the same. */
bool weir_run_reserve(weir_run *run, bool replies, size_t n) WEIR_MUST_CHECK;
void weir_run_free(weir_run *run); /* leaves an empty one */

/* n of the run's from `at` on; borrows them. */
weir_run weir_run_part(const weir_run *run, size_t at, size_t n);

/* Takes the first n off; the others move to the front. */
void weir_run_shift(weir_run *run, size_t n);

/*
 * Sorts by (ts), replies by (due, seq), and of those equal in that keeps the last one: what was
 * appended later counts. n shrinks. Costs nothing for what is in order. WEIR_ENOMEM.
 */
weir_err weir_run_order(weir_run *run, weir_error *error) WEIR_MUST_CHECK;

/* How many of the first ones make a segment. */
size_t weir_run_segment(const weir_run *run);
