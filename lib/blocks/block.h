/* SPDX-License-Identifier: MIT */
/* The block codec: batches to bytes and back, every bit kept. docs/design/store.md has the format.
 */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/sample.h"

/* Bounds of one block. The decoder checks them before it allocates. */
enum {
    WEIR_BLOCK_CODEC = 1,                          /* transposed columns + zstd */
    WEIR_BLOCK_CODEC_MERGED = 2,                   /* columns by tag + zstd */
    WEIR_BLOCK_VERSION = 1,                        /* of both */
    WEIR_BLOCK_BATCH_MAX = 64 * 1024,              /* samples of one batch */
    WEIR_BLOCK_BATCH_BYTES_MAX = 16 * 1024 * 1024, /* strings and bytes of one batch together */
    WEIR_BLOCK_FULL = 64 * 1024,                   /* samples from which a block takes no more */
    WEIR_BLOCK_FULL_BYTES = 1024 * 1024,           /* likewise bytes of its strings */
    WEIR_BLOCK_COUNT_MAX = WEIR_BLOCK_FULL + WEIR_BLOCK_BATCH_MAX,
    WEIR_BLOCK_RAW_MAX = 48 * 1024 * 1024, /* body before compression */
};

/*
 * Gathers batches in memory. Appending copies, without an allocation per sample; encoding
 * transposes and compresses. Not thread-safe.
 */
typedef struct weir_block_builder weir_block_builder;

weir_block_builder *weir_block_builder_new(void) WEIR_MUST_CHECK; /* NULL: out of memory */
void weir_block_builder_free(weir_block_builder *builder);        /* accepts NULL */

/*
 * Copies a batch behind those before it; one without samples adds nothing. Batches are never
 * split: ask weir_block_builder_full first. On failure the builder is as before.
 *
 * WEIR_EINVAL   a kind that does not exist, or a string longer than WEIR_VALUE_LENGTH_MAX.
 * WEIR_ELIMIT   the batch is larger than a block may be, or the block is full.
 * WEIR_ENOMEM
 */
weir_err weir_block_builder_append(weir_block_builder *builder, const weir_batch *batch,
                                   weir_error *error) WEIR_MUST_CHECK;

void weir_block_builder_clear(weir_block_builder *builder); /* keeps the memory */
bool weir_block_builder_full(const weir_block_builder *builder);
size_t weir_block_builder_count(const weir_block_builder *builder); /* samples */
size_t weir_block_builder_bytes(const weir_block_builder *builder); /* about what they take */

/*
 * Merged blocks, codec 2, level 1: batches of several commits. Each batch comes with the seq of its
 * first sample, ascending; the block keeps them grouped by shape, values in columns by tag. All
 * else as above: builder, encode, clear and full are the same for both; append is for the first
 * kind only, append_at for this one.
 *
 * WEIR_EINVAL   also: a seq not behind the batch before.
 */
weir_block_builder *weir_block_builder_new_merged(void) WEIR_MUST_CHECK;
weir_err weir_block_builder_append_at(weir_block_builder *builder, const weir_batch *batch,
                                      uint64_t seq, weir_error *error) WEIR_MUST_CHECK;

/* An encoded block: the head says what is inside and can be read without the body. */
typedef struct weir_block_bytes {
    const uint8_t *head;
    size_t head_length;
    const uint8_t *body;
    size_t body_length;
} weir_block_bytes;

/* Encodes all that was appended. The bytes are the builder's and live until it is next changed;
 * calling again without a change costs nothing. WEIR_EINVAL: nothing was appended. WEIR_ENOMEM. */
weir_err weir_block_builder_encode(weir_block_builder *builder, weir_block_bytes *ret,
                                   weir_error *error) WEIR_MUST_CHECK;

/* What a head says. Borrows the bytes it was read from. */
typedef struct weir_block_head {
    uint8_t codec;
    uint8_t level;
    uint8_t version;
    uint32_t count;
    uint32_t n_batches;
    weir_wall min_ts, max_ts;
    uint32_t raw_size;  /* of the body, decompressed */
    uint32_t body_size; /* compressed */
    uint32_t body_crc;
    uint32_t n_ranges;
    const uint8_t *ranges; /* tags inside, as ascending ranges; ask weir_block_head_has_any */
    size_t ranges_length;
    size_t head_length; /* what follows in the bytes is not the head's */
} weir_block_head;

/*
 * Reads and checks a head; bytes behind it are ignored.
 *
 * WEIR_EUNSUPPORTED   a codec or version this program does not know; error has its number.
 * WEIR_EDAMAGED       cut short, wrong checksum, impossible numbers.
 */
weir_err weir_block_head_parse(const uint8_t *bytes, size_t n, weir_block_head *ret,
                               weir_error *error) WEIR_MUST_CHECK;

/* Whether a tag of the set (ascending) is inside. */
bool weir_block_head_has_any(const weir_block_head *head, const weir_tag_uid *sorted, size_t n);

/* A decoded block: batches in order of their sequence numbers, their samples side by side. */
typedef struct weir_block {
    size_t n_batches;
    weir_batch *batches; /* each borrows its part of samples; ascending by seq */
    uint32_t *offsets;   /* [n_batches]: the seq of a batch's first sample, minus the row's */
    size_t count;
    weir_sample *samples; /* strings and bytes borrow from the block */
    uint8_t *raw;
} weir_block;

/* The body has at least head->body_size bytes; what is behind them is ignored. WEIR_EDAMAGED,
 * WEIR_ENOMEM. */
weir_err weir_block_decode(const weir_block_head *head, const uint8_t *body, size_t n,
                           weir_block **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_block_free(weir_block *block); /* accepts NULL */

WEIR_DEFINE_CLEANUP(weir_block_builder, weir_block_builder_free)
WEIR_DEFINE_CLEANUP(weir_block, weir_block_free)
