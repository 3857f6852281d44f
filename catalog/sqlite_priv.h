/* SPDX-License-Identifier: MIT */
/* What the files that read SQLite databases share. */

#pragma once
#include <sqlite3.h>

#include "catalog/database.h"

enum {
    WEIR_SQLITE_PAUSE_MS = 3,  /* for the writers; they sleep 1 or 2 ms between attempts at first */
    WEIR_SQLITE_COPY_MB = 256, /* a million rows of a catalog's columns have some 100 MB */
    WEIR_SQLITE_CELL_MAX = 1024 * 1024,
};

int64_t weir_sqlite_now_us(void);

/*
 * Work that has to end soon. Counted from its first row or first look at the clock, so that waiting
 * for somebody's lock is no part of it.
 */
typedef struct weir_sqlite_turn {
    int64_t us;    /* how long it may be */
    int64_t since; /* 0: not begun */
} weir_sqlite_turn;

bool weir_sqlite_turn_over(weir_sqlite_turn *turn);

/* Interrupts what is stepped (SQLITE_INTERRUPT) once the turn is over; NULL: nothing any more. */
void weir_sqlite_limit(sqlite3 *db, weir_sqlite_turn *turn);

/* Another number after each commit of others; -1: it cannot be asked. */
int64_t weir_sqlite_data_version(sqlite3 *db);

/* Quotes nothing but the place, the query's name and what SQLite says. */
weir_err weir_sqlite_fail(sqlite3 *db, int code, const char *place, const char *table,
                          weir_error *error);

/*
 * A database in memory with the tables that a query reads, their columns as far as it reads them,
 * and all views; read in turns, between which writers have theirs. The caller closes it. At most
 * until: WEIR_ELIMIT, also beyond WEIR_SQLITE_COPY_MB.
 */
weir_err weir_sqlite_copy(sqlite3 *from, const char *place, const char *query, const char *sql,
                          int64_t until, sqlite3 **ret, weir_error *error) WEIR_MUST_CHECK;
