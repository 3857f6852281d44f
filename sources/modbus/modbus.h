/* SPDX-License-Identifier: MIT */
/* The source for Modbus TCP and RTU over TCP. */

#pragma once
#include "model/source.h"

extern const weir_source_type weir_source_modbus;
