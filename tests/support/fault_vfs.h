/* SPDX-License-Identifier: MIT */
/* An SQLite VFS that keeps all files in memory and fails on demand: errors, full disks, power cuts.
 */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One fault_vfs is the disk of one machine, under a name of its own; several may exist. Any number
 * of connections of this process share its files, locks and WAL memory; any thread.
 *
 * What survives a power cut is described in support/fault_disk.h. A directory is synced as SQLite
 * does it: by the first xSync of a journal or WAL that was made anew, and by xDelete with syncDir.
 *
 * Memory that is short ends the program: this is a test.
 */
typedef struct fault_vfs fault_vfs;

typedef struct fault_vfs_options {
    const char *name; /* of the VFS; borrowed */
    uint64_t seed;    /* of xRandomness */
    /* The clock. NULL: one that starts in 2023 and moves by sleeping alone. */
    void *data;
    int64_t (*wall_us)(void *data);
    void (*sleep)(void *data, int64_t us); /* also the time a slow fsync takes */
} fault_vfs_options;

fault_vfs *fault_vfs_new(const fault_vfs_options *options);
void fault_vfs_free(fault_vfs *vfs); /* all connections are closed; accepts NULL */

/* SQLite's own randomness (WAL salts, uuids) comes from the default VFS: with this, from the seed.
 * fault_vfs_free makes the system's the default again. */
void fault_vfs_make_default(fault_vfs *vfs);

/* --- errors ------------------------------------------------------------------------------- */

enum {
    FAULT_READ = 1 << 0,
    FAULT_WRITE = 1 << 1,
    FAULT_SYNC = 1 << 2,
    FAULT_TRUNCATE = 1 << 3,
    FAULT_OPEN = 1 << 4,
    FAULT_DELETE = 1 << 5,
    FAULT_SHM = 1 << 6,  /* the WAL's memory: mapping and locks */
    FAULT_LOCK = 1 << 7, /* of the database file, taking */
    FAULT_CHANGES = FAULT_WRITE | FAULT_SYNC | FAULT_TRUNCATE | FAULT_DELETE,
    FAULT_ANY = (1 << 8) - 1,
};

typedef struct fault_rule {
    unsigned ops;       /* FAULT_* that count */
    uint64_t nth;       /* the n-th from now fails; 0 and 1: the next */
    bool persistent;    /* and all after it */
    bool is_short;      /* a write that fails has half of its bytes written */
    int code;           /* SQLITE_IOERR_WRITE, SQLITE_FULL ...; 0: what fits the operation */
    const char *suffix; /* only names that end so ("-wal"); NULL: all. Borrowed */
} fault_rule;

enum { FAULT_RULES_MAX = 4 };

/* A sync that fails leaves its sectors clean but not on the disk, as Linux does. */
void fault_vfs_fail(fault_vfs *vfs, fault_rule rule); /* beside the rules there are */
void fault_vfs_heal(fault_vfs *vfs);                  /* no rule any more; writable; no slow sync */
uint64_t fault_vfs_hits(fault_vfs *vfs);              /* operations failed by rules so far */
uint64_t fault_vfs_count(fault_vfs *vfs, unsigned ops); /* operations tried so far */

/* --- the disk ----------------------------------------------------------------------------- */

/* Beyond it writes give SQLITE_FULL after what found room. 0: without end. */
void fault_vfs_set_capacity(fault_vfs *vfs, int64_t bytes);
int64_t fault_vfs_used(fault_vfs *vfs);
int64_t fault_vfs_free_bytes(fault_vfs *vfs); /* INT64_MAX: without end */

/* Each xSync takes so long. */
void fault_vfs_set_sync_time(fault_vfs *vfs, int64_t us);

/* A disk that lies: it reports each sync as done and does nothing. */
void fault_vfs_ignore_syncs(fault_vfs *vfs, bool ignore);

/* As after a remount: nothing can be written or made. */
void fault_vfs_set_read_only(fault_vfs *vfs, bool read_only);

/* --- the files, from outside ---------------------------------------------------------------- */

int64_t fault_vfs_size(fault_vfs *vfs, const char *path); /* -1: there is none */
bool fault_vfs_remove(fault_vfs *vfs, const char *path);  /* as rm does; connections keep theirs */
bool fault_vfs_flip(fault_vfs *vfs, const char *path, int64_t bit);
bool fault_vfs_truncate(fault_vfs *vfs, const char *path, int64_t size);
/* The whole file, made when missing, synced. */
void fault_vfs_put(fault_vfs *vfs, const char *path, const void *bytes, size_t n);
size_t fault_vfs_get(fault_vfs *vfs, const char *path, void *to, size_t n, int64_t at);

/* --- ends --------------------------------------------------------------------------------- */

/*
 * The process dies: what was written stays, locks and WAL memory are gone, and every handle is
 * dead: it answers SQLITE_IOERR until it is closed. Close all of them, as nothing can be opened
 * before.
 */
void fault_vfs_kill(fault_vfs *vfs);

/* The machine loses power: as above, and unsynced changes are kept or not by the seed. */
void fault_vfs_power_cut(fault_vfs *vfs, uint64_t seed);

/* After n more changes (FAULT_CHANGES) everything fails as after an end, until one of the above is
 * called: to end in the midst of a commit. The change at which it stops is not made. */
void fault_vfs_stop_after(fault_vfs *vfs, uint64_t n);
bool fault_vfs_stopped(fault_vfs *vfs);

/* Of all changes so far, in order. */
uint64_t fault_vfs_hash(fault_vfs *vfs);
