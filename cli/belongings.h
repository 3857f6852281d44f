/* SPDX-License-Identifier: MIT */
/* What belongs to a data directory and lies elsewhere: configuration, profiles, secrets. */

#pragma once
#include "store/backup/backup.h"

typedef struct weir_belongings {
    const char *data_dir; /* the configuration's; NULL: it could not be used */
    size_t n_files;
    weir_backup_file *files;
    size_t n_omitted; /* secrets that were not read */
    const char **omitted;
    size_t n_missing; /* secrets that cannot be read; texts */
    const char **missing;
} weir_belongings;

/*
 * Reads what the configuration is made of: the file itself as config/NAME, what it includes beside
 * it, the profiles it uses
 * that did not come with the program as config/profiles/NAME.yaml, and what keys ending in `_file`
 * name as secrets/N-NAME (with_secrets), else their names. Mistakes in it are printed and do not
 * hinder: a backup keeps it as it is.
 *
 * path: as for weir_assemble_config_path. WEIR_ENOTFOUND: there is none. WEIR_ENOMEM.
 */
weir_err weir_belongings_collect(const char *path, bool with_secrets, weir_arena *arena,
                                 weir_belongings *ret, weir_error *error) WEIR_MUST_CHECK;
