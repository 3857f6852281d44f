/* SPDX-License-Identifier: MIT */
/* What reading has cost so far. */

#pragma once
#include <stdint.h>

/* How much was read, added up; for tests and diagnosis. */
typedef struct weir_view_counters {
    uint64_t rows;     /* of log and fresh, looked at */
    uint64_t decoded;  /* of these, decompressed */
    uint64_t segments; /* heads looked at */
    uint64_t bodies;   /* of these, decompressed */
    uint64_t replies;  /* series of replies decompressed */
} weir_view_counters;
