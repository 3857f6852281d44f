/* SPDX-License-Identifier: MIT */
/* The mistakes of a configuration, on stderr. */

#pragma once
#include "base/error.h"
#include "catalog/problem.h"

/* Prints every problem on a line of its own: FILE:LINE:COLUMN: TEXT. */
void weir_problems_print(const weir_problems *problems);

/* Prints them and returns err with a sentence that counts them. */
weir_err weir_problems_fail(const weir_problems *problems, weir_err err, const char *file,
                            weir_error *error) WEIR_MUST_CHECK;
