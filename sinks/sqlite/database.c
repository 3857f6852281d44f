/* SPDX-License-Identifier: MIT */
/* A connection to the database of a sink: opened, its tables fitted, its failures told. */

/*
 * The journal is left as the database has it, so a new one has SQLite's rollback journal: this file
 * is read by other programs, also read-only, over the network and from copies, and each of these is
 * harder beside a write-ahead log. synchronous is EXTRA: with a rollback journal, FULL alone may
 * lose the last commit to a power cut, and that was already acknowledged.
 */

#include "sinks/sqlite/database.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sinks/text/trouble.h"

enum { LOCK_POLL_MS = 10 }; /* between two tries for a lock */

/* --- answers ------------------------------------------------------------------------------ */

/* SQLite opens what it may not write read-only, and only says so at the first write. */
static void read_only(const weir_sqlite_database *d, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO folder = WEIR_TEXT_INIT;
    const char *slash = strrchr(d->path, '/');
    weir_text_add_n(&folder, d->path, slash ? (size_t)(slash - d->path) + 1 : 0);
    if (access(d->path, W_OK) != 0)
        weir_trouble_answer(ret, errno, "cannot write to", d->path);
    else if (access(slash ? weir_text_get(&folder) : ".", W_OK) != 0)
        weir_trouble_answer(ret, errno, "the journal needs the folder too; cannot write to",
                            weir_text_get(&folder));
    else
        weir_trouble_answer(ret, EROFS, "cannot write to", d->path);
}

static void cannot_open(const weir_sqlite_database *d, int code, weir_send_answer *ret)
{
    weir_trouble_answer(ret, code ? code : EIO, "cannot open", d->path);
}

bool weir_sqlite_failed(const weir_sqlite_database *d, int code, weir_send_answer *ret)
{
    const char *text = sqlite3_errmsg(d->db);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        weir_send_later(
            ret, WEIR_TROUBLE_BUSY,
            "another program writes for long or left a transaction open: end it (fuser FILE "
            "shows who has the file); busy_timeout is how long weir waits",
            "%.150s is locked by another program", d->path);
        break;
    case SQLITE_FULL:
        weir_trouble_answer(ret, ENOSPC, "cannot write to", d->path);
        break;
    case SQLITE_READONLY:
        read_only(d, ret);
        break;
    case SQLITE_CANTOPEN:
        cannot_open(d, sqlite3_system_errno(d->db), ret);
        break;
    case SQLITE_IOERR:
        weir_trouble_answer(ret, sqlite3_system_errno(d->db) ? sqlite3_system_errno(d->db) : EIO,
                            "cannot read or write", d->path);
        break;
    case SQLITE_NOTADB:
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "move it away, or correct path",
                        "%.150s is no SQLite database", d->path);
        break;
    case SQLITE_CORRUPT:
        weir_send_later(
            ret, WEIR_TROUBLE_MISCONFIGURED,
            "move it away (weir makes another), or repair it with sqlite3 FILE .recover",
            "%.150s is damaged: %.60s", d->path, text);
        break;
    case SQLITE_NOMEM:
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE, "lower batch", "out of memory");
        break;
    default:
        weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED,
                        "weir sink schema NAME prints the tables that are wanted", "%.100s: %.140s",
                        d->path, text);
        break;
    }
    return false;
}

static bool last_failed(const weir_sqlite_database *d, weir_send_answer *ret)
{
    return weir_sqlite_failed(d, sqlite3_extended_errcode(d->db), ret);
}

/* --- waiting for others' locks ------------------------------------------------------------ */

static int on_locked(void *data, int n)
{
    const weir_sqlite_database *d = data;
    const weir_mono now = d->host->now(d->host->data);
    const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000};
    (void)n;
    if (weir_mono_reached(now, d->wait_until) || weir_mono_reached(now, d->deadline) ||
        d->host->is_ending(d->host->data))
        return 0;
    (void)nanosleep(&pause, NULL);
    return 1;
}

static void wait_from_now(weir_sqlite_database *d, weir_mono deadline)
{
    d->deadline = deadline;
    d->wait_until = weir_mono_add(d->host->now(d->host->data), d->options->busy_timeout_us);
}

/* --- opening ------------------------------------------------------------------------------ */

void weir_sqlite_database_close(weir_sqlite_database *d)
{
    sqlite3_stmt **const all[] = {&d->insert,        &d->upsert_tag,  &d->find_tag,
                                  &d->upsert_cursor, &d->find_cursor, &d->find_parent};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        (void)sqlite3_finalize(*all[i]);
        *all[i] = NULL;
    }
    (void)sqlite3_close(d->db);
    d->db = NULL;
}

