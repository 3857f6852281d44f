/* SPDX-License-Identifier: MIT */
/* The sink that writes plain rows to an SQLite database. */

#pragma once
#include "model/sink.h"

extern const weir_sink_type weir_sink_sqlite;

/* The words of `layout`. */
typedef enum weir_sqlite_form {
    WEIR_SQLITE_WEIR,
    WEIR_SQLITE_RESULTS_RAW,
    WEIR_SQLITE_CURRENT,
} weir_sqlite_form;

typedef struct weir_sqlite_options {
    const char *path;
    int layout;        /* weir_sqlite_form */
    const char *table; /* NULL: the layout's own name */
    int64_t busy_timeout_us;
} weir_sqlite_options;
