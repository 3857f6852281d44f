/* SPDX-License-Identifier: MIT */
/* The store's inside, shared by the files that write: store.c (opening), commit.c, registry.c
 * (tags and devices), and those of maintain.c. */

#pragma once
#include <sqlite3.h>

#include "store/epoch.h"
#include "store/file/cursor.h"
#include "store/file/identity.h"
#include "store/fresh.h"
#include "store/limits.h"
#include "store/pending.h"
#include "store/snapshot.h"
#include "store/store.h"

enum { STORE_BUSY_MS = 1000 }; /* for someone's sqlite3 shell; other programs of ours only read */

struct weir_store {
    sqlite3 *db;
    weir_store_options options; /* the texts are not kept */
    char *data_dir, *vfs;       /* vfs NULL: the default */
    uint64_t device;            /* st_dev of the data directory */
    bool memory;
    char memory_dir[64]; /* the name that its readers use for a data directory */
    int lock_fd;         /* -1: none */
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

    bool current_loaded; /* current has the table and the log */
    weir_wall opened;
    struct {
        bool known;
        uint64_t samples;            /* in log rows above history_seq */
        uint64_t bytes;              /* of these rows */
        int64_t first_ts, newest_ts; /* newest_ts of the first such row, and of the last */
    } log;
    weir_limits limits;
    weir_wall checked; /* when all of it had been read and found sound, or set aside; 0: not yet */
    /* What maintenance remembers (store/history): its own, made and freed there. */
    struct weir_history *history;
    void (*history_free)(weir_store *store);
    unsigned catalog_changes; /* counts what changes tags, their names, or what is purged */
    struct {
        uint64_t count; /* samples lost before they came here; not recorded yet */
        weir_wall since, until;
    } lost;

    sqlite3_stmt *begin, *commit, *insert_event;
    /* What maintenance asks every second while there is nothing to do. */
    sqlite3_stmt *count_pages, *count_free_pages, *find_dropped, *find_passed;
    int wal_pages; /* in the WAL after the last commit */
    bool wal_told; /* that it has grown */
    bool failed;   /* by an I/O error, and the file was not opened anew since */
    char failure[200];
    uint64_t attempt_seq; /* what the position would be if the last commit, which failed at its very
                             end, is on the disk; 0: none */
    weir_catalog *catalog;                 /* as last registered; borrowed */
    struct weir_registration *registering; /* between begin and end; NULL: none */
    bool mended, created;                  /* by the last opening: repaired, made new */
    bool gone;        /* the file has no name any more: nothing is acknowledged */
    char notice[400]; /* what the opening had to tell */
    char kept[300];   /* where all is that a file had which was exchanged for another; or "" */
};

/* Opens the file and reads what a commit needs; closes it and forgets that. What waits stays. */
weir_err weir_store_attach(weir_store *store, const char *path, weir_wall now,
                           weir_error *error) WEIR_MUST_CHECK;
void weir_store_detach(weir_store *store);

/* Gives these tags their uids in a store that does not have them. */
weir_err weir_registry_restore(weir_store *store, weir_wall now, weir_error *error) WEIR_MUST_CHECK;

/* Sets a number in meta, in the open transaction. */
weir_err weir_store_set_meta(weir_store *store, const char *key, uint64_t value,
                             weir_error *error) WEIR_MUST_CHECK;

/* Ends the transaction that is open after a failure; what waits keeps waiting. */
void weir_store_rollback(weir_store *store);

/*
 * A transaction of its own for a change that is no commit of samples: what waits is committed
 * before it. The end takes what became of the change, and gives what became of all; where that is
 * not WEIR_OK nothing has changed.
 */
weir_err weir_store_change_begin(weir_store *store, weir_wall now,
                                 weir_error *error) WEIR_MUST_CHECK;
weir_err weir_store_change_end(weir_store *store, weir_err err, weir_error *error) WEIR_MUST_CHECK;

/*
 * What was written before a failed fsync may be in the cache only, and look sound: nothing is
 * written, and so nothing acknowledged, before the file has been opened anew and compared
 * (weir_store_recover). weir_store_usable: WEIR_EIO as long as that, or an opening, is to come.
 * weir_store_note_failure keeps an err of WEIR_EIO in mind, and returns err.
 */
weir_err weir_store_usable(const weir_store *store, weir_error *error) WEIR_MUST_CHECK;
weir_err weir_store_note_failure(weir_store *store, weir_err err, const char *text);

/* Moves the WAL's pages to where they belong, once it is long (walsize.c). */
void weir_store_checkpoint(weir_store *store);

/* Whether a commit may make the WAL longer. WEIR_EINUSE: it has reached wal_max, and someone's
 * read keeps it from being reset. */
weir_err weir_store_wal_room(weir_store *store, weir_error *error) WEIR_MUST_CHECK;

WEIR_DEFINE_CLEANUP(weir_store, weir_store_close)
