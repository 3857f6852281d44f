/* SPDX-License-Identifier: MIT */
/* The sink that writes JSON lines on standard output. */

#pragma once
#include "model/sink.h"

extern const weir_sink_type weir_sink_stdout;
