/* SPDX-License-Identifier: MIT */
/* A connection to the database of a sink: opened, its tables fitted, its failures told. */

#pragma once
#include "sinks/sqlite/layout.h"

typedef struct weir_sqlite_database {
    const weir_sink_host *host;
    const weir_sqlite_options *options;
    const weir_sqlite_layout *layout;
    const char *path; /* borrowed */
    sqlite3 *db;      /* NULL: closed */
    sqlite3_stmt *insert, *upsert_tag, *find_tag, *upsert_cursor, *find_cursor;
    sqlite3_stmt *find_parent; /* NULL: the table of parents is not in the file */
    weir_mono deadline;        /* of the call that is under way */
    weir_mono wait_until;      /* for other programs' locks */
} weir_sqlite_database;

/* False answers have filled ret. All of these may be called again after a failure. */
bool weir_sqlite_database_open(weir_sqlite_database *d, weir_send_answer *ret);
void weir_sqlite_database_close(weir_sqlite_database *d);

/* Begins a transaction that may write, with tables and statements ready. */
bool weir_sqlite_begin(weir_sqlite_database *d, weir_mono deadline, weir_send_answer *ret);
bool weir_sqlite_commit(weir_sqlite_database *d, weir_send_answer *ret);
void weir_sqlite_rollback(weir_sqlite_database *d);

/* Runs a statement that gives no rows, and resets it. */
int weir_sqlite_run(sqlite3_stmt *statement);

/* What a code of SQLite's (an extended one) means, as an answer: LATER. */
bool weir_sqlite_failed(const weir_sqlite_database *d, int code, weir_send_answer *ret);
