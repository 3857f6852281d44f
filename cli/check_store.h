/* SPDX-License-Identifier: MIT */
/* weir check: a configuration beside what the store already has. */

#pragma once
#include "catalog/problem.h"
#include "model/catalog.h"

/*
 * Adds warnings of devices that the store has and the configuration has not, where
 * another of the same connection and unit id is new: most likely renamed. Without a store, or when
 * it cannot be read, nothing is said.
 */
void weir_check_renames(const weir_catalog *catalog, weir_problems *warnings);
