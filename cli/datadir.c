/* SPDX-License-Identifier: MIT */
/* Which data directory a command means. */

#include "cli/datadir.h"

#include <string.h>

#include "daemon/assemble.h"

const char *weir_data_dir(weir_arena *arena, const char *config, const char *data_dir,
                          weir_error *error)
{
    const weir_assemble_options options = {.config = config};
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    if (data_dir)
        return data_dir;
    if (!weir_assemble_config_path(config))
        return "weir-data";
    if (weir_assemble_load(&options, &catalog, error))
        return NULL;
    const char *copy = weir_arena_text(arena, catalog->store.data_dir);
    if (!copy)
        (void)weir_fail(error, WEIR_ENOMEM, "the data directory's name");
    return copy;
}

const char *weir_kept_data_dir(weir_arena *arena, const char *config, const char *data_dir,
                               const char *verb, weir_error *error)
{
    const char *found = weir_data_dir(arena, config, data_dir, error);
    if (!found || strcmp(found, "memory") != 0)
        return found;
    (void)weir_fail(error, WEIR_ENOTFOUND, "data_dir is memory: nothing is kept that could be %s",
                    verb);
    return NULL;
}