bool weir_sqlite_database_open(weir_sqlite_database *d, weir_send_answer *ret)
{
    struct stat st;
    /* SQLite would wait for the other end of a FIFO. */
    if (stat(d->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        weir_trouble_not_a_file(ret, st.st_mode, d->path);
        return false;
    }
    const int code = sqlite3_open_v2(
        d->path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    (void)sqlite3_extended_result_codes(d->db, 1);
    if (code == SQLITE_OK && sqlite3_busy_handler(d->db, on_locked, d) == SQLITE_OK &&
        sqlite3_exec(d->db, "PRAGMA synchronous = EXTRA", NULL, NULL, NULL) == SQLITE_OK)
        return true;
    (void)last_failed(d, ret);
    weir_sqlite_database_close(d);
    return false;
}

/* --- tables ------------------------------------------------------------------------------- */

static bool has_column(sqlite3_stmt *statement, const char *table, const char *column)
{
    (void)sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(statement, 2, column, -1, SQLITE_STATIC);
    const bool found = sqlite3_step(statement) == SQLITE_ROW;
    (void)sqlite3_reset(statement);
    return found;
}

static bool columns_fit(weir_sqlite_database *d, sqlite3_stmt *statement, const char *table,
                        const char *const *columns, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO lacking = WEIR_TEXT_INIT;
    for (; *columns; columns++)
        if (!has_column(statement, table, *columns))
            weir_text_format(&lacking, "%s%s", lacking.length ? ", " : "", *columns);
    if (lacking.length == 0)
        return true;
    weir_send_later(
        ret, WEIR_TROUBLE_MISCONFIGURED,
        "add them, or let `table` name another; weir sink schema NAME prints what is wanted",
        "%.80s: the table %.60s lacks the columns %.80s", d->path, table, weir_text_get(&lacking));
    return false;
}

/* Gives a row: ret_is_one is whether its first column is 1. */
static bool gives_row(weir_sqlite_database *d, const char *sql, const char *first, bool *ret_row,
                      bool *ret_is_one, weir_send_answer *ret)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(d->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return last_failed(d, ret);
    if (first)
        (void)sqlite3_bind_text(statement, 1, first, -1, SQLITE_STATIC);
    const int code = sqlite3_step(statement);
    *ret_row = code == SQLITE_ROW;
    *ret_is_one = *ret_row && sqlite3_column_int(statement, 0) == 1;
    (void)sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE || last_failed(d, ret);
}

static bool tables_find(weir_sqlite_database *d, weir_sqlite_found *found, weir_send_answer *ret)
{
    const char *parents = d->layout->find_parents;
    bool one;
    *found = (weir_sqlite_found){0};
    return gives_row(d, "SELECT 1 FROM sqlite_master WHERE lower(name) = lower(?1)",
                     weir_sqlite_table_name(d->options), &found->table, &one, ret) &&
           (!parents || gives_row(d, parents, NULL, &found->parents, &found->parent_key, ret));
}

static bool tables_fit(weir_sqlite_database *d, weir_send_answer *ret)
{
    sqlite3_stmt *statement = NULL;
    bool fit = true;
    if (sqlite3_prepare_v2(d->db,
                           "SELECT 1 FROM pragma_table_info(?1) WHERE lower(name) = lower(?2)", -1,
                           &statement, NULL) != SQLITE_OK)
        return last_failed(d, ret);
    for (const weir_sqlite_table *t = d->layout->tables; t->columns && fit; t++)
        fit = columns_fit(d, statement, t->name ? t->name : weir_sqlite_table_name(d->options),
                          t->columns, ret);
    (void)sqlite3_finalize(statement);
    return fit;
}

static bool statement_prepare(weir_sqlite_database *d, const char *sql,
                              sqlite3_stmt **ret_statement, weir_send_answer *ret)
{
    return sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL) ==
               SQLITE_OK ||
           last_failed(d, ret);
}

static bool statements_prepare(weir_sqlite_database *d, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO insert = WEIR_TEXT_INIT;
    d->layout->insert(weir_sqlite_table_name(d->options), &insert);
    return statement_prepare(d, weir_text_get(&insert), &d->insert, ret) &&
           (!d->layout->has_tags ||
            (statement_prepare(d, weir_sqlite_upsert_tag, &d->upsert_tag, ret) &&
             statement_prepare(d, weir_sqlite_find_tag, &d->find_tag, ret))) &&
           statement_prepare(d, weir_sqlite_upsert_cursor, &d->upsert_cursor, ret) &&
           statement_prepare(d, weir_sqlite_find_cursor, &d->find_cursor, ret);
}

/* Within the transaction: made and looked at by one, seen by others when it is committed. */
static bool tables_ready(weir_sqlite_database *d, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO schema = WEIR_TEXT_INIT;
    weir_sqlite_found found;
    /* Somebody may make the table of parents while weir runs. */
    if (d->insert && (d->find_parent || !d->layout->find_parents))
        return true;
    if (!tables_find(d, &found, ret) ||
        (found.parents && !statement_prepare(d, d->layout->find_parent, &d->find_parent, ret)))
        return false;
    if (d->insert)
        return true;
    weir_sqlite_schema(d->options, &found, &schema);
    if (sqlite3_exec(d->db, weir_text_get(&schema), NULL, NULL, NULL) != SQLITE_OK)
        return last_failed(d, ret);
    return tables_fit(d, ret) && statements_prepare(d, ret);
}

/* --- transactions ------------------------------------------------------------------------- */

int weir_sqlite_run(sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    return code;
}

void weir_sqlite_rollback(weir_sqlite_database *d)
{
    if (d->db && !sqlite3_get_autocommit(d->db))
        (void)sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
}

bool weir_sqlite_begin(weir_sqlite_database *d, weir_mono deadline, weir_send_answer *ret)
{
    wait_from_now(d, deadline);
    if (sqlite3_exec(d->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return last_failed(d, ret);
    return tables_ready(d, ret);
}

bool weir_sqlite_commit(weir_sqlite_database *d, weir_send_answer *ret)
{
    wait_from_now(d, d->deadline); /* readers hold up the commit of a rollback journal */
    return sqlite3_exec(d->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK || last_failed(d, ret);
}
