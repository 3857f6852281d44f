/* SPDX-License-Identifier: MIT */
/* Tests of parsing and printing numbers, durations and sizes. */

#include "base/number.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"

static void whole_numbers_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t want;
    } cases[] = {
        {"0", true, 0},
        {"+7", true, 7},
        {"-7", true, -7},
        {"0755", true, 755},
        {"0x10", true, 16},
        {"-0XfF", true, -255},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+-1", false, 0},
        {"0x", false, 0},
        {"1 ", false, 0},
        {" 1", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
        {"12a", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t v = 42;
        if (weir_parse_i64(cases[i].text, &v) != cases[i].ok ||
            v != (cases[i].ok ? cases[i].want : 42))
            fail_msg("\"%s\" gave %lld", cases[i].text, (long long)v);
    }
}

static void unsigned_numbers_reach_to_the_last_bit(void **state)
{
    (void)state;
    uint64_t v = 42;
    assert_true(weir_parse_u64("18446744073709551615", &v));
    assert_true(v == UINT64_MAX);
    assert_true(weir_parse_u64("0xffffffffffffffff", &v));
    assert_true(v == UINT64_MAX);
    assert_false(weir_parse_u64("18446744073709551616", &v));
    assert_false(weir_parse_u64("0x10000000000000000", &v));
    assert_false(weir_parse_u64("-1", &v));
}

static void doubles_are_decimal_and_finite(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",    ".",   "e5",   "1e",    "1e+", "nan", "inf",
                                        "0x1", "1,5", "1.5x", "1e999", " 1",  "--1"};
    double v = 42;
    assert_true(weir_parse_double("-1.5e3", &v));
    assert_true(v == -1500);
    assert_true(weir_parse_double(".5", &v));
    assert_true(v == 0.5);
    assert_true(weir_parse_double("5.", &v));
    assert_true(v == 5);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (weir_parse_double(wrong[i], &v))
            fail_msg("\"%s\" was accepted", wrong[i]);
    assert_true(v == 5);
}

static void decimals_stay_exact_and_shortest(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t mantissa;
        int exponent;
    } cases[] = {
        {"0.001", true, 1, -3},
        {"0.0010", true, 1, -3},
        {"1e-3", true, 1, -3},
        {"100", true, 1, 2},
        {"-12.50", true, -125, -1},
        {"+1.05", true, 105, -2},
        {"10.0", true, 1, 1},
        {"1001000", true, 1001, 3},
        {"0", true, 0, 0},
        {"-0.000", true, 0, 0},
        {"0e500", true, 0, 0},
        {"1.52587890625E-5", true, 152587890625, -16},
        {"9223372036854775807", true, INT64_MAX, 0},
        {"9223372036854775808", false, 0, 0},
        {"1e127", true, 1, 127},
        {"1e128", false, 0, 0},
        {"1e-128", true, 1, -128},
        {"1e-129", false, 0, 0},
        {"0.0000000000000000000000000000000000000001", true, 1, -40},
        {"1e99999999999999999999", false, 0, 0},
        {"1.2.3", false, 0, 0},
        {"x", false, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t m = 42;
        int8_t e = 42;
        const bool ok = weir_parse_decimal(cases[i].text, &m, &e);
        if (ok != cases[i].ok || m != (ok ? cases[i].mantissa : 42) ||
            e != (ok ? cases[i].exponent : 42))
            fail_msg("\"%s\" gave %d: %lld e%d", cases[i].text, ok, (long long)m, e);
    }
}

static void durations_need_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t us;
    } cases[] = {
        {"1s", true, 1000000},
        {"250ms", true, 250000},
        {"1h30m", true, 5400000000},
        {"90d", true, 7776000000000},
        {"100us", true, 100},
        {"1.5s", true, 1500000},
        {"0", true, 0},
        {"0s", true, 0},
        {"2 min", true, 120000000},
        {"1w", true, 604800000000},
        {"5", false, 0},
        {"", false, 0},
        {"s", false, 0},
        {"-1s", false, 0},
        {"1x", false, 0},
        {"0.1us", false, 0},
        {"1s ", false, 0},
        {"1.0000001s", false, 0},
        {"99999999w", false, 0},
        {"1S", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t v = 42;
        const bool ok = weir_parse_duration(cases[i].text, &v);
        if (ok != cases[i].ok || v != (ok ? cases[i].us : 42))
            fail_msg("\"%s\" gave %d: %lld", cases[i].text, ok, (long long)v);
    }
}

static void sizes_know_thousands_and_powers_of_two(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t bytes;
    } cases[] = {
        {"500MB", true, 500000000},
        {"1.5GiB", true, 1610612736},
        {"4096B", true, 4096},
        {"1kB", true, 1000},
        {"1KiB", true, 1024},
        {"2 TB", true, 2000000000000},
        {"0", true, 0},
        {"5", false, 0},
        {"1.5B", false, 0},
        {"1GB2MB", false, 0},
        {"0.999999TiB", false, 0},
        {"99999999TiB", false, 0},
        {"50%", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t v = 42;
        const bool ok = weir_parse_size(cases[i].text, &v);
        if (ok != cases[i].ok || v != (ok ? cases[i].bytes : 42))
            fail_msg("\"%s\" gave %d: %llu", cases[i].text, ok, (unsigned long long)v);
    }
}

