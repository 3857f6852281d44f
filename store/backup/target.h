/* SPDX-License-Identifier: MIT */
/* Where a backup goes: a file that is there whole or not at all, or standard output. */

#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct weir_target {
    const char *wanted;       /* borrowed; "-": standard output */
    char name[PATH_MAX];      /* of the file at last: symbolic links followed */
    char part[PATH_MAX + 32]; /* of the file until then */
    char folder[PATH_MAX];
    int fd;      /* of the part; -1: none */
    bool linked; /* the part has a name */
} weir_target;

#define WEIR_TARGET_INIT \
    {                    \
        .fd = -1         \
    }

/* Looks, and writes nothing. WEIR_EPERM: a file that is no backup, or may not; WEIR_EINVAL: not a
 * file; WEIR_EIO. */
weir_err weir_target_init(weir_target *target, const char *wanted,
                          weir_error *error) WEIR_MUST_CHECK;

/*
 * Makes the part, empty, locked, readable by its owner only; for standard output a nameless file
 * in $TMPDIR. beside: as in weir_transfer_space.
 * WEIR_ELIMIT: no room for size bytes; WEIR_EINUSE: another backup goes there; WEIR_EPERM,
 * WEIR_EIO.
 */
weir_err weir_target_open(weir_target *target, uint64_t size, const char *beside,
                          weir_error *error) WEIR_MUST_CHECK;

/* What is complete and on the disk gets its name, or is written to standard output. */
weir_err weir_target_hand_over(weir_target *target, uint64_t size,
                               weir_error *error) WEIR_MUST_CHECK;

/* Removes the part, unless it was handed over. */
void weir_target_close(weir_target *target);
