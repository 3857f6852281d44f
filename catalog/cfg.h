/* SPDX-License-Identifier: MIT */
/* config.cfg of ModbusDataLogger as a configuration. */

#pragma once
#include "catalog/document.h"

/* Whether a file is read as one: its name ends in .cfg. */
bool weir_cfg_is(const char *path);

/* What it means, in the words of weir.yaml. */
typedef struct weir_cfg {
    const char *database;  /* path of Logging.db, as seen from the current folder */
    const char *data_dir;  /* beside the file */
    const char *log_level; /* "warning" */
    const char *reload_interval;
    /* Where each is written; line 0: it is the default. */
    struct weir_cfg_place {
        unsigned line, column;
    } database_at, log_level_at, reload_interval_at;
} weir_cfg;

/*
 * Reads the file's text; name: its path. Texts live in the arena.
 *
 * warnings  gets keys and sections that nobody reads, as ConfigParser leaves them alone; may be
 *           NULL.
 *
 * False: problems were added, or memory is short (problems->failed).
 */
bool weir_cfg_read(weir_arena *arena, const char *name, const char *text, size_t n, weir_cfg *ret,
                   weir_problems *warnings, weir_problems *problems);

/* The document of a file by its name: of a config.cfg, else of YAML, as of weir_document_parse. */
weir_document *weir_cfg_or_yaml_parse(const char *name, const char *text, size_t n,
                                      weir_problems *warnings, weir_problems *problems);

/* The file that is made when there is none. */
extern const char weir_cfg_new_file[];
