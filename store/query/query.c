/* SPDX-License-Identifier: MIT */
/* Reading a store with SQL: samples, current values, buckets, tags, devices, sinks, events ... */

#include "store/query/query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/query/query_priv.h"

enum { BUSY_MS = 2000 }; /* while the daemon opens or recovers */

/* Views of the session, not of the file: a later version can change them. The tag's name is taken
 * where it has an index, so that joins with samples look it up. */
#define EVENT_CASE(name, number, word) " WHEN " #number " THEN '" word "'"
static const char views_sql[] =
    "CREATE TEMP VIEW IF NOT EXISTS tags AS SELECT t.uid AS id, t.name AS tag, v.device AS device,"
    " v.unit AS unit, v.type AS type, v.description AS description, v.labels AS labels,"
    " v.address AS address FROM main.tag t JOIN main.tag_version v ON v.uid=t.uid"
    " AND v.seq=(SELECT max(seq) FROM main.tag_version WHERE uid=t.uid);"
    "CREATE TEMP VIEW IF NOT EXISTS devices AS SELECT name, connection, state, since, last_good, "
    "error,"
    " requests, timeouts, late, rtt_p50, rtt_p99 FROM main.device;"
    "CREATE TEMP VIEW IF NOT EXISTS events AS SELECT ts, CASE kind" WEIR_EVENT_LIST(
        EVENT_CASE) " ELSE '?' END AS kind, subject, text FROM main.event;";

/* The tag of a gap is its name; NULL: of all tags. */
static const char views_of_history_sql[] =
    "CREATE TEMP VIEW IF NOT EXISTS gaps AS SELECT g.sink AS sink, t.name AS tag, g.from_ts AS "
    "from_ts,"
    " g.to_ts AS to_ts, g.count AS count, g.cause AS cause FROM main.gap g"
    " LEFT JOIN main.tag t ON t.uid=g.uid;";
static const char views_without_history_sql[] =
    "CREATE TEMP VIEW IF NOT EXISTS gaps AS SELECT '' AS sink, '' AS tag, 0 AS from_ts, 0 AS "
    "to_ts, 0 AS count,"
    " '' AS cause WHERE 0;";

/* How long the oldest unsent sample waits is as of now; whether it is paused may have been changed
 * without the daemon; all else is as the daemon noted it last. A sink that never ran has no state,
 * and the backlog of one that did not begin is not known. */
static const char views_of_sinks_sql[] =
    "CREATE TEMP VIEW IF NOT EXISTS sinks AS SELECT o.sink AS name, CASE"
    " WHEN s.state IN ('disabled','removed') THEN s.state WHEN o.paused THEN 'paused'"
    " WHEN s.state='paused' THEN 'connecting' ELSE ifnull(s.state,'connecting') END AS"
    " state, CASE WHEN s.oldest_unsent IS NULL THEN 0 ELSE"
    " max(0,CAST(strftime('%s','now') AS INTEGER)-s.oldest_unsent/1000000) END AS oldest_unsent_s,"
    " CASE WHEN s.backlog>=0 THEN s.backlog END AS backlog, o.set_aside AS quarantined,"
    " ifnull(s.error,'') AS error,"
    " s.type AS type, s.since AS since, ifnull(s.remedy,'') AS remedy, s.delivered AS delivered,"
    " s.rate AS rate, CASE WHEN o.replay_id<>0 AND o.replay_done<>9223372036854775807"
    " THEN o.replay_done END AS replayed_to FROM main.sink_order o LEFT JOIN main.sink s ON "
    "s.name=o.sink;"
    "CREATE TEMP VIEW IF NOT EXISTS rejected AS SELECT a.sink AS sink, ifnull(t.name,"
    " 'salvaged/'||a.uid) AS tag, a.ts AS ts, weir_time(a.ts) AS time,"
    " weir_value(a.kind,a.exponent,a.bits,a.bytes) AS value, weir_quality(a.quality) AS quality,"
    " a.seq AS seq, a.why AS why FROM main.set_aside a LEFT JOIN main.tag t ON t.uid=a.uid;";
static const char views_without_sinks_sql[] =
    "CREATE TEMP VIEW IF NOT EXISTS sinks AS SELECT '' AS name, '' AS state, 0 AS oldest_unsent_s,"
    " 0 AS backlog, 0 AS quarantined, '' AS error, '' AS type, 0 AS since, '' AS remedy,"
    " 0 AS delivered, 0 AS rate, 0 AS replayed_to WHERE 0;"
    "CREATE TEMP VIEW IF NOT EXISTS rejected AS SELECT '' AS sink, '' AS tag, 0 AS ts, '' AS time,"
    " 0 AS value, '' AS quality, 0 AS seq, '' AS why WHERE 0;";

