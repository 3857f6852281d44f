/* SPDX-License-Identifier: MIT */
/* Tests of sums of sines, against the formula of EMDC's gendata. */

#include "model/fourier.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N_MAX = 20000 };
static weir_wall ts[N_MAX];
static double values[N_MAX];

/* 2017-12-23T00:00:00Z, two days at one sample each 100 s: EMDC's sample-sawtooth.json. */
#define START 1513987200000000
static weir_fourier_term sawtooth[] = {
    {{START}, 100 * WEIR_S, 0, 1727, 86400, 0, -0.318, 0, 0},
    {{START}, 100 * WEIR_S, 0, 1727, 43200, 0, -0.159, 0, 0},
    {{START}, 100 * WEIR_S, 0, 1727, 12342.857, 0, -0.045, 0, 0},
};

/* value = offset + A_cos * cos(omega * t) + A_sin * sin(omega * t) */
static double formula(const weir_fourier_term *t, int64_t at)
{
    const double omega = 2 * M_PI / t->period_s, seconds = (double)(at - t->start.us) / 1e6;
    return t->offset + t->cos * cos(omega * seconds) + t->sin * sin(omega * seconds);
}

static size_t fill(weir_fourier *f, uint64_t seed, int64_t from, int64_t to, size_t capacity)
{
    weir_fourier_walk *walk = weir_fourier_walk_new(f, seed);
    assert_non_null(walk);
    const size_t n =
        weir_fourier_fill(walk, (weir_wall){from}, (weir_wall){to}, capacity, ts, values);
    weir_fourier_walk_free(walk);
    return n;
}

static void terms_of_one_grid_are_summed_as_the_formula_says(void **state)
{
    (void)state;
    weir_fourier f = {333014, 3, sawtooth};
    assert_int_equal(weir_fourier_count(&f), 1727);
    assert_int_equal(
        weir_fourier_count_between(&f, (weir_wall){START + 1}, (weir_wall){START + 300 * WEIR_S}),
        2);
    assert_int_equal(fill(&f, 1, INT64_MIN / 4, INT64_MAX / 4, N_MAX), 1727);
    for (size_t i = 0; i < 1727; i++) {
        double want = 0;
        for (size_t k = 0; k < 3; k++)
            want += formula(&sawtooth[k], ts[i].us);
        assert_int_equal(ts[i].us, START + (int64_t)i * 100 * WEIR_S);
        assert_true(fabs(values[i] - want) < 1e-12);
    }
}

static void terms_of_other_grids_are_summed_where_they_meet(void **state)
{
    (void)state;
    weir_fourier_term terms[] = {
        {{START}, 2 * WEIR_S, 0, 100, 60, 3, 0, 1, 0},
        {{START + WEIR_S}, 3 * WEIR_S, 0, 50, 90, 0, 2, 5, 0},
    };
    weir_fourier f = {1, 2, terms};
    const size_t n = fill(&f, 1, START, START + 200 * WEIR_S, N_MAX);
    size_t i = 0, both = 0;
    for (int64_t at = START; at < START + 200 * WEIR_S; at += WEIR_S) {
        const int64_t s = (at - START) / WEIR_S;
        const bool first = s % 2 == 0, second = s >= 1 && (s - 1) % 3 == 0 && (s - 1) / 3 < 50;
        if (!first && !second)
            continue;
        const double want =
            (first ? formula(&terms[0], at) : 0) + (second ? formula(&terms[1], at) : 0);
        assert_true(i < n);
        assert_int_equal(ts[i].us, at);
        assert_true(fabs(values[i] - want) < 1e-12);
        both += first && second;
        i++;
    }
    assert_int_equal(i, n);
    assert_int_equal(weir_fourier_count_between(&f, (weir_wall){START}, (weir_wall){INT64_MAX / 4}),
                     n);
    assert_int_equal(weir_fourier_count_between(&f, (weir_wall){ts[3].us}, (weir_wall){ts[9].us}),
                     6);
    assert_true(both > 20);
}

