/* SPDX-License-Identifier: MIT */
/* The whole collector on a simulated plant: every slot once, nothing lost, nothing invented. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "simulation/world.h"

enum { DEVICES = 10, POINTS = 4 };

static const sim_network_faults bad_network = {.lose_reply = 0.05,
                                               .late_reply = 0.05,
                                               .refuse_connect = 0.3,
                                               .drop_link = 0.002,
                                               .garble_reply = 0.01,
                                               .cut_reply = 0.002,
                                               .late_us = 500 * WEIR_MS};

static void open_world(sim_world *w, uint64_t seed, sim_network_faults faults)
{
    weir_error error = WEIR_ERROR_INIT;
    sim_world_open(w, &(sim_world_config){.seed = seed,
                                          .devices = DEVICES,
                                          .points = POINTS,
                                          .interval_us = 10 * WEIR_S,
                                          .max_loss_us = 60 * WEIR_S,
                                          .faults = faults});
    if (!sim_world_start(w, &error))
        fail_msg("%s", error.text);
}

static void assert_well(const sim_world *w)
{
    if (w->violations > 0)
        fail_msg("%s", w->problem);
}

static void two_hours_without_faults_store_every_slot_once(void **state)
{
    sim_world w;
    (void)state;
    open_world(&w, 1, (sim_network_faults){0});
    sim_world_run(&w, 2 * WEIR_HOUR);
    assert_true(sim_world_stop(&w));
    sim_world_check(&w);
    sim_world_verify(&w);
    assert_well(&w);
    assert_int_equal(w.n_samples, 720 * DEVICES * POINTS);
    assert_int_equal(w.n_good, w.n_samples);
    assert_int_equal(sim_world_sql(&w, "select count(*) from samples"), w.n_samples);
    assert_int_equal(sim_world_sql(&w, "select count(distinct ts) from samples"), 720);
    assert_int_equal(sim_world_sql(&w, "select count(*) from samples where quality <> 'good'"), 0);
    sim_world_close(&w);
}

static void two_hours_of_faults_lose_and_invent_nothing(void **state)
{
    sim_world w;
    (void)state;
    open_world(&w, 7, bad_network);
    sim_world_run(&w, 2 * WEIR_HOUR);
    assert_true(sim_world_stop(&w));
    sim_world_check(&w);
    sim_world_verify(&w);
    assert_well(&w);
    assert_int_equal(w.n_samples, 720 * DEVICES * POINTS); /* bad ones included */
    assert_in_range(w.n_good, w.n_samples / 2, w.n_samples - 1);
    assert_int_equal(sim_world_sql(&w, "select count(*) from samples"), w.n_samples);
    assert_int_equal(sim_world_sql(&w, "select count(*) from samples where quality = 'good'"),
                     w.n_good);
    sim_world_close(&w);
}

static void the_same_seed_gives_the_same_run_and_another_does_not(void **state)
{
    uint64_t traces[3];
    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        sim_world w;
        open_world(&w, i < 2 ? 42 : 43, bad_network);
        sim_world_run(&w, WEIR_HOUR / 2);
        assert_true(sim_world_stop(&w));
        sim_world_check(&w); /* adds all bytes ever written to the disk */
        traces[i] = w.trace;
        sim_world_close(&w);
    }
    assert_true(traces[0] == traces[1]);
    assert_true(traces[0] != traces[2]);
}

/* --- the judge judges ---------------------------------------------------------------------- */

static void what_is_taken_from_the_store_is_missed(void **state)
{
    sim_world w;
    (void)state;
    open_world(&w, 1, (sim_network_faults){0});
    sim_world_run(&w, WEIR_HOUR);
    assert_true(sim_world_stop(&w));
    /* As if a commit had been reported and forgotten: an hour more than the store has. */
    const sim_entry more = {.ts = sim_world_wall(&w).us, .tag = 3, .value = 5};
    sim_ledger_add(&w.ledger, &more);
    w.ledger.n_committed = w.ledger.n;
    sim_world_check(&w);
    assert_int_equal(w.lost, 1);
    assert_int_equal(w.violations, 1);
    assert_non_null(strstr(w.problem, "not there, the first is tag 3"));
    sim_world_close(&w);
}

static void what_nobody_produced_is_found(void **state)
{
    sim_world w;
    (void)state;
    open_world(&w, 1, (sim_network_faults){0});
    sim_world_run(&w, WEIR_HOUR);
    assert_true(sim_world_stop(&w));
    w.ledger.entries[77].value ^= 1; /* another value was served than the store has */
    sim_world_check(&w);
    assert_int_equal(w.invented, 1);
    assert_int_equal(w.lost, 1);
    sim_world_close(&w);
}

static void a_day_that_changes_after_it_was_checked_is_found(void **state)
{
    sim_world w;
    (void)state;
    open_world(&w, 1, (sim_network_faults){0});
    sim_world_run(&w, WEIR_HOUR);
    assert_true(sim_world_stop(&w));
    sim_world_check(&w);
    const int64_t day = sim_world_wall(&w).us / WEIR_DAY;
    for (uint32_t tag = 0; tag < DEVICES * POINTS; tag++)
        sim_world_check_day(&w, day, tag);
    assert_well(&w);
    sim_sum *sum = &w.ledger.sums[(size_t)(day - w.ledger.first_day) * w.ledger.n_tags + 5];
    sum->sum++;
    sim_world_check_day(&w, day, 5);
    assert_int_equal(w.violations, 1);
    sum->sum--;
    sum->n++;
    sim_world_check_day(&w, day, 5);
    assert_int_equal(w.lost, 1);
    sim_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hours_without_faults_store_every_slot_once),
        cmocka_unit_test(two_hours_of_faults_lose_and_invent_nothing),
        cmocka_unit_test(the_same_seed_gives_the_same_run_and_another_does_not),
        cmocka_unit_test(what_is_taken_from_the_store_is_missed),
        cmocka_unit_test(what_nobody_produced_is_found),
        cmocka_unit_test(a_day_that_changes_after_it_was_checked_is_found),
    };
    return cmocka_run_group_tests_name("collector", tests, NULL, NULL);
}
