/* SPDX-License-Identifier: MIT */
/* From parts to a larger part: all of a period becomes one. */

#pragma once
#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

/* What memory holds of a merge of parts under way. */
typedef struct weir_compact weir_compact;
void weir_compact_free(weir_compact *compact); /* accepts NULL */

/* Whether it holds much memory: in the midst of a tag. NULL: no. */
bool weir_compact_is_busy(const weir_compact *compact);

/* A duty (maintain.c): begins when a period has ended, and does the next piece. */
weir_err weir_compact_run(weir_store *store, weir_wall now, bool *ret_did,
                          weir_error *error) WEIR_MUST_CHECK;

WEIR_DEFINE_CLEANUP(weir_compact, weir_compact_free)
