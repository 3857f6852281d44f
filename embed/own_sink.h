/* SPDX-License-Identifier: MIT */
/* Sinks of the program's own, as a type of sinks like all others. */

#pragma once
#include "model/sink.h"
#include "weir/collector.h"

typedef struct weir_own_sink_type weir_own_sink_type;

/* Copies. collector: whose callbacks these are. WEIR_EINVAL, WEIR_ENOMEM. */
weir_err weir_own_sink_new(const weir_own_sink *own, weir_collector *collector,
                           weir_own_sink_type **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_own_sink_free(weir_own_sink_type *type); /* accepts NULL */

const weir_sink_type *weir_own_sink_get(const weir_own_sink_type *type);
