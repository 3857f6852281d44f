/* SPDX-License-Identifier: MIT */
/* Any bytes as a client's stream, in both framings: the first byte says how they are sliced. */

#include <assert.h>

#include "modbus/frame.h"
#include "modbus/slave.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int table_read(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                      uint16_t *ret)
{
    (void)data;
    for (unsigned i = 0; i < n; i++)
        ret[i] = (uint16_t)(address + i);
    return unit > 200 ? WEIR_SLAVE_SILENT : table == WEIR_REGISTER_COIL && address > 1000 ? 2 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const weir_slave_host host = {.read = table_read};
    for (int rtu = 0; rtu < 2 && size > 1; rtu++) {
        weir_slave slave;
        uint8_t reply[WEIR_FRAME_MAX];
        bool broken = false;
        size_t n_reply = 0, slice = 1u + data[0];
        weir_slave_init(&slave, rtu ? WEIR_FRAMING_RTU : WEIR_FRAMING_TCP, &host);
        for (size_t at = 1; !broken && (at < size || n_reply);) {
            size_t n = size - at < slice ? size - at : slice;
            at += weir_slave_input(&slave, data + at, n, reply, sizeof reply, &n_reply, &broken);
            assert(n_reply <= sizeof reply && at <= size && slave.n_input <= sizeof slave.input);
        }
    }
    return 0;
}
