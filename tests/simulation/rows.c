/* SPDX-License-Identifier: MIT */
/* simulate-rows: rows of the fault matrix that a simulation can make exactly; exits 1 on a failure.
 */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/number.h"
#include "simulation/world.h"
#include "store/stats.h"

/* After the end of a fault all must work again within this. */
static const int64_t recovery_limit_us = 30 * WEIR_S;

struct row {
    sim_world world;
    int64_t recovery_us; /* the longest */
};

static void start(sim_world *w)
{
    weir_error error = WEIR_ERROR_INIT;
    if (!sim_world_start(w, &error))
        sim_world_violation(w, "cannot start: %s", error.text);
}

static void open_plant(sim_world *w, uint64_t seed, const char *store)
{
    sim_world_open(w, &(sim_world_config){.seed = seed,
                                          .devices = 10,
                                          .points = 4,
                                          .store = store,
                                          .devices_us = WEIR_MINUTE,
                                          .says_all = true});
    start(w);
}

static void stop_and_judge(sim_world *w)
{
    if (w->is_running && !sim_world_stop(w))
        sim_world_violation(w, "the last commit failed on a sound disk");
    sim_world_check(w);
    sim_world_verify(w);
}

static bool is_failing(sim_world *w)
{
    return weir_worker_get_view(w->worker).failing;
}

/* From the end of the fault until everything that waited is committed. */
static void recover(struct row *r)
{
    sim_world *w = &r->world;
    const int64_t began = w->now.us;
    const uint64_t commits = weir_worker_get_view(w->worker).commits;
    fault_vfs_heal(w->disk);
    fault_vfs_set_capacity(w->disk, 0);
    while ((is_failing(w) || weir_worker_get_view(w->worker).commits == commits) &&
           w->now.us - began < recovery_limit_us)
        sim_world_step(w, (weir_mono){began + recovery_limit_us});
    if (is_failing(w))
        sim_world_violation(w, "still failing 30 s after the fault: %s",
                            weir_worker_get_view(w->worker).error);
    const int64_t took = w->now.us - began;
    r->recovery_us = took > r->recovery_us ? took : r->recovery_us;
    w->disk_well_since = w->now;
    w->is_disk_faulty = false;
}

static int64_t count_events(sim_world *w, const char *where)
{
    char sql[200];
    (void)snprintf(sql, sizeof sql, "select count(*) from events where %s", where);
    return sim_world_sql(w, sql);
}

static void judge_polling(sim_world *w, int64_t began_us, uint64_t samples)
{
    const uint64_t slots = (uint64_t)((w->now.us - began_us) / WEIR_S);
    if (w->n_samples - samples < (slots - 2) * 40)
        sim_world_violation(w, "polling became slow: %" PRIu64 " samples in %" PRIu64 " s",
                            w->n_samples - samples, slots);
}

/* Until samples went, and two days more. */
static void cap_fill(sim_world *w, uint64_t cap)
{
    for (int day = 0, full = 0; day < 60 && full < 3 && w->violations == 0; day++) {
        weir_store_stats stats;
        weir_error error = WEIR_ERROR_INIT;
        sim_world_run(w, WEIR_DAY);
        sim_world_check(w);
        full += sim_world_sql(w, "select count(*) from gaps") > 0;
        if (weir_store_get_stats(w->folder, w->vfs_name, &stats, &error) == WEIR_OK &&
            stats.file_bytes - stats.free_bytes > cap * 11 / 10)
            sim_world_violation(w, "%" PRIu64 " bytes, the cap is %" PRIu64, stats.file_bytes, cap);
    }
    if (sim_world_sql(w, "select count(*) from gaps") == 0)
        sim_world_violation(w, "the cap was never reached");
}

