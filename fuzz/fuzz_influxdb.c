/* SPDX-License-Identifier: MIT */
/* Whatever a server answers to a write: the first byte chooses the status, the rest is the body. */

#include <stddef.h>
#include <stdint.h>

#include "sinks/influxdb/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 204, 302, 400, 401, 403, 404, 413, 422, 429, 500, 503};
    static const weir_influxdb_options options = {.url = "http://h", .org = "o", .bucket = "b"};
    static const size_t offsets[] = {0, 8, 24}, numbers[] = {0, 1};
    static const weir_influxdb_text lines = {"a v=1i 3\nb text=\"x\ny\" 2\n", 2, offsets, numbers};
    static const weir_sink_row rows[2] = {{.seq = 1}, {.seq = 2}};
    weir_send_answer answer = {0};
    const weir_influxdb_reply reply = {.status = size ? statuses[data[0] % 12] : 204,
                                       .content_type = "",
                                       .location = "",
                                       .version = "",
                                       .body = size ? (const char *)data + 1 : "",
                                       .n = size ? size - 1 : 0};
    weir_influxdb_judge(&options, &reply, &lines, rows, &answer);
    return 0;
}
