/* SPDX-License-Identifier: MIT */
/* A machine whose clock is wrong for a while: what it stamped is right once the clock is. */

/*
 * The whole collector in one thread. The world has a true time; the machine's clock is off by an
 * error that the test sets. Every register shows the true time in seconds, so each value says when
 * it was read, whatever the machine believed.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/alloc.h"
#include "base/random.h"
#include "catalog/yaml.h"
#include "runtime/loop.h"
#include "runtime/worker.h"
#include "simulation/network.h"
#include "sources/modbus/modbus.h"
#include "store/query/query.h"
#include "store/testing.h"

/* 2026-11-21T00:00:00Z, and half a second, so that the first slot is not at once. */
#define TRUE_START (1795219200LL * WEIR_S + WEIR_S / 2)

/* Of the machine's clock. */
#define TO_1970 (-TRUE_START)
#define TO_2000 (-26LL * 365 * WEIR_DAY)
#define TO_2036 (10LL * 365 * WEIR_DAY)

enum { SAMPLES_MAX = 100000, EPOCHS_MAX = 16, ACTS_MAX = 8 };

struct produced {
    weir_tag_uid tag;
    uint32_t epoch;
    int64_t ts;
    int64_t true_end; /* when it was delivered */
    bool untrusted;
};

struct world {
    weir_mono now;
    int64_t error_us; /* the machine's clock is ahead by this */
    bool synchronized;
    char *folder;
    sim_network network;
    weir_platform platform;
    weir_catalog *catalog;
    /* of one life */
    weir_store *store;
    weir_inbox inbox;
    weir_worker *worker;
    weir_loop *loop;
    weir_mono worker_next;
    size_t life_began; /* in produced */
    /* of all lives */
    struct produced *produced, *kept;
    size_t n_produced, n_kept;
    uint64_t committed_seq;
    int64_t epoch_error[EPOCHS_MAX]; /* the clock's, in this epoch */
    uint64_t epoch_samples[EPOCHS_MAX];
};

static int64_t true_time(const struct world *w)
{
    return TRUE_START - 1000 * WEIR_S + w->now.us;
}

static weir_mono world_now(void *data)
{
    return ((struct world *)data)->now;
}

static weir_wall world_wall(void *data)
{
    const struct world *w = data;
    return (weir_wall){true_time(w) + w->error_us};
}

static bool world_synchronized(void *data)
{
    return ((struct world *)data)->synchronized;
}

static int slave_read(void *data, uint8_t unit, weir_register table, uint16_t address, uint16_t n,
                      uint16_t *ret)
{
    (void)unit, (void)table, (void)address;
    for (uint16_t i = 0; i < n; i++)
        ret[i] = (uint16_t)(true_time(data) / WEIR_S);
    return 0;
}

static void on_batch(void *data, const weir_batch *batch)
{
    struct world *w = data;
    assert_true(batch->epoch < EPOCHS_MAX);
    if (w->epoch_samples[batch->epoch] == 0)
        w->epoch_error[batch->epoch] = w->error_us;
    w->epoch_samples[batch->epoch] += batch->n_samples;
    for (size_t i = 0; i < batch->n_samples; i++) {
        assert_true(w->n_produced < SAMPLES_MAX);
        w->produced[w->n_produced++] =
            (struct produced){batch->samples[i].tag, batch->epoch, batch->samples[i].ts.us,
                              true_time(w), batch->flags & WEIR_BATCH_CLOCK_UNTRUSTED};
    }
}

