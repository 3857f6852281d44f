/* SPDX-License-Identifier: MIT */
/* The sink types of this program: those built in, and those in modules loaded when they are named.
 */

#pragma once
#include "base/error.h"
#include "base/text.h"
#include "model/sink.h"

/*
 * The type with this name. Looks among those built in; then loads weir-sink-NAME.so from
 * $WEIR_MODULE_PATH (colons between), from beside the program (../lib/weir/modules installed,
 * sinks/ in a build tree), from the folder given at build time; once in a process, never unloaded.
 *
 * WEIR_ENOTFOUND     no such type; the error names those there are, and the nearest.
 * WEIR_EUNSUPPORTED  a module is there but cannot be used: of another version, or a library it
 *                    needs is missing; the error says which package has it.
 */
weir_err weir_sink_type_find(const char *name, const weir_sink_type **ret,
                             weir_error *error) WEIR_MUST_CHECK;

/* All that can be found, by name, for help and manual; those whose module cannot be loaded left
 * out. NULL-terminated; lives as long as the process. */
const weir_sink_type *const *weir_sink_types(void);
