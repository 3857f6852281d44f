/* SPDX-License-Identifier: MIT */
/* Any bytes as headers of a backup's archive, and as its list of contents. */

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "store/backup/manifest.h"
#include "store/backup/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_tar_header header;
    weir_manifest manifest;
    weir_arena *arena = weir_arena_new();
    if (size >= WEIR_TAR_BLOCK && weir_tar_read(data, &header, NULL) == WEIR_OK &&
        header.kind == WEIR_TAR_FILE && !weir_tar_name_safe(header.name))
        __builtin_trap();
    if (arena && weir_manifest_parse((const char *)data, size, arena, &manifest, NULL) == WEIR_OK)
        for (size_t i = 0; i < manifest.n_members; i++)
            if (!weir_tar_name_safe(manifest.members[i].name))
                __builtin_trap();
    weir_arena_free(arena);
    return 0;
}
