/* SPDX-License-Identifier: MIT */
/* The tables of the schema: making them, and whether a data.db has them. */

#pragma once
#include "store/file/database.h"

/* Makes those that a store of this version has not, in the open transaction; 0: all. */
weir_err weir_db_tables_make(sqlite3 *db, int version, weir_error *error) WEIR_MUST_CHECK;

/* Compares each table of the schema with the open database's of that name: columns with type and
 * default, keys, whether it has a rowid. A bit flipped in the text that defines a table may leave
 * SQL that is right, but means another table; SQLite's own checks do not see that. Tables and
 * indexes that somebody else made beside ours do not count.
 *
 * WEIR_EDAMAGED   a table is missing, or another one; the text names it.
 */
weir_err weir_db_tables_check(sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;
