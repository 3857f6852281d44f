/* SPDX-License-Identifier: MIT */
/* The block builder: gathers batches in columns, then transposes and compresses them. */

/*
 * Appending looks at each sample once: its bits go to the column of its kind; tags and kinds
 * become the batch's shape, which is stored only when the block has no equal one yet (a device
 * polled every second has one shape for ever); quality and time become runs, which for good
 * samples on their slot is nothing. All room is made first, so a failure leaves no half batch.
 * Encoding writes the columns one after the other, numbers by byte planes, and hands the whole to
 * zstd.
 */

#include "blocks/block.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/crc.h"
#include "blocks/builder_priv.h"
#include "blocks/layout.h"

/* Level 3 saves 1 to 2 % for up to a fifth more time (docs/design/store.md). */
enum { ZSTD_LEVEL = 1 };

weir_block_builder *weir_block_builder_new_merged(void)
{
    weir_block_builder *b = weir_block_builder_new();
    if (b && !(b->merging = weir_merged_new())) {
        weir_block_builder_free(b);
        return NULL;
    }
    if (b)
        b->merged = true;
    return b;
}

weir_block_builder *weir_block_builder_new(void)
{
    weir_block_builder *b = weir_alloc_zero(1, sizeof *b);
    if (!b)
        return NULL;
    b->zstd = ZSTD_createCCtx();
    if (!b->zstd) {
        weir_free(b);
        return NULL;
    }
    return b;
}

void weir_block_builder_free(weir_block_builder *b)
{
    if (!b)
        return;
    weir_column *columns[] = {&b->batches,     &b->batch_shapes, &b->shapes,    &b->shape_bytes,
                              &b->shape_slots, &b->ranges,       &b->qualities, &b->ts_runs,
                              &b->own_ts,      &b->text,         &b->bytes,     &b->raw,
                              &b->head,        &b->body,         &b->samples,   &b->seqs};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        weir_free(columns[i]->at);
    for (size_t i = 0; i < WEIR_KIND_COUNT; i++)
        weir_free(b->numbers[i].at);
    ZSTD_freeCCtx(b->zstd);
    weir_merged_free(b->merging);
    weir_free(b);
}

void weir_block_builder_clear(weir_block_builder *b)
{
    weir_column *columns[] = {&b->batches, &b->batch_shapes, &b->shapes,  &b->shape_bytes,
                              &b->ranges,  &b->qualities,    &b->ts_runs, &b->own_ts,
                              &b->text,    &b->bytes,        &b->samples, &b->seqs};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        columns[i]->n = 0;
    for (size_t i = 0; i < WEIR_KIND_COUNT; i++)
        b->numbers[i].n = 0;
    if (b->shape_slots.n)
        memset(b->shape_slots.at, 0, b->shape_slots.n * sizeof(uint32_t));
    b->count = 0;
    b->encoded = false;
}

bool weir_block_builder_full(const weir_block_builder *b)
{
    return b->count >= WEIR_BLOCK_FULL || b->text.n + b->bytes.n >= WEIR_BLOCK_FULL_BYTES;
}

size_t weir_block_builder_count(const weir_block_builder *b)
{
    return b->count;
}

size_t weir_block_builder_bytes(const weir_block_builder *b)
{
    size_t sample = b->merged ? sizeof(weir_sample) : sizeof(uint64_t);
    return b->count * sample + b->batches.n * sizeof(weir_batch) + b->shape_bytes.n + b->text.n +
           b->bytes.n;
}

/* --- appending ---------------------------------------------------------------------------- */

