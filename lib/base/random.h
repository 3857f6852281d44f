/* SPDX-License-Identifier: MIT */
/* Repeatable pseudo-random numbers (splitmix64): for jitter, ids, simulation; not for secrets. */

#pragma once
#include <stdint.h>

typedef struct weir_random {
    uint64_t state; /* any value is a seed */
} weir_random;

static inline uint64_t weir_random_u64(weir_random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Uniform in 0 .. n-1; n > 0. The upper half of a 128-bit product, in 32-bit pieces: not every
 * machine has integers that wide. */
static inline uint64_t weir_random_below(weir_random *r, uint64_t n)
{
    const uint64_t x = weir_random_u64(r);
    const uint64_t x_low = (uint32_t)x, x_high = x >> 32, n_low = (uint32_t)n, n_high = n >> 32;
    const uint64_t cross1 = x_high * n_low, cross2 = x_low * n_high;
    const uint64_t carry = ((x_low * n_low >> 32) + (uint32_t)cross1 + (uint32_t)cross2) >> 32;
    return x_high * n_high + (cross1 >> 32) + (cross2 >> 32) + carry;
}

/* Uniform in [0, 1). */
static inline double weir_random_unit(weir_random *r)
{
    return (double)(weir_random_u64(r) >> 11) * 0x1p-53;
}
