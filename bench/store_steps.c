/* SPDX-License-Identifier: MIT */
/* What weir's store costs, without a network around it: weir's side of bench/store. */

/*
 *   store-steps append DIR TAGS SECONDS      every second of samples is a commit
 *   store-steps flash DIR TAGS SECONDS LOSS  a commit every LOSS seconds, and the last checkpoint
 *   store-steps decode DIR                   every sample of a store, looked at
 *   store-steps month DIR TAG                1000 slots of history of the tag's newest 30 days
 *   store-steps year DIR TAG                 all of the tag by month of Europe/Berlin
 *
 * One JSON object on standard output. append and flash run by a simulated clock as fast as they can
 * and do the store's own work (merging into the log, then into history) between commits, as the
 * daemon does: so two hours of the store's life are measured in seconds, with its hourly work
 * inside. Samples are 50 a batch, 2 decimals in random steps; replies come 1 to 5 ms after their
 * slot.
 */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost.h"
#include "store/file/database.h"
#include "store/history/maintain.h"
#include "store/query/query.h"
#include "store/query/scan.h"
#include "store/store.h"
#include "store/testing.h"

enum { POINTS = 50 };

static void check(weir_err err, const weir_error *error)
{
    if (err == WEIR_OK)
        return;
    (void)fprintf(stderr, "store-steps: %s\n", error->text);
    exit(1);
}

static long peak_kb(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

/* A plant of TAGS / 50 devices. */
struct plant {
    weir_store *store;
    weir_catalog *catalog;
    int32_t *walks;
    weir_wall now;
    double maintain_s;
    size_t pieces;
};

static void plant_open(struct plant *p, const char *dir, uint32_t tags)
{
    weir_error error = WEIR_ERROR_INIT;
    *p = (struct plant){.now = {T0}};
    check(weir_store_open(&(weir_store_options){.data_dir = dir, .now = p->now}, &p->store, &error),
          &error);
    p->catalog = testing_catalog(tags / POINTS, POINTS);
    check(weir_store_register(p->store, p->catalog, p->now, &error), &error);
    p->walks = calloc(tags, sizeof *p->walks);
    if (!p->walks)
        exit(1);
    for (uint32_t i = 0; i < tags; i++)
        p->walks[i] = WALK_START;
}

/* One second of all devices. */
static void plant_second(struct plant *p)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_sample samples[POINTS];
    for (uint32_t d = 0; d < p->catalog->n_devices; d++) {
        const uint32_t first = p->catalog->devices[d].first_tag;
        for (uint32_t i = 0; i < POINTS; i++) {
            const int32_t value = walk_next(&p->walks[first + i]);
            samples[i] = (weir_sample){p->catalog->tags[first + i].uid, 0, p->now,
                                       weir_value_decimal(value, -2)};
        }
        const int64_t received = p->now.us + 1000 + (int64_t)(noise_next() % 4000);
        const weir_batch batch = {.device = d,
                                  .catalog_revision = 1,
                                  .plans = WEIR_PLAN_DEFAULT,
                                  .due = p->now,
                                  .sent = {p->now.us + 300},
                                  .received = {received},
                                  .anchor_us = T0,
                                  .n_samples = POINTS,
                                  .samples = samples};
        check(weir_store_append(p->store, &batch, &error), &error);
    }
    p->now.us += WEIR_S;
}

static void plant_commit(struct plant *p)
{
    weir_error error = WEIR_ERROR_INIT;
    bool more = true;
    check(weir_store_commit(p->store, p->now, &error), &error);
    const double start = seconds_now();
    for (; more; p->pieces++)
        check(weir_store_maintain(p->store, p->now, &more, &error), &error);
    p->maintain_s += seconds_now() - start;
}

static void bench_append(const char *dir, uint32_t tags, long seconds)
{
    struct plant p;
    plant_open(&p, dir, tags);
    const double start = seconds_now(), cpu = cpu_seconds();
    for (long s = 0; s < seconds; s++) {
        plant_second(&p);
        plant_commit(&p);
    }
    const double samples = (double)tags * (double)seconds, spent = seconds_now() - start;
    weir_store_close(p.store);
    (void)printf("{\"rows_per_s\": %.0f, \"cpu_us_per_row\": %.4f, \"maintain_share\": %.3f, "
                 "\"pieces\": %zu, \"peak_kb\": %ld}\n",
                 samples / spent, (cpu_seconds() - cpu) * 1e6 / samples, p.maintain_s / spent,
                 p.pieces, peak_kb());
}

