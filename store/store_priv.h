/* SPDX-License-Identifier: MIT */
/* The store's inside, shared by the files that write: store.c (commits), registry.c (tags and
 * devices), and those of maintain.c. */

#pragma once
#include <sqlite3.h>

#include "store/archive.h"
#include "store/compact.h"
#include "store/cursor.h"
#include "store/epoch.h"
#include "store/expire.h"
#include "store/fresh.h"
#include "store/identity.h"
#include "store/limits.h"
#include "store/pending.h"
#include "store/snapshot.h"
#include "store/store.h"

struct weir_store {
    sqlite3 *db;
    weir_store_options options; /* the texts are not kept */
    bool memory;
    int lock_fd; /* -1: none */
    char uuid[37];
    weir_identity identity;
    weir_store_position position;
    int64_t newest_ts; /* of all samples; INT64_MIN: none */
    int64_t epoch_ts;  /* newest ts of position.max_epoch */
    weir_pending pending;
    weir_epochs epochs; /* likewise waiting */
    weir_fresh fresh;
    weir_cursors cursors;
    weir_store_current current;

    uint64_t merged_seq;  /* meta: fresh rows up to it are in the log */
    uint64_t history_seq; /* meta: log rows up to it are in parts */

    weir_wall merge_began;     /* when the last round of merges began */
    uint64_t merge_until;      /* that round ends here */
    bool current_loaded;       /* current has the table and the log */
    weir_wall current_written; /* when, in this process */
    struct {
        bool known;
        uint64_t samples;            /* in log rows above history_seq */
        uint64_t bytes;              /* of these rows */
        int64_t first_ts, newest_ts; /* newest_ts of the first such row, and of the last */
    } log;
    weir_wall archive_began; /* when a part was last made of the log, or when it was opened */
    weir_archive *archive;   /* under way; NULL: none */
    weir_compact *compact;
    bool archive_looked, compact_looked; /* for parts that a crash left unfinished */
    bool parts_changed;      /* since it was last found that nothing is to be compacted */
    weir_wall compact_tried; /* when that was */

    struct {
        weir_wall began;
        int64_t low;   /* fewest free pages since then */
        int64_t pages; /* to be given back now */
    } vacuum;

    weir_limits limits;
    weir_expire *expire; /* NULL: nothing is known of the rules yet */
    struct {
        uint64_t count; /* samples lost before they came here; not recorded yet */
        weir_wall since, until;
    } lost;

    sqlite3_stmt *begin, *commit, *insert_event;
    int wal_pages; /* in the WAL after the last commit */
};

/* Ends the transaction that is open after a failure; what waits keeps waiting. */
void weir_store_rollback(weir_store *store);

/* Moves the WAL's pages to where they belong, once it is long. */
void weir_store_checkpoint(weir_store *store);

WEIR_DEFINE_CLEANUP(weir_store, weir_store_close)
