/* SPDX-License-Identifier: MIT */
/* Tests of the line protocol: escaping as the InfluxDB 1.x line protocol reference says. */

#include "model/line.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const weir_line_tag plain = {"weir", "m1/power", "m1", "kW"};

static void expect_line(const weir_line_tag *tag, weir_sample sample, uint32_t epoch,
                        const char *expected)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_line_add(&text, tag, &sample, epoch);
    assert_false(text.failed);
    assert_string_equal(weir_text_get(&text), expected);
}

static void each_kind_has_a_field_name_of_its_own(void **state)
{
    (void)state;
    const struct {
        weir_value value;
        const char *fields;
    } cases[] = {
        {weir_value_f64(230.1), "value=230.1"},
        {weir_value_f32(230.1f), "value=230.1"},
        {weir_value_decimal(48211300, -3), "value=48211.3"},
        {weir_value_i64(-5), "integer=-5i"},
        {weir_value_u64(7), "integer=7i"},
        {weir_value_u64(1ull << 63), "text=\"9223372036854775808\""},
        {weir_value_bool(true), "boolean=true"},
        {weir_value_bool(false), "boolean=false"},
        {weir_value_string("a \"b\" \\ c\nd", 11), "text=\"a \\\"b\\\" \\\\ c\nd\""},
        {weir_value_bytes((const uint8_t *)"\x00\xff", 2), "text=\"00 ff\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[200];
        (void)snprintf(expected, sizeof expected,
                       "weir,device=m1,tag=m1/power,unit=kW %s 1700000000000001000\n",
                       cases[i].fields);
        expect_line(&plain, (weir_sample){.ts = {1700000000000001}, .value = cases[i].value}, 0,
                    expected);
    }
}

static void a_sample_that_is_not_good_says_why(void **state)
{
    (void)state;
    expect_line(&plain, (weir_sample){.ts = {1}, .quality = weir_bad(WEIR_CAUSE_TIMEOUT, 0)}, 0,
                "weir,device=m1,tag=m1/power,unit=kW quality=\"bad\",cause=\"timeout\" 1000\n");
    expect_line(&plain,
                (weir_sample){.ts = {1},
                              .quality = weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_LATE, 0),
                              .value = weir_value_i64(1)},
                0,
                "weir,device=m1,tag=m1/power,unit=kW "
                "integer=1i,quality=\"uncertain\",cause=\"late\" 1000\n");
}

static void what_is_no_number_has_no_field(void **state)
{
    (void)state;
    const weir_value values[] = {weir_value_f64(NAN), weir_value_f64(INFINITY),
                                 weir_value_f32(-INFINITY), weir_value_null()};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        expect_line(&plain, (weir_sample){.ts = {1}, .value = values[i]}, 0,
                    "weir,device=m1,tag=m1/power,unit=kW "
                    "quality=\"uncertain\",cause=\"not_a_number\" 1000\n");
}

static void names_are_escaped_and_empty_ones_left_out(void **state)
{
    (void)state;
    const weir_line_tag tag = {"my plant,1", "a b/c=d,e\\", "",
                               "\xc2\xb0"
                               "C\n"};
    expect_line(&tag, (weir_sample){.ts = {0}, .value = weir_value_i64(1)}, 0,
                "my\\ plant\\,1,tag=a\\ b/c\\=d\\,e\\_,unit=\xc2\xb0"
                "C\\  integer=1i 0\n");
}

static void another_epoch_is_another_series(void **state)
{
    (void)state;
    expect_line(&plain, (weir_sample){.ts = {-1}, .value = weir_value_i64(1)}, 3,
                "weir,device=m1,epoch=3,tag=m1/power,unit=kW integer=1i -1000\n");
}

static void times_beyond_64_bits_of_nanoseconds_do_not_wrap(void **state)
{
    (void)state;
    expect_line(&plain, (weir_sample){.ts = {INT64_MAX}, .value = weir_value_i64(1)}, 0,
                "weir,device=m1,tag=m1/power,unit=kW integer=1i 9223372036854775000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_a_field_name_of_its_own),
        cmocka_unit_test(a_sample_that_is_not_good_says_why),
        cmocka_unit_test(what_is_no_number_has_no_field),
        cmocka_unit_test(names_are_escaped_and_empty_ones_left_out),
        cmocka_unit_test(another_epoch_is_another_series),
        cmocka_unit_test(times_beyond_64_bits_of_nanoseconds_do_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
