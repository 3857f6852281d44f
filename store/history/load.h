/* SPDX-License-Identifier: MIT */
/* Loading: history written straight into parts, not through the log. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "blocks/replies.h"
#include "blocks/segment.h"
#include "store/store.h"

/*
 * A load takes the numbers behind what is committed, part after part without a gap. A part is seen
 * by readers once it is complete; after a crash, or when it is given up, nothing of it is left and
 * none of its numbers is used. What is loaded is not in the log: sinks and cursors pass it by, and
 * `current` knows of it what the log says later, so end a load with an ordinary commit of each
 * tag's newest sample.
 *
 * Loaded samples may lie in times that have some already: of one identity the highest seq wins, as
 * always, and that is the loaded one.
 */
typedef struct weir_load weir_load;

/*
 * Nothing may wait for a commit. First all that the store holds goes into history, so that the
 * order of parts and log is that of the numbers; that may take a while.
 * The store's other functions may be used again after weir_load_end. WEIR_EINVAL: data_dir memory.
 */
weir_err weir_load_begin(weir_store *store, weir_wall now, weir_load **ret,
                         weir_error *error) WEIR_MUST_CHECK;

/* Gives up the part under way. Accepts NULL. */
void weir_load_end(weir_load *load);
WEIR_DEFINE_CLEANUP(weir_load, weir_load_end)

/* Which part of history comes next. */
typedef struct weir_load_part {
    unsigned tier; /* 0: a piece of a day; 1 to 4: all or some of a period of 1, 8, 64, 512 days */
    bool stays;    /* its tags have too many samples to gain by a larger period */
} weir_load_part;

/* *ret_first_seq: the number of the part's first sample. */
weir_err weir_load_part_begin(weir_load *load, const weir_load_part *part, uint64_t *ret_first_seq,
                              weir_error *error) WEIR_MUST_CHECK;

/* The next segment of a tag: tags ascending by uid, of one tag ascending in time. */
weir_err weir_load_segment(weir_load *load, weir_tag_uid tag, const weir_segment_bytes *bytes,
                           weir_error *error) WEIR_MUST_CHECK;

/* The same of a series of replies, behind all tags. */
weir_err weir_load_replies(weir_load *load, uint32_t series, const weir_segment_bytes *bytes,
                           weir_error *error) WEIR_MUST_CHECK;

/* The part is complete: commits. *ret_bytes: what its segments take; may be NULL. */
weir_err weir_load_part_end(weir_load *load, uint64_t *ret_bytes,
                            weir_error *error) WEIR_MUST_CHECK;
