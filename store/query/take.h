/* SPDX-License-Identifier: MIT */
/* Taking from the log: what was committed, in the order of seq, for sinks and other consumers. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/sample.h"
#include "model/sink.h"
#include "store/file/cursor.h"

/*
 * A reader of its own for each consumer: one connection that cannot write, short transactions, one
 * thread at a time. It never holds up the store thread. It works while the daemon writes, and
 * goes on by itself after the file was repaired or exchanged (the store's uuid is looked at).
 */
typedef struct weir_take weir_take;

/* data_dir: as weir_store_dir says. name: the consumer, whose cursor, orders and set-aside rows are
 * meant below; copied. Errors of weir_query_open. */
weir_err weir_take_open(const char *data_dir, const char *vfs, const char *name, weir_take **ret,
                        weir_error *error) WEIR_MUST_CHECK;
void weir_take_close(weir_take *take); /* accepts NULL */

/* How far the log goes by now. */
typedef struct weir_take_head {
    uint64_t committed_seq;
    uint64_t first_seq; /* the lowest that the log still has; committed_seq + 1: it is empty */
} weir_take_head;
weir_err weir_take_get_head(weir_take *take, weir_take_head *ret,
                            weir_error *error) WEIR_MUST_CHECK;

/* What the store knows of the consumer. Lives until the next call. */
typedef struct weir_take_orders {
    bool known;         /* it has a cursor */
    weir_cursor cursor; /* with what is done beyond it */
    bool paused;
    uint64_t replay_id;             /* 0: no replay; a new one has a higher id */
    int64_t replay_from, replay_to; /* ts, inclusive */
    int64_t replay_done;            /* all before this ts is sent again already */
    uint64_t set_aside;             /* rows in quarantine ... */
    uint64_t retries;               /* ... and of them those that shall be tried again */
} weir_take_orders;
weir_err weir_take_get_orders(weir_take *take, const weir_take_orders **ret,
                              weir_error *error) WEIR_MUST_CHECK;

/* Whether anything of the two above may have changed since they were last asked for; cheap. */
bool weir_take_changed(weir_take *take);

/* A stretch of the log: the samples with first_seq <= seq <= last_seq, in order. */
typedef struct weir_take_chunk {
    uint64_t first_seq, last_seq;
    uint64_t lost; /* samples of it that are not there any more: a limit was reached, and a gap for
                      this consumer says so; or they were damaged, and are set aside */
    bool held;     /* their clock was not right and may yet be corrected: not to be sent now */
    bool never;    /* their clock was not right, and the run that could have told by how much has
                      ended: they are counted in lost, and the caller has a gap recorded */
    int64_t from_ts, to_ts;    /* of these, by their wrong clock */
    size_t n;                  /* 0: all of it were events */
    const weir_sink_row *rows; /* ascending by seq; a sample of an epoch that was corrected has its
                                  time corrected */
} weir_take_chunk;

/*
 * The samples behind seq `after` and up to `until`, of one row of the log or of several commits: at
 * least one commit, and not more than about `wanted` samples if a row has fewer. A chunk is either
 * held or not. *ret_any: false when nothing is committed there. Rows live until the next call;
 * their tags as long as the take.
 *
 * WEIR_EDAMAGED: a row cannot be read; first_seq and last_seq of *ret say which: the caller passes
 * over it, and the store sets it aside. WEIR_EINUSE: try again. WEIR_EIO, WEIR_ENOMEM ...
 */
weir_err weir_take_next(weir_take *take, uint64_t after, uint64_t until, size_t wanted,
                        weir_take_chunk *ret, bool *ret_any, weir_error *error) WEIR_MUST_CHECK;

/*
 * For a replay: samples with from <= ts <= to that history and log have, ascending by ts, at most
 * about `wanted` and all of the last ts among them. *ret_until: all up to this ts was given. Of one
 * identity only the one with the highest seq. Memory is bounded by `wanted`, whatever the density.
 */
weir_err weir_take_history(weir_take *take, int64_t from, int64_t to, size_t wanted,
                           weir_take_chunk *ret, int64_t *ret_until,
                           weir_error *error) WEIR_MUST_CHECK;

/* Rows that were set aside and shall be tried again, by seq, at most `wanted` behind `after`. */
weir_err weir_take_retries(weir_take *take, uint64_t after, size_t wanted, weir_take_chunk *ret,
                           weir_error *error) WEIR_MUST_CHECK;

const char *weir_take_store(const weir_take *take); /* uuid; 36 characters */
