/* SPDX-License-Identifier: MIT */
/* The tables in the database: looked at before anything is written, made if they are missing. */

#include "sinks/postgres/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A domain counts as what it is made of: its constraints are the server's business. */
static const char columns_sql[] =
    "SELECT a.attname, format_type(CASE y.typtype WHEN 'd' THEN y.typbasetype ELSE a.atttypid END, "
    "CASE y.typtype WHEN 'd' THEN y.typtypmod ELSE a.atttypmod END), a.attnotnull OR y.typnotnull, "
    "a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '' FROM pg_attribute AS a JOIN "
    "pg_type "
    "AS y ON y.oid = a.atttypid WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT "
    "a.attisdropped ORDER BY a.attnum";

enum { COLUMN_NAME, COLUMN_TYPE, COLUMN_NOT_NULL, COLUMN_FILLS_ITSELF };

/* What ON CONFLICT can use: unique at once, for all rows, of these columns in any order. */
static const char key_sql[] =
    "SELECT 1 FROM pg_index AS i WHERE i.indrelid = to_regclass($1) AND i.indisunique AND "
    "i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND (SELECT string_agg(a.attname, ',' "
    "ORDER BY a.attname COLLATE \"C\") FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS "
    "k(n) "
    "LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.n) = $2";

static void make_remedy(const weir_pg_connection *c, weir_send_answer *ret)
{
    weir_pg_remedy(ret,
                   "make it: weir sink schema %s | psql -h %s -p %s %s; or create_tables: true",
                   c->host->name, c->server, c->port, c->database);
}

/* --- looking ------------------------------------------------------------------------------ */

static int column_find(const PGresult *columns, const char *name)
{
    for (int i = 0; i < PQntuples(columns); i++)
        if (strcmp(PQgetvalue(columns, i, COLUMN_NAME), name) == 0)
            return i;
    return -1;
}

/* Which of the types it may have; -1: none of them. Texts may be limited: rows too long for that
 * are the server's to refuse. */
static int type_find(const weir_pg_column *column, const char *type)
{
    for (int i = 0; column->types[i]; i++) {
        const size_t n = strlen(column->types[i]);
        if (strcmp(type, column->types[i]) == 0 ||
            (strcmp(column->types[i], "character varying") == 0 &&
             strncmp(type, "character varying(", n + 1) == 0))
            return i;
    }
    return -1;
}

static bool column_fit(const PGresult *columns, const char *table, const weir_pg_column *column,
                       uint8_t *ret_type, weir_send_answer *ret)
{
    const int i = column_find(columns, column->name);
    if (i < 0) {
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "", "table %s has no column %s", table,
                        column->name);
        weir_pg_remedy(ret, "ALTER TABLE %s ADD COLUMN %s %s", table, column->name,
                       column->types[0]);
        return false;
    }
    const int type = type_find(column, PQgetvalue(columns, i, COLUMN_TYPE));
    if (type < 0) {
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "",
                        "column %s of table %s is of type %s, weir writes %s", column->name, table,
                        PQgetvalue(columns, i, COLUMN_TYPE), column->types[0]);
        weir_pg_remedy(ret, "ALTER TABLE %s ALTER COLUMN %s TYPE %s; or name another table", table,
                       column->name, column->types[0]);
        return false;
    }
    if (column->is_null_sent && *PQgetvalue(columns, i, COLUMN_NOT_NULL) == 't') {
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "",
                        "column %s of table %s is NOT NULL, weir also writes NULL", column->name,
                        table);
        weir_pg_remedy(ret, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", table, column->name);
        return false;
    }
    if (ret_type)
        *ret_type = (uint8_t)type;
    return true;
}

/* A column of the user's own must fill itself. */
static bool others_fit(const PGresult *columns, const char *table, const weir_pg_table *wanted,
                       weir_send_answer *ret)
{
    for (int i = 0; i < PQntuples(columns); i++) {
        const char *name = PQgetvalue(columns, i, COLUMN_NAME);
        const weir_pg_column *column = wanted->columns;
        while (column->name && strcmp(column->name, name) != 0)
            column++;
        if (column->name || *PQgetvalue(columns, i, COLUMN_NOT_NULL) != 't' ||
            *PQgetvalue(columns, i, COLUMN_FILLS_ITSELF) == 't')
            continue;
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "",
                        "column %s (%s) of table %s is NOT NULL and has no default, weir does not "
                        "write it",
                        name, PQgetvalue(columns, i, COLUMN_TYPE), table);
        weir_pg_remedy(ret, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", table, name);
        return false;
    }
    return true;
}

static bool key_fit(weir_pg_connection *c, const char *table, const weir_pg_table *wanted,
                    weir_send_answer *ret)
{
    const char *const parameters[] = {table, wanted->key_sorted};
    PGresult *found = NULL;
    if (!weir_pg_run(c, key_sql, parameters, 2, &found, ret))
        return false;
    const bool has_key = PQntuples(found) > 0;
    PQclear(found);
    if (has_key)
        return true;
    weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "", "table %s has no unique index on (%s)",
                    table, wanted->key);
    weir_pg_remedy(ret, "CREATE UNIQUE INDEX ON %s (%s)", table, wanted->key);
    return false;
}

