/* SPDX-License-Identifier: MIT */
/* Option structs of programs that were compiled with another version's headers. */

#pragma once
#include <stddef.h>

#include "base/error.h"

/*
 * Copies what the caller's version of a struct has into ours; what it does not have yet is 0, the
 * default. Both begin with a size_t struct_size. what: "weir_point_options".
 *
 * WEIR_EINVAL         given is NULL, or its struct_size was not set.
 * WEIR_EUNSUPPORTED   it is of a newer version, and a field that we do not know is set.
 */
weir_err weir_options_read(void *ret, size_t size, const void *given, const char *what,
                           weir_error *error) WEIR_MUST_CHECK;