/* Bounds of one batch; text and bytes get the room their contents need. */
static weir_err batch_check(const weir_batch *batch, size_t *ret_text, size_t *ret_bytes,
                            weir_error *error)
{
    size_t text = 0, bytes = 0;
    if (batch->n_samples > WEIR_BLOCK_BATCH_MAX)
        return weir_fail(error, WEIR_ELIMIT, "a batch of %u samples: at most %d fit",
                         batch->n_samples, WEIR_BLOCK_BATCH_MAX);
    for (size_t i = 0; i < batch->n_samples; i++) {
        const weir_value *v = &batch->samples[i].value;
        if (v->kind >= WEIR_KIND_COUNT)
            return weir_fail(error, WEIR_EINVAL, "a value of unknown kind %u", v->kind);
        if (v->kind < WEIR_KIND_STRING)
            continue;
        if (v->length > WEIR_VALUE_LENGTH_MAX)
            return weir_fail(error, WEIR_EINVAL, "a value of %u bytes: at most %d are allowed",
                             v->length, WEIR_VALUE_LENGTH_MAX);
        *(v->kind == WEIR_KIND_STRING ? &text : &bytes) += v->length;
    }
    if (text + bytes > WEIR_BLOCK_BATCH_BYTES_MAX)
        return weir_fail(error, WEIR_ELIMIT, "a batch with %zu bytes of text: at most %d fit",
                         text + bytes, WEIR_BLOCK_BATCH_BYTES_MAX);
    *ret_text = text;
    *ret_bytes = bytes;
    return WEIR_OK;
}

/* Shapes double their table before it is half full. */
static bool slots_reserve(weir_block_builder *b)
{
    size_t n = b->shape_slots.n;
    if ((b->shapes.n + 1) * 2 <= n)
        return true;
    n = n ? n * 2 : 64;
    uint32_t *slots = weir_alloc_zero(n, sizeof *slots);
    if (!slots)
        return false;
    const struct shape *shapes = b->shapes.at;
    for (uint32_t i = 0; i < b->shapes.n; i++) {
        size_t at = shapes[i].hash & (n - 1);
        while (slots[at])
            at = (at + 1) & (n - 1);
        slots[at] = i + 1;
    }
    weir_free(b->shape_slots.at);
    b->shape_slots = (weir_column){slots, n, n};
    return true;
}

/* Room for a batch and its shape. */
static bool batch_reserve(weir_block_builder *b, size_t n)
{
    return weir_column_reserve(&b->batches, 1, sizeof(weir_batch)) &&
           weir_column_reserve(&b->batch_shapes, 1, sizeof(uint32_t)) &&
           weir_column_reserve(&b->shapes, 1, sizeof(struct shape)) && slots_reserve(b) &&
           /* count; a run of tags and a run of kinds for each sample */
           weir_column_reserve(&b->shape_bytes, WEIR_VARINT_MAX + n * 24, 1) &&
           weir_column_reserve(&b->ranges, n, sizeof(struct range));
}

/* Room for the worst that n samples can need. */
static bool builder_reserve(weir_block_builder *b, size_t n, size_t text, size_t bytes)
{
    if (b->merged)
        return batch_reserve(b, n) && weir_column_reserve(&b->seqs, 1, sizeof(uint64_t)) &&
               weir_column_reserve(&b->samples, n, sizeof(weir_sample)) &&
               weir_column_reserve(&b->text, text + bytes, 1);
    bool ok = batch_reserve(b, n) && weir_column_reserve(&b->qualities, n, sizeof(struct run)) &&
              weir_column_reserve(&b->ts_runs, n, sizeof(struct ts_run)) &&
              weir_column_reserve(&b->own_ts, n, sizeof(int64_t)) &&
              weir_column_reserve(&b->text, text, 1) && weir_column_reserve(&b->bytes, bytes, 1);
    for (size_t i = 0; ok && i < WEIR_KIND_COUNT; i++)
        ok = weir_column_reserve(&b->numbers[i], n, sizeof(uint64_t));
    return ok;
}

/* Writes the shape of the batch behind the others: count, runs of consecutive tags, runs of equal
 * kind (and exponent). Adds the tags to ranges. */
