/* SPDX-License-Identifier: MIT */
/* The container of a backup: plain POSIX tar (ustar), headers only. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * What every tar opens: blocks of 512 bytes; a header, then the content padded with zeros; two zero
 * blocks at the end. Sizes from 8 GiB on are written in base 256, which GNU tar, bsdtar, busybox
 * and 7-Zip read. Only files and folders with safe names are understood when reading.
 */
enum {
    WEIR_TAR_BLOCK = 512,
    WEIR_TAR_NAME_MAX = 99,
};

typedef enum weir_tar_kind {
    WEIR_TAR_END,
    WEIR_TAR_FILE,
    WEIR_TAR_FOLDER, /* of an archive that was packed again; has no content */
} weir_tar_kind;

typedef struct weir_tar_header {
    weir_tar_kind kind;
    char name[WEIR_TAR_NAME_MAX + 1]; /* without a leading "./" */
    uint64_t size;                    /* of the content */
} weir_tar_header;

/* Relative, at most 99 bytes of printable ASCII, no "." or ".." or empty part: cannot lead out of
 * the folder it is unpacked in. */
bool weir_tar_name_safe(const char *name);

/* Content and padding. */
static inline uint64_t weir_tar_padded(uint64_t size)
{
    return (size + WEIR_TAR_BLOCK - 1) / WEIR_TAR_BLOCK * WEIR_TAR_BLOCK;
}

/* The header of a file with a safe name. mtime in seconds. */
void weir_tar_write(const char *name, uint64_t size, int64_t mtime, uint8_t ret[WEIR_TAR_BLOCK]);

/*
 * WEIR_EDAMAGED      no tar header, or its checksum is wrong.
 * WEIR_EPERM         a name that leads out, a link or a device.
 * WEIR_EUNSUPPORTED  an extension of another tar program.
 */
weir_err weir_tar_read(const uint8_t block[WEIR_TAR_BLOCK], weir_tar_header *ret,
                       weir_error *error) WEIR_MUST_CHECK;
