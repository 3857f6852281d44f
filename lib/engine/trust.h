/* SPDX-License-Identifier: MIT */
/* The trust in the wall clock, and what the epochs without it were wrong by. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/engine.h"

/*
 * A wall clock is doubted when its time cannot be true (anchor.h) or, where that is asked, while
 * the kernel does not say that it is synchronized. A clock that was trusted once is judged anew
 * only when it is set: without its time server it merely drifts.
 */
typedef struct weir_trust {
    weir_wall built, newest;          /* newest committed of a trusted clock; 0: none */
    bool (*synchronized)(void *data); /* NULL: not asked */
    void *data;
    weir_clock_doubt doubt;
    weir_mono since;          /* of trust or its lack */
    weir_mono asked;          /* when it was last judged */
    weir_wall doubted_from;   /* since, by the clock now in force; when doubted */
    bool corrected;           /* in this run */
    int64_t offset_us;        /* of the newest epoch corrected */
    weir_epoch_offset *wrong; /* epochs not corrected yet, and how far the clock was
                                 moved since: ascending */
    size_t n_wrong, wrong_capacity;
} weir_trust;

void weir_trust_deinit(weir_trust *trust);

/* Looks at the clock at start, and when it was set. */
void weir_trust_judge(weir_trust *trust, weir_mono now, weir_wall wall);

/* Whether a doubted clock has become right without a step; looks at most once a second. Does not
 * change the verdict. */
bool weir_trust_regained(weir_trust *trust, weir_mono now, weir_wall wall);

/* A doubted epoch ends: the clock was moved by step_us. Without memory the epoch is forgotten and
 * stays uncertain, as one that a restart ended. */
void weir_trust_moved(weir_trust *trust, uint32_t epoch, int64_t step_us);

/* After the correction was told. */
void weir_trust_corrected(weir_trust *trust);

/* What is doubted and what to do about it: "which cannot be true: ...". */
void weir_trust_describe(const weir_trust *trust, weir_text *t);

/* "; times of epoch 1 are moved forward by 3h, of epoch 2 back by 1s". */
void weir_trust_describe_wrong(const weir_trust *trust, weir_text *t);
