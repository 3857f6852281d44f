/* SPDX-License-Identifier: MIT */
/* What the two halves of the writer of integer columns share: the order of the differences is
 * chosen in ints_write.c, the form of their planes in ints_form.c. */

#pragma once
#include "blocks/ints.h"

/* Residuals base .. base + top are symbols, the others exceptions, which leave `filler` there. */
struct form {
    uint64_t base, top, filler;
    unsigned low, high; /* bits of the low planes, packing of the last */
    size_t n_exceptions;
    double bits; /* about what it takes */
};

/* Where slices lie. */
struct slices {
    const uint32_t *starts;
    size_t n, end;
};

/* The cheapest form for w->residuals. */
struct form weir_form_choose(weir_ints_writer *w, const struct slices *s);

/* Writes base, exceptions and planes. */
void weir_form_write(weir_ints_writer *w, weir_ints_out *out, const struct form *f,
                     const struct slices *s);

/* A stretch without its length. */
void weir_ints_put_stretch(weir_ints_out *out, const void *bytes, size_t n);

static inline unsigned bit_length(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* Bits that numbers take which occur so often. */
double weir_ints_entropy(const uint32_t *counts, size_t n, double total);

/* The middle of a few of n numbers: one far away has no say. */
int64_t weir_ints_median(const uint64_t *v, size_t n);
