/* SPDX-License-Identifier: MIT */
/* A Modbus server on a libuv loop that shows a plant. */

#pragma once
#include <uv.h>

#include "base/error.h"
#include "model/catalog.h"
#include "sources/simulated/plant.h"

typedef struct weir_server weir_server;

/* Borrows loop and plant for the server's life. NULL: out of memory. */
weir_server *weir_server_new(uv_loop_t *loop, const weir_plant *plant) WEIR_MUST_CHECK;

/*
 * Listens at a tcp or rtu+tcp URI; port 0 takes a free one. Any number of times.
 * ret_port: the port in use.
 *
 * WEIR_ECONNECT: the address is unknown, taken or not ours. WEIR_EPERM: needs more rights.
 * WEIR_ENOMEM.
 */
weir_err weir_server_listen(weir_server *server, const weir_uri *uri, uint16_t *ret_port,
                            weir_error *error) WEIR_MUST_CHECK;

/* Closes listeners and connections; the loop runs empty then. Free it after the loop has. */
void weir_server_close(weir_server *server);
void weir_server_free(weir_server *server); /* accepts NULL */
