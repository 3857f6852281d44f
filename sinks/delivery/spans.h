/* SPDX-License-Identifier: MIT */
/* Spans: which sequence numbers are done, and which stretch comes next; arithmetic only. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/file/cursor.h"

/*
 * A set of sequence numbers: all up to `seq`, and at most WEIR_CURSOR_SPANS_MAX spans beyond,
 * ascending, with something between them. What a consumer has done is such a set, and so is what
 * is held back for now. All zero is the empty one.
 */
typedef struct weir_spans {
    uint64_t seq;
    size_t n;
    weir_span spans[WEIR_CURSOR_SPANS_MAX];
} weir_spans;

/* Adds first..last (1 <= first <= last). False: it would take one span more than there may be, and
 * nothing is changed. */
bool weir_spans_add(weir_spans *s, uint64_t first, uint64_t last) WEIR_MUST_CHECK;

/* Whether weir_spans_add would take a stretch that begins at first, however long it is. */
bool weir_spans_fits(const weir_spans *s, uint64_t first);

/* The first stretch behind `after` and up to `until` that is not in the set. False: there is none.
 */
bool weir_spans_next(const weir_spans *s, uint64_t after, uint64_t until, weir_span *ret);

/* The same, for a stretch that is in neither, and that `done` has room for. */
bool weir_spans_next_open(const weir_spans *done, const weir_spans *held, uint64_t after,
                          uint64_t until, weir_span *ret);

/* How many of the numbers up to `until` are not in the set. */
uint64_t weir_spans_missing(const weir_spans *s, uint64_t until);
