/* SPDX-License-Identifier: MIT */
/* When each source wants to be called: a heap of wake-up times with one entry a source. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

typedef struct weir_wake {
    size_t n;
    weir_mono *time;    /* [n] by source */
    uint32_t *heap;     /* sources, earliest first */
    uint32_t *position; /* [n] of the source in the heap */
} weir_wake;

weir_err weir_wake_init(weir_wake *wake, size_t n) WEIR_MUST_CHECK; /* all NEVER */
void weir_wake_deinit(weir_wake *wake);
void weir_wake_set(weir_wake *wake, uint32_t source, weir_mono t);

/* The earliest time, NEVER when n is 0; *ret_source (may be NULL) who wants it. */
weir_mono weir_wake_first(const weir_wake *wake, uint32_t *ret_source);
