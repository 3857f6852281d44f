/* SPDX-License-Identifier: MIT */
/* Tests of the pace of a sink. */

#include "sinks/delivery/pace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const weir_mono t0 = {1000 * WEIR_S};

/* A server with a fixed cost and one for each row. */
static int64_t server_rtt(size_t n, double fixed_us, double row_us)
{
    return (int64_t)(fixed_us + (double)n * row_us);
}

static void the_size_settles_where_a_send_takes_half_a_second(void **state)
{
    const double row_us[] = {50, 100, 1000, 20000};
    (void)state;
    for (size_t i = 0; i < sizeof row_us / sizeof *row_us; i++) {
        weir_pace p;
        weir_pace_init(&p, 10000, 0, 1, t0);
        for (int send = 0; send < 60; send++)
            weir_pace_delivered(&p, weir_pace_size(&p),
                                server_rtt(weir_pace_size(&p), 10000, row_us[i]), t0);
        const int64_t rtt = server_rtt(weir_pace_size(&p), 10000, row_us[i]);
        if (weir_pace_size(&p) < 10000)
            assert_in_range(rtt, 400 * WEIR_MS, 600 * WEIR_MS);
    }
}

/* faults.md 41: a server that takes a second whatever the batch. */
static void a_slow_server_makes_batches_smaller_and_a_quick_one_larger_again(void **state)
{
    weir_pace p;
    (void)state;
    weir_pace_init(&p, 5000, 0, 1, t0);
    for (int i = 0; i < 20; i++)
        weir_pace_delivered(&p, weir_pace_size(&p), 20 * WEIR_MS, t0);
    assert_int_equal(weir_pace_size(&p), 5000);
    for (int i = 0; i < 30; i++)
        weir_pace_delivered(&p, weir_pace_size(&p), server_rtt(weir_pace_size(&p), 0, 1000), t0);
    assert_in_range(weir_pace_size(&p), 450, 550);
    for (int i = 0; i < 10; i++)
        weir_pace_delivered(&p, weir_pace_size(&p), 20 * WEIR_MS, t0);
    assert_int_equal(weir_pace_size(&p), 5000);
}

static void few_rows_that_were_quick_do_not_make_the_next_batch_large(void **state)
{
    weir_pace p;
    (void)state;
    weir_pace_init(&p, 100000, 0, 1, t0);
    for (int i = 0; i < 100; i++)
        weir_pace_delivered(&p, 3, 10, t0);
    assert_int_equal(weir_pace_size(&p), 500);
}

static void too_large_halves_or_obeys_and_recovers_slowly(void **state)
{
    weir_pace p;
    (void)state;
    weir_pace_init(&p, 5000, 0, 1, t0);
    for (int i = 0; i < 20; i++)
        weir_pace_delivered(&p, weir_pace_size(&p), WEIR_MS, t0);
    weir_pace_too_large(&p, 5000, 0);
    assert_int_equal(weir_pace_size(&p), 2500);
    weir_pace_too_large(&p, 2500, 700);
    assert_int_equal(weir_pace_size(&p), 700);
    weir_pace_too_large(&p, 700, 900); /* it contradicts itself */
    assert_int_equal(weir_pace_size(&p), 350);
    for (int i = 0; i < 5; i++)
        weir_pace_delivered(&p, weir_pace_size(&p), WEIR_MS, t0);
    assert_in_range(weir_pace_size(&p), 351, 400);
    for (int i = 0; i < 200; i++)
        weir_pace_delivered(&p, weir_pace_size(&p), WEIR_MS, t0);
    assert_int_equal(weir_pace_size(&p), 5000);
    weir_pace_too_large(&p, 1, 0);
    assert_int_equal(weir_pace_size(&p), 1);
}

static void waits_double_up_to_their_limit_with_chance(void **state)
{
    const struct {
        weir_trouble trouble;
        int64_t most;
    } cases[] = {{WEIR_TROUBLE_OFFLINE, 60 * WEIR_S},
                 {WEIR_TROUBLE_BUSY, 60 * WEIR_S},
                 {WEIR_TROUBLE_FULL, 60 * WEIR_S},
                 {WEIR_TROUBLE_REFUSED, 300 * WEIR_S},
                 {WEIR_TROUBLE_MISCONFIGURED, 300 * WEIR_S}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (uint64_t seed = 1; seed <= 50; seed++) {
            weir_pace p;
            int64_t expected = WEIR_S;
            weir_pace_init(&p, 100, 0, seed, t0);
            for (int k = 0; k < 40; k++) {
                assert_in_range(weir_pace_failed(&p, cases[i].trouble, 0), expected / 2, expected);
                expected = 2 * expected < cases[i].most ? 2 * expected : cases[i].most;
            }
            weir_pace_recovered(&p);
            assert_in_range(weir_pace_failed(&p, cases[i].trouble, 0), WEIR_S / 2, WEIR_S);
        }
    }
}

