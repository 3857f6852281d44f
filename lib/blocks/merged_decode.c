/* SPDX-License-Identifier: MIT */
/* Reads merged blocks back into batches in the order of their seq. */

/*
 * First come the headers of all batches in the order of the groups, then the groups' sizes and
 * shapes, which give each batch its length, its tags and kinds. By the offsets batches get their
 * place in the block; then the columns are read, each value to its place. As in codec 1 every pass
 * counts what it fills against the head.
 */

#include <stdlib.h>

#include "base/alloc.h"
#include "blocks/body.h"
#include "blocks/layout.h"
#include "blocks/merged.h"
#include "blocks/number_key.h"
#include "blocks/packing.h"

struct merged {
    weir_block *block;
    weir_ints_in in;
    weir_ints *column;
    uint64_t (*headers)[HEADER_COUNT + 1]; /* by group; the last is the offset */
    uint32_t n_groups;
    uint32_t *groups;    /* batches of each */
    uint32_t *lengths;   /* samples of each of its batches */
    uint32_t *places;    /* by group: the batch's first sample in the block */
    weir_sample *shapes; /* one behind the other: tags and kinds */
    uint64_t *keys;      /* offset and number by group, to be sorted */
    int64_t *values;     /* a tag's */
    weir_reader forms, firsts, text, streams[MERGED_STREAMS];
};

/* Reads n integers and gives them to `to`, stride apart. */
static weir_ints_result column_get(struct merged *m, size_t n, uint64_t *to, size_t stride)
{
    static const uint32_t start = 0;
    memset(m->column, 0, sizeof *m->column);
    weir_ints_result result = weir_ints_open(m->column, &m->in, n, &start, 1);
    for (size_t i = 0, k; result == WEIR_INTS_OK && i < n; i += k) {
        const int64_t *v = weir_ints_next(m->column, n - i, &k);
        for (size_t j = 0; j < k; j++)
            to[(i + j) * stride] = (uint64_t)v[j];
    }
    weir_ints_deinit(m->column);
    return result;
}

static weir_ints_result headers_read(struct merged *m)
{
    const size_t n = m->block->n_batches;
    for (unsigned c = 0; c <= HEADER_COUNT; c++) {
        weir_ints_result result = column_get(m, n, &m->headers[0][c], HEADER_COUNT + 1);
        if (result != WEIR_INTS_OK)
            return result;
    }
    for (size_t i = 0; i < n; i++) {
        const uint64_t before[HEADER_COUNT] = {0};
        for (unsigned c = 0; c < HEADER_COUNT; c++)
            m->headers[i][c] += header_base(c, before, m->headers[i]);
    }
    return WEIR_INTS_OK;
}

/* Sizes of groups, then their shapes. */
static bool shapes_read(struct merged *m)
{
    const weir_block *b = m->block;
    weir_sample *shape = m->shapes;
    uint64_t n_groups = weir_read_varint(&m->in.meta), batches = 0, samples = 0;
    if (n_groups == 0 || n_groups > b->n_batches)
        return false;
    m->n_groups = (uint32_t)n_groups;
    for (size_t i = 0; i < n_groups; i++) {
        uint64_t n = weir_read_varint(&m->in.meta);
        if (n == 0 || n > b->n_batches - batches)
            return false;
        m->groups[i] = (uint32_t)n;
        batches += n;
    }
    size_t n_bytes = 0;
    const uint8_t *bytes = weir_ints_get_bytes(&m->in, &n_bytes);
    if (!bytes || batches != b->n_batches)
        return false;
    weir_reader r = weir_reader_of(bytes, n_bytes);
    for (size_t i = 0; i < n_groups; i++) {
        uint64_t n = weir_read_varint(&r);
        if (n == 0 || n > (b->count - samples) / m->groups[i])
            return false;
        memset(shape, 0, n * sizeof *shape);
        if (!weir_shape_read(&r, shape, (uint32_t)n))
            return false;
        m->lengths[i] = (uint32_t)n;
        shape += n;
        samples += n * m->groups[i];
    }
    return samples == b->count && weir_reader_left(&r) == 0;
}