static void bench_flash(const char *dir, uint32_t tags, long seconds, long loss)
{
    struct plant p;
    plant_open(&p, dir, tags);
    const uint64_t before = bytes_written();
    for (long s = 1; s <= seconds; s++) {
        plant_second(&p);
        if (s % loss == 0 || s == seconds)
            plant_commit(&p);
    }
    weir_store_close(p.store);
    (void)printf("{\"bytes_per_s\": %.0f}\n", (double)(bytes_written() - before) / (double)seconds);
}

static weir_query *query_open(const char *dir)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    check(weir_query_open(dir, NULL, &query, &error), &error);
    return query;
}

/* Runs a query, best of n; returns its rows. */
static long query_best(weir_query *query, const char *sql, int n, double *ret_s)
{
    sqlite3_stmt *stmt = NULL;
    long rows = 0;
    *ret_s = 1e9;
    for (int i = 0; i < n; i++) {
        if (sqlite3_prepare_v2(weir_query_db(query), sql, -1, &stmt, NULL) != SQLITE_OK) {
            (void)fprintf(stderr, "%s\n", sqlite3_errmsg(weir_query_db(query)));
            exit(1);
        }
        const double start = seconds_now();
        for (rows = 0; sqlite3_step(stmt) == SQLITE_ROW; rows++)
            ;
        const double spent = seconds_now() - start;
        *ret_s = spent < *ret_s ? spent : *ret_s;
        (void)sqlite3_finalize(stmt);
    }
    return rows;
}

static void bench_month(const char *dir, const char *tag)
{
    weir_query *query = query_open(dir);
    char sql[512];
    double spent;
    (void)snprintf(sql, sizeof sql,
                   "SELECT * FROM history('%s', (SELECT max(ts) FROM samples WHERE tag='%s')"
                   " - 2592000000000, (SELECT max(ts) FROM samples WHERE tag='%s'), 1000)",
                   tag, tag, tag);
    const long rows = query_best(query, sql, 5, &spent);
    (void)printf("{\"ms\": %.2f, \"rows\": %ld}\n", spent * 1000, rows);
    weir_query_close(query);
}

static void bench_year(const char *dir, const char *tag)
{
    weir_query *query = query_open(dir);
    char sql[256];
    double spent;
    (void)snprintf(sql, sizeof sql, "SELECT * FROM buckets('%s', '1mo', 'Europe/Berlin')", tag);
    const long rows = query_best(query, sql, 5, &spent);
    (void)printf("{\"ms\": %.2f, \"rows\": %ld}\n", spent * 1000, rows);
    weir_query_close(query);
}

/* Every sample, as export and sinks see them; the sum keeps the work from being left out. */
static void bench_decode(const char *dir)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = query_open(dir);
    sqlite3 *db = weir_query_db(query);
    weir_view *view = NULL;
    weir_scan *scan = NULL;
    weir_item item;
    bool any = true;
    uint64_t n = 0, sum = 0;
    check(weir_db_exec(db, "BEGIN", &error), &error);
    check(weir_view_new(db, &view, &error), &error);
    check(weir_view_update(view, &error), &error);
    check(weir_scan_new(view, &(weir_scan_filter)WEIR_SCAN_ALL, NULL, &scan, &error), &error);
    const double start = cpu_seconds(), wall = seconds_now();
    for (; check(weir_scan_next(scan, &item, &any, &error), &error), any; n++)
        sum += item.sample.value.as.bits + (uint64_t)item.sample.ts.us;
    const double cpu = cpu_seconds() - start;
    (void)printf("{\"samples\": %" PRIu64 ", \"samples_per_cpu_s\": %.0f, \"wall_s\": %.2f, "
                 "\"peak_kb\": %ld, \"sum\": %" PRIu64 "}\n",
                 n, (double)n / cpu, seconds_now() - wall, peak_kb(), sum);
    weir_scan_free(scan);
    weir_view_free(view);
    weir_query_close(query);
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "append"))
        bench_append(argv[2], (uint32_t)atol(argv[3]), atol(argv[4]));
    else if (argc == 6 && !strcmp(argv[1], "flash"))
        bench_flash(argv[2], (uint32_t)atol(argv[3]), atol(argv[4]), atol(argv[5]));
    else if (argc == 3 && !strcmp(argv[1], "decode"))
        bench_decode(argv[2]);
    else if (argc == 4 && !strcmp(argv[1], "year"))
        bench_year(argv[2], argv[3]);
    else if (argc == 4 && !strcmp(argv[1], "month"))
        bench_month(argv[2], argv[3]);
    else {
        (void)fputs("usage: store-steps append|flash|month DIR ...; see the source\n", stderr);
        return 2;
    }
    return 0;
}
