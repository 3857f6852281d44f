/* SPDX-License-Identifier: MIT */
/* Which data directory a command means. */

#include "cli/datadir.h"

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
