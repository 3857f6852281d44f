/* SPDX-License-Identifier: MIT */
/* Tests of the waveforms. */

#include "sources/simulated/wave.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/number.h"
#include "base/random.h"

static const weir_wave_key key = {.seed = 1, .unit = 1, .element = 0};

/* 2026-03-01 12:00 UTC: any time a plant may be looked at. */
static const weir_wall noon = {1772366400LL * WEIR_S};

static weir_point float_point(weir_wave wave, double min, double max, int64_t period_us,
                              int64_t mantissa, int8_t exponent)
{
    return (weir_point){.name = "power",
                        .unit = "",
                        .description = "",
                        .table = WEIR_REGISTER_HOLDING,
                        .function = 3,
                        .type = WEIR_TYPE_FLOAT32,
                        .bit = -1,
                        .count = 1,
                        .scale = 1,
                        .simulate = {wave, min, max, period_us, mantissa, exponent}};
}

static weir_value value_at(const weir_point *p, weir_wave_key k, int64_t offset_us)
{
    static uint8_t room[WEIR_WAVE_ROOM];
    return weir_wave_value(p, k, (weir_wall){noon.us + offset_us}, room);
}

static double number_at(const weir_point *p, weir_wave_key k, int64_t offset_us)
{
    weir_value v = value_at(p, k, offset_us);
    double x = NAN;
    assert_true(weir_value_number(&v, &x));
    return x;
}

static void values_are_whole_steps_of_the_resolution_within_limits(void **state)
{
    (void)state;
    static const weir_wave waves[] = {WEIR_WAVE_SINE, WEIR_WAVE_RAMP, WEIR_WAVE_SQUARE,
                                      WEIR_WAVE_RANDOM_WALK};
    static const struct {
        int64_t mantissa;
        int8_t exponent;
    } resolutions[] = {{1, -1}, {5, -2}, {25, 0}, {1, 1}, {1, -6}};
    weir_random random = {42};
    for (size_t w = 0; w < sizeof waves / sizeof *waves; w++)
        for (size_t r = 0; r < sizeof resolutions / sizeof *resolutions; r++) {
            weir_point p = float_point(waves[w], -50, 250, 10 * WEIR_S, resolutions[r].mantissa,
                                       resolutions[r].exponent);
            for (int i = 0; i < 500; i++) {
                weir_value v = value_at(&p, key, (int64_t)weir_random_below(&random, WEIR_HOUR));
                double x = 0;
                assert_int_equal(v.kind, WEIR_KIND_DECIMAL);
                assert_int_equal(v.exponent, resolutions[r].exponent);
                assert_int_equal(v.as.i % resolutions[r].mantissa, 0);
                assert_true(weir_value_number(&v, &x) && x >= -50 && x <= 250);
            }
        }
}

static void limits_that_are_no_whole_step_are_kept(void **state)
{
    (void)state;
    /* 49.95 is a whole number of hundredths, though not in binary; 0.07 is none of 0.05. */
    weir_point p = float_point(WEIR_WAVE_SQUARE, 49.95, 50.05, WEIR_S, 1, -2);
    bool low = false, high = false;
    for (int64_t t = 0; t < 2 * WEIR_S; t += 10 * WEIR_MS) {
        weir_value v = value_at(&p, key, t);
        low |= v.as.i == 4995;
        high |= v.as.i == 5005;
        assert_true(v.as.i == 4995 || v.as.i == 5005);
    }
    assert_true(low && high);
    p = float_point(WEIR_WAVE_SQUARE, 0.07, 0.19, WEIR_S, 5, -2);
    for (int64_t t = 0; t < 2 * WEIR_S; t += 10 * WEIR_MS) {
        weir_value v = value_at(&p, key, t);
        assert_true(v.as.i == 10 || v.as.i == 15);
    }
}

static void a_wave_moves_through_its_range_in_a_period(void **state)
{
    (void)state;
    static const weir_wave waves[] = {WEIR_WAVE_SINE, WEIR_WAVE_RAMP, WEIR_WAVE_SQUARE};
    for (size_t w = 0; w < sizeof waves / sizeof *waves; w++) {
        weir_point p = float_point(waves[w], 10, 20, 10 * WEIR_S, 1, -1);
        double min = INFINITY, max = -INFINITY;
        for (int64_t t = 0; t < 10 * WEIR_S; t += 10 * WEIR_MS) {
            double x = number_at(&p, key, t);
            min = fmin(min, x);
            max = fmax(max, x);
            assert_true(x == number_at(&p, key, t + 10 * WEIR_S));
        }
        assert_true(min <= 10.1 && max >= 19.9);
    }
}

static void a_constant_is_its_min(void **state)
{
    (void)state;
    weir_point p = float_point(WEIR_WAVE_CONSTANT, 4, 4, WEIR_S, 0, 0);
    assert_true(number_at(&p, key, 0) == 4);
    assert_true(number_at(&p, key, WEIR_DAY) == 4);
}

static void a_random_walk_wanders_in_small_steps(void **state)
{
    (void)state;
    weir_point p = float_point(WEIR_WAVE_RANDOM_WALK, 0, 1000, 16 * WEIR_S, 1, 0);
    double last = number_at(&p, key, 0), min = last, max = last;
    for (int64_t t = 0; t < WEIR_HOUR; t += WEIR_S) {
        double x = number_at(&p, key, t);
        /* Two places of the finest octave are two steps apart: at most about 1/4 of the range. */
        assert_true(fabs(x - last) <= 260);
        last = x;
        min = fmin(min, x);
        max = fmax(max, x);
    }
    assert_true(max - min > 400);
}

