/* SPDX-License-Identifier: MIT */
/* A column of an SQL row as a value. */

#include "cli/cell.h"

weir_value weir_sql_cell(sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        return weir_value_i64(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
        return weir_value_f64(sqlite3_column_double(statement, column));
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(statement, column);
        return weir_value_string(text ? text : "", (size_t)sqlite3_column_bytes(statement, column));
    }
    case SQLITE_BLOB: {
        const uint8_t *bytes = sqlite3_column_blob(statement, column);
        return weir_value_bytes(bytes, (size_t)sqlite3_column_bytes(statement, column));
    }
    default:
        return weir_value_null();
    }
}
