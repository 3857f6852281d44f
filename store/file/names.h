/* SPDX-License-Identifier: MIT */
/* Names of tags for readers: uid to name, name or pattern to uids. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/alloc.h"
#include "model/sample.h"

typedef struct weir_name {
    weir_tag_uid uid;
    const char *name;
} weir_name;

/* Names of all tags and plans, as of one catalog. All zero is empty. */
typedef struct weir_names {
    weir_arena *arena;
    weir_name *at; /* ascending by uid */
    size_t n, capacity;
    const char *plans[64]; /* by bit; NULL: that of no plan */
    int64_t catalog;       /* of meta */
} weir_names;

void weir_names_deinit(weir_names *names);

/* Reads the names again if the catalog has changed since. */
weir_err weir_names_update(weir_names *names, sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;

/* NULL: no such tag. Lives until the next update that finds a change. */
const char *weir_names_of(const weir_names *names, weir_tag_uid uid);

/* The plan with this bit, below 64; NULL: none had it. Lives as above. */
const char *weir_names_of_plan(const weir_names *names, unsigned bit);

/* Gives tags without a version one that says nothing, in the open transaction. */
weir_err weir_names_complete(sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;

/* A growing set of uids. */
typedef struct weir_uids {
    weir_tag_uid *at;
    size_t n, capacity;
} weir_uids;

void weir_uids_deinit(weir_uids *uids);

/* Adds the tags of this name, or those that match the pattern as SQL's GLOB or LIKE does. */
weir_err weir_uids_add_name(weir_uids *uids, sqlite3 *db, const char *name,
                            weir_error *error) WEIR_MUST_CHECK;
weir_err weir_uids_add_glob(weir_uids *uids, sqlite3 *db, const char *pattern,
                            weir_error *error) WEIR_MUST_CHECK;
weir_err weir_uids_add_like(weir_uids *uids, sqlite3 *db, const char *pattern,
                            weir_error *error) WEIR_MUST_CHECK;

/* For qsort and bsearch of uids. */
int weir_uid_compare(const void *a, const void *b);

/* Ascending, each once. */
void weir_uids_sort(weir_uids *uids);
