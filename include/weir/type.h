/* SPDX-License-Identifier: MIT */
/* The tables, types and byte orders a point can have on the wire. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/value.h"

WEIR_C_BEGIN

/* The four Modbus tables, and `function: N` for any other read. Values are the function codes. */
typedef enum weir_register {
    WEIR_REGISTER_COIL = 1,     /* function 1 */
    WEIR_REGISTER_DISCRETE = 2, /* function 2 */
    WEIR_REGISTER_HOLDING = 3,  /* function 3 */
    WEIR_REGISTER_INPUT = 4,    /* function 4 */
    WEIR_REGISTER_FUNCTION = 0, /* a point of `function`, type raw */
} weir_register;

/* coil co 0 0x | discrete di 1 1x | input ir 3 3x | holding hr 4 4x, any case. */
WEIR_API bool weir_register_parse(const char *word, weir_register *ret);
WEIR_API const char *weir_register_text(weir_register table); /* "holding" */
/* symbol, word, width in bytes (0: from `length`), kind of the unscaled value */
#define WEIR_TYPE_LIST(X)                               \
    X(WEIR_TYPE_BOOL, "bool", 0, WEIR_KIND_BOOL)        \
    X(WEIR_TYPE_INT8, "int8", 1, WEIR_KIND_I64)         \
    X(WEIR_TYPE_UINT8, "uint8", 1, WEIR_KIND_U64)       \
    X(WEIR_TYPE_INT16, "int16", 2, WEIR_KIND_I64)       \
    X(WEIR_TYPE_UINT16, "uint16", 2, WEIR_KIND_U64)     \
    X(WEIR_TYPE_INT32, "int32", 4, WEIR_KIND_I64)       \
    X(WEIR_TYPE_UINT32, "uint32", 4, WEIR_KIND_U64)     \
    X(WEIR_TYPE_INT64, "int64", 8, WEIR_KIND_I64)       \
    X(WEIR_TYPE_UINT64, "uint64", 8, WEIR_KIND_U64)     \
    X(WEIR_TYPE_FLOAT16, "float16", 2, WEIR_KIND_F32)   \
    X(WEIR_TYPE_FLOAT32, "float32", 4, WEIR_KIND_F32)   \
    X(WEIR_TYPE_FLOAT64, "float64", 8, WEIR_KIND_F64)   \
    X(WEIR_TYPE_BCD16, "bcd16", 2, WEIR_KIND_U64)       \
    X(WEIR_TYPE_BCD32, "bcd32", 4, WEIR_KIND_U64)       \
    X(WEIR_TYPE_BCD64, "bcd64", 8, WEIR_KIND_U64)       \
    X(WEIR_TYPE_STRING, "string", 0, WEIR_KIND_STRING)  \
    X(WEIR_TYPE_BYTES, "bytes", 0, WEIR_KIND_BYTES)     \
    X(WEIR_TYPE_BITFIELD, "bitfield", 2, WEIR_KIND_U64) \
    X(WEIR_TYPE_RAW, "raw", 0, WEIR_KIND_BYTES)

typedef enum weir_type {
#define X(symbol, word, width, kind) symbol,
    WEIR_TYPE_LIST(X)
#undef X
} weir_type;

enum { WEIR_TYPE_COUNT = 19 };

/*
 * How the bytes of a value lie on the wire. ABCD is big-endian, Modbus' own; the letters name the
 * value's bytes, most significant first, in the order they arrive. One order serves every width:
 * ABCD means AB for 16 bits and ABCDEFGH for 64, DCBA means BA and HGFEDCBA, and so on; the
 * eight-letter forms that have no four-letter equal are of their own.
 */
#define WEIR_ORDER_LIST(X)                         \
    X(WEIR_ORDER_ABCD, "ABCD", "ABCDEFGH")         \
    X(WEIR_ORDER_CDAB, "CDAB", "GHEFCDAB")         \
    X(WEIR_ORDER_BADC, "BADC", "BADCFEHG")         \
    X(WEIR_ORDER_DCBA, "DCBA", "HGFEDCBA")         \
    X(WEIR_ORDER_CDABGHEF, "CDABGHEF", "CDABGHEF") \
    X(WEIR_ORDER_EFGHABCD, "EFGHABCD", "EFGHABCD") \
    X(WEIR_ORDER_DCBAHGFE, "DCBAHGFE", "DCBAHGFE") \
    X(WEIR_ORDER_FEHGBADC, "FEHGBADC", "FEHGBADC")

typedef enum weir_order {
#define X(symbol, word4, word8) symbol,
    WEIR_ORDER_LIST(X)
#undef X
} weir_order;

enum { WEIR_ORDER_COUNT = 8 };

/* "uint32", "float32"; aliases of peers too (see type.c), any case. False when it is none. */
WEIR_API bool weir_type_parse(const char *word, weir_type *ret);
WEIR_API const char *weir_type_text(weir_type type);
WEIR_API unsigned weir_type_width(weir_type type); /* bytes of one value, 0: from `length` */
WEIR_API uint8_t weir_type_kind(weir_type type);   /* weir_kind of the unscaled value */

/* "AB", "BA", "ABCD", ..., "EFGHABCD", and the aliases big, little, big-swap, little-swap (more in
 * type.c), any case. "BA" is DCBA. */
WEIR_API bool weir_order_parse(const char *word, weir_order *ret);
WEIR_API const char *weir_order_text(weir_order order,
                                     unsigned width); /* "BA" for width 2, "CDAB" for 4 */

WEIR_C_END
