/* SPDX-License-Identifier: MIT */
/* From the bytes of a reply to a value and its quality. */

/*
 * The way of a number: load the raw word, compare it with the `na` marks, turn it into a value of
 * its kind, replace it by its enum text, or scale it and check min and max. Most points have none
 * of the optional steps, and each is one test of one field: this runs for every point of every
 * reply. What goes wrong on the way is a quality, never an error: short bytes and wrong BCD digits
 * are malformed, a marked word is na, a number too large for its scale is overflow.
 *
 * Floats stay bits until they are scaled: moving a signalling NaN through a floating-point
 * register may change it.
 */

#include <math.h>
#include <string.h>

#include "model/point_priv.h"

static weir_value decode_bad(weir_cause cause, weir_quality *ret_quality)
{
    *ret_quality = weir_bad(cause, 0);
    return weir_value_null();
}

/* An unfinished text leaves the room as it was, so that a shorter one may still fit. */
static weir_value room_give_back(weir_writer *room, const weir_writer *before,
                                 weir_quality *ret_quality)
{
    *room = *before;
    return decode_bad(WEIR_CAUSE_OVERFLOW, ret_quality);
}

static weir_value decode_raw(const weir_point *p, const uint8_t *wire, size_t n, weir_writer *room,
                             weir_quality *ret_quality)
{
    const weir_writer before = *room;
    if (p->length && n != p->length)
        return decode_bad(WEIR_CAUSE_MALFORMED, ret_quality);
    weir_write_bytes(room, wire, n);
    if (room->failed || n > WEIR_VALUE_LENGTH_MAX)
        return room_give_back(room, &before, ret_quality);
    return weir_value_bytes(before.at, n);
}

/* flip: 1 when the order swaps the bytes of a register, so that character i is wire[i ^ 1]. */
static weir_value decode_bytes(const weir_point *p, const uint8_t *wire, unsigned flip,
                               weir_writer *room, weir_quality *ret_quality)
{
    const weir_writer before = *room;
    for (size_t i = 0; i < p->length; i++)
        weir_write_u8(room, wire[i ^ flip]);
    if (room->failed)
        return room_give_back(room, &before, ret_quality);
    return weir_value_bytes(before.at, p->length);
}

static weir_value decode_packed(const weir_point *p, const uint8_t *wire, weir_writer *room,
                                weir_quality *ret_quality)
{
    const weir_writer before = *room;
    const unsigned n = weir_point_contents_size(p), in_last = p->length % 8;
    weir_write_bytes(room, wire, n);
    if (room->failed)
        return room_give_back(room, &before, ret_quality);
    if (in_last) /* devices should send the others as 0, and not all do */
        before.at[n - 1] &= (uint8_t)((1u << in_last) - 1);
    return weir_value_bytes(before.at, n);
}

/* Devices fill with NUL, with blanks, or with a NUL and then what was there before. */
static size_t string_end(const weir_point *p, const uint8_t *wire, unsigned flip)
{
    size_t end = 0;
    while (end < p->length && wire[end ^ flip])
        end++;
    while (end > 0 && wire[(end - 1) ^ flip] == ' ')
        end--;
    return end;
}

static weir_value decode_string(const weir_point *p, const uint8_t *wire, unsigned flip,
                                weir_writer *room, weir_quality *ret_quality)
{
    enum { UTF8_LENGTH_MAX = 4 };
    const weir_writer before = *room;
    const size_t end = string_end(p, wire, flip);
    for (size_t i = 0; i < end;) {
        char next[UTF8_LENGTH_MAX];
        size_t n = 0;
        for (; n < sizeof next && i + n < end; n++)
            next[n] = (char)wire[(i + n) ^ flip];
        const size_t length = weir_utf8_char(next, n);
        if (length)
            weir_write_bytes(room, next, length);
        else
            weir_write_bytes(room, "\xef\xbf\xbd", 3);
        i += length ? length : 1;
    }
    const size_t length = weir_writer_length(room) - weir_writer_length(&before);
    if (room->failed || length > WEIR_VALUE_LENGTH_MAX)
        return room_give_back(room, &before, ret_quality);
    return weir_value_string((const char *)before.at, length);
}

