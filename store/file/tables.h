/* SPDX-License-Identifier: MIT */
/* Whether a data.db has the tables of the schema. */

#pragma once
#include "store/file/database.h"

/* Compares each table of the schema with the open database's of that name: columns with type and
 * default, keys, whether it has a rowid. A bit flipped in the text that defines a table may leave
 * SQL that is right, but means another table; SQLite's own checks do not see that. Tables and
 * indexes that somebody else made beside ours do not count.
 *
 * WEIR_EDAMAGED   a table is missing, or another one; the text names it.
 */
weir_err weir_db_tables_check(sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;
