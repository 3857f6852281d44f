/* SPDX-License-Identifier: MIT */
/* The block decoder: reads heads, and bodies back into batches. */

/*
 * The bytes may be anyone's. The head is checked by its checksum and then number by number; it
 * bounds all that is allocated for the body. The body must decompress to exactly the size the
 * head names; then one pass fills the headers, one the shapes (tag and kind of each sample), and
 * one each the qualities, times and values. Each pass counts what it fills against the head's
 * count, so none can write or loop past it, and what is left over at the end is an error too.
 */

#include "blocks/block.h"

#include <zstd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc.h"
#include "blocks/layout.h"

/* --- head --------------------------------------------------------------------------------- */

/* Ascending, apart from each other, none past the last uid. */
static bool ranges_check(weir_reader *r, uint32_t n)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        uint64_t gap = weir_read_varint(r);
        uint64_t length = weir_read_varint(r);
        if ((i > 0 && gap < 2) || gap > UINT32_MAX || length > UINT32_MAX)
            return false;
        at += gap + length;
        if (at > UINT32_MAX)
            return false;
    }
    return !r->failed;
}

static bool head_numbers(weir_reader *r, weir_block_head *h)
{
    uint64_t count = weir_read_varint(r);
    uint64_t n_batches = weir_read_varint(r);
    uint64_t min_ts = weir_read_u64(r);
    uint64_t span = weir_read_varint(r);
    uint64_t raw_size = weir_read_varint(r);
    uint64_t body_size = weir_read_varint(r);
    h->body_crc = weir_read_u32(r);
    uint64_t n_ranges = weir_read_varint(r);
    if (r->failed || count == 0 || count > WEIR_BLOCK_COUNT_MAX || n_batches == 0 ||
        n_batches > count || raw_size > WEIR_BLOCK_RAW_MAX || body_size > 2 * WEIR_BLOCK_RAW_MAX ||
        n_ranges == 0 || n_ranges > count)
        return false;
    h->count = (uint32_t)count;
    h->n_batches = (uint32_t)n_batches;
    h->min_ts.us = (int64_t)min_ts;
    h->max_ts.us = (int64_t)(min_ts + span);
    h->raw_size = (uint32_t)raw_size;
    h->body_size = (uint32_t)body_size;
    h->n_ranges = (uint32_t)n_ranges;
    return h->min_ts.us <= h->max_ts.us;
}

weir_err weir_block_head_parse(const uint8_t *bytes, size_t n, weir_block_head *ret,
                               weir_error *error)
{
    weir_reader r = weir_reader_of(bytes, n);
    weir_block_head h = {0};
    h.codec = weir_read_u8(&r);
    h.level = weir_read_u8(&r);
    h.version = weir_read_u8(&r);
    if (r.failed)
        return weir_fail(error, WEIR_EDAMAGED, "block head cut short");
    if (h.codec != WEIR_BLOCK_CODEC && h.codec != WEIR_BLOCK_CODEC_MERGED)
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "block of codec %u: this version knows codecs %d and %d", h.codec,
                         WEIR_BLOCK_CODEC, WEIR_BLOCK_CODEC_MERGED);
    if (h.version != WEIR_BLOCK_VERSION)
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "block of codec %u version %u: this version knows version %d", h.codec,
                         h.version, WEIR_BLOCK_VERSION);
    if (!head_numbers(&r, &h))
        return weir_fail(error, WEIR_EDAMAGED, "block head with impossible numbers");
    h.ranges = r.at;
    if (!ranges_check(&r, h.n_ranges))
        return weir_fail(error, WEIR_EDAMAGED, "block head with an impossible list of tags");
    h.ranges_length = (size_t)(r.at - h.ranges);
    uint32_t crc = weir_crc32c(0, bytes, (size_t)(r.at - bytes));
    if (weir_read_u32(&r) != crc || r.failed)
        return weir_fail(error, WEIR_EDAMAGED, "block head does not match its checksum");
    h.head_length = (size_t)(r.at - bytes);
    *ret = h;
    return WEIR_OK;
}

