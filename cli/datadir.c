/* SPDX-License-Identifier: MIT */
/* Which data directory a command means. */

#include "cli/datadir.h"

#include <string.h>

#include "daemon/assemble.h"
#include "store/store.h"

const char *weir_data_dir(weir_arena *arena, const char *config, const char *data_dir,
                          weir_error *error)
{
    /* A secret that only the daemon's environment has is not needed to find the data. */
    const weir_assemble_options options = {
        .config = config, .without_sinks = true, .without_databases = true};
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

void weir_data_dir_advise(const weir_invocation *in, const char *data_dir)
{
    weir_command_note(in,
                      "`weir store verify --data-dir %s` lists what is damaged; with weir stopped, "
                      "`weir store repair --data-dir %s` keeps all that can be read",
                      data_dir, data_dir);
}

void weir_data_dir_tell(const weir_invocation *in, weir_store *store)
{
    char notice[400];
    weir_store_take_notice(store, notice);
    if (*notice)
        weir_command_note(in, "%s", notice);
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
