/* SPDX-License-Identifier: MIT */
/* Connecting to PostgreSQL: where, as whom, and whether it is the right server. */

#pragma once
#include "sinks/postgres/connection.h"

/* Connects, and logs in. Notes in c where it went, also if it never arrived. */
bool weir_pg_login(weir_pg_connection *c, weir_send_answer *ret);
