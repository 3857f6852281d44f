/* SPDX-License-Identifier: MIT */
/* The mistakes of a configuration, on stderr. */

#pragma once
#include "base/error.h"
#include "catalog/problem.h"

/* More would push the first, often the cause of the rest, off the screen. */
enum { WEIR_PROBLEMS_SHOWN = 50 };

/* Prints the first problems on lines of their own, FILE:LINE:COLUMN: TEXT, and how many more there
 * are. */
void weir_problems_print(const weir_problems *problems);

/* Returns err with a sentence that counts them. */
weir_err weir_problems_describe(const weir_problems *problems, weir_err err, const char *file,
                                weir_error *error) WEIR_MUST_CHECK;

/* Prints them and returns err with a sentence that counts them. */
weir_err weir_problems_fail(const weir_problems *problems, weir_err err, const char *file,
                            weir_error *error) WEIR_MUST_CHECK;
