/* SPDX-License-Identifier: MIT */
/* What becomes of a damaged store: a sound one with all that can be read, and the old in
 * quarantine.
 */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "store/repair/salvage.h"

typedef struct weir_repair_report {
    bool repaired;         /* false: nothing was wrong */
    char why[300];         /* what was found */
    char quarantine[300];  /* where the damaged files are now */
    char foreign_wal[300]; /* where a data.db-wal of another store is now; "": there was none */
    weir_salvage_counts counts;
} weir_repair_report;

/*
 * weir store repair. Takes the directory's lock, verifies, and if anything is wrong makes a new
 * data.db of every readable row; the old files go to quarantine/ within the directory. The new file
 * takes its place by one rename, after it was written, fsynced and checked: stopped at any moment,
 * the directory has the old store or the new one.
 *
 * WEIR_OK             see ret; counts say what was lost.
 * WEIR_EINUSE         a process has the directory.
 * WEIR_ENOTFOUND      there is no store.
 * WEIR_EUNSUPPORTED   written by a newer version; nothing was altered.
 * WEIR_EDAMAGED       nothing in the file is ours; nothing was altered.
 * WEIR_EIO, WEIR_EPERM, WEIR_ENOMEM   nothing was altered.
 */
weir_err weir_store_repair(const char *data_dir, const char *vfs, weir_wall now,
                           weir_repair_report *ret, weir_error *error) WEIR_MUST_CHECK;

/* --- for the store's opening: the lock is held, and nothing of this process has the files open -
 */

/*
 * Whether the store is damaged, as far as a few megabytes of reading tell: the head, the WAL and
 * how the pages of the tables that an opening needs hang together; with `whole`, those of all
 * tables of a file up to 64 MB. Damage of the rest is found when that is read. Errors as above;
 * WEIR_OK also when there is no file.
 */
weir_err weir_repair_look(const char *data_dir, const char *vfs, bool whole, bool *ret_damaged,
                          char ret_why[300], weir_error *error) WEIR_MUST_CHECK;

/* Ends an exchange of files that was interrupted. */
weir_err weir_repair_resume(const char *data_dir, const char *vfs,
                            weir_error *error) WEIR_MUST_CHECK;

/* lock_fd: the lock's file says what the store's may not say any more. -1: without. known_seq:
 * numbers up to it were given, whatever the file says. */
weir_err weir_repair_run(const char *data_dir, const char *vfs, int lock_fd, uint64_t known_seq,
                         weir_wall now, weir_repair_report *ret, weir_error *error) WEIR_MUST_CHECK;
