/* SPDX-License-Identifier: MIT */
/* The newest sample that history has of a tag. */

#pragma once
#include "store/query/view.h"

/*
 * Looks through the live parts: the heads of the tag's segments, and one slice. Calls back once or
 * not at all, with ts and received as stored. Samples up to seq `purged` do not count. The view is
 * up to date. WEIR_EDAMAGED and what the callback returns.
 */
typedef weir_err weir_newest_on_item(void *data, const weir_item *item, weir_error *error);
weir_err weir_newest_in_parts(weir_view *view, weir_tag_uid tag, uint64_t purged,
                              weir_newest_on_item *call, void *data,
                              weir_error *error) WEIR_MUST_CHECK;
