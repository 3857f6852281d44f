/* SPDX-License-Identifier: MIT */
/* What the store keeps for each sink and each pulling historian: orders, rows set aside, state. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/sink.h"
#include "store/store.h"

/*
 * All on the store thread. How far a consumer came is its cursor (store.h, store/file/cursor.h);
 * the rest lies in tables of its own (docs/design/store.md): it changes rarely.
 */

/*
 * Who is configured now: makes a cursor at committed_seq for those that have none, attaches those
 * that were detached, detaches sinks that are no longer named. Cursors of pulling historians are
 * left alone. Commits.
 */
weir_err weir_store_register_sinks(weir_store *store, const char *const *names, size_t n,
                                   weir_wall now, weir_error *error) WEIR_MUST_CHECK;

/* Cursors that were moved are durable when it returns: for the end, when no commit takes them
 * along. */
weir_err weir_store_write_cursors(weir_store *store, weir_error *error) WEIR_MUST_CHECK;

/* Rows that a sink will never take, or (why NULL) has taken at last. Durable when it returns; of
 * one sink and seq the newest reason counts. */
typedef struct weir_set_aside {
    const weir_sink_row *row;
    const char *why;
} weir_set_aside;
weir_err weir_store_set_aside(weir_store *store, const char *sink, const weir_set_aside *rows,
                              size_t n, weir_wall now, weir_error *error) WEIR_MUST_CHECK;

/* Samples that a sink will never get, and why: "clock" (delivery.md). One that goes on where the
 * last of the same cause ended makes that wider. Durable when it returns, together with the cursor
 * that has passed over them: so none is counted twice after a crash, and none is left out. */
typedef struct weir_consumer_gap {
    const char *sink;
    int64_t from_ts, to_ts;
    uint64_t count;
    const char *cause;
    /* The whole cursor, as the store's own may lack what was posted since. */
    uint64_t seq;
    const weir_span *done;
    size_t n_done;
} weir_consumer_gap;
weir_err weir_store_note_gap(weir_store *store, const weir_consumer_gap *gap, weir_wall now,
                             weir_error *error) WEIR_MUST_CHECK;

/* A replay got so far: all before this ts. INT64_MAX: it has ended. Nothing when the id is not that
 * of the replay at hand. */
weir_err weir_store_note_replay(weir_store *store, const char *sink, uint64_t id, int64_t done,
                                weir_error *error) WEIR_MUST_CHECK;

#define WEIR_BACKLOG_UNKNOWN UINT64_MAX

/* What SQL's `sinks` and `weir sink list` show without a daemon. Texts borrowed. */
typedef struct weir_sink_record {
    const char *name, *type, *state; /* online offline refused misconfigured busy full paused
                                        connecting disabled removed */
    const char *error, *remedy;      /* "": none */
    weir_wall since;                 /* of the state */
    weir_wall delivered;             /* when something last was; 0: never */
    weir_wall oldest_unsent;         /* ts; 0: nothing is unsent */
    weir_wall replayed_to;           /* ts that a replay under way has come to; 0: there is none.
                                        Not kept: SQL has it from the order */
    uint64_t backlog;                /* samples and events behind its cursor, not done;
                                        WEIR_BACKLOG_UNKNOWN: of a sink that did not begin */
    uint64_t head;                   /* committed when backlog was counted. Not kept */
    double done_in_s;                /* the backlog, at its rate of late; 0: not known. Not kept */
    uint64_t sent, repeated, left_out; /* rows, since the start of the daemon */
    uint64_t set_aside;
    double rows_per_s; /* of late */
    double rtt_ms;     /* of a send, the median of late; 0: none yet */
} weir_sink_record;
weir_err weir_store_put_sinks(weir_store *store, const weir_sink_record *sinks, size_t n,
                              weir_error *error) WEIR_MUST_CHECK;