static void shape_write(weir_block_builder *b, const weir_batch *batch)
{
    const weir_sample *s = batch->samples;
    size_t n = batch->n_samples;
    weir_tag_uid before = 0;

    weir_column_put_varint(&b->shape_bytes, n);
    for (size_t i = 0; i < n;) {
        size_t j = i + 1;
        while (j < n && s[j].tag == s[j - 1].tag + 1 && s[j].tag != 0)
            j++;
        weir_column_put_delta(&b->shape_bytes, s[i].tag, before);
        weir_column_put_varint(&b->shape_bytes, j - i);
        ((struct range *)b->ranges.at)[b->ranges.n++] = (struct range){s[i].tag, s[j - 1].tag};
        before = s[j - 1].tag;
        i = j;
    }
    for (size_t i = 0; i < n;) {
        size_t j = i + 1;
        while (j < n && s[j].value.kind == s[i].value.kind &&
               s[j].value.exponent == s[i].value.exponent)
            j++;
        weir_column_put_u8(&b->shape_bytes, s[i].value.kind);
        if (s[i].value.kind == WEIR_KIND_DECIMAL)
            weir_column_put_u8(&b->shape_bytes, (uint8_t)s[i].value.exponent);
        weir_column_put_varint(&b->shape_bytes, j - i);
        i = j;
    }
}

static uint64_t bytes_hash(const uint8_t *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h ^ h >> 32;
}

/* The number of the batch's shape; an equal one is found, else a new one is kept. */
static uint32_t shape_of(weir_block_builder *b, const weir_batch *batch)
{
    size_t offset = b->shape_bytes.n, n_ranges = b->ranges.n;
    shape_write(b, batch);
    const uint8_t *all = b->shape_bytes.at;
    size_t length = b->shape_bytes.n - offset;
    uint64_t hash = bytes_hash(all + offset, length);

    struct shape *shapes = b->shapes.at;
    uint32_t *slots = b->shape_slots.at;
    size_t mask = b->shape_slots.n - 1, at = hash & mask;
    for (; slots[at]; at = (at + 1) & mask) {
        const struct shape *s = &shapes[slots[at] - 1];
        if (s->hash == hash && s->length == length &&
            memcmp(all + s->offset, all + offset, length) == 0) {
            b->shape_bytes.n = offset;
            b->ranges.n = n_ranges;
            return slots[at] - 1;
        }
    }
    shapes[b->shapes.n] = (struct shape){hash, (uint32_t)offset, (uint32_t)length};
    slots[at] = (uint32_t)++b->shapes.n;
    return (uint32_t)b->shapes.n - 1;
}

static void qualities_put(weir_block_builder *b, const weir_batch *batch)
{
    struct run *runs = b->qualities.at;
    for (size_t i = 0; i < batch->n_samples; i++) {
        weir_quality q = batch->samples[i].quality;
        if (b->qualities.n == 0 || runs[b->qualities.n - 1].value != q)
            runs[b->qualities.n++] = (struct run){q, 0};
        runs[b->qualities.n - 1].length++;
    }
}

static void times_put(weir_block_builder *b, const weir_batch *batch)
{
    struct ts_run *runs = b->ts_runs.at;
    for (size_t i = 0; i < batch->n_samples; i++) {
        int64_t ts = batch->samples[i].ts.us;
        b->min_ts = b->count + i == 0 || ts < b->min_ts ? ts : b->min_ts;
        b->max_ts = b->count + i == 0 || ts > b->max_ts ? ts : b->max_ts;
        bool own = ts != batch->due.us;
        if (b->ts_runs.n == 0 || (!own && runs[b->ts_runs.n - 1].own > 0))
            runs[b->ts_runs.n++] = (struct ts_run){0, 0};
        if (own) {
            ((int64_t *)b->own_ts.at)[b->own_ts.n++] = ts;
            runs[b->ts_runs.n - 1].own++;
        } else {
            runs[b->ts_runs.n - 1].on_slot++;
        }
    }
}

