/* SPDX-License-Identifier: MIT */
/* What PostgreSQL's refusals mean: for the rows, for the sink's state, for the person. */

#pragma once
#include <stddef.h>

#include "base/error.h"
#include "model/sink.h"

/* Where it happened, for the remedies. Texts of any length; "" where nothing is known. */
typedef struct weir_pg_place {
    const char *host, *port, *database, *user, *tags, *samples, *schema, *sink;
} weir_pg_place;

/* An error of the server. NULL where it gave none. */
typedef struct weir_pg_fault {
    const char *sqlstate; /* "23505"; PostgreSQL manual, appendix A */
    const char *message, *detail, *context;
} weir_pg_fault;

/*
 * Fills ret: LATER with its trouble, or REJECTED. What the server says of a row is a rejection only
 * if n_rows > 0; first_bad is then the index of the row among those copied to the table named
 * `table`, or SIZE_MAX.
 */
void weir_pg_judge(const weir_pg_fault *fault, const weir_pg_place *place, const char *table,
                   size_t n_rows, weir_send_answer *ret);

/* The same of libpq's message when connecting failed, or the connection was lost; with
 * PQERRORS_VERBOSE it has the SQLSTATE. */
void weir_pg_judge_connection(const char *message, const weir_pg_place *place,
                              weir_send_answer *ret);

/* A remedy in our own words, in place of what is there. */
void weir_pg_remedy(weir_send_answer *ret, const char *format, ...) WEIR_PRINTF(2, 3);
