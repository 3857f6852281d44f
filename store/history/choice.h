/* SPDX-License-Identifier: MIT */
/* Which parts become a larger one. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "store/history/part.h"

/* What a merge takes: the parts of lower tiers that lie within a period of its tier. */
typedef struct weir_choice {
    int tier;
    uint32_t epoch;
    int64_t start;                /* of the period */
    uint64_t first_seq, last_seq; /* of what is taken */
    size_t n;
    uint64_t bytes;
    bool merged; /* the tier has a part of the period already */
} weir_choice;

/*
 * The next merge worth making, of the lowest tier that has one. False: there is none.
 *
 * Which of two samples of one identity counts is told by the order of what they were made of. So a
 * merge never takes parts from before and from after one that it leaves out, if they overlap in
 * time. (Those of PART_STAYS may be left out: all of their tags went there when the first merge of
 * the period was made, so whatever else has them is later.)
 */
bool weir_choice_make(const weir_store *store, const weir_part *parts, size_t n, weir_wall now,
                      weir_choice *ret);

/* The choice that a target under way was made by. False: what it was made of is gone. */
bool weir_choice_again(const weir_part *target, const weir_part *parts, size_t n, weir_choice *ret);

bool weir_choice_takes(const weir_choice *c, const weir_part *p);

/* Whether samples that are kept for so long may be in parts of this tier: they go with their part,
 * and in too large ones would stay for long. */
bool weir_period_suits(int tier, int64_t keep);
