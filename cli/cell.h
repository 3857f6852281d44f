/* SPDX-License-Identifier: MIT */
/* A column of an SQL row as a value. */

#pragma once
#include <sqlite3.h>

#include "model/value.h"

/* Text and bytes are borrowed from the statement until its next step. */
weir_value weir_sql_cell(sqlite3_stmt *statement, int column);
