/* SPDX-License-Identifier: MIT */
/* Several small symbols in one byte: what the reader and the writer of planes must agree on. */

#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * An entropy coder spends at least one bit on a byte and rounds to whole bits; with two to eight
 * symbols in a byte it comes close to what they hold, and sees which of them come together.
 */
enum {
    PACKING_COUNT = 7,
    PACKING_LONG = 256, /* planes of that many bytes and more lie in data */
};

/* symbols in a byte, and how many different ones there are; of one kind only there is no byte */
static const struct packing {
    uint8_t per_byte;
    uint16_t radix;
} packings[PACKING_COUNT] = {{1, 256}, {2, 16}, {3, 6}, {4, 4}, {5, 3}, {8, 2}, {0, 1}};

static inline size_t packing_bytes(unsigned packing, size_t n)
{
    unsigned per_byte = packings[packing].per_byte;
    return per_byte ? (n + per_byte - 1) / per_byte : 0;
}

/* The tightest packing for symbols 0 .. top. */
static inline unsigned packing_for(uint64_t top)
{
    unsigned packing = PACKING_COUNT - 1;
    while (packing > 0 && top >= packings[packing].radix)
        packing--;
    return packing;
}

/*
 * Symbols 0 .. top go to planes: the lowest `low` bits to planes of eight bits and one of what
 * remains, what is above to the last plane, of the packing `high`.
 */
static inline unsigned packing_planes(unsigned low)
{
    return low / 8 + (low % 8 != 0) + 1;
}

/* Whole bytes to symbols; `to` has room for what the last byte holds too many. Inlined with
 * constants, so that no division is one. */
static inline void packing_spread(const uint8_t *from, size_t n_bytes, unsigned per_byte,
                                  unsigned radix, uint8_t *to)
{
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned byte = from[i];
        for (unsigned j = 0; j < per_byte; j++, byte /= radix)
            to[i * per_byte + j] = (uint8_t)(byte % radix);
    }
}

/* The symbols in n bytes of a packing that has bytes. */
static inline void packing_unpack(unsigned packing, const uint8_t *from, size_t n, uint8_t *to)
{
    switch (packing) {
    case 0:
        memcpy(to, from, n);
        break;
    case 1:
        packing_spread(from, n, 2, 16, to);
        break;
    case 2:
        packing_spread(from, n, 3, 6, to);
        break;
    case 3:
        packing_spread(from, n, 4, 4, to);
        break;
    case 4:
        packing_spread(from, n, 5, 3, to);
        break;
    case 5:
        packing_spread(from, n, 8, 2, to);
        break;
    }
}
