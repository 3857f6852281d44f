/* SPDX-License-Identifier: MIT */
/* The tables in the database: looked at before anything is written, made if they are missing. */

#pragma once
#include <stdbool.h>

#include "sinks/postgres/connection.h"
#include "sinks/postgres/layout.h"

/* Makes the tables if they are missing and the options say so; then t->types is what the samples
 * table has. False: misconfigured, naming the column and its type, or whatever went wrong. Inside
 * the transaction that is open; all that it makes goes with it. */
bool weir_pg_schema_fit(weir_pg_connection *c, weir_pg_tables *t, weir_send_answer *ret);
