/* SPDX-License-Identifier: MIT */
/* A moment on the command line: the one way in which every command reads a time. */

#pragma once
#include "base/clock.h"
#include "base/error.h"

/* The sentence of an option's text that says how a moment is written. */
#define WEIR_MOMENT_HELP                                                                       \
    "TIME is 2026-01-31, 2026-01-31T12:00:00Z, 2026-01-31T12:00:00+01:00, now, or before now " \
    "such as -30d; without a zone UTC."

/* WEIR_EINVAL: "--OPTION: ...", and what can be written. */
weir_err weir_moment_parse(const char *option, const char *text, weir_wall now, weir_wall *ret,
                           weir_error *error) WEIR_MUST_CHECK;
