/* SPDX-License-Identifier: MIT */
/* At a cap: the oldest samples go. */

#pragma once
#include "store/store_priv.h"

/* A duty (maintain.c): while the store is at a cap, drops the next piece. */
weir_err weir_cap_run(weir_store *store, weir_wall now, bool *ret_did,
                      weir_error *error) WEIR_MUST_CHECK;