static void values_put(weir_block_builder *b, const weir_batch *batch)
{
    for (size_t i = 0; i < batch->n_samples; i++) {
        const weir_value *v = &batch->samples[i].value;
        uint64_t number = v->as.bits;
        if (v->kind == WEIR_KIND_NULL)
            continue;
        if (kind_is_signed(v->kind)) {
            number = weir_zigzag(v->as.i);
        } else if (v->kind >= WEIR_KIND_STRING) {
            number = v->length;
            weir_column_put_bytes(v->kind == WEIR_KIND_STRING ? &b->text : &b->bytes, v->as.bytes,
                                  v->length);
        }
        weir_column *c = &b->numbers[v->kind];
        ((uint64_t *)c->at)[c->n++] = number;
    }
}

/* Samples of a merged block, their contents behind those before. */
static void samples_put(weir_block_builder *b, const weir_batch *batch)
{
    for (size_t i = 0; i < batch->n_samples; i++) {
        weir_sample *s = &((weir_sample *)b->samples.at)[b->samples.n++];
        *s = batch->samples[i];
        if (s->value.kind >= WEIR_KIND_STRING) {
            weir_column_put_bytes(&b->text, s->value.as.bytes, s->value.length);
            s->value.as.bits = b->text.n - s->value.length;
        }
        b->min_ts = b->count + i == 0 || s->ts.us < b->min_ts ? s->ts.us : b->min_ts;
        b->max_ts = b->count + i == 0 || s->ts.us > b->max_ts ? s->ts.us : b->max_ts;
    }
}

static weir_err batch_append(weir_block_builder *b, const weir_batch *batch, uint64_t seq,
                             weir_error *error)
{
    size_t text = 0, bytes = 0;
    if (weir_block_builder_full(b))
        return weir_fail(error, WEIR_ELIMIT, "the block is full");
    weir_err err = batch_check(batch, &text, &bytes, error);
    if (err != WEIR_OK || batch->n_samples == 0)
        return err;
    if (!builder_reserve(b, batch->n_samples, text, bytes))
        return weir_fail(error, WEIR_ENOMEM, "no memory for %u samples", batch->n_samples);

    ((uint32_t *)b->batch_shapes.at)[b->batch_shapes.n++] = shape_of(b, batch);
    if (b->merged) {
        ((uint64_t *)b->seqs.at)[b->seqs.n++] = seq;
        samples_put(b, batch);
    } else {
        qualities_put(b, batch);
        times_put(b, batch);
        values_put(b, batch);
    }
    weir_batch *kept = &((weir_batch *)b->batches.at)[b->batches.n++];
    *kept = *batch;
    kept->samples = NULL;
    b->count += batch->n_samples;
    b->encoded = false;
    return WEIR_OK;
}

weir_err weir_block_builder_append(weir_block_builder *b, const weir_batch *batch,
                                   weir_error *error)
{
    if (b->merged)
        return weir_fail(error, WEIR_EINVAL, "a batch without seq for a merged block");
    return batch_append(b, batch, 0, error);
}

weir_err weir_block_builder_append_at(weir_block_builder *b, const weir_batch *batch, uint64_t seq,
                                      weir_error *error)
{
    if (!b->merged)
        return weir_fail(error, WEIR_EINVAL, "a batch with seq for a block that counts itself");
    if (b->batches.n > 0) {
        const weir_batch *before = &((const weir_batch *)b->batches.at)[b->batches.n - 1];
        const uint64_t *seqs = b->seqs.at;
        if (seq < seqs[b->seqs.n - 1] || seq - seqs[b->seqs.n - 1] < before->n_samples)
            return weir_fail(error, WEIR_EINVAL, "a batch whose seq is not behind the one before");
        if (seq - seqs[0] > UINT32_MAX)
            return weir_fail(error, WEIR_ELIMIT, "a batch too far behind the first in seq");
    }
    return batch_append(b, batch, seq, error);
}

