/* SPDX-License-Identifier: MIT */
/* What plain SQLite rows cost: the reference of bench/store. Uses nothing of weir. */

/*
 *   ref-rows append FILE TAGS SECONDS
 *       a row for each tag and second, an index on (tag_id, ts)
 *
 *   ref-rows flash FILE TAGS SECONDS index|plain PRE
 *       commits every second, synchronous=FULL
 *
 *   ref-rows month FILE
 *       one tag's month of 1 s among five, then 1000 buckets of it
 *
 * One JSON object on standard output. append: rows in order of time, as a poller makes them, a
 * commit for each 10 000, synchronous=NORMAL (the friendlier setting for the reference). flash: PRE
 * seconds are there before, unmeasured, because an index wears a disk the more the larger it is;
 * bytes are what the kernel counts for this process, with the final checkpoint.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "cost.h"

#define START_US 1700000000000000LL

static sqlite3 *db;
static sqlite3_stmt *insert;

static void check(int rc, const char *doing)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
        (void)fprintf(stderr, "%s: %s\n", doing, sqlite3_errmsg(db));
        exit(1);
    }
}

static void run(const char *sql)
{
    check(sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

static void open_rows(const char *path, const char *synchronous, int with_index)
{
    char sql[64];
    check(sqlite3_open(path, &db), "open");
    run("PRAGMA journal_mode=WAL");
    (void)snprintf(sql, sizeof sql, "PRAGMA synchronous=%s", synchronous);
    run(sql);
    run("CREATE TABLE sample(tag_id INTEGER, ts INTEGER, value REAL, status INTEGER)");
    if (with_index)
        run("CREATE INDEX sample_tag_ts ON sample(tag_id, ts)");
    check(sqlite3_prepare_v2(db, "INSERT INTO sample VALUES(?,?,?,0)", -1, &insert, NULL),
          "prepare");
}

static void add(int64_t tag, int64_t ts, double value)
{
    (void)sqlite3_bind_int64(insert, 1, tag);
    (void)sqlite3_bind_int64(insert, 2, ts);
    (void)sqlite3_bind_double(insert, 3, value);
    check(sqlite3_step(insert), "insert");
    (void)sqlite3_reset(insert);
}

static int32_t *walks_new(long tags)
{
    int32_t *walks = calloc((size_t)tags, sizeof *walks);
    if (!walks)
        exit(1);
    for (long i = 0; i < tags; i++)
        walks[i] = WALK_START;
    return walks;
}

static void bench_append(const char *path, long tags, long seconds)
{
    open_rows(path, "NORMAL", 1);
    int32_t *walks = walks_new(tags);
    const double start = seconds_now(), cpu = cpu_seconds();
    long in_commit = 0;
    run("BEGIN");
    for (long s = 0; s < seconds; s++)
        for (long tag = 0; tag < tags; tag++) {
            add(tag, START_US + s * 1000000, (double)walk_next(&walks[tag]) / 100);
            if (++in_commit == 10000) {
                run("COMMIT; BEGIN");
                in_commit = 0;
            }
        }
    run("COMMIT");
    const double rows = (double)tags * (double)seconds;
    (void)printf("{\"rows_per_s\": %.0f, \"cpu_us_per_row\": %.4f}\n",
                 rows / (seconds_now() - start), (cpu_seconds() - cpu) * 1e6 / rows);
}

static void bench_flash(const char *path, long tags, long seconds, int with_index, long pre)
{
    open_rows(path, "FULL", with_index);
    int32_t *walks = walks_new(tags);
    run("BEGIN");
    for (long s = 0; s < pre; s++)
        for (long tag = 0; tag < tags; tag++)
            add(tag, START_US + s * 1000000, (double)walk_next(&walks[tag]) / 100);
    run("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    const uint64_t before = bytes_written();
    for (long s = pre; s < pre + seconds; s++) {
        run("BEGIN");
        for (long tag = 0; tag < tags; tag++)
            add(tag, START_US + s * 1000000, (double)walk_next(&walks[tag]) / 100);
        run("COMMIT");
    }
    (void)sqlite3_finalize(insert);
    (void)sqlite3_close(db);
    (void)printf("{\"bytes_per_s\": %.0f}\n", (double)(bytes_written() - before) / (double)seconds);
}

static void bench_month(const char *path)
{
    enum { TAGS = 5, MONTH = 30 * 86400, REPEATS = 5 };
    sqlite3_stmt *query = NULL;
    double best = 1e9;
    open_rows(path, "OFF", 1);
    int32_t *walks = walks_new(TAGS);
    run("BEGIN");
    for (long s = 0; s < MONTH; s++)
        for (long tag = 0; tag < TAGS; tag++)
            add(tag, START_US + s * 1000000, (double)walk_next(&walks[tag]) / 100);
    run("COMMIT");
    check(
        sqlite3_prepare_v2(db,
                           "SELECT (ts-?1)/2592000000, min(value), max(value), avg(value), count(*)"
                           " FROM sample WHERE tag_id=3 AND ts>=?1 AND ts<?1+2592000000000"
                           " GROUP BY 1",
                           -1, &query, NULL),
        "prepare");
    (void)sqlite3_bind_int64(query, 1, START_US);
    int rows = 0;
    for (int i = 0; i < REPEATS; i++) {
        const double start = seconds_now();
        for (rows = 0; sqlite3_step(query) == SQLITE_ROW; rows++)
            ;
        (void)sqlite3_reset(query);
        const double spent = seconds_now() - start;
        best = spent < best ? spent : best;
    }
    (void)printf("{\"ms\": %.2f, \"rows\": %d}\n", best * 1000, rows);
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "append"))
        bench_append(argv[2], atol(argv[3]), atol(argv[4]));
    else if (argc == 7 && !strcmp(argv[1], "flash"))
        bench_flash(argv[2], atol(argv[3]), atol(argv[4]), !strcmp(argv[5], "index"),
                    atol(argv[6]));
    else if (argc == 3 && !strcmp(argv[1], "month"))
        bench_month(argv[2]);
    else {
        (void)fputs("usage: ref-rows append|flash|month FILE ...; see the source\n", stderr);
        return 2;
    }
    return 0;
}
