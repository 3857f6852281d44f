/* SPDX-License-Identifier: MIT */
/* Bringing a store of an older version to this one. */

#pragma once
#include <stdint.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/error.h"

/* What a migration would do. Sizes and time are bounds: it stays below. */
typedef struct weir_migration {
    int from, to;         /* versions; equal: nothing is to be done */
    uint64_t file_bytes;  /* of data.db */
    uint64_t space_bytes; /* of the disk, while it lasts */
    int64_t time_us;      /* on a slow disk */
} weir_migration;

/*
 * Looks at the store in data_dir, beside a running weir or without one, and changes nothing in it.
 *
 * WEIR_ENOTFOUND      there is no store, or nothing was ever stored in it.
 * WEIR_EUNSUPPORTED   a newer version wrote it.
 * WEIR_EDAMAGED, WEIR_EPERM, WEIR_EIO, WEIR_EINVAL
 */
weir_err weir_migration_look(const char *data_dir, const char *vfs, weir_migration *ret,
                             weir_error *error) WEIR_MUST_CHECK;

/*
 * Makes the tables of the current version, in one transaction, on the connection that writes; does
 * nothing when they are there. Blocks stay where and as they are: only what is small is written,
 * so neither time nor space depend on the size of the store. weir_db_identify comes first.
 */
weir_err weir_store_migrate(sqlite3 *db, weir_wall now, weir_error *error) WEIR_MUST_CHECK;
