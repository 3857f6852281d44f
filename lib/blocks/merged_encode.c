/* SPDX-License-Identifier: MIT */
/* Merged blocks: batches of many commits, grouped by shape, values in columns by tag. */

/*
 * Batches of one shape come from one device: side by side their headers differ little and the
 * values of each tag make a column. Headers, qualities and times are columns of integers over all
 * batches or samples in the order of the groups. Values are too many columns with too few numbers
 * for that: each has one byte of form, and its differences go to one of a few streams together with
 * those of columns like it.
 */

#include "base/alloc.h"
#include "blocks/body.h"
#include "blocks/builder_priv.h"
#include "blocks/layout.h"
#include "blocks/merged.h"
#include "blocks/number_key.h"
#include "blocks/packing.h"

struct weir_merged {
    weir_body_packer packer;
    weir_ints_writer writer;
    weir_ints_out out;
    weir_column order;    /* uint32_t: batches by shape, then seq */
    weir_column groups;   /* uint32_t: how many batches have each shape */
    weir_column first_at; /* uint32_t: first sample of each batch */
    weir_column values;   /* int64_t */
    weir_column forms, firsts, text;
    weir_column streams[MERGED_STREAMS];
};

struct weir_merged *weir_merged_new(void)
{
    struct weir_merged *m = weir_alloc_zero(1, sizeof *m);
    if (m && !weir_body_packer_init(&m->packer)) {
        weir_merged_free(m);
        return NULL;
    }
    return m;
}

void weir_merged_free(struct weir_merged *m)
{
    if (!m)
        return;
    weir_body_packer_deinit(&m->packer);
    weir_ints_writer_deinit(&m->writer);
    weir_ints_out_deinit(&m->out);
    weir_column *columns[] = {&m->order, &m->groups, &m->first_at, &m->values,
                              &m->forms, &m->firsts, &m->text};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        weir_free(columns[i]->at);
    for (size_t i = 0; i < MERGED_STREAMS; i++)
        weir_free(m->streams[i].at);
    weir_free(m);
}

/* --- groups ------------------------------------------------------------------------------- */

/* Sorts the batches by shape; those of a shape stay in order. */
static bool groups_make(struct weir_merged *m, const weir_block_builder *b)
{
    size_t n = b->batches.n, n_shapes = b->shapes.n;
    const uint32_t *shapes = b->batch_shapes.at;
    const weir_batch *batches = b->batches.at;
    m->order.n = m->groups.n = m->first_at.n = m->values.n = 0;
    if (!weir_column_reserve(&m->order, n, sizeof(uint32_t)) ||
        !weir_column_reserve(&m->first_at, n, sizeof(uint32_t)) ||
        !weir_column_reserve(&m->groups, n_shapes + 1, sizeof(uint32_t)) ||
        !weir_column_reserve(&m->values, b->count, sizeof(int64_t)))
        return false;
    uint32_t *groups = m->groups.at, *order = m->order.at, *first_at = m->first_at.at, at = 0;
    memset(groups, 0, (n_shapes + 1) * sizeof *groups);
    for (size_t i = 0; i < n; i++) {
        groups[shapes[i] + 1]++;
        first_at[i] = at;
        at += batches[i].n_samples;
    }
    for (size_t i = 1; i <= n_shapes; i++)
        groups[i] += groups[i - 1];
    for (size_t i = 0; i < n; i++)
        order[groups[shapes[i]]++] = (uint32_t)i; /* now where the next group starts */
    return true;
}

/* Where a group lies in order. */
struct group {
    const uint32_t *batches;
    size_t n;
};

static struct group group_of(const struct weir_merged *m, size_t shape)
{
    const uint32_t *ends = m->groups.at, *order = m->order.at;
    uint32_t start = shape ? ends[shape - 1] : 0;
    return (struct group){order + start, ends[shape] - start};
}

/* --- columns over all --------------------------------------------------------------------- */

static void column_put(struct weir_merged *m, size_t n)
{
    static const uint32_t start = 0;
    weir_ints_write(&m->writer, &m->out, m->values.at, n, &start, 1);
}

static void headers_put(struct weir_merged *m, const weir_block_builder *b)
{
    const weir_batch *batches = b->batches.at;
    const uint64_t *seqs = b->seqs.at;
    const uint32_t *order = m->order.at;
    size_t n = b->batches.n;
    int64_t *v = m->values.at;
    for (unsigned column = 0; column < HEADER_COUNT; column++) {
        const uint64_t before[HEADER_COUNT] = {0};
        for (size_t i = 0; i < n; i++) {
            uint64_t self[HEADER_COUNT];
            header_take(&batches[order[i]], self);
            v[i] = (int64_t)(self[column] - header_base(column, before, self));
        }
        column_put(m, n);
    }
    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)(seqs[order[i]] - seqs[0]);
    column_put(m, n);
}