static void cap_reached(struct row *r, uint64_t seed, const char *store)
{
    sim_world *w = &r->world;
    open_plant(w, seed, store);
    const int64_t began = w->now.us;
    cap_fill(w, 4 * 1000 * 1000);
    judge_polling(w, began, 0);
    stop_and_judge(w);
    const int64_t alarms = count_events(w, "kind = 'alarm' and text like '%80 !%%' escape '!'");
    if (alarms != 1)
        sim_world_violation(w, "%" PRId64 " alarms at 80 %% of the cap", alarms);
    /* drop_newest stores again whenever merges have made room, so it has several. */
    if (sim_world_sql(w, "select count(*) from gaps") > 12 || count_events(w, "kind = 'gap'") > 5)
        sim_world_violation(w, "a row or an event for each thing that went");
}

static void row_cap_drop_oldest(struct row *r, uint64_t seed)
{
    cap_reached(r, seed, "max_size: 4MB");
}

static void row_cap_drop_newest(struct row *r, uint64_t seed)
{
    cap_reached(r, seed, "max_size: 4MB, when_full: drop_newest");
}

/* Memory holds what waits until its own limit, and what that refuses is told when there is room. */
static void row_cap_block(struct row *r, uint64_t seed)
{
    enum { DISK = 8 * 1000 * 1000 };
    sim_world *w = &r->world;
    open_plant(w, seed, "when_full: block");
    fault_vfs_set_capacity(w->disk, DISK);
    const int64_t began = w->now.us;
    for (int day = 0; day < 60 && !is_failing(w) && w->violations == 0; day++) {
        sim_world_check(w);
        sim_world_run(w, WEIR_DAY);
    }
    for (int day = 0; day < 20 && w->n_refused == 0; day++)
        sim_world_run(w, WEIR_DAY);
    if (!is_failing(w) || w->n_refused == 0)
        sim_world_violation(w, "it never blocked");
    judge_polling(w, began, 0);
    recover(r);
    sim_world_run(w, WEIR_MINUTE);
    stop_and_judge(w);
    const uint64_t told = (uint64_t)sim_world_sql(
        w, "select coalesce(sum(count), 0) from gaps where cause = 'memory'");
    if (told < w->n_refused || told > w->n_refused + 100) /* events count too */
        sim_world_violation(w, "%" PRIu64 " refused, the gaps say %" PRIu64, w->n_refused, told);
}

static void row_write_fails(struct row *r, uint64_t seed)
{
    sim_world *w = &r->world;
    open_plant(w, seed, NULL);
    sim_world_run(w, WEIR_MINUTE);
    /* The later writes are those of checkpoints. */
    for (int shape = 0; shape < 4; shape++) {
        for (uint64_t nth = 1; nth < 200; nth += 1 + nth / 8) {
            const uint64_t hits = fault_vfs_hits(w->disk);
            fault_vfs_fail(w->disk, (fault_rule){.ops = FAULT_WRITE,
                                                 .nth = nth,
                                                 .persistent = shape & 1,
                                                 .is_short = shape & 2});
            w->is_disk_faulty = true;
            while (fault_vfs_hits(w->disk) == hits)
                sim_world_step(w, WEIR_MONO_NEVER);
            sim_world_run(w, 3 * WEIR_S);
            recover(r);
        }
        sim_world_check(w);
    }
    stop_and_judge(w);
}

static void row_sync_fails(struct row *r, uint64_t seed)
{
    sim_world *w = &r->world;
    open_plant(w, seed, NULL);
    for (uint64_t nth = 1; nth <= 12 && w->violations == 0; nth++) {
        sim_world_run(w, 10 * WEIR_S + (int64_t)weir_random_below(&w->random, WEIR_MINUTE));
        const uint64_t seq = w->committed_seq;
        const int64_t events = count_events(w, "kind in ('store', 'alarm')");
        const uint64_t opened = fault_vfs_count(w->disk, FAULT_OPEN); /* behind our own reading */
        fault_vfs_fail(w->disk, (fault_rule){.ops = FAULT_SYNC, .nth = nth, .persistent = nth % 2});
        w->is_disk_faulty = true;
        const uint64_t hits = fault_vfs_hits(w->disk);
        while (fault_vfs_hits(w->disk) == hits)
            sim_world_step(w, WEIR_MONO_NEVER);
        if (nth == 1 && w->committed_seq != seq)
            sim_world_violation(w, "a commit whose fsync failed was reported as done");
        sim_world_run(w, 5 * WEIR_S);
        recover(r);
        sim_world_run(w, 5 * WEIR_S);
        if (fault_vfs_count(w->disk, FAULT_OPEN) == opened)
            sim_world_violation(w, "the database was not opened anew after a failed fsync");
        if (count_events(w, "kind in ('store', 'alarm')") <= events)
            sim_world_violation(w, "no event tells of the failed fsync");
        sim_world_check(w);
        if (nth % 3 == 0) {
            sim_world_power_cut(w);
            start(w);
        }
    }
    stop_and_judge(w);
}

