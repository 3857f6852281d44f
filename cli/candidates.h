/* SPDX-License-Identifier: MIT */
/* What a few registers may mean: every type and order at once, and which are likely. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "model/point.h"

typedef struct weir_candidate {
    weir_type type;
    weir_order order;
    weir_value value;
    weir_quality quality;
    bool likely; /* a number of the size that meters show, or readable text */
} weir_candidate;

enum { WEIR_CANDIDATES_MAX = 48 };

/*
 * Decodes n_registers (at least one) registers' bytes, as they came, as every type that fits and
 * every order that gives other bytes than the ones before; what cannot be a value is left out.
 * Strings live in room. Returns how many
 * were put into ret, in the order of the table.
 */
size_t weir_candidates_make(const uint8_t *wire, size_t n_registers, weir_writer *room,
                            weir_candidate ret[WEIR_CANDIDATES_MAX]);

/* Index of the one that is most likely meant: of the likely ones floats in the usual
 * orders, text, other floats, the first; 0 when none is likely. */
size_t weir_candidates_best(const weir_candidate *candidates, size_t n);
