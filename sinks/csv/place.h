/* SPDX-License-Identifier: MIT */
/* Where the lines of a time belong: a path with fields of the calendar, and names derived from it.
 */

#pragma once
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"

/* WEIR_EINVAL: no path at all, a field that does not exist, a control character. */
weir_err weir_csv_path_check(const char *path, weir_error *error) WEIR_MUST_CHECK;

/* Whether the calendar is part of it. */
bool weir_csv_path_has_fields(const char *path);

/* The path at that local time. */
void weir_csv_path_render(const char *path, int64_t local_us, weir_text *t);

/* Up to the last slash before the first field, without it: the folder that must be there; those
 * below it are made. "." and "/" where that would be empty. */
void weir_csv_path_folder(const char *path, weir_text *t);

/* Where the notes are: PATH.weir, in the folder that must be there. */
void weir_csv_path_notes(const char *path, weir_text *t);

/* "/data/x.csv" and "2" give "/data/x-2.csv". */
void weir_csv_path_variant(const char *path, const char *suffix, weir_text *t);
