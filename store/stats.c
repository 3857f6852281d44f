/* SPDX-License-Identifier: MIT */
/* What is in a store, in numbers. */

#include "store/stats.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/file/database.h"
#include "store/query/query.h"

static weir_err stats_count(sqlite3 *db, const char *sql, uint64_t *ret, weir_error *error)
{
    int64_t n;
    weir_err err = weir_db_int(db, sql, 0, &n, error);
    if (err == WEIR_OK)
        *ret = (uint64_t)n;
    return err;
}

/* One level: rows, samples, bytes, samples that no later level has, min_ts, max_ts. */
static weir_err stats_level(sqlite3 *db, const char *sql, size_t level, weir_store_stats *s,
                            weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(db, sql, &stmt, error);
    if (err == WEIR_OK)
        err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK || !row || sqlite3_column_int64(stmt, 0) == 0)
        return err;
    int64_t first = sqlite3_column_int64(stmt, 4), last = sqlite3_column_int64(stmt, 5);
    s->first_ts.us = s->samples == 0 || first < s->first_ts.us ? first : s->first_ts.us;
    s->last_ts.us = s->samples == 0 || last > s->last_ts.us ? last : s->last_ts.us;
    s->level_samples[level] = (uint64_t)sqlite3_column_int64(stmt, 1);
    s->level_bytes[level] = (uint64_t)sqlite3_column_int64(stmt, 2);
    s->samples += (uint64_t)sqlite3_column_int64(stmt, 3);
    s->level_rows[level] = (uint64_t)sqlite3_column_int64(stmt, 0);
    return WEIR_OK;
}

static weir_err stats_tiers(sqlite3 *db, weir_store_stats *s, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        db,
        "SELECT tier & 15, count(*), sum(samples), sum(bytes) FROM part WHERE state=1 GROUP BY 1",
        &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        const int64_t tier = sqlite3_column_int64(stmt, 0);
        if (tier >= WEIR_STORE_TIERS)
            continue;
        s->tiers[tier].parts = (uint64_t)sqlite3_column_int64(stmt, 1);
        s->tiers[tier].samples = (uint64_t)sqlite3_column_int64(stmt, 2);
        s->tiers[tier].bytes = (uint64_t)sqlite3_column_int64(stmt, 3);
    }
    return err;
}

#define STATS_MARK(key) "(SELECT ifnull(max(value), 0) FROM meta WHERE key='" key "')"

static weir_err stats_levels(sqlite3 *db, weir_store_stats *s, weir_error *error)
{
    static const char fresh[] =
        "SELECT count(*), sum(count), sum(length(head)+length(body)), sum(count), min(min_ts),"
        " max(max_ts) FROM fresh WHERE first_seq>" STATS_MARK("merged_seq");
    static const char log[] =
        "SELECT count(*), sum(count), sum(length(head)+length(body)), sum(count) FILTER (WHERE"
        " ifnull(last_seq, first_seq+count-1)>" STATS_MARK("history_seq") "), min(min_ts),"
                                                                          " max(max_ts) FROM log";
    static const char parts[] =
        "SELECT sum(segments), sum(samples), sum(bytes), sum(samples), min(min_ts), max(max_ts)"
        " FROM part WHERE state=1";
    static const char *const levels[WEIR_STORE_LEVELS] = {fresh, log, parts};
    static const char log_of_version_1[] =
        "SELECT count(*), sum(count), sum(length(head)+length(body)), sum(count), min(min_ts),"
        " max(max_ts) FROM log";
    if (s->schema < 2)
        return stats_level(db, log_of_version_1, 0, s, error);
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < WEIR_STORE_LEVELS; i++)
        err = stats_level(db, levels[i], i, s, error);
    return err == WEIR_OK ? stats_tiers(db, s, error) : err;
}

/* What version 1 had not. */
static weir_err stats_history(sqlite3 *db, weir_store_stats *s, weir_error *error)
{
    weir_err err =
        stats_count(db, "SELECT count(*) FROM tag WHERE purged_seq>0", &s->purged_tags, error);
    return err == WEIR_OK
               ? stats_count(db, "SELECT count(*) FROM quarantine", &s->quarantined, error)
               : err;
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
        {"SELECT value FROM meta WHERE key='expired'", &s->expired},
        {"SELECT count(*) FROM tag", &s->tags},
        {"SELECT count(*) FROM tag WHERE active", &s->current_tags},
    };
    weir_err err = weir_db_exec(db, "BEGIN", error);
    for (size_t i = 0; err == WEIR_OK && i < sizeof counts / sizeof *counts; i++)
        err = stats_count(db, counts[i].sql, counts[i].ret, error);
    if (err == WEIR_OK)
        err = weir_identity_read(db, &s->identity, error);
    if (err == WEIR_OK)
        err =
            weir_db_int(db, "SELECT value FROM meta WHERE key='created'", 0, &s->created.us, error);
    if (err != WEIR_OK)
        return err;
    s->schema = (int)schema;
    err = stats_levels(db, s, error);
    if (err == WEIR_OK && s->schema > 1)
        err = stats_history(db, s, error);
    if (err != WEIR_OK)
        return err;
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
