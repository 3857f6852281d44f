/* SPDX-License-Identifier: MIT */
/* The sink that writes to InfluxDB: what its module exports. */

#pragma once
#include "model/sink.h"

__attribute__((visibility("default"))) const weir_sink_type *weir_sink_module_get(uint32_t abi);
