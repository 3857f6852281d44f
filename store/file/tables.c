/* SPDX-License-Identifier: MIT */
/* Makes the tables of the schema, and compares a file's with them. What SQLite understood is
 * compared, not the text: a migrated table has another. */

#include "store/file/tables.h"

#include <string.h>

#include "store/file/schema.h"

const weir_schema_table weir_schema[] = {
    {1, "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID"},
    {2,
     "CREATE TABLE fresh(slot INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL,"
     "  count INTEGER NOT NULL, min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL,"
     "  newest_ts INTEGER NOT NULL, trusted_ts INTEGER NOT NULL, epoch INTEGER NOT NULL,"
     "  epoch_ts INTEGER NOT NULL, state BLOB NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL)"},
    {1, "CREATE TABLE log(first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL,"
        "  min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL, newest_ts INTEGER NOT NULL,"
        "  trusted_ts INTEGER NOT NULL, epoch INTEGER NOT NULL, epoch_ts INTEGER NOT NULL,"
        "  late INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL, last_seq INTEGER)"},
    {2, "CREATE TABLE part(id INTEGER PRIMARY KEY, tier INTEGER NOT NULL, epoch INTEGER NOT NULL,"
        "  state INTEGER NOT NULL, min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL,"
        "  first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, segments INTEGER NOT NULL,"
        "  samples INTEGER NOT NULL, bytes INTEGER NOT NULL)"},
    {2, "CREATE TABLE segment(key INTEGER PRIMARY KEY, head BLOB NOT NULL, marks BLOB NOT NULL,"
        "  body BLOB NOT NULL)"},
    {2, "CREATE TABLE snapshot(id INTEGER PRIMARY KEY, seq INTEGER NOT NULL,"
        "  first_seq INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL)"},
    {2, "CREATE TABLE quarantine(id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, origin TEXT NOT NULL,"
        "  key INTEGER NOT NULL, count INTEGER, error TEXT NOT NULL, head BLOB, marks BLOB,"
        "  body BLOB)"},
    {2, "CREATE TABLE cursor(name TEXT PRIMARY KEY, seq INTEGER NOT NULL, ts INTEGER NOT NULL,"
        "  detached INTEGER, spans BLOB, folded INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"},
    {2, "CREATE TABLE gap(id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, sink TEXT NOT NULL,"
        "  uid INTEGER, from_ts INTEGER NOT NULL, to_ts INTEGER NOT NULL, count INTEGER NOT NULL,"
        "  cause TEXT NOT NULL)"},
    {2, "CREATE TABLE epoch(epoch INTEGER PRIMARY KEY, offset INTEGER NOT NULL,"
        "  ts INTEGER NOT NULL)"},
    {2, "CREATE TABLE replacement(uid INTEGER NOT NULL, ts INTEGER NOT NULL, final REAL NOT NULL,"
        "  first REAL NOT NULL, PRIMARY KEY(uid, ts)) WITHOUT ROWID"},
    {1, "CREATE TABLE event(seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, kind INTEGER NOT NULL,"
        "  subject TEXT NOT NULL, text TEXT NOT NULL)"},
    {1, "CREATE TABLE tag(uid INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
        "  active INTEGER NOT NULL, purged_seq INTEGER NOT NULL DEFAULT 0)"},
    {1, "CREATE TABLE tag_version(uid INTEGER NOT NULL, seq INTEGER NOT NULL, name TEXT NOT NULL,"
        "  device TEXT NOT NULL, unit TEXT NOT NULL, type TEXT NOT NULL, scale REAL NOT NULL,"
        "  offset REAL NOT NULL, description TEXT NOT NULL, labels TEXT NOT NULL,"
        "  address TEXT NOT NULL, counter INTEGER NOT NULL DEFAULT 0,"
        "  PRIMARY KEY(uid, seq)) WITHOUT ROWID"},
    {4, "CREATE TABLE tag_key(device TEXT NOT NULL, point TEXT NOT NULL, element INTEGER NOT NULL,"
        "  uid INTEGER NOT NULL, PRIMARY KEY(device, point, element)) WITHOUT ROWID"},
    {1, "CREATE TABLE device(name TEXT PRIMARY KEY, connection TEXT NOT NULL, state TEXT NOT NULL,"
        "  since INTEGER NOT NULL, last_good INTEGER, error TEXT NOT NULL,"
        "  requests INTEGER NOT NULL, timeouts INTEGER NOT NULL, late INTEGER NOT NULL,"
        "  rtt_p50 REAL, rtt_p99 REAL, catalog INTEGER NOT NULL) WITHOUT ROWID"},
    {3,
     "CREATE TABLE sink(name TEXT PRIMARY KEY, type TEXT NOT NULL, state TEXT NOT NULL,"
     "  since INTEGER NOT NULL, error TEXT NOT NULL, remedy TEXT NOT NULL, delivered INTEGER,"
     "  oldest_unsent INTEGER, backlog INTEGER NOT NULL, sent INTEGER NOT NULL,"
     "  repeated INTEGER NOT NULL, left_out INTEGER NOT NULL, rate REAL, rtt REAL) WITHOUT ROWID"},
    {3, "CREATE TABLE sink_order(sink TEXT PRIMARY KEY, paused INTEGER NOT NULL,"
        "  replay_id INTEGER NOT NULL, replay_from INTEGER NOT NULL, replay_to INTEGER NOT NULL,"
        "  replay_done INTEGER NOT NULL, set_aside INTEGER NOT NULL, retries INTEGER NOT NULL)"
        "  WITHOUT ROWID"},
    {3, "CREATE TABLE set_aside(sink TEXT NOT NULL, seq INTEGER NOT NULL, uid INTEGER NOT NULL,"
        "  ts INTEGER NOT NULL, received INTEGER NOT NULL, plans INTEGER NOT NULL,"
        "  epoch INTEGER NOT NULL, quality INTEGER NOT NULL, kind INTEGER NOT NULL,"
        "  exponent INTEGER NOT NULL, bits INTEGER NOT NULL, bytes BLOB, why TEXT NOT NULL,"
        "  at INTEGER NOT NULL, PRIMARY KEY(sink, seq)) WITHOUT ROWID"},
    {3, "CREATE TABLE set_aside_retry(sink TEXT NOT NULL, seq INTEGER NOT NULL,"
        "  at INTEGER NOT NULL, PRIMARY KEY(sink, seq)) WITHOUT ROWID"},
    {0}};

weir_err weir_db_tables_make(sqlite3 *db, int version, weir_error *error)
{
    weir_err err = WEIR_OK;
    for (const weir_schema_table *t = weir_schema; err == WEIR_OK && t->sql; t++)
        if (t->since > version)
            err = weir_db_exec(db, t->sql, error);
    return err;
}

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
    return err == WEIR_OK ? weir_db_tables_make(*ret, 0, error) : err;
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
