/* SPDX-License-Identifier: MIT */
/* What a person changes about stored data: purging a tag's history, noting that a meter was
 * replaced, and what a sink is to be given. */

#pragma once
#include "store/store.h"

typedef enum weir_edit_kind {
    WEIR_EDIT_PURGE, /* history of the tags that match: gone for readers at once, from the disk with
                        the next merges; what is sampled later stays */
    WEIR_EDIT_REPLACE,    /* the meter behind a counter was replaced: its growth goes on */
    WEIR_EDIT_SINK_PAUSE, /* it is given nothing, and what it has not got is kept */
    WEIR_EDIT_SINK_RESUME,
    WEIR_EDIT_SINK_REPLAY, /* it is given again what was between from and to; in place of a replay
                              under way */
    WEIR_EDIT_SINK_REPLAY_STOP,
    WEIR_EDIT_SINK_RETRY, /* rows set aside are tried again */
    WEIR_EDIT_SINK_DROP,  /* they are given up; a gap says so */
} weir_edit_kind;

/* Texts are borrowed. */
typedef struct weir_edit {
    weir_edit_kind kind;
    const char *subject; /* PURGE: a pattern of tags; REPLACE: a device, or one of its counters;
                            else a sink */
    weir_wall at;        /* REPLACE: when */
    double final, first; /* REPLACE: the old meter's last reading, the new one's first, as shown */
    weir_wall from, to;  /* SINK_REPLAY: ts, inclusive */
    const char *tags;    /* SINK_RETRY, SINK_DROP: a pattern; NULL: of all tags */
} weir_edit;

/*
 * Commits what waits, then the edit and an event that tells it. ret_n: tags concerned; RETRY and
 * DROP: rows, which may be none. Many rows go in several transactions, what waits is committed
 * between them.
 *
 * WEIR_ENOTFOUND   no tag matches; no such device, counter or sink: the error names those there
 * are. WEIR_EINVAL      the device has several counters: the error names them. from is behind to.
 * and the errors of weir_store_commit.
 */
weir_err weir_store_edit(weir_store *store, const weir_edit *edit, weir_wall now, uint64_t *ret_n,
                         weir_error *error) WEIR_MUST_CHECK;
