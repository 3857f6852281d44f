/* SPDX-License-Identifier: MIT */
/* Put before every source of the loadable extension: calls of SQLite go to the program's library.
 */

#pragma once
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
