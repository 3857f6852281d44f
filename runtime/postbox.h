/* SPDX-License-Identifier: MIT */
/* The postbox: what sinks and historians ask of the store thread. */

#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/consumer.h"

/*
 * Any thread posts; the store thread empties it at each of its steps, before it commits. Of one
 * consumer's cursor only the newest matters; rows to be set aside are written before the cursor
 * that passes over them, so a crash in between only repeats.
 */
typedef struct weir_postbox weir_postbox;

/* wake: called on the posting thread, outside the lock, when something should be committed at once.
 * May be NULL. */
weir_err weir_postbox_new(void (*wake)(void *data), void *data, weir_postbox **ret,
                          weir_error *error) WEIR_MUST_CHECK;
void weir_postbox_free(weir_postbox *box); /* accepts NULL */

/* Copies. WEIR_ENOMEM. spans: what is done beyond seq; see store/file/cursor.h. */
weir_err weir_postbox_cursor(weir_postbox *box, const char *consumer, uint64_t seq,
                             const weir_span *spans, size_t n_spans,
                             weir_error *error) WEIR_MUST_CHECK;
/* A last move: nobody owns the cursor any more. */
weir_err weir_postbox_detach(weir_postbox *box, const char *consumer, uint64_t seq,
                             weir_error *error) WEIR_MUST_CHECK;
/* Copies rows, with the names of their tags. WEIR_ELIMIT: 16 MB wait: later. */
weir_err weir_postbox_set_aside(weir_postbox *box, const char *sink, const weir_set_aside *rows,
                                size_t n, weir_error *error) WEIR_MUST_CHECK;
weir_err weir_postbox_replay(weir_postbox *box, const char *sink, uint64_t id, int64_t done,
                             weir_error *error) WEIR_MUST_CHECK;
/* Replaces the records of all sinks that are named. */
weir_err weir_postbox_sinks(weir_postbox *box, const weir_sink_record *sinks, size_t n,
                            weir_error *error) WEIR_MUST_CHECK;
/* An event of the next commit. urgent: that shall be now. WEIR_ELIMIT as above. */
weir_err weir_postbox_event(weir_postbox *box, const weir_event *event, bool urgent,
                            weir_error *error) WEIR_MUST_CHECK;
/* What a sink was not given, for the table of gaps; it goes on where its last one ended. */
weir_err weir_postbox_gap(weir_postbox *box, const weir_consumer_gap *gap,
                          weir_error *error) WEIR_MUST_CHECK;

/*
 * The store thread's: does what was posted. *ret_urgent: an event among it is.
 *
 * A failure of the disk or of memory leaves what is not done for the next time; the error is for
 * weir_store_recover as that of a commit. WEIR_EINVAL: the store refused something for good, it is
 * dropped, and all else is done.
 */
weir_err weir_postbox_deliver(weir_postbox *box, weir_store *store, weir_wall now, bool *ret_urgent,
                              weir_error *error) WEIR_MUST_CHECK;
