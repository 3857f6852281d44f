/* SPDX-License-Identifier: MIT */
/* From commits to the log: fresh rows become rows of a minute. */

#pragma once
#include <stdbool.h>

#include "store/store_priv.h"

/* Each does one piece when it is time for it, and says so: see maintain.c. */
weir_err weir_merge_load_current(weir_store *store, weir_wall now, bool *ret_did,
                                 weir_error *error) WEIR_MUST_CHECK;
weir_err weir_merge_fresh(weir_store *store, weir_wall now, bool *ret_did,
                          weir_error *error) WEIR_MUST_CHECK;
weir_err weir_merge_write_current(weir_store *store, weir_wall now, bool *ret_did,
                                  weir_error *error) WEIR_MUST_CHECK;
weir_err weir_merge_shrink(weir_store *store, weir_wall now, bool *ret_did,
                           weir_error *error) WEIR_MUST_CHECK;

/* Deletes log rows that are in history and behind every cursor, oldest first. The last row of the
 * log stays: it may be all that knows how far the store came. */
weir_err weir_merge_trim_log(weir_store *store, weir_wall now, bool *ret_did,
                             weir_error *error) WEIR_MUST_CHECK;
