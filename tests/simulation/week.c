/* SPDX-License-Identifier: MIT */
/* simulate-week FOLDER: a week of a store that has reached its cap, on a real file system, with a
 * simulated clock; exits 1 if it slows down, grows or does not add up. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/random.h"
#include "catalog/yaml.h"
#include "runtime/inbox.h"
#include "runtime/worker.h"
#include "store/query/query.h"

enum { DEVICES = 10, POINTS = 10, INBOX = 4 << 20 };

/* The store thread's longest step, in real time: commits are due each second of it. */
static const int64_t step_limit_us = WEIR_S;
static const int64_t start_us = 1795219200LL * WEIR_S;

struct week {
    const char *folder;
    weir_catalog *catalog;
    weir_platform platform;
    weir_store *store;
    weir_worker *worker;
    weir_inbox inbox;
    int64_t now;
    uint64_t produced, refused;
    int64_t longest_us;
    long rss_kb, rss_later_kb;
    uint64_t most_bytes;
    weir_random random;
};

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "simulate-week: %s\n", what);
    exit(EXIT_FAILURE);
}

static weir_mono week_now(void *data)
{
    return (weir_mono){((struct week *)data)->now};
}

static weir_wall week_wall(void *data)
{
    return (weir_wall){start_us + ((struct week *)data)->now};
}

static uint64_t week_free_bytes(void *data, uint64_t *ret_total)
{
    struct statvfs disk;
    must(statvfs(((struct week *)data)->folder, &disk) == 0, "no file system");
    *ret_total = (uint64_t)disk.f_blocks * disk.f_frsize;
    return (uint64_t)disk.f_bavail * disk.f_frsize;
}

static int64_t real_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * WEIR_S + t.tv_nsec / 1000;
}

static long rss_kb(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    must(f && fscanf(f, "%ld %ld", &size, &resident) == 2, "no /proc/self/statm");
    (void)fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void week_open(struct week *w)
{
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_error error = WEIR_ERROR_INIT;
    weir_text_format(&yaml,
                     "data_dir: %s/data\nconnections: [{name: bus, uri: \"simulated:\"}]\n"
                     "devices:\n  - {name: \"m{unit_id}\", unit_id: 1-%d, connection: bus, "
                     "interval: 1s, points: [",
                     w->folder, DEVICES);
    for (int i = 0; i < POINTS; i++)
        weir_text_format(&yaml, "{name: p%d, register: holding, address: %d, type: uint32},", i,
                         2 * i);
    weir_text_format(&yaml, "]}\n");
    must(weir_yaml_load_text(yaml.text, yaml.length, "week.yaml", NULL, &w->catalog, &problems) ==
             WEIR_OK,
         problems.n ? problems.items[0].text : "the configuration");
    weir_problems_deinit(&problems);
    w->platform = (weir_platform){.data = w, .now = week_now, .wall = week_wall};
    const weir_store_options options = {.data_dir = w->catalog->store.data_dir,
                                        .now = week_wall(w),
                                        .config = &w->catalog->store,
                                        .free_bytes = week_free_bytes,
                                        .data = w};
    must(weir_store_open(&options, &w->store, &error) == WEIR_OK, error.text);
    must(weir_store_register(w->store, w->catalog, options.now, &error) == WEIR_OK, error.text);
    must(weir_inbox_init(&w->inbox, INBOX, NULL, NULL) == WEIR_OK, "no inbox");
    must(weir_worker_new(w->store, &w->inbox, &w->platform, WEIR_S, &w->worker, &error) == WEIR_OK,
         error.text);
}

static void week_close(struct week *w)
{
    must(weir_worker_flush(w->worker), "the last commit failed");
    weir_worker_free(w->worker);
    weir_store_close(w->store);
    weir_inbox_deinit(&w->inbox);
    weir_catalog_free(w->catalog);
}

/* Values whose lower half is noise: two bytes and more a sample. */
static void poll_device(struct week *w, uint32_t device)
{
    weir_sample samples[POINTS];
    const weir_wall ts = week_wall(w);
    for (uint32_t i = 0; i < POINTS; i++)
        samples[i] = (weir_sample){w->catalog->tags[device * POINTS + i].uid, 0, ts,
                                   weir_value_u64(weir_random_below(&w->random, 1 << 20))};
    const weir_batch batch = {.catalog_revision = 1,
                              .device = device,
                              .plans = WEIR_PLAN_DEFAULT,
                              .due = ts,
                              .sent = ts,
                              .received = {ts.us + 2 * WEIR_MS},
                              .n_samples = POINTS,
                              .samples = samples};
    if (weir_inbox_put_batch(&w->inbox, &batch))
        w->produced += POINTS;
    else
        w->refused += POINTS;
}

/* One second of the plant. */
static void second(struct week *w)
{
    const int64_t until = w->now + WEIR_S;
    for (uint32_t d = 0; d < DEVICES; d++)
        poll_device(w, d);
    while (w->now < until) {
        const int64_t began = real_us();
        const weir_mono next = weir_worker_step(w->worker);
        const int64_t took = real_us() - began;
        w->longest_us = took > w->longest_us ? took : w->longest_us;
        w->now = next.us > w->now ? next.us : w->now;
        w->now = w->now < until ? w->now : until;
    }
}

static void run_days(struct week *w, int days)
{
    for (int64_t i = 0; i < days * 86400LL; i++) {
        second(w);
        const uint64_t bytes = weir_worker_get_view(w->worker).usage.bytes;
        w->most_bytes = bytes > w->most_bytes ? bytes : w->most_bytes;
    }
}

static int64_t ask(const struct week *w, const char *sql)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    sqlite3_stmt *s = NULL;
    must(weir_query_open(w->catalog->store.data_dir, NULL, &query, &error) == WEIR_OK, error.text);
    must(sqlite3_prepare_v2(weir_query_db(query), sql, -1, &s, NULL) == SQLITE_OK &&
             sqlite3_step(s) == SQLITE_ROW,
         sql);
    const int64_t n = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    weir_query_close(query);
    return n;
}

