/* SPDX-License-Identifier: MIT */
/* From the log to history: an hour of it, sorted by tag, becomes parts. */

#pragma once
#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

/* What memory holds of an archive under way. */
typedef struct weir_archive weir_archive;
void weir_archive_free(weir_archive *archive); /* accepts NULL */

/* A duty (maintain.c): begins when the log holds enough, and does the next piece. */
weir_err weir_archive_run(weir_store *store, weir_wall now, bool *ret_did,
                          weir_error *error) WEIR_MUST_CHECK;

WEIR_DEFINE_CLEANUP(weir_archive, weir_archive_free)
