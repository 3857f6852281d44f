/* SPDX-License-Identifier: MIT */
/* What can be said of a stretch of samples without keeping them. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/sample.h"

/*
 * Of samples of one tag in ascending ts. A number is a value of a kind weir_value_number knows, of
 * good or uncertain quality, and not NaN. Nothing is rounded away: count, first and last are
 * exact; min, max and sum are doubles. {0} is empty.
 */
typedef struct weir_summary {
    uint64_t count;   /* samples */
    uint64_t good;    /* of plain good class */
    uint64_t bad;     /* of class bad; the others are uncertain */
    uint64_t numbers; /* 0: what follows means nothing */
    double min, max, sum;
    weir_value first, last; /* numbers, with their kind */
    weir_wall first_ts, last_ts;
    uint64_t falls; /* numbers lower than the number before: 0 means last - first is all growth */
} weir_summary;

/* Whether a sample is a number in this sense, and which. */
bool weir_summary_number(const weir_sample *sample, double *ret);

void weir_summary_add(weir_summary *summary, const weir_sample *sample);

/* The same, one after the other, n times: to the last bit, and faster. */
void weir_summary_add_all(weir_summary *summary, const weir_sample *samples, size_t n);

/* later starts after summary ends; the step between the two counts in falls. */
void weir_summary_join(weir_summary *summary, const weir_summary *later);
