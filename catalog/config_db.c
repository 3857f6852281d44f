/* SPDX-License-Identifier: MIT */
/* config.db: connections, devices, points and plans that commands add, in an SQLite file. */

/*
 * The schema is made of the option tables: a column for each key, with a CHECK of what its type and
 * limits allow, so that an SQLite editor refuses most nonsense at once. A device's connection may
 * be one of the YAML file, so that is no FOREIGN KEY; a point's device is in the same file. Ids are
 * never given twice: they are what a thing is known by when its name changes.
 *
 * What fails: another program changes the file (after BUSY_MS); it is not ours; a constraint.
 */

#include "catalog/config_db.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "catalog/tables.h"

enum { BUSY_MS = 3000, VERSION = 1 };

struct weir_config_db {
    sqlite3 *db;
    char *path;
    bool is_new; /* made by this change */
};

static const weir_thing things[] = {WEIR_THING_CONNECTION, WEIR_THING_DEVICE, WEIR_THING_POINT,
                                    WEIR_THING_PLAN};

enum { THINGS = sizeof things / sizeof *things };

const char *weir_thing_table(weir_thing thing)
{
    static const char *const names[] = {"connection", "device", "point", "plan"};
    return names[thing];
}

const weir_option *weir_thing_options(weir_thing thing)
{
    const weir_option *const tables[] = {weir_connection_table, weir_device_table, weir_point_table,
                                         weir_plan_table};
    return tables[thing];
}

bool weir_thing_has(weir_thing thing, const weir_option *option)
{
    if (option->flags & WEIR_OPTION_UNSUPPORTED || option->type == WEIR_OPTION_LIST)
        return false;
    for (const weir_option *row = weir_thing_options(thing); row != option; row++)
        if (row->offset == option->offset && !(row->flags & WEIR_OPTION_UNSUPPORTED))
            return false;
    return true;
}

/* ---- the schema ---- */

static void add_words(weir_text *sql, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        weir_text_format(sql, "%s'%s'", i ? "," : "", words[i]);
}

/* "retries" INTEGER CHECK(typeof("retries") IN (integer, null) AND "retries" BETWEEN 0 AND 10);
 * null passes every CHECK. */
static void add_column(weir_text *sql, const weir_option *o)
{
    const char *name = o->name;
    switch (o->type) {
    case WEIR_OPTION_BOOL:
        weir_text_format(sql, "\"%s\" INTEGER CHECK(\"%s\" IN (0,1))", name, name);
        return;
    case WEIR_OPTION_INT:
        weir_text_format(sql, "\"%s\" INTEGER CHECK(typeof(\"%s\") IN ('integer','null')", name,
                         name);
        if (o->min || o->max)
            weir_text_format(sql, " AND \"%s\" BETWEEN %" PRId64 " AND %" PRId64, name, o->min,
                             o->max);
        weir_text_add(sql, ")");
        return;
    case WEIR_OPTION_NUMBER:
        weir_text_format(sql, "\"%s\" REAL CHECK(typeof(\"%s\") IN ('real','null'))", name, name);
        return;
    case WEIR_OPTION_ENUM:
        weir_text_format(sql, "\"%s\" TEXT CHECK(\"%s\" IN (", name, name);
        add_words(sql, o->words);
        weir_text_add(sql, "))");
        return;
    case WEIR_OPTION_DURATION:
    case WEIR_OPTION_SIZE:
    case WEIR_OPTION_STRING:
    case WEIR_OPTION_STRINGS:
    case WEIR_OPTION_RANGES:
    case WEIR_OPTION_MAP:
    case WEIR_OPTION_TABLE:
    case WEIR_OPTION_LIST:
    case WEIR_OPTION_CUSTOM:
        break;
    }
    weir_text_format(sql, "\"%s\" TEXT CHECK(typeof(\"%s\") IN ('text','null')", name, name);
    if (o->flags & WEIR_OPTION_REQUIRED)
        weir_text_format(sql, " AND \"%s\"<>'') NOT NULL", name);
    else
        weir_text_add(sql, ")");
}

static void add_table(weir_text *sql, weir_thing thing)
{
    weir_text_format(sql, "CREATE TABLE %s(id INTEGER PRIMARY KEY AUTOINCREMENT CHECK(id>0)",
                     weir_thing_table(thing));
    if (thing == WEIR_THING_POINT)
        weir_text_add(sql, ",device TEXT NOT NULL REFERENCES device(name)"
                           " ON UPDATE CASCADE ON DELETE CASCADE");
    for (const weir_option *o = weir_thing_options(thing); o->name; o++)
        if (weir_thing_has(thing, o) && strcmp(o->name, "id") != 0) { /* a plan's is the row's */
            weir_text_add(sql, ",");
            add_column(sql, o);
        }
    weir_text_add(sql, thing == WEIR_THING_POINT ? ",UNIQUE(device,name));" : ",UNIQUE(name));");
}