static void shapes_put(struct weir_merged *m, const weir_block_builder *b)
{
    weir_ints_put_varint(&m->out, b->shapes.n);
    for (size_t i = 0; i < b->shapes.n; i++)
        weir_ints_put_varint(&m->out, group_of(m, i).n);
    weir_ints_put_bytes(&m->out, b->shape_bytes.at, b->shape_bytes.n);
}

/* Qualities, then times less the slot, by shape, tag, batch. */
static void samples_put(struct weir_merged *m, const weir_block_builder *b, bool times)
{
    const weir_sample *samples = b->samples.at;
    const weir_batch *batches = b->batches.at;
    const uint32_t *first_at = m->first_at.at;
    int64_t *v = m->values.at;
    size_t n = 0;
    for (size_t shape = 0; shape < b->shapes.n; shape++) {
        struct group g = group_of(m, shape);
        for (size_t tag = 0; tag < batches[g.batches[0]].n_samples; tag++)
            for (size_t i = 0; i < g.n; i++) {
                const weir_sample *s = &samples[first_at[g.batches[i]] + tag];
                v[n++] =
                    times ? (int64_t)((uint64_t)s->ts.us - (uint64_t)batches[g.batches[i]].due.us)
                          : (int64_t)s->quality;
            }
    }
    column_put(m, n);
}

/* --- values ------------------------------------------------------------------------------- */

/* The scale by which all floats of a column are integers, which then replace their bits; with
 * SCALE_NONE their keys do. */
static uint8_t keys_make(int64_t *v, size_t n, uint8_t kind)
{
    uint8_t scale = SCALE_NONE;
    if (kind == WEIR_KIND_F32 || kind == WEIR_KIND_F64) {
        /* More digits than these are hardly meant: the bits say the same in less time. */
        const uint8_t max = kind == WEIR_KIND_F32 ? 4 : 6;
        for (uint8_t s = 0; s <= max && scale == SCALE_NONE; s++) {
            double power = weir_pow10_double(s);
            int64_t key;
            size_t i = 0;
            while (i < n && scaled_key(kind, (uint64_t)v[i], power, &key))
                i++;
            scale = i == n ? s : SCALE_NONE;
        }
    }
    for (size_t i = 0; i < n; i++)
        (void)bits_key(kind, scale, (uint64_t)v[i], &v[i]);
    return scale;
}

/* What a column's differences of an order need. */
struct span {
    int64_t least, most;
    uint64_t sum; /* of bits, about */
};

static struct span span_of(const int64_t *v, size_t n, unsigned order)
{
    struct span s = {INT64_MAX, INT64_MIN, 0};
    for (size_t i = order; i < n; i++) {
        uint64_t r = (uint64_t)v[i];
        if (order > 0)
            r -= (uint64_t)v[i - 1];
        if (order > 1)
            r -= (uint64_t)v[i - 1] - (uint64_t)v[i - 2];
        int64_t x = (int64_t)r;
        s.least = x < s.least ? x : s.least;
        s.most = x > s.most ? x : s.most;
        s.sum += 64 - (unsigned)__builtin_clzll(weir_zigzag(x) | 1);
    }
    return s;
}

static unsigned stream_for(const struct span *s)
{
    uint64_t top = (uint64_t)s->most - (uint64_t)s->least;
    if (top == 0)
        return MERGED_CONSTANT;
    for (unsigned stream = MERGED_PACKED_8; stream <= MERGED_BYTES; stream++)
        if (top < packings[merged_packings[stream]].radix)
            return stream;
    return MERGED_VARINT;
}

/* The differences go to their stream, in whole bytes. */
static bool differences_put(weir_column *to, const int64_t *v, size_t n, unsigned order,
                            unsigned stream, int64_t least)
{
    if (!weir_column_reserve(to, n * WEIR_VARINT_MAX, 1))
        return false;
    const struct packing *p = &packings[merged_packings[stream]];
    unsigned byte = 0, weight = 1, filled = 0;
    for (size_t i = order; i < n; i++) {
        uint64_t r = (uint64_t)v[i];
        if (order > 0)
            r -= (uint64_t)v[i - 1];
        if (order > 1)
            r -= (uint64_t)v[i - 1] - (uint64_t)v[i - 2];
        if (stream == MERGED_VARINT) {
            weir_column_put_varint(to, weir_zigzag((int64_t)r));
            continue;
        }
        byte += (unsigned)(r - (uint64_t)least) * weight;
        weight *= p->radix;
        if (++filled == p->per_byte || i + 1 == n) {
            weir_column_put_u8(to, (uint8_t)byte);
            byte = filled = 0;
            weight = 1;
        }
    }
    return true;
}

