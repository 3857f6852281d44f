/* SPDX-License-Identifier: MIT */
/* Compares tables with those that the schema makes in memory. What SQLite understood is compared,
 * not the text: a migrated table has another.
 */

#include "store/file/tables.h"

#include <string.h>

#include "store/file/schema.h"

/* One row a table: its name, and all that SQLite knows of it. ?1: its name, or null for all. */
static const char description_sql[] =
    "SELECT l.name, l.wr || ':' || (SELECT group_concat(c.name || ' ' || c.type || ' ' ||"
    " c.\"notnull\" || ' ' || quote(c.dflt_value) || ' ' || c.pk || ' ' || c.hidden)"
    " FROM pragma_table_xinfo(l.name) c) || ':' || ifnull((SELECT group_concat(i.name)"
    " FROM pragma_index_list(l.name) i WHERE i.origin<>'c'), '')"
    " FROM pragma_table_list l WHERE l.schema='main' AND l.type='table'"
    " AND l.name NOT LIKE 'sqlite%' AND l.name=ifnull(?1, l.name) ORDER BY l.name";

static weir_err table_compare(sqlite3_stmt *actual, const char *name, const char *expected,
                              weir_error *error)
{
    bool row = false;
    if (sqlite3_bind_text(actual, 1, name, -1, SQLITE_STATIC) != SQLITE_OK)
        return weir_fail(error, WEIR_ENOMEM, "no memory");
    weir_err err = weir_db_step(actual, &row, error);
    const char *found = row ? (const char *)sqlite3_column_text(actual, 1) : NULL;
    if (err == WEIR_OK && (!found || strcmp(found, expected) != 0))
        err = weir_fail(error, WEIR_EDAMAGED, row ? "table %s is defined wrongly" : "no table %s",
                        name);
    (void)sqlite3_reset(actual);
    return err;
}

static weir_err reference_make(sqlite3 **ret, weir_error *error)
{
    weir_err err = weir_db_open(":memory:", SQLITE_OPEN_READWRITE, NULL, ret, error);
    return err == WEIR_OK ? weir_db_exec(*ret, SCHEMA_SQL, error) : err;
}

weir_err weir_db_tables_check(sqlite3 *db, weir_error *error)
{
    WEIR_CLEANUP(weir_db_close) sqlite3 *reference = NULL;
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *expected = NULL;
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *actual = NULL;
    bool row = false;
    weir_err err = reference_make(&reference, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(reference, description_sql, &expected, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(db, description_sql, &actual, error);
    while (err == WEIR_OK && (err = weir_db_step(expected, &row, error)) == WEIR_OK && row)
        err = table_compare(actual, (const char *)sqlite3_column_text(expected, 0),
                            (const char *)sqlite3_column_text(expected, 1), error);
    return err;
}
