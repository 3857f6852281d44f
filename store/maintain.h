/* SPDX-License-Identifier: MIT */
/* What the store does for itself between commits: a list of duties, one piece at a time. */

#pragma once
#include "store/store_priv.h"

/* The options with defaults where they are 0. */
weir_store_options weir_maintain_defaults(const weir_store_options *options);

/* Sets a number in meta, in the open transaction. */
weir_err weir_maintain_set_meta(weir_store *store, const char *key, uint64_t value,
                                weir_error *error) WEIR_MUST_CHECK;
