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
#include "simulation/world.h"
#include "store/query/query.h"

/* Of the machine's clock. */
#define TO_1970 (-1795219200LL * WEIR_S)
#define TO_2000 (-26LL * 365 * WEIR_DAY)
#define TO_2036 (10LL * 365 * WEIR_DAY)

enum { SAMPLES_MAX = 100000, EPOCHS_MAX = 16, ACTS_MAX = 8 };

/* Two replies lost and one late, behind a late one of the other device. */
static const int64_t read_us_max = 1500 * WEIR_MS;

struct produced {
    weir_tag_uid tag;
    uint32_t epoch;
    int64_t ts;
    int64_t true_end; /* when it was delivered */
    bool untrusted;
};

struct machine {
    sim_world world;
    size_t life_began; /* in produced */
    /* of all lives */
    struct produced *produced, *kept;
    size_t n_produced, n_kept;
    int64_t epoch_error[EPOCHS_MAX]; /* the clock's, in this epoch */
    uint64_t epoch_samples[EPOCHS_MAX];
};

static int64_t true_time(const struct machine *m)
{
    return sim_world_true_wall(&m->world).us;
}

/* By how much the machine's clock is ahead. */
static int64_t clock_error(const struct machine *m)
{
    return sim_world_wall(&m->world).us - true_time(m);
}

static void clock_set(struct machine *m, int64_t error_us)
{
    sim_world_step_clock(&m->world, error_us - clock_error(m));
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
    struct machine *m = data;
    assert_true(batch->epoch < EPOCHS_MAX);
    if (m->epoch_samples[batch->epoch] == 0)
        m->epoch_error[batch->epoch] = clock_error(m);
    m->epoch_samples[batch->epoch] += batch->n_samples;
    for (size_t i = 0; i < batch->n_samples; i++) {
        assert_true(m->n_produced < SAMPLES_MAX);
        m->produced[m->n_produced++] =
            (struct produced){batch->samples[i].tag, batch->epoch, batch->samples[i].ts.us,
                              true_time(m), batch->flags & WEIR_BATCH_CLOCK_UNTRUSTED};
    }
}

/* What a commit took is what had been produced by then. */
static void on_committed(void *data)
{
    struct machine *m = data;
    for (size_t i = m->life_began; i < m->n_produced; i++)
        m->kept[m->n_kept++] = m->produced[i];
    m->life_began = m->n_produced;
}

static void machine_make(struct machine *m, uint64_t seed, const char *rule)
{
    WEIR_TEXT_AUTO yaml = WEIR_TEXT_INIT;
    *m = (struct machine){0};
    m->produced = weir_alloc_zero(SAMPLES_MAX, sizeof *m->produced);
    m->kept = weir_alloc_zero(SAMPLES_MAX, sizeof *m->kept);
    assert_true(m->produced && m->kept);
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
    const sim_world_config config = {
        .seed = seed,
        .max_loss_us = 2 * WEIR_S,
        /* So slow that replies are under way whenever the clock is set. */
        .faults = {.late_reply = 0.5,
                   .late_us = 250 * WEIR_MS,
                   .lose_reply = 0.02,
                   .refuse_connect = 0.1},
        .plant = {weir_text_get(&yaml), {m, slave_read}, on_batch, on_committed, m}};
    sim_world_open(&m->world, &config);
    m->world.is_unsynchronized = true;
}

static void machine_start(struct machine *m)
{
    weir_error error = WEIR_ERROR_INIT;
    m->life_began = m->n_produced;
    if (!sim_world_start(&m->world, &error))
        fail_msg("%s", error.text);
}

static void machine_stop(struct machine *m, bool killed)
{
    if (killed)
        sim_world_kill(&m->world);
    else
        assert_true(sim_world_stop(&m->world));
}