/* One tag's n keys: form, first numbers, differences. */
static bool keys_put(struct weir_merged *m, const int64_t *v, size_t n)
{
    unsigned order = 0;
    struct span span = span_of(v, n, 0);
    for (unsigned o = 1; o < 3 && o < n; o++) {
        struct span s = span_of(v, n, o);
        if (stream_for(&s) < stream_for(&span) ||
            (stream_for(&s) == stream_for(&span) && s.sum < span.sum)) {
            span = s;
            order = o;
        }
    }
    unsigned stream = stream_for(&span);
    if (!weir_column_reserve(&m->forms, 1, 1) ||
        !weir_column_reserve(&m->firsts, 3 * WEIR_VARINT_MAX, 1))
        return false;
    weir_column_put_u8(&m->forms, (uint8_t)(stream | order << MERGED_ORDER_SHIFT));
    for (unsigned i = 0; i < order; i++)
        weir_column_put_delta(&m->firsts, (uint64_t)v[i], i ? (uint64_t)v[i - 1] : 0);
    if (stream != MERGED_VARINT)
        weir_column_put_varint(&m->firsts, weir_zigzag(span.least));
    return stream == MERGED_CONSTANT ||
           differences_put(&m->streams[stream], v, n, order, stream, span.least);
}

/* Lengths are the numbers of strings and bytes; their contents follow one another. */
static bool tag_put(struct weir_merged *m, const weir_block_builder *b, struct group g, size_t tag)
{
    const weir_sample *samples = b->samples.at;
    const uint32_t *first_at = m->first_at.at;
    const uint8_t kind = samples[first_at[g.batches[0]] + tag].value.kind;
    int64_t *v = m->values.at;
    if (kind == WEIR_KIND_NULL)
        return true;
    for (size_t i = 0; i < g.n; i++) {
        const weir_value *value = &samples[first_at[g.batches[i]] + tag].value;
        v[i] = kind < WEIR_KIND_STRING ? (int64_t)value_bits(value) : value->length;
        if (kind < WEIR_KIND_STRING || value->length == 0)
            continue;
        if (!weir_column_reserve(&m->text, value->length, 1))
            return false;
        weir_column_put_bytes(&m->text, (const uint8_t *)b->text.at + value->as.bits,
                              value->length);
    }
    if (kind < WEIR_KIND_STRING) {
        uint8_t scale = keys_make(v, g.n, kind);
        if (!weir_column_reserve(&m->forms, 1, 1))
            return false;
        if (kind == WEIR_KIND_F32 || kind == WEIR_KIND_F64)
            weir_column_put_u8(&m->forms, scale);
    }
    return keys_put(m, v, g.n);
}

static bool values_put(struct weir_merged *m, const weir_block_builder *b)
{
    const weir_batch *batches = b->batches.at;
    m->forms.n = m->firsts.n = m->text.n = 0;
    for (size_t i = 0; i < MERGED_STREAMS; i++)
        m->streams[i].n = 0;
    for (size_t shape = 0; shape < b->shapes.n; shape++) {
        struct group g = group_of(m, shape);
        for (size_t tag = 0; tag < batches[g.batches[0]].n_samples; tag++)
            if (!tag_put(m, b, g, tag))
                return false;
    }
    weir_ints_put_bytes(&m->out, m->forms.at, m->forms.n);
    weir_ints_put_bytes(&m->out, m->firsts.at, m->firsts.n);
    for (size_t i = MERGED_PACKED_8; i < MERGED_STREAMS; i++)
        weir_ints_put_bytes(&m->out, m->streams[i].at, m->streams[i].n);
    weir_ints_put_bytes(&m->out, m->text.at, m->text.n);
    return true;
}

weir_err weir_merged_encode(weir_block_builder *b, size_t *ret_raw)
{
    struct weir_merged *m = b->merging;
    weir_ints_out_clear(&m->out);
    if (!groups_make(m, b))
        return WEIR_ENOMEM;
    headers_put(m, b);
    shapes_put(m, b);
    samples_put(m, b, false);
    samples_put(m, b, true);
    if (!values_put(m, b))
        return WEIR_ENOMEM;
    return weir_body_pack(&m->packer, &m->out, WEIR_EFFORT_FAST, &b->body, ret_raw);
}
