/* SPDX-License-Identifier: MIT */
/* The first member of a backup: what it is, and what is in it. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "store/file/identity.h"

enum {
    WEIR_MANIFEST_VERSION = 1,
    WEIR_MANIFEST_MEMBERS_MAX = 4096,
    WEIR_MANIFEST_SIZE_MAX = 4 * 1024 * 1024,
};

#define WEIR_MANIFEST_NAME  "manifest.json"
#define WEIR_MANIFEST_CHECK "manifest.crc32c" /* eight hexadecimal digits and a newline */
#define WEIR_MANIFEST_DATA  "data.db"
#define WEIR_MANIFEST_EDITS "config.db" /* what people edit with other programs */

typedef struct weir_manifest_member {
    const char *name; /* in the archive */
    const char *path; /* where it was; NULL: in the data directory */
    uint64_t size;
    uint32_t crc; /* CRC32C of the content */
} weir_manifest_member;

typedef struct weir_manifest {
    const char *version; /* of the weir that wrote it */
    int64_t schema;      /* of data.db */
    weir_identity identity;
    uint64_t seq; /* the last one in it */
    weir_wall created;
    const char *host, *data_dir;
    size_t n_members;
    weir_manifest_member *members;
    size_t n_omitted; /* secrets that were left out */
    const char **omitted;
} weir_manifest;

/* The JSON text. Its length does not depend on the checksums. WEIR_ENOMEM. */
weir_err weir_manifest_format(const weir_manifest *manifest, weir_text *ret,
                              weir_error *error) WEIR_MUST_CHECK;

/*
 * Texts live in the arena.
 * WEIR_EUNSUPPORTED  of a newer version; error names it.
 * WEIR_EDAMAGED      not such a text, a name that is not safe, or no data.db.
 * WEIR_ENOMEM
 */
weir_err weir_manifest_parse(const char *text, size_t n, weir_arena *arena, weir_manifest *ret,
                             weir_error *error) WEIR_MUST_CHECK;