static void world_make(struct world *w, const char *rule)
{
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    *w = (struct world){.now = {1000 * WEIR_S}, .folder = testing_dir()};
    w->produced = weir_alloc_zero(SAMPLES_MAX, sizeof *w->produced);
    w->kept = weir_alloc_zero(SAMPLES_MAX, sizeof *w->kept);
    assert_true(w->produced && w->kept);
    weir_text_format(&yaml,
                     "clock: {trust: %s}\n"
                     "connections: [{name: bus, uri: \"tcp://10.0.0.1\", timeout: 300ms}]\n"
                     "devices:\n"
                     "  - {name: fast, unit_id: 1, connection: bus, interval: 1s, points: ["
                     "{name: a, register: holding, address: 0, type: uint16},"
                     " {name: b, register: input, address: 9, type: uint16}]}\n"
                     "  - {name: slow, unit_id: 2, connection: bus, interval: 1m, points: ["
                     "{name: c, register: holding, address: 0, type: uint16}]}\n",
                     rule);
    if (weir_yaml_load_text(yaml.text, yaml.length, "t.yaml", NULL, &w->catalog, &problems))
        fail_msg("%s", yaml.text);
    weir_problems_deinit(&problems);
}

static void world_start(struct world *w)
{
    static const weir_source_type *const sources[] = {&weir_source_modbus, NULL};
    weir_error error = WEIR_ERROR_INIT;
    static weir_slave_host slave_host;
    slave_host = (weir_slave_host){w, slave_read};
    sim_network_init(&w->network, 7, &slave_host);
    w->network.now = w->now;
    /* So slow that replies are under way whenever the clock is set. */
    w->network.faults = (sim_network_faults){
        .late_reply = 0.5, .late_us = 250 * WEIR_MS, .lose_reply = 0.02, .refuse_connect = 0.1};
    w->platform = (weir_platform){.data = w,
                                  .now = world_now,
                                  .wall = world_wall,
                                  .synchronized = world_synchronized,
                                  .seed = 7,
                                  .transport = &w->network.host,
                                  .built = {TRUE_START - WEIR_DAY}};
    const weir_store_options options = {.data_dir = w->folder, .now = world_wall(w)};
    if (weir_store_open(&options, &w->store, &error) ||
        weir_store_register(w->store, w->catalog, world_wall(w), &error))
        fail_msg("%s", error.text);
    const weir_store_position position = weir_store_get_position(w->store);
    assert_int_equal(position.committed_seq, w->committed_seq);
    assert_int_equal(weir_inbox_init(&w->inbox, 1 << 24, NULL, NULL), WEIR_OK);
    assert_int_equal(
        weir_worker_new(w->store, &w->inbox, &w->platform, 2 * WEIR_S, &w->worker, &error),
        WEIR_OK);
    const weir_loop_config config = {
        .catalog = w->catalog,
        .platform = &w->platform,
        .sources = sources,
        .inbox = &w->inbox,
        .first_epoch = position.max_epoch,
        .epoch_untrusted = position.epoch_untrusted,
        .epoch_corrected = position.epoch_corrected,
        .newest_committed = position.committed_ts,
        .on_batch = on_batch,
        .data = w,
    };
    assert_int_equal(weir_loop_new(&config, &w->loop, &error), WEIR_OK);
    w->worker_next = w->now;
    w->life_began = w->n_produced;
}

/* What a commit took is what had been produced by then. */
static void world_note_commit(struct world *w)
{
    const uint64_t seq = weir_worker_get_view(w->worker).position.committed_seq;
    if (seq == w->committed_seq)
        return;
    for (size_t i = w->life_began; i < w->n_produced; i++)
        w->kept[w->n_kept++] = w->produced[i];
    w->life_began = w->n_produced;
    w->committed_seq = seq;
}

static void world_run(struct world *w, int64_t us)
{
    const weir_mono end = weir_mono_add(w->now, us);
    while (w->now.us < end.us) {
        weir_mono next = weir_mono_min(weir_loop_next(w->loop), sim_network_next(&w->network));
        next = weir_mono_min(weir_mono_min(next, w->worker_next), end);
        if (next.us > w->now.us)
            w->now = next;
        w->network.now = w->now;
        sim_network_step(&w->network);
        (void)weir_loop_step(w->loop);
        if (w->inbox.urgent) /* as the inbox's wake does */
            w->worker_next = w->now;
        if (!weir_mono_reached(w->now, w->worker_next))
            continue;
        w->worker_next = weir_worker_step(w->worker);
        world_note_commit(w);
    }
}

