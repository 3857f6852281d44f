/* SPDX-License-Identifier: MIT */
/* Bytes between files for backup and restore: whole or an error in words. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"
#include "store/backup/backup.h"

/* "cannot DOING PATH: why", by errno. WEIR_EPERM, WEIR_ELIMIT (no space), WEIR_ENOTFOUND, else
 * WEIR_EIO. */
weir_err weir_transfer_fail(weir_error *error, const char *doing, const char *path);

/* All n bytes at that place. path: for the message. */
weir_err weir_transfer_write(int fd, const char *path, const void *bytes, size_t n, int64_t at,
                             weir_error *error) WEIR_MUST_CHECK;

/* WEIR_EDAMAGED: the file ends before. */
weir_err weir_transfer_read(int fd, const char *path, void *ret_bytes, size_t n, int64_t at,
                            weir_error *error) WEIR_MUST_CHECK;

/* How far a long work has come; done is brought forward by every call that takes it. */
typedef struct weir_transfer {
    weir_backup_progress progress; /* may be NULL */
    void *data;
    uint64_t done, total;
} weir_transfer;

/* WEIR_ECANCELED: somebody wants it to end. */
weir_err weir_transfer_advance(weir_transfer *t, uint64_t n, weir_error *error) WEIR_MUST_CHECK;

/* SQLite's quick check, which somebody may interrupt too: it takes its time. WEIR_EDAMAGED. */
weir_err weir_transfer_check(weir_transfer *t, sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;

/* CRC32C of n bytes from `at`; with to_fd >= 0 they are also written there, from its start, and
 * brought to the disk bit by bit, so that no fsync beside it has to wait for all of them. */
weir_err weir_transfer_crc(weir_transfer *t, int fd, const char *path, int64_t at, uint64_t n,
                           int to_fd, const char *to_path, uint32_t *ret_crc,
                           weir_error *error) WEIR_MUST_CHECK;

/*
 * Whether `need` bytes fit on the file system of that folder. beside: a data directory whose weir
 * has to go on writing; when it is on the same disk, some is left for it. NULL: none.
 * WEIR_ELIMIT says how much is missing.
 */
weir_err weir_transfer_space(const char *folder, uint64_t need, const char *beside,
                             weir_error *error) WEIR_MUST_CHECK;

/* So that a rename in it survives a power cut. */
weir_err weir_transfer_sync_folder(const char *folder, weir_error *error) WEIR_MUST_CHECK;
