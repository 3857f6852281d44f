/* SPDX-License-Identifier: MIT */
/* Which bit in a set of plans is whose, for the life of the store. */

#pragma once
#include "store/store.h"

/*
 * The bit of the plan with this name, 1 to 63; a new name gets the lowest that is free, with the
 * transaction that is open. WEIR_ELIMIT: all are taken; WEIR_EIO and others of the database.
 */
weir_err weir_plan_bit_get(weir_store *store, const char *name, uint8_t *ret,
                           weir_error *error) WEIR_MUST_CHECK;

/* The same for a plan that no catalog has, in a transaction of its own. */
weir_err weir_store_plan_bit(weir_store *store, const char *name, weir_wall now, uint8_t *ret,
                             weir_error *error) WEIR_MUST_CHECK;

/* Gives the plans of a catalog their bits, and its sinks what they filter by. */
weir_err weir_plan_bits_register(weir_store *store, weir_catalog *catalog,
                                 weir_error *error) WEIR_MUST_CHECK;

/* A file that was made anew knows no plans: those of the catalog keep their bits. In a transaction
 * that is open. */
weir_err weir_plan_bits_restore(weir_store *store, const weir_catalog *catalog,
                                weir_error *error) WEIR_MUST_CHECK;
