/* SPDX-License-Identifier: MIT */
/* The tables of data.db. docs/design/store.md explains each; a change needs a new SCHEMA_VERSION */

#pragma once

enum {
    SCHEMA_APPLICATION_ID = 0x77656972, /* "weir" */
    SCHEMA_VERSION = 3,                 /* PRAGMA user_version */
    SCHEMA_PAGE_SIZE = 4096,
};

/* log.late: bits, in rows of version 1. A row without any can neither repeat an earlier sample nor
 * lie far behind. Newer rows have 0 and promise nothing: readers merge them by identity. */
enum {
    LOG_REPEATS = 1, /* may hold a (tag, ts, epoch) that an earlier sample has too */
    LOG_BEHIND = 2,  /* has a ts more than LOG_SLACK_US before the newest of all earlier rows */
};

/* How far slots of one moment may lie apart in the log without a mark: longer than any pause
 * between a slot and the commit of its samples, short against what a query spans. */
#define LOG_SLACK_US (3600 * 1000000LL)

/* part.state */
enum {
    PART_BUILDING = 0, /* not complete: nobody reads it; goes on or is dropped after a restart */
    PART_LIVE = 1,
    PART_DROPPING = 2, /* replaced or expired: nobody reads it; its segments are being deleted */
    PART_BUILT = 3,    /* complete, but those made of the same source are not: nobody reads it */
};

/* part.tier: 0 to 4, and a bit: its tags have too many samples to gain by a larger period, so no
 * merge takes it. */
enum { PART_TIER_MAX = 4, PART_STAYS = 16 };

/* segment.key: the part, the tag (or with SEGMENT_REPLIES the series of replies), and a number
 * where one segment cannot hold all. Ascending by part, so that a part is written in one go. */
#define SEGMENT_REPLIES           0x80000000u
#define SEGMENT_KEY(part, uid, n) ((int64_t)(part) << 40 | (int64_t)(uint32_t)(uid) << 8 | (n))

/*
 * fresh   the newest commits. A slot is written again once its row is in the log, in place: a
 *         commit touches one page. Rows with first_seq <= meta.merged_seq are only that: used.
 *         body has zeros behind it: its size is in the head. state: what rode with the commit
 *         (cursor.h).
 * log     merged rows, for sinks until acknowledged, for readers until in a part (seq <=
 *         meta.history_seq). Rows of version 1 of the schema lie here as they were; late is
 *         theirs. last_seq NULL: first_seq + count - 1.
 * part    one merge's output, of one epoch; first_seq .. last_seq: what it was made of.
 * snapshot  the newest sample of every tag among those with a seq up to `seq`, in blocks; a
 *         block's batches count their seq from first_seq.
 * quarantine  blocks that could not be read when they were to be merged: kept for a repair.
 * cursor  spans: what is done beyond seq (cursor.h). folded: the moves that rode with commits up to
 *         this seq are in.
 * sink    what each sink said last of how it is; sink_order: what it was told to do, and how many
 *         rows of it are set aside, and of these to be tried again.
 * set_aside  rows that a sink will never take, whole; bytes: of strings and bytes, else NULL.
 *         set_aside_retry: those of them that it shall be given again. They are told apart from
 *         other tables by their columns in a repair (salvage_tables.c), so have no index.
 */