static void row_sync_slow(struct row *r, uint64_t seed)
{
    sim_world *w = &r->world;
    open_plant(w, seed, NULL);
    sim_world_run(w, WEIR_MINUTE);
    fault_vfs_set_sync_time(w->disk, 2 * WEIR_S);
    w->is_disk_faulty = true;
    const uint64_t samples = w->n_samples, seq = w->committed_seq;
    sim_world_run(w, 10 * WEIR_MINUTE);
    if (w->n_samples - samples != 600 * 40)
        sim_world_violation(w, "%" PRIu64 " samples in 600 slots of 40 tags",
                            w->n_samples - samples);
    if (w->committed_seq - seq < 590 * 40)
        sim_world_violation(w, "only %" PRIu64 " committed in ten minutes", w->committed_seq - seq);
    if (w->n_refused > 0)
        sim_world_violation(w, "%" PRIu64 " samples refused", w->n_refused);
    recover(r);
    stop_and_judge(w);
}

enum end { KILL, POWER_CUT, POWER_CUT_WITHIN };

static void lives(struct row *r, uint64_t seed, enum end end)
{
    sim_world *w = &r->world;
    open_plant(w, seed, NULL);
    for (int life = 0; life < 1000 && w->violations == 0; life++) {
        const uint64_t changes = 1 + weir_random_below(&w->random, 80);
        if (end == POWER_CUT_WITHIN || (end == KILL && life % 2))
            fault_vfs_stop_after(w->disk, changes);
        const int64_t until =
            w->now.us + (int64_t)weir_random_below(&w->random, 20 * (uint64_t)WEIR_S);
        while (!fault_vfs_stopped(w->disk) && w->now.us < until)
            sim_world_step(w, (weir_mono){until});
        if (end == KILL)
            sim_world_kill(w);
        else
            sim_world_power_cut(w);
        start(w);
        if (!w->is_running)
            return;
        const int64_t started = w->now.us;
        const uint64_t seq = w->committed_seq;
        while (w->committed_seq == seq && w->now.us < started + recovery_limit_us)
            sim_world_step(w, (weir_mono){started + recovery_limit_us});
        const int64_t took = w->now.us - started;
        r->recovery_us = took > r->recovery_us ? took : r->recovery_us;
        if (life % 20 == 19)
            sim_world_check(w);
    }
    stop_and_judge(w);
}

static void row_killed(struct row *r, uint64_t seed)
{
    lives(r, seed, KILL);
}

static void row_power_lost(struct row *r, uint64_t seed)
{
    lives(r, seed, POWER_CUT);
}

static void row_sectors_torn(struct row *r, uint64_t seed)
{
    lives(r, seed, POWER_CUT_WITHIN);
}

/* --- sinks: the first of four has the trouble, the others must not notice ------------------ */

static void open_sinks(sim_world *w, uint64_t seed)
{
    sim_world_open(w,
                   &(sim_world_config){.seed = seed, .devices = 10, .sinks = 4, .says_all = true});
    start(w);
    sim_world_run(w, WEIR_MINUTE);
}

static weir_sink_record record_of(const sim_world *w, unsigned sink)
{
    return weir_delivery_get_record(w->sinks[sink].delivery);
}

/* A commit, and one that is under way. */
enum { LIVE_ROWS = 2 * 10 + 4 };

