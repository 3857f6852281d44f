/* SPDX-License-Identifier: MIT */
/* The one place where everything meets: configuration, sources, collector, control socket. */

#pragma once
#include <stdbool.h>

#include "catalog/yaml.h"
#include "model/catalog.h"
#include "runtime/collector.h"

/* How a catalog is found and what the command line changes of it. */
typedef struct weir_assemble_options {
    const char *config;   /* NULL: ./weir.yaml, then /etc/weir/weir.yaml */
    const char *data_dir; /* NULL: the file's, else ./weir-data */
    bool verbose;
    bool without_sinks;     /* what is no business of theirs: they are not even looked at */
    bool without_databases; /* likewise: for who only looks for the data directory */
    struct weir_providers *providers; /* keeps databases open, to ask them for news; may be NULL */
} weir_assemble_options;

/*
 * Loads the configuration; prints all its problems on stderr, "FILE:LINE:COLUMN: text" each.
 * Free with weir_catalog_free.
 *
 * WEIR_ENOTFOUND  no file, and no config.db in the data directory; error says where it was looked
 * for. WEIR_ECONFIG    problems were printed; error counts them.
 */
weir_err weir_assemble_load(const weir_assemble_options *options, weir_catalog **ret,
                            weir_error *error) WEIR_MUST_CHECK;

/* The same without printing: all that is wrong, or most likely not meant, is the caller's, to be
 * deinitialized in any case. */
weir_err weir_assemble_read(const weir_assemble_options *options, weir_catalog **ret,
                            weir_problems *problems, weir_error *error) WEIR_MUST_CHECK;

/*
 * The same by options for reading, of whoever wants more of it: the file, the first default that
 * exists, or config.db alone. problems and ret as of weir_yaml_load; ret_name: what to call it.
 * Nothing is printed.
 *
 * WEIR_ENOTFOUND  there is none; WEIR_ECONFIG, WEIR_ENOMEM; error says it, problems the rest.
 */
weir_err weir_assemble_parse(const char *config, const weir_yaml_options *yaml, weir_catalog **ret,
                             weir_problems *problems, const char **ret_name,
                             weir_error *error) WEIR_MUST_CHECK;

/* What every configuration of this program is read with: folders of profiles, types of sinks; on
 * the disk, no warnings. The texts live in the arena. WEIR_ENOMEM. */
weir_err weir_assemble_yaml(weir_arena *arena, weir_yaml_options *ret) WEIR_MUST_CHECK;

/* The path that would be loaded: options->config or the first default that exists, else NULL. */
const char *weir_assemble_config_path(const char *config);

/* The sources of this program; NULL-terminated. */
extern const weir_source_type *const weir_assemble_sources[];

/* The date this program was built, for the trust in clocks. */
weir_wall weir_assemble_built(void);

/* Blocks SIGINT, SIGTERM and (unless it is ignored: nohup) SIGHUP in this thread and those started
 * later, for weir_signal_wait. */
void weir_signal_block(void);

/* Waits for one of them. Returns its number, or 0 after timeout_us (negative: for ever). */
int weir_signal_wait(int64_t timeout_us);
