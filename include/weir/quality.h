/* SPDX-License-Identifier: MIT */
/* Quality: how far a sample can be trusted, and why not. 32 bits. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "weir/api.h"

WEIR_C_BEGIN

/*
 * Bits 24-25 class, 16-23 cause, 0-15 detail (an exception code, a wrong unit id). 0 is plain
 * good. Numbers are stored on disk: append only.
 */
typedef uint32_t weir_quality;

#define WEIR_CLASS_LIST(X)            \
    X(WEIR_GOOD, 0, "good")           \
    X(WEIR_UNCERTAIN, 1, "uncertain") \
    X(WEIR_BAD, 2, "bad")

typedef enum weir_class {
#define X(name, number, text) name = number,
    WEIR_CLASS_LIST(X)
#undef X
} weir_class;

/* name, number, word (in SQL and JSON), what a person reads */
#define WEIR_CAUSE_LIST(X)                                                                   \
    X(WEIR_CAUSE_NONE, 0, "none", "")                                                        \
    X(WEIR_CAUSE_TIMEOUT, 1, "timeout", "no answer in time")                                 \
    X(WEIR_CAUSE_CONNECT, 2, "connect", "cannot connect")                                    \
    X(WEIR_CAUSE_DISCONNECTED, 3, "disconnected", "connection lost during the request")      \
    X(WEIR_CAUSE_EXCEPTION, 4, "exception", "refused by the device")                         \
    X(WEIR_CAUSE_WRONG_UNIT, 5, "wrong_unit", "answered with another unit id")               \
    X(WEIR_CAUSE_WRONG_FUNCTION, 6, "wrong_function", "answered with another function code") \
    X(WEIR_CAUSE_MALFORMED, 7, "malformed", "answer violates the protocol")                  \
    X(WEIR_CAUSE_RANGE, 8, "range", "outside min and max")                                   \
    X(WEIR_CAUSE_NA, 9, "na", "the device's mark for not available")                         \
    X(WEIR_CAUSE_NOT_A_NUMBER, 10, "not_a_number", "not a number")                           \
    X(WEIR_CAUSE_LATE, 11, "late", "answered after the next reading was due")                \
    X(WEIR_CAUSE_CLOCK, 12, "clock", "the clock of this machine is not trusted")             \
    X(WEIR_CAUSE_DISABLED, 13, "disabled", "disabled in the configuration")                  \
    X(WEIR_CAUSE_OVERFLOW, 14, "overflow", "does not fit")                                   \
    X(WEIR_CAUSE_CLAMPED, 15, "clamped", "limited to its range")                             \
    X(WEIR_CAUSE_SCRIPT, 16, "script", "the script failed")

typedef enum weir_cause {
#define X(name, number, word, text) name = number,
    WEIR_CAUSE_LIST(X)
#undef X
} weir_cause;

static inline weir_quality weir_quality_of(weir_class grade, weir_cause cause, uint16_t detail)
{
    return (uint32_t)grade << 24 | (uint32_t)cause << 16 | detail;
}

static inline weir_quality weir_bad(weir_cause cause, uint16_t detail)
{
    return weir_quality_of(WEIR_BAD, cause, detail);
}

static inline weir_class weir_quality_class(weir_quality q)
{
    return (weir_class)(q >> 24 & 3);
}

static inline weir_cause weir_quality_cause(weir_quality q)
{
    return (weir_cause)(q >> 16 & 0xff);
}

static inline uint16_t weir_quality_detail(weir_quality q)
{
    return (uint16_t)q;
}

/* The worse of the two: bad beats uncertain beats good; of equals the first. */
WEIR_API weir_quality weir_quality_worse(weir_quality a, weir_quality b);

WEIR_API const char *weir_class_text(weir_class grade); /* "good" */
WEIR_API const char *weir_cause_word(weir_cause cause); /* "timeout"; "?": an unknown number */
WEIR_API const char *weir_cause_text(weir_cause cause); /* "no answer in time" */

/* "illegal data address" for Modbus exception 2; NULL for an unknown code.
 * Modbus Application Protocol 1.1b3, section 7. */
WEIR_API const char *weir_exception_text(uint16_t code);

/* "good", "bad(exception 2: illegal data address)", as snprintf does: NUL-terminated, cut to
 * capacity; returns the length it has uncut. 80 bytes hold any. */
WEIR_API size_t weir_quality_text(weir_quality q, char *ret, size_t capacity);

WEIR_C_END
