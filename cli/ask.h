/* SPDX-License-Identifier: MIT */
/* Asking the running weir for something, and its answer. */

#pragma once
#include <jansson.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/edit.h"

/*
 * Takes the request. *ret: the answer's "result", to be released with json_decref. What weir
 * refuses comes as an error with its code; WEIR_EINVAL: the request has text that is not UTF-8,
 * else the errors of weir_control_ask_for.
 */
weir_err weir_ask(const char *socket, json_t *request, int patience_s, json_t **ret,
                  weir_error *error) WEIR_MUST_CHECK;

/* The socket of the weir that runs in that place. WEIR_EINVAL, said with `instead`: it keeps
 * nothing, so nobody knows where its socket is. */
weir_err weir_ask_socket(const weir_invocation *in, const struct weir_edit_options *place,
                         const char *instead, weir_text *ret, weir_error *error) WEIR_MUST_CHECK;

/* The same of the weir that runs in that place, by method and parameters, which it takes; half a
 * minute at most. */
weir_err weir_ask_method(const weir_invocation *in, const struct weir_edit_options *place,
                         const char *method, json_t *params, json_t **ret,
                         weir_error *error) WEIR_MUST_CHECK;
