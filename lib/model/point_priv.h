/* SPDX-License-Identifier: MIT */
/* What decoding and encoding of points share: the way from wire bytes to a raw word and back. */

#pragma once
#include <stdint.h>

#include "model/point.h"

/*
 * Every byte order is a set of swaps of neighbours, so one number says it all: wire byte i holds
 * byte i ^ swaps of the value, most significant first. Bit 0 swaps the bytes of a register, bit 1
 * the registers of a pair, bit 2 the pairs. A narrower value uses the low bits only, and applying
 * an order twice gives back the start: loading and storing are the same.
 */
static const uint8_t weir_order_swaps[WEIR_ORDER_COUNT] = {
    [WEIR_ORDER_ABCD] = 0,     [WEIR_ORDER_CDAB] = 6,     [WEIR_ORDER_BADC] = 1,
    [WEIR_ORDER_DCBA] = 7,     [WEIR_ORDER_CDABGHEF] = 2, [WEIR_ORDER_EFGHABCD] = 4,
    [WEIR_ORDER_DCBAHGFE] = 3, [WEIR_ORDER_FEHGBADC] = 5,
};

/* Big-endian word of 2, 4 or 8 bytes to or from the order. */
static inline uint64_t weir_order_apply(weir_order order, unsigned width, uint64_t v)
{
    const unsigned swaps = weir_order_swaps[order] & (width - 1);
    const uint64_t bytes = 0x00ff00ff00ff00ff, words = 0x0000ffff0000ffff;
    if (swaps & 1)
        v = (v & bytes) << 8 | (v >> 8 & bytes);
    if (swaps & 2)
        v = (v & words) << 16 | (v >> 16 & words);
    if (swaps & 4)
        v = v << 32 | v >> 32;
    return v;
}

/* Bytes on the wire of one element whose width the type fixes: 1 for a coil, 2, 4 or 8;
 * 0 when `length` says it. */
static inline unsigned weir_point_wire_width(const weir_point *p)
{
    static const uint8_t widths[WEIR_TYPE_COUNT] = {
#define X(symbol, word, width, kind) \
    [symbol] = (width) >= 2 ? (width) : (width) == 1 || (symbol) == WEIR_TYPE_BOOL ? 2 : 0,
        WEIR_TYPE_LIST(X)
#undef X
    };
    return weir_register_is_bits(p->table) && !weir_point_is_packed(p) ? 1 : widths[p->type];
}

/* Whether the point is one bit of a register: always a bool then, whatever its integer type. */
static inline bool weir_point_is_register_bit(const weir_point *p)
{
    switch (p->type) {
    case WEIR_TYPE_BOOL:
    case WEIR_TYPE_INT8:
    case WEIR_TYPE_UINT8:
    case WEIR_TYPE_INT16:
    case WEIR_TYPE_UINT16:
        return p->bit >= 0;
    case WEIR_TYPE_BITFIELD:
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_UINT32:
    case WEIR_TYPE_INT64:
    case WEIR_TYPE_UINT64:
    case WEIR_TYPE_FLOAT16:
    case WEIR_TYPE_FLOAT32:
    case WEIR_TYPE_FLOAT64:
    case WEIR_TYPE_BCD16:
    case WEIR_TYPE_BCD32:
    case WEIR_TYPE_BCD64:
    case WEIR_TYPE_STRING:
    case WEIR_TYPE_BYTES:
    case WEIR_TYPE_RAW:
        return false;
    }
    return false;
}

/* A bitfield's first bit and the mask of its bits, cut to what the register has. */
static inline unsigned weir_point_field_shift(const weir_point *p)
{
    return p->bit > 0 ? (unsigned)p->bit & 15 : 0;
}

static inline uint16_t weir_point_field_mask(const weir_point *p)
{
    const unsigned available = 16 - weir_point_field_shift(p);
    const unsigned width = p->bit_width == 0 || p->bit_width > available ? available : p->bit_width;
    return (uint16_t)((1u << width) - 1);
}
