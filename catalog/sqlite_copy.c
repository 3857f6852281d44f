/* SPDX-License-Identifier: MIT */
/* What a query reads of somebody's SQLite database, copied so that it can take its time. */

/*
 * SQLite itself tells which columns of which tables a statement reads, views looked through, when
 * it asks the authorizer about them. Each of these tables is made in memory with as many columns
 * and filled in order of its key, rowid or PRIMARY KEY: for TURN_US rows are taken, then the
 * statement is reset, which gives the lock back, and begun anew behind the last key. That costs the
 * same at any place of a table of any size. Types and collations are as they were, constraints and
 * indices are not made: nobody writes there, and SQLite makes the indices it wants for joins.
 *
 * What fails: the tables are too large, or it takes too long; a virtual table, or SQLite's own, of
 * which no copy can be made; a key that has no order to be read in (the lock would last).
 */

#include "catalog/sqlite_priv.h"

#include <stdio.h>
#include <string.h>

enum {
    TURN_US = 5 * 1000,
    ROWS_LEAST = 200, /* of a turn, some 0.2 ms of work: it must end some day */
    KEYS_MAX = 16,
    NO_COPY = SQLITE_NOTFOUND, /* of such a table */
    PAGE_SIZE = 4096,
};

struct column {
    struct column *next;
    const char *name;
};

struct table {
    struct table *next;
    const char *name;
    struct column *columns; /* that are read */
};

struct copy {
    sqlite3 *from, *to;
    sqlite3 *blamed;           /* whose failure it was */
    const char *place, *query; /* for messages */
    int64_t until;
    weir_arena *arena;
    struct table *tables;
    bool failed; /* memory was short */
};

/* ---- what is read ---- */

static struct table *table_get(struct copy *c, const char *name)
{
    struct table *t = c->tables;
    while (t && sqlite3_stricmp(t->name, name) != 0)
        t = t->next;
    if (t)
        return t;
    t = weir_arena_alloc(c->arena, 1, sizeof *t);
    const char *copied = t ? weir_arena_text(c->arena, name) : NULL;
    if (!copied)
        return NULL;
    *t = (struct table){.next = c->tables, .name = copied};
    c->tables = t;
    return t;
}

static bool table_reads(const struct table *t, const char *column)
{
    const struct column *at = t->columns;
    while (at && sqlite3_stricmp(at->name, column) != 0)
        at = at->next;
    return at != NULL;
}

static bool column_add(struct copy *c, struct table *t, const char *name)
{
    if (table_reads(t, name))
        return true;
    struct column *column = weir_arena_alloc(c->arena, 1, sizeof *column);
    const char *copied = column ? weir_arena_text(c->arena, name) : NULL;
    if (!copied)
        return false;
    *column = (struct column){t->columns, copied};
    t->columns = column;
    return true;
}

/* sqlite3_set_authorizer: all is allowed, and reads are noted. */
static int on_action(void *data, int action, const char *table, const char *column,
                     const char *database, const char *view)
{
    struct copy *c = data;
    (void)view;
    /* Of a table without a column that is read, names are as the query has them. */
    if (action != SQLITE_READ || !table || !column ||
        (database && sqlite3_stricmp(database, "main")))
        return SQLITE_OK;
    struct table *t = table_get(c, table);
    c->failed = c->failed || !t || !column_add(c, t, column);
    return SQLITE_OK;
}

static int copy_find_tables(struct copy *c, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    (void)sqlite3_set_authorizer(c->from, on_action, c);
    const int code = sqlite3_prepare_v2(c->from, sql, -1, &stmt, NULL);
    (void)sqlite3_set_authorizer(c->from, NULL, NULL);
    (void)sqlite3_finalize(stmt);
    return code;
}

/* ---- the shape of a table ---- */

struct shape {
    const char *table;
    const char *rowid;          /* a name of it that is no column's; NULL: none */
    bool taken[3];              /* of its names: are columns */
    const char *keys[KEYS_MAX]; /* PRIMARY KEY */
    int n_keys;
    int n_columns;                 /* of the copy */
    sqlite3_str *created, *listed; /* "a" "INT" COLLATE "BINARY", ... and "a", ... */
};

static const char *const rowids[] = {"rowid", "_rowid_", "oid"};