/* ret_types may be NULL. ret_missing: it is not there; the answer says so too. */
static bool table_fit(weir_pg_connection *c, const char *table, const weir_pg_table *wanted,
                      uint8_t *ret_types, bool *ret_missing, weir_send_answer *ret)
{
    const char *const parameters[] = {table};
    PGresult *columns = NULL;
    if (!weir_pg_run(c, columns_sql, parameters, 1, &columns, ret))
        return false;
    bool fits = PQntuples(columns) > 0;
    *ret_missing = !fits;
    if (!fits) {
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "", "table %s does not exist", table);
        make_remedy(c, ret);
    }
    for (size_t i = 0; fits && wanted->columns[i].name; i++)
        fits =
            column_fit(columns, table, &wanted->columns[i], ret_types ? &ret_types[i] : NULL, ret);
    fits = fits && others_fit(columns, table, wanted, ret);
    PQclear(columns);
    return fits && key_fit(c, table, wanted, ret);
}

/* --- making ------------------------------------------------------------------------------- */

/* Whether a query that asks for a name has one; it is copied. */
static bool name_ask(weir_pg_connection *c, const char *sql, const char *parameter, char *ret_name,
                     size_t size, bool *ret_found, weir_send_answer *ret)
{
    PGresult *result = NULL;
    if (!weir_pg_run(c, sql, &parameter, 1, &result, ret))
        return false;
    *ret_found = PQntuples(result) > 0 && !PQgetisnull(result, 0, 0);
    (void)snprintf(ret_name, size, "%s", *ret_found ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return true;
}

static bool schema_make(weir_pg_connection *c, const weir_pg_tables *t, weir_send_answer *ret)
{
    char name[80];
    bool found;
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    if (!name_ask(c, "SELECT to_regnamespace($1)", t->schema, name, sizeof name, &found, ret))
        return false;
    /* Also one that is there needs a right that few roles have. */
    weir_text_format(&sql, "CREATE SCHEMA %s", t->schema);
    return found || weir_pg_run(c, weir_text_get(&sql), NULL, 0, NULL, ret);
}

/* Chunks of a week: of 1000 tags a second, 600 million rows, are two or three for Timescale to
 * compress and to drop. */
static bool hypertable_make(weir_pg_connection *c, const weir_pg_tables *t, weir_send_answer *ret)
{
    char schema[140];
    bool found;
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    if (!name_ask(c,
                  "SELECT quote_ident(n.nspname) FROM pg_extension AS e JOIN pg_namespace AS n ON "
                  "n.oid = e.extnamespace WHERE e.extname = $1",
                  "timescaledb", schema, sizeof schema, &found, ret))
        return false;
    weir_text_format(&sql,
                     "SELECT %s.create_hypertable($1::regclass, 'ts', chunk_time_interval => "
                     "INTERVAL '7 days')",
                     schema);
    const char *const parameters[] = {t->samples};
    return !found || weir_pg_run(c, weir_text_get(&sql), parameters, 1, NULL, ret);
}

static bool tables_make(weir_pg_connection *c, const weir_pg_tables *t, bool has_tags,
                        bool has_samples, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    /* Another weir may be at it: IF NOT EXISTS alone fails when both are in the middle of it. The
     * number is "weir" in ASCII. */
    weir_text_add(&sql, "SELECT pg_advisory_xact_lock(2003134834); ");
    if (!has_tags)
        weir_pg_tables_fill(t, t->layout->tags_ddl, &sql);
    weir_text_add(&sql, "; ");
    if (!has_samples)
        weir_pg_tables_fill(t, t->layout->samples_ddl, &sql);
    return schema_make(c, t, ret) && weir_pg_run(c, weir_text_get(&sql), NULL, 0, NULL, ret) &&
           (has_samples || hypertable_make(c, t, ret));
}

/* Ids begin anew in a new table of tags: samples that are there would be of other tags then. */
static bool samples_are_none(weir_pg_connection *c, const weir_pg_tables *t, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO sql = WEIR_TEXT_INIT;
    PGresult *result = NULL;
    weir_pg_tables_fill(t, "SELECT FROM @SAMPLES@ LIMIT 1", &sql);
    if (!weir_pg_run(c, weir_text_get(&sql), NULL, 0, &result, ret))
        return false;
    const bool is_empty = PQntuples(result) == 0;
    PQclear(result);
    if (is_empty)
        return true;
    weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "",
                    "table %s does not exist, but %s has samples of its tags", t->tags, t->samples);
    weir_pg_remedy(ret, "restore %s; or begin anew: ALTER TABLE %s RENAME TO %.40s_old", t->tags,
                   t->samples, t->samples_name);
    return false;
}

bool weir_pg_schema_fit(weir_pg_connection *c, weir_pg_tables *t, weir_send_answer *ret)
{
    const weir_pg_layout *layout = t->layout;
    bool tags_missing = false, samples_missing = false;
    const bool tags_fit = table_fit(c, t->tags, &layout->tags, NULL, &tags_missing, ret);
    if (!tags_fit && !tags_missing)
        return false;
    const bool samples_fit =
        table_fit(c, t->samples, &layout->samples, t->types, &samples_missing, ret);
    if ((tags_fit && samples_fit) || !(tags_missing || samples_missing) ||
        (!samples_fit && !samples_missing) || !c->options->create_tables)
        return tags_fit && samples_fit;
    if (tags_missing && !samples_missing && !samples_are_none(c, t, ret))
        return false;
    return tables_make(c, t, !tags_missing, !samples_missing, ret) &&
           table_fit(c, t->tags, &layout->tags, NULL, &tags_missing, ret) &&
           table_fit(c, t->samples, &layout->samples, t->types, &samples_missing, ret);
}