static int key_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Batches to their places by offset: no two may share a number. */
static bool batches_place(struct merged *m)
{
    weir_block *b = m->block;
    for (size_t i = 0; i < b->n_batches; i++) {
        if (m->headers[i][HEADER_COUNT] > UINT32_MAX)
            return false;
        m->keys[i] = m->headers[i][HEADER_COUNT] << 32 | i;
    }
    qsort(m->keys, b->n_batches, sizeof *m->keys, key_compare);
    for (size_t g = 0, i = 0; g < m->n_groups; g++)
        for (size_t k = 0; k < m->groups[g]; k++)
            m->places[i++] = m->lengths[g]; /* lengths for now */
    uint32_t at = 0;
    uint64_t end = 0;
    for (size_t i = 0; i < b->n_batches; i++) {
        uint32_t from = (uint32_t)m->keys[i], length = m->places[from];
        b->offsets[i] = (uint32_t)(m->keys[i] >> 32);
        if (b->offsets[i] < end || (i == 0 && b->offsets[i] != 0))
            return false;
        end = (uint64_t)b->offsets[i] + length;
        weir_header_give(&b->batches[i], m->headers[from]);
        b->batches[i].n_samples = length;
        b->batches[i].samples = b->samples + at;
        m->places[from] = at;
        at += length;
    }
    return true;
}

/* Each sample gets tag and kind of its shape and the time of its batch. */
static void samples_spread(struct merged *m)
{
    weir_block *b = m->block;
    const weir_sample *shape = m->shapes;
    for (size_t g = 0, i = 0; g < m->n_groups; shape += m->lengths[g++])
        for (size_t k = 0; k < m->groups[g]; k++, i++)
            memcpy(b->samples + m->places[i], shape, m->lengths[g] * sizeof *shape);
    for (size_t i = 0, at = 0; i < b->n_batches; i++)
        for (size_t k = 0; k < b->batches[i].n_samples; k++)
            b->samples[at++].ts = b->batches[i].due;
}

/* --- columns over all samples -------------------------------------------------------------- */

/* Qualities, or times less the slot. Nearly always they are one run of 0. */
static weir_ints_result samples_read(struct merged *m, bool times)
{
    static const uint32_t start = 0;
    weir_block *b = m->block;
    weir_ints *c = m->column;
    memset(c, 0, sizeof *c);
    weir_ints_result result = weir_ints_open(c, &m->in, b->count, &start, 1);
    bool none = result != WEIR_INTS_OK || (weir_ints_constant(c) && c->run_values[0] == 0);
    const int64_t *v = NULL;
    size_t left = 0, total = b->count;
    for (size_t g = 0, first = 0; !none && g < m->n_groups; first += m->groups[g++])
        for (size_t tag = 0; tag < m->lengths[g]; tag++)
            for (size_t i = 0; i < m->groups[g]; i++, left--, v++) {
                if (left == 0) {
                    v = weir_ints_next(c, total, &left);
                    total -= left;
                }
                weir_sample *s = &b->samples[m->places[first + i] + tag];
                if (times)
                    s->ts.us = (int64_t)((uint64_t)s->ts.us + (uint64_t)*v);
                else
                    s->quality = (weir_quality)*v;
            }
    weir_ints_deinit(c);
    return result;
}

/* --- values ------------------------------------------------------------------------------- */

static bool streams_open(struct merged *m)
{
    weir_reader *readers[2 + MERGED_STREAMS] = {&m->forms, &m->firsts};
    size_t n_readers = 2;
    for (size_t i = MERGED_PACKED_8; i < MERGED_STREAMS; i++)
        readers[n_readers++] = &m->streams[i];
    readers[n_readers++] = &m->text;
    for (size_t i = 0; i < n_readers; i++) {
        size_t n = 0;
        const uint8_t *bytes = weir_ints_get_bytes(&m->in, &n);
        if (!bytes)
            return false;
        *readers[i] = weir_reader_of(bytes, n);
    }
    return true;
}

