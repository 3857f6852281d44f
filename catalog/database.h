/* SPDX-License-Identifier: MIT */
/* A database that the catalog is read from: what a kind of databases has to offer. */

#pragma once
#include "catalog/layout.h"
#include "catalog/rows.h"

enum { WEIR_DATABASE_ABI = 1 };

/* Texts live until close. */
typedef struct weir_database_config {
    const char *url;
    const char *place;               /* what messages call it */
    const char *username, *password; /* NULL: not given */
    const char *notify;              /* a channel; NULL: none */
    int64_t timeout_us;              /* for connecting, and for an answer */
    weir_layout_query queries[WEIR_LAYOUT_QUERIES];
} weir_database_config;

/*
 * One thread at a time. No function takes longer than the timeout for each query, and none changes
 * anything in the database. What fails says which database and what to do, and never quotes a
 * password; the next call tries again from the start.
 */
typedef struct weir_database_type {
    unsigned abi;
    const char *scheme; /* "postgresql" */
    /* Does not connect yet. WEIR_EINVAL: the url is none of this kind. */
    weir_err (*open)(const weir_database_config *config, void **ret, weir_error *error);
    /* What all queries give at one moment; ret[i] of queries[i], empty before, is the caller's also
     * after a failure. WEIR_ENOTFOUND, WEIR_ECONNECT, WEIR_EINUSE, WEIR_EIO ... */
    weir_err (*read)(void *database, weir_rows *ret, weir_error *error);
    /* Whether that may be different from what read() gave last. Cheap: asked each second. */
    weir_err (*changed)(void *database, bool *ret, weir_error *error);
    void (*close)(void *database); /* accepts NULL */
} weir_database_type;

/* SQLite, in this program. */
extern const weir_database_type weir_database_sqlite;

/* What a module has: const weir_database_type *weir_database_module_get(unsigned abi), NULL for an
 * ABI which it does not know. */
typedef const weir_database_type *(*weir_database_module)(unsigned abi);
#define WEIR_DATABASE_MODULE_SYMBOL "weir_database_module_get"

/* The type that a URL names; a module is loaded then. WEIR_ENOTFOUND: there is no such scheme;
 * WEIR_EUNSUPPORTED: its module is missing. Any thread. */
weir_err weir_database_type_find(const char *url, const weir_database_type **ret,
                                 weir_error *error) WEIR_MUST_CHECK;

/* "postgresql://ada@db/plant" without a password that stands in it; appended. */
void weir_database_place(const char *url, weir_text *ret);

/* The queries' rows from an open SQLite database, without keeping its writers waiting; for who has
 * it open already. timeout_us: for each query. */
struct sqlite3;
weir_err weir_sqlite_read(struct sqlite3 *db, const char *place, const weir_layout_query *queries,
                          int64_t timeout_us, weir_rows *ret, weir_error *error) WEIR_MUST_CHECK;
