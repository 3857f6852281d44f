/* SPDX-License-Identifier: MIT */
/* Reading a store with SQL: samples, current values, buckets, tags, devices, sinks, events ... */

#pragma once
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"
#include "store/query/counters.h"

typedef struct weir_query weir_query;

/*
 * Opens the data directory's store for reading. Needs no daemon and disturbs none; several may be
 * open. The tables are those of weir-sql(1):
 *     samples(tag, ts, time, value, quality, cause, read_ts)
 *         and hidden: kind, bits, epoch, seq, plan
 *     current(...)  the same columns, the newest sample of each tag of the newest catalog
 *     tags(id, tag, device, unit, type, description, labels, address)
 *     devices(name, connection, state, since, last_good, error, requests, timeouts, late,
 *             rtt_p50, rtt_p99)
 *     events(ts, kind, subject, text)
 *     gaps(sink, tag, from_ts, to_ts, count, cause)   what a sink will never get
 *     sinks(name, state, oldest_unsent_s, backlog, quarantined, error, type, since, remedy,
 *           delivered, rate, replayed_to)
 *     rejected(sink, tag, ts, time, value, quality, seq, why)   what a sink would not take
 * and functions, whose arguments are hidden columns too:
 *     buckets(tag, step, tz), history(tag, from_ts, to_ts, n)
 *         (ts, time, delta, min, max, avg, first, last, count, quality), a row for each bucket
 *         that has samples
 * vfs: SQLite VFS name, NULL: the default.
 *
 * WEIR_ENOTFOUND      there is no store in it.
 * WEIR_EUNSUPPORTED   written by a newer version.
 * WEIR_EDAMAGED, WEIR_EPERM, WEIR_EIO, WEIR_ENOMEM
 *
 * One thread at a time. Constraints on tag (=, IN, GLOB), ts, time and seq skip what they can.
 */
weir_err weir_query_open(const char *data_dir, const char *vfs, weir_query **ret,
                         weir_error *error) WEIR_MUST_CHECK;
void weir_query_close(weir_query *query); /* accepts NULL; finalize your statements before */

/*
 * Gives the tables to a connection that someone else has opened, for as long as it lives. Its main
 * database is the store. The tables cannot write; what else the connection does is its owner's
 * business, but that it no longer checkpoints: only the daemon may.
 *
 * WEIR_EDAMAGED, WEIR_EUNSUPPORTED   main is not a store, or of a newer version.
 * WEIR_ENOMEM, WEIR_EIO
 */
weir_err weir_query_attach(sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;

/* The connection, to prepare statements on. It cannot write. */
sqlite3 *weir_query_db(weir_query *query);

/* What was read so far. */
weir_view_counters weir_query_counters(const weir_query *query);

WEIR_DEFINE_CLEANUP(weir_query, weir_query_close)