static void world_stop(struct world *w, bool killed)
{
    weir_loop_free(w->loop);
    if (!killed) {
        assert_true(weir_worker_flush(w->worker));
        world_note_commit(w);
    }
    weir_worker_free(w->worker);
    weir_store_close(w->store); /* "commits nothing" */
    weir_inbox_deinit(&w->inbox);
    sim_network_deinit(&w->network);
}

static void world_remove(struct world *w)
{
    testing_remove(w->folder);
    weir_catalog_free(w->catalog);
    weir_free(w->produced);
    weir_free(w->kept);
}

/* --- what must be there ------------------------------------------------------------------- */

static int64_t sql_int(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const int64_t v = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return v;
}

/* What readers add to the times of each epoch: by the store, and by the truth. */
static void world_check_offsets(const struct world *w, sqlite3 *db, const char *what,
                                const char *uncorrected, int64_t ret_offsets[EPOCHS_MAX])
{
    for (uint32_t e = 0; e < EPOCHS_MAX; e++) {
        char sql[80], digit[2] = {(char)('0' + e % 10), '\0'};
        (void)snprintf(sql, sizeof sql,
                       "select ifnull(max(offset), 0) from main.epoch where epoch = %u", e);
        ret_offsets[e] = sql_int(db, sql);
        const int64_t want = strstr(uncorrected, digit) && e < 10 ? 0 : -w->epoch_error[e];
        if (ret_offsets[e] < want - WEIR_MS || ret_offsets[e] > want + WEIR_MS)
            fail_msg("%s: epoch %u is moved by %lld instead of %lld us", what, e,
                     (long long)ret_offsets[e], (long long)want);
    }
}

static int compare_produced(const void *a, const void *b)
{
    const struct produced *x = a, *y = b;
    if (x->tag != y->tag)
        return x->tag < y->tag ? -1 : 1;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    return (x->ts > y->ts) - (x->ts < y->ts);
}

static void check_sample(sqlite3_stmt *s, const struct produced *p, int64_t offset,
                         bool is_corrected)
{
    const int64_t ts = sqlite3_column_int64(s, 2);
    assert_int_equal(sqlite3_column_int64(s, 0), p->tag);
    assert_int_equal(sqlite3_column_int64(s, 1), p->epoch);
    assert_int_equal(ts, p->ts + offset);
    if (!p->untrusted)
        assert_int_equal(offset, 0);
    const int64_t took_us = sqlite3_column_int64(s, 5) - ts;
    assert_in_range(took_us + WEIR_S, WEIR_S, 2 * WEIR_S);
    if (!is_corrected)
        return;
    assert_in_range(p->true_end - ts, 0, WEIR_S);
    if (sqlite3_column_type(s, 3) == SQLITE_NULL)
        return;
    const char *cause = (const char *)sqlite3_column_text(s, 4);
    assert_int_equal(strcmp(cause, "clock") == 0, p->untrusted);
    const uint16_t late_s = (uint16_t)((uint16_t)sqlite3_column_int(s, 3) - ts / WEIR_S);
    assert_in_range(late_s, 0, 1);
}

static void world_check(struct world *w, const char *what, const char *uncorrected, int64_t events)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    sqlite3_stmt *s = NULL;
    int64_t offsets[EPOCHS_MAX];
    if (weir_query_open(w->folder, NULL, &query, &error))
        fail_msg("%s", error.text);
    sqlite3 *db = weir_query_db(query);
    world_check_offsets(w, db, what, uncorrected, offsets);
    const int64_t n = sql_int(db, "select count(*) from events where kind = 'clock_step'");
    if (n != events)
        fail_msg("%s: %lld clock_step events instead of %lld", what, (long long)n,
                 (long long)events);

    qsort(w->kept, w->n_kept, sizeof *w->kept, compare_produced);
    for (size_t i = 1; i < w->n_kept; i++) /* no identity twice */
        assert_true(compare_produced(&w->kept[i - 1], &w->kept[i]) < 0);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "select t.id, s.epoch, s.ts, s.value, s.cause, s.read_ts"
                                        " from samples s join tags t on t.tag = s.tag "
                                        "order by t.id, s.epoch, s.ts",
                                        -1, &s, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < w->n_kept; i++) {
        const struct produced *p = &w->kept[i];
        const char digit[2] = {(char)('0' + p->epoch), '\0'};
        if (sqlite3_step(s) != SQLITE_ROW)
            fail_msg("%s: %zu of %zu samples are there", what, i, w->n_kept);
        check_sample(s, p, offsets[p->epoch], !strstr(uncorrected, digit));
    }
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    (void)sqlite3_finalize(s);
    weir_query_close(query);
}

