/* SPDX-License-Identifier: MIT */
/* All of libweir-core: values, times, points, the Modbus master. */

#pragma once
#include "weir/api.h"
#include "weir/clock.h"
#include "weir/error.h"
#include "weir/log.h"
#include "weir/modbus.h"
#include "weir/point.h"
#include "weir/quality.h"
#include "weir/row.h"
#include "weir/sample.h"
#include "weir/type.h"
#include "weir/value.h"