static void machine_remove(struct machine *m)
{
    if (m->world.violations > 0)
        fail_msg("%s", m->world.problem);
    sim_world_close(&m->world);
    weir_free(m->produced);
    weir_free(m->kept);
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
static void machine_check_offsets(const struct machine *m, sqlite3 *db, const char *what,
                                  const char *uncorrected, int64_t ret_offsets[EPOCHS_MAX])
{
    for (uint32_t e = 0; e < EPOCHS_MAX; e++) {
        char sql[80], digit[2] = {(char)('0' + e % 10), '\0'};
        (void)snprintf(sql, sizeof sql,
                       "select ifnull(max(offset), 0) from main.epoch where epoch = %u", e);
        ret_offsets[e] = sql_int(db, sql);
        const int64_t want = strstr(uncorrected, digit) && e < 10 ? 0 : -m->epoch_error[e];
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
    assert_in_range(took_us + WEIR_S, WEIR_S, WEIR_S + read_us_max);
    if (!is_corrected)
        return;
    assert_in_range(p->true_end - ts, 0, read_us_max);
    if (sqlite3_column_type(s, 3) == SQLITE_NULL)
        return;
    const char *cause = (const char *)sqlite3_column_text(s, 4);
    assert_int_equal(strcmp(cause, "clock") == 0, p->untrusted);
    const uint16_t late_s = (uint16_t)((uint16_t)sqlite3_column_int(s, 3) - ts / WEIR_S);
    assert_in_range(late_s, 0, 1);
}

static void machine_check(struct machine *m, const char *what, const char *uncorrected,
                          int64_t events)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    sqlite3_stmt *s = NULL;
    int64_t offsets[EPOCHS_MAX];
    if (weir_query_open(m->world.folder, m->world.vfs_name, &query, &error))
        fail_msg("%s", error.text);
    sqlite3 *db = weir_query_db(query);
    machine_check_offsets(m, db, what, uncorrected, offsets);
    const int64_t n = sql_int(db, "select count(*) from events where kind = 'clock_step'");
    if (n != events)
        fail_msg("%s: %lld clock_step events instead of %lld", what, (long long)n,
                 (long long)events);

    qsort(m->kept, m->n_kept, sizeof *m->kept, compare_produced);
    for (size_t i = 1; i < m->n_kept; i++) /* no identity twice */
        assert_true(compare_produced(&m->kept[i - 1], &m->kept[i]) < 0);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "select t.id, s.epoch, s.ts, s.value, s.cause, s.read_ts"
                                        " from samples s join tags t on t.tag = s.tag "
                                        "order by t.id, s.epoch, s.ts",
                                        -1, &s, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < m->n_kept; i++) {
        const struct produced *p = &m->kept[i];
        const char digit[2] = {(char)('0' + p->epoch), '\0'};
        if (sqlite3_step(s) != SQLITE_ROW)
            fail_msg("%s: %zu of %zu samples are there", what, i, m->n_kept);
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

static void machine_act(struct machine *m, const struct act *acts)
{
    for (size_t i = 0; i < ACTS_MAX * 2 && acts[i].what != END; i++)
        switch (acts[i].what) {
        case RUN:
            sim_world_run(&m->world, acts[i].us);
            break;
        case SYNC:
            m->world.is_unsynchronized = !acts[i].us;
            break;
        case KILL:
        case STOP:
            machine_stop(m, acts[i].what == KILL);
            sim_world_run(&m->world, 17 * WEIR_S);
            clock_set(m, acts[i].us);
            machine_start(m);
            break;
        case SET:
            clock_set(m, acts[i].us);
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
        struct machine m;
        machine_make(&m, i + 1, scenarios[i].rule);
        clock_set(&m, scenarios[i].error);
        machine_start(&m);
        machine_act(&m, scenarios[i].acts);

        weir_snapshot *snapshot = weir_loop_snapshot(m.world.loop);
        assert_non_null(snapshot);
        assert_int_equal(snapshot->clock.doubt, WEIR_CLOCK_TRUSTED);
        assert_int_equal(snapshot->clock.epoch, scenarios[i].last_epoch);
        for (size_t t = 0; t < snapshot->n_tags; t++)
            assert_in_range(true_time(&m) - snapshot->current[t].sample.ts.us, 0, 62 * WEIR_S);
        weir_snapshot_unref(snapshot);

        machine_stop(&m, false);
        assert_true(m.epoch_samples[scenarios[i].last_epoch] > 0);
        machine_check(&m, scenarios[i].what, scenarios[i].uncorrected, scenarios[i].events);
        machine_remove(&m);
    }
}

/* Set at any moment, with any reply under way; killed at any moment. */
static void whenever_the_clock_is_set_or_the_process_killed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static const int64_t errors[] = {TO_1970, TO_2000, TO_2036};
        weir_random random = {seed};
        struct machine m;
        char what[32];
        const bool kills = seed % 2;
        (void)snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        machine_make(&m, seed, "plausible");
        clock_set(&m, errors[weir_random_below(&random, 3)]);
        machine_start(&m);
        sim_world_run(&m.world, (int64_t)weir_random_below(&random, WEIR_MINUTE) + WEIR_S);
        if (kills) {
            machine_stop(&m, true);
            machine_start(&m);
            sim_world_run(&m.world, (int64_t)weir_random_below(&random, WEIR_MINUTE) + WEIR_S);
        }
        clock_set(&m, 0);
        sim_world_run(&m.world, WEIR_MINUTE);
        machine_stop(&m, false);
        /* Killed before anything was committed, its epoch is taken again. */
        const bool took_next = kills && m.epoch_samples[3] > 0;
        machine_check(&m, what, took_next ? "1" : "", took_next ? 3 : kills ? 3 : 2);
        machine_remove(&m);
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
