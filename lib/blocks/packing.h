/* SPDX-License-Identifier: MIT */
/* Several small symbols in one byte: what the reader and the writer of planes must agree on. */

#pragma once
#include <stddef.h>
#include <stdint.h>

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
