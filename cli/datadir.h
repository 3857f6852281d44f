/* SPDX-License-Identifier: MIT */
/* Which data directory a command means. */

#pragma once
#include "base/alloc.h"
#include "base/error.h"

/*
 * data_dir when given; else the data_dir of the configuration (config, or one of the default
 * places that exists); else "weir-data". NULL: the configuration cannot be read. The text lives in
 * the arena.
 */
const char *weir_data_dir(weir_arena *arena, const char *config, const char *data_dir,
                          weir_error *error) WEIR_MUST_CHECK;

/* The same for a command that reads what was kept. NULL also when nothing is: then `verb`
 * ("exported") is what cannot be done with it. */
const char *weir_kept_data_dir(weir_arena *arena, const char *config, const char *data_dir,
                               const char *verb, weir_error *error) WEIR_MUST_CHECK;
