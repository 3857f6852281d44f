/* SPDX-License-Identifier: MIT */
/* A file that is written in one piece, and replaces no other unless it shall. */

#pragma once
#include <stdbool.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"

/*
 * The text as a file of that name, on the disk when this returns; signals wait meanwhile, so that
 * nothing half is ever left. replace: also when there is one.
 *
 * WEIR_EINUSE  there is one already, which is as it was.
 * WEIR_EPERM, WEIR_EIO, WEIR_ENOMEM.
 */
weir_err weir_new_file_write(const char *name, const weir_text *text, bool replace,
                             weir_arena *arena, weir_error *error) WEIR_MUST_CHECK;
