/* SPDX-License-Identifier: MIT */
/* Sources of the program's own: a thread for each connection, behind a source as all others. */

#pragma once
#include "model/source.h"
#include "weir/collector.h"

/*
 * A descriptor of the program and the threads that run it. It lives from being added until the
 * collector is closed; its threads from the start of their connection until weir_own_source_join.
 */
typedef struct weir_own_source_type weir_own_source_type;

/* Copies. collector: whose callbacks these are. WEIR_EINVAL, WEIR_ENOMEM. */
weir_err weir_own_source_new(const weir_own_source *own, weir_collector *collector,
                             weir_own_source_type **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_own_source_free(weir_own_source_type *type); /* accepts NULL */

const weir_source_type *weir_own_source_get(const weir_own_source_type *type);
const weir_own_source *weir_own_source_descriptor(const weir_own_source_type *type);

/* After the runtime has stopped: waits for the threads, however long a read takes. */
void weir_own_source_join(weir_own_source_type *type);