/* For so long, and the others have all of it meanwhile. */
static void run_others_live(sim_world *w, int64_t us)
{
    const int64_t until = w->now.us + us;
    while (w->now.us < until && w->violations == 0) {
        sim_world_run(w, WEIR_S);
        for (unsigned i = 1; i < 4; i++) {
            const uint64_t backlog = record_of(w, i).backlog;
            if (backlog > LIVE_ROWS)
                sim_world_violation(w, "sink %s is %" PRIu64 " samples late", w->sinks[i].name,
                                    backlog);
        }
    }
}

/* The trouble is over: until something arrives again. */
static void sink_recover(struct row *r)
{
    sim_world *w = &r->world;
    script_server *server = &w->sinks[0].server;
    const int64_t began = w->now.us;
    const uint64_t rows_before = server->n_rows;
    server->mood = SCRIPT_WELL;
    /* The longest back-off is longer than the limit of the store's own recovery. */
    while (server->n_rows == rows_before && w->now.us - began < 2 * WEIR_MINUTE)
        sim_world_step(w, (weir_mono){began + 2 * WEIR_MINUTE});
    if (server->n_rows == rows_before)
        sim_world_violation(w, "nothing arrives 2 min after the end of the trouble");
    const int64_t took = w->now.us - began;
    r->recovery_us = took > r->recovery_us ? took : r->recovery_us;
}

static void sinks_judge(sim_world *w)
{
    for (unsigned i = 0; i < 4; i++)
        if (record_of(w, i).backlog > LIVE_ROWS)
            sim_world_violation(w, "sink %s has a backlog still", w->sinks[i].name);
    sim_sinks_check(w);
    stop_and_judge(w);
}

static void expect_state(sim_world *w, const char *state)
{
    if (strcmp(record_of(w, 0).state, state) != 0)
        sim_world_violation(w, "it is %s, not %s", record_of(w, 0).state, state);
}

static bool is_full_scale(void)
{
    const char *scale = getenv("WEIR_SCALE");
    return scale && strcmp(scale, "full") == 0;
}

/* Two hours; at full scale a day, 864 000 samples. At the rate they take a sixth of that. */
static void row_sink_away(struct row *r, uint64_t seed)
{
    enum { RATE = 60 };
    sim_world *w = &r->world;
    open_sinks(w, seed);
    sim_sink *s = &w->sinks[0];
    s->server.mood = SCRIPT_OFFLINE;
    sim_world_kill(w); /* the rate is read at a start */
    s->config.backlog_rate = RATE;
    start(w);
    const int64_t away_us = is_full_scale() ? WEIR_DAY : 2 * WEIR_HOUR;
    run_others_live(w, away_us);
    expect_state(w, "offline");
    const uint64_t backlog = record_of(w, 0).backlog;
    if (backlog < (uint64_t)(away_us / WEIR_S) * 10)
        sim_world_violation(w, "a backlog of %" PRIu64, backlog);
    sink_recover(r);
    sim_world_run(w, 10 * WEIR_S);
    const uint64_t from = record_of(w, 0).backlog;
    const int64_t began = w->now.us;
    for (int i = 0; i < 200 && w->violations == 0; i++) {
        const uint64_t seq = w->committed_seq;
        sim_world_run(w, 3 * WEIR_S);
        if (s->arrivals[seq].n == 0)
            sim_world_violation(w, "a live row was not there after 3 s");
    }
    const double rate =
        (double)(from - record_of(w, 0).backlog) * 1e6 / (double)(w->now.us - began);
    if (rate < 0.9 * RATE || rate > 1.1 * RATE)
        sim_world_violation(w, "%.1f of the backlog a second", rate);
    sim_world_run(w, away_us / 5);
    sinks_judge(w);
}