/* What the views show with the columns' own functions. */
static weir_err functions_create(weir_query *query, weir_error *error)
{
    static const struct {
        const char *name;
        int n_arguments;
        void (*call)(sqlite3_context *context, int n, sqlite3_value **arguments);
    } all[] = {{"weir_time", 1, weir_time_function},
               {"weir_quality", 1, weir_quality_function},
               {"weir_value", 4, weir_value_function}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (sqlite3_create_function_v2(query->db, all[i].name, all[i].n_arguments,
                                       SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                       all[i].call, NULL, NULL, NULL) != SQLITE_OK)
            return weir_db_fail(query->db, error, "set up the functions");
    return WEIR_OK;
}

static void query_free(void *data)
{
    weir_query *query = data;
    weir_view_free(query->view);
    weir_names_deinit(&query->names);
    weir_free(query);
}

/* owner: the connection is to free the query when it is closed, or when this fails. */
static weir_err modules_create(weir_query *query, bool owner, weir_error *error)
{
    const struct {
        const char *name;
        const sqlite3_module *module;
    } all[] = {
        {"samples", &weir_samples_module},
        {"current", &weir_current_module},
        {"buckets", &weir_buckets_module},
        {"history", &weir_history_module},
    };
    enum { N = sizeof all / sizeof *all };
    sqlite3 *db = query->db;
    /* One of them has the destructor. It runs also if the call fails. */
    for (size_t i = 0; i < N; i++)
        if (sqlite3_create_module_v2(db, all[i].name, all[i].module, query,
                                     owner && i == 0 ? query_free : NULL) != SQLITE_OK)
            return weir_db_fail(db, error, "set up the tables");
    return WEIR_OK;
}

static weir_err views_create(weir_query *query, weir_error *error)
{
    bool history = weir_view_has_history(query->view);
    weir_err err =
        weir_db_exec(query->db, history ? views_of_history_sql : views_without_history_sql, error);
    if (err == WEIR_OK)
        err = weir_db_exec(query->db, views_sql, error);
    if (err == WEIR_OK)
        err = functions_create(query, error);
    const bool sinks = weir_view_has_sinks(query->view);
    return err == WEIR_OK
               ? weir_db_exec(query->db, sinks ? views_of_sinks_sql : views_without_sinks_sql,
                              error)
               : err;
}

static weir_err query_set_up(weir_query *query, const char *path, weir_error *error)
{
    weir_db_content content;
    (void)sqlite3_busy_timeout(query->db, BUSY_MS);
    weir_err err = weir_db_identify(query->db, path, &content, error);
    if (err == WEIR_OK && content == WEIR_DB_EMPTY)
        err = weir_fail(error, WEIR_ENOTFOUND, "%s is empty: nothing was ever stored in it", path);
    if (err == WEIR_OK)
        err = weir_view_new(query->db, &query->view, error);
    if (err == WEIR_OK)
        err = modules_create(query, false, error);
    if (err == WEIR_OK)
        err = views_create(query, error);
    return err == WEIR_OK ? weir_db_exec(query->db, "PRAGMA query_only=1", error) : err;
}

weir_err weir_query_attach(sqlite3 *db, weir_error *error)
{
    const char *path = sqlite3_db_filename(db, "main");
    weir_db_content content;
    weir_err err = weir_db_identify(db, path && *path ? path : "this database", &content, error);
    if (err == WEIR_OK && content == WEIR_DB_EMPTY)
        err = weir_fail(error, WEIR_EDAMAGED,
                        "%s is no store of weir: open the data.db of a data directory first",
                        path && *path ? path : "this database");
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_wal_autocheckpoint(db, 0);
    weir_query *query = weir_alloc_zero(1, sizeof *query);
    if (!query)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
    query->db = db;
    query->attached = true;
    err = weir_view_new(db, &query->view, error);
    if (err == WEIR_OK)
        err = views_create(query, error);
    /* Statements kept open would keep the connection from being closed: tables that are connected
     * make them, and are disconnected before. */
    weir_view_free(query->view);
    query->view = NULL;
    if (err == WEIR_OK)
        return modules_create(query, true, error);
    query_free(query);
    return err;
}

static weir_err query_open_at(const char *path, const char *vfs, weir_query **ret,
                              weir_error *error)
{
    WEIR_CLEANUP(weir_query_close) weir_query *query = weir_alloc_zero(1, sizeof *query);
    if (!query)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
    weir_err err = weir_db_open(path, SQLITE_OPEN_READONLY, vfs, &query->db, error);
    if (err == WEIR_OK)
        err = query_set_up(query, path, error);
    if (err != WEIR_OK)
        return err;
    *ret = query;
    query = NULL;
    return WEIR_OK;
}

weir_err weir_query_open(const char *data_dir, const char *vfs, weir_query **ret, weir_error *error)
{
    char path[4096];
    int exists = 0;
    const bool memory =
        strncmp(data_dir, WEIR_DB_MEMORY_PREFIX, strlen(WEIR_DB_MEMORY_PREFIX)) == 0;
    sqlite3_vfs *v = sqlite3_vfs_find(vfs);
    if (memory)
        return query_open_at(data_dir + strlen(WEIR_DB_MEMORY_PREFIX), "memdb", ret, error);
    if (strcmp(data_dir, "memory") == 0)
        return weir_fail(error, WEIR_ENOTFOUND,
                         "data_dir is memory: nothing of it can be read from outside");
    int n = snprintf(path, sizeof path, "%s/data.db", data_dir);
    if (!v || n < 0 || (size_t)n >= sizeof path)
        return weir_fail(error, WEIR_EINVAL, "data directory: not a usable path");
    if (v->xAccess(v, path, SQLITE_ACCESS_EXISTS, &exists) != SQLITE_OK || !exists)
        return access(path, F_OK) && errno == EACCES
                   ? weir_fail(error, WEIR_EPERM,
                               "no permission to look into %s: run this as the user who owns it",
                               data_dir)
                   : weir_fail(error, WEIR_ENOTFOUND,
                               "no store in %s: give --data-dir, or start `weir run` to make one",
                               data_dir);
    weir_err err = query_open_at(path, vfs, ret, error);
    if ((err == WEIR_EPERM || err == WEIR_EIO) && access(data_dir, W_OK))
        return weir_fail(error, WEIR_EPERM,
                         "%s cannot be read where nothing may be written, because the database "
                         "needs a file beside it: run this as the user who owns %s, or on a copy",
                         path, data_dir);
    return err;
}

void weir_query_close(weir_query *query)
{
    if (!query)
        return;
    weir_view_free(query->view);
    (void)sqlite3_close(query->db);
    weir_names_deinit(&query->names);
    weir_free(query);
}

sqlite3 *weir_query_db(weir_query *query)
{
    return query->db;
}

weir_view_counters weir_query_counters(const weir_query *query)
{
    return *weir_view_count(query->view);
}

weir_err weir_query_begin(weir_query *query, weir_error *error)
{
    weir_err err = weir_names_update(&query->names, query->db, error);
    if (err == WEIR_OK && !query->view)
        err = weir_view_new(query->db, &query->view, error);
    return err == WEIR_OK ? weir_view_update(query->view, error) : err;
}

/* --- what both tables are made of --------------------------------------------------------- */

int weir_query_table_declare(sqlite3 *db, void *aux, const char *sql, sqlite3_vtab **ret)
{
    int rc = sqlite3_declare_vtab(db, sql);
    if (rc != SQLITE_OK)
        return rc;
    weir_query_table *table = weir_alloc_zero(1, sizeof *table);
    if (!table)
        return SQLITE_NOMEM;
    /* Reads this database only: may be used in views. */
    (void)sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    table->query = aux;
    table->query->n_tables++;
    *ret = &table->base;
    return SQLITE_OK;
}

int weir_query_table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                             sqlite3_vtab **ret, char **ret_error)
{
    (void)argc, (void)argv, (void)ret_error;
    return weir_query_table_declare(db, aux, SAMPLES_DECLARATION, ret);
}

int weir_query_table_disconnect(sqlite3_vtab *table)
{
    weir_query *query = ((weir_query_table *)(void *)table)->query;
    if (--query->n_tables == 0 && query->attached) {
        weir_view_free(query->view);
        query->view = NULL;
    }
    weir_free(table);
    return SQLITE_OK;
}

int weir_query_no_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
    (void)cursor, (void)ret;
    return SQLITE_ERROR;
}

int weir_query_table_fail(sqlite3_vtab *table, weir_err err, const weir_error *error)
{
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", error->text);
    if (err == WEIR_ENOMEM)
        return SQLITE_NOMEM;
    if (err == WEIR_EDAMAGED)
        return SQLITE_CORRUPT_VTAB;
    return err == WEIR_EINUSE ? SQLITE_BUSY : SQLITE_ERROR;
}
