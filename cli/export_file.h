/* SPDX-License-Identifier: MIT */
/* Where an export goes: a file that gets its name when it is complete, or what is no file. */

#pragma once
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"

typedef struct weir_export_file {
    FILE *stream;
    const char *name;
    const char *part; /* its name until it is complete; NULL: a pipe, a device, standard output */
} weir_export_file;

/*
 * output: NULL and "-" are standard output; through links, what is replaced is what they lead to.
 * From here on signals that end us wait for weir_signal_wait, unless it is standard output.
 *
 * WEIR_EINVAL: a folder; WEIR_EPERM, WEIR_EIO, WEIR_ENOMEM.
 */
weir_err weir_export_file_open(weir_export_file *file, const char *output, weir_arena *arena,
                               weir_error *error) WEIR_MUST_CHECK;

/* err: how writing went. On success the file is on the disk and has its name; on failure nothing
 * is left of it, and what had the name before still has it. */
weir_err weir_export_file_close(weir_export_file *file, weir_err err,
                                weir_error *error) WEIR_MUST_CHECK;
