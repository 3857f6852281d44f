/* SPDX-License-Identifier: MIT */
/* What a point shows in a simulation when nothing was said: something its unit makes likely. */

#pragma once
#include "model/point.h"

/*
 * Complete for every point: wave is never NONE for a point that holds a number or a bool, and min
 * and max lie within its type, scale, min and max. Strings, bytes and raw are constant.
 */
weir_simulate weir_waveform_default(const weir_point *p);

/* Drops a resolution too coarse for min and max. */
void weir_waveform_fit_resolution(weir_simulate *s);

/* The least and greatest value the point can show: of its type, scaled, within its min and max. */
void weir_waveform_limits(const weir_point *p, double *ret_min, double *ret_max);
