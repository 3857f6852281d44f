/* SPDX-License-Identifier: MIT */
/* Summaries: what counts as a number, falls, and that joining is adding one by one. */

#include "blocks/summary.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static weir_sample sample(int64_t ts, weir_value value, weir_quality quality)
{
    return (weir_sample){.tag = 1, .ts = {ts}, .value = value, .quality = quality};
}

static void only_good_and_uncertain_numbers_are_numbers(void **state)
{
    (void)state;
    const weir_quality uncertain = weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_LATE, 0);
    const struct {
        weir_value value;
        weir_quality quality;
        bool number;
    } cases[] = {
        {weir_value_f64(1.5), 0, true},
        {weir_value_bool(true), uncertain, true},
        {weir_value_u64(UINT64_MAX), 0, true},
        {weir_value_decimal(123, -2), 0, true},
        {weir_value_f64(INFINITY), 0, true},
        {weir_value_f64(NAN), uncertain, false},
        {weir_value_null(), uncertain, false},
        {weir_value_string("7", 1), 0, false},
        {weir_value_i64(7), weir_bad(WEIR_CAUSE_RANGE, 0), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double x;
        weir_summary t = {0};
        weir_sample s = sample(5, cases[i].value, cases[i].quality);
        weir_summary_add(&t, &s);
        assert_int_equal(weir_summary_number(&s, &x), cases[i].number);
        assert_int_equal(t.numbers, cases[i].number);
        assert_int_equal(t.count, 1);
        assert_int_equal(t.good, cases[i].quality == 0);
        assert_int_equal(t.bad, weir_quality_class(cases[i].quality) == WEIR_BAD);
    }
}

static void a_counter_that_only_grows_has_no_falls_and_one_reset_is_one(void **state)
{
    (void)state;
    const int64_t values[] = {100, 101, 101, 105, 3, 4};
    weir_summary t = {0};
    for (size_t i = 0; i < 6; i++) {
        weir_sample s = sample((int64_t)i, weir_value_i64(values[i]), 0);
        weir_summary_add(&t, &s);
        assert_int_equal(t.falls, i >= 4);
    }
    assert_int_equal(t.first.as.i, 100);
    assert_int_equal(t.last.as.i, 4);
    assert_int_equal(t.last_ts.us, 5);
    assert_true(t.min == 3 && t.max == 105 && t.sum == 414);
}

static weir_sample random_sample(weir_random *r, int64_t ts)
{
    const weir_quality qualities[] = {0, 0, 0, weir_quality_of(WEIR_UNCERTAIN, 1, 2),
                                      weir_bad(WEIR_CAUSE_TIMEOUT, 0)};
    const weir_value values[] = {weir_value_i64((int64_t)weir_random_below(r, 100)),
                                 weir_value_f64((double)weir_random_below(r, 100)),
                                 weir_value_decimal((int64_t)weir_random_below(r, 100), 0),
                                 weir_value_f64(NAN),
                                 weir_value_null(),
                                 weir_value_string("x", 1)};
    return sample(ts, values[weir_random_below(r, 6)], qualities[weir_random_below(r, 5)]);
}

static void assert_same(const weir_summary *a, const weir_summary *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->good, b->good);
    assert_int_equal(a->bad, b->bad);
    assert_int_equal(a->numbers, b->numbers);
    if (a->numbers == 0)
        return;
    assert_true(a->min == b->min && a->max == b->max && a->sum == b->sum);
    assert_true(weir_value_identical(&a->first, &b->first));
    assert_true(weir_value_identical(&a->last, &b->last));
    assert_int_equal(a->first_ts.us, b->first_ts.us);
    assert_int_equal(a->last_ts.us, b->last_ts.us);
    assert_int_equal(a->falls, b->falls);
}

/* Whole numbers, so that sums are exact in any order. */
static void joining_parts_is_adding_one_by_one(void **state)
{
    (void)state;
    weir_random r = {3};
    for (int round = 0; round < 2000; round++) {
        weir_summary all = {0}, joined = {0}, part = {0};
        size_t n = weir_random_below(&r, 30);
        for (size_t i = 0; i < n; i++) {
            weir_sample s = random_sample(&r, (int64_t)i);
            weir_summary_add(&all, &s);
            weir_summary_add(&part, &s);
            if (weir_random_below(&r, 3) == 0) {
                weir_summary_join(&joined, &part);
                part = (weir_summary){0};
            }
        }
        weir_summary_join(&joined, &part);
        assert_same(&all, &joined);
    }
}

/* Runs of one kind, as history has them, with something else now and then. */
static void adding_all_is_adding_one_by_one(void **state)
{
    enum { N = 400 };
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        weir_random r = {seed};
        weir_sample s[N];
        weir_summary one = {0}, all = {0};
        const uint8_t kind = (uint8_t)(seed % 6);
        for (size_t i = 0; i < N; i++) {
            const int64_t raw = (int64_t)weir_random_below(&r, 2000) - 1000;
            const weir_value values[] = {
                weir_value_i64(raw),
                weir_value_f64((double)raw / 7),
                weir_value_f32((float)raw / 7),
                weir_value_decimal(raw, -2),
                weir_value_decimal(raw * (1ll << 45), (int8_t)(raw % 3 ? -3 : -25)),
                weir_value_u64((uint64_t)raw),
            };
            s[i] = weir_random_below(&r, 40) == 0 ? random_sample(&r, (int64_t)i)
                                                  : sample((int64_t)i, values[kind], 0);
            weir_summary_add(&one, &s[i]);
        }
        const size_t cut = weir_random_below(&r, N);
        weir_summary_add_all(&all, s, cut);
        weir_summary_add_all(&all, s + cut, N - cut);
        assert_same(&one, &all);
        assert_memory_equal(&one.sum, &all.sum, sizeof one.sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_good_and_uncertain_numbers_are_numbers),
        cmocka_unit_test(a_counter_that_only_grows_has_no_falls_and_one_reset_is_one),
        cmocka_unit_test(joining_parts_is_adding_one_by_one),
        cmocka_unit_test(adding_all_is_adding_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