/* First index whose uid is not below `uid`. */
static size_t uid_lower_bound(const weir_tag_uid *sorted, size_t n, uint64_t uid)
{
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (sorted[middle] < uid)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

bool weir_block_head_has_any(const weir_block_head *head, const weir_tag_uid *sorted, size_t n)
{
    weir_reader r = weir_reader_of(head->ranges, head->ranges_length);
    uint64_t last = 0;
    for (uint32_t i = 0; i < head->n_ranges; i++) {
        uint64_t first = last + weir_read_varint(&r);
        last = first + weir_read_varint(&r);
        size_t at = uid_lower_bound(sorted, n, first);
        if (at == n)
            return false;
        if (sorted[at] <= last)
            return true;
    }
    return false;
}

/* --- body --------------------------------------------------------------------------------- */

void weir_block_free(weir_block *block)
{
    if (!block)
        return;
    weir_free(block->batches);
    weir_free(block->offsets);
    weir_free(block->samples);
    weir_free(block->raw);
    weir_free(block);
}

void weir_header_give(weir_batch *b, const uint64_t v[HEADER_COUNT])
{
    b->connection = (uint32_t)v[HEADER_CONNECTION];
    b->device = (uint32_t)v[HEADER_DEVICE];
    b->catalog_revision = (uint32_t)v[HEADER_REVISION];
    b->epoch = (uint32_t)v[HEADER_EPOCH];
    b->flags = (uint32_t)v[HEADER_FLAGS];
    b->plans = v[HEADER_PLANS];
    b->fence = v[HEADER_FENCE];
    b->due.us = (int64_t)v[HEADER_DUE];
    b->sent.us = (int64_t)v[HEADER_SENT];
    b->received.us = (int64_t)v[HEADER_RECEIVED];
    b->anchor_us = (int64_t)v[HEADER_ANCHOR];
}

/* Column by column, as they lie. The 32-bit numbers are cut by weir_header_give and header_take
 * alike.
 */
static bool headers_read(weir_reader *r, weir_block *block)
{
    for (unsigned column = 0; column < HEADER_COUNT; column++) {
        uint64_t before[HEADER_COUNT] = {0}, self[HEADER_COUNT];
        for (size_t i = 0; i < block->n_batches && !r->failed; i++) {
            header_take(&block->batches[i], self);
            self[column] = header_base(column, before, self) + (uint64_t)weir_read_svarint(r);
            before[column] = self[column];
            weir_header_give(&block->batches[i], self);
        }
    }
    return !r->failed;
}

/* A shape written out: the tags and kinds of n samples. */
bool weir_shape_read(weir_reader *r, weir_sample *samples, uint32_t n)
{
    weir_tag_uid tag = 0;
    for (uint32_t i = 0; i < n;) {
        tag += (weir_tag_uid)weir_read_svarint(r);
        uint64_t run = weir_read_varint(r);
        if (r->failed || run == 0 || run > n - i)
            return false;
        for (; run; run--)
            samples[i++].tag = tag++;
        tag--;
    }
    for (uint32_t i = 0; i < n;) {
        uint8_t kind = weir_read_u8(r);
        uint8_t exponent = kind == WEIR_KIND_DECIMAL ? weir_read_u8(r) : 0;
        uint64_t run = weir_read_varint(r);
        if (r->failed || kind >= WEIR_KIND_COUNT || run == 0 || run > n - i)
            return false;
        for (; run; run--, i++)
            samples[i].value = (weir_value){.kind = kind, .exponent = (int8_t)exponent};
    }
    return true;
}

/* Gives each batch its part of the samples, with tags and kinds. A shape is written out where it
 * is first used; a later batch of that shape copies from the first. first_use has room for the
 * batch that wrote out each shape. */
static bool shapes_read(weir_reader *r, weir_block *block, uint32_t *first_use)
{
    weir_reader numbers = *r; /* the shape of each batch */
    for (size_t i = 0; i < block->n_batches; i++)
        (void)weir_read_varint(r);
    if (r->failed)
        return false;

    size_t n_shapes = 0, used = 0;
    for (size_t i = 0; i < block->n_batches; i++) {
        weir_batch *b = &block->batches[i];
        uint64_t shape = weir_read_varint(&numbers);
        uint64_t n =
            shape < n_shapes ? block->batches[first_use[shape]].n_samples : weir_read_varint(r);
        if (shape > n_shapes || n == 0 || n > block->count - used)
            return false;
        weir_sample *samples = block->samples + used;
        if (shape < n_shapes)
            memcpy(samples, block->batches[first_use[shape]].samples, n * sizeof *samples);
        else if (weir_shape_read(r, samples, (uint32_t)n))
            first_use[n_shapes++] = (uint32_t)i;
        else
            return false;
        b->samples = samples;
        b->n_samples = (uint32_t)n;
        used += n;
    }
    return used == block->count;
}

static bool qualities_read(weir_reader *r, weir_block *block)
{
    uint64_t n = weir_read_varint(r);
    size_t at = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t run = weir_read_varint(r);
        uint64_t quality = weir_read_varint(r);
        if (r->failed || run == 0 || run > block->count - at || quality > UINT32_MAX)
            return false;
        for (; run; run--)
            block->samples[at++].quality = (weir_quality)quality;
    }
    return !r->failed && (n == 0 || at == block->count);
}

