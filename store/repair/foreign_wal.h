/* SPDX-License-Identifier: MIT */
/* A write-ahead log that lies beside a data.db it does not belong to. */

#pragma once
#include "base/clock.h"
#include "base/error.h"

/*
 * Somebody put another store's data.db in place and left data.db-wal: SQLite would take pages of
 * one store for those of the other, and what is measured here would carry the names of there. It is
 * moved to quarantine/. The lock is held, nothing of this process has the files open.
 *
 * ret_place: where it is now; "": there was none, or nothing says that it is foreign. It is told
 * by when the store was made, which both have, unless the log is so short that it does not say.
 * WEIR_EIO, WEIR_EPERM: it could not be moved.
 */
weir_err weir_foreign_wal_put_aside(const char *data_dir, const char *vfs, weir_wall now,
                                    char ret_place[300], weir_error *error) WEIR_MUST_CHECK;
