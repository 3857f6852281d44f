/* SPDX-License-Identifier: MIT */
/* A line on the control socket is a request: which method it is for, and what that answers. */

#pragma once
#include <jansson.h>
#include <stddef.h>

#include "daemon/deliveries.h"
#include "runtime/collector.h"
#include "runtime/historian.h"

struct weir_reload;

/* What methods are about; all borrowed. */
typedef struct weir_control_parts {
    weir_runtime *collector;
    weir_deliveries *deliveries; /* NULL: there are no sinks */
    struct weir_reload *reload;  /* NULL: the configuration cannot be read again */
    weir_historians *historians;
} weir_control_parts;

/* The methods are those of daemon/control.h. Never NULL but without memory; what is no request gets
 * {"error"}. The control thread. */
json_t *weir_control_answer(const weir_control_parts *parts, const char *line, size_t n);
