/* SPDX-License-Identifier: MIT */
/* What the store does for itself between commits: a list of duties, one piece at a time. */

#pragma once
#include <stdbool.h>

#include "store/store.h"

/*
 * Does the next piece of the store's own work: merges what was committed into the log, the log into
 * history, history into larger pieces, and gives back what is not needed any more. A piece is
 * bounded in samples and bytes, about 20 ms on a desktop; which one comes next depends on the
 * store and on `now` only. *ret_more: there is more to do now; else call again after the next
 * commit, or in a second. After a failure all is as before the call, or as after a crash.
 */
weir_err weir_store_maintain(weir_store *store, weir_wall now, bool *ret_more,
                             weir_error *error) WEIR_MUST_CHECK;
