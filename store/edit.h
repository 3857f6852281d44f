/* SPDX-License-Identifier: MIT */
/* What a person changes about stored data: purging a tag's history, noting that a meter was
 * replaced. */

#pragma once
#include "store/store.h"

typedef enum weir_edit_kind {
    WEIR_EDIT_PURGE, /* history of the tags that match: gone for readers at once, from the disk with
                        the next merges; what is sampled later stays */
    WEIR_EDIT_REPLACE, /* the meter behind a counter was replaced: its growth goes on */
} weir_edit_kind;

/* Texts are borrowed. */
typedef struct weir_edit {
    weir_edit_kind kind;
    const char *subject; /* PURGE: a pattern of tags; REPLACE: a device, or one of its counters */
    weir_wall at;        /* REPLACE: when */
    double final, first; /* REPLACE: the old meter's last reading, the new one's first, as shown */
} weir_edit;

/*
 * Commits what waits, then the edit and an event that tells it. ret_n: tags concerned.
 *
 * WEIR_ENOTFOUND   no tag matches; no such device or counter.
 * WEIR_EINVAL      the device has several counters: the error names them.
 * and the errors of weir_store_commit.
 */
weir_err weir_store_edit(weir_store *store, const weir_edit *edit, weir_wall now, uint64_t *ret_n,
                         weir_error *error) WEIR_MUST_CHECK;
