/* SPDX-License-Identifier: MIT */
/* mbpoll's words on the command line: data types, lists of units and references. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/point.h"

/* What -t says. */
typedef struct weir_mbpoll_type {
    bool has_table; /* mbpoll's words name the table, weir's do not */
    weir_register table;
    weir_type type;
    bool hex;       /* shown in hexadecimal */
    bool low_first; /* mbpoll's 32 and 64 bit types: low word first unless -B */
} weir_mbpoll_type;

/*
 * mbpoll's "0", "1", "3", "4" (coil, discrete, input, holding), the last two also with ":int16",
 * ":hex", ":string", ":int" (int32), ":float" (float32), and here ":int64", ":double"; or a type
 * of weir such as "float32". WEIR_EINVAL names what is possible.
 */
weir_err weir_mbpoll_type_parse(const char *text, weir_mbpoll_type *ret,
                                weir_error *error) WEIR_MUST_CHECK;

/*
 * "32,33,36:40" or "11-18" to numbers within min..max, in order as written; in arena.
 * what names the list in messages. WEIR_EINVAL, WEIR_ENOMEM.
 */
weir_err weir_mbpoll_list_parse(const char *text, const char *what, int64_t min, int64_t max,
                                weir_arena *arena, uint16_t **ret, size_t *ret_n,
                                weir_error *error) WEIR_MUST_CHECK;

/* A number means units of unit_us (mbpoll's seconds or milliseconds), "500ms" is as it says.
 * WEIR_EINVAL: neither, or not within min..max. */
weir_err weir_mbpoll_time_parse(const char *text, const char *what, int64_t unit_us, int64_t min_us,
                                int64_t max_us, int64_t *ret_us, weir_error *error) WEIR_MUST_CHECK;
