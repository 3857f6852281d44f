/* SPDX-License-Identifier: MIT */
/* Any bytes as the body of a merged block, before compression, behind a head that fits. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc.h"
#include "blocks/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_block_head head = {.codec = WEIR_BLOCK_CODEC_MERGED, .level = 1};
    weir_block *block = NULL;
    weir_reader r = weir_reader_of(data, size);
    head.count = 1u + weir_read_u16(&r) % 4096;
    head.n_batches = 1 + weir_read_u16(&r) % head.count;
    head.min_ts.us = (int64_t)weir_read_u64(&r);
    head.max_ts.us = (int64_t)weir_read_u64(&r);
    head.body_size = head.raw_size = (uint32_t)weir_reader_left(&r);
    head.body_crc = weir_crc32c(0, r.at, head.body_size);
    if (weir_block_decode(&head, r.at, head.body_size, &block, NULL) == WEIR_OK)
        for (size_t i = 0; i < block->count; i++)
            if (block->samples[i].value.kind >= WEIR_KIND_STRING)
                (void)memchr(block->samples[i].value.as.bytes, 0, block->samples[i].value.length);
    weir_block_free(block);
    return 0;
}
