/* SPDX-License-Identifier: MIT */
/* Any bytes as the body of a series of replies, before compression, behind a head that fits. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/crc.h"
#include "blocks/replies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_segment_head head = {.n_slices = 1};
    weir_reader r = weir_reader_of(data, size);
    head.count = 1u + weir_read_u16(&r) % 4096;
    head.min_ts.us = (int64_t)weir_read_u64(&r);
    head.max_ts.us = (int64_t)weir_read_u64(&r);
    head.body_size = head.body_raw = (uint32_t)weir_reader_left(&r);
    head.body_crc = weir_crc32c(0, r.at, head.body_size);
    weir_reply_record *replies = calloc(head.count, sizeof *replies);
    if (replies && weir_replies_decode(&head, r.at, head.body_size, replies, NULL) == WEIR_OK &&
        replies[0].due.us != head.min_ts.us)
        abort();
    free(replies);
    return 0;
}