/* --- what happens ------------------------------------------------------------------------- */

enum what { END, RUN, SET, KILL, STOP, SYNC };

struct act {
    enum what what;
    int64_t us; /* RUN: for so long; SET, KILL, STOP: the clock's error from then on */
};

static void world_act(struct world *w, const struct act *acts)
{
    for (size_t i = 0; i < ACTS_MAX * 2 && acts[i].what != END; i++)
        switch (acts[i].what) {
        case RUN:
            world_run(w, acts[i].us);
            break;
        case SYNC:
            w->synchronized = acts[i].us;
            break;
        case KILL:
        case STOP:
            world_stop(w, acts[i].what == KILL);
            w->now.us += 17 * WEIR_S;
            w->error_us = acts[i].us;
            world_start(w);
            break;
        case SET:
            w->error_us = acts[i].us;
            break;
        case END:
            break;
        }
}

static const struct scenario {
    const char *what;
    const char *rule;
    int64_t error;  /* at the first start */
    int64_t events; /* clock_step */
    uint32_t last_epoch;
    const char *uncorrected; /* the digits of epochs that nobody could correct */
    struct act acts[ACTS_MAX * 2];
} scenarios[] = {
    {"boot at 1970, set after ten minutes",
     "plausible",
     TO_1970,
     2,
     2,
     "",
     {{RUN, 10 * WEIR_MINUTE + 330 * WEIR_MS}, {SET, 0}, {RUN, 5 * WEIR_MINUTE}}},
    {"boot at 2036, set back",
     "plausible",
     TO_2036,
     2,
     2,
     "",
     {{RUN, 10 * WEIR_MINUTE + 100 * WEIR_MS}, {SET, 0}, {RUN, 5 * WEIR_MINUTE}}},
    {"set in several steps, wrong until the last",
     "plausible",
     TO_1970,
     5,
     5,
     "",
     {{RUN, 3 * WEIR_MINUTE + 50 * WEIR_MS},
      {SET, TO_2000},
      {RUN, 2 * WEIR_MINUTE + 700 * WEIR_MS},
      {SET, TO_2000 - WEIR_MINUTE},
      {RUN, WEIR_MINUTE},
      {SET, TO_2036},
      {RUN, 90 * WEIR_S},
      {SET, 0},
      {RUN, 3 * WEIR_MINUTE}}},
    {"right, then wrong, then right",
     "plausible",
     0,
     4,
     4,
     "",
     {{RUN, 2 * WEIR_MINUTE + 80 * WEIR_MS},
      {SET, TO_2036},
      {RUN, 2 * WEIR_MINUTE},
      {SET, 0},
      {RUN, 2 * WEIR_MINUTE},
      {SET, TO_1970},
      {RUN, 2 * WEIR_MINUTE},
      {SET, 0},
      {RUN, 2 * WEIR_MINUTE}}},
    {"killed before it was set, started with the right time",
     "plausible",
     TO_1970,
     2,
     2,
     "1",
     {{RUN, 5 * WEIR_MINUTE}, {KILL, 0}, {RUN, 5 * WEIR_MINUTE}}},
    {"killed in 2036, started with the right time, and again",
     "plausible",
     TO_2036,
     2,
     2,
     "1",
     {{RUN, 5 * WEIR_MINUTE}, {KILL, 0}, {RUN, 2 * WEIR_MINUTE}, {STOP, 0}, {RUN, WEIR_MINUTE}}},
    {"killed before it was set, in 1970 again, then set",
     "plausible",
     TO_1970,
     3,
     3,
     "1",
     {{RUN, 5 * WEIR_MINUTE},
      {KILL, TO_1970 - 5 * WEIR_MINUTE}, /* the same times come again */
      {RUN, 5 * WEIR_MINUTE},
      {SET, 0},
      {RUN, 2 * WEIR_MINUTE}}},
    {"killed as soon as it was set",
     "plausible",
     TO_1970,
     3,
     2,
     "",
     {{RUN, WEIR_MINUTE + 400 * WEIR_MS},
      {SET, 0},
      {RUN, 650 * WEIR_MS}, /* seen, committed with its offset, and no sample yet */
      {KILL, 0},
      {RUN, WEIR_MINUTE}}},
    {"stopped in 2036, that is in order, and started in 1970",
     "plausible",
     TO_2036,
     3,
     3,
     "1",
     {{RUN, WEIR_MINUTE}, {STOP, TO_1970}, {RUN, WEIR_MINUTE}, {SET, 0}, {RUN, WEIR_MINUTE}}},
    {"ntp: two hours off until the kernel says that it is synchronized",
     "ntp",
     -2 * WEIR_HOUR,
     3,
     3,
     "",
     {{RUN, 3 * WEIR_MINUTE},
      {SET, 0}, /* nobody says that this is right */
      {RUN, 2 * WEIR_MINUTE},
      {SYNC, true},
      {RUN, 2 * WEIR_MINUTE},
      {SYNC, false},
      {RUN, 2 * WEIR_MINUTE}}},
};

