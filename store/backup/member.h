/* SPDX-License-Identifier: MIT */
/* A database inside a larger file: an SQLite VFS over a part of it. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"

/*
 * One database of one connection, without locks, journal or WAL. So that the copy is a single file
 * for everybody, what is written becomes a database with a rollback journal (bytes 18 and 19 of the
 * file format, which say WAL or not).
 */
typedef struct weir_member {
    sqlite3_vfs vfs;
    int fd;
    int64_t base;     /* where in fd the database begins */
    int64_t size;     /* of the database; grows when written */
    int64_t unsynced; /* bytes since the disk was last asked to write */
    int error;        /* errno of the last failure */
    char name[32];
} weir_member;

/* Registers the VFS. Borrows fd. Not to be moved until deinit. */
weir_err weir_member_init(weir_member *member, int fd, int64_t base, int64_t size,
                          weir_error *error) WEIR_MUST_CHECK;
void weir_member_deinit(weir_member *member); /* close its connection before */

/* Opens it; writable for a database that is to be made. */
weir_err weir_member_open(weir_member *member, bool writable, sqlite3 **ret,
                          weir_error *error) WEIR_MUST_CHECK;
