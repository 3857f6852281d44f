/* SPDX-License-Identifier: MIT */
/* Giving back the disk's space of purged tags. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* How far the look over history has come; all zero: it begins. */
typedef struct weir_purge {
    int64_t part;  /* parts with an id below are done */
    int64_t uid;   /* of this part, tags up to it */
    bool finished; /* until the next purge, or start */
} weir_purge;

/* A duty (maintain.c): deletes the segments of purged tags in parts that no merge may take again.
 */
weir_err weir_purge_run(weir_store *store, weir_wall now, bool *ret_did,
                        weir_error *error) WEIR_MUST_CHECK;
