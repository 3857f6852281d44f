/* SPDX-License-Identifier: MIT */
/* Words of the control socket's answers: texts, times, failures. */

#pragma once
#include <jansson.h>

#include "base/clock.h"
#include "base/error.h"

json_t *weir_json_text(const char *text); /* "?" for what is not UTF-8 */
json_t *weir_json_time(weir_wall t);      /* us; null: there is none */

/* "error" and its "code", so that a command's exit code is the same as without a daemon. */
void weir_json_fail(json_t *answer, const weir_error *error);
