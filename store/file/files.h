/* SPDX-License-Identifier: MIT */
/* Moving whole database files, on the disk or in a simulated one. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

/* vfs: SQLite VFS name; NULL: the default, and then files are renamed. A simulated disk knows no
 * names but those it opens: there they are copied and deleted. */
bool weir_file_exists(const char *path, const char *vfs);  /* true also if that cannot be told */
int64_t weir_file_size(const char *path, const char *vfs); /* -1: there is none, or unreadable */

/*
 * What SQLite must not be given: opening a FIFO waits for ever, a folder or a device gives an error
 * nobody understands. OK: a file, a link to one, or nothing. On a simulated disk there is no other.
 * WEIR_EIO.
 */
weir_err weir_file_check(const char *path, const char *vfs, weir_error *error) WEIR_MUST_CHECK;

/* Over what is there. Nothing has either open. WEIR_EIO, WEIR_EPERM. */
weir_err weir_file_move(const char *from, const char *to, const char *vfs,
                        weir_error *error) WEIR_MUST_CHECK;

/* One that is not there is removed already. */
weir_err weir_file_remove(const char *path, const char *vfs, weir_error *error) WEIR_MUST_CHECK;

/* So that names survive a power cut. */
weir_err weir_dir_sync(const char *path, weir_error *error) WEIR_MUST_CHECK;

/* One folder, where there is none. WEIR_EIO, WEIR_EPERM. */
weir_err weir_dir_make(const char *path, weir_error *error) WEIR_MUST_CHECK;

/* A time as part of a name: with - for the colons, which FAT and scp do not like. */
void weir_file_time(weir_wall t, char ret[28]);
