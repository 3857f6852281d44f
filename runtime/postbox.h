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

weir_err weir_postbox_new(weir_postbox **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_postbox_free(weir_postbox *box); /* accepts NULL */

/* Copies. WEIR_ENOMEM. spans: what is done beyond seq; see store/file/cursor.h. */
weir_err weir_postbox_cursor(weir_postbox *box, const char *consumer, uint64_t seq,
                             const weir_span *spans, size_t n_spans,
                             weir_error *error) WEIR_MUST_CHECK;
/* Copies rows, with the names of their tags. WEIR_ELIMIT: 16 MB wait: later. */
weir_err weir_postbox_set_aside(weir_postbox *box, const char *sink, const weir_set_aside *rows,
                                size_t n, weir_error *error) WEIR_MUST_CHECK;
weir_err weir_postbox_replay(weir_postbox *box, const char *sink, uint64_t id, int64_t done,
                             weir_error *error) WEIR_MUST_CHECK;
/* Replaces the records of all sinks that are named. */
weir_err weir_postbox_sinks(weir_postbox *box, const weir_sink_record *sinks, size_t n,
                            weir_error *error) WEIR_MUST_CHECK;

/*
 * The store thread's: does what was posted. A failure of the disk leaves it all for the next time;
 * the error is for weir_store_recover as that of a commit.
 */
weir_err weir_postbox_deliver(weir_postbox *box, weir_store *store, weir_wall now,
                              weir_error *error) WEIR_MUST_CHECK;