/* --- encoding ----------------------------------------------------------------------------- */

static unsigned width_of(uint64_t all_bits)
{
    unsigned width = 0;
    for (; all_bits; all_bits >>= 8)
        width++;
    return width;
}

/* The raw body can be no longer than this. */
static size_t raw_bound(const weir_block_builder *b)
{
    size_t n = b->batches.n * (HEADER_COUNT + 1) * WEIR_VARINT_MAX + b->shape_bytes.n +
               b->qualities.n * 2 * WEIR_VARINT_MAX + b->ts_runs.n * 2 * WEIR_VARINT_MAX +
               b->own_ts.n * WEIR_VARINT_MAX + 4 * WEIR_VARINT_MAX + b->text.n + b->bytes.n;
    for (size_t i = 0; i < WEIR_KIND_COUNT; i++)
        n += 1 + b->numbers[i].n * sizeof(uint64_t);
    return n;
}

static void headers_write(weir_block_builder *b)
{
    const weir_batch *batches = b->batches.at;
    const uint32_t *shapes = b->batch_shapes.at;
    for (unsigned column = 0; column < HEADER_COUNT; column++) {
        uint64_t before[HEADER_COUNT] = {0}, self[HEADER_COUNT];
        for (size_t i = 0; i < b->batches.n; i++) {
            header_take(&batches[i], self);
            weir_column_put_delta(&b->raw, self[column], header_base(column, before, self));
            before[column] = self[column];
        }
    }
    for (size_t i = 0; i < b->batches.n; i++)
        weir_column_put_varint(&b->raw, shapes[i]);
    weir_column_put_bytes(&b->raw, b->shape_bytes.at, b->shape_bytes.n);
}

/* A number of runs, then the runs. One run of plain good is written as none. */
static void qualities_write(weir_block_builder *b)
{
    const struct run *runs = b->qualities.at;
    bool all_good = b->qualities.n == 1 && runs[0].value == 0;
    size_t n = all_good ? 0 : b->qualities.n;
    weir_column_put_varint(&b->raw, n);
    for (size_t i = 0; i < n; i++) {
        weir_column_put_varint(&b->raw, runs[i].length);
        weir_column_put_varint(&b->raw, runs[i].value);
    }
}

/* Likewise: all on their slot is no run. */
static void times_write(weir_block_builder *b)
{
    const struct ts_run *runs = b->ts_runs.at;
    const int64_t *own = b->own_ts.at;
    size_t n = b->own_ts.n ? b->ts_runs.n : 0;
    weir_column_put_varint(&b->raw, n);
    for (size_t i = 0; i < n; i++) {
        weir_column_put_varint(&b->raw, runs[i].on_slot);
        weir_column_put_varint(&b->raw, runs[i].own);
    }
    for (size_t i = 0; i < b->own_ts.n; i++)
        weir_column_put_delta(&b->raw, (uint64_t)own[i], i ? (uint64_t)own[i - 1] : 0);
}

/* A width, then that many planes: all lowest bytes, all second lowest, and so on. */
static void numbers_write(weir_block_builder *b, const weir_column *c)
{
    const uint64_t *v = c->at;
    uint64_t all = 0;
    for (size_t i = 0; i < c->n; i++)
        all |= v[i];
    unsigned width = width_of(all);
    weir_column_put_u8(&b->raw, (uint8_t)width);
    for (unsigned plane = 0; plane < width; plane++) {
        uint8_t *to = (uint8_t *)b->raw.at + b->raw.n;
        for (size_t i = 0; i < c->n; i++)
            to[i] = (uint8_t)(v[i] >> 8 * plane);
        b->raw.n += c->n;
    }
}

