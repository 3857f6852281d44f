/* SPDX-License-Identifier: MIT */
/* Bringing a store of an older version to this one. */

#pragma once
#include <sqlite3.h>

#include "base/clock.h"
#include "base/error.h"

/*
 * Makes the tables of the current version, in one transaction, on the connection that writes; does
 * nothing when they are there. Blocks stay where and as they are: only what is small is written,
 * so neither time nor space depend on the size of the store. weir_db_identify comes first.
 */
weir_err weir_store_migrate(sqlite3 *db, weir_wall now, weir_error *error) WEIR_MUST_CHECK;
