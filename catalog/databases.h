/* SPDX-License-Identifier: MIT */
/* Databases that are kept open between loads, and asked whether they have changed. */

#pragma once
#include "base/clock.h"
#include "catalog/database.h"

/* Zeroed: none. One thread at a time, which may have to wait for a database's timeout. */
typedef struct weir_databases {
    struct weir_opened *first;
} weir_databases;

void weir_databases_close(weir_databases *databases);

/* A load begins, and has ended well: what was not read in between is closed. */
void weir_databases_begin(weir_databases *databases);
void weir_databases_end(weir_databases *databases);

/* Opens it if it is not open already, and reads; ret[WEIR_LAYOUT_QUERIES], empty before, is to be
 * forgotten in any case. databases NULL: opened for this one time. */
weir_err weir_databases_read(weir_databases *databases, const weir_database_config *config,
                             weir_rows *ret, weir_error *error) WEIR_MUST_CHECK;
void weir_databases_forget(weir_rows *rows);

/* Whether one has other rows than it gave last. */
bool weir_databases_poll(weir_databases *databases, weir_mono now);

/* Why one cannot be asked at present; "": all can. */
const char *weir_databases_trouble(const weir_databases *databases);
