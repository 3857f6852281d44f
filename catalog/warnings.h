/* SPDX-License-Identifier: MIT */
/* What is no mistake in a catalog but most likely not meant. */

#pragma once
#include "catalog/problem.h"
#include "model/catalog.h"

/*
 * Adds a warning for each, at the place of the later of the things concerned: a register read
 * twice, a bus with two masters, what nobody reads, a rule that never counts. Only what is certain:
 * a warning that is wrong once is not read the next time. What is disabled concerns nobody.
 */
void weir_catalog_warn(const weir_catalog *catalog, weir_problems *warnings);
