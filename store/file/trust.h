/* SPDX-License-Identifier: MIT */
/* What the file knows of the clock of an epoch: whether it was right, and by how much it was not.
 */

#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * What is to be added to the times of an epoch; *ret_known false: nothing is known. A batch with
 * WEIR_BATCH_CLOCK_UNTRUSTED of such an epoch is what a sink holds back. Any connection to data.db.
 */
weir_err weir_epoch_find(sqlite3 *db, uint32_t epoch, bool *ret_known, int64_t *ret_offset_us,
                         weir_error *error) WEIR_MUST_CHECK;

/* Whether the clock was right in an epoch, as far as the newest rows tell. */
typedef enum weir_epoch_trust {
    WEIR_EPOCH_UNKNOWN,
    WEIR_EPOCH_TRUSTED,
    WEIR_EPOCH_UNTRUSTED,
} weir_epoch_trust;
weir_err weir_epoch_read_trust(sqlite3 *db, uint32_t epoch, weir_epoch_trust *ret,
                               weir_error *error) WEIR_MUST_CHECK;