/* n differences from their stream, less base. */
static bool differences_read(weir_reader *r, unsigned stream, size_t n, uint64_t base, uint64_t *to)
{
    if (stream == MERGED_CONSTANT) {
        for (size_t i = 0; i < n; i++)
            to[i] = base;
        return true;
    }
    if (stream == MERGED_VARINT) {
        for (size_t i = 0; i < n; i++)
            to[i] = (uint64_t)weir_read_svarint(r);
        return !r->failed;
    }
    enum { CHUNK_BYTES = 120 };
    uint8_t symbols[CHUNK_BYTES * 8];
    const unsigned packing = merged_packings[stream], per_byte = packings[packing].per_byte;
    size_t left = packing_bytes(packing, n);
    const uint8_t *from = weir_read_bytes(r, left);
    for (size_t i = 0; from && i < n;) {
        size_t n_bytes = left < CHUNK_BYTES ? left : CHUNK_BYTES, end = i + n_bytes * per_byte;
        packing_unpack(packing, from, n_bytes, symbols);
        for (size_t k = 0; i < end && i < n; i++, k++)
            to[i] = base + symbols[k];
        from += n_bytes;
        left -= n_bytes;
    }
    return from != NULL;
}

/* One tag's n keys, to m->values. */
static bool keys_read(struct merged *m, size_t n)
{
    uint64_t *v = (uint64_t *)m->values, base = 0;
    uint8_t form = weir_read_u8(&m->forms);
    unsigned stream = form & ((1u << MERGED_ORDER_SHIFT) - 1), order = form >> MERGED_ORDER_SHIFT;
    if (stream >= MERGED_STREAMS || order > 2 || order > n)
        return false;
    for (unsigned i = 0; i < order; i++)
        v[i] = (uint64_t)weir_read_svarint(&m->firsts) + (i ? v[i - 1] : 0);
    if (stream != MERGED_VARINT)
        base = (uint64_t)weir_read_svarint(&m->firsts);
    if (m->forms.failed || m->firsts.failed ||
        !differences_read(&m->streams[stream], stream, n - order, base, v + order))
        return false;
    for (size_t i = order; order == 1 && i < n; i++)
        v[i] += v[i - 1];
    for (size_t i = order; order == 2 && i < n; i++)
        v[i] += 2 * v[i - 1] - v[i - 2];
    return true;
}

