/* SPDX-License-Identifier: MIT */
/* Edits of what a sink is to be given; for edit.c. */

#pragma once
#include "base/text.h"
#include "store/edit.h"

/* In the open transaction. WEIR_ENOTFOUND: no such sink. */
weir_err weir_edit_sink_order(weir_store *store, const weir_edit *edit, weir_text *ret_text,
                              weir_error *error) WEIR_MUST_CHECK;

/* Rows set aside: ends the open transaction and begins others as often as there are many; leaves
 * one open. */
weir_err weir_edit_sink_rows(weir_store *store, const weir_edit *edit, weir_wall now,
                             uint64_t *ret_n, weir_text *ret_text,
                             weir_error *error) WEIR_MUST_CHECK;
