/* SPDX-License-Identifier: MIT */
/* The store: weir's own durable log, one SQLite file with compressed blocks. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/catalog.h"
#include "model/sample.h"
#include "store/file/cursor.h"

struct weir_diff; /* model/diff.h */

typedef struct weir_store weir_store;

typedef struct weir_store_options {
    const char *data_dir; /* made when missing; "memory": nothing on disk, newest 64 MB kept */
    const char *vfs;      /* SQLite VFS name; NULL: the default */
    weir_wall now;
    /* 0: the default */
    int64_t merge_us;          /* from commits to the log: 1 min */
    int64_t archive_us;        /* from the log to history: 1 h */
    int64_t detached_after_us; /* a detached cursor pins the log no longer: 7 d */
    uint64_t memory_bytes_max; /* of "memory": 64 MB */
    size_t piece_samples;      /* encoded in one transaction: 131 072 */
    size_t group_bytes;        /* of samples sorted at a time: 10 MB */
    /* The limits; borrowed as long as the store is open. NULL: none. Its data_dir, max_loss_us and,
     * where detached_after_us is given above, that one are not looked at. */
    const weir_store_config *config;
    /* Bytes of the disk that are free, and the size of it; UINT64_MAX: not known, as with NULL. */
    uint64_t (*free_bytes)(void *data, uint64_t *ret_total);
    void *data;
    uint64_t wal_max; /* 256 MB; see weir_store_commit */
} weir_store_options;

/* How far the log has come. A sample or event with seq <= committed_seq survives a power cut. */
typedef struct weir_store_position {
    uint64_t committed_seq; /* 0: nothing yet */
    weir_wall committed_ts; /* newest ts among committed samples whose clock was trusted; 0: none */
    uint32_t max_epoch;
    /* As found at opening: the samples of max_epoch are of a clock that was not trusted, so a start
     * takes the next epoch; and it is known what their times are off by. */
    bool epoch_untrusted, epoch_corrected;
} weir_store_position;

/* What the devices table shows; texts borrowed. */
typedef struct weir_device_record {
    const char *name, *connection, *state, *error;
    weir_wall since, last_good;
    uint64_t requests, timeouts, late;
    double rtt_p50_ms, rtt_p99_ms; /* 0: unknown */
} weir_device_record;

/*
 * Opens data.db in data_dir for writing and takes the directory's lock.
 *
 * WEIR_EINUSE         another process has it; error names its pid.
 * WEIR_EUNSUPPORTED   written by a newer version; nothing was altered.
 * WEIR_EDAMAGED       not our database, or damaged; error says what to run.
 * WEIR_EIO, WEIR_EPERM, WEIR_ENOMEM
 *
 * Use by one thread at a time: the store thread's. It is the only connection that writes.
 */
weir_err weir_store_open(const weir_store_options *options, weir_store **ret,
                         weir_error *error) WEIR_MUST_CHECK;

/* Commits nothing. Checkpoints, releases the lock. Accepts NULL. */
void weir_store_close(weir_store *store);

/* What a recovery found. */
typedef struct weir_recovery {
    bool written;   /* the commit that failed is on the disk: it is acknowledged by now */
    bool repaired;  /* the file was damaged: a new one has all that could be read */
    bool recreated; /* the file was gone */
    uint64_t lost_first, lost_last; /* acknowledged, and not there any more; 0: nothing is */
    char text[400];                 /* what happened, for people; "": nothing but a reopening */
} weir_recovery;

/*
 * After a failure: closes the file, opens it again, checks it, and compares it with what was
 * acknowledged. What waits keeps waiting, and is written by the next commit; seqs that were lost
 * are not given again. A file that is gone is made anew, one that is damaged is repaired; with
 * `damaged` also when a look does not see it. Tags keep their uids.
 *
 * On failure the store stays closed and takes what is appended; commits fail; call again.
 */
weir_err weir_store_recover(weir_store *store, bool damaged, weir_wall now, weir_recovery *ret,
                            weir_error *error) WEIR_MUST_CHECK;

/*
 * Whether the files are still where they were, and may be written; cheap, for every few seconds.
 * WEIR_EIO: gone or exchanged, or a checkpoint met an I/O error; WEIR_EPERM: read-only by now.
 * weir_store_recover comes next.
 */
weir_err weir_store_check(weir_store *store, weir_error *error) WEIR_MUST_CHECK;

/* What the opening had to tell (a repair, a store that is gone): once; "" else. */
void weir_store_take_notice(weir_store *store, char ret[400]);

/* Writes down, beside the file and without an fsync, which store is here and how far it is: so that
 * an opening can tell what is missing. Now and then. */
void weir_store_note(const weir_store *store);

/* Bytes of data.db-wal that are in use. */
uint64_t weir_store_wal_bytes(const weir_store *store);

/* Gives every tag of the catalog its uid (known names keep theirs, renamed tags too), records new
 * versions of name, unit, type, scale, description, labels, address and counter, and the devices;
 * commits. Tags that the catalog has no longer keep their history and are not active. The catalog
 * is borrowed until the next one is registered, for a recovery that has to make the tags anew. */
weir_err weir_store_register(weir_store *store, weir_catalog *catalog, weir_wall now,
                             weir_error *error) WEIR_MUST_CHECK;