static weir_err db_fail(weir_config_db *db, weir_error *error)
{
    const int code = sqlite3_errcode(db->db) & 0xff;
    const char *says = sqlite3_errmsg(db->db);
    switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return weir_fail(error, WEIR_EINUSE,
                         "%s is being changed by another program: end its transaction", db->path);
    case SQLITE_CONSTRAINT:
        return weir_fail(error, WEIR_ECONFIG, "%s: %s", db->path, says);
    case SQLITE_NOMEM:
        return weir_fail(error, WEIR_ENOMEM, "%s: out of memory", db->path);
    case SQLITE_NOTADB:
        return weir_fail(error, WEIR_ECONFIG, "%s is no SQLite database", db->path);
    default:
        return weir_fail(error, WEIR_EIO, "%s: %s", db->path, says);
    }
}

static weir_err db_run(weir_config_db *db, const char *sql, weir_error *error)
{
    return sqlite3_exec(db->db, sql, NULL, NULL, NULL) == SQLITE_OK ? WEIR_OK : db_fail(db, error);
}

static weir_err db_run_text(weir_config_db *db, const weir_text *sql, weir_error *error)
{
    if (sql->failed)
        return weir_fail(error, WEIR_ENOMEM, "%s: out of memory", db->path);
    return db_run(db, weir_text_get(sql), error);
}

static int64_t db_number(weir_config_db *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t number = -1;
    if (sqlite3_prepare_v2(db->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        number = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return number;
}

static weir_err schema_make(weir_config_db *db, weir_error *error)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    for (size_t i = 0; i < THINGS; i++)
        add_table(&sql, things[i]);
    weir_text_format(&sql, "PRAGMA application_id=%d;PRAGMA user_version=%d;",
                     WEIR_CONFIG_DB_APPLICATION_ID, VERSION);
    return db_run_text(db, &sql, error);
}

/* Columns that a later version of weir has. */
static weir_err table_grow(weir_config_db *db, weir_thing thing, weir_error *error)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    for (const weir_option *o = weir_thing_options(thing); o->name; o++) {
        WEIR_TEXT_AUTO ask = WEIR_TEXT_INIT;
        if (!weir_thing_has(thing, o))
            continue;
        weir_text_format(&ask, "SELECT count(*) FROM pragma_table_info('%s') WHERE name='%s'",
                         weir_thing_table(thing), o->name);
        if (db_number(db, weir_text_get(&ask)) != 0)
            continue;
        weir_text_format(&sql, "ALTER TABLE %s ADD COLUMN ", weir_thing_table(thing));
        add_column(&sql, o);
        weir_text_add(&sql, ";");
    }
    return sql.length ? db_run_text(db, &sql, error) : WEIR_OK;
}

static weir_err schema_check(weir_config_db *db, weir_error *error)
{
    const int64_t application = db_number(db, "PRAGMA application_id");
    const int64_t n = db_number(db, "SELECT count(*) FROM sqlite_master");
    weir_err err = WEIR_OK;
    if (n < 0)
        return db_fail(db, error);
    if (n == 0)
        return schema_make(db, error);
    if (application != WEIR_CONFIG_DB_APPLICATION_ID)
        return weir_fail(error, WEIR_ECONFIG, "%s is another program's database: it is left alone",
                         db->path);
    if (db_number(db, "PRAGMA user_version") > VERSION)
        return weir_fail(error, WEIR_ECONFIG, "%s is of a later version of weir: use that",
                         db->path);
    for (size_t i = 0; i < THINGS && err == WEIR_OK; i++)
        err = table_grow(db, things[i], error);
    return err;
}

/* ---- opening, closing ---- */

static weir_err db_begin(weir_config_db *db, weir_error *error)
{
    (void)sqlite3_busy_timeout(db->db, BUSY_MS);
    (void)sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    weir_err err = db_run(db, "PRAGMA foreign_keys=ON;PRAGMA journal_mode=DELETE", error);
    if (err == WEIR_OK)
        err = db_run(db, "BEGIN IMMEDIATE", error);
    return err ? err : schema_check(db, error);
}

