/* SPDX-License-Identifier: MIT */
/* Tests of the schedule. */

#include "engine/schedule.h"

#include <stdlib.h>

#include "base/random.h"
#include "engine/test_bench.h"

static void schedule_of(bench *b, int64_t slack_us, weir_schedule *ret)
{
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_schedule_init(ret, &b->catalog, slack_us, &error), WEIR_OK);
}

static void the_first_slot_lies_after_now_even_if_now_is_one(void **state)
{
    (void)state;
    static const struct {
        int64_t now, want;
    } cases[] = {{BENCH_START, BENCH_START + 5 * WEIR_S},
                 {BENCH_START + 1, BENCH_START + 5 * WEIR_S},
                 {BENCH_START - 1, BENCH_START},
                 {-1, 0},
                 {-5 * WEIR_S, 0}};
    bench *b = bench_new();
    BENCH_ADD(b, 5 * WEIR_S);
    weir_schedule s;
    schedule_of(b, WEIR_MS, &s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_wall next = {0};
        weir_due due;
        weir_schedule_restart(&s, (weir_wall){cases[i].now});
        assert_true(weir_schedule_next(&s, &next));
        assert_int_equal(next.us, cases[i].want);
        assert_false(weir_schedule_take(&s, (weir_wall){cases[i].want - 1}, &due));
        assert_true(weir_schedule_take(&s, (weir_wall){cases[i].want}, &due));
        assert_int_equal(due.slot.us, cases[i].want);
        assert_int_equal(due.missed, 0);
        assert_false(weir_schedule_take(&s, (weir_wall){cases[i].want}, &due));
    }
    weir_schedule_deinit(&s);
    bench_free(b);
}

static void intervals_meet_in_one_slot_and_part_after_a_pause(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, 1 * WEIR_S, 5 * WEIR_S, 10 * WEIR_S);
    weir_schedule s;
    schedule_of(b, WEIR_MS, &s);
    weir_schedule_restart(&s, (weir_wall){BENCH_START + 9500 * WEIR_MS});
    weir_due due;
    assert_true(weir_schedule_take(&s, (weir_wall){BENCH_START + 10 * WEIR_S}, &due));
    assert_int_equal(due.intervals, 7);
    assert_int_equal(due.next_us, WEIR_S);

    const weir_wall later = {BENCH_START + 73500 * WEIR_MS};
    assert_true(weir_schedule_take(&s, later, &due));
    assert_int_equal(due.intervals, 6);
    assert_int_equal(due.slot.us, BENCH_START + 70 * WEIR_S);
    assert_int_equal(due.next_us, 5 * WEIR_S);
    assert_int_equal(due.missed, 11 + 5); /* 15 .. 65 and 20 .. 60 */
    assert_true(weir_schedule_take(&s, later, &due));
    assert_int_equal(due.intervals, 1);
    assert_int_equal(due.slot.us, BENCH_START + 73 * WEIR_S);
    assert_int_equal(due.missed, 62); /* 11 .. 72 */
    assert_false(weir_schedule_take(&s, later, &due));
    weir_schedule_deinit(&s);
    bench_free(b);
}

static void devices_come_by_slot_and_within_a_slot_as_they_are_written(void **state)
{
    (void)state;
    bench *b = bench_new();
    weir_random random = {3};
    for (int i = 0; i < 200; i++)
        BENCH_ADD(b, (int64_t)(1 + weir_random_below(&random, 40)) * 50 * WEIR_MS);
    weir_schedule s;
    schedule_of(b, WEIR_MS, &s);
    weir_schedule_restart(&s, (weir_wall){BENCH_START});
    weir_due due, last = {0};
    for (int64_t t = BENCH_START; t < BENCH_START + 10 * WEIR_S; t += 50 * WEIR_MS)
        while (weir_schedule_take(&s, (weir_wall){t}, &due)) {
            assert_int_equal(due.slot.us, t);
            assert_true(due.slot.us > last.slot.us ||
                        (due.slot.us == last.slot.us && due.device > last.device));
            last = due;
        }
    weir_schedule_deinit(&s);
    bench_free(b);
}

static void slack_is_the_wish_or_a_tenth_of_the_shortest_enabled_interval(void **state)
{
    (void)state;
    bench *b = bench_new();
    weir_schedule s;
    BENCH_ADD(b, 10 * WEIR_MS)->enabled = false;
    BENCH_ADD(b, 1 * WEIR_S);
    schedule_of(b, 10 * WEIR_MS, &s);
    assert_int_equal(s.slack_us, 10 * WEIR_MS);
    weir_schedule_deinit(&s);
    BENCH_ADD(b, 50 * WEIR_MS, 1 * WEIR_S);
    schedule_of(b, 10 * WEIR_MS, &s);
    assert_int_equal(s.slack_us, 5 * WEIR_MS);
    weir_schedule_deinit(&s);
    bench_free(b);
}

static void an_interval_that_never_ends_or_too_many_are_refused(void **state)
{
    (void)state;
    bench *b = bench_new();
    weir_device *device = BENCH_ADD(b, 0);
    weir_schedule s;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_schedule_init(&s, &b->catalog, WEIR_MS, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "device 'm00': an interval of 0 us");
    device->n_intervals = WEIR_INTERVALS_MAX + 1;
    assert_int_equal(weir_schedule_init(&s, &b->catalog, WEIR_MS, &error), WEIR_EINVAL);
    assert_non_null(strstr(error.text, "device 'm00': "));
    assert_non_null(strstr(error.text, " intervals, at most "));
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_slot_lies_after_now_even_if_now_is_one),
        cmocka_unit_test(intervals_meet_in_one_slot_and_part_after_a_pause),
        cmocka_unit_test(devices_come_by_slot_and_within_a_slot_as_they_are_written),
        cmocka_unit_test(slack_is_the_wish_or_a_tenth_of_the_shortest_enabled_interval),
        cmocka_unit_test(an_interval_that_never_ends_or_too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
