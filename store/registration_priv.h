/* SPDX-License-Identifier: MIT */
/* A registration under way, shared by the files that give tags their uids. */

#pragma once
#include "model/diff.h"
#include "store/file/database.h"
#include "store/store.h"

/* Statements of one registration, and what it has seen. */
typedef struct weir_registration {
    weir_store *store;
    weir_catalog *catalog;
    const weir_diff *diff; /* from what is registered; NULL: nothing is known of that */
    sqlite3_stmt *lookup, *find, *add, *activate, *retire, *version, *device, *device_keep;
    sqlite3_stmt *former, *move, *displace;
    weir_tag_uid *uids; /* of the catalog's tags; 0: not found yet */
    size_t n_named;     /* names that are new, or of another tag than before */
    int64_t last;       /* uid */
} weir_registration;

/*
 * Before uids are given by name: finds the tags that are renamed (weir_device.was, weir_point.was,
 * and what the diff knows by its provider's key) and gives them the uids and, in the table, the
 * names they have now. Names may go round in a circle. A name that belonged to a tag which is not
 * in the catalog goes on with a "~" and its uid behind. What was renamed before stays as it is.
 */
weir_err weir_registration_rename(weir_registration *r, weir_error *error) WEIR_MUST_CHECK;
