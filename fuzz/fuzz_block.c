/* SPDX-License-Identifier: MIT */
/* Any bytes as a block: whole, or as a body whose head and compression are right. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <zstd.h>

#include "base/bytes.h"
#include "base/crc.h"
#include "blocks/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const weir_block_head *head, const uint8_t *body, size_t n)
{
    weir_block *block = NULL;
    if (weir_block_decode(head, body, n, &block, NULL) == WEIR_OK)
        for (size_t i = 0; i < block->count; i++)
            if (block->samples[i].value.kind >= WEIR_KIND_STRING)
                (void)memchr(block->samples[i].value.as.bytes, 0, block->samples[i].value.length);
    weir_block_free(block);
}

/* 1 is the codec, and so the first byte of a block. Anything else: two counts, then what is in a
 * body before compression, since no fuzzer guesses checksums. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t body[1 << 16];
    weir_block_head head = {.codec = WEIR_BLOCK_CODEC};
    if (size > 0 && data[0] == WEIR_BLOCK_CODEC) {
        if (weir_block_head_parse(data, size, &head, NULL) == WEIR_OK)
            decode(&head, data + head.head_length, size - head.head_length);
        return 0;
    }
    weir_reader r = weir_reader_of(data, size);
    (void)weir_read_u8(&r);
    head.count = 1u + weir_read_u16(&r);
    head.n_batches = 1 + weir_read_u16(&r) % head.count;
    head.min_ts.us = (int64_t)weir_read_u64(&r);
    head.max_ts.us = (int64_t)weir_read_u64(&r);
    head.raw_size = (uint32_t)weir_reader_left(&r);
    size_t n = ZSTD_compress(body, sizeof body, r.at, weir_reader_left(&r), 1);
    if (r.failed || ZSTD_isError(n))
        return 0;
    head.body_size = (uint32_t)n;
    head.body_crc = weir_crc32c(0, body, n);
    decode(&head, body, n);
    return 0;
}
