/* SPDX-License-Identifier: MIT */
/* The head of a segment: what is read of each, and the summary of all its samples. */

#include "blocks/segment_priv.h"

#include "base/crc.h"
#include "blocks/number_key.h"

/* --- writing ------------------------------------------------------------------------------ */

static void value_put(weir_column *c, const weir_value *v)
{
    weir_column_put_u8(c, v->kind);
    weir_column_put_u8(c, (uint8_t)v->exponent);
    weir_column_put_be(c, value_bits(v), 8);
}

static void summary_put(weir_column *c, const weir_segment_head *h)
{
    const weir_summary *s = &h->summary;
    weir_column_put_varint(c, s->good);
    weir_column_put_varint(c, s->bad);
    weir_column_put_varint(c, s->numbers);
    if (s->numbers == 0)
        return;
    value_put(c, &s->first);
    value_put(c, &s->last);
    weir_column_put_be(c, f64_bits(s->min), 8);
    weir_column_put_be(c, f64_bits(s->max), 8);
    weir_column_put_be(c, f64_bits(s->sum), 8);
    weir_column_put_varint(c, (uint64_t)s->first_ts.us - (uint64_t)h->min_ts.us);
    weir_column_put_varint(c, (uint64_t)h->max_ts.us - (uint64_t)s->last_ts.us);
    weir_column_put_varint(c, s->falls);
}

bool weir_segment_head_write(weir_segment_encoder *e, const weir_segment_head *h)
{
    weir_column *c = &e->head;
    uint8_t length = 0;
    while (slice_lengths[length] != h->slice_us)
        length++;
    c->n = 0;
    if (!weir_column_reserve(c, 256, 1))
        return false;
    weir_column_put_u8(c, WEIR_SEGMENT_CODEC);
    weir_column_put_u8(c, WEIR_SEGMENT_LEVEL);
    weir_column_put_u8(c, WEIR_SEGMENT_VERSION);
    weir_column_put_varint(c, h->count);
    weir_column_put_be(c, (uint64_t)h->min_ts.us, 8);
    weir_column_put_varint(c, (uint64_t)h->max_ts.us - (uint64_t)h->min_ts.us);
    weir_column_put_u8(c, length);
    weir_column_put_varint(c, h->n_slices);
    weir_column_put_varint(c, h->marks_size);
    weir_column_put_varint(c, h->marks_raw);
    weir_column_put_be(c, h->marks_crc, 4);
    weir_column_put_varint(c, h->body_size);
    weir_column_put_varint(c, h->body_raw);
    weir_column_put_be(c, h->body_crc, 4);
    summary_put(c, h);
    weir_column_put_be(c, weir_crc32c(0, c->at, c->n), 4);
    return true;
}

/* --- reading ------------------------------------------------------------------------------ */

static bool value_get(weir_reader *r, weir_value *ret)
{
    uint8_t kind = weir_read_u8(r);
    int8_t exponent = (int8_t)weir_read_u8(r);
    uint64_t bits = weir_read_u64(r);
    if (r->failed || kind == WEIR_KIND_NULL || kind >= WEIR_KIND_STRING)
        return false;
    *ret = value_of_bits(kind, exponent, kind == WEIR_KIND_BOOL ? bits & 1 : bits);
    return true;
}

static bool summary_get(weir_reader *r, weir_segment_head *h)
{
    weir_summary *s = &h->summary;
    s->count = h->count;
    s->good = weir_read_varint(r);
    s->bad = weir_read_varint(r);
    s->numbers = weir_read_varint(r);
    if (s->good > s->count || s->bad > s->count - s->good || s->numbers > s->count)
        return false;
    if (s->numbers == 0)
        return true;
    if (!value_get(r, &s->first) || !value_get(r, &s->last))
        return false;
    s->min = f64_of(weir_read_u64(r));
    s->max = f64_of(weir_read_u64(r));
    s->sum = f64_of(weir_read_u64(r));
    uint64_t span = (uint64_t)h->max_ts.us - (uint64_t)h->min_ts.us;
    uint64_t before = weir_read_varint(r), behind = weir_read_varint(r);
    s->falls = weir_read_varint(r);
    s->first_ts.us = (int64_t)((uint64_t)h->min_ts.us + before);
    s->last_ts.us = (int64_t)((uint64_t)h->max_ts.us - behind);
    return before <= span && behind <= span - before && s->falls < s->numbers;
}

static bool head_numbers(weir_reader *r, weir_segment_head *h)
{
    uint64_t count = weir_read_varint(r);
    uint64_t min_ts = weir_read_u64(r);
    uint64_t span = weir_read_varint(r);
    uint8_t length = weir_read_u8(r);
    uint64_t n_slices = weir_read_varint(r);
    uint64_t marks_size = weir_read_varint(r);
    uint64_t marks_raw = weir_read_varint(r);
    h->marks_crc = weir_read_u32(r);
    uint64_t body_size = weir_read_varint(r);
    uint64_t body_raw = weir_read_varint(r);
    h->body_crc = weir_read_u32(r);
    if (r->failed || count == 0 || count > WEIR_SEGMENT_COUNT_MAX || n_slices == 0 ||
        n_slices > count || length >= SLICE_LENGTH_COUNT || (length == 0 && n_slices != 1) ||
        marks_size > marks_raw || marks_raw > SEGMENT_RAW_MAX || body_size > body_raw ||
        body_raw > SEGMENT_RAW_MAX)
        return false;
    h->count = (uint32_t)count;
    h->min_ts.us = (int64_t)min_ts;
    h->max_ts.us = (int64_t)(min_ts + span);
    h->slice_us = slice_lengths[length];
    h->n_slices = (uint32_t)n_slices;
    h->marks_size = (uint32_t)marks_size;
    h->marks_raw = (uint32_t)marks_raw;
    h->body_size = (uint32_t)body_size;
    h->body_raw = (uint32_t)body_raw;
    return h->min_ts.us <= h->max_ts.us && summary_get(r, h);
}

weir_err weir_segment_head_parse(const uint8_t *bytes, size_t n, weir_segment_head *ret,
                                 weir_error *error)
{
    weir_reader r = weir_reader_of(bytes, n);
    weir_segment_head h = {0};
    uint8_t codec = weir_read_u8(&r), level = weir_read_u8(&r), version = weir_read_u8(&r);
    if (r.failed)
        return weir_fail(error, WEIR_EDAMAGED, "segment head cut short");
    if (codec != WEIR_SEGMENT_CODEC)
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "segment of codec %u: this version knows codec %d", codec,
                         WEIR_SEGMENT_CODEC);
    if (version != WEIR_SEGMENT_VERSION || level != WEIR_SEGMENT_LEVEL)
        return weir_fail(error, WEIR_EUNSUPPORTED,
                         "segment of codec %u level %u version %u: this version knows level %d "
                         "version %d",
                         codec, level, version, WEIR_SEGMENT_LEVEL, WEIR_SEGMENT_VERSION);
    if (!head_numbers(&r, &h))
        return weir_fail(error, WEIR_EDAMAGED, "segment head with impossible numbers");
    uint32_t crc = weir_crc32c(0, bytes, (size_t)(r.at - bytes));
    if (weir_read_u32(&r) != crc || r.failed)
        return weir_fail(error, WEIR_EDAMAGED, "segment head does not match its checksum");
    *ret = h;
    return WEIR_OK;
}
