/* SPDX-License-Identifier: MIT */
/* Repeatable pseudo-random numbers (splitmix64): for jitter, ids and simulation, not for secrets. */

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

/* Uniform in 0 .. n-1; n > 0. */
static inline uint64_t weir_random_below(weir_random *r, uint64_t n)
{
    return (uint64_t)((unsigned __int128)weir_random_u64(r) * n >> 64);
}

/* Uniform in [0, 1). */
static inline double weir_random_unit(weir_random *r)
{
    return (double)(weir_random_u64(r) >> 11) * 0x1p-53;
}
