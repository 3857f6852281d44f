/* SPDX-License-Identifier: MIT */
/* The tables of weir sql for other programs: weir_sqlite.so, loaded into their SQLite. */

/*
 * The reading half of the store is compiled a second time for it, with SQLite's functions taken
 * from the table that the program hands over: a second SQLite library in one process would drop the
 * first one's locks.
 */

#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

#include "store/query/query.h"

/* The youngest function used is sqlite3_vtab_in. */
enum { SQLITE_VERSION_NEEDED = 3038000 };

__attribute__((visibility("default"))) int sqlite3_weirsqlite_init(sqlite3 *db, char **ret_error,
                                                                   const sqlite3_api_routines *api);

/* SQLite finds it by the file's name. */
int sqlite3_weirsqlite_init(sqlite3 *db, char **ret_error, const sqlite3_api_routines *api)
{
    weir_error error = WEIR_ERROR_INIT;
    SQLITE_EXTENSION_INIT2(api);
    if (sqlite3_libversion_number() < SQLITE_VERSION_NEEDED) {
        *ret_error =
            sqlite3_mprintf("weir needs SQLite 3.38 or newer, this is %s", sqlite3_libversion());
        return SQLITE_ERROR;
    }
    if (weir_query_attach(db, &error) == WEIR_OK)
        return SQLITE_OK;
    *ret_error = sqlite3_mprintf("%s", error.text);
    return SQLITE_ERROR;
}
