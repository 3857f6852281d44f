/* SPDX-License-Identifier: MIT */
/* Where a tag is on the wire, as the text that sinks and SQL show. */

#pragma once
#include "base/text.h"
#include "model/point.h"

/* "holding 52", "function 24 at 5"; where `length` says how many there are, with the last one:
 * "coil 4-13", "holding 100-109". */
void weir_place_format(const weir_point *p, uint32_t element, weir_text *t);

/* What such a text says. n: registers or bits, 1 where the type says how many. */
typedef struct weir_place {
    weir_register table;
    uint16_t first;
    uint32_t n;
} weir_place;

/* The beginning of an address, whatever stands behind it. False: it is of no table. */
bool weir_place_parse(const char *address, weir_place *ret);
