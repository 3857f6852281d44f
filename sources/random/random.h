/* SPDX-License-Identifier: MIT */
/* The source for `random:` connections: numbers drawn anew at each read, no device. */

#pragma once
#include "model/source.h"

extern const weir_source_type weir_source_random;

/*
 * The number a point gets: uniform in min..max of its `simulate`, a whole multiple of its
 * resolution; without it 15.00 .. 18.00 in hundredths. It is as the point's type is: an f64 for
 * floats, a whole number for integers, a bool; null for what is no number.
 */
weir_value weir_random_value(const weir_point *point, weir_random *random);
