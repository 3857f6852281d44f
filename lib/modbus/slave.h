/* SPDX-License-Identifier: MIT */
/* The slave: answers Modbus requests from tables of registers and bits. No I/O. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/link.h"

/* What the slave serves. */
typedef struct weir_slave_host {
    void *data;
    /*
     * Fills n registers from address on (host order, functions 3 and 4) or n bits (each 0 or 1,
     * functions 1 and 2) of a unit's table. Returns 0, an exception code (2: no such address), or
     * WEIR_SLAVE_SILENT for a unit that is not there.
     */
    int (*read)(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                uint16_t *ret);
} weir_slave_host;

enum { WEIR_SLAVE_SILENT = -1 };

/* One client's connection: assembles requests from any slicing of bytes, collects answers. */
typedef struct weir_slave {
    weir_framing framing;
    const weir_slave_host *host;
    size_t n_input;
    uint8_t input[260]; /* longest frame: 260 (TCP), 256 (RTU) */
} weir_slave;

void weir_slave_init(weir_slave *slave, weir_framing framing, const weir_slave_host *host);

/*
 * Feeds bytes; writes the answers of all requests completed by them to ret_reply, as many as fit
 * (each at most 260 bytes; capacity is that much at least). Returns the number of bytes consumed;
 * after sending call again with the rest, be it empty, until *ret_n is 0. *ret_broken: the stream
 * is not Modbus, close it.
 */
size_t weir_slave_input(weir_slave *slave, const uint8_t *bytes, size_t n, uint8_t *ret_reply,
                        size_t capacity, size_t *ret_n, bool *ret_broken);
