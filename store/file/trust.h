/* SPDX-License-Identifier: MIT */
/* Whether the clock of an epoch was right, as far as the newest rows tell. */

#pragma once
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"

typedef enum weir_epoch_trust {
    WEIR_EPOCH_UNKNOWN,
    WEIR_EPOCH_TRUSTED,
    WEIR_EPOCH_UNTRUSTED,
} weir_epoch_trust;

/* Decodes some rows. Any connection to data.db. */
weir_err weir_epoch_read_trust(sqlite3 *db, uint32_t epoch, weir_epoch_trust *ret,
                               weir_error *error) WEIR_MUST_CHECK;
