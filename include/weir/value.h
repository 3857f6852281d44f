/* SPDX-License-Identifier: MIT */
/* A value: one of nine kinds, 16 bytes, exact to the last bit. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/api.h"

WEIR_C_BEGIN

/* Numbers are stored on disk: append only. */
#define WEIR_KIND_LIST(X)              \
    X(WEIR_KIND_NULL, 0, "null")       \
    X(WEIR_KIND_BOOL, 1, "bool")       \
    X(WEIR_KIND_I64, 2, "i64")         \
    X(WEIR_KIND_U64, 3, "u64")         \
    X(WEIR_KIND_F32, 4, "f32")         \
    X(WEIR_KIND_F64, 5, "f64")         \
    X(WEIR_KIND_DECIMAL, 6, "decimal") \
    X(WEIR_KIND_STRING, 7, "string")   \
    X(WEIR_KIND_BYTES, 8, "bytes")

typedef enum weir_kind {
#define X(name, number, text) name = number,
    WEIR_KIND_LIST(X)
#undef X
} weir_kind;

enum { WEIR_KIND_COUNT = 9, WEIR_VALUE_LENGTH_MAX = 64 * 1024 };

/*
 * A plain value, copied freely. Strings (UTF-8, no NUL needed) and bytes are borrowed: they live
 * as long as the batch or buffer they were decoded into.
 */
typedef struct weir_value {
    uint8_t kind;    /* weir_kind */
    int8_t exponent; /* decimal: value = i * 10^exponent */
    uint16_t reserved;
    uint32_t length; /* string, bytes: 0 .. WEIR_VALUE_LENGTH_MAX */
    union {
        uint64_t bits; /* all 64 bits, whatever the kind; f32 in the low 32; unused bits are 0 */
        bool b;
        int64_t i; /* i64, and the mantissa of a decimal */
        uint64_t u;
        float f32;
        double f64;
        const char *text;
        const uint8_t *bytes;
    } as;
} weir_value;

/* Its kind, and the 64 bits of what is neither string nor bytes. */
static inline weir_value weir_value_of_bits(uint8_t kind, uint64_t bits)
{
    weir_value v;
    v.kind = kind;
    v.exponent = 0;
    v.reserved = 0;
    v.length = 0;
    v.as.bits = bits;
    return v;
}

static inline weir_value weir_value_null(void)
{
    return weir_value_of_bits(WEIR_KIND_NULL, 0);
}

static inline weir_value weir_value_bool(bool b)
{
    return weir_value_of_bits(WEIR_KIND_BOOL, b);
}

static inline weir_value weir_value_i64(int64_t i)
{
    return weir_value_of_bits(WEIR_KIND_I64, (uint64_t)i);
}

static inline weir_value weir_value_u64(uint64_t u)
{
    return weir_value_of_bits(WEIR_KIND_U64, u);
}

static inline weir_value weir_value_f32(float f)
{
    weir_value v = weir_value_of_bits(WEIR_KIND_F32, 0);
    v.as.f32 = f;
    return v;
}

static inline weir_value weir_value_f64(double f)
{
    weir_value v = weir_value_of_bits(WEIR_KIND_F64, 0);
    v.as.f64 = f;
    return v;
}

static inline weir_value weir_value_decimal(int64_t mantissa, int8_t exponent)
{
    weir_value v = weir_value_of_bits(WEIR_KIND_DECIMAL, (uint64_t)mantissa);
    v.exponent = exponent;
    return v;
}

static inline weir_value weir_value_string(const char *text, size_t n)
{
    weir_value v = weir_value_of_bits(WEIR_KIND_STRING, 0);
    v.length = (uint32_t)n;
    v.as.text = text;
    return v;
}

static inline weir_value weir_value_bytes(const uint8_t *bytes, size_t n)
{
    weir_value v = weir_value_of_bits(WEIR_KIND_BYTES, 0);
    v.length = (uint32_t)n;
    v.as.bytes = bytes;
    return v;
}

/* "decimal"; "?" for a number that is no kind. */
WEIR_API const char *weir_kind_text(uint8_t kind);

/* Same kind and same bits (strings and bytes: same content). NaN equals the same NaN; 1.0 and 1
 * differ. */
WEIR_API bool weir_value_identical(const weir_value *a, const weir_value *b);

/* The number nearest to the value, for ranges and display; false for null, string and bytes. */
WEIR_API bool weir_value_number(const weir_value *v, double *ret);

/* As people read it: true, -5, 230.1, text as it is, bytes in hex ("00 2a ff"), null as "". As
 * snprintf does: NUL-terminated, cut to capacity; returns the length it has uncut. */
WEIR_API size_t weir_value_text(const weir_value *v, char *ret, size_t capacity);

/* The exact payload as in the SQL column `bits`: big-endian, 1 byte bool, 4 f32, 8 others (decimal:
 * exponent byte, then 8), string and bytes as they are. Returns the length written, 0 for null or
 * when ret is too small. */
WEIR_API size_t weir_value_payload(const weir_value *v, uint8_t *ret, size_t capacity);

/* The reverse. False: a length the kind cannot have, or no such kind. Strings and bytes are
 * borrowed from payload. */
WEIR_API bool weir_value_of_payload(uint8_t kind, const uint8_t *payload, size_t n,
                                    weir_value *ret);

WEIR_C_END