static weir_value decode_text(const weir_point *p, const uint8_t *wire, size_t n, weir_writer *room,
                              weir_quality *ret_quality)
{
    const unsigned flip = weir_order_swaps[p->order] & 1;
    if (!room)
        return decode_bad(WEIR_CAUSE_OVERFLOW, ret_quality);
    if (p->type == WEIR_TYPE_RAW)
        return decode_raw(p, wire, n, room, ret_quality);
    if (n < weir_point_wire_bytes(p))
        return decode_bad(WEIR_CAUSE_MALFORMED, ret_quality);
    if (weir_point_is_packed(p))
        return decode_packed(p, wire, room, ret_quality);
    return p->type == WEIR_TYPE_STRING ? decode_string(p, wire, flip, room, ret_quality)
                                       : decode_bytes(p, wire, flip, room, ret_quality);
}

static inline uint64_t raw_load(const weir_point *p, const uint8_t *wire, unsigned width)
{
    uint64_t v;
    switch (width) {
    case 1:
        return wire[0];
    case 2:
        v = (uint64_t)wire[0] << 8 | wire[1];
        break;
    case 4:
        v = (uint32_t)wire[0] << 24 | (uint32_t)wire[1] << 16 | (uint32_t)wire[2] << 8 | wire[3];
        break;
    default:
        v = (uint64_t)wire[0] << 56 | (uint64_t)wire[1] << 48 | (uint64_t)wire[2] << 40 |
            (uint64_t)wire[3] << 32 | (uint64_t)wire[4] << 24 | (uint64_t)wire[5] << 16 |
            (uint64_t)wire[6] << 8 | wire[7];
        break;
    }
    return weir_order_apply(p->order, width, v);
}

/* A mark is as wide as the type; the eight-bit types have half a register. */
static bool raw_is_na(const weir_point *p, uint64_t raw)
{
    if (weir_type_width(p->type) == 1 && p->bit < 0)
        raw &= 0xff;
    for (size_t i = 0; i < p->n_na; i++)
        if (p->na[i] == raw)
            return true;
    return false;
}

static bool bcd_decode(uint64_t raw, uint64_t *ret)
{
    uint64_t v = 0;
    for (int shift = 60; shift >= 0; shift -= 4) {
        const unsigned digit = raw >> shift & 15;
        if (digit > 9)
            return false;
        v = v * 10 + digit;
    }
    *ret = v;
    return true;
}

/* IEEE 754 binary16 to the bits of the same number, or the same NaN, in binary32. */
static uint32_t half_widen(uint32_t half)
{
    const uint32_t sign = (half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 0x1f;
    uint32_t fraction = half & 0x3ff;
    if (exponent == 0x1f)
        return sign | 0x7f800000 | fraction << 13;
    if (exponent == 0) {
        if (fraction == 0)
            return sign;
        /* A subnormal half is a normal float: bring its first bit to the hidden place. */
        for (exponent = 1; !(fraction & 0x400); exponent--)
            fraction <<= 1;
        fraction &= 0x3ff;
    }
    return sign | (exponent + (127 - 15)) << 23 | fraction << 13;
}

static inline weir_value value_of_f32_bits(uint32_t bits, weir_quality *ret_quality)
{
    weir_value v = {.kind = WEIR_KIND_F32};
    memcpy(&v.as.f32, &bits, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        *ret_quality = weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_NOT_A_NUMBER, 0);
    return v;
}

static inline weir_value value_of_f64_bits(uint64_t bits, weir_quality *ret_quality)
{
    weir_value v = {.kind = WEIR_KIND_F64, .as.bits = bits};
    if ((bits & INT64_MAX) > 0x7ff0000000000000)
        *ret_quality = weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_NOT_A_NUMBER, 0);
    return v;
}