weir_err weir_config_db_open(const char *path, bool create, weir_config_db **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_config_db_close) weir_config_db *db = weir_alloc_zero(1, sizeof *db);
    if (db)
        db->path = weir_alloc_text(path);
    if (!db || !db->path)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    const bool is_there = access(path, F_OK) == 0;
    if (!is_there && !create)
        return weir_fail(error, WEIR_ENOTFOUND, "there is no %s", path);
    const int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(path, &db->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return weir_fail(error, WEIR_EIO, "%s cannot be opened: %s", path,
                         db->db ? sqlite3_errmsg(db->db) : "out of memory");
    db->is_new = !is_there;
    const weir_err err = db_begin(db, error);
    if (err)
        return err;
    *ret = db;
    db = NULL;
    return WEIR_OK;
}

void weir_config_db_close(weir_config_db *db)
{
    if (!db)
        return;
    if (db->db && !sqlite3_get_autocommit(db->db))
        (void)sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
    (void)sqlite3_close(db->db);
    if (db->is_new)
        (void)unlink(db->path);
    weir_free(db->path);
    weir_free(db);
}

sqlite3 *weir_config_db_handle(weir_config_db *db)
{
    return db->db;
}

weir_err weir_config_db_commit(weir_config_db *db, weir_error *error)
{
    const weir_err err = db_run(db, "COMMIT", error);
    if (err == WEIR_OK)
        db->is_new = false;
    return err;
}

/* ---- changes ---- */

static weir_err bind_and_step(weir_config_db *db, const weir_text *sql, const char *device,
                              const char *name, const weir_config_cell *cells, size_t n,
                              weir_error *error)
{
    sqlite3_stmt *stmt = NULL;
    if (sql->failed)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    if (sqlite3_prepare_v2(db->db, weir_text_get(sql), -1, &stmt, NULL) != SQLITE_OK)
        return db_fail(db, error);
    int code = sqlite3_bind_text(stmt, 1, name, -1, SQLITE_TRANSIENT);
    if (device && code == SQLITE_OK)
        code = sqlite3_bind_text(stmt, 2, device, -1, SQLITE_TRANSIENT);
    for (size_t i = 0; i < n && code == SQLITE_OK; i++)
        code = sqlite3_bind_text(stmt, (int)(i + 3), cells[i].text, -1, SQLITE_TRANSIENT);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    const weir_err err = code == SQLITE_DONE ? WEIR_OK : db_fail(db, error);
    (void)sqlite3_finalize(stmt);
    return err;
}

weir_err weir_config_db_add(weir_config_db *db, weir_thing thing, const char *device,
                            const char *name, const weir_config_cell *cells, size_t n,
                            weir_error *error)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    weir_text_format(&sql, "INSERT INTO %s(name%s", weir_thing_table(thing),
                     device ? ",device" : "");
    for (size_t i = 0; i < n; i++)
        weir_text_format(&sql, ",\"%s\"", cells[i].column);
    weir_text_add(&sql, device ? ") VALUES(?1,?2" : ") VALUES(?1");
    for (size_t i = 0; i < n; i++)
        weir_text_format(&sql, ",?%zu", i + 3);
    weir_text_add(&sql, ")");
    return bind_and_step(db, &sql, device, name, cells, n, error);
}

static weir_err changed_one(weir_config_db *db, weir_thing thing, const char *name,
                            weir_error *error)
{
    if (sqlite3_changes(db->db) > 0)
        return WEIR_OK;
    return weir_fail(error, WEIR_ENOTFOUND, "there is no %s '%s' in %s", weir_thing_table(thing),
                     name, db->path);
}

weir_err weir_config_db_set(weir_config_db *db, weir_thing thing, const char *device,
                            const char *name, const weir_config_cell *cells, size_t n,
                            weir_error *error)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    weir_text_format(&sql, "UPDATE %s SET id=id", weir_thing_table(thing));
    for (size_t i = 0; i < n; i++)
        weir_text_format(&sql, ",\"%s\"=?%zu", cells[i].column, i + 3);
    weir_text_add(&sql, device ? " WHERE name=?1 AND device=?2" : " WHERE name=?1");
    const weir_err err = bind_and_step(db, &sql, device, name, cells, n, error);
    return err ? err : changed_one(db, thing, name, error);
}

weir_err weir_config_db_remove(weir_config_db *db, weir_thing thing, const char *device,
                               const char *name, weir_error *error)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    weir_text_format(&sql, "DELETE FROM %s WHERE name=?1%s", weir_thing_table(thing),
                     device ? " AND device=?2" : "");
    const weir_err err = bind_and_step(db, &sql, device, name, NULL, 0, error);
    return err ? err : changed_one(db, thing, name, error);
}
