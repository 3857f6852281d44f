/* SPDX-License-Identifier: MIT */
/* Types and byte orders: the public part is weir/type.h; here what the decoder needs. */

#pragma once
#include "model/value.h"
#include "weir/type.h"

/* All words that the parsers of types, orders and tables take; NULL: no more. Of types, their texts
 * come first. */
const char *weir_type_word(size_t i);
const char *weir_order_word(size_t i);
const char *weir_register_word(size_t i);

/*
 * Fills ret_from[0..width-1]: byte i of the value (0 = most significant) is wire byte ret_from[i].
 * width 1, 2, 4 or 8. With width 2 only the swap of bytes within a word counts; with 4 an
 * eight-letter order acts as its last four letters would.
 */
void weir_order_bytes(weir_order order, unsigned width, uint8_t ret_from[8]);
