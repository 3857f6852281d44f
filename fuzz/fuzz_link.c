/* SPDX-License-Identifier: MIT */
/* Any bytes as replies to requests on the wire: framing and slices from the first two bytes. Ids
 * count from a fixed seed, so the corpus knows them. */

#include <stdlib.h>

#include "modbus/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS = 4 };

static void on_reply(weir_request *request, const weir_reply *reply)
{
    bool read = request->function <= 4;
    size_t want = request->function <= 2 ? (request->count + 7u) / 8 : 2u * request->count;
    unsigned sum = 0;
    for (size_t i = 0; i < reply->n_data; i++)
        sum += reply->data[i];
    if (sum > 255 * reply->n_data || (reply->n_data && reply->result != WEIR_REPLY_GOOD) ||
        (read && reply->result == WEIR_REPLY_GOOD && reply->n_data != want))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const weir_request templates[REQUESTS] = {
        {.unit = 1, .function = 3, .count = 2, .class = WEIR_CLASS_POLL, .on_reply = on_reply},
        {.unit = 2, .function = 1, .count = 9, .class = WEIR_CLASS_POLL, .on_reply = on_reply},
        {.unit = 1, .function = 43, .class = WEIR_CLASS_POLL, .on_reply = on_reply},
        {.unit = 1, .function = 4, .count = 1, .class = WEIR_CLASS_POLL, .on_reply = on_reply}};
    if (size < 2)
        return 0;
    weir_request requests[REQUESTS];
    weir_mono now = {0};
    weir_link_config config = {.framing = data[0] & 1 ? WEIR_FRAMING_RTU : WEIR_FRAMING_TCP,
                               .tid_check = data[0] & 2 ? WEIR_TID_LENIENT : WEIR_TID_STRICT,
                               .max_in_flight = 3,
                               .retries = 1,
                               .busy_retries = 1,
                               .timeout_us = WEIR_S,
                               .busy_retries_wait_us = 10 * WEIR_MS};
    weir_link *link = weir_link_new(&config, NULL);
    if (!link)
        return 0;
    weir_link_connected(link, now);
    for (int i = 0; i < REQUESTS; i++) {
        requests[i] = templates[i];
        weir_link_submit(link, &requests[i], now);
    }
    for (size_t at = 2, slice = 1u + data[1]; at < size; at += slice) {
        const uint8_t *out;
        (void)weir_link_step(link, now);
        (void)weir_link_output(link, now, &out);
        weir_link_input(link, data + at, size - at < slice ? size - at : slice, now);
        now = weir_mono_add(now, 100 * WEIR_MS);
    }
    weir_link_free(link);
    return 0;
}
