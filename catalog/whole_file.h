/* SPDX-License-Identifier: MIT */
/* A file that is there whole or not at all. */

#pragma once
#include <stdbool.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/text.h"

/*
 * The text as a file of that name, on the disk when this returns. Signals that end the program
 * should be blocked: else a part may be left beside it.
 *
 * replace   also when there is one.
 * like      mode and owner are its; NULL: as of any new file.
 * ret_stat  what fstat() says of it; may be NULL.
 *
 * 0, or an errno: nothing was changed. EEXIST: there is one, and it was not to be replaced.
 */
int weir_whole_file_write(weir_arena *arena, const char *name, const weir_text *text, bool replace,
                          const struct stat *like, struct stat *ret_stat);
