/* SPDX-License-Identifier: MIT */
/* The sink that takes everything and keeps nothing: to measure, and to try filters. */

#pragma once
#include "model/sink.h"

extern const weir_sink_type weir_sink_noop;
