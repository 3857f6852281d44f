/* SPDX-License-Identifier: MIT */
/* Tests of the two kinds of time. */

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void times_print_as_utc_with_microseconds(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *want;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {1709210096789012, "2024-02-29T12:34:56.789012Z"},
        {951782400000000, "2000-02-29T00:00:00.000000Z"},
        {4107542400000000, "2100-03-01T00:00:00.000000Z"},
        {-62135596800000000, "0001-01-01T00:00:00.000000Z"},
        {253402300799999999, "9999-12-31T23:59:59.999999Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char b[28];
        weir_wall t = {42};
        weir_wall_format((weir_wall){cases[i].us}, b);
        assert_string_equal(b, cases[i].want);
        assert_true(weir_wall_parse(b, &t));
        assert_true(t.us == cases[i].us);
    }
}

static void times_beyond_four_digit_years_are_cut_to_them(void **state)
{
    (void)state;
    char b[28];
    weir_wall_format((weir_wall){INT64_MAX}, b);
    assert_string_equal(b, "9999-12-31T23:59:59.999999Z");
    weir_wall_format((weir_wall){INT64_MIN}, b);
    assert_string_equal(b, "0001-01-01T00:00:00.000000Z");
}

static void shorter_forms_are_read_as_well(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"2024-02-29", 1709164800000000},
        {"2024-02-29 12:34:56", 1709210096000000},
        {"2024-02-29T12:34:56Z", 1709210096000000},
        {"2024-02-29T12:34:56.5Z", 1709210096500000},
        {"2024-02-29T12:34:56.789", 1709210096789000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_wall t = {42};
        if (!weir_wall_parse(cases[i].text, &t) || t.us != cases[i].us)
            fail_msg("%s gave %lld", cases[i].text, (long long)t.us);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "2024",
        "2024-13-01",
        "2024-00-01",
        "2023-02-29",
        "1900-02-29",
        "2024-04-31",
        "0000-01-01",
        "2024-1-1",
        "2024-01-01T24:00:00",
        "2024-01-01T10:60:00",
        "2024-01-01T10:00:60",
        "2024-01-01T10:00",
        "2024-01-01T10:00:00.1234567",
        "2024-01-01T10:00:00+01:00",
        "2024-01-01x",
        "2024-01-01T10:00:00Zx",
    };
    weir_wall t = {42};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (weir_wall_parse(wrong[i], &t))
            fail_msg("\"%s\" was accepted", wrong[i]);
    assert_true(t.us == 42);
}

static void every_day_of_four_centuries_reads_back(void **state)
{
    (void)state;
    char b[28];
    for (int64_t day = -200000; day < 200000; day += 7) {
        weir_wall t;
        weir_wall_format((weir_wall){day * WEIR_DAY}, b);
        assert_true(weir_wall_parse(b, &t));
        assert_true(t.us == day * WEIR_DAY);
    }
}

static void multiples_are_floored_on_both_sides_of_1970(void **state)
{
    (void)state;
    assert_true(weir_floor_multiple(12, 5) == 10);
    assert_true(weir_floor_multiple(10, 5) == 10);
    assert_true(weir_floor_multiple(-1, 5) == -5);
    assert_true(weir_floor_multiple(-5, 5) == -5);
    assert_true(weir_floor_multiple(-6, 5) == -10);
    assert_true(weir_floor_divide(9, 5) == 1);
    assert_true(weir_floor_divide(-5, 5) == -1);
    assert_true(weir_floor_divide(-6, 5) == -2);
}

static void monotonic_time_saturates_at_never(void **state)
{
    (void)state;
    const weir_mono t = {100};
    assert_true(weir_mono_add(t, 5).us == 105);
    assert_true(weir_mono_add(t, INT64_MAX).us == WEIR_MONO_NEVER.us);
    assert_true(weir_mono_min(t, WEIR_MONO_NEVER).us == 100);
    assert_true(weir_mono_reached(t, t));
    assert_false(weir_mono_reached(t, (weir_mono){101}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_print_as_utc_with_microseconds),
        cmocka_unit_test(times_beyond_four_digit_years_are_cut_to_them),
        cmocka_unit_test(shorter_forms_are_read_as_well),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(every_day_of_four_centuries_reads_back),
        cmocka_unit_test(multiples_are_floored_on_both_sides_of_1970),
        cmocka_unit_test(monotonic_time_saturates_at_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
