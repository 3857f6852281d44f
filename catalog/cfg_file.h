/* SPDX-License-Identifier: MIT */
/* [RUNTIME] of a config.cfg: when the daemon began, and its pid. */

#pragma once
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"

/*
 * Appends the text with these values of starttime and pid in [RUNTIME]; all else is as it was, byte
 * for byte. Pure. False: memory is short.
 */
bool weir_cfg_stamp(const char *text, size_t n, weir_wall started, int64_t pid, weir_text *ret);

/* What stat() says of the file before and after. */
typedef struct weir_cfg_stamped {
    struct stat before, after;
} weir_cfg_stamped;

/*
 * The same with the file: another one takes its name, whole and on the disk, with its mode and
 * owner; a symbolic link stays one. Signals that end the program should be blocked: else a part may
 * be left beside it.
 *
 * WEIR_EPERM  the file or its folder may not be written, or its owner could not be kept.
 * WEIR_EIO, WEIR_ENOMEM. The file is as it was.
 */
weir_err weir_cfg_file_stamp(const char *path, weir_wall started, int64_t pid,
                             weir_cfg_stamped *ret, weir_error *error) WEIR_MUST_CHECK;
