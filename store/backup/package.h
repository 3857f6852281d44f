/* SPDX-License-Identifier: MIT */
/* A backup's file, opened for reading: its members, compared with its list of contents. */

#pragma once
#include "store/backup/manifest.h"
#include "store/backup/tar.h"
#include "store/backup/transfer.h"

typedef struct weir_package {
    const char *path;
    int fd;
    uint64_t size;
    weir_arena *arena;
    struct weir_package_entry *entries;
    size_t n_entries;
    weir_manifest manifest;
    int64_t *at; /* of each member of the manifest: where its content begins */
} weir_package;

/*
 * Reads all headers and the list, and compares them both ways; no content yet. Texts live in the
 * arena. Release with weir_package_close, also on failure.
 *
 * WEIR_EDAMAGED      cut short, no backup, or list and headers disagree.
 * WEIR_EUNSUPPORTED  of a newer version.
 * WEIR_EPERM         a name or kind of file that could lead out of a folder; or may not read.
 * WEIR_ENOTFOUND, WEIR_EINVAL, WEIR_EIO, WEIR_ENOMEM
 */
weir_err weir_package_open(weir_package *package, const char *path, weir_arena *arena,
                           weir_error *error) WEIR_MUST_CHECK;
void weir_package_close(weir_package *package);

/* Sums member i up, and copies it to a file when to_fd >= 0. WEIR_EDAMAGED: a wrong checksum. */
weir_err weir_package_take(const weir_package *package, size_t i, weir_transfer *transfer,
                           int to_fd, const char *to_path, weir_error *error) WEIR_MUST_CHECK;

/* Bytes of all members. */
uint64_t weir_package_total(const weir_package *package);
