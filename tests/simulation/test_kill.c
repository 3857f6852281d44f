/* SPDX-License-Identifier: MIT */
/* A process that ends at any step and starts again: what was committed is there, once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "simulation/world.h"
#include "tests/support/scaled.h"

/* How a life ends: between two steps, or in the midst of a change to the disk. */
enum end { KILL, KILL_WITHIN, POWER_CUT, POWER_CUT_WITHIN };

/* What happens to the machine between two lives. */
enum between { NOTHING, A_WHILE, CLOCK_BACK };

static void open_world(sim_world *w, uint64_t seed)
{
    sim_world_open(w, &(sim_world_config){
                          .seed = seed,
                          .devices = 3,
                          .points = 2,
                          .two_tables = true,
                          .max_loss_us = 2 * WEIR_S,
                          .devices_us = 5 * WEIR_S,
                          .faults = {.lose_reply = 0.02, .refuse_connect = 0.1},
                      });
}

static void start(sim_world *w)
{
    weir_error error = WEIR_ERROR_INIT;
    if (!sim_world_start(w, &error))
        fail_msg("seed %llu: %s", (unsigned long long)w->config.seed, error.text);
}

static void live(sim_world *w, uint64_t steps)
{
    while (steps-- > 0 && !fault_vfs_stopped(w->disk))
        sim_world_step(w, WEIR_MONO_NEVER);
}

static void end_life(sim_world *w, enum end end)
{
    if (end == KILL_WITHIN || end == POWER_CUT_WITHIN) {
        fault_vfs_stop_after(w->disk, weir_random_below(&w->random, 30));
        live(w, 10000);
        assert_true(fault_vfs_stopped(w->disk));
    }
    if (end == KILL || end == KILL_WITHIN)
        sim_world_kill(w);
    else
        sim_world_power_cut(w);
}

static void finish(sim_world *w)
{
    start(w);
    assert_true(sim_world_stop(w));
    sim_world_check(w);
    sim_world_verify(w);
    if (w->violations > 0)
        fail_msg("%s", w->problem);
    assert_true(w->ledger.n_checked > 100);
}

static void lives(uint64_t seed, int n, enum end end, enum between between)
{
    sim_world w;
    open_world(&w, seed);
    for (int life = 0; life < n; life++) {
        start(&w);
        live(&w, weir_random_below(&w.random, 400));
        end_life(&w, end);
        if (between == A_WHILE)
            sim_world_run(&w, (int64_t)weir_random_below(&w.random, WEIR_HOUR));
        if (between == CLOCK_BACK) /* further than a life lasts */
            sim_world_step_clock(&w, -20 * WEIR_MINUTE);
    }
    finish(&w);
    const int64_t epochs = sim_world_sql(&w, "select count(distinct epoch) from samples");
    assert_int_equal(epochs > 1, between == CLOCK_BACK);
    sim_world_close(&w);
}

static void killed_at_any_step_what_was_committed_is_there_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (uint64_t)testing_scaled(4, 8); seed++)
        lives(seed, 12, seed % 2 ? KILL : KILL_WITHIN, seed % 4 < 2 ? NOTHING : A_WHILE);
}

static void without_power_at_any_step_what_was_committed_is_there_once(void **state)
{
    (void)state;
    for (uint64_t seed = 51; seed < 51 + (uint64_t)testing_scaled(6, 16); seed++)
        lives(seed, 12, seed % 4 ? POWER_CUT_WITHIN : POWER_CUT, NOTHING);
}

static void a_clock_set_back_between_two_lives_begins_an_epoch_and_overwrites_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 21; seed < 21 + (uint64_t)testing_scaled(3, 6); seed++)
        lives(seed, 12, KILL, CLOCK_BACK);
}

static void a_clock_set_back_in_a_life_that_is_killed_begins_an_epoch_in_the_next(void **state)
{
    (void)state;
    for (uint64_t seed = 31; seed < 31 + (uint64_t)testing_scaled(4, 10); seed++) {
        sim_world w;
        open_world(&w, seed);
        for (int life = 0; life < 8; life++) {
            start(&w);
            live(&w, weir_random_below(&w.random, 300));
            sim_world_step_clock(&w, -(int64_t)weir_random_below(&w.random, WEIR_MINUTE));
            live(&w, weir_random_below(&w.random, 300));
            end_life(&w, life % 2 ? KILL : POWER_CUT);
        }
        finish(&w);
        sim_world_close(&w);
    }
}

/* The simulation can see what it is there for. */
static void without_syncs_the_same_power_cuts_lose_what_was_reported(void **state)
{
    sim_world w;
    weir_error error = WEIR_ERROR_INIT;
    unsigned n_unreadable = 0;
    (void)state;
    open_world(&w, 71);
    for (int life = 0; life < 12 && w.lost == 0 && n_unreadable == 0; life++) {
        n_unreadable += !sim_world_start(&w, &error);
        if (!w.is_running)
            break;
        fault_vfs_ignore_syncs(w.disk, true);
        live(&w, 400);
        end_life(&w, POWER_CUT);
        fault_vfs_ignore_syncs(w.disk, false);
    }
    assert_true(w.lost > 0 || n_unreadable > 0);
    sim_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_step_what_was_committed_is_there_once),
        cmocka_unit_test(without_power_at_any_step_what_was_committed_is_there_once),
        cmocka_unit_test(a_clock_set_back_between_two_lives_begins_an_epoch_and_overwrites_nothing),
        cmocka_unit_test(a_clock_set_back_in_a_life_that_is_killed_begins_an_epoch_in_the_next),
        cmocka_unit_test(without_syncs_the_same_power_cuts_lose_what_was_reported),
    };
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