static void a_value_does_not_depend_on_where_a_stretch_began(void **state)
{
    (void)state;
    static weir_wall all_ts[1727];
    static double all[1727];
    sawtooth[0].spread = 0.5;
    weir_fourier f = {7, 3, sawtooth};
    assert_int_equal(fill(&f, 5, START, START + 3 * WEIR_DAY, N_MAX), 1727);
    for (size_t i = 0; i < 1727; i++) {
        all_ts[i] = ts[i];
        all[i] = values[i];
    }
    for (size_t i = 0; i < 1727; i += 37) {
        const size_t n = fill(&f, 5, all_ts[i].us - 1, START + 3 * WEIR_DAY, 300);
        assert_int_equal(n, 1727 - i < 300 ? 1727 - i : 300);
        for (size_t j = 0; j < n; j++) {
            assert_int_equal(ts[j].us, all_ts[i + j].us);
            assert_true(values[j] == all[i + j]);
        }
    }
    sawtooth[0].spread = 0;
}

static void noise_is_within_its_spread_even_and_of_its_seed_and_topic(void **state)
{
    (void)state;
    weir_fourier_term term = {{START}, WEIR_S, 0, 10000, 86400, 0, 0, 1, 0.5};
    weir_fourier f = {1, 1, &term};
    double low = 9, high = -9, sum = 0, seen[100];
    assert_int_equal(fill(&f, 1, START, INT64_MAX / 4, N_MAX), 10000);
    for (size_t i = 0; i < 10000; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
        sum += values[i];
        if (i < 100)
            seen[i] = values[i];
    }
    assert_true(low >= 0.5 && low < 0.51 && high <= 1.5 && high > 1.49);
    assert_true(fabs(sum / 10000 - 1) < 0.02);
    (void)fill(&f, 1, START, INT64_MAX / 4, 100);
    assert_memory_equal(values, seen, sizeof seen);
    (void)fill(&f, 2, START, INT64_MAX / 4, 100);
    assert_memory_not_equal(values, seen, sizeof seen);
    f.id = 2;
    (void)fill(&f, 1, START, INT64_MAX / 4, 100);
    assert_memory_not_equal(values, seen, sizeof seen);
}

static void another_range_keeps_phase_and_grid(void **state)
{
    (void)state;
    weir_fourier_term terms[3] = {sawtooth[0], sawtooth[1], sawtooth[2]};
    weir_fourier f = {1, 3, terms};
    weir_wall first, last;
    const int64_t from = START - 365 * WEIR_DAY + 7, to = START - 364 * WEIR_DAY;
    weir_fourier_set_range(&f, (weir_wall){from}, (weir_wall){to});
    assert_true(weir_fourier_range(&f, &first, &last));
    assert_true(first.us >= from && first.us < from + 100 * WEIR_S && last.us < to);
    assert_int_equal((START - first.us) % (100 * WEIR_S), 0);
    const size_t n = fill(&f, 1, INT64_MIN / 4, INT64_MAX / 4, N_MAX);
    assert_int_equal(n, 863); /* a day has 864, the first is a little before `from` */
    for (size_t i = 0; i < n; i++) {
        double want = 0;
        for (size_t k = 0; k < 3; k++)
            want += formula(&terms[k], ts[i].us);
        assert_true(fabs(values[i] - want) < 1e-9);
    }
}

static void another_step_covers_the_same_time(void **state)
{
    (void)state;
    weir_fourier_term term = sawtooth[0];
    weir_fourier f = {1, 1, &term};
    weir_wall first, last;
    weir_fourier_set_step(&f, WEIR_S);
    assert_int_equal(weir_fourier_step(&f), WEIR_S);
    assert_int_equal(weir_fourier_count(&f), 172700);
    assert_true(weir_fourier_range(&f, &first, &last));
    assert_int_equal(first.us, START);
    assert_int_equal(last.us, START + 172699 * WEIR_S);
    weir_fourier_set_range(&f, first, first);
    assert_false(weir_fourier_range(&f, &first, &last));
    assert_int_equal(fill(&f, 1, INT64_MIN / 4, INT64_MAX / 4, N_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_of_one_grid_are_summed_as_the_formula_says),
        cmocka_unit_test(terms_of_other_grids_are_summed_where_they_meet),
        cmocka_unit_test(a_value_does_not_depend_on_where_a_stretch_began),
        cmocka_unit_test(noise_is_within_its_spread_even_and_of_its_seed_and_topic),
        cmocka_unit_test(another_range_keeps_phase_and_grid),
        cmocka_unit_test(another_step_covers_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
