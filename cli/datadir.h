/* SPDX-License-Identifier: MIT */
/* Which data directory a command means. */

#pragma once
#include "base/alloc.h"
#include "base/error.h"
#include "cli/command.h"

/*
 * data_dir when given; else the data_dir of the configuration (config, or one of the default
 * places that exists); else "weir-data". NULL: the configuration cannot be read. The text lives in
 * the arena.
 */
const char *weir_data_dir(weir_arena *arena, const char *config, const char *data_dir,
                          weir_error *error) WEIR_MUST_CHECK;

/* After a message that says that the store is damaged: what to do next, on standard error. */
void weir_data_dir_advise(const weir_invocation *in, const char *data_dir);

/* What a store had to tell when a command opened it for writing (that it was damaged and has been
 * repaired, say), on standard error. */
struct weir_store;
void weir_data_dir_tell(const weir_invocation *in, struct weir_store *store);

/* The same for a command that reads what was kept. NULL also when nothing is: then `verb`
 * ("exported") is what cannot be done with it. */
const char *weir_kept_data_dir(weir_arena *arena, const char *config, const char *data_dir,
                               const char *verb, weir_error *error) WEIR_MUST_CHECK;
