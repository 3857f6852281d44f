/* SPDX-License-Identifier: MIT */
/* Numbers as integers that order like them, and back, bit for bit. */

#pragma once
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/number.h"
#include "model/value.h"

/* A division must round once, to the type it is in: extended precision would round twice and give
 * other bits on other machines. On 32-bit x86 that takes -msse2 -mfpmath=sse. */
_Static_assert(FLT_EVAL_METHOD == 0, "floats must be calculated in their own precision");

enum {
    SCALE_NONE = 255,   /* floats by their bits */
    SCALE_MAX_F32 = 10, /* beyond, a float takes fewer digits by its bits */
    SCALE_MAX_F64 = 15,
};

/* Negative floats by what they are below the least, so that keys order like values. */
static inline int64_t float_key(uint64_t bits, unsigned width)
{
    uint64_t sign = 1ull << (width - 1);
    return (int64_t)(bits & sign ? ~(bits & ~sign) : bits);
}

static inline uint64_t float_bits(int64_t key, unsigned width)
{
    uint64_t sign = 1ull << (width - 1);
    return key < 0 ? (~(uint64_t)key & (sign - 1)) | sign : (uint64_t)key & (sign - 1);
}

static inline uint64_t f64_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static inline double f64_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline uint64_t f32_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static inline float f32_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float v;
    memcpy(&v, &low, sizeof v);
    return v;
}

/* The integer that divided by the power of ten gives these bits again, when there is one. */
static inline bool scaled_key(uint8_t kind, uint64_t bits, double power, int64_t *ret)
{
    const double exact =
        0x1p52; /* integers below have a neighbour at distance 1 and rounding room */
    double v = kind == WEIR_KIND_F32 ? (double)f32_of(bits) : f64_of(bits);
    double x = v * power;
    if (!(x < exact && x > -exact))
        return false;
    int64_t key = (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
    double back = (double)key / power;
    if ((kind == WEIR_KIND_F32 ? f32_bits((float)back) : f64_bits(back)) != bits)
        return false;
    *ret = key;
    return true;
}

/* The bits of the value with that key. */
static inline uint64_t key_bits(uint8_t kind, unsigned scale, int64_t key)
{
    if (kind == WEIR_KIND_U64)
        return (uint64_t)key ^ 1ull << 63;
    if (kind != WEIR_KIND_F32 && kind != WEIR_KIND_F64)
        return (uint64_t)key;
    if (scale == SCALE_NONE)
        return float_bits(key, kind == WEIR_KIND_F32 ? 32 : 64);
    double v = (double)key / weir_pow10_double((int)scale);
    return kind == WEIR_KIND_F32 ? f32_bits((float)v) : f64_bits(v);
}

/* The key of a number's bits; only a scaled float may have none. */
static inline bool bits_key(uint8_t kind, unsigned scale, uint64_t bits, int64_t *ret)
{
    if ((kind == WEIR_KIND_F32 || kind == WEIR_KIND_F64) && scale != SCALE_NONE)
        return scaled_key(kind, bits, weir_pow10_double((int)scale), ret);
    if (kind == WEIR_KIND_F32 || kind == WEIR_KIND_F64)
        *ret = float_key(bits, kind == WEIR_KIND_F32 ? 32 : 64);
    else
        *ret = (int64_t)(kind == WEIR_KIND_U64 ? bits ^ 1ull << 63 : bits);
    return true;
}

/* A value of a kind and exponent by its bits; a float lies in its half of the union. */
static inline weir_value value_of_bits(uint8_t kind, int8_t exponent, uint64_t bits)
{
    weir_value v = {.kind = kind, .exponent = exponent};
    uint32_t low = (uint32_t)bits;
    if (kind == WEIR_KIND_F32)
        memcpy(&v.as.f32, &low, sizeof low);
    else
        v.as.bits = bits;
    return v;
}

static inline uint64_t value_bits(const weir_value *v)
{
    uint32_t low;
    memcpy(&low, &v->as.f32, sizeof low);
    return v->kind == WEIR_KIND_F32 ? low : v->as.bits;
}
