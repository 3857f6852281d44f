/* SPDX-License-Identifier: MIT */
/* Current values: the latest sample of every tag. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

typedef struct weir_currents {
    weir_current *items; /* by catalog index of the tag */
    size_t n_items;
    uint32_t *index_of; /* by uid: catalog index, WEIR_TAG_UNKNOWN: no such tag */
    size_t n_uids;
} weir_currents;

#define WEIR_TAG_UNKNOWN UINT32_MAX

/* Uids are small and dense: the store counts them up from 1. WEIR_EINVAL: a tag without uid, or
 * two with the same; WEIR_ELIMIT: a uid so large that the table would not be small; WEIR_ENOMEM. */
weir_err weir_currents_init(weir_currents *currents, const weir_catalog *catalog,
                            weir_error *error) WEIR_MUST_CHECK;
void weir_currents_deinit(weir_currents *currents);

/* Samples of unknown tags are passed over. */
void weir_currents_update(weir_currents *currents, const weir_batch *batch);