/* faults.md 45. */
static void the_wish_of_the_other_side_counts_up_to_an_hour(void **state)
{
    weir_pace p;
    (void)state;
    weir_pace_init(&p, 100, 0, 1, t0);
    assert_int_equal(weir_pace_failed(&p, WEIR_TROUBLE_BUSY, 17 * WEIR_S), 17 * WEIR_S);
    assert_int_equal(weir_pace_failed(&p, WEIR_TROUBLE_BUSY, WEIR_DAY), WEIR_HOUR);
}

static void a_backlog_goes_no_faster_than_its_rate(void **state)
{
    weir_pace p;
    weir_mono now = t0;
    uint64_t sent = 0;
    (void)state;
    weir_pace_init(&p, 1000, 2000, 1, t0);
    while (now.us < t0.us + 60 * WEIR_S) {
        const weir_mono at = weir_pace_backlog_at(&p, now);
        if (at.us > now.us) {
            now = at;
            continue;
        }
        weir_pace_backlog_sent(&p, 700);
        sent += 700;
        now.us += 20 * WEIR_MS;
    }
    assert_in_range(sent, 59 * 2000, 61 * 2000);
    now.us += WEIR_HOUR; /* a pause is no credit */
    assert_int_equal(weir_pace_backlog_at(&p, now).us, now.us);
    weir_pace_backlog_sent(&p, 1000);
    assert_true(weir_pace_backlog_at(&p, now).us > now.us + 400 * WEIR_MS);
}

/* faults.md 41: a send takes a second and 100 us for each row. */
static void a_second_for_any_send_does_not_make_sends_small(void **state)
{
    weir_pace p;
    uint64_t sent = 0;
    (void)state;
    weir_pace_init(&p, 50000, 0, 1, t0);
    for (int i = 0; i < 60; i++) {
        const size_t n = weir_pace_size(&p);
        weir_pace_delivered(&p, n, WEIR_S + (int64_t)n * 100, t0);
        sent += i >= 30 ? n : 0;
    }
    /* Twice as long as a single row takes: half of the time is the rows'. */
    assert_in_range(weir_pace_size(&p), 8000, 12000);
    assert_in_range(sent, 30 * 8000, 30 * 12000);
    for (int i = 0; i < 20; i++) /* the way is quick again */
        weir_pace_delivered(&p, weir_pace_size(&p), (int64_t)weir_pace_size(&p) * 100, t0);
    assert_in_range(weir_pace_size(&p), 4000, 6000);
}

static void rate_and_median_are_of_late(void **state)
{
    weir_pace p;
    (void)state;
    weir_pace_init(&p, 1000, 0, 1, t0);
    assert_int_equal(weir_pace_rtt(&p), 0);
    for (int i = 0; i < 100; i++)
        weir_pace_delivered(&p, 200, i == 50 ? WEIR_S : (10 + i / 70) * WEIR_MS,
                            weir_mono_add(t0, i * WEIR_S));
    assert_int_equal(weir_pace_rtt(&p), 11 * WEIR_MS);
    assert_true(weir_pace_rate(&p, weir_mono_add(t0, 99 * WEIR_S)) == 200);
    assert_true(weir_pace_rate(&p, weir_mono_add(t0, 104 * WEIR_S)) == 100);
    assert_true(weir_pace_rate(&p, weir_mono_add(t0, 200 * WEIR_S)) == 0);
}

static void the_rate_of_a_backlog_is_what_it_shrank_by_of_late(void **state)
{
    (void)state;
    weir_pace p;
    weir_mono now = {1000 * WEIR_S};
    weir_pace_init(&p, 1000, 0, 1, now);
    assert_true(weir_pace_backlog_rate(&p, now) == 0);
    for (int i = 0; i < 30; i++) { /* a large send each 10 s, and what comes to it */
        if (i % 10 == 0)
            weir_pace_backlog_less(&p, 5000, now);
        weir_pace_backlog_less(&p, -100, now);
        now.us += WEIR_S;
    }
    const double rate = weir_pace_backlog_rate(&p, now);
    assert_true(rate > 380 && rate < 420);
    now.us += 59 * WEIR_S; /* long ago */
    assert_true(weir_pace_backlog_rate(&p, now) < 0.001);
    weir_pace_backlog_less(&p, -100, now);
    assert_true(weir_pace_backlog_rate(&p, now) == -100); /* it grows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_size_settles_where_a_send_takes_half_a_second),
        cmocka_unit_test(a_slow_server_makes_batches_smaller_and_a_quick_one_larger_again),
        cmocka_unit_test(few_rows_that_were_quick_do_not_make_the_next_batch_large),
        cmocka_unit_test(too_large_halves_or_obeys_and_recovers_slowly),
        cmocka_unit_test(waits_double_up_to_their_limit_with_chance),
        cmocka_unit_test(the_wish_of_the_other_side_counts_up_to_an_hour),
        cmocka_unit_test(a_backlog_goes_no_faster_than_its_rate),
        cmocka_unit_test(the_rate_of_a_backlog_is_what_it_shrank_by_of_late),
        cmocka_unit_test(a_second_for_any_send_does_not_make_sends_small),
        cmocka_unit_test(rate_and_median_are_of_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
