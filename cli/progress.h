/* SPDX-License-Identifier: MIT */
/* A progress line on a terminal: how much, how fast, how long still. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

/* One thread. On a terminal the line appears after 2 s and is redrawn 5 times a second; elsewhere
 * nothing is written. */
typedef struct weir_progress {
    const char *doing; /* "exporting" */
    const char *unit;  /* what `done` counts: "samples" */
    bool shows, drawn;
    int64_t started_us, drawn_us;
} weir_progress;

void weir_progress_start(weir_progress *progress, const char *doing, const char *unit);

/* fraction: of the whole, 0 to 1. */
void weir_progress_set(weir_progress *progress, uint64_t done, double fraction);

/* Clears the line. */
void weir_progress_end(weir_progress *progress);
