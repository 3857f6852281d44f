/* SPDX-License-Identifier: MIT */
/* config.db: connections, devices, points and plans that commands add, in an SQLite file. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "model/option.h"

/*
 * The file is made at the first change and is for any SQLite editor: one table each, columns named
 * like the keys of the configuration, with constraints, a rollback journal. A column of a later
 * version is added when it is first opened for a change.
 */
typedef struct weir_config_db weir_config_db;

typedef enum weir_thing {
    WEIR_THING_CONNECTION,
    WEIR_THING_DEVICE,
    WEIR_THING_POINT, /* is named by its device and its name */
    WEIR_THING_PLAN,
} weir_thing;

/* "device": of the table and of the command, but a point's is "tag" there. */
const char *weir_thing_table(weir_thing thing);

/* Whether a key of the configuration is a column: not what is not supported, another name of the
 * row before, or a list with a table of its own. */
bool weir_thing_has(weir_thing thing, const weir_option *option);
const weir_option *weir_thing_options(weir_thing thing); /* NULL: none in this version */

enum { WEIR_CONFIG_DB_APPLICATION_ID = 0x77656963 }; /* "weic" */

/*
 * Opens it and begins a change, which nobody else can make meanwhile. create: also when it is not
 * there. WEIR_ENOTFOUND; WEIR_EINUSE: somebody else is changing it; WEIR_EIO; WEIR_ECONFIG: it is
 * another program's, or a later version's.
 */
weir_err weir_config_db_open(const char *path, bool create, weir_config_db **ret,
                             weir_error *error) WEIR_MUST_CHECK;

/* Rolls back what was not committed; a file that was made for it is removed. Accepts NULL. */
void weir_config_db_close(weir_config_db *db);
WEIR_DEFINE_CLEANUP(weir_config_db, weir_config_db_close)

struct sqlite3 *weir_config_db_handle(weir_config_db *db);

/* What a change gives a column; text NULL: null, as if it was never given. */
typedef struct weir_config_cell {
    const char *column, *text;
} weir_config_cell;

/* device: of a point, else NULL. WEIR_ECONFIG: a constraint forbids it. */
weir_err weir_config_db_add(weir_config_db *db, weir_thing thing, const char *device,
                            const char *name, const weir_config_cell *cells, size_t n,
                            weir_error *error) WEIR_MUST_CHECK;

/* WEIR_ENOTFOUND: it is not in this file. */
weir_err weir_config_db_set(weir_config_db *db, weir_thing thing, const char *device,
                            const char *name, const weir_config_cell *cells, size_t n,
                            weir_error *error) WEIR_MUST_CHECK;
weir_err weir_config_db_remove(weir_config_db *db, weir_thing thing, const char *device,
                               const char *name, weir_error *error) WEIR_MUST_CHECK;

weir_err weir_config_db_commit(weir_config_db *db, weir_error *error) WEIR_MUST_CHECK;
