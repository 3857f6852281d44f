/* SPDX-License-Identifier: MIT */
/* Error codes, and the text that travels with them. */

#pragma once
#include <stdarg.h>

/*
 * A fault: what stopped a function from doing its work. A device that is silent or answers with
 * an exception is not a fault of the program; it is a sample with bad quality (model/quality.h).
 * The code tells a caller what it may do; the text tells a person what to do.
 */
#define WEIR_ERR_LIST(X)                                  \
    X(WEIR_OK, "ok")                                      \
    X(WEIR_ENOMEM, "out of memory")                       \
    X(WEIR_EINVAL, "invalid argument")                    \
    X(WEIR_ELIMIT, "a limit was reached")                 \
    X(WEIR_ESYNTAX, "cannot be parsed")                   \
    X(WEIR_ECONFIG, "invalid configuration")              \
    X(WEIR_EUNSUPPORTED, "not supported by this version") \
    X(WEIR_ENOTFOUND, "not found")                        \
    X(WEIR_EINUSE, "in use by another process")           \
    X(WEIR_EPERM, "not allowed")                          \
    X(WEIR_EIO, "input/output error")                     \
    X(WEIR_EDAMAGED, "data is damaged")                   \
    X(WEIR_EPROTO, "reply violates the protocol")         \
    X(WEIR_ECONNECT, "cannot connect")                    \
    X(WEIR_EREFUSED, "refused by the device")             \
    X(WEIR_ETIMEOUT, "timed out")                         \
    X(WEIR_ECANCELED, "closed before it finished")

typedef enum weir_err {
#define X(name, text) name,
    WEIR_ERR_LIST(X)
#undef X
} weir_err;

/* What went wrong, in words. Owned by the caller; each level puts its own words in front. */
typedef struct weir_error {
    weir_err code;
    char text[512];
} weir_error;

#define WEIR_ERROR_INIT \
    {                   \
        WEIR_OK, ""     \
    }

#define WEIR_MUST_CHECK      __attribute__((warn_unused_result))
#define WEIR_PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))

/* The general text of a code, never NULL. */
const char *weir_err_text(weir_err code);

/* Fills error (which may be NULL) and returns code: `return weir_fail(error, WEIR_EINVAL, ...)`. */
weir_err weir_fail(weir_error *error, weir_err code, const char *format, ...) WEIR_PRINTF(3, 4);

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
