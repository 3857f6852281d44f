/* SPDX-License-Identifier: MIT */
/* The tables of data.db. docs/design/store.md explains each; a change needs a new SCHEMA_VERSION */

#pragma once

enum {
    SCHEMA_APPLICATION_ID = 0x77656972, /* "weir" */
    SCHEMA_VERSION = 4,                 /* PRAGMA user_version */
    SCHEMA_PAGE_SIZE = 4096,
};

/* Since which version there is what readers of older stores do without. */
enum { SCHEMA_HAS_HISTORY = 2, SCHEMA_HAS_SINKS = 3, SCHEMA_HAS_KEYS = 4 };

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
 * tag_key what providers know the tags of the catalog by (keys.c).
 * cursor  spans: what is done beyond seq (cursor.h). folded: the moves that rode with commits up to
 *         this seq are in.
 * sink    what each sink said last of how it is; sink_order: what it was told to do, and how many
 *         rows of it are set aside, and of these to be tried again.
 * set_aside  rows that a sink will never take, whole; bytes: of strings and bytes, else NULL.
 *         set_aside_retry: those of them that it shall be given again. They are told apart from
 *         other tables by their columns in a repair (salvage_tables.c), so have no index.
 */
typedef struct weir_schema_table {
    int since; /* the version that had it first */
    const char *sql;
} weir_schema_table;

extern const weir_schema_table weir_schema[]; /* one without sql behind the last */
