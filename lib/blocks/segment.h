/* SPDX-License-Identifier: MIT */
/* Segments: the history of one tag over some hours or days, codec 3. docs/design/store.md has the
 * format. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blocks/summary.h"
#include "model/sample.h"

enum {
    WEIR_SEGMENT_CODEC = 3,
    WEIR_SEGMENT_VERSION = 1,
    WEIR_SEGMENT_LEVEL = 2,
    WEIR_SEGMENT_COUNT_MAX = 128 * 1024,
    WEIR_SEGMENT_BYTES_MAX = 16 * 1024 * 1024, /* contents of strings and bytes together */
};

/* In which reply a sample came: finds its time of reading, its seq and its plans. */
typedef struct weir_reply_ref {
    weir_wall due;  /* of the batch */
    uint32_t reply; /* the series of replies (replies.h): the lowest tag uid of the batch */
    uint16_t index; /* position in the batch: the sample's seq is the batch's plus this */
    uint16_t mark;  /* which of those with this due: 0 the one with the lowest seq, else that
                       whose weir_reply_mark it is */
} weir_reply_ref;

/* Two plans, or a late reply, may give a series several replies with one due. What tells one from
 * the others must not change when series are merged, so it is made of its seq. */
static inline uint16_t weir_reply_mark(uint64_t seq)
{
    return (uint16_t)(1 + seq % UINT16_MAX);
}

/* Samples of one tag and one epoch: ts ascending and distinct. The tag in them is not looked at.
 * Borrowed. */
typedef struct weir_series {
    size_t n;
    const weir_sample *samples;
    const weir_reply_ref *refs; /* [n] */
} weir_series;

/* head is small and always read; marks let a reader skip; body has the values. */
typedef struct weir_segment_bytes {
    const uint8_t *head, *marks, *body;
    size_t head_length, marks_length, body_length;
} weir_segment_bytes;

/* Reusable memory for encoding; one thread at a time. */
typedef struct weir_segment_encoder weir_segment_encoder;
weir_segment_encoder *weir_segment_encoder_new(void) WEIR_MUST_CHECK; /* NULL: no memory */
void weir_segment_encoder_free(weir_segment_encoder *encoder);

typedef enum weir_effort {
    WEIR_EFFORT_FAST,  /* for segments that are merged again within a day */
    WEIR_EFFORT_SMALL, /* for those that stay: several forms are tried, the smallest is kept */
} weir_effort;

/*
 * Encodes 1 .. WEIR_SEGMENT_COUNT_MAX samples. The bytes are the encoder's until its next call.
 * Every bit of samples and refs comes back.
 *
 * WEIR_EINVAL   not ascending, or a kind that does not exist.
 * WEIR_ELIMIT   too many samples, or too many bytes of strings.
 */
weir_err weir_segment_encode(weir_segment_encoder *encoder, const weir_series *series,
                             weir_effort effort, weir_segment_bytes *ret,
                             weir_error *error) WEIR_MUST_CHECK;

/* What a head says. Borrows nothing but strings: summary.first and last are numbers. */
typedef struct weir_segment_head {
    uint32_t count;
    weir_wall min_ts, max_ts;
    weir_summary summary; /* of all samples */
    uint32_t marks_size, marks_raw, marks_crc;
    uint32_t body_size, body_raw, body_crc;
    uint32_t n_slices;
    int64_t slice_us; /* slices are cut at multiples of this since 1970 UTC; 0: one slice */
} weir_segment_head;

/* WEIR_EUNSUPPORTED: a codec or version this program does not know. WEIR_EDAMAGED. */
weir_err weir_segment_head_parse(const uint8_t *bytes, size_t n, weir_segment_head *ret,
                                 weir_error *error) WEIR_MUST_CHECK;

/*
 * A slice: the samples between two multiples of slice_us (15 min, 1 h or 1 day, the shortest that
 * leaves 300 samples in one on average; days may have 90; else the segment is one slice). All
 * calendar steps in all time zones of today start at a multiple of 15 minutes.
 */
typedef struct weir_slice {
    uint32_t first, count; /* sample numbers in the segment */
    weir_wall min_ts, max_ts;
    weir_summary summary;
} weir_slice;

/* An opened segment. One thread at a time. */
typedef struct weir_segment weir_segment;

/* Checks and unpacks the marks; copies what it needs. WEIR_EDAMAGED, WEIR_ENOMEM. */
weir_err weir_segment_open(const weir_segment_head *head, const uint8_t *marks, size_t n,
                           weir_segment **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_segment_free(weir_segment *segment); /* accepts NULL */

const weir_slice *weir_segment_slices(const weir_segment *segment, size_t *ret_n);

/* Checks and decompresses the body, before the first weir_segment_read; the bytes may go then. */
weir_err weir_segment_load(weir_segment *segment, const uint8_t *body, size_t n,
                           weir_error *error) WEIR_MUST_CHECK;

/*
 * Decodes n_slices slices from first_slice on: their samples to ret, in order, with the tag given.
 * ret has room for the sum of the slices' counts. refs: the same for the refs; NULL: not wanted.
 * Strings and bytes borrow from the segment. WEIR_EDAMAGED.
 */
weir_err weir_segment_read(weir_segment *segment, size_t first_slice, size_t n_slices,
                           weir_tag_uid tag, weir_sample *ret, weir_reply_ref *ret_refs,
                           weir_error *error) WEIR_MUST_CHECK;

WEIR_DEFINE_CLEANUP(weir_segment, weir_segment_free)
WEIR_DEFINE_CLEANUP(weir_segment_encoder, weir_segment_encoder_free)
