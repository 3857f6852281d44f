/* SPDX-License-Identifier: MIT */
/* All that a catalog is read from, kept open and asked whether it has changed. */

#pragma once
#include <sys/stat.h>

#include "base/clock.h"
#include "catalog/include.h"
#include "catalog/loader.h"

/*
 * Files that were read are looked at again, databases asked. For one thread at a time, and not the
 * loop's: a database may take its timeout to answer.
 *
 *     weir_providers *providers = weir_providers_new();
 *     yaml.providers = providers;
 *     weir_yaml_load(path, &yaml, &catalog, &problems);
 *     each second:
 *         if (weir_providers_poll(providers, true, now))
 *             wait until weir_providers_settled(providers)
 *             load again, and once more if weir_providers_moved(providers);
 *             with problems the old catalog goes on
 *         weir_providers_trouble(providers) has changed: tell it
 */
typedef struct weir_providers weir_providers;

weir_providers *weir_providers_new(void); /* NULL: memory is short */
void weir_providers_free(weir_providers *providers);
WEIR_DEFINE_CLEANUP(weir_providers, weir_providers_free)

/*
 * Whether a load may give another catalog than the last one did, also if that found problems. What
 * a database has is compared, so that rows which others write beside the catalog's do not count. A
 * database that cannot be asked is tried again after 1 s, 2 s ... 30 s. files: look at the files
 * too.
 */
bool weir_providers_poll(weir_providers *providers, bool files, weir_mono now);

/* Whether a file that the last load read has changed since it began: it may have seen half of a
 * change. */
bool weir_providers_moved(const weir_providers *providers);

/* Whether the files are as they were when this was asked last: nobody is writing them. */
bool weir_providers_settled(weir_providers *providers);

/* Why a database cannot be asked at present: "Logging.db is locked ..."; "": all can. */
const char *weir_providers_trouble(const weir_providers *providers);

/* The program has rewritten a file itself, which is no news unless the file had changed before. For
 * the thread that polls, or before there is one. p may be NULL. */
void weir_providers_rewritten(weir_providers *p, const char *path, const struct stat *before,
                              const struct stat *after);

/* ---- for the loader ---- */

/* The files to read with: `files`, and what was read is noted. */
const weir_yaml_files *weir_providers_watch(weir_providers *providers,
                                            const weir_yaml_files *files);

/* A load begins: what is not used in it is closed at its end. */
void weir_providers_begin(weir_providers *providers);
void weir_providers_end(weir_providers *providers);

/* Reads the databases that the document's root names, and config.db, into the document; their
 * roots are appended. What fails is a problem where the database is named. */
void weir_providers_collect(weir_loader *l, weir_document *document, weir_roots *roots);

/* Where config.db is, or would be: in the data directory; NULL: nothing is kept there. */
const char *weir_config_db_path(weir_arena *arena, const char *data_dir);
