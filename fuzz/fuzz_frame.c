/* SPDX-License-Identifier: MIT */
/* Any bytes as frames, in both framings and directions. */

#include <assert.h>

#include "modbus/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int mode = 0; mode < 4; mode++) {
        size_t at = 0, used = 0;
        weir_frame frame;
        char text[64];
        while (weir_frame_read(mode & 1 ? WEIR_FRAMING_RTU : WEIR_FRAMING_TCP,
                               mode & 2 ? WEIR_DIRECTION_REPLY : WEIR_DIRECTION_REQUEST, data + at,
                               size - at, &used, &frame) == WEIR_FRAME_WHOLE) {
            assert(used <= size - at && frame.n_pdu > 0 && frame.pdu + frame.n_pdu <= data + size);
            at += used;
        }
        weir_frame_explain(data + at, size - at, text, sizeof text);
    }
    return 0;
}
