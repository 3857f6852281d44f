/* SPDX-License-Identifier: MIT */
/* Sums of sines with noise, as EMDC's sample data generator describes them; pure functions. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

/*
 * One term: samples at start + i * step_us for first <= i < last, with the value
 *
 *     offset + cos * cos(2 pi t / period) + sin * sin(2 pi t / period) + noise
 *
 * where t is the time since start and noise is uniform within -spread .. spread.
 */
typedef struct weir_fourier_term {
    weir_wall start;
    int64_t step_us; /* > 0 */
    int64_t first, last;
    double period_s; /* not 0 */
    double cos, sin, offset, spread;
} weir_fourier_term;

/* One topic: where samples of several terms have the same time, their values are summed. */
typedef struct weir_fourier {
    int64_t id; /* of the topic: makes its noise its own */
    size_t n_terms;
    weir_fourier_term *terms;
} weir_fourier;

/* Another step; the same span of time. */
void weir_fourier_set_step(weir_fourier *fourier, int64_t step_us);

/* Samples of all terms from `from` until before `to`, before their start and behind their end too:
 * phase and grid stay those of the start. */
void weir_fourier_set_range(weir_fourier *fourier, weir_wall from, weir_wall to);

/* The times of the first sample and the last one; false when there is none. */
bool weir_fourier_range(const weir_fourier *fourier, weir_wall *ret_first, weir_wall *ret_last);

/* At most: samples of one time in several terms are one sample. */
uint64_t weir_fourier_count(const weir_fourier *fourier);

/* Exactly, those with from <= ts < to. */
uint64_t weir_fourier_count_between(const weir_fourier *fourier, weir_wall from, weir_wall to);

/* The shortest step of all terms. */
int64_t weir_fourier_step(const weir_fourier *fourier);

/* For long stretches: what does not depend on time is worked out once. Borrows the fourier. */
typedef struct weir_fourier_walk weir_fourier_walk;
weir_fourier_walk *weir_fourier_walk_new(const weir_fourier *fourier,
                                         uint64_t seed) WEIR_MUST_CHECK; /* NULL: no memory */
void weir_fourier_walk_free(weir_fourier_walk *walk);                    /* accepts NULL */
WEIR_DEFINE_CLEANUP(weir_fourier_walk, weir_fourier_walk_free)

/*
 * The first samples with from <= ts < to, ascending, at most capacity; returns how many. A value
 * depends on fourier, seed and time alone, not on where a stretch began.
 */
size_t weir_fourier_fill(const weir_fourier_walk *walk, weir_wall from, weir_wall to,
                         size_t capacity, weir_wall *ret_ts, double *ret_values);
