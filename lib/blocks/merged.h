/* SPDX-License-Identifier: MIT */
/* Columns of merged blocks: what their writer and their reader must agree on. */

#pragma once
#include <stdint.h>

/*
 * The values of one tag in the batches of one shape. Few as they are, a column must not say much
 * about itself: a byte for its form, in which streams of like columns its differences lie, and its
 * first numbers. Orders are those of differences.
 */
enum {
    MERGED_CONSTANT, /* no differences */
    MERGED_PACKED_8, /* several in a byte */
    MERGED_PACKED_4,
    MERGED_PACKED_2,
    MERGED_BYTES,
    MERGED_VARINT, /* zigzag */
    MERGED_STREAMS,
    MERGED_ORDER_SHIFT = 4, /* form = stream | order << 4 */
};

/* The packing of a stream's bytes, by packing.h; of MERGED_VARINT none. */
static const uint8_t merged_packings[MERGED_STREAMS] = {0, 5, 3, 1, 0, 0};
