/* SPDX-License-Identifier: MIT */
/* The tables of data.db. docs/design/store.md explains each; a change needs a new SCHEMA_VERSION */

#pragma once

enum {
    SCHEMA_APPLICATION_ID = 0x77656972, /* "weir" */
    SCHEMA_VERSION = 1,                 /* PRAGMA user_version */
    SCHEMA_PAGE_SIZE = 4096,
};

/* log.late: bits. A row without any can neither repeat an earlier sample nor lie far behind. */
enum {
    LOG_REPEATS = 1, /* may hold a (tag, ts, epoch) that an earlier sample has too */
    LOG_BEHIND = 2,  /* has a ts more than LOG_SLACK_US before the newest of all earlier rows */
};

/* How far slots of one moment may lie apart in the log without a mark: longer than any pause
 * between a slot and the commit of its samples, short against what a query spans. */
#define LOG_SLACK_US (3600 * 1000000LL)

/*
 * newest_ts is the largest ts of this and all earlier rows: it never falls, so rows can be found
 * by time through the primary key alone and a routine commit touches one b-tree. The index has
 * only the rows that break this order.
 */
#define SCHEMA_SQL                                                                              \
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"                             \
    "CREATE TABLE log(first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL,"                   \
    "  min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL, newest_ts INTEGER NOT NULL,"           \
    "  trusted_ts INTEGER NOT NULL, epoch INTEGER NOT NULL, epoch_ts INTEGER NOT NULL,"         \
    "  late INTEGER NOT NULL,"                                                                  \
    "  head BLOB NOT NULL, body BLOB NOT NULL);"                                                \
    "CREATE INDEX log_late ON log(min_ts, max_ts, late) WHERE late <> 0;"                       \
    "CREATE TABLE event(seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, kind INTEGER NOT NULL,"   \
    "  subject TEXT NOT NULL, text TEXT NOT NULL);"                                             \
    "CREATE TABLE tag(uid INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"                      \
    "  active INTEGER NOT NULL);"                                                               \
    "CREATE TABLE tag_version(uid INTEGER NOT NULL, seq INTEGER NOT NULL, name TEXT NOT NULL,"  \
    "  device TEXT NOT NULL, unit TEXT NOT NULL, type TEXT NOT NULL, scale REAL NOT NULL,"      \
    "  offset REAL NOT NULL, description TEXT NOT NULL, labels TEXT NOT NULL,"                  \
    "  address TEXT NOT NULL, PRIMARY KEY(uid, seq)) WITHOUT ROWID;"                            \
    "CREATE TABLE device(name TEXT PRIMARY KEY, connection TEXT NOT NULL, state TEXT NOT NULL," \
    "  since INTEGER NOT NULL, last_good INTEGER, error TEXT NOT NULL,"                         \
    "  requests INTEGER NOT NULL, timeouts INTEGER NOT NULL, late INTEGER NOT NULL,"            \
    "  rtt_p50 REAL, rtt_p99 REAL, catalog INTEGER NOT NULL) WITHOUT ROWID;"