static void what_was_stamped_by_a_wrong_clock_is_right_once_the_clock_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        struct world w;
        world_make(&w, scenarios[i].rule);
        w.error_us = scenarios[i].error;
        world_start(&w);
        world_act(&w, scenarios[i].acts);

        weir_snapshot *snapshot = weir_loop_snapshot(w.loop);
        assert_non_null(snapshot);
        assert_int_equal(snapshot->clock.doubt, WEIR_CLOCK_TRUSTED);
        assert_int_equal(snapshot->clock.epoch, scenarios[i].last_epoch);
        for (size_t t = 0; t < snapshot->n_tags; t++)
            assert_in_range(true_time(&w) - snapshot->current[t].sample.ts.us, 0, 62 * WEIR_S);
        weir_snapshot_unref(snapshot);

        world_stop(&w, false);
        assert_true(w.epoch_samples[scenarios[i].last_epoch] > 0);
        world_check(&w, scenarios[i].what, scenarios[i].uncorrected, scenarios[i].events);
        world_remove(&w);
    }
}

/* Set at any moment, with any reply under way; killed at any moment. */
static void whenever_the_clock_is_set_or_the_process_killed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static const int64_t errors[] = {TO_1970, TO_2000, TO_2036};
        weir_random random = {seed};
        struct world w;
        char what[32];
        const bool kills = seed % 2;
        (void)snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        world_make(&w, "plausible");
        w.error_us = errors[weir_random_below(&random, 3)];
        world_start(&w);
        world_run(&w, (int64_t)weir_random_below(&random, WEIR_MINUTE) + WEIR_S);
        if (kills) {
            world_stop(&w, true);
            world_start(&w);
            world_run(&w, (int64_t)weir_random_below(&random, WEIR_MINUTE) + WEIR_S);
        }
        w.error_us = 0;
        world_run(&w, WEIR_MINUTE);
        world_stop(&w, false);
        /* Killed before anything was committed, its epoch is taken again. */
        const bool took_next = kills && w.epoch_samples[3] > 0;
        world_check(&w, what, took_next ? "1" : "", took_next ? 3 : kills ? 3 : 2);
        world_remove(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_stamped_by_a_wrong_clock_is_right_once_the_clock_is),
        cmocka_unit_test(whenever_the_clock_is_set_or_the_process_killed),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