/* A second for each send whatever is in it, and the backlog of an hour. */
static void row_sink_slow(struct row *r, uint64_t seed)
{
    sim_world *w = &r->world;
    open_sinks(w, seed);
    script_server *server = &w->sinks[0].server;
    server->mood = SCRIPT_OFFLINE;
    run_others_live(w, WEIR_HOUR);
    server->send_us = WEIR_S;
    sink_recover(r);
    run_others_live(w, 20 * WEIR_MINUTE);
    if (server->largest < 1000)
        sim_world_violation(w, "no more than %zu rows a send", server->largest);
    if (record_of(w, 0).backlog > 5 * LIVE_ROWS) /* a send of each kind, and one under way */
        sim_world_violation(w, "%" PRIu64 " wait still", record_of(w, 0).backlog);
    server->send_us = 3 * WEIR_MS;
    sim_world_run(w, WEIR_MINUTE);
    sinks_judge(w);
}

/* One of 997 rows is refused, and the answer does not say which. */
static void row_sink_poison(struct row *r, uint64_t seed)
{
    sim_world *w = &r->world;
    open_sinks(w, seed);
    sim_world_run(w, 2 * WEIR_HOUR);
    const int64_t aside = sim_world_sql(w, "SELECT count(*) FROM rejected WHERE sink='picky'");
    if (aside < 60 || aside > 90)
        sim_world_violation(w, "%" PRId64 " rows set aside", aside);
    if (sim_world_sql(w, "SELECT count(*) FROM rejected WHERE sink<>'picky' OR why=''") != 0)
        sim_world_violation(w, "rows set aside without a reason, or of another sink");
    sinks_judge(w);
}

/* Taken, and dead before the answer; all or half of it; and weir killed meanwhile. */
static void row_sink_unanswered(struct row *r, uint64_t seed)
{
    sim_world *w = &r->world;
    open_sinks(w, seed);
    for (int i = 0; i < 40 && w->violations == 0; i++) {
        w->sinks[0].server.mood = i % 2 ? SCRIPT_MUTE : SCRIPT_TORN;
        sim_world_run(w, (int64_t)weir_random_below(&w->random, 20 * (uint64_t)WEIR_S));
        if (i % 4 == 3) {
            sim_world_kill(w);
            start(w);
        }
        sink_recover(r);
        sim_world_run(w, 10 * WEIR_S);
    }
    if (w->sinks[0].n_repeated == 0)
        sim_world_violation(w, "nothing was sent again");
    sim_world_run(w, 2 * WEIR_MINUTE);
    sinks_judge(w);
}

/* An hour of a mood, in which it is tried at most so often. */
static void wait_for_person(struct row *r, uint64_t seed, script_mood mood, const char *state,
                            uint64_t most)
{
    sim_world *w = &r->world;
    open_sinks(w, seed);
    script_server *server = &w->sinks[0].server;
    server->mood = mood;
    const uint64_t before = server->n_sends;
    run_others_live(w, WEIR_HOUR);
    expect_state(w, state);
    if (server->n_sends - before > most)
        sim_world_violation(w, "tried %" PRIu64 " times in an hour", server->n_sends - before);
    server->mood = SCRIPT_WELL;
    sim_world_run(w, 10 * WEIR_MINUTE);
    sinks_judge(w);
}

static void row_sink_refusing(struct row *r, uint64_t seed)
{
    wait_for_person(r, seed, SCRIPT_REFUSING, "refused",
                    40); /* each 5 min at last, or half of it */
}

static void row_sink_misconfigured(struct row *r, uint64_t seed)
{
    wait_for_person(r, seed, SCRIPT_MISCONFIGURED, "misconfigured", 40);
}

static void row_sink_full(struct row *r, uint64_t seed)
{
    wait_for_person(r, seed, SCRIPT_FULL, "full", 140); /* each minute, or half of it */
}

