/* SPDX-License-Identifier: MIT */
/* A backup: all of a store and what belongs to it in one file, made while the daemon works. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/file/identity.h"

/* A file that goes into the backup as it is. */
typedef struct weir_backup_file {
    const char *name; /* in the archive: weir_tar_name_safe */
    const char *path; /* where it was */
    const void *bytes;
    size_t n;
} weir_backup_file;

/* Called now and then. False: stop, nothing stays. */
typedef bool (*weir_backup_progress)(void *data, uint64_t done, uint64_t total);

typedef struct weir_backup_options {
    const char *data_dir;
    const char *target; /* a file's name; "-": standard output */
    size_t n_files;
    const weir_backup_file *files;
    size_t n_omitted; /* secrets that are left out, to be told when it is restored */
    const char **omitted;
    weir_wall now;
    weir_backup_progress progress; /* may be NULL */
    void *data;
} weir_backup_options;

typedef struct weir_backup_report {
    weir_identity identity;
    uint64_t seq;       /* the last one in it */
    uint64_t bytes;     /* of the file */
    uint64_t wal_bytes; /* how far data.db-wal had grown at most */
} weir_backup_report;

/*
 * Written to TARGET.part, read back, checked, fsynced and renamed: a backup that was interrupted
 * never looks like one, and the one before stays until then. An existing target is replaced only if
 * it is a backup.
 *
 * WEIR_ENOTFOUND    no store there.
 * WEIR_EPERM        may not read there or write here; or the target is a file that is no backup.
 * WEIR_ELIMIT       not enough space (nothing was written), or the target is too slow.
 * WEIR_EINUSE       another backup writes to the same target.
 * WEIR_EDAMAGED     the store is: no backup was made, the one before is still there.
 * WEIR_ECANCELED    by progress.
 * WEIR_EIO, WEIR_EUNSUPPORTED, WEIR_ENOMEM
 *
 * Blocks no one: it reads one moment in WAL mode and beside the daemon's connection.
 */
weir_err weir_backup_make(const weir_backup_options *options, weir_backup_report *ret,
                          weir_error *error) WEIR_MUST_CHECK;
