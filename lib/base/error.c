/* SPDX-License-Identifier: MIT */
/* Error codes, and the text that travels with them. */

#include "base/error.h"

#include <stdio.h>
#include <string.h>

const char *weir_err_text(weir_err code)
{
    switch (code) {
#define X(name, text) \
    case name:        \
        return text;
        WEIR_ERR_LIST(X)
#undef X
    }
    return "unknown error";
}

weir_err weir_fail(weir_error *error, weir_err code, const char *format, ...)
{
    if (error) {
        va_list va;
        error->code = code;
        va_start(va, format);
        (void)vsnprintf(error->text, sizeof error->text, format, va);
        va_end(va);
    }
    return code;
}

weir_err weir_fail_prefix(weir_error *error, const char *format, ...)
{
    char old[sizeof error->text];
    va_list va;
    if (!error)
        return WEIR_EINVAL;
    memcpy(old, error->text, sizeof old);
    va_start(va, format);
    int n = vsnprintf(error->text, sizeof error->text, format, va);
    va_end(va);
    if (n >= 0 && (size_t)n < sizeof error->text)
        (void)snprintf(error->text + n, sizeof error->text - (size_t)n, "%s", old);
    return error->code;
}