static void row_sink_busy(struct row *r, uint64_t seed)
{
    sim_world *w = &r->world;
    open_sinks(w, seed);
    script_server *server = &w->sinks[0].server;
    server->mood = SCRIPT_BUSY;
    server->retry_after_us = 7 * WEIR_MINUTE;
    const uint64_t before = server->n_sends;
    run_others_live(w, WEIR_HOUR);
    expect_state(w, "busy");
    if (server->n_sends - before < 8 || server->n_sends - before > 10)
        sim_world_violation(w, "tried %" PRIu64 " times in an hour", server->n_sends - before);
    server->mood = SCRIPT_WELL;
    server->rows_max = 100;
    server->largest = 0;
    sim_world_run(w, 20 * WEIR_MINUTE);
    if (server->largest > 100 || server->largest < 50)
        sim_world_violation(w, "%zu rows a send, where 100 are the most", server->largest);
    sinks_judge(w);
}

/* An hour and a half; the log keeps what the one has not, and gives it back when all have it. */
static void row_sink_one_of_four(struct row *r, uint64_t seed)
{
    sim_world *w = &r->world;
    open_sinks(w, seed);
    w->sinks[0].server.mood = SCRIPT_OFFLINE;
    run_others_live(w, 90 * WEIR_MINUTE);
    const int64_t kept = sim_world_sql(w, "SELECT min(first_seq) FROM log");
    if (kept > 2000)
        sim_world_violation(w, "the log begins at %" PRId64 ", which the one has not", kept);
    sink_recover(r);
    run_others_live(w, 150 * WEIR_MINUTE);
    if (sim_world_sql(w, "SELECT min(first_seq) FROM log") < 50000)
        sim_world_violation(w, "the log was not given back");
    sinks_judge(w);
}

static const struct {
    int64_t number;
    const char *what;
    void (*run)(struct row *r, uint64_t seed);
} rows[] = {
    {29, "the cap is reached: drop_oldest", row_cap_drop_oldest},
    {29, "the cap is reached: drop_newest", row_cap_drop_newest},
    {29, "the cap is reached: block", row_cap_block},
    {30, "the n-th write fails or is short, for each n", row_write_fails},
    {31, "fsync fails", row_sync_fails},
    {32, "fsync takes 2 s", row_sync_slow},
    {33, "1000 kills", row_killed},
    {34, "1000 power cuts", row_power_lost},
    {35, "1000 power cuts in the midst of a change", row_sectors_torn},
    {40, "a sink away for hours", row_sink_away},
    {41, "a second for each send", row_sink_slow},
    {42, "poison rows", row_sink_poison},
    {43, "taken without an answer", row_sink_unanswered},
    {44, "refused for an hour", row_sink_refusing},
    {45, "retry after, and too large", row_sink_busy},
    {47, "misconfigured for an hour", row_sink_misconfigured},
    {47, "full for an hour", row_sink_full},
    {48, "one of four away", row_sink_one_of_four},
};

static int row_run(size_t i, uint64_t seed)
{
    static struct row r;
    r = (struct row){0};
    rows[i].run(&r, seed);
    sim_world *w = &r.world;
    (void)printf("row %" PRId64 ", recovery %.3f s, lost %" PRIu64 ", invented %" PRIu64
                 ", violations %" PRIu64 "\n",
                 rows[i].number, (double)r.recovery_us / 1e6, w->lost, w->invented, w->violations);
    if (w->is_running)
        sim_world_kill(w);
    const bool is_well = w->violations == 0;
    sim_world_close(w);
    return is_well ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"row", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},
        {"list", no_argument, NULL, 'l'},
        {0},
    };
    int64_t row = 0, seed = 1;
    bool is_right = true, is_list = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'l')
            is_list = true;
        else
            is_right &= option != '?' && weir_parse_i64(optarg, option == 'r' ? &row : &seed);
    }
    int status = EXIT_SUCCESS;
    bool found = false;
    for (size_t i = 0; is_right && i < sizeof rows / sizeof *rows; i++) {
        if (is_list)
            (void)printf("%" PRId64 " %s\n", rows[i].number, rows[i].what);
        else if (rows[i].number == row && row_run(i, (uint64_t)seed) != EXIT_SUCCESS)
            status = EXIT_FAILURE;
        found |= rows[i].number == row;
    }
    if (is_list || found)
        return status;
    (void)fputs("usage: simulate-rows --list | --row N [--seed N]\n", stderr);
    return 2;
}