/* Keys to the numbers they stand for. */
static void numbers_give(const struct merged *m, const uint32_t *places, size_t n, size_t tag,
                         uint8_t scale)
{
    weir_sample *samples = m->block->samples + tag;
    const weir_value first = samples[places[0]].value;
    const int64_t *keys = m->values;
    if (scale != SCALE_NONE) {
        const double power = weir_pow10_double(scale);
        for (size_t i = 0; i < n; i++) {
            double v = (double)keys[i] / power;
            samples[places[i]].value =
                first.kind == WEIR_KIND_F64 ? weir_value_f64(v) : weir_value_f32((float)v);
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = key_bits(first.kind, SCALE_NONE, keys[i]);
        samples[places[i]].value = value_of_bits(first.kind, first.exponent,
                                                 first.kind == WEIR_KIND_BOOL ? bits & 1 : bits);
    }
}

/* Keys are lengths. */
static bool texts_give(struct merged *m, const uint32_t *places, size_t n, size_t tag)
{
    for (size_t i = 0; i < n; i++) {
        weir_value *v = &m->block->samples[places[i] + tag].value;
        int64_t length = m->values[i];
        if (length < 0 || length > WEIR_VALUE_LENGTH_MAX)
            return false;
        v->length = (uint32_t)length;
        v->as.bytes = weir_read_bytes(&m->text, (size_t)length);
        if (!v->as.bytes)
            return false;
    }
    return true;
}

/* The values of one tag in the batches at these places. */
static bool tag_read(struct merged *m, const uint32_t *places, size_t n, size_t tag)
{
    const uint8_t kind = m->block->samples[places[0] + tag].value.kind;
    uint8_t scale = SCALE_NONE;
    if (kind == WEIR_KIND_NULL)
        return true;
    if (kind == WEIR_KIND_F32 || kind == WEIR_KIND_F64) {
        scale = weir_read_u8(&m->forms);
        if (scale > SCALE_MAX_F64 && scale != SCALE_NONE)
            return false;
    }
    if (!keys_read(m, n))
        return false;
    if (kind >= WEIR_KIND_STRING)
        return texts_give(m, places, n, tag);
    numbers_give(m, places, n, tag, scale);
    return true;
}

static bool values_read(struct merged *m)
{
    if (!streams_open(m))
        return false;
    const uint32_t *places = m->places;
    for (size_t g = 0; g < m->n_groups; places += m->groups[g++])
        for (size_t tag = 0; tag < m->lengths[g]; tag++)
            if (!tag_read(m, places, m->groups[g], tag))
                return false;
    size_t left = weir_reader_left(&m->forms) + weir_reader_left(&m->firsts) +
                  weir_reader_left(&m->text) + weir_reader_left(&m->in.meta) +
                  weir_reader_left(&m->in.data);
    for (size_t i = MERGED_PACKED_8; i < MERGED_STREAMS; i++)
        left += weir_reader_left(&m->streams[i]);
    return left == 0;
}

/* --- the whole ---------------------------------------------------------------------------- */

static weir_ints_result merged_read(struct merged *m)
{
    weir_ints_result result = headers_read(m);
    if (result != WEIR_INTS_OK)
        return result;
    if (!shapes_read(m) || !batches_place(m))
        return WEIR_INTS_DAMAGED;
    samples_spread(m);
    result = samples_read(m, false);
    if (result == WEIR_INTS_OK)
        result = samples_read(m, true);
    return result == WEIR_INTS_OK && !values_read(m) ? WEIR_INTS_DAMAGED : result;
}

weir_err weir_merged_decode(const weir_block_head *head, const uint8_t *body, weir_block *block,
                            weir_error *error)
{
    struct merged m = {.block = block};
    weir_err err = weir_body_unpack((weir_body_bytes){body, head->body_size, head->raw_size},
                                    head->body_crc, &block->raw, &m.in, error);
    if (err != WEIR_OK)
        return err;
    const size_t n = block->n_batches;
    WEIR_CLEANUP(weir_free) void *column = m.column = weir_alloc(sizeof *m.column);
    WEIR_CLEANUP(weir_free) void *headers = m.headers = weir_alloc_zero(n, sizeof *m.headers);
    WEIR_CLEANUP(weir_free) void *numbers = weir_alloc_zero(n, 3 * sizeof(uint32_t));
    WEIR_CLEANUP(weir_free) void *keys = m.keys = weir_alloc(n * sizeof *m.keys);
    WEIR_CLEANUP(weir_free) void *shapes = m.shapes = weir_alloc(block->count * sizeof *m.shapes);
    WEIR_CLEANUP(weir_free) void *values = m.values = weir_alloc(n * sizeof *m.values);
    if (!column || !headers || !numbers || !keys || !shapes || !values)
        return weir_fail(error, WEIR_ENOMEM, "no memory to decode a block");
    m.groups = numbers;
    m.lengths = m.groups + n;
    m.places = m.lengths + n;
    weir_ints_result result = merged_read(&m);
    if (result == WEIR_INTS_NO_MEMORY)
        return weir_fail(error, WEIR_ENOMEM, "no memory to decode a block");
    if (result != WEIR_INTS_OK)
        return weir_fail(error, WEIR_EDAMAGED, "block contradicts itself");
    return WEIR_OK;
}
