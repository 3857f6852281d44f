/* SPDX-License-Identifier: MIT */
/* Series of replies: what the headers of batches say, once for all tags of a batch; codec 3. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blocks/segment.h"
#include "model/sample.h"

/*
 * One batch as history keeps it. received is kept as whole milliseconds after due, rounded down:
 * its microseconds would take more room than the values of a small device. sent, anchor and fence
 * serve the transport and stay in the log.
 */
typedef struct weir_reply_record {
    weir_wall due;
    weir_wall received;
    uint64_t seq; /* of its first sample */
    uint64_t plans;
    uint32_t flags;
    uint32_t connection, device, catalog_revision;
} weir_reply_record;

/*
 * Encodes 1 .. WEIR_SEGMENT_COUNT_MAX replies of one series and epoch, ascending by (due, seq).
 * marks is empty. The head is of the form weir_segment_head_parse reads, min_ts and max_ts being
 * the dues, its summary empty but for count.
 */
weir_err weir_replies_encode(weir_segment_encoder *encoder, const weir_reply_record *replies,
                             size_t n, weir_effort effort, weir_segment_bytes *ret,
                             weir_error *error) WEIR_MUST_CHECK;

/* The reply that a ref means, among those of its series ascending by (due, seq); NULL: none. */
const weir_reply_record *weir_reply_find(const weir_reply_record *replies, size_t n,
                                         const weir_reply_ref *ref);

/* Fills ret[head->count]. WEIR_EDAMAGED, WEIR_ENOMEM. */
weir_err weir_replies_decode(const weir_segment_head *head, const uint8_t *body, size_t n,
                             weir_reply_record *ret, weir_error *error) WEIR_MUST_CHECK;
