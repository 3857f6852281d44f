/* SPDX-License-Identifier: MIT */
/* Gaps: an exact record of what is not there, or was not kept for a sink. */

#include "store/gap.h"

#include "store/file/database.h"

static void gap_bind(sqlite3_stmt *s, const weir_gap *gap, weir_wall now)
{
    (void)sqlite3_bind_int64(s, 1, now.us);
    (void)sqlite3_bind_text(s, 2, gap->sink, -1, SQLITE_STATIC);
    if (gap->tag != 0)
        (void)sqlite3_bind_int64(s, 3, gap->tag);
    (void)sqlite3_bind_int64(s, 4, gap->from_ts);
    (void)sqlite3_bind_int64(s, 5, gap->to_ts);
    (void)sqlite3_bind_int64(s, 6, (int64_t)gap->count);
    (void)sqlite3_bind_text(s, 7, gap->cause, -1, SQLITE_STATIC);
}

static weir_err gap_run(sqlite3 *db, const char *sql, const weir_gap *gap, weir_wall now,
                        weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *s = NULL;
    weir_err err = weir_db_prepare(db, sql, &s, error);
    if (err != WEIR_OK)
        return err;
    gap_bind(s, gap, now);
    return weir_db_run(s, error);
}

weir_err weir_gap_add(sqlite3 *db, const weir_gap *gap, bool extend, weir_wall now,
                      weir_error *error)
{
    if (extend) {
        weir_err err = gap_run(db,
                               "UPDATE gap SET ts=?1, from_ts=min(from_ts,?4),"
                               " to_ts=max(to_ts,?5), count=count+?6 WHERE id=(SELECT max(id)"
                               " FROM gap WHERE sink=?2 AND uid IS ?3 AND cause=?7)",
                               gap, now, error);
        if (err != WEIR_OK || sqlite3_changes(db) > 0)
            return err;
    }
    return gap_run(db,
                   "INSERT INTO gap(ts,sink,uid,from_ts,to_ts,count,cause)"
                   " VALUES(?1,?2,?3,?4,?5,?6,?7)",
                   gap, now, error);
}
