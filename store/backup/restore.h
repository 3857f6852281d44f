/* SPDX-License-Identifier: MIT */
/* From a backup to a data directory, or a data directory that was copied by hand to a declared one.
 */

#pragma once
#include "store/backup/backup.h"
#include "store/backup/manifest.h"

typedef struct weir_restore_options {
    const char *file;     /* the backup */
    const char *data_dir; /* made when missing */
    const char *name;     /* a copy of this name; NULL: it goes on as the original */
    bool replace;         /* what is there is moved into a folder within it */
    weir_wall now;
    weir_backup_progress progress; /* may be NULL */
    void *data;
} weir_restore_options;

typedef struct weir_restore_report {
    weir_manifest manifest; /* texts in the arena that was given */
    weir_identity identity; /* the new one */
    char replaced[64];      /* the folder's name; "": nothing was there */
} weir_restore_report;

/* The folder in the data directory that gets configuration and secrets. */
#define WEIR_RESTORE_FOLDER "restored"

/*
 * Unpacks into DATA_DIR/restore.part under the directory's lock, checks sizes, checksums and the
 * database, and only then moves all to its place, data.db last.
 *
 * WEIR_EINUSE        a weir runs on the directory; or it holds a store already, and not `replace`.
 * WEIR_EDAMAGED      cut short, a checksum is wrong, or no backup at all. Nothing was changed.
 * WEIR_EUNSUPPORTED  of a newer version.
 * WEIR_EPERM         may not; or a name in the archive leads out of it.
 * WEIR_ELIMIT        not enough space.
 * WEIR_ENOTFOUND, WEIR_ECANCELED, WEIR_EIO, WEIR_ENOMEM
 */
weir_err weir_restore(const weir_restore_options *options, weir_arena *arena,
                      weir_restore_report *ret, weir_error *error) WEIR_MUST_CHECK;

/* Everything weir_restore would check, in place; needs no data directory. */
weir_err weir_restore_check(const char *file, weir_backup_progress progress, void *data,
                            weir_arena *arena, weir_manifest *ret,
                            weir_error *error) WEIR_MUST_CHECK;

/* Declares a data directory that came here by other means; checks its database first. */
weir_err weir_restore_in_place(const char *data_dir, const char *name, weir_wall now,
                               weir_identity *ret, weir_error *error) WEIR_MUST_CHECK;
