/* SPDX-License-Identifier: MIT */
/* From a value to the bytes a device would hold to show it. */

/*
 * The reverse of decode.c, step by step: an enum text becomes its raw number, other numbers lose
 * their scale, the raw word goes to the wire. Integers stay integers all the way; only scaling by
 * something else than a power of ten, and values that are floats themselves, pass through double.
 */

#include <math.h>
#include <string.h>

#include "base/number.h"
#include "model/point_priv.h"

/* Sign and magnitude hold both int64_t and uint64_t. */
struct whole {
    bool negative;
    uint64_t magnitude;
};

static struct whole whole_of_i64(int64_t i)
{
    return (struct whole){i < 0, i < 0 ? 0 - (uint64_t)i : (uint64_t)i};
}

/* Nearest whole number, halves away from zero. False for NaN and what 64 bits cannot hold. */
static bool whole_of_double(double x, struct whole *ret)
{
    const double magnitude = round(fabs(x));
    if (!(magnitude < 0x1p64))
        return false;
    *ret = (struct whole){x < 0, (uint64_t)magnitude};
    return true;
}

static bool whole_add(struct whole a, struct whole b, struct whole *ret)
{
    if (a.negative == b.negative) {
        ret->negative = a.negative;
        return !__builtin_add_overflow(a.magnitude, b.magnitude, &ret->magnitude);
    }
    const bool a_larger = a.magnitude >= b.magnitude;
    *ret = a_larger ? (struct whole){a.negative, a.magnitude - b.magnitude}
                    : (struct whole){b.negative, b.magnitude - a.magnitude};
    return true;
}

/* w * 10^power, rounded, halves away from zero. */
static bool whole_shift(struct whole w, int power, struct whole *ret)
{
    if (w.magnitude == 0) {
        *ret = w;
        return true;
    }
    if (power > 19)
        return false;
    if (power >= 0) {
        ret->negative = w.negative;
        return !__builtin_mul_overflow(w.magnitude, weir_pow10_u64((unsigned)power),
                                       &ret->magnitude);
    }
    const uint64_t divisor = weir_pow10_u64((unsigned)-power); /* 0 beyond 10^19 */
    const uint64_t rest = divisor ? w.magnitude % divisor : 0;
    const bool up = divisor && rest >= divisor - rest;
    *ret = (struct whole){w.negative, divisor ? w.magnitude / divisor + up : 0};
    return true;
}

/* An integer or decimal value in units of 10^exponent; false for floats and what does not fit. */
static bool whole_of_exact(const weir_value *v, int exponent, struct whole *ret)
{
    switch ((weir_kind)v->kind) {
    case WEIR_KIND_BOOL:
        return whole_shift((struct whole){false, v->as.b}, -exponent, ret);
    case WEIR_KIND_I64:
        return whole_shift(whole_of_i64(v->as.i), -exponent, ret);
    case WEIR_KIND_U64:
        return whole_shift((struct whole){false, v->as.u}, -exponent, ret);
    case WEIR_KIND_DECIMAL:
        return whole_shift(whole_of_i64(v->as.i), v->exponent - exponent, ret);
    case WEIR_KIND_NULL:
    case WEIR_KIND_F32:
    case WEIR_KIND_F64:
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        return false;
    }
    return false;
}

static bool value_is_float(const weir_value *v)
{
    return v->kind == WEIR_KIND_F32 || v->kind == WEIR_KIND_F64;
}

/* The raw number of an integer type behind a value. */
static bool unscale_whole(const weir_point *p, const weir_value *v, struct whole *ret)
{
    const bool decimal = p->scaling == WEIR_SCALING_DECIMAL;
    struct whole w;
    double x = 0;
    if (value_is_float(v) || p->scaling == WEIR_SCALING_DOUBLE) {
        if (!weir_value_number(v, &x))
            return false;
        return whole_of_double(p->scaling == WEIR_SCALING_NONE ? x : (x - p->offset) / p->scale,
                               ret);
    }
    if (!whole_of_exact(v, decimal ? p->exponent : 0, &w))
        return false;
    if (decimal) {
        struct whole offset = whole_of_i64(p->decimal_offset);
        offset.negative = !offset.negative;
        if (!whole_add(w, offset, &w))
            return false;
        w.negative ^= p->sign < 0;
    }
    *ret = w;
    return true;
}

/* The largest magnitude each type holds, negative and not. */
struct whole_limits {
    uint64_t negative, positive;
};

