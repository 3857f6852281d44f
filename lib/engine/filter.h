/* SPDX-License-Identifier: MIT */
/* The filter: which samples are worth archiving (report by exception). */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "model/catalog.h"

/*
 * Between the engine and the store, for the tags whose point has a deadband; all others pass. A
 * sample is compared with the last of its tag that was archived, not with the last one seen, so
 * that a slow drift is not lost. It passes when
 *
 * - it is the first of its tag, or of another epoch;
 * - its quality is bad, or differs in class, cause or detail;
 * - it is not later than the archived one: a correction, or out of order;
 * - the archived one is max_unchanged_us old or older (by ts);
 * - the value changed: numbers by more than the deadband; not a number, infinities, bools, texts,
 *   bytes, and values of another kind than before, by any difference.
 *
 * Whole numbers and decimals are compared exactly, f32 and f64 as doubles. Texts are copied, all
 * of them: a hash could take two for one.
 */
typedef struct weir_filter weir_filter;

/* The catalog, whose tags have their uids, is borrowed for the filter's life. WEIR_ENOMEM. */
weir_err weir_filter_new(const weir_catalog *catalog, weir_filter **ret,
                         weir_error *error) WEIR_MUST_CHECK;
void weir_filter_free(weir_filter *filter); /* accepts NULL */

/*
 * Takes over from an older filter what was archived last of the tags that both have, also where
 * they are filtered otherwise now; that one is only to be freed then. Moves, and so cannot fail.
 * was: by device of this filter's catalog its index in the older one's, or UINT32_MAX.
 */
void weir_filter_take_over(weir_filter *filter, weir_filter *older, const uint32_t *was);

/*
 * What of the batch is to be archived: the batch itself when nothing is left out, a shorter copy
 * (which borrows the batch's texts) until the next call, or NULL: nothing. Without memory for the
 * copy all of it. A batch that is returned must be settled before the next call, and lives so long.
 */
const weir_batch *weir_filter_select(weir_filter *filter, const weir_batch *batch) WEIR_MUST_CHECK;

/* Whether the selected samples were taken. Those that were refused count as never seen: what
 * comes next is compared with what was archived before them. */
void weir_filter_settle(weir_filter *filter, bool archived);

uint64_t weir_filter_dropped(const weir_filter *filter); /* samples left out so far */
