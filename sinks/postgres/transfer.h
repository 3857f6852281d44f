/* SPDX-License-Identifier: MIT */
/* One batch into the tables, in one transaction. */

#pragma once
#include "sinks/postgres/batch.h"
#include "sinks/postgres/connection.h"
#include "sinks/postgres/copy.h"
#include "sinks/postgres/tags.h"

typedef struct weir_pg_transfer {
    weir_pg_connection *connection;
    weir_pg_tags tags;
    weir_pg_batch batch;
    weir_pg_copy copy;
} weir_pg_transfer;

void weir_pg_transfer_deinit(weir_pg_transfer *t);

/* Delivers, or answers why not; after that no transaction is open. */
void weir_pg_transfer_send(weir_pg_transfer *t, const weir_sink_row *rows, size_t n,
                           weir_send_answer *ret);

/* As send does it, both ways, and takes everything back. A transaction is open, and stays so. */
bool weir_pg_transfer_try(weir_pg_transfer *t, const weir_sink_row *row, weir_send_answer *ret);

/* Begins a transaction that cannot outlive the deadline on the server, and is durable once it is
 * over. */
bool weir_pg_transaction_begin(weir_pg_connection *c, weir_send_answer *ret);
