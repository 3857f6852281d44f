/* SPDX-License-Identifier: MIT */
/* Tests of the anchor. */

#include "engine/anchor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

#define START 1767225600000000LL /* 2026-01-01 */

static void the_noise_of_reading_two_clocks_leaves_the_anchor_alone(void **state)
{
    (void)state;
    weir_anchor a;
    weir_anchor_set(&a, (weir_mono){0}, (weir_wall){START});
    for (int64_t t = WEIR_S; t < 60 * WEIR_S; t += WEIR_S)
        assert_int_equal(
            weir_anchor_check(&a, (weir_mono){t}, (weir_wall){START + t + t % 7 * 100}), 0);
    assert_int_equal(a.us, START);
}

static void a_small_drift_is_followed_by_a_twentieth_of_the_time_until_it_is_gone(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        weir_anchor a;
        weir_anchor_set(&a, (weir_mono){0}, (weir_wall){START});
        const int64_t drift = sign * 400 * WEIR_MS;
        int64_t before = a.us;
        for (int64_t t = WEIR_S; t <= 8 * WEIR_S; t += WEIR_S) {
            assert_int_equal(weir_anchor_check(&a, (weir_mono){t}, (weir_wall){START + t + drift}),
                             0);
            assert_int_equal(a.us - before, sign * 50 * WEIR_MS);
            before = a.us;
        }
        assert_int_equal(a.us, START + drift);
        weir_anchor_check(&a, (weir_mono){9 * WEIR_S}, (weir_wall){START + 9 * WEIR_S + drift});
        assert_int_equal(a.us, START + drift);
    }
}

static void from_half_a_second_on_it_is_a_step_that_waits_to_be_accepted(void **state)
{
    (void)state;
    static const struct {
        int64_t drift, want;
    } cases[] = {
        {499999, 0},
        {500000, 500000},
        {-499999, 0},
        {-500000, -500000},
        {3600 * WEIR_S, 3600 * WEIR_S},
        {-3600 * WEIR_S, -3600 * WEIR_S},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_anchor a;
        weir_anchor_set(&a, (weir_mono){0}, (weir_wall){START});
        const weir_mono now = {WEIR_S};
        const weir_wall wall = {START + WEIR_S + cases[i].drift};
        assert_int_equal(weir_anchor_check(&a, now, wall), cases[i].want);
        if (cases[i].want == 0)
            continue;
        assert_int_equal(a.us, START);
        weir_anchor_set(&a, now, wall);
        assert_int_equal(weir_anchor_wall(&a, now).us, wall.us);
        assert_int_equal(weir_anchor_check(&a, now, wall), 0);
    }
}

static void anchored_time_only_grows_however_the_clock_trembles(void **state)
{
    (void)state;
    weir_random random = {7};
    weir_anchor a;
    weir_anchor_set(&a, (weir_mono){0}, (weir_wall){START});
    int64_t t = 0, last = START, offset = 0;
    for (int i = 0; i < 100000; i++) {
        t += 1 + (int64_t)weir_random_below(&random, 300 * WEIR_MS);
        const int64_t drift = (int64_t)weir_random_below(&random, 900 * WEIR_MS) - 450 * WEIR_MS;
        offset = a.us - START + drift;
        assert_int_equal(weir_anchor_check(&a, (weir_mono){t}, (weir_wall){START + t + offset}), 0);
        const int64_t now = weir_anchor_wall(&a, (weir_mono){t}).us;
        assert_true(now > last);
        last = now;
    }
}

static void a_wall_time_that_cannot_be_true_is_not_plausible(void **state)
{
    (void)state;
    const int64_t year = 365 * WEIR_DAY;
    static const int64_t built = START;
    const struct {
        const char *name;
        int64_t wall, newest;
        bool want;
    } cases[] = {
        {"1970", 0, 0, false},
        {"a microsecond before the build", built - 1, 0, false},
        {"at the build", built, 0, true},
        {"seven years after it", built + 7 * year, 0, true},
        {"nine years after it", built + 9 * year, 0, false},
        {"nine years after it, two after the newest sample", built + 9 * year, built + 7 * year,
         true},
        {"23 hours before the newest sample", built + year, built + year + 23 * WEIR_HOUR, true},
        {"25 hours before it", built + year, built + year + 25 * WEIR_HOUR, false},
        {"before the build, near the newest sample", built - WEIR_HOUR, built - 2 * WEIR_HOUR,
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (weir_wall_plausible((weir_wall){cases[i].wall}, (weir_wall){built},
                                (weir_wall){cases[i].newest}) != cases[i].want)
            fail_msg("%s: want %d", cases[i].name, cases[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_noise_of_reading_two_clocks_leaves_the_anchor_alone),
        cmocka_unit_test(a_small_drift_is_followed_by_a_twentieth_of_the_time_until_it_is_gone),
        cmocka_unit_test(from_half_a_second_on_it_is_a_step_that_waits_to_be_accepted),
        cmocka_unit_test(anchored_time_only_grows_however_the_clock_trembles),
        cmocka_unit_test(a_wall_time_that_cannot_be_true_is_not_plausible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
