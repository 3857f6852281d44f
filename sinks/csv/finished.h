/* SPDX-License-Identifier: MIT */
/* The list of files that were finished, so that only those are ever deleted. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Adds a file; the list lies beside the notes. False: errno. */
bool weir_csv_finished_add(const char *notes, const char *file);

/* Deletes all but the newest `keep` files of the list. What cannot be deleted stays on it. */
void weir_csv_finished_trim(const char *notes, size_t keep);
