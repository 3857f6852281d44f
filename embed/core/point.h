/* SPDX-License-Identifier: MIT */
/* Points from public options. */

#pragma once
#include "base/alloc.h"
#include "model/point.h"
#include "weir/point.h"

/* Fills a point; texts and arrays are copied into the arena. Errors of weir_point_new. */
weir_err weir_point_of_options(const weir_point_options *options, weir_arena *arena,
                               weir_point *ret, weir_error *error) WEIR_MUST_CHECK;
