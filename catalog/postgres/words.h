/* SPDX-License-Identifier: MIT */
/* What a connection to PostgreSQL is made with: libpq's keywords and their values. */

#pragma once
#include <libpq-fe.h>

#include "catalog/database.h"

enum {
    WEIR_PG_WORDS_MAX = 64, /* libpq has some 45 */
    WEIR_PG_LISTS = 3,
    WEIR_PG_LIST_MAX = 1024,
};

/* Zeroed: none. Texts are borrowed; both arrays end with NULL, as PQconnectStartParams wants. */
typedef struct weir_pg_words {
    const char *names[WEIR_PG_WORDS_MAX + 1], *values[WEIR_PG_WORDS_MAX + 1];
    size_t n;
    char lists[WEIR_PG_LISTS][WEIR_PG_LIST_MAX]; /* of several hosts, in turned order */
} weir_pg_words;

/* What the url says, then what the configuration does; without a word of either about it TLS is
 * verified unless all hosts are this machine, and a server that is gone without a word is noticed.
 */
void weir_pg_words_fill(weir_pg_words *words, const weir_database_config *config,
                        const PQconninfoOption *url);

/* "": it is not there. */
const char *weir_pg_words_get(const weir_pg_words *words, const char *name);

/* How many hosts there are to try, and the next of them first: "db1,db2" becomes "db2,db1", and
 * what belongs to each goes with it. */
size_t weir_pg_words_hosts(const weir_pg_words *words);
void weir_pg_words_rotate(weir_pg_words *words);
