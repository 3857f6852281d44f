/* SPDX-License-Identifier: MIT */
/* Bringing a store of an older version to this one. */

/*
 * Version 1 had commits as rows of the log. They stay there, and count as merged: everything in the
 * log does, so the next commit is the first fresh row. Version 2 knew of sinks nothing but cursors.
 * Version 3 knew tags by their names alone.
 */

#include "store/migrate.h"

#include <stdio.h>

#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/file/tables.h"
#include "store/query/query.h"

/* What tables that stay lack. */
static weir_err migrate_1(sqlite3 *db, weir_error *error)
{
    return weir_db_exec(
        db,
        "ALTER TABLE log ADD COLUMN last_seq INTEGER;"
        "ALTER TABLE tag ADD COLUMN purged_seq INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE tag_version ADD COLUMN counter INTEGER NOT NULL DEFAULT 0;"
        "DROP INDEX log_late;"
        "INSERT INTO meta VALUES('merged_seq',ifnull((SELECT first_seq+count-1 FROM log"
        " ORDER BY first_seq DESC LIMIT 1),0));"
        "INSERT INTO meta VALUES('history_seq',0);",
        error);
}

static weir_err migrate_2(sqlite3 *db, weir_error *error)
{
    return weir_db_exec(db,
                        "ALTER TABLE cursor ADD COLUMN spans BLOB;"
                        "ALTER TABLE cursor ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;",
                        error);
}

static weir_err migrate_from(sqlite3 *db, int version, weir_error *error)
{
    weir_err err = version == 1   ? migrate_1(db, error)
                   : version == 2 ? migrate_2(db, error)
                                  : WEIR_OK;
    return err == WEIR_OK ? weir_db_tables_make(db, version, error) : err;
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
        err = migrate_from(db, (int)version, error);
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

/* --- looking ------------------------------------------------------------------------------ */

/* Pages that a migration may write: a root for each new table and its index; the first page, meta,
 * the schema. Of version 1's index log_late nothing is written but which of its pages are free: a
 * row of it takes at most 16 bytes, a page is at least half full, and hundreds of pages are noted
 * on one. */
static weir_err migration_pages(sqlite3 *db, int version, int64_t *ret_pages, weir_error *error)
{
    enum { OTHERS = 16, LATE_ROWS_A_PAGE = 100 * (SCHEMA_PAGE_SIZE / 16 / 2) };
    int64_t late = 0, pages = OTHERS;
    weir_err err = version == 1
                       ? weir_db_int(db, "SELECT count(*) FROM log WHERE late<>0", 0, &late, error)
                       : WEIR_OK;
    if (err != WEIR_OK)
        return err;
    for (const weir_schema_table *t = weir_schema; t->sql; t++)
        pages += t->since > version ? 2 : 0;
    *ret_pages = pages + late / LATE_ROWS_A_PAGE + 1;
    return WEIR_OK;
}

static weir_err migration_read(sqlite3 *db, weir_migration *ret, weir_error *error)
{
    /* A page goes to the write-ahead log and from there into the file. An SD card writes a hundred
     * scattered pages a second. */
    enum { COPIES = 2 };
    static const int64_t page_us = WEIR_S / 100, fsyncs_us = WEIR_S;
    weir_migration m = {.to = SCHEMA_VERSION};
    int64_t version, file_pages, pages = 0;
    weir_err err = weir_db_int(db, "PRAGMA user_version", 0, &version, error);
    if (err == WEIR_OK)
        err = weir_db_int(db, "PRAGMA page_count", 0, &file_pages, error);
    m.from = (int)version;
    if (err == WEIR_OK && m.from < m.to) {
        err = migration_pages(db, m.from, &pages, error);
        m.space_bytes = (uint64_t)pages * COPIES * SCHEMA_PAGE_SIZE;
        m.time_us = fsyncs_us + pages * page_us;
    }
    if (err != WEIR_OK)
        return err;
    m.file_bytes = (uint64_t)file_pages * SCHEMA_PAGE_SIZE;
    *ret = m;
    return WEIR_OK;
}

weir_err weir_migration_look(const char *data_dir, const char *vfs, weir_migration *ret,
                             weir_error *error)
{
    WEIR_CLEANUP(weir_query_close) weir_query *query = NULL;
    weir_err err = weir_query_open(data_dir, vfs, &query, error);
    return err == WEIR_OK ? migration_read(weir_query_db(query), ret, error) : err;
}
