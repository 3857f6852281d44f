/* SPDX-License-Identifier: MIT */
/* Names of hosts to addresses, without waiting longer than a sink may. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "model/sink.h"

/* Lists as libpq wants them, commas between: an entry for each address of each host. */
typedef struct weir_pg_addresses {
    weir_text hosts, numbers, ports;
    size_t n;
} weir_pg_addresses;

void weir_pg_addresses_deinit(weir_pg_addresses *a);

/*
 * hosts and ports: lists of libpq; ports has one for all, one for each, or is "". Paths of socket
 * files have no number. A name server may be silent for half a minute: the question is asked on a
 * thread of its own, and left to itself at the deadline or when the sink ends. False: no host has
 * an address; ret_why in the words of libpq.
 */
bool weir_pg_addresses_find(weir_pg_addresses *a, const char *hosts, const char *ports,
                            const weir_sink_host *host, weir_mono deadline, weir_text *ret_why);
