/* SPDX-License-Identifier: MIT */
/* The lock of a data directory: one writing process at a time, and its pid for the others. */

#pragma once
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* Takes DIR/weir.lock for as long as the descriptor stays open, at most until the process ends,
 * however it ends. WEIR_EINUSE names the pid that has it; WEIR_EIO, WEIR_EPERM. */
weir_err weir_lock_take(const char *dir, int *ret_fd, weir_error *error) WEIR_MUST_CHECK;

void weir_lock_release(int fd); /* accepts -1 */

/* What store was in the directory when it was last written down: so that a data.db that is gone, or
 * empty, is not silently taken for the first start. uuid "": none yet. */
typedef struct weir_lock_hint {
    char uuid[37];
    uint64_t last_seq; /* numbers up to it were given then */
} weir_lock_hint;

weir_lock_hint weir_lock_hint_read(int fd);

/* Not fsynced: it is a hint. Failing costs nothing but that. */
void weir_lock_hint_write(int fd, const weir_lock_hint *hint);

/*
 * The tags' names, beside the file that owns them: lines "UID NAME". They serve a repair alone,
 * when the table is lost: samples without a name are of no use. Written only when they changed.
 */
weir_err weir_lock_tags_read(int fd, weir_text *ret, weir_error *error) WEIR_MUST_CHECK;
void weir_lock_tags_write(int fd, const weir_text *tags);
