/* SPDX-License-Identifier: MIT */
/* A moment on the command line: the one way in which every command reads a time. */

#include "cli/moment.h"

#include <string.h>

#include "base/iso.h"
#include "base/number.h"

weir_err weir_moment_parse(const char *option, const char *text, weir_wall now, weir_wall *ret,
                           weir_error *error)
{
    int64_t ago_us;
    if (!strcmp(text, "now")) {
        *ret = now;
        return WEIR_OK;
    }
    if (text[0] == '-' && weir_parse_duration(text + 1, &ago_us)) {
        ret->us = now.us - ago_us;
        return WEIR_OK;
    }
    if (weir_iso_parse(text, ret))
        return WEIR_OK;
    return weir_fail(error, WEIR_EINVAL,
                     "--%s: '%s' is no time: write 2026-01-31, 2026-01-31T12:00:00Z, now, or a "
                     "time before now such as -30d",
                     option, text);
}
