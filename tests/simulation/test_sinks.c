/* SPDX-License-Identifier: MIT */
/* Sinks in the simulated world: one down while others are well, orders, a clock that was wrong. */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "simulation/world.h"
#include "store/edit.h"
#include "tests/support/scaled.h"

/* Each gives a sample a second. */
static unsigned devices(void)
{
    return (unsigned)testing_scaled(4, 10);
}

/* One that has the rows of a commit, and of one that is under way. */
static uint64_t live_rows(void)
{
    return 2 * devices() + 4;
}

static sim_world *open_world(uint64_t seed)
{
    static sim_world w;
    weir_error error = WEIR_ERROR_INIT;
    const sim_world_config four_sinks = {
        .seed = seed, .devices = devices(), .interval_us = WEIR_S, .sinks = 4};
    sim_world_open(&w, &four_sinks);
    if (!sim_world_start(&w, &error))
        fail_msg("%s", error.text);
    return &w;
}

static void close_world(sim_world *w)
{
    if (w->is_running)
        assert_true(sim_world_stop(w));
    if (w->violations)
        fail_msg("%s", w->problem);
    sim_world_close(w);
}

static weir_sink_record record_of(const sim_world *w, unsigned sink)
{
    return weir_delivery_get_record(w->sinks[sink].delivery);
}