static void powers_of_ten_are_a_table(void **state)
{
    (void)state;
    uint64_t u = 1;
    for (unsigned n = 0; n < 20; n++, u *= 10)
        assert_true(weir_pow10_u64(n) == u);
    assert_true(weir_pow10_u64(20) == 0);
    assert_true(weir_pow10_double(22) == 1e22);
    assert_true(weir_pow10_double(-3) == 1e-3);
    assert_true(weir_pow10_double(300) == 1e300);
}

static void doubles_print_shortest_and_read_back(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *want;
    } cases[] = {
        {0.1, "0.1"},
        {230.1, "230.1"},
        {1.0, "1"},
        {-0.0, "-0"},
        {1e20, "1e+20"},
        {0.1 + 0.2, "0.30000000000000004"},
        {5e-324, "5e-324"},
        {1e-310, "1e-310"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {(double)NAN, "NaN"},
        {(double)INFINITY, "Infinity"},
        {-(double)INFINITY, "-Infinity"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        weir_text_add_double(&t, cases[i].v);
        assert_string_equal(weir_text_get(&t), cases[i].want);
    }
    weir_random random = {1};
    for (int i = 0; i < 20000; i++) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        const uint64_t bits = weir_random_u64(&random);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        weir_text_add_double(&t, v);
        const double back = strtod(weir_text_get(&t), NULL);
        assert_memory_equal(&back, &v, sizeof v);
    }
}

static void floats_print_shortest_and_read_back(void **state)
{
    (void)state;
    static const struct {
        float v;
        const char *want;
    } cases[] = {
        {230.1f, "230.1"},          {0.1f, "0.1"}, {16777216.0f, "16777216"}, {1e-45f, "1e-45"},
        {FLT_MAX, "3.4028235e+38"}, {-0.0f, "-0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        weir_text_add_float(&t, cases[i].v);
        assert_string_equal(weir_text_get(&t), cases[i].want);
    }
    weir_random random = {2};
    for (int i = 0; i < 20000; i++) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        const uint32_t bits = (uint32_t)weir_random_u64(&random);
        float v;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        weir_text_add_float(&t, v);
        const float back = strtof(weir_text_get(&t), NULL);
        assert_memory_equal(&back, &v, sizeof v);
    }
}

static void decimals_print_plain_while_short(void **state)
{
    (void)state;
    static const struct {
        int64_t mantissa;
        int8_t exponent;
        const char *want;
    } cases[] = {
        {12300, -4, "1.23"},
        {2301, -1, "230.1"},
        {-5, -3, "-0.005"},
        {100, -2, "1"},
        {12, 3, "12000"},
        {0, -5, "0"},
        {7, 0, "7"},
        {5, 25, "5e25"},
        {-7, -100, "-7e-100"},
        {INT64_MIN, 0, "-9223372036854775808"},
        {INT64_MAX, -19, "0.9223372036854775807"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        weir_text_add_decimal(&t, cases[i].mantissa, cases[i].exponent);
        assert_string_equal(weir_text_get(&t), cases[i].want);
    }
}

static void durations_and_sizes_print_with_units(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *want;
    } durations[] = {
        {1000000, "1s"},
        {90000000, "1m30s"},
        {250000, "250ms"},
        {0, "0s"},
        {-1500000, "-1s500ms"},
        {86400000000, "1d"},
        {INT64_MIN, "-106751991d4h54s775ms808us"},
    };
    static const struct {
        uint64_t bytes;
        const char *want;
    } sizes[] = {
        {0, "0 B"},
        {512, "512 B"},
        {1500000, "1.5 MB"},
        {999999, "1000 kB"},
        {UINT64_MAX, "18446744 TB"},
        {99960, "100 kB"},
    };
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        weir_text_add_duration(&t, durations[i].us);
        assert_string_equal(weir_text_get(&t), durations[i].want);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        weir_text_add_size(&t, sizes[i].bytes);
        assert_string_equal(weir_text_get(&t), sizes[i].want);
    }
}

static void random_numbers_repeat_and_stay_below_their_bound(void **state)
{
    (void)state;
    weir_random a = {42}, b = {42};
    /* First output of splitmix64 for seed 0, from Vigna's reference code. */
    weir_random zero = {0};
    assert_true(weir_random_u64(&zero) == 0xe220a8397b1dcdafu);
    unsigned counts[10] = {0};
    for (int i = 0; i < 10000; i++) {
        const uint64_t v = weir_random_below(&a, 10);
        assert_true(v == weir_random_below(&b, 10));
        assert_true(v < 10);
        counts[v]++;
        const double unit = weir_random_unit(&a);
        assert_true(unit >= 0 && unit < 1);
        (void)weir_random_unit(&b);
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], 900, 1100);
    /* The product's upper half at the largest bound is the number less one carry. */
    weir_random c = {0};
    assert_true(weir_random_below(&c, UINT64_MAX) == 0xe220a8397b1dcdaeu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_read_whole_or_not_at_all),
        cmocka_unit_test(unsigned_numbers_reach_to_the_last_bit),
        cmocka_unit_test(doubles_are_decimal_and_finite),
        cmocka_unit_test(decimals_stay_exact_and_shortest),
        cmocka_unit_test(durations_need_units),
        cmocka_unit_test(sizes_know_thousands_and_powers_of_two),
        cmocka_unit_test(powers_of_ten_are_a_table),
        cmocka_unit_test(doubles_print_shortest_and_read_back),
        cmocka_unit_test(floats_print_shortest_and_read_back),
        cmocka_unit_test(decimals_print_plain_while_short),
        cmocka_unit_test(durations_and_sizes_print_with_units),
        cmocka_unit_test(random_numbers_repeat_and_stay_below_their_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
