/* SPDX-License-Identifier: MIT */
/* Bringing a store of an older version to this one. */

/*
 * Version 1 had commits as rows of the log. They stay there, and count as merged: everything in the
 * log does, so the next commit is the first fresh row.
 */

#include "store/migrate.h"

#include <stdio.h>
#include <string.h>

#include "store/database.h"
#include "store/schema.h"

/* Runs the statements of the schema that make a table which version 1 did not have. The others
 * are told by their names. */
static weir_err tables_make(sqlite3 *db, weir_error *error)
{
    static const char *const before[] = {"meta", "log", "event", "tag", "tag_version", "device"};
    weir_err err = WEIR_OK;
    for (const char *at = SCHEMA_SQL; err == WEIR_OK && *at;) {
        const char *end = strchr(at, ';');
        char sql[1024];
        bool known = false;
        (void)snprintf(sql, sizeof sql, "%.*s", (int)(end - at), at);
        for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
            char start[40];
            (void)snprintf(start, sizeof start, "CREATE TABLE %s(", before[i]);
            known |= strncmp(sql, start, strlen(start)) == 0;
        }
        if (!known)
            err = weir_db_exec(db, sql, error);
        at = end + 1;
    }
    return err;
}

static weir_err migrate_1(sqlite3 *db, weir_error *error)
{
    weir_err err = weir_db_exec(
        db,
        "ALTER TABLE log ADD COLUMN last_seq INTEGER;"
        "ALTER TABLE tag ADD COLUMN purged_seq INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE tag_version ADD COLUMN counter INTEGER NOT NULL DEFAULT 0;"
        "DROP INDEX log_late;"
        "INSERT INTO meta SELECT 'merged_seq', ifnull(max(first_seq+count-1),0) FROM log;"
        "INSERT INTO meta VALUES('history_seq',0);",
        error);
    return err == WEIR_OK ? tables_make(db, error) : err;
}

weir_err weir_store_migrate(sqlite3 *db, weir_wall now, weir_error *error)
{
    int64_t version;
    char sql[120];
    weir_err err = weir_db_int(db, "PRAGMA user_version", 0, &version, error);
    if (err != WEIR_OK || version == SCHEMA_VERSION)
        return err;
    err = weir_db_exec(db, "BEGIN IMMEDIATE", error);
    if (err == WEIR_OK)
        err = migrate_1(db, error);
    (void)snprintf(sql, sizeof sql,
                   "INSERT OR REPLACE INTO meta VALUES('migrated',%lld); PRAGMA user_version=%d;"
                   "COMMIT",
                   (long long)now.us, SCHEMA_VERSION);
    if (err == WEIR_OK)
        err = weir_db_exec(db, sql, error);
    if (err != WEIR_OK) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        (void)weir_fail_prefix(error, "migrating the store: ");
    }
    return err;
}
