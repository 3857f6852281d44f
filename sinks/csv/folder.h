/* SPDX-License-Identifier: MIT */
/* The folders that files are made in. */

#pragma once
#include <stdbool.h>

#include "model/sink.h"

/* Makes the names in the file's folder durable. False: errno. */
bool weir_csv_folder_sync(const char *file);

/* Makes the folders of the file that the calendar names in the path (sinks/csv/place.h); the one
 * above them must be there. False: ret says why. */
bool weir_csv_folders_make(const char *path, const char *file, weir_send_answer *ret);
