/* SPDX-License-Identifier: MIT */
/* Time zones by name, from the system's files. */

#pragma once
#include "base/error.h"
#include "base/zone.h"

/*
 * NULL, "" and "UTC" are UTC, which needs no file; "local" is the machine's: what TZ names, else
 * /etc/localtime, and UTC where there is neither. *ret_owned is to be freed; NULL for UTC.
 *
 * WEIR_ENOTFOUND   no such zone; error names those that are written alike, or says that the
 *                  machine has no zones at all.
 * else             as weir_zone_parse; WEIR_EIO.
 */
weir_err weir_zone_open(const char *name, const weir_zone **ret, weir_zone **ret_owned,
                        weir_error *error) WEIR_MUST_CHECK;
