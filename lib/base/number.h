/* SPDX-License-Identifier: MIT */
/* Numbers, durations and sizes: parsing whole strings, printing what reads back the same. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* All parsers consume the whole string or fail, never depend on the locale and leave *ret alone
 * on failure. Return false when the text is not such a number or does not fit. */

/* Decimal, or hexadecimal with 0x; sign allowed. "0755" is 755: no octal. */
bool weir_parse_i64(const char *text, int64_t *ret);
bool weir_parse_u64(const char *text, uint64_t *ret);
bool weir_parse_double(const char *text, double *ret); /* decimal point only; inf and nan refused */

/* "1s" "250ms" "1h30m" "90d" "100us" to microseconds. A unit is required, except for 0. */
bool weir_parse_duration(const char *text, int64_t *ret_us);

/* "500MB" "1.5GiB" "4096B" to bytes; k, M, G, T are powers of 1000, Ki ... of 1024. */
bool weir_parse_size(const char *text, uint64_t *ret_bytes);

/*
 * Exact decimal text to mantissa * 10^exponent, shortest mantissa ("0.0010" is 1e-3).
 * Accepts exponents ("1e-3"). False when the mantissa needs more than 63 bits or the exponent
 * more than an int8.
 */
bool weir_parse_decimal(const char *text, int64_t *ret_mantissa, int8_t *ret_exponent);

/* 10^n for 0 <= n <= 19 fits; the table of powers as integers and as doubles (-22..22 exact). */
uint64_t weir_pow10_u64(unsigned n);
double weir_pow10_double(int n);

/* Shortest decimal text that reads back to the same bits; "NaN", "Infinity", "-Infinity". */
void weir_text_add_double(weir_text *t, double v);
void weir_text_add_float(weir_text *t, float v);

/* mantissa * 10^exponent, plain notation while short: 12300e-4 prints "1.23". */
void weir_text_add_decimal(weir_text *t, int64_t mantissa, int8_t exponent);

/* "1s", "1m30s", "250ms"; "512 B", "1.5 MB". */
void weir_text_add_duration(weir_text *t, int64_t us);
void weir_text_add_size(weir_text *t, uint64_t bytes);