static bool raw_write(weir_block_builder *b)
{
    b->raw.n = 0;
    if (!weir_column_reserve(&b->raw, raw_bound(b), 1))
        return false;
    headers_write(b);
    qualities_write(b);
    times_write(b);
    for (size_t kind = WEIR_KIND_BOOL; kind < WEIR_KIND_COUNT; kind++)
        if (b->numbers[kind].n)
            numbers_write(b, &b->numbers[kind]);
    weir_column_put_bytes(&b->raw, b->text.at, b->text.n);
    weir_column_put_bytes(&b->raw, b->bytes.at, b->bytes.n);
    return true;
}

static int range_compare(const void *a, const void *b)
{
    weir_tag_uid x = ((const struct range *)a)->first, y = ((const struct range *)b)->first;
    return (x > y) - (x < y);
}

/* Sorts the ranges and joins those that touch. */
static void ranges_merge(weir_column *c)
{
    struct range *r = c->at;
    qsort(r, c->n, sizeof *r, range_compare);
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (n && r[i].first <= (uint64_t)r[n - 1].last + 1) {
            if (r[i].last > r[n - 1].last)
                r[n - 1].last = r[i].last;
        } else {
            r[n++] = r[i];
        }
    }
    c->n = n;
}

static bool head_write(weir_block_builder *b, size_t raw)
{
    weir_column *h = &b->head;
    h->n = 0;
    ranges_merge(&b->ranges);
    if (!weir_column_reserve(h, 64 + b->ranges.n * 2 * WEIR_VARINT_MAX, 1))
        return false;
    weir_column_put_u8(h, b->merged ? WEIR_BLOCK_CODEC_MERGED : WEIR_BLOCK_CODEC);
    weir_column_put_u8(h, b->merged);
    weir_column_put_u8(h, WEIR_BLOCK_VERSION);
    weir_column_put_varint(h, b->count);
    weir_column_put_varint(h, b->batches.n);
    weir_column_put_be(h, (uint64_t)b->min_ts, 8);
    weir_column_put_varint(h, (uint64_t)b->max_ts - (uint64_t)b->min_ts);
    weir_column_put_varint(h, raw);
    weir_column_put_varint(h, b->body.n);
    weir_column_put_be(h, weir_crc32c(0, b->body.at, b->body.n), 4);
    weir_column_put_varint(h, b->ranges.n);
    const struct range *r = b->ranges.at;
    for (size_t i = 0; i < b->ranges.n; i++) {
        weir_column_put_varint(h, r[i].first - (i ? r[i - 1].last : 0));
        weir_column_put_varint(h, r[i].last - r[i].first);
    }
    weir_column_put_be(h, weir_crc32c(0, h->at, h->n), 4);
    return true;
}

static weir_err body_write(weir_block_builder *b, size_t *ret_raw)
{
    b->body.n = 0;
    if (b->merged)
        return weir_merged_encode(b, ret_raw);
    if (!raw_write(b) || !weir_column_reserve(&b->body, ZSTD_compressBound(b->raw.n), 1))
        return WEIR_ENOMEM;
    size_t n =
        ZSTD_compressCCtx(b->zstd, b->body.at, b->body.capacity, b->raw.at, b->raw.n, ZSTD_LEVEL);
    /* With room for the bound, only memory can be what it lacks. */
    if (ZSTD_isError(n))
        return WEIR_ENOMEM;
    b->body.n = n;
    *ret_raw = b->raw.n;
    return WEIR_OK;
}

weir_err weir_block_builder_encode(weir_block_builder *b, weir_block_bytes *ret, weir_error *error)
{
    if (b->count == 0)
        return weir_fail(error, WEIR_EINVAL, "an empty block");
    if (!b->encoded) {
        size_t raw = 0;
        if (body_write(b, &raw) != WEIR_OK || !head_write(b, raw))
            return weir_fail(error, WEIR_ENOMEM, "no memory to encode a block");
        assert(raw <= WEIR_BLOCK_RAW_MAX);
        b->encoded = true;
    }
    *ret = (weir_block_bytes){b->head.at, b->head.n, b->body.at, b->body.n};
    return WEIR_OK;
}
