/* SPDX-License-Identifier: MIT */
/* Expiry: what is older than its tag's rule goes, and what a rule has too much of. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

/* The rule of each tag, and the sweep under way. */
typedef struct weir_expire weir_expire;
void weir_expire_free(weir_expire *expire); /* accepts NULL */

/* A duty (maintain.c): sweeps over history, about each archive_us, and does the next piece. */
weir_err weir_expire_run(weir_store *store, weir_wall now, bool *ret_did,
                         weir_error *error) WEIR_MUST_CHECK;

/* No sweep is under way. */
bool weir_expire_is_idle(const weir_store *store);

/* How long the samples of a tag are kept; 0: of any tag, that is the longest. INT64_MAX: forever,
 * or not known yet. */
int64_t weir_expire_keep(const weir_store *store, weir_tag_uid uid);

/* Whether the rule of a tag has a max_size: its oldest segments may have to go. */
bool weir_expire_is_sized(const weir_store *store, weir_tag_uid uid);

WEIR_DEFINE_CLEANUP(weir_expire, weir_expire_free)
