/* SPDX-License-Identifier: MIT */
/* A value: one of nine kinds, 16 bytes, exact to the last bit. */

#include "model/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/number.h"

const char *weir_kind_text(uint8_t kind)
{
    static const char *const texts[] = {
#define X(name, number, text) [number] = text,
        WEIR_KIND_LIST(X)
#undef X
    };
    _Static_assert(sizeof texts / sizeof *texts == WEIR_KIND_COUNT, "a text for each kind");
    return kind < WEIR_KIND_COUNT ? texts[kind] : "?";
}

static uint32_t value_f32_bits(const weir_value *v)
{
    uint32_t bits;
    memcpy(&bits, &v->as.f32, sizeof bits);
    return bits;
}

bool weir_value_identical(const weir_value *a, const weir_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch ((weir_kind)a->kind) {
    case WEIR_KIND_NULL:
        return true;
    case WEIR_KIND_BOOL:
        return a->as.b == b->as.b;
    case WEIR_KIND_I64:
    case WEIR_KIND_U64:
    case WEIR_KIND_F64:
        return a->as.bits == b->as.bits;
    case WEIR_KIND_F32:
        return value_f32_bits(a) == value_f32_bits(b);
    case WEIR_KIND_DECIMAL:
        return a->as.i == b->as.i && a->exponent == b->exponent;
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        return a->length == b->length &&
               (a->length == 0 || memcmp(a->as.bytes, b->as.bytes, a->length) == 0);
    }
    return false;
}

/* Mantissa and power of ten are exact up to these, so that one division or multiplication rounds
 * once and gives the nearest double; beyond, strtod does. */
static double decimal_number(int64_t mantissa, int exponent)
{
    const int64_t mantissa_exact = 1ll << 53;
    const int exponent_exact = 22;
    char b[40];
    if (llabs(mantissa / 2) < mantissa_exact / 2 && abs(exponent) <= exponent_exact)
        return exponent < 0 ? (double)mantissa / weir_pow10_double(-exponent)
                            : (double)mantissa * weir_pow10_double(exponent);
    (void)snprintf(b, sizeof b, "%llde%d", (long long)mantissa, exponent);
    return strtod(b, NULL);
}

bool weir_value_number(const weir_value *v, double *ret)
{
    switch ((weir_kind)v->kind) {
    case WEIR_KIND_NULL:
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        return false;
    case WEIR_KIND_BOOL:
        *ret = v->as.b ? 1 : 0;
        return true;
    case WEIR_KIND_I64:
        *ret = (double)v->as.i;
        return true;
    case WEIR_KIND_U64:
        *ret = (double)v->as.u;
        return true;
    case WEIR_KIND_F32:
        *ret = (double)v->as.f32;
        return true;
    case WEIR_KIND_F64:
        *ret = v->as.f64;
        return true;
    case WEIR_KIND_DECIMAL:
        *ret = decimal_number(v->as.i, v->exponent);
        return true;
    }
    return false;
}

void weir_value_format(const weir_value *v, weir_text *t)
{
    switch ((weir_kind)v->kind) {
    case WEIR_KIND_NULL:
        break;
    case WEIR_KIND_BOOL:
        weir_text_add(t, v->as.b ? "true" : "false");
        break;
    case WEIR_KIND_I64:
        weir_text_format(t, "%lld", (long long)v->as.i);
        break;
    case WEIR_KIND_U64:
        weir_text_format(t, "%llu", (unsigned long long)v->as.u);
        break;
    case WEIR_KIND_F32:
        weir_text_add_float(t, v->as.f32);
        break;
    case WEIR_KIND_F64:
        weir_text_add_double(t, v->as.f64);
        break;
    case WEIR_KIND_DECIMAL:
        weir_text_add_decimal(t, v->as.i, v->exponent);
        break;
    case WEIR_KIND_STRING:
        weir_text_add_n(t, v->as.text, v->length);
        break;
    case WEIR_KIND_BYTES:
        weir_text_add_hex(t, v->as.bytes, v->length, v->length);
        break;
    }
}

