/* SPDX-License-Identifier: MIT */
/* Opening a store that is not as it was left: what store.c and recover.c share. */

#pragma once
#include "store/store_priv.h"

/* Remembers where the store is. WEIR_ENOMEM. */
weir_err weir_store_place(weir_store *store, const weir_store_options *options,
                          weir_error *error) WEIR_MUST_CHECK;

/* Before the file is opened: ends an exchange, looks for damage, and repairs it; with `damaged` in
 * any case. Errors as weir_repair_look and weir_repair_run. */
weir_err weir_store_mend(weir_store *store, bool damaged, weir_wall now,
                         weir_error *error) WEIR_MUST_CHECK;

/* After it was opened: records what there is to tell, and which store is here. */
weir_err weir_store_settle_in(weir_store *store, weir_wall now, weir_error *error) WEIR_MUST_CHECK;
