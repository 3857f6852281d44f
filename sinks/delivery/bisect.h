/* SPDX-License-Identifier: MIT */
/* The search for rows that a sink will never take, by halves. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

/*
 * Of n rows in a fixed order, which to send next. Nothing is called bad but a row that was sent
 * alone and rejected, or that the sink named itself. k bad rows of n cost about k * (2 + log2 n)
 * sends. {.n = n} is the beginning: send all.
 */
typedef struct weir_bisect {
    size_t n;
    size_t at;  /* rows before it are settled */
    size_t end; /* > at: among [at, end) is a bad one */
} weir_bisect;

static inline bool weir_bisect_done(const weir_bisect *b)
{
    return b->at >= b->n;
}

/* How many rows to send, beginning with row `at`; at most `most`, 1 at least. Not when done. */
size_t weir_bisect_next(const weir_bisect *b, size_t most);

/* How it ended for the rows at .. at + k - 1. */
void weir_bisect_delivered(weir_bisect *b, size_t k);

/* One of them is bad. True: it was sent alone; it is settled, and `at` is behind it. */
bool weir_bisect_rejected(weir_bisect *b, size_t k);

/* One row of them was named, and taken out of the array by the caller: n is one less. */
void weir_bisect_removed(weir_bisect *b);