static struct whole_limits type_limits(weir_type type, uint16_t field_mask)
{
    switch (type) {
    case WEIR_TYPE_BOOL:
        return (struct whole_limits){0, 1};
    case WEIR_TYPE_INT8:
        return (struct whole_limits){1u << 7, INT8_MAX};
    case WEIR_TYPE_UINT8:
        return (struct whole_limits){0, UINT8_MAX};
    case WEIR_TYPE_INT16:
        return (struct whole_limits){1u << 15, INT16_MAX};
    case WEIR_TYPE_UINT16:
        return (struct whole_limits){0, UINT16_MAX};
    case WEIR_TYPE_INT32:
        return (struct whole_limits){1u << 31, INT32_MAX};
    case WEIR_TYPE_UINT32:
        return (struct whole_limits){0, UINT32_MAX};
    case WEIR_TYPE_INT64:
        return (struct whole_limits){1ull << 63, INT64_MAX};
    case WEIR_TYPE_UINT64:
        return (struct whole_limits){0, UINT64_MAX};
    case WEIR_TYPE_BCD16:
        return (struct whole_limits){0, 9999};
    case WEIR_TYPE_BCD32:
        return (struct whole_limits){0, 99999999};
    case WEIR_TYPE_BCD64:
        return (struct whole_limits){0, 9999999999999999};
    case WEIR_TYPE_BITFIELD:
        return (struct whole_limits){0, field_mask};
    case WEIR_TYPE_FLOAT16:
    case WEIR_TYPE_FLOAT32:
    case WEIR_TYPE_FLOAT64:
    case WEIR_TYPE_STRING:
    case WEIR_TYPE_BYTES:
    case WEIR_TYPE_RAW:
        break;
    }
    return (struct whole_limits){0, 0};
}

static uint64_t bcd_encode(uint64_t v)
{
    uint64_t raw = 0;
    for (unsigned shift = 0; v; shift += 4, v /= 10)
        raw |= v % 10 << shift;
    return raw;
}

/* A whole number in range to the raw word, before the byte order. */
static uint64_t raw_of_whole(const weir_point *p, struct whole w)
{
    const uint64_t raw = w.negative ? 0 - w.magnitude : w.magnitude;
    switch (p->type) {
    case WEIR_TYPE_INT8:
        return raw & 0xff;
    case WEIR_TYPE_INT16:
        return raw & 0xffff;
    case WEIR_TYPE_INT32:
        return raw & 0xffffffff;
    case WEIR_TYPE_BCD16:
    case WEIR_TYPE_BCD32:
    case WEIR_TYPE_BCD64:
        return bcd_encode(raw);
    case WEIR_TYPE_BITFIELD:
        return raw << weir_point_field_shift(p);
    case WEIR_TYPE_BOOL:
    case WEIR_TYPE_UINT8:
    case WEIR_TYPE_UINT16:
    case WEIR_TYPE_UINT32:
    case WEIR_TYPE_INT64:
    case WEIR_TYPE_UINT64:
    case WEIR_TYPE_FLOAT16:
    case WEIR_TYPE_FLOAT32:
    case WEIR_TYPE_FLOAT64:
    case WEIR_TYPE_STRING:
    case WEIR_TYPE_BYTES:
    case WEIR_TYPE_RAW:
        break;
    }
    return raw;
}

static uint32_t f32_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static uint64_t f64_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

/* The bits of a binary32 to the nearest binary16, ties to even; NaNs keep what payload fits. */
static uint32_t half_narrow(uint32_t bits)
{
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
        const uint32_t payload = magnitude >> 13 & 0x3ff;
        return sign | 0x7c00 | (payload ? payload : 0x200);
    }
    if (magnitude >= 0x47800000) /* 65536 and infinity */
        return sign | 0x7c00;
    const int exponent = (int)(magnitude >> 23) - 127;
    if (exponent < -25)
        return sign;
    /* Subnormal halves lose one bit more for each power of two below 2^-14. */
    const unsigned drop = exponent < -14 ? (unsigned)(13 - 14 - exponent) : 13;
    const uint32_t significand = (magnitude & 0x7fffff) | 0x800000;
    const uint32_t kept = significand >> drop;
    const uint32_t rest = significand & ((1u << drop) - 1), half = 1u << (drop - 1);
    const uint32_t rounded = kept + (rest > half || (rest == half && kept & 1));
    /* The hidden bit, and a carry out of the fraction, add themselves to the exponent. */
    return sign | (exponent < -14 ? rounded : ((uint32_t)(exponent + 14) << 10) + rounded);
}

/* The float behind a value: the very bits when nothing needs to change. */
static bool raw_of_float(const weir_point *p, const weir_value *v, uint64_t *ret)
{
    double x = 0;
    if (!weir_value_number(v, &x))
        return false;
    const bool same = p->scaling == WEIR_SCALING_NONE, finite = isfinite(x);
    if (!same)
        x = (x - p->offset) / p->scale;
    if (p->type == WEIR_TYPE_FLOAT64) {
        *ret = same && v->kind == WEIR_KIND_F64 ? v->as.bits : f64_bits(x);
        return !finite || isfinite(x);
    }
    const uint32_t bits =
        same && v->kind == WEIR_KIND_F32 ? f32_bits(v->as.f32) : f32_bits((float)x);
    *ret = p->type == WEIR_TYPE_FLOAT16 ? half_narrow(bits) : bits;
    /* A finite number must not become an infinity. */
    const uint64_t infinity = p->type == WEIR_TYPE_FLOAT16 ? 0x7c00 : 0x7f800000;
    return !finite || (*ret & (infinity | (infinity - 1))) < infinity;
}

