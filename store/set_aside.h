/* SPDX-License-Identifier: MIT */
/* Rows set aside, at a cap: the oldest go. */

#pragma once
#include "store/store_priv.h"

/*
 * Drops the next piece of the rows that sinks would not take and whose time is before `before`:
 * those of the sink that has the oldest, by seq. Their gap (of that sink, with the cause of the
 * cap) and the sink's counters are in the same transaction. *ret_did: whether there were any.
 */
weir_err weir_set_aside_drop(weir_store *store, int64_t before, weir_wall now, bool *ret_did,
                             weir_error *error) WEIR_MUST_CHECK;
