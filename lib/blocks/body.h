/* SPDX-License-Identifier: MIT */
/* Columns as one string of bytes, compressed: the body of a segment, and its marks. */

#pragma once
#include <zstd.h>

#include "base/error.h"
#include "blocks/ints.h"
#include "blocks/segment.h"

/* Memory and compressor of an encoder. */
typedef struct weir_body_packer {
    ZSTD_CCtx *zstd, *trial; /* trial: for weir_ints_writer */
    weir_column raw, tried;
} weir_body_packer;

bool weir_body_packer_init(weir_body_packer *packer) WEIR_MUST_CHECK;
void weir_body_packer_deinit(weir_body_packer *packer);

/* Appends the bytes to ret; ret_raw gets their size before compression. */
weir_err weir_body_pack(weir_body_packer *packer, const weir_ints_out *out, weir_effort effort,
                        weir_column *ret, size_t *ret_raw) WEIR_MUST_CHECK;

/* A body of as many bytes as before compression is not compressed. */
typedef struct weir_body_bytes {
    const uint8_t *bytes;
    size_t n, raw;
} weir_body_bytes;

/* Checks size and checksum and decompresses into memory of its own, which ret_in borrows. */
weir_err weir_body_unpack(weir_body_bytes packed, uint32_t crc, uint8_t **ret_raw,
                          weir_ints_in *ret_in, weir_error *error) WEIR_MUST_CHECK;