static bool type_is_float(weir_type type)
{
    return type == WEIR_TYPE_FLOAT16 || type == WEIR_TYPE_FLOAT32 || type == WEIR_TYPE_FLOAT64;
}

static weir_err encode_out_of_range(const weir_point *p, const weir_value *v, weir_error *error)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_value_format(v, &text);
    return weir_fail(error, WEIR_ELIMIT, "%s does not fit %s with scale %g and offset %g",
                     weir_text_get(&text), weir_type_text(p->type), p->scale, p->offset);
}

static weir_err encode_mismatch(const weir_point *p, const weir_value *v, weir_error *error)
{
    return weir_fail(error, WEIR_EINVAL, "a %s cannot be given as %s", weir_type_text(p->type),
                     weir_kind_text(v->kind));
}

/* The number listed for a text; values of other kinds, and points without an enum, stay. */
static weir_err enum_to_raw(const weir_point *p, const weir_value *v, struct whole *ret,
                            weir_error *error)
{
    for (size_t i = 0; i < p->n_enum; i++)
        if (strlen(p->enum_items[i].text) == v->length &&
            memcmp(p->enum_items[i].text, v->as.text, v->length) == 0) {
            *ret = whole_of_i64(p->enum_items[i].raw);
            return WEIR_OK;
        }
    return p->n_enum ? weir_fail(error, WEIR_EINVAL, "\"%.*s\" is not in the point's enum",
                                 (int)(v->length < 80 ? v->length : 80), v->as.text)
                     : encode_mismatch(p, v, error);
}

/* The raw word of a point whose type has a fixed width. */
static weir_err encode_word(const weir_point *p, const weir_value *v, uint64_t *ret,
                            weir_error *error)
{
    struct whole w = {false, 0};
    const bool is_float = type_is_float(p->type) && !weir_point_is_bool(p);
    if (v->kind == WEIR_KIND_NULL || v->kind == WEIR_KIND_BYTES ||
        (v->kind == WEIR_KIND_STRING && is_float))
        return encode_mismatch(p, v, error);
    if (is_float)
        return raw_of_float(p, v, ret) ? WEIR_OK : encode_out_of_range(p, v, error);
    if (v->kind == WEIR_KIND_STRING) {
        weir_err err = enum_to_raw(p, v, &w, error);
        if (err)
            return err;
    } else if (!unscale_whole(p, v, &w)) {
        return encode_out_of_range(p, v, error);
    }
    const struct whole_limits limits =
        type_limits(weir_point_is_bool(p) ? WEIR_TYPE_BOOL : p->type, weir_point_field_mask(p));
    if (w.magnitude > (w.negative ? limits.negative : limits.positive))
        return encode_out_of_range(p, v, error);
    if (weir_register_is_bits(p->table))
        *ret = w.magnitude;
    else if (weir_point_is_register_bit(p))
        *ret = w.magnitude << (p->bit & 15);
    else
        *ret = raw_of_whole(p, w);
    return WEIR_OK;
}

static weir_err encode_text(const weir_point *p, const weir_value *v, uint8_t *ret, size_t capacity,
                            size_t *ret_n, weir_error *error)
{
    const bool raw = p->type == WEIR_TYPE_RAW;
    const bool packed = weir_point_is_packed(p);
    const size_t n = raw ? v->length : weir_point_wire_bytes(p);
    const unsigned flip = raw || packed ? 0 : weir_order_swaps[p->order] & 1;
    if (v->kind != weir_type_kind(p->type))
        return encode_mismatch(p, v, error);
    if ((p->length || !raw) && v->length > weir_point_contents_size(p))
        return weir_fail(error, WEIR_ELIMIT, "%u bytes do not fit a %s of length %u", v->length,
                         weir_type_text(p->type), p->length);
    if (n > capacity)
        return weir_fail(error, WEIR_ELIMIT, "%zu bytes do not fit a buffer of %zu", n, capacity);
    memset(ret, 0, n);
    for (size_t i = 0; i < v->length; i++)
        ret[i ^ flip] = v->as.bytes[i];
    if (packed && v->length == n && p->length % 8)
        ret[n - 1] &= (uint8_t)((1u << p->length % 8) - 1);
    *ret_n = n;
    return WEIR_OK;
}

weir_err weir_point_encode(const weir_point *p, const weir_value *v, uint8_t *ret, size_t capacity,
                           size_t *ret_n, weir_error *error)
{
    const unsigned width = weir_point_wire_width(p);
    uint64_t raw = 0;
    if (width == 0)
        return encode_text(p, v, ret, capacity, ret_n, error);
    if (width > capacity)
        return weir_fail(error, WEIR_ELIMIT, "%u bytes do not fit a buffer of %zu", width,
                         capacity);
    weir_err err = encode_word(p, v, &raw, error);
    if (err)
        return err;
    if (width > 1)
        raw = weir_order_apply(p->order, width, raw);
    weir_writer w = weir_writer_of(ret, width);
    weir_write_be(&w, raw, width);
    *ret_n = width;
    return WEIR_OK;
}