/* Many readers take "-0" for an integer, which has no sign then. */
static bool value_is_minus_zero(const weir_value *v)
{
    return (v->kind == WEIR_KIND_F32 && v->as.f32 == 0 && signbit(v->as.f32)) ||
           (v->kind == WEIR_KIND_F64 && v->as.f64 == 0 && signbit(v->as.f64));
}

/* JSON has no NaN and no infinity, and many readers keep integers in 64 signed bits. */
static bool value_needs_quotes(const weir_value *v)
{
    switch ((weir_kind)v->kind) {
    case WEIR_KIND_NULL:
    case WEIR_KIND_BOOL:
    case WEIR_KIND_I64:
    case WEIR_KIND_DECIMAL:
    case WEIR_KIND_STRING: /* quoted and escaped elsewhere */
        return false;
    case WEIR_KIND_U64:
        return v->as.u > INT64_MAX;
    case WEIR_KIND_F32:
        return !isfinite(v->as.f32);
    case WEIR_KIND_F64:
        return !isfinite(v->as.f64);
    case WEIR_KIND_BYTES:
        return true;
    }
    return false;
}

void weir_value_format_json(const weir_value *v, weir_text *t)
{
    const bool quotes = value_needs_quotes(v);
    if (v->kind == WEIR_KIND_NULL) {
        weir_text_add(t, "null");
        return;
    }
    if (v->kind == WEIR_KIND_STRING) {
        weir_text_add_json(t, v->as.text, v->length);
        return;
    }
    if (quotes)
        weir_text_add_char(t, '"');
    weir_value_format(v, t);
    if (value_is_minus_zero(v))
        weir_text_add(t, ".0");
    if (quotes)
        weir_text_add_char(t, '"');
}

size_t weir_value_payload(const weir_value *v, uint8_t *ret, size_t capacity)
{
    weir_writer w = weir_writer_of(ret, capacity);
    switch ((weir_kind)v->kind) {
    case WEIR_KIND_NULL:
        break;
    case WEIR_KIND_BOOL:
        weir_write_u8(&w, v->as.b);
        break;
    case WEIR_KIND_F32:
        weir_write_u32(&w, value_f32_bits(v));
        break;
    case WEIR_KIND_I64:
    case WEIR_KIND_U64:
    case WEIR_KIND_F64:
        weir_write_u64(&w, v->as.bits);
        break;
    case WEIR_KIND_DECIMAL:
        weir_write_u8(&w, (uint8_t)v->exponent);
        weir_write_u64(&w, v->as.bits);
        break;
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        weir_write_bytes(&w, v->as.bytes, v->length);
        break;
    }
    return w.failed ? 0 : weir_writer_length(&w);
}

static weir_value number_of_payload(uint8_t kind, weir_reader *r)
{
    weir_value v = {.kind = kind};
    if (kind == WEIR_KIND_BOOL)
        v.as.bits = weir_read_u8(r) != 0;
    else if (kind == WEIR_KIND_F32)
        v.as.bits = weir_read_u32(r);
    else if (kind == WEIR_KIND_DECIMAL)
        v.exponent = (int8_t)weir_read_u8(r);
    if (kind == WEIR_KIND_I64 || kind == WEIR_KIND_U64 || kind == WEIR_KIND_F64 ||
        kind == WEIR_KIND_DECIMAL)
        v.as.bits = weir_read_u64(r);
    if (kind == WEIR_KIND_F32) {
        const uint32_t bits = (uint32_t)v.as.bits;
        float f;
        memcpy(&f, &bits, sizeof f);
        v = weir_value_f32(f);
    }
    return v;
}

bool weir_value_of_payload(uint8_t kind, const uint8_t *payload, size_t n, weir_value *ret)
{
    weir_reader r = weir_reader_of(payload, n);
    if (kind >= WEIR_KIND_COUNT)
        return false;
    if (kind >= WEIR_KIND_STRING) {
        if (n > WEIR_VALUE_LENGTH_MAX)
            return false;
        *ret = (weir_value){.kind = kind, .length = (uint32_t)n, .as.bytes = payload};
        return true;
    }
    weir_value v = number_of_payload(kind, &r);
    if (r.failed || weir_reader_left(&r) > 0)
        return false;
    *ret = v;
    return true;
}
