/* SPDX-License-Identifier: MIT */
/* Current values: the latest sample of every tag. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

/* What every batch touches is packed; the texts lie apart and cost no memory (large zeroed blocks
 * come untouched from the system) until a tag has one. */
typedef struct weir_currents {
    struct weir_current_slot {
        weir_sample sample;
        weir_wall received;
    } * slots;         /* by catalog index of the tag */
    char (*texts)[64]; /* likewise */
    size_t n_slots;
    uint32_t *index_of; /* by uid: catalog index, WEIR_TAG_UNKNOWN: no such tag */
    size_t n_uids;
    weir_current *shown; /* what weir_currents_get puts together */
} weir_currents;

#define WEIR_TAG_UNKNOWN UINT32_MAX

/* Uids are small and dense: the store counts them up from 1. WEIR_EINVAL: a tag without uid, or
 * two with the same; WEIR_ELIMIT: a uid so large that the table would not be small; WEIR_ENOMEM. */
weir_err weir_currents_init(weir_currents *currents, const weir_catalog *catalog,
                            weir_error *error) WEIR_MUST_CHECK;
void weir_currents_deinit(weir_currents *currents);

/* Takes over the values of the tags that older has too; a copy. */
void weir_currents_take_over(weir_currents *currents, const weir_currents *older);

/* NULL: there is no tag with this uid. */
const weir_tag *weir_currents_tag(const weir_currents *currents, const weir_catalog *catalog,
                                  weir_tag_uid uid);

/* Samples of unknown tags are passed over. */
void weir_currents_update(weir_currents *currents, const weir_batch *batch);

/* The clock was found to be off: moves the times that lie in from .. to, both included. */
void weir_currents_shift(weir_currents *currents, weir_wall from, weir_wall to, int64_t by_us);

/* NULL: none yet. Valid until the next call. */
const weir_current *weir_currents_get(const weir_currents *currents, uint32_t tag);
