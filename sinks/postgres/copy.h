/* SPDX-License-Identifier: MIT */
/* The bytes of a binary COPY: rows and fields as PostgreSQL's receive functions want them. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

/*
 * A buffer that grows and remembers failure (memory): check once, at the end. Zeroed is empty. A
 * stream is header, rows, trailer; each row is weir_pg_copy_row() and then that many fields.
 * PostgreSQL manual, COPY, "Binary Format".
 */
typedef struct weir_pg_copy {
    uint8_t *bytes;
    size_t length, capacity;
    bool failed;
} weir_pg_copy;

void weir_pg_copy_deinit(weir_pg_copy *c);
void weir_pg_copy_clear(weir_pg_copy *c); /* keeps the memory */

void weir_pg_copy_header(weir_pg_copy *c);
void weir_pg_copy_row(weir_pg_copy *c, uint16_t n_fields);
void weir_pg_copy_trailer(weir_pg_copy *c);

void weir_pg_copy_null(weir_pg_copy *c);
void weir_pg_copy_int(weir_pg_copy *c, int64_t v, uint32_t width); /* 4 or 8 bytes */
void weir_pg_copy_float8(weir_pg_copy *c, double v);
void weir_pg_copy_bytes(weir_pg_copy *c, const void *bytes, size_t n);

/* numeric: (-)magnitude * 10^exponent, with as many digits behind the point as the exponent says.
 */
void weir_pg_copy_numeric(weir_pg_copy *c, bool is_negative, uint64_t magnitude, int8_t exponent);

/* timestamp and timestamptz. t must be one that PostgreSQL has, see there. */
void weir_pg_copy_time(weir_pg_copy *c, weir_wall t);

/* PostgreSQL's time begins on 4714-11-24 BC; its end is later than ours. */
bool weir_pg_time_fits(weir_wall t);

/* Whether text can be what PostgreSQL calls text: UTF-8 without NUL. */
bool weir_pg_text_fits(const char *text, size_t n);

/* text; each byte that does not fit becomes U+FFFD. */
void weir_pg_copy_text(weir_pg_copy *c, const char *text, size_t n);