static inline weir_value value_of_raw(const weir_point *p, uint64_t raw, weir_quality *ret_quality)
{
    uint64_t number;
    if (weir_register_is_bits(p->table))
        return weir_value_bool(raw != 0);
    if (weir_point_is_register_bit(p))
        return weir_value_bool(raw >> (p->bit & 15) & 1);
    switch (p->type) {
    case WEIR_TYPE_BOOL:
        return weir_value_bool(raw != 0);
    case WEIR_TYPE_INT8:
        return weir_value_i64((int8_t)raw);
    case WEIR_TYPE_UINT8:
        return weir_value_u64((uint8_t)raw);
    case WEIR_TYPE_INT16:
        return weir_value_i64((int16_t)raw);
    case WEIR_TYPE_INT32:
        return weir_value_i64((int32_t)raw);
    case WEIR_TYPE_INT64:
        return weir_value_i64((int64_t)raw);
    case WEIR_TYPE_UINT16:
    case WEIR_TYPE_UINT32:
    case WEIR_TYPE_UINT64:
        return weir_value_u64(raw);
    case WEIR_TYPE_FLOAT16:
        return value_of_f32_bits(half_widen((uint32_t)raw), ret_quality);
    case WEIR_TYPE_FLOAT32:
        return value_of_f32_bits((uint32_t)raw, ret_quality);
    case WEIR_TYPE_FLOAT64:
        return value_of_f64_bits(raw, ret_quality);
    case WEIR_TYPE_BCD16:
    case WEIR_TYPE_BCD32:
    case WEIR_TYPE_BCD64:
        return bcd_decode(raw, &number) ? weir_value_u64(number)
                                        : decode_bad(WEIR_CAUSE_MALFORMED, ret_quality);
    case WEIR_TYPE_BITFIELD:
        return weir_value_u64(raw >> weir_point_field_shift(p) & weir_point_field_mask(p));
    case WEIR_TYPE_STRING:
    case WEIR_TYPE_BYTES:
    case WEIR_TYPE_RAW:
        break; /* have no fixed width: decode_text */
    }
    return weir_value_null();
}

/* Replaces a listed integer by its text, which lives as long as the point. */
static bool value_to_enum(const weir_point *p, weir_value *v)
{
    const bool integer = v->kind == WEIR_KIND_BOOL || v->kind == WEIR_KIND_I64 ||
                         (v->kind == WEIR_KIND_U64 && v->as.u <= INT64_MAX);
    for (size_t i = 0; integer && i < p->n_enum; i++)
        if (p->enum_items[i].raw == v->as.i) {
            *v = weir_value_string(p->enum_items[i].text, strlen(p->enum_items[i].text));
            return true;
        }
    return false;
}

static weir_value scale_double(const weir_point *p, const weir_value *v, weir_quality *ret_quality)
{
    double raw = 0;
    if (!weir_value_number(v, &raw))
        return *v;
    const double scaled = raw * p->scale + p->offset;
    if (isinf(scaled) && !isinf(raw))
        return decode_bad(WEIR_CAUSE_OVERFLOW, ret_quality);
    return weir_value_f64(scaled);
}

static weir_value scale_value(const weir_point *p, const weir_value *v, weir_quality *ret_quality)
{
    int64_t mantissa;
    const bool exact =
        v->kind == WEIR_KIND_I64 || (v->kind == WEIR_KIND_U64 && v->as.u <= INT64_MAX);
    if (v->kind == WEIR_KIND_BOOL || v->kind == WEIR_KIND_NULL)
        return *v;
    if (p->scaling == WEIR_SCALING_DOUBLE || !exact)
        return scale_double(p, v, ret_quality);
    if (__builtin_mul_overflow(v->as.i, (int64_t)p->sign, &mantissa) ||
        __builtin_add_overflow(mantissa, p->decimal_offset, &mantissa))
        return decode_bad(WEIR_CAUSE_OVERFLOW, ret_quality);
    return weir_value_decimal(mantissa, p->exponent);
}

static bool value_in_range(const weir_point *p, const weir_value *v)
{
    double number;
    if (!weir_value_number(v, &number))
        return true;
    return !(p->has_min && number < p->min) && !(p->has_max && number > p->max);
}

weir_value weir_point_decode(const weir_point *p, const uint8_t *wire, size_t n, weir_writer *room,
                             weir_quality *ret_quality)
{
    const unsigned width = weir_point_wire_width(p);
    *ret_quality = 0;
    if (width == 0)
        return decode_text(p, wire, n, room, ret_quality);
    if (n < width)
        return decode_bad(WEIR_CAUSE_MALFORMED, ret_quality);
    const uint64_t raw = raw_load(p, wire, width);
    if (p->n_na && raw_is_na(p, raw))
        return decode_bad(WEIR_CAUSE_NA, ret_quality);
    weir_value v = value_of_raw(p, raw, ret_quality);
    if (p->n_enum && value_to_enum(p, &v))
        return v;
    if (p->scaling != WEIR_SCALING_NONE)
        v = scale_value(p, &v, ret_quality);
    if ((p->has_min || p->has_max) && !value_in_range(p, &v))
        return decode_bad(WEIR_CAUSE_RANGE, ret_quality);
    return v;
}
