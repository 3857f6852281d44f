/* SPDX-License-Identifier: MIT */
/* Transports on libuv: TCP, with names resolved off the loop. */

#pragma once
#include <stddef.h>
#include <uv.h>

#include "base/error.h"
#include "runtime/transport.h"

/* One for each loop; owned by the caller, who frees it after the loop has run empty. */
typedef struct weir_uv_transport_host {
    weir_transport_host host;
    uv_loop_t *loop;
    size_t n_open;
    char input[64 * 1024]; /* one for all: bytes are handed on before the next read */
} weir_uv_transport_host;

void weir_uv_transport_host_init(weir_uv_transport_host *h, uv_loop_t *loop);
