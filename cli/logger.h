/* SPDX-License-Identifier: MIT */
/* What `weir run` does for the config.cfg of ModbusDataLogger beside reading it. */

#pragma once
#include "catalog/provider.h"
#include "cli/command.h"

/*
 * Before it is loaded; config may be NULL, and nothing is done unless it is a config.cfg. Makes it
 * and its database where they are missing, and says so, with what to do next.
 *
 * ret_ends  set when the database is new: nothing can be read yet, and the program ends as the
 *           original does.
 *
 * What is wrong with the file's contents, or with a database that is there, whoever loads it says
 * better; an error is what could not be made.
 */
weir_err weir_logger_begin(const weir_invocation *in, const char *config, bool *ret_ends,
                           weir_error *error) WEIR_MUST_CHECK;

/* The daemon has started: [RUNTIME]. That it cannot be written is a warning. Signals are blocked;
 * for the thread that polls the providers, or before there is one. */
void weir_logger_started(const char *config, weir_providers *providers);
