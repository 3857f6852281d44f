/* SPDX-License-Identifier: MIT */
/* The segments of one tag, or series of replies, that a merge reads and cuts anew. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "store/history/run.h"
#include "store/history/sources.h"

enum { WEIR_UID_NONE = 0 }; /* no tag has it */

/*
 * Segments are read one after the other, source by source. What was read is put in order, and cut
 * as soon as no segment to come can reach before it.
 */
typedef struct weir_inputs {
    sqlite3 *db;
    uint32_t uid; /* as in keys of segments; WEIR_UID_NONE: between two */
    struct weir_input *items;
    size_t n, capacity;
    size_t read;  /* of n */
    weir_run all; /* the memory for what is read and not written: n of these samples, or replies */
    size_t room, text; /* samples of room in it; bytes of strings */
} weir_inputs;

void weir_inputs_deinit(weir_inputs *in);

/* Begins with the segments of this uid in all sources that have it next: these are past it then.
 * purged_seq: sources with no later samples are passed over. WEIR_ENOMEM. */
weir_err weir_inputs_begin(weir_inputs *in, weir_sources *sources, uint32_t uid,
                           uint64_t purged_seq, weir_error *error) WEIR_MUST_CHECK;
void weir_inputs_end(weir_inputs *in);

bool weir_inputs_are_replies(const weir_inputs *in);
uint64_t weir_inputs_count(const weir_inputs *in); /* samples of all, as their heads say */

/* Whether all are read; whether no more should be read before something is cut. */
bool weir_inputs_all_read(const weir_inputs *in);
bool weir_inputs_are_full(const weir_inputs *in);

/* Reads the next segment, or sets it aside if it is damaged (in the open transaction). *work grows
 * by its samples. */
weir_err weir_inputs_read(weir_inputs *in, weir_store *store, weir_sources *sources, weir_wall now,
                          size_t *work, weir_error *error) WEIR_MUST_CHECK;

/* Cuts the next segment off: *ret borrows it until weir_inputs_written. Its n is 0 as long as what
 * is settled makes no whole one and something is to come. WEIR_ENOMEM. */
weir_err weir_inputs_cut(weir_inputs *in, weir_run *ret, weir_error *error) WEIR_MUST_CHECK;
void weir_inputs_written(weir_inputs *in, size_t n);