static void a_counter_never_falls_and_grows_by_its_range_each_period(void **state)
{
    (void)state;
    static const struct {
        double min, max;
        int64_t period_us, mantissa;
        int8_t exponent;
    } cases[] = {
        {0, 1, 20 * WEIR_MINUTE, 1, -2},
        {48211, 48811, WEIR_HOUR, 1, -2},
        {0, 3, WEIR_S, 1, 0},
        {0, 7, 333333, 1, 0},
        {0, 1000000, WEIR_HOUR, 1, -3},
        {5, 6, WEIR_MINUTE, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_point p = float_point(WEIR_WAVE_COUNTER, cases[i].min, cases[i].max,
                                   cases[i].period_us, cases[i].mantissa, cases[i].exponent);
        weir_random random = {i};
        double last = number_at(&p, key, 0);
        double first = last;
        int64_t t = 0;
        for (int k = 0; k < 20000; k++) {
            t += (int64_t)weir_random_below(&random, (uint64_t)cases[i].period_us / 100);
            double x = number_at(&p, key, t);
            if (x < last)
                fail_msg("case %zu falls at +%lld us: %.9g to %.9g", i, (long long)t, last, x);
            last = x;
        }
        assert_true(last > first);
        for (int k = 0; k < 20; k++) {
            double span = cases[i].max - cases[i].min;
            double grown = number_at(&p, key, t + cases[i].period_us) - number_at(&p, key, t);
            assert_true(fabs(grown - span) <= span * 1e-5);
            t += cases[i].period_us / 7;
        }
    }
}

static void a_counter_turns_over_where_its_register_is_full(void **state)
{
    (void)state;
    /* 1 000 steps each second since 1970 are far beyond 16 bits. */
    weir_point p = float_point(WEIR_WAVE_COUNTER, 0, 1000, WEIR_S, 1, 0);
    p.type = WEIR_TYPE_UINT16;
    int falls = 0;
    double last = 0;
    for (int64_t t = 0; t < 200 * WEIR_S; t += 100 * WEIR_MS) {
        double x = number_at(&p, key, t);
        assert_true(x >= 0 && x <= 65535);
        falls += x < last;
        last = x;
    }
    assert_true(falls >= 3 && falls <= 4);
}

static void equal_keys_show_equal_values_and_others_do_not(void **state)
{
    (void)state;
    weir_point p = float_point(WEIR_WAVE_SINE, 0, 1e6, WEIR_MINUTE, 1, -3);
    const weir_wave_key others[] = {{2, 1, 0}, {1, 2, 0}, {1, 1, 1}};
    for (int64_t t = 0; t < WEIR_MINUTE; t += 7 * WEIR_S) {
        assert_true(number_at(&p, key, t) == number_at(&p, key, t));
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            assert_true(number_at(&p, key, t) != number_at(&p, others[i], t));
    }
    weir_point other = p;
    other.name = "voltage";
    assert_true(number_at(&p, key, 0) != number_at(&other, key, 0));
}

static void what_an_integer_register_shows_reads_back_exactly(void **state)
{
    (void)state;
    weir_point p = float_point(WEIR_WAVE_SINE, 4, 38, 40 * WEIR_S, 1, -2);
    p.type = WEIR_TYPE_INT32;
    assert_int_equal(weir_point_set_scale(&p, "0.01", NULL, NULL, NULL), WEIR_OK);
    for (int64_t t = 0; t < 40 * WEIR_S; t += WEIR_S) {
        uint8_t wire[4], text[8];
        size_t n;
        weir_quality quality;
        weir_writer room = weir_writer_of(text, sizeof text);
        weir_value shown = value_at(&p, key, t);
        assert_int_equal(weir_point_encode(&p, &shown, wire, sizeof wire, &n, NULL), WEIR_OK);
        weir_value read = weir_point_decode(&p, wire, n, &room, &quality);
        assert_true(weir_value_identical(&shown, &read));
    }
}

/* In any order of times: what is remembered of the last one must not show. */
static void a_shape_shows_what_its_point_shows_at_every_time(void **state)
{
    (void)state;
    weir_random random = {11};
    for (int wave = WEIR_WAVE_CONSTANT; wave <= WEIR_WAVE_COUNTER; wave++)
        for (int type = WEIR_TYPE_BOOL; type <= WEIR_TYPE_RAW; type++) {
            weir_point p = float_point((weir_wave)wave, -3, 70, 16 * WEIR_S, type % 3, -1);
            weir_wave_shape shape;
            p.type = (weir_type)type;
            p.length = 5;
            weir_wave_shape_init(&shape, &p, key);
            for (int i = 0; i < 100; i++) {
                uint8_t room[WEIR_WAVE_ROOM];
                const int64_t offset = (int64_t)weir_random_below(&random, WEIR_HOUR);
                const weir_value shown = value_at(&p, key, offset);
                const weir_value same =
                    weir_wave_shape_at(&shape, (weir_wall){noon.us + offset}, room);
                assert_true(weir_value_identical(&shown, &same));
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_whole_steps_of_the_resolution_within_limits),
        cmocka_unit_test(limits_that_are_no_whole_step_are_kept),
        cmocka_unit_test(a_wave_moves_through_its_range_in_a_period),
        cmocka_unit_test(a_constant_is_its_min),
        cmocka_unit_test(a_random_walk_wanders_in_small_steps),
        cmocka_unit_test(a_counter_never_falls_and_grows_by_its_range_each_period),
        cmocka_unit_test(a_counter_turns_over_where_its_register_is_full),
        cmocka_unit_test(equal_keys_show_equal_values_and_others_do_not),
        cmocka_unit_test(what_an_integer_register_shows_reads_back_exactly),
        cmocka_unit_test(a_shape_shows_what_its_point_shows_at_every_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