/* First every sample gets its slot, then those with a time of their own get it. */
static bool times_read(weir_reader *r, weir_block *block)
{
    for (size_t i = 0, at = 0; i < block->n_batches; i++)
        for (size_t j = 0; j < block->batches[i].n_samples; j++)
            block->samples[at++].ts = block->batches[i].due;

    uint64_t n = weir_read_varint(r), at = 0;
    weir_reader runs = *r;
    for (uint64_t i = 0; i < n && !r->failed; i++) {
        (void)weir_read_varint(r);
        (void)weir_read_varint(r);
    }
    uint64_t ts = 0;
    for (uint64_t i = 0; i < n && !r->failed; i++) {
        uint64_t on_slot = weir_read_varint(&runs);
        uint64_t own = weir_read_varint(&runs);
        if (on_slot > block->count - at || own > block->count - at - on_slot ||
            (on_slot == 0 && own == 0))
            return false;
        for (at += on_slot; own; own--) {
            ts += (uint64_t)weir_read_svarint(r);
            block->samples[at++].ts.us = (int64_t)ts;
        }
    }
    return !r->failed && (n == 0 || at == block->count);
}

/* The numbers of one kind: where its planes lie. */
struct planes {
    const uint8_t *at;
    size_t n;       /* items, the length of a plane */
    unsigned width; /* planes */
    size_t next;    /* item */
};

static bool planes_read(weir_reader *r, const weir_block *block,
                        struct planes planes[WEIR_KIND_COUNT])
{
    for (size_t i = 0; i < block->count; i++)
        planes[block->samples[i].value.kind].n++;
    for (size_t kind = WEIR_KIND_BOOL; kind < WEIR_KIND_COUNT; kind++) {
        struct planes *p = &planes[kind];
        if (p->n == 0)
            continue;
        p->width = weir_read_u8(r);
        if (p->width > 8)
            return false;
        p->at = weir_read_bytes(r, p->n * p->width);
    }
    return !r->failed;
}

static uint64_t planes_next(struct planes *p)
{
    uint64_t v = 0;
    for (unsigned plane = 0; plane < p->width; plane++)
        v |= (uint64_t)p->at[plane * p->n + p->next] << 8 * plane;
    p->next++;
    return v;
}

static bool contents_read(weir_reader *r, weir_block *block, uint8_t kind)
{
    for (size_t i = 0; i < block->count; i++) {
        weir_value *v = &block->samples[i].value;
        if (v->kind == kind)
            v->as.bytes = weir_read_bytes(r, v->length);
    }
    return !r->failed;
}

static bool values_read(weir_reader *r, weir_block *block)
{
    struct planes planes[WEIR_KIND_COUNT] = {0};
    if (!planes_read(r, block, planes))
        return false;
    for (size_t i = 0; i < block->count; i++) {
        weir_value *v = &block->samples[i].value;
        if (v->kind == WEIR_KIND_NULL)
            continue;
        uint64_t number = planes_next(&planes[v->kind]);
        if (kind_is_signed(v->kind))
            v->as.i = weir_unzigzag(number);
        else if (v->kind < WEIR_KIND_STRING)
            v->as.bits = number;
        else if (number <= WEIR_VALUE_LENGTH_MAX)
            v->length = (uint32_t)number;
        else
            return false;
    }
    return contents_read(r, block, WEIR_KIND_STRING) && contents_read(r, block, WEIR_KIND_BYTES);
}

