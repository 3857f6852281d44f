/* SPDX-License-Identifier: MIT */
/* A JSON schema of the configuration file, for editors. */

#pragma once
#include <stdbool.h>

#include <jansson.h>

#include "base/error.h"

/*
 * Draft 7, which editors know best, from the option tables. It takes whatever weir takes; of what
 * weir refuses it finds what one key shows (unknown, of the wrong kind, out of range), not what
 * several say together: that is `weir check`'s.
 *
 * profile: of a profile's file instead of a configuration's. NULL: memory is short.
 */
json_t *weir_schema_make(bool profile) WEIR_MUST_CHECK;
