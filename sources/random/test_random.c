/* SPDX-License-Identifier: MIT */
/* The random source: where its numbers lie, and that a seed gives them again. */

#include "sources/random/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void plain_point_gets_hundredths_from_15_to_18(void **state)
{
    weir_point point = WEIR_POINT_INIT;
    weir_random random = {1};
    double least = 99, most = 0;
    (void)state;
    point.type = WEIR_TYPE_FLOAT64;
    for (int i = 0; i < 20000; i++) {
        const weir_value v = weir_random_value(&point, &random);
        char text[40];
        assert_int_equal(v.kind, WEIR_KIND_F64);
        assert_true(v.as.f64 >= 15 && v.as.f64 <= 18);
        assert_true(weir_value_text(&v, text, sizeof text) <= 5); /* "16.37" */
        least = fmin(least, v.as.f64);
        most = fmax(most, v.as.f64);
    }
    assert_true(least == 15 && most == 18); /* both ends: 301 numbers, 20000 draws */
}

static void point_with_limits_gets_whole_steps_between_them(void **state)
{
    weir_point point = WEIR_POINT_INIT;
    weir_random random = {2};
    bool seen[5] = {false};
    (void)state;
    point.type = WEIR_TYPE_INT16;
    point.simulate = (weir_simulate){.wave = WEIR_WAVE_RANDOM_WALK,
                                     .min = -20,
                                     .max = 20,
                                     .resolution_mantissa = 1,
                                     .resolution_exponent = 1};
    for (int i = 0; i < 1000; i++) {
        const weir_value v = weir_random_value(&point, &random);
        assert_int_equal(v.kind, WEIR_KIND_I64);
        assert_true(v.as.i >= -20 && v.as.i <= 20 && v.as.i % 10 == 0);
        seen[v.as.i / 10 + 2] = true;
    }
    for (int i = 0; i < 5; i++)
        assert_true(seen[i]);
}

static void same_seed_gives_the_same_numbers(void **state)
{
    weir_point point = WEIR_POINT_INIT;
    weir_random a = {3}, b = {3};
    (void)state;
    point.type = WEIR_TYPE_FLOAT64;
    for (int i = 0; i < 100; i++) {
        const weir_value x = weir_random_value(&point, &a), y = weir_random_value(&point, &b);
        assert_true(weir_value_identical(&x, &y));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_point_gets_hundredths_from_15_to_18),
        cmocka_unit_test(point_with_limits_gets_whole_steps_between_them),
        cmocka_unit_test(same_seed_gives_the_same_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
