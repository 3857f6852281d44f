/* SPDX-License-Identifier: MIT */
/* What is in a store, in numbers. */

#include "store/stats.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/database.h"
#include "store/query.h"

static weir_err stats_count(sqlite3 *db, const char *sql, uint64_t *ret, weir_error *error)
{
    int64_t n;
    weir_err err = weir_db_int(db, sql, 0, &n, error);
    if (err == WEIR_OK)
        *ret = (uint64_t)n;
    return err;
}

/* The level is the second byte of a head. */
static weir_err stats_log(sqlite3 *db, weir_store_stats *s, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(db,
                                   "SELECT substr(head,2,1), count(*), sum(count),"
                                   " sum(length(head)+length(body)), min(min_ts), max(max_ts)"
                                   " FROM log GROUP BY 1",
                                   &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        const uint8_t *level = sqlite3_column_blob(stmt, 0);
        uint64_t samples = (uint64_t)sqlite3_column_int64(stmt, 2);
        int64_t first = sqlite3_column_int64(stmt, 4), last = sqlite3_column_int64(stmt, 5);
        if (level && sqlite3_column_bytes(stmt, 0) == 1 && *level < WEIR_STORE_LEVELS) {
            s->level_samples[*level] = samples;
            s->level_bytes[*level] = (uint64_t)sqlite3_column_int64(stmt, 3);
        }
        s->first_ts.us = s->rows == 0 || first < s->first_ts.us ? first : s->first_ts.us;
        s->last_ts.us = s->rows == 0 || last > s->last_ts.us ? last : s->last_ts.us;
        s->rows += (uint64_t)sqlite3_column_int64(stmt, 1);
        s->samples += samples;
    }
    return err;
}

static weir_err stats_meta(sqlite3 *db, weir_store_stats *s, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(db, "SELECT value FROM meta WHERE key='uuid'", &stmt, error);
    if (err == WEIR_OK)
        err = weir_db_step(stmt, &row, error);
    if (err == WEIR_OK && row && sqlite3_column_text(stmt, 0))
        (void)snprintf(s->uuid, sizeof s->uuid, "%s", (const char *)sqlite3_column_text(stmt, 0));
    if (err == WEIR_OK)
        err =
            weir_db_int(db, "SELECT value FROM meta WHERE key='created'", 0, &s->created.us, error);
    return err;
}

static weir_err stats_read(sqlite3 *db, weir_store_stats *s, weir_error *error)
{
    uint64_t page, pages, free_pages, schema;
    const struct {
        const char *sql;
        uint64_t *ret;
    } counts[] = {
        {"PRAGMA page_size", &page},
        {"PRAGMA page_count", &pages},
        {"PRAGMA freelist_count", &free_pages},
        {"PRAGMA user_version", &schema},
        {"SELECT count(*) FROM event", &s->events},
        {"SELECT count(*) FROM tag", &s->tags},
        {"SELECT count(*) FROM tag WHERE active", &s->current_tags},
    };
    weir_err err = weir_db_exec(db, "BEGIN", error);
    for (size_t i = 0; err == WEIR_OK && i < sizeof counts / sizeof *counts; i++)
        err = stats_count(db, counts[i].sql, counts[i].ret, error);
    if (err == WEIR_OK)
        err = stats_meta(db, s, error);
    if (err == WEIR_OK)
        err = stats_log(db, s, error);
    if (err != WEIR_OK)
        return err;
    s->schema = (int)schema;
    s->file_bytes = pages * page;
    s->free_bytes = free_pages * page;
    uint64_t bytes = 0;
    for (size_t i = 0; i < WEIR_STORE_LEVELS; i++)
        bytes += s->level_bytes[i];
    s->bytes_per_sample = s->samples ? (double)bytes / (double)s->samples : 0;
    return WEIR_OK;
}

weir_err weir_store_get_stats(const char *data_dir, const char *vfs, weir_store_stats *ret,
                              weir_error *error)
{
    WEIR_CLEANUP(weir_query_close) weir_query *query = NULL;
    weir_store_stats s = {.sqlite_version = sqlite3_libversion()};
    char path[4096];
    struct stat wal;
    weir_err err = weir_query_open(data_dir, vfs, &query, error);
    if (err == WEIR_OK)
        err = stats_read(weir_query_db(query), &s, error);
    if (err != WEIR_OK)
        return err;
    /* Only its size is asked for: opening and closing the file would drop SQLite's locks. */
    int n = snprintf(path, sizeof path, "%s/data.db-wal", data_dir);
    if (n > 0 && (size_t)n < sizeof path && stat(path, &wal) == 0)
        s.wal_bytes = (uint64_t)wal.st_size;
    *ret = s;
    return WEIR_OK;
}
