/* SPDX-License-Identifier: MIT */
/* Logging.db of ModbusDataLogger: its tables, as it makes them itself, and what it promises of
 * them. */

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* What was found, and what was made. */
typedef struct weir_logger_db {
    bool is_new;        /* there was no such file */
    bool made_tables;   /* at least one of RequestedData and ResultsRaw */
    bool made_cascades; /* the triggers */
    bool is_idle;       /* no row of RequestedData is required */
} weir_logger_db;

/* A row for RequestedData, to be pasted. */
extern const char weir_logger_db_example[];

/*
 * Makes what is missing in the file, the file too: the tables with the original's constraints, and
 * triggers which do to ResultsRaw what its foreign key says when a request is deleted or gets
 * another paramID, also for programs that have foreign keys switched off, as the original had.
 * Nothing is made twice, and nothing else of the file is touched. patience_us: how long a lock of
 * another program is waited for.
 *
 * A failure changes nothing: WEIR_EIO (no database, no room, no such folder), WEIR_EPERM (it may
 * not be written), WEIR_EINUSE (locked), WEIR_ENOMEM. What it lacks is not known then, except for
 * ret->is_new.
 */
weir_err weir_logger_db_prepare(const char *path, int64_t patience_us, weir_logger_db *ret,
                                weir_error *error) WEIR_MUST_CHECK;