static bool block_agrees(const weir_block *block, const weir_block_head *head)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (size_t i = 0; i < block->count; i++) {
        int64_t ts = block->samples[i].ts.us;
        min = ts < min ? ts : min;
        max = ts > max ? ts : max;
    }
    return min == head->min_ts.us && max == head->max_ts.us;
}

static weir_err body_decompress(const weir_block_head *head, const uint8_t *body, weir_block *block,
                                weir_error *error)
{
    if (weir_crc32c(0, body, head->body_size) != head->body_crc)
        return weir_fail(error, WEIR_EDAMAGED, "block does not match its checksum");
    if (ZSTD_getFrameContentSize(body, head->body_size) != head->raw_size)
        return weir_fail(error, WEIR_EDAMAGED, "block is not of the size its head names");
    block->raw = weir_alloc(head->raw_size);
    if (!block->raw)
        return weir_fail(error, WEIR_ENOMEM, "no memory to decode a block");
    if (ZSTD_decompress(block->raw, head->raw_size, body, head->body_size) != head->raw_size)
        return weir_fail(error, WEIR_EDAMAGED, "block cannot be decompressed");
    return WEIR_OK;
}

/* In codec 1 numbers run on. */
static void offsets_count(weir_block *block)
{
    uint32_t offset = 0;
    for (size_t i = 0; i < block->n_batches; i++) {
        block->offsets[i] = offset;
        offset += block->batches[i].n_samples;
    }
}

static weir_err rows_decode(const weir_block_head *head, const uint8_t *body, weir_block *block,
                            weir_error *error)
{
    weir_err err = body_decompress(head, body, block, error);
    if (err != WEIR_OK)
        return err;
    WEIR_CLEANUP(weir_free) void *first_use = weir_alloc(block->n_batches * sizeof(uint32_t));
    if (!first_use)
        return weir_fail(error, WEIR_ENOMEM, "no memory to decode a block");
    weir_reader r = weir_reader_of(block->raw, head->raw_size);
    if (!headers_read(&r, block) || !shapes_read(&r, block, first_use) ||
        !qualities_read(&r, block) || !times_read(&r, block) || !values_read(&r, block) ||
        weir_reader_left(&r) != 0)
        return weir_fail(error, WEIR_EDAMAGED, "block contradicts itself");
    offsets_count(block);
    return WEIR_OK;
}

weir_err weir_block_decode(const weir_block_head *head, const uint8_t *body, size_t n,
                           weir_block **ret, weir_error *error)
{
    if (n < head->body_size)
        return weir_fail(error, WEIR_EDAMAGED, "block cut short");
    WEIR_CLEANUP(weir_block_free) weir_block *block = weir_alloc_zero(1, sizeof *block);
    if (!block)
        return weir_fail(error, WEIR_ENOMEM, "no memory to decode a block");
    block->n_batches = head->n_batches;
    block->count = head->count;
    block->batches = weir_alloc_zero(block->n_batches, sizeof *block->batches);
    block->offsets = weir_alloc_zero(block->n_batches, sizeof *block->offsets);
    block->samples = weir_alloc_zero(block->count, sizeof *block->samples);
    if (!block->batches || !block->offsets || !block->samples)
        return weir_fail(error, WEIR_ENOMEM, "no memory to decode a block");
    weir_err err = head->codec == WEIR_BLOCK_CODEC_MERGED
                       ? weir_merged_decode(head, body, block, error)
                       : rows_decode(head, body, block, error);
    if (err != WEIR_OK)
        return err;
    if (!block_agrees(block, head))
        return weir_fail(error, WEIR_EDAMAGED, "block contradicts its head");
    *ret = block;
    block = NULL;
    return WEIR_OK;
}