static void edit(sim_world *w, weir_edit edit)
{
    weir_error error = WEIR_ERROR_INIT;
    uint64_t n;
    if (weir_store_edit(w->store, &edit, sim_world_wall(w), &n, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    sim_sinks_wake(w);
}

/* faults.md 48, 40. */
static void one_of_four_sinks_is_down_and_the_others_do_not_lag(void **state)
{
    sim_world *w = open_world(1);
    const int outage_s = testing_scaled(600, 1200);
    uint64_t most = 0;
    (void)state;
    sim_world_run(w, WEIR_MINUTE);
    w->sinks[0].server.mood = SCRIPT_OFFLINE;
    for (int i = 0; i < outage_s; i++) {
        sim_world_run(w, WEIR_S);
        for (unsigned s = 1; s < 4; s++) {
            const uint64_t backlog = record_of(w, s).backlog;
            most = backlog > most ? backlog : most;
        }
    }
    assert_true(most <= live_rows());
    weir_sink_record down = record_of(w, 0);
    assert_string_equal(down.state, "offline");
    assert_true(down.backlog >= (uint64_t)outage_s * devices());
    assert_true(sim_world_wall(w).us - down.oldest_unsent.us > outage_s * WEIR_S - WEIR_MINUTE);
    const int64_t in_log = sim_world_sql(w, "SELECT min(first_seq) FROM log");
    assert_true(in_log < 200 * devices()); /* kept for the one that is down */
    w->sinks[0].server.mood = SCRIPT_WELL;
    sim_world_run(w, 5 * WEIR_MINUTE);
    assert_true(record_of(w, 0).backlog <= live_rows());
    sim_sinks_check(w);
    sim_world_run(w, 80 * WEIR_MINUTE); /* into history first */
    assert_true(sim_world_sql(w, "SELECT min(first_seq) FROM log") > in_log); /* given back */
    close_world(w);
}

/* A backlog that is drained at a set rate, while what is live is never late. */
static void a_backlog_at_a_set_rate_leaves_live_rows_alone(void **state)
{
    sim_world *w = open_world(1);
    sim_sink *s = &w->sinks[0];
    (void)state;
    s->config.backlog_rate = 10 * devices();
    sim_world_run(w, WEIR_MINUTE);
    s->server.mood = SCRIPT_OFFLINE;
    sim_world_run(w, 40 * WEIR_MINUTE);
    sim_world_kill(w);
    s->server.mood = SCRIPT_WELL;
    weir_error error = WEIR_ERROR_INIT;
    assert_true(sim_world_start(w, &error));
    sim_world_run(w, 10 * WEIR_S);
    for (int i = 0; i < 60; i++) {
        const uint64_t seq = w->committed_seq;
        sim_world_run(w, 1500 * WEIR_MS);
        bool has_all = true;
        for (uint64_t q = seq - devices() / 2; q <= seq; q++)
            has_all &= s->arrivals[q].n > 0;
        assert_true(has_all);
    }
    assert_true(record_of(w, 0).backlog > 1000 * devices());
    sim_world_run(w, 10 * WEIR_MINUTE);
    sim_sinks_check(w);
    close_world(w);
}

static void a_pause_survives_a_crash_and_loses_nothing(void **state)
{
    sim_world *w = open_world(1);
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    sim_world_run(w, WEIR_MINUTE);
    edit(w, (weir_edit){.kind = WEIR_EDIT_SINK_PAUSE, .subject = "plain"});
    sim_world_run(w, WEIR_MINUTE);
    sim_world_power_cut(w);
    assert_true(sim_world_start(w, &error));
    sim_world_run(w, WEIR_MINUTE);
    assert_string_equal(record_of(w, 0).state, "paused");
    assert_true(record_of(w, 0).backlog > 60 * devices());
    edit(w, (weir_edit){.kind = WEIR_EDIT_SINK_RESUME, .subject = "plain"});
    sim_world_run(w, WEIR_MINUTE);
    assert_string_equal(record_of(w, 0).state, "online");
    sim_sinks_check(w);
    close_world(w);
}

static bool is_mended;

static bool rejects_until_mended(void *data, const weir_sink_row *row)
{
    (void)data;
    return !is_mended && sim_sink_rejects(row);
}

static void rows_set_aside_are_taken_when_they_are_tried_again(void **state)
{
    sim_world *w = open_world(1);
    (void)state;
    is_mended = false;
    w->sinks[2].server.is_bad = rejects_until_mended;
    const int64_t seconds = testing_scaled(1200, 3600), n = seconds * devices();
    sim_world_run(w, seconds * WEIR_S);
    const int64_t aside = sim_world_sql(w, "SELECT count(*) FROM rejected WHERE sink='picky'");
    assert_in_range(aside, n / 1440, n / 720); /* one of 997 */
    edit(w, (weir_edit){.kind = WEIR_EDIT_SINK_RETRY, .subject = "picky"});
    sim_world_run(w, WEIR_MINUTE);
    assert_int_equal(sim_world_sql(w, "SELECT count(*) FROM rejected WHERE sink='picky'"), aside);
    is_mended = true;
    edit(w, (weir_edit){.kind = WEIR_EDIT_SINK_RETRY, .subject = "picky"});
    sim_world_run(w, WEIR_MINUTE);
    assert_int_equal(sim_world_sql(w, "SELECT count(*) FROM rejected WHERE sink='picky'"), 0);
    sim_sinks_check(w);
    close_world(w);
}

static void a_replay_sends_what_was_between_two_moments_again_through_a_crash(void **state)
{
    sim_world *w = open_world(1);
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    w->sinks[3].config.backlog_rate = 500;
    const weir_wall from = {sim_world_wall(w).us + 10 * WEIR_MINUTE},
                    to = {from.us + 10 * WEIR_MINUTE};
    sim_world_run(w, 75 * WEIR_MINUTE); /* half of it is history by then */
    const uint64_t before = w->sinks[3].n_repeated;
    edit(w, (weir_edit){.kind = WEIR_EDIT_SINK_REPLAY, .subject = "other", .from = from, .to = to});
    sim_world_run(w, 5 * WEIR_S);
    sim_world_kill(w);
    assert_true(sim_world_start(w, &error));
    sim_world_run(w, 2 * WEIR_MINUTE);
    const sim_sink *s = &w->sinks[3];
    for (size_t seq = 1; seq < s->n_arrivals; seq++) {
        const sim_arrival *a = &s->arrivals[seq];
        if (a->n > 0 && a->ts >= from.us && a->ts <= to.us)
            assert_true(a->n > 1);
    }
    /* All devices for 600 s, and what was sent but not acknowledged at the crash. */
    assert_in_range(s->n_repeated - before, 600 * devices(), 604 * devices() + 2 * 500);
    sim_sinks_check(w);
    close_world(w);
}

/* The clock is right again before the program ends: held, then sent with the true time. Else: never
 * sent, and a gap says how many. */
static void a_clock_that_is_never_corrected_leaves_an_exact_gap(void **state)
{
    sim_world *w = open_world(1);
    weir_error error = WEIR_ERROR_INIT;
    (void)state;
    sim_world_run(w, WEIR_MINUTE);
    assert_true(sim_world_stop(w));
    sim_world_step_clock(w, -10 * 365 * WEIR_DAY);
    assert_true(sim_world_start(w, &error));
    sim_world_run(w, WEIR_MINUTE);
    const uint64_t arrived = w->sinks[0].server.n_rows;
    assert_true(record_of(w, 0).backlog >= 50 * devices());
    sim_world_kill(w);
    sim_world_step_clock(w, 10 * 365 * WEIR_DAY);
    assert_true(sim_world_start(w, &error));
    sim_world_run(w, WEIR_MINUTE);
    const int64_t untrusted =
        sim_world_sql(w, "SELECT count(*) FROM samples WHERE ts < 1700000000000000");
    assert_true(untrusted > 40 * devices());
    for (int i = 0; i < 4; i++)
        assert_true(record_of(w, (unsigned)i).backlog <= live_rows());
    assert_int_equal(
        sim_world_sql(w, "SELECT sum(count) FROM gaps WHERE sink='plain' AND cause='clock'"),
        untrusted);
    assert_int_equal(
        sim_world_sql(w, "SELECT sum(count) FROM gaps WHERE sink='file' AND cause='clock'"),
        untrusted);
    assert_true(w->sinks[0].server.n_rows > arrived + 50 * devices());
    for (size_t seq = 1; seq < w->sinks[0].n_arrivals; seq++)
        assert_true(w->sinks[0].arrivals[seq].n == 0 ||
                    w->sinks[0].arrivals[seq].ts > 1700000000000000);
    close_world(w);
}

/* Kills and power cuts at any moment, many in a row. */
static void a_process_that_dies_often_delivers_all_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (uint64_t)testing_scaled(1, 2); seed++) {
        sim_world *w = open_world(seed);
        weir_random r = {seed};
        weir_error error = WEIR_ERROR_INIT;
        for (int i = 0; i < 40; i++) {
            w->sinks[0].server.mood = (script_mood)weir_random_below(&r, 9);
            w->sinks[3].server.row_us = (int64_t)weir_random_below(&r, 20000);
            sim_world_run(w, (int64_t)weir_random_below(&r, 60 * WEIR_S));
            if (weir_random_below(&r, 2))
                sim_world_kill(w);
            else
                sim_world_power_cut(w);
            assert_true(sim_world_start(w, &error));
        }
        w->sinks[0].server.mood = SCRIPT_WELL;
        w->sinks[3].server.row_us = 10;
        sim_world_run(w, 10 * WEIR_MINUTE);
        sim_sinks_check(w);
        assert_int_equal(w->lost + w->invented, 0);
        close_world(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_four_sinks_is_down_and_the_others_do_not_lag),
        cmocka_unit_test(a_backlog_at_a_set_rate_leaves_live_rows_alone),
        cmocka_unit_test(a_pause_survives_a_crash_and_loses_nothing),
        cmocka_unit_test(rows_set_aside_are_taken_when_they_are_tried_again),
        cmocka_unit_test(a_replay_sends_what_was_between_two_moments_again_through_a_crash),
        cmocka_unit_test(a_clock_that_is_never_corrected_leaves_an_exact_gap),
        cmocka_unit_test(a_process_that_dies_often_delivers_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
