/* SPDX-License-Identifier: MIT */
/* All of libweir: libweir-core, the collector, sources and sinks of one's own. */

#pragma once
#include "weir/draft.h"
#include "weir/collector.h"
#include "weir/core.h"
#include "weir/plan.h"
#include "weir/sink.h"
#include "weir/source.h"