static int judge(const struct week *w)
{
    const uint64_t max = weir_store_get_usage(w->store).max_bytes;
    const uint64_t there = (uint64_t)ask(w, "select count(*) from samples");
    const uint64_t gone = (uint64_t)ask(w, "select coalesce(sum(count), 0) from gaps");
    const weir_worker_view view = weir_worker_get_view(w->worker);
    (void)printf("week: %" PRIu64 " samples, %" PRIu64 " there, gaps %" PRIu64 " in %" PRId64
                 " rows, events %" PRId64 ", refused %" PRIu64 ", longest step %.0f ms, at most"
                 " %.1f of %.1f MB, memory %.1f then %.1f MB\n",
                 w->produced, there, gone, ask(w, "select count(*) from gaps"),
                 ask(w, "select count(*) from events"), w->refused, (double)w->longest_us / 1e3,
                 (double)w->most_bytes / 1e6, (double)max / 1e6, (double)w->rss_kb / 1e3,
                 (double)w->rss_later_kb / 1e3);
    must(gone > 0, "the cap was not reached");
    must(there + gone == w->produced, "the gaps do not add up");
    must(w->refused == 0 && view.refused == 0 && view.failures == 0, "samples had to wait");
    must(w->longest_us < step_limit_us, "a step took longer than commits may lie apart");
    must(w->most_bytes <= max + max / 10, "larger than its cap");
    must(w->rss_later_kb <= w->rss_kb + w->rss_kb / 4, "memory grows");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct week w;
    if (argc != 2) {
        (void)fputs("usage: simulate-week FOLDER\n", stderr);
        return 2;
    }
    w.folder = argv[1];
    w.random.state = 1;
    week_open(&w);
    /* Until the cap is reached, and then the week. */
    for (int day = 0; day < 100 && ask(&w, "select count(*) from gaps") == 0; day++)
        run_days(&w, 1);
    w.rss_kb = rss_kb();
    run_days(&w, 7);
    w.rss_later_kb = rss_kb();
    must(weir_worker_flush(w.worker), "the last commit failed");
    const int status = judge(&w);
    week_close(&w);
    return status;
}