static void shape_add_column(const struct copy *c, struct shape *s, const char *name,
                             const char *type)
{
    const char *collation = NULL;
    const char *comma = s->n_columns++ ? ", " : "";
    (void)sqlite3_table_column_metadata(c->from, "main", s->table, name, NULL, &collation, NULL,
                                        NULL, NULL);
    sqlite3_str_appendf(s->created, "%s\"%w\"", comma, name);
    if (*type)
        sqlite3_str_appendf(s->created, " \"%w\"", type);
    if (collation)
        sqlite3_str_appendf(s->created, " COLLATE \"%w\"", collation);
    sqlite3_str_appendf(s->listed, "%s\"%w\"", comma, name);
}

static int shape_add_key(struct copy *c, struct shape *s, const char *name, int position)
{
    if (position > KEYS_MAX)
        return NO_COPY;
    s->keys[position - 1] = weir_arena_text(c->arena, name);
    s->n_keys = s->n_keys > position ? s->n_keys : position;
    return s->keys[position - 1] ? SQLITE_OK : SQLITE_NOMEM;
}

static const char *text_of(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return text ? text : "";
}

/* The first column too: a table has at least one. */
static int shape_read_columns(struct copy *c, const struct table *t, struct shape *s)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(
        c->from, "SELECT name, type, pk FROM pragma_table_xinfo(?1, 'main')", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(stmt, 1, t->name, -1, SQLITE_STATIC);
    while (code == SQLITE_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *name = text_of(stmt, 0);
        const int key = sqlite3_column_int(stmt, 2);
        code = key ? shape_add_key(c, s, name, key) : SQLITE_OK;
        if (!s->n_columns || table_reads(t, name))
            shape_add_column(c, s, name, text_of(stmt, 1));
        for (size_t i = 0; i < sizeof rowids / sizeof *rowids; i++)
            s->taken[i] = s->taken[i] || !sqlite3_stricmp(name, rowids[i]);
    }
    (void)sqlite3_finalize(stmt);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int prepare(sqlite3 *db, sqlite3_str *sql, sqlite3_stmt **ret)
{
    char *text = sqlite3_str_finish(sql);
    const int code = text ? sqlite3_prepare_v2(db, text, -1, ret, NULL) : SQLITE_NOMEM;
    sqlite3_free(text);
    return code;
}

/* Without one the rows are found by their PRIMARY KEY. */
static int shape_find_rowid(struct copy *c, struct shape *s)
{
    sqlite3_stmt *stmt = NULL;
    size_t i = 0;
    while (i < sizeof rowids / sizeof *rowids && s->taken[i])
        i++;
    if (i == sizeof rowids / sizeof *rowids)
        return NO_COPY;
    sqlite3_str *sql = sqlite3_str_new(c->from);
    sqlite3_str_appendf(sql, "SELECT %s FROM main.\"%w\"", rowids[i], s->table);
    const int code = prepare(c->from, sql, &stmt);
    (void)sqlite3_finalize(stmt);
    s->rowid = code == SQLITE_OK ? rowids[i] : NULL;
    return code == SQLITE_OK || (code == SQLITE_ERROR && s->n_keys) ? SQLITE_OK : code;
}

/* ---- its rows ---- */

struct pump {
    sqlite3_stmt *select, *insert;
    int n_keys;     /* first columns of the select */
    int n_skipped;  /* of them, not inserted */
    bool is_behind; /* the select begins behind `last` */
    sqlite3_value *last[KEYS_MAX];
};

static void append_keys(sqlite3_str *sql, const struct shape *s)
{
    if (s->rowid)
        sqlite3_str_appendall(sql, s->rowid);
    for (int i = 0; !s->rowid && i < s->n_keys; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : "", s->keys[i]);
}

static int select_prepare(const struct copy *c, const struct shape *s, struct pump *p)
{
    sqlite3_str *sql = sqlite3_str_new(c->from);
    sqlite3_str_appendall(sql, "SELECT ");
    append_keys(sql, s);
    sqlite3_str_appendf(sql, ", %s FROM main.\"%w\"", sqlite3_str_value(s->listed), s->table);
    if (p->is_behind) {
        sqlite3_str_appendall(sql, " WHERE (");
        append_keys(sql, s);
        sqlite3_str_appendall(sql, ") > (?1");
        for (int i = 1; i < p->n_keys; i++)
            sqlite3_str_appendf(sql, ", ?%d", i + 1);
        sqlite3_str_appendall(sql, ")");
    }
    sqlite3_str_appendall(sql, " ORDER BY ");
    append_keys(sql, s);
    (void)sqlite3_finalize(p->select);
    p->select = NULL;
    return prepare(c->from, sql, &p->select);
}

static int insert_prepare(const struct copy *c, const struct shape *s, struct pump *p)
{
    const int n = s->n_columns + (s->rowid ? 1 : 0);
    sqlite3_str *sql = sqlite3_str_new(c->to);
    sqlite3_str_appendf(sql, "INSERT INTO \"%w\" (%s%s%s) VALUES (?", s->table,
                        s->rowid ? s->rowid : "", s->rowid ? ", " : "",
                        sqlite3_str_value(s->listed));
    for (int i = 1; i < n; i++)
        sqlite3_str_appendall(sql, ", ?");
    sqlite3_str_appendall(sql, ")");
    return prepare(c->to, sql, &p->insert);
}

static int row_copy(const struct pump *p)
{
    const int n = sqlite3_column_count(p->select);
    int code = SQLITE_OK;
    for (int i = p->n_skipped; i < n && code == SQLITE_OK; i++)
        code =
            sqlite3_bind_value(p->insert, i - p->n_skipped + 1, sqlite3_column_value(p->select, i));
    if (code != SQLITE_OK)
        return code;
    (void)sqlite3_step(p->insert);
    return sqlite3_reset(p->insert);
}

static bool pump_keep_keys(struct pump *p)
{
    bool good = true;
    for (int i = 0; i < p->n_keys; i++) {
        sqlite3_value_free(p->last[i]);
        p->last[i] = sqlite3_value_dup(sqlite3_column_value(p->select, i));
        good = good && p->last[i];
    }
    return good;
}

/* SQLITE_ROW: there may be more, and the statement waits behind `last`. */
static int turn_step(struct copy *c, struct pump *p)
{
    weir_sqlite_turn turn = {.us = TURN_US};
    int code;
    /* What would sort first has no row soon. After the first one rows are looked at. */
    weir_sqlite_limit(c->from, &turn);
    for (size_t n = 1; (code = sqlite3_step(p->select)) == SQLITE_ROW; n++) {
        weir_sqlite_limit(c->from, NULL);
        if ((code = row_copy(p)) != SQLITE_OK) {
            c->blamed = c->to;
            return code;
        }
        const bool is_over = weir_sqlite_turn_over(&turn); /* counts from the first row */
        if (n >= ROWS_LEAST && is_over)
            return pump_keep_keys(p) ? SQLITE_ROW : SQLITE_NOMEM;
    }
    weir_sqlite_limit(c->from, NULL);
    return code;
}

static int pump_go_on(const struct copy *c, const struct shape *s, struct pump *p)
{
    const bool was_behind = p->is_behind;
    int code = SQLITE_OK;
    p->is_behind = true;
    if (!was_behind)
        code = select_prepare(c, s, p);
    for (int i = 0; i < p->n_keys && code == SQLITE_OK; i++)
        code = sqlite3_bind_value(p->select, i + 1, p->last[i]);
    return code;
}

static int pump_run(struct copy *c, const struct shape *s, struct pump *p)
{
    int code;
    while ((code = turn_step(c, p)) == SQLITE_ROW) {
        (void)sqlite3_reset(p->select); /* gives the lock back */
        if (weir_sqlite_now_us() > c->until)
            return SQLITE_INTERRUPT;
        (void)sqlite3_sleep(WEIR_SQLITE_PAUSE_MS);
        if ((code = pump_go_on(c, s, p)) != SQLITE_OK)
            return code;
    }
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int rows_copy(struct copy *c, const struct shape *s)
{
    struct pump p = {.n_keys = s->rowid ? 1 : s->n_keys, .n_skipped = s->rowid ? 0 : s->n_keys};
    int code = select_prepare(c, s, &p);
    if (code == SQLITE_OK)
        code = insert_prepare(c, s, &p);
    if (code == SQLITE_OK)
        code = pump_run(c, s, &p);
    (void)sqlite3_finalize(p.select);
    (void)sqlite3_finalize(p.insert);
    for (int i = 0; i < KEYS_MAX; i++)
        sqlite3_value_free(p.last[i]);
    return code;
}

static int table_create(const struct copy *c, const struct shape *s)
{
    char *sql =
        sqlite3_mprintf("CREATE TABLE \"%w\" (%s)", s->table, sqlite3_str_value(s->created));
    const int code = sql ? sqlite3_exec(c->to, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return code;
}

static int table_copy(struct copy *c, const struct table *t)
{
    struct shape s = {
        .table = t->name, .created = sqlite3_str_new(c->from), .listed = sqlite3_str_new(c->from)};
    int code = shape_read_columns(c, t, &s);
    if (code == SQLITE_OK)
        code = shape_find_rowid(c, &s);
    if (code == SQLITE_OK && (sqlite3_str_errcode(s.created) || sqlite3_str_errcode(s.listed)))
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK && (code = table_create(c, &s)) != SQLITE_OK)
        c->blamed = c->to;
    if (code == SQLITE_OK)
        code = rows_copy(c, &s);
    sqlite3_free(sqlite3_str_finish(s.created));
    sqlite3_free(sqlite3_str_finish(s.listed));
    return code;
}

/* ---- all of them ---- */

/* What there is by this name: "table", "virtual", "view", or "": a function that gives rows. */
static int kind_of(const struct copy *c, const char *table, char ret[16])
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(c->from,
                                  "SELECT CASE WHEN type = 'table' AND rootpage = 0 THEN "
                                  "'virtual' ELSE type END FROM main.sqlite_master WHERE name = "
                                  "?1 COLLATE NOCASE AND type IN ('table', 'view')",
                                  -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    (void)snprintf(ret, 16, "%s", code == SQLITE_ROW ? text_of(stmt, 0) : "");
    (void)sqlite3_finalize(stmt);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static weir_err copy_tables(struct copy *c, weir_error *error)
{
    for (const struct table *t = c->tables; t; t = t->next) {
        char kind[16];
        int code = kind_of(c, t->name, kind);
        if (code == SQLITE_OK && (!strcmp(kind, "virtual") || !strncmp(t->name, "sqlite_", 7)))
            code = NO_COPY;
        else if (code == SQLITE_OK && !strcmp(kind, "table"))
            code = table_copy(c, t);
        if (code == NO_COPY)
            return weir_fail(error, WEIR_ELIMIT,
                             "%s, %s: this takes so long that it is done on a copy, and of %.80s "
                             "none can be made",
                             c->place, c->query, t->name);
        if (code != SQLITE_OK)
            return weir_sqlite_fail(c->blamed, code, c->place, c->query, error);
    }
    return WEIR_OK;
}

static int view_create(void *data, int n, char **texts, char **names)
{
    struct copy *c = data;
    (void)n;
    (void)names;
    return sqlite3_exec(c->to, texts[0], NULL, NULL, NULL);
}

static int copy_views(struct copy *c)
{
    return sqlite3_exec(c->from, "SELECT sql FROM main.sqlite_master WHERE type = 'view'",
                        view_create, c, NULL);
}

static int copy_open(struct copy *c)
{
    char sql[160];
    const int code = sqlite3_open_v2(
        ":memory:", &c->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return code;
    (void)sqlite3_limit(c->to, SQLITE_LIMIT_LENGTH, WEIR_SQLITE_CELL_MAX);
    (void)sqlite3_db_config(c->to, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA page_size = %d; PRAGMA max_page_count = %d; PRAGMA journal_mode = OFF; "
                   "PRAGMA temp_store = MEMORY; BEGIN",
                   PAGE_SIZE, WEIR_SQLITE_COPY_MB * (1024 * 1024 / PAGE_SIZE));
    return sqlite3_exec(c->to, sql, NULL, NULL, NULL);
}

static weir_err copy_make(struct copy *c, const char *sql, weir_error *error)
{
    int code = copy_open(c);
    if (code != SQLITE_OK)
        return weir_sqlite_fail(c->to, code, c->place, c->query, error);
    code = copy_find_tables(c, sql);
    if (c->failed)
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK)
        code = copy_views(c);
    if (code != SQLITE_OK)
        return weir_sqlite_fail(c->from, code, c->place, c->query, error);
    const weir_err err = copy_tables(c, error);
    code = err ? SQLITE_OK : sqlite3_exec(c->to, "COMMIT", NULL, NULL, NULL);
    return code == SQLITE_OK ? err : weir_sqlite_fail(c->to, code, c->place, c->query, error);
}

weir_err weir_sqlite_copy(sqlite3 *from, const char *place, const char *query, const char *sql,
                          int64_t until, sqlite3 **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    struct copy c = {.from = from,
                     .blamed = from,
                     .place = place,
                     .query = query,
                     .until = until,
                     .arena = arena};
    if (!arena)
        return weir_fail(error, WEIR_ENOMEM, "%s: out of memory", place);
    const weir_err err = copy_make(&c, sql, error);
    if (err)
        (void)sqlite3_close(c.to);
    else
        *ret = c.to;
    return err;
}
