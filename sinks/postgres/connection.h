/* SPDX-License-Identifier: MIT */
/* A connection to PostgreSQL that never waits longer than it may. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "model/sink.h"
#include "sinks/postgres/layout.h"
#include "sinks/postgres/options.h"
#include "sinks/postgres/trouble.h"

/*
 * Every wait ends by the deadline, and within 200 ms of is_ending. What fails fills the answer and
 * returns false. If the stream of the protocol cannot be gone on with, the connection is closed by
 * then; else it may be inside a transaction that failed: weir_pg_settle().
 */
typedef struct weir_pg_connection {
    PGconn *pg; /* NULL: closed */
    const weir_sink_host *host;
    const weir_pg_options *options;
    const weir_pg_tables *tables;
    weir_mono deadline;
    size_t n_rows;     /* that are being copied: what is said of a row is a rejection then */
    const char *table; /* into this one */
    bool is_certificate_told;
    char server[264], port[16], database[72], user[72]; /* for messages; as asked for */
} weir_pg_connection;

void weir_pg_connection_init(weir_pg_connection *c, const weir_sink_host *host,
                             const weir_pg_options *options, const weir_pg_tables *tables);

bool weir_pg_open(weir_pg_connection *c, weir_send_answer *ret);
void weir_pg_close(weir_pg_connection *c); /* also one that is closed */

/* Runs SQL; n parameters as text (then it is one statement). ret_result: of the last statement
 * with rows, may be NULL; the caller releases it. */
bool weir_pg_run(weir_pg_connection *c, const char *sql, const char *const *parameters, size_t n,
                 PGresult **ret_result, weir_send_answer *ret);

/* A COPY FROM STDIN: SQL that has one, with anything before and behind it; bytes; the end. */
bool weir_pg_copy_begin(weir_pg_connection *c, const char *sql, weir_send_answer *ret);
bool weir_pg_copy_put(weir_pg_connection *c, const uint8_t *bytes, size_t n, weir_send_answer *ret);
bool weir_pg_copy_end(weir_pg_connection *c, weir_send_answer *ret);

/* After a failure: rolls back what is open, or closes. */
void weir_pg_settle(weir_pg_connection *c);

/* Closes a connection that the other side has closed meanwhile. Does not wait. */
void weir_pg_look(weir_pg_connection *c);

/* "PostgreSQL 15.18 at 10.0.0.9:5432, database plant, TLS 1.3" */
void weir_pg_peer(const weir_pg_connection *c, char *ret, size_t size);

/* For login.c, which waits for a connection that is not c's yet: until one of the events is there.
 * ret_events may be NULL. */
bool weir_pg_socket_wait(weir_pg_connection *c, PGconn *pg, short events, weir_mono deadline,
                         short *ret_events, weir_send_answer *ret);
weir_pg_place weir_pg_connection_place(const weir_pg_connection *c);
