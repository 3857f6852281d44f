/* SPDX-License-Identifier: MIT */
/* Errors: the public part is weir/error.h; here what our own code does with them. */

#pragma once
#include <stdarg.h>

#include "weir/error.h"

/* Puts words in front of error's text: "what I was doing: " and returns error's code. */
weir_err weir_fail_prefix(weir_error *error, const char *format, ...) WEIR_PRINTF(2, 3);

/*
 * Scope cleanup for owned locals:
 *     WEIR_CLEANUP(weir_text_deinit_p) ...   or, for pointers,
 *     WEIR_DEFINE_CLEANUP(weir_arena, weir_arena_free)
 *     WEIR_CLEANUP(weir_arena_free) weir_arena *arena = ...;
 */
#define WEIR_DEFINE_CLEANUP(type, fn)   \
    static inline void fn##_p(type **p) \
    {                                   \
        if (*p)                         \
            fn(*p);                     \
    }
#define WEIR_CLEANUP(fn) __attribute__((cleanup(fn##_p)))
