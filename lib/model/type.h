/* SPDX-License-Identifier: MIT */
/* The types and byte orders a point can have on the wire: one table. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/value.h"

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
bool weir_type_parse(const char *word, weir_type *ret);
const char *weir_type_text(weir_type type);
const char *weir_type_word(size_t i); /* all it takes, the texts of types first; NULL: no more */
unsigned weir_type_width(weir_type type); /* bytes of one value, 0: from `length` */
uint8_t weir_type_kind(weir_type type);   /* weir_kind of the unscaled value */

/* "AB", "BA", "ABCD", ..., "EFGHABCD", and the aliases big, little, big-swap, little-swap (more in
 * type.c), any case. "BA" is DCBA. */
bool weir_order_parse(const char *word, weir_order *ret);
const char *weir_order_text(weir_order order, unsigned width); /* "BA" for width 2, "CDAB" for 4 */
const char *weir_order_word(size_t i); /* all that parse takes; NULL: no more */

/*
 * Fills ret_from[0..width-1]: byte i of the value (0 = most significant) is wire byte ret_from[i].
 * width 1, 2, 4 or 8. With width 2 only the swap of bytes within a word counts; with 4 an
 * eight-letter order acts as its last four letters would.
 */
void weir_order_bytes(weir_order order, unsigned width, uint8_t ret_from[8]);
