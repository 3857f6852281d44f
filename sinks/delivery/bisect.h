/* SPDX-License-Identifier: MIT */
/* The search for rows that a sink will never take, by halves. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

/*
 * Of n rows in a fixed order, which to send next. Nothing is called bad but a row that was sent
 * alone and rejected. k bad rows of n cost about k * (2 + log2 n) sends; 3 * k where the sink names
 * them, and names them right. {.n = n} is the beginning: send all.
 */
typedef struct weir_bisect {
    size_t n;
    size_t at;    /* rows before it are settled */
    size_t end;   /* > at: among [at, end) is a bad one */
    size_t named; /* > at: the sink says it is the row before this */
    bool misled;  /* it was not */
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

/* The same, and the sink says that it is row at + i, of more than one: those before it go next, and
 * then that one alone. If that one is well, the sink is not believed again. */
void weir_bisect_named(weir_bisect *b, size_t k, size_t i);
