/* SPDX-License-Identifier: MIT */
/* Which store this is, which running copy of it, and whether it was copied behind our back. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/error.h"

enum {
    WEIR_UUID_SIZE = 37,           /* 36 characters and NUL */
    WEIR_IDENTITY_NAME_SIZE = 65,  /* at most 64 bytes and NUL */
    WEIR_IDENTITY_PLACE_SIZE = 512 /* of a path that is compared: longer ones are cut */
};

/* Random by the VFS, so that a simulated one makes it repeatable. RFC 9562, version 4. */
void weir_uuid_make(char ret[WEIR_UUID_SIZE]);

/*
 * uuid      whose data this is: a cursor is (uuid, seq).
 * instance  which running copy of it: new with every restore.
 * name      what people call a copy; "" for an original.
 * notice    what to tell when the store was opened: where it was restored from, or that it seems to
 *           be a copy nobody declared (then copied is set); "" mostly.
 */
typedef struct weir_identity {
    char uuid[WEIR_UUID_SIZE];
    char instance[WEIR_UUID_SIZE];
    char name[WEIR_IDENTITY_NAME_SIZE];
    bool copied;
    char notice[480];
} weir_identity;

/* Where a store runs. "" and 0: not known, and then never compared. */
typedef struct weir_host {
    char machine[9]; /* checksum of /etc/machine-id: the id itself is nobody's business */
    char board[9];   /* checksum of the board's serial number */
    uint64_t inode;  /* of the data directory */
    char path[WEIR_IDENTITY_PLACE_SIZE];
} weir_host;

/* What the system says of the data directory's place. */
weir_host weir_host_read(const char *data_dir);

/* Whether a store that ran at `before` and is found at `now` must be a copy. */
bool weir_host_is_other(const weir_host *before, const weir_host *now);

/* Gives a new store its uuid and instance; inside the transaction that makes it. */
weir_err weir_identity_create(sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;

/*
 * Reads the identity of a store that is opened for writing; host NULL: not compared. Writes only
 * what is new: an instance for a store that has none, the place when it has none or moved.
 * WEIR_EDAMAGED: it has no uuid.
 */
weir_err weir_identity_open(sqlite3 *db, const weir_host *host, const char *data_dir,
                            weir_identity *ret, weir_error *error) WEIR_MUST_CHECK;

/* Only reads. An older store may have no instance: "". */
weir_err weir_identity_read(sqlite3 *db, weir_identity *ret, weir_error *error) WEIR_MUST_CHECK;

/* Of a store's newest sample or event; 0 when there is none. */
weir_err weir_identity_last_seq(sqlite3 *db, uint64_t *ret, weir_error *error) WEIR_MUST_CHECK;

/*
 * Declares a copy, in one transaction. It gets a new instance, forgets its place and remembers
 * where it comes from.
 * name NULL: it is the original and goes on: uuid and cursors stay.
 * else:      it is a copy of that name: new uuid, no cursors.
 */
weir_err weir_identity_renew(sqlite3 *db, const char *name, weir_wall now, weir_identity *ret,
                             weir_error *error) WEIR_MUST_CHECK;

/* Whether a copy can have this name: 1 to 64 bytes of printable UTF-8. */
bool weir_identity_name_valid(const char *name);