/*
 * The same in two steps, so that between them whoever else needs the uids can make ready and still
 * say no: begin gives the uids, in a transaction that stays open; end commits it; cancel takes all
 * back but the uids in the catalog, which is then not to be used. No other call in between. After
 * a failure nothing has changed. diff: from the registered catalog to this one, whose unchanged
 * devices are then not looked at; NULL: none. Borrowed until the end.
 */
weir_err weir_store_register_begin(weir_store *store, weir_catalog *catalog,
                                   const struct weir_diff *diff, weir_wall now,
                                   weir_error *error) WEIR_MUST_CHECK;
weir_err weir_store_register_end(weir_store *store, weir_error *error) WEIR_MUST_CHECK;
void weir_store_register_cancel(weir_store *store);

/* Other limits from now on; borrowed as weir_store_options.config. */
void weir_store_set_config(weir_store *store, const weir_store_config *config);

/* Adds to the next commit, in memory; copies. WEIR_ENOMEM. */
weir_err weir_store_append(weir_store *store, const weir_batch *batch,
                           weir_error *error) WEIR_MUST_CHECK;
weir_err weir_store_event(weir_store *store, const weir_event *event,
                          weir_error *error) WEIR_MUST_CHECK;

/* Samples and events waiting for the next commit, and about how many bytes they take. */
size_t weir_store_pending(const weir_store *store, size_t *ret_bytes);

/*
 * Commits all that waits, with synchronous=FULL. On failure it still waits: call again.
 *
 * At a cap, by when_full: drop_oldest commits (the oldest go with weir_store_maintain); drop_newest
 * commits the events, and records the samples as a gap; block: WEIR_ELIMIT.
 * WEIR_ELIMIT   no space on the disk. Nothing but space is needed.
 * WEIR_EINUSE   another program is writing, or keeps data.db-wal from being reset and that has
 *               grown to wal_max: commits pause until it has ended.
 * WEIR_EIO, WEIR_EPERM, WEIR_EDAMAGED   weir_store_recover comes first.
 */
weir_err weir_store_commit(weir_store *store, weir_wall now, weir_error *error) WEIR_MUST_CHECK;

/*
 * Moves a cursor, or makes it; attaches it if it was detached. done: what of the rest it needs no
 * more either; may be NULL with n_done 0. Durable with the next commit of samples, or the next
 * merge. What lies behind no cursor goes from the log once it is in history.
 * WEIR_EINVAL: beyond what is committed; done is not ascending, or too much. WEIR_ENOMEM.
 */
weir_err weir_store_set_cursor(weir_store *store, const char *name, uint64_t seq,
                               const weir_span *done, size_t n_done, weir_wall now,
                               weir_error *error) WEIR_MUST_CHECK;

/* Nobody owns it any more: it pins the log for detached_after_us. WEIR_ENOTFOUND, WEIR_ENOMEM. */
weir_err weir_store_detach_cursor(weir_store *store, const char *name, weir_wall now,
                                  weir_error *error) WEIR_MUST_CHECK;

/* Borrowed until the next call that changes a cursor. */
const weir_cursor *weir_store_cursors(const weir_store *store, size_t *ret_n);

/* Replaces the rows of these devices, in one transaction. */
weir_err weir_store_put_devices(weir_store *store, const weir_device_record *devices, size_t n,
                                weir_error *error) WEIR_MUST_CHECK;

/*
 * As weir_store_commit, for the end of a process whose store is full and blocks: the samples that
 * wait are given up, and a gap records them exactly.
 */
weir_err weir_store_commit_without_samples(weir_store *store, weir_wall now,
                                           weir_error *error) WEIR_MUST_CHECK;

/* Records with the next commit that `count` samples were lost before they came to the store, as
 * memory was full; since: from when on. */
void weir_store_note_lost(weir_store *store, uint64_t count, weir_wall since, weir_wall now);

typedef enum weir_store_state {
    WEIR_STORE_OK,
    WEIR_STORE_NEARLY_FULL, /* 80 % of max_size */
    WEIR_STORE_DROPPING,    /* at a cap: the oldest samples go */
    WEIR_STORE_FULL,        /* at a cap: new samples are not stored, or wait */
} weir_store_state;
const char *weir_store_state_text(weir_store_state state); /* "ok", "nearly_full" ... */

typedef struct weir_store_usage {
    uint64_t bytes;      /* pages in use, and the WAL */
    uint64_t max_bytes;  /* 0: no limit */
    uint64_t not_stored; /* samples given up at a cap, since the opening */
    weir_store_state state;
    weir_wall checked; /* when it had last read all of itself, and set aside what is damaged; 0: not
                          since its opening */
} weir_store_usage;

/* As of the last weir_store_maintain. */
weir_store_usage weir_store_get_usage(const weir_store *store);

weir_store_position weir_store_get_position(const weir_store *store);

/* Where weir_query_open and weir_take_open of this process find it: data_dir, or a name for one in
 * memory. Lives as long as the store. */
const char *weir_store_dir(const weir_store *store);
const char *weir_store_uuid(const weir_store *store); /* 36 characters */

/* As it was when the store was opened; a notice in it is also an event of the next commit. */
const struct weir_identity *weir_store_identity(const weir_store *store);
