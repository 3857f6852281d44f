/* SPDX-License-Identifier: MIT */
/* Questions on a terminal. */

#pragma once
#include <stdbool.h>

#include "base/alloc.h"
#include "base/error.h"

/* Whether somebody is there to answer: standard input and standard error are a terminal. */
bool weir_question_possible(void);

/*
 * "text [fallback]: " on standard error, and the line that is typed, without blanks around it; the
 * fallback when it is empty. The answer lives in the arena.
 *
 * WEIR_ECANCELED  the end of input, or it cannot be read.
 */
weir_err weir_question_ask(const char *text, const char *fallback, weir_arena *arena,
                           const char **ret, weir_error *error) WEIR_MUST_CHECK;

/* A question whose answer is yes or no. */
weir_err weir_question_confirm(const char *text, bool fallback, weir_arena *arena, bool *ret,
                               weir_error *error) WEIR_MUST_CHECK;
