/* SPDX-License-Identifier: MIT */
/* Error codes, and the text that travels with them. */

#pragma once
#include "weir/api.h"

WEIR_C_BEGIN

/*
 * A fault: what stopped a function from doing its work. A device that is silent or answers with
 * an exception is not a fault of the program; it is a sample with bad quality (weir/quality.h).
 * The code tells a caller what it may do; the text tells a person what to do. Append only.
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

/* What went wrong, in words. Owned by the caller, who may pass NULL wherever one is wanted; filled
 * only when a function fails. */
typedef struct weir_error {
    weir_err code;
    char text[512];
} weir_error;

#define WEIR_ERROR_INIT \
    {                   \
        WEIR_OK, ""     \
    }

/* The general text of a code, never NULL. */
WEIR_API const char *weir_err_text(weir_err code);

/* Fills error (which may be NULL) and returns code: `return weir_fail(error, WEIR_EINVAL, ...)`.
 * For sources and sinks of one's own. */
WEIR_API weir_err weir_fail(weir_error *error, weir_err code, const char *format, ...)
    WEIR_PRINTF(3, 4);

WEIR_C_END
