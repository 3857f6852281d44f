/* SPDX-License-Identifier: MIT */
/* An edit of the store as a request on the control socket, and back. */

#pragma once
#include <jansson.h>

#include "base/text.h"
#include "store/edit.h"

/* {"method": "tag.purge", "params": {"tag": PATTERN}}. NULL: a text is not UTF-8, or no memory. */
json_t *weir_edit_request(const weir_edit *edit);

/* Whether the method is an edit. *ret_good: its params are all there and of their kind; then ret
 * has it, with texts that live as long as params. */
bool weir_edit_parse(const char *method, const json_t *params, weir_edit *ret, bool *ret_good);

/* What the edit's number counts, the key of the result: "tags", "rows". */
const char *weir_edit_counts(weir_edit_kind kind);

/* "tag.purge, device.replace, ...": all there are. */
void weir_edit_methods(weir_text *t);