#define SCHEMA_SQL                                                                                \
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"                               \
    "CREATE TABLE fresh(slot INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL,"                    \
    "  count INTEGER NOT NULL, min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL,"                 \
    "  newest_ts INTEGER NOT NULL, trusted_ts INTEGER NOT NULL, epoch INTEGER NOT NULL,"          \
    "  epoch_ts INTEGER NOT NULL, state BLOB NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL);"  \
    "CREATE TABLE log(first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL,"                     \
    "  min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL, newest_ts INTEGER NOT NULL,"             \
    "  trusted_ts INTEGER NOT NULL, epoch INTEGER NOT NULL, epoch_ts INTEGER NOT NULL,"           \
    "  late INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL, last_seq INTEGER);"         \
    "CREATE TABLE part(id INTEGER PRIMARY KEY, tier INTEGER NOT NULL, epoch INTEGER NOT NULL,"    \
    "  state INTEGER NOT NULL, min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL,"                 \
    "  first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, segments INTEGER NOT NULL,"         \
    "  samples INTEGER NOT NULL, bytes INTEGER NOT NULL);"                                        \
    "CREATE TABLE segment(key INTEGER PRIMARY KEY, head BLOB NOT NULL, marks BLOB NOT NULL,"      \
    "  body BLOB NOT NULL);"                                                                      \
    "CREATE TABLE snapshot(id INTEGER PRIMARY KEY, seq INTEGER NOT NULL,"                         \
    "  first_seq INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL);"                      \
    "CREATE TABLE quarantine(id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, origin TEXT NOT NULL,"  \
    "  key INTEGER NOT NULL, count INTEGER, error TEXT NOT NULL, head BLOB, marks BLOB,"          \
    "  body BLOB);"                                                                               \
    "CREATE TABLE cursor(name TEXT PRIMARY KEY, seq INTEGER NOT NULL, ts INTEGER NOT NULL,"       \
    "  detached INTEGER, spans BLOB, folded INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"           \
    "CREATE TABLE gap(id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, sink TEXT NOT NULL,"           \
    "  uid INTEGER, from_ts INTEGER NOT NULL, to_ts INTEGER NOT NULL, count INTEGER NOT NULL,"    \
    "  cause TEXT NOT NULL);"                                                                     \
    "CREATE TABLE epoch(epoch INTEGER PRIMARY KEY, offset INTEGER NOT NULL,"                      \
    "  ts INTEGER NOT NULL);"                                                                     \
    "CREATE TABLE replacement(uid INTEGER NOT NULL, ts INTEGER NOT NULL, final REAL NOT NULL,"    \
    "  first REAL NOT NULL, PRIMARY KEY(uid, ts)) WITHOUT ROWID;"                                 \
    "CREATE TABLE event(seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, kind INTEGER NOT NULL,"     \
    "  subject TEXT NOT NULL, text TEXT NOT NULL);"                                               \
    "CREATE TABLE tag(uid INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"                        \
    "  active INTEGER NOT NULL, purged_seq INTEGER NOT NULL DEFAULT 0);"                          \
    "CREATE TABLE tag_version(uid INTEGER NOT NULL, seq INTEGER NOT NULL, name TEXT NOT NULL,"    \
    "  device TEXT NOT NULL, unit TEXT NOT NULL, type TEXT NOT NULL, scale REAL NOT NULL,"        \
    "  offset REAL NOT NULL, description TEXT NOT NULL, labels TEXT NOT NULL,"                    \
    "  address TEXT NOT NULL, counter INTEGER NOT NULL DEFAULT 0,"                                \
    "  PRIMARY KEY(uid, seq)) WITHOUT ROWID;"                                                     \
    "CREATE TABLE device(name TEXT PRIMARY KEY, connection TEXT NOT NULL, state TEXT NOT NULL,"   \
    "  since INTEGER NOT NULL, last_good INTEGER, error TEXT NOT NULL,"                           \
    "  requests INTEGER NOT NULL, timeouts INTEGER NOT NULL, late INTEGER NOT NULL,"              \
    "  rtt_p50 REAL, rtt_p99 REAL, catalog INTEGER NOT NULL) WITHOUT ROWID;"                      \
    "CREATE TABLE sink(name TEXT PRIMARY KEY, type TEXT NOT NULL, state TEXT NOT NULL,"           \
    "  since INTEGER NOT NULL, error TEXT NOT NULL, remedy TEXT NOT NULL, delivered INTEGER,"     \
    "  oldest_unsent INTEGER, backlog INTEGER NOT NULL, sent INTEGER NOT NULL,"                   \
    "  repeated INTEGER NOT NULL, left_out INTEGER NOT NULL, rate REAL, rtt REAL) WITHOUT ROWID;" \
    "CREATE TABLE sink_order(sink TEXT PRIMARY KEY, paused INTEGER NOT NULL,"                     \
    "  replay_id INTEGER NOT NULL, replay_from INTEGER NOT NULL, replay_to INTEGER NOT NULL,"     \
    "  replay_done INTEGER NOT NULL, set_aside INTEGER NOT NULL, retries INTEGER NOT NULL)"       \
    "  WITHOUT ROWID;"                                                                            \
    "CREATE TABLE set_aside(sink TEXT NOT NULL, seq INTEGER NOT NULL, uid INTEGER NOT NULL,"      \
    "  ts INTEGER NOT NULL, received INTEGER NOT NULL, plans INTEGER NOT NULL,"                   \
    "  epoch INTEGER NOT NULL, quality INTEGER NOT NULL, kind INTEGER NOT NULL,"                  \
    "  exponent INTEGER NOT NULL, bits INTEGER NOT NULL, bytes BLOB, why TEXT NOT NULL,"          \
    "  at INTEGER NOT NULL, PRIMARY KEY(sink, seq)) WITHOUT ROWID;"                               \
    "CREATE TABLE set_aside_retry(sink TEXT NOT NULL, seq INTEGER NOT NULL,"                      \
    "  at INTEGER NOT NULL, PRIMARY KEY(sink, seq)) WITHOUT ROWID;"
