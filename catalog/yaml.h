/* SPDX-License-Identifier: MIT */
/* The configuration file: YAML in, a catalog or every mistake at once out. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "catalog/problem.h"
#include "model/catalog.h"
#include "model/option.h"

/* A source that the program brings itself; intervals in microseconds, 0: none. */
typedef struct weir_yaml_own {
    const char *name;
    int64_t default_interval_us; /* of devices that say none */
    int64_t minimum_interval_us; /* of plans */
} weir_yaml_own;

/* Where files come from. The default reads the disk; a fuzzer gives its own. */
typedef struct weir_yaml_files {
    void *data;
    /* Appends the whole file to ret. WEIR_ENOTFOUND: there is none; WEIR_EIO; WEIR_ELIMIT. */
    weir_err (*read)(void *data, const char *path, weir_text *ret, weir_error *error);
    /* Calls on_name for each file in the folder; nothing when it cannot be read. */
    void (*list)(void *data, const char *folder, void (*on_name)(void *arg, const char *name),
                 void *arg);
    /* Whether users who are neither the file's owner nor of its group may read it; NULL: no. */
    bool (*others_read)(void *data, const char *path);
    /* As read, of a file that has secrets; NULL: read. */
    weir_err (*read_secret)(void *data, const char *path, weir_text *ret, weir_error *error);
} weir_yaml_files;

typedef struct weir_yaml_options {
    /* Searched in this order for NAME.yaml, after the folder `profiles` beside the file. */
    size_t n_profile_dirs;
    const char *const *profile_dirs;
    const weir_yaml_files *files; /* NULL: the disk */
    /* Environment files that are read beside those the configuration names, and win over them, the
     * last one first. */
    size_t n_env_files;
    const char *const *env_files;
    /* Finds a type of sinks: WEIR_ENOTFOUND or WEIR_EUNSUPPORTED with a text for people. NULL:
     * `sinks` is left alone, whatever it says. */
    weir_err (*sink_type)(const char *name, const struct weir_sink_type **ret, weir_error *error);
    /* Types of sinks that the program brings itself, looked at first; NULL-terminated. NULL: none.
     */
    const struct weir_sink_type *const *own_sinks;
    /* The sources that the program brings itself, for connections with `own:NAME`; one without a
     * name behind the last. NULL: none. */
    const weir_yaml_own *own;
    /* Finds a time zone, "local" too; *ret_owned is freed with the catalog, NULL: *ret needs it
     * not. WEIR_ENOTFOUND with a text for people. NULL: there is UTC only, and local means that. */
    weir_err (*zone)(const char *name, const weir_zone **ret, weir_zone **ret_owned,
                     weir_error *error);
    /* Gets what is no mistake but most likely not meant, code WEIR_OK; sorted. NULL: nobody asks.
     */
    weir_problems *warnings;
    /* Gets what the configuration came to; worth something only when there is no problem. NULL:
     * nobody asks. */
    struct weir_effective *effective;
    /* Whether the databases of `catalog` and config.db are read too; else `catalog` is left alone,
     * whatever it says. */
    bool databases;
    struct weir_providers *providers; /* keeps them open; NULL: for this load only */
    const char *data_dir;             /* in place of the file's: where config.db is; NULL: that */
    struct sqlite3 *config_db; /* read in place of the file; NULL: the file, if it is there */
} weir_yaml_options;

/* Fills profile_dirs for a program: $WEIR_PROFILE_PATH (colons between), then what lies beside
 * the executable (../share/weir/profiles installed, ../profiles in a source tree), then the folder
 * given at build time; and env_files from $WEIR_ENV_FILES (likewise). The texts live in the arena.
 * WEIR_ENOMEM. */
weir_err weir_yaml_default_dirs(weir_arena *arena, weir_yaml_options *ret) WEIR_MUST_CHECK;

/*
 * Loads a configuration. options may be NULL: the disk, no folders but `profiles` beside the file.
 *
 * problems  gets every mistake, sorted by file and line; the caller's, deinit in any case.
 * ret       a new catalog, revision 1, tags without uid; only when there is no problem.
 *
 * WEIR_ECONFIG: there are problems. WEIR_ENOMEM.
 */
weir_err weir_yaml_load(const char *path, const weir_yaml_options *options, weir_catalog **ret,
                        weir_problems *problems) WEIR_MUST_CHECK;

/* The same from memory. file: its name, for messages and for the folder of its profiles. */
weir_err weir_yaml_load_text(const char *text, size_t n, const char *file,
                             const weir_yaml_options *options, weir_catalog **ret,
                             weir_problems *problems) WEIR_MUST_CHECK;

/*
 * For `weir simulate FILE|PROFILE`: a configuration as above, or a profile, by name or path, as a
 * catalog of one `simulated:` connection with one device of unit id 1, named like the profile.
 */
weir_err weir_yaml_load_simulation(const char *file_or_profile, const weir_yaml_options *options,
                                   weir_catalog **ret, weir_problems *problems) WEIR_MUST_CHECK;

/* One table of the file's reference page. */
typedef struct weir_yaml_table {
    const char *title; /* "Connections" */
    const char *path;  /* "connections[]": where the keys stand */
    const weir_option *table;
    const char *prose; /* what stands above the table, a paragraph */
} weir_yaml_table;

/* All tables in the order of the page. */
const weir_yaml_table *weir_yaml_tables(size_t *ret_n);
