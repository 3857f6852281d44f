/* SPDX-License-Identifier: MIT */
/* A value: the public part is weir/value.h; here what writes into a text. */

#pragma once
#include "base/text.h"
#include "weir/value.h"

_Static_assert(sizeof(weir_value) == 16, "a value is 16 bytes");

/* As people read it: true, -5, 230.1, text as it is, bytes in hex
 * ("00 2a ff"), null as "". */
void weir_value_format(const weir_value *v, weir_text *t);

/* As JSON: u64 above 2^63-1 and bytes (hex) as strings; NaN and infinities as strings. */
void weir_value_format_json(const weir_value *v, weir_text *t);
