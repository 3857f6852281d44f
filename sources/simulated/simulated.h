/* SPDX-License-Identifier: MIT */
/* The source for `simulated:` connections: waveforms, no device and no network. */

#pragma once
#include "model/source.h"

extern const weir_source_type weir_source_simulated;
