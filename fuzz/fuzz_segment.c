/* SPDX-License-Identifier: MIT */
/* Any bytes as a segment: whole, or as marks and body behind a head that has their checksums. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc.h"
#include "blocks/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const weir_segment_head *head, const uint8_t *marks, const uint8_t *body)
{
    weir_segment *segment = NULL;
    weir_sample *samples = calloc(head->count, sizeof *samples);
    weir_reply_ref *refs = calloc(head->count, sizeof *refs);
    if (samples && refs &&
        weir_segment_open(head, marks, head->marks_size, &segment, NULL) == WEIR_OK &&
        weir_segment_load(segment, body, head->body_size, NULL) == WEIR_OK &&
        weir_segment_read(segment, 0, head->n_slices, 1, samples, refs, NULL) == WEIR_OK)
        for (size_t i = 0; i < head->count; i++)
            if (samples[i].value.kind >= WEIR_KIND_STRING)
                (void)memchr(samples[i].value.as.bytes, 0, samples[i].value.length);
    /* The last slice alone. */
    if (segment &&
        weir_segment_read(segment, head->n_slices - 1, 1, 1, samples, NULL, NULL) == WEIR_OK &&
        samples[0].ts.us > head->max_ts.us)
        abort();
    weir_segment_free(segment);
    free(samples);
    free(refs);
}

/* 3 is the codec, and so the first byte of a head: its length follows the segment's parts. Anything
 * else: numbers of a head, then marks and body as they are before compression. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t lengths[] = {0, 900000000, 3600000000, 86400000000};
    weir_segment_head head = {0};
    weir_reader r = weir_reader_of(data, size);
    if (size > 2 && data[0] == WEIR_SEGMENT_CODEC) {
        size_t n = (size_t)data[size - 2] << 8 | data[size - 1];
        if (n <= size - 2 && weir_segment_head_parse(data, n, &head, NULL) == WEIR_OK &&
            (size_t)head.marks_size + head.body_size <= size - 2 - n)
            read_all(&head, data + n, data + n + head.marks_size);
        return 0;
    }
    (void)weir_read_u8(&r);
    head.count = 1u + weir_read_u16(&r) % 4096;
    head.n_slices = 1 + weir_read_u16(&r) % head.count;
    head.slice_us = lengths[weir_read_u8(&r) % 4];
    head.slice_us = head.slice_us || head.n_slices == 1 ? head.slice_us : lengths[1];
    head.min_ts.us = (int64_t)weir_read_u64(&r);
    head.max_ts.us = (int64_t)weir_read_u64(&r);
    head.marks_size = head.marks_raw = head.n_slices == 1 ? 0 : weir_read_u16(&r);
    const uint8_t *marks = weir_read_bytes(&r, head.marks_size);
    if (!marks || head.min_ts.us > head.max_ts.us)
        return 0;
    head.body_size = head.body_raw = (uint32_t)weir_reader_left(&r);
    head.marks_crc = weir_crc32c(0, marks, head.marks_size);
    head.body_crc = weir_crc32c(0, r.at, head.body_size);
    read_all(&head, marks, r.at);
    return 0;
}
