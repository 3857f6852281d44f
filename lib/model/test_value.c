/* SPDX-License-Identifier: MIT */
/* Tests of values: identity, text, JSON and payload. */

#include "model/value.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct {
    const char *name;
    weir_value value;
    const char *text, *json, *payload; /* payload in hex */
} cases[] = {
    {"null", {0}, "", "null", ""},
    {"true", {.kind = WEIR_KIND_BOOL, .as.bits = 1}, "true", "true", "01"},
    {"false", {.kind = WEIR_KIND_BOOL}, "false", "false", "00"},
    {"i64", {.kind = WEIR_KIND_I64, .as.i = -5}, "-5", "-5", "fffffffffffffffb"},
    {"i64 lowest",
     {.kind = WEIR_KIND_I64, .as.i = INT64_MIN},
     "-9223372036854775808",
     "-9223372036854775808",
     "8000000000000000"},
    {"u64",
     {.kind = WEIR_KIND_U64, .as.u = INT64_MAX},
     "9223372036854775807",
     "9223372036854775807",
     "7fffffffffffffff"},
    {"u64 above 2^63-1 is text in JSON",
     {.kind = WEIR_KIND_U64, .as.u = 1ull << 63},
     "9223372036854775808",
     "\"9223372036854775808\"",
     "8000000000000000"},
    {"f32", {.kind = WEIR_KIND_F32, .as.f32 = 230.1f}, "230.1", "230.1", "4366199a"},
    {"f64", {.kind = WEIR_KIND_F64, .as.f64 = 230.1}, "230.1", "230.1", "406cc33333333333"},
    {"minus zero", {.kind = WEIR_KIND_F64, .as.f64 = -0.0}, "-0", "-0.0", "8000000000000000"},
    {"smallest f64", {.kind = WEIR_KIND_F64, .as.bits = 1}, "5e-324", "5e-324", "0000000000000001"},
    {"NaN",
     {.kind = WEIR_KIND_F64, .as.bits = 0x7ff8000000000000},
     "NaN",
     "\"NaN\"",
     "7ff8000000000000"},
    {"infinity",
     {.kind = WEIR_KIND_F32, .as.f32 = -INFINITY},
     "-Infinity",
     "\"-Infinity\"",
     "ff800000"},
    {"decimal",
     {.kind = WEIR_KIND_DECIMAL, .exponent = -1, .as.i = 2301},
     "230.1",
     "230.1",
     "ff00000000000008fd"},
    {"string",
     {.kind = WEIR_KIND_STRING, .length = 5, .as.text = "21\xc2\xb0\"..."},
     "21\xc2\xb0\"",
     "\"21\xc2\xb0\\\"\"",
     "3231c2b022"},
    {"empty string", {.kind = WEIR_KIND_STRING, .as.text = ""}, "", "\"\"", ""},
    {"bytes",
     {.kind = WEIR_KIND_BYTES, .length = 3, .as.bytes = (const uint8_t *)"\x00\x2a\xff"},
     "00 2a ff",
     "\"00 2a ff\"",
     "002aff"},
};
enum { N_CASES = sizeof cases / sizeof *cases };

static void each_kind_has_its_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        weir_value_format(&cases[i].value, &t);
        if (strcmp(weir_text_get(&t), cases[i].text) != 0)
            fail_msg("%s: %s", cases[i].name, weir_text_get(&t));
    }
}

static void each_kind_has_its_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        weir_value_format_json(&cases[i].value, &t);
        if (strcmp(weir_text_get(&t), cases[i].json) != 0)
            fail_msg("%s: %s", cases[i].name, weir_text_get(&t));
    }
}

static void each_kind_has_its_payload(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        uint8_t want[16], got[16];
        const int n = weir_hex_parse(cases[i].payload, want, sizeof want);
        assert_true(n >= 0);
        if (weir_value_payload(&cases[i].value, got, sizeof got) != (size_t)n ||
            memcmp(got, want, (size_t)n) != 0)
            fail_msg("%s", cases[i].name);
        if (n > 0)
            assert_int_equal(weir_value_payload(&cases[i].value, got, (size_t)n - 1), 0);
        weir_value back;
        assert_true(weir_value_of_payload(cases[i].value.kind, want, (size_t)n, &back));
        assert_true(weir_value_identical(&back, &cases[i].value));
        if (cases[i].value.kind < WEIR_KIND_STRING)
            assert_false(weir_value_of_payload(cases[i].value.kind, want, (size_t)n + 1, &back));
    }
    weir_value none;
    assert_false(weir_value_of_payload(WEIR_KIND_COUNT, NULL, 0, &none));
}

static void a_value_is_identical_to_itself_alone(void **state)
{
    (void)state;
    for (size_t a = 0; a < N_CASES; a++)
        for (size_t b = 0; b < N_CASES; b++)
            assert_int_equal(weir_value_identical(&cases[a].value, &cases[b].value), a == b);
}

static void identity_is_of_bits_and_content(void **state)
{
    (void)state;
    const weir_value one = weir_value_i64(1), one_f = weir_value_f64(1), one_u = weir_value_u64(1);
    const weir_value zero = weir_value_f64(0), minus_zero = weir_value_f64(-0.0);
    const weir_value a = weir_value_decimal(10, -1), b = weir_value_decimal(1, 0);
    const weir_value c = weir_value_decimal(1, -1);
    char text1[] = "abc", text2[] = "abd";
    weir_value s1 = weir_value_string(text1, 3), s2 = weir_value_string(text2, 3);
    assert_false(weir_value_identical(&one, &one_f));
    assert_false(weir_value_identical(&one, &one_u));
    assert_false(weir_value_identical(&zero, &minus_zero));
    assert_false(weir_value_identical(&a, &b));
    assert_false(weir_value_identical(&b, &c));
    assert_false(weir_value_identical(&s1, &s2));
    s2.length = s1.length = 2;
    assert_true(weir_value_identical(&s1, &s2));
    s2.kind = WEIR_KIND_BYTES;
    assert_false(weir_value_identical(&s1, &s2));
    /* A NaN is a value like another: the same bits are the same NaN. */
    weir_value nan1 = {.kind = WEIR_KIND_F64, .as.bits = 0x7ff8000000000001};
    weir_value nan2 = {.kind = WEIR_KIND_F64, .as.bits = 0x7ff8000000000002};
    assert_true(weir_value_identical(&nan1, &nan1));
    assert_false(weir_value_identical(&nan1, &nan2));
}

static void numbers_are_the_nearest_double(void **state)
{
    (void)state;
    static const struct {
        weir_value value;
        double want;
    } numbers[] = {
        {{.kind = WEIR_KIND_BOOL, .as.bits = 1}, 1},
        {{.kind = WEIR_KIND_I64, .as.i = -3}, -3},
        {{.kind = WEIR_KIND_U64, .as.u = UINT64_MAX}, 0x1p64},
        {{.kind = WEIR_KIND_F32, .as.f32 = 0.5f}, 0.5},
        {{.kind = WEIR_KIND_F64, .as.f64 = 0.1}, 0.1},
        {{.kind = WEIR_KIND_DECIMAL, .exponent = -1, .as.i = 3}, 0.3},
        {{.kind = WEIR_KIND_DECIMAL, .exponent = -3, .as.i = 230123}, 230.123},
        {{.kind = WEIR_KIND_DECIMAL, .exponent = 22, .as.i = -7}, -7e22},
        {{.kind = WEIR_KIND_DECIMAL, .exponent = -100, .as.i = 7}, 7e-100},
        /* Dividing by the double nearest to 10^23 would be one bit off. */
        {{.kind = WEIR_KIND_DECIMAL, .exponent = -23, .as.i = 5}, 5e-23},
        {{.kind = WEIR_KIND_DECIMAL, .exponent = -17, .as.i = 12345678901234567},
         0.12345678901234567},
        {{.kind = WEIR_KIND_DECIMAL, .as.i = INT64_MIN}, -0x1p63},
    };
    double v;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        v = 42;
        if (!weir_value_number(&numbers[i].value, &v) || v != numbers[i].want)
            fail_msg("row %zu: %.17g", i, v);
    }
    v = 42;
    const weir_value null = weir_value_null(), text = weir_value_string("1", 1);
    const weir_value bytes = weir_value_bytes((const uint8_t *)"1", 1);
    assert_false(weir_value_number(&null, &v));
    assert_false(weir_value_number(&text, &v));
    assert_false(weir_value_number(&bytes, &v));
    assert_true(v == 42);
}

static void kinds_keep_their_words(void **state)
{
    (void)state;
    /* On disk and in SQL: these pairs must never change. */
    static const char *const words[] = {"null", "bool",    "i64",    "u64",  "f32",
                                        "f64",  "decimal", "string", "bytes"};
    for (uint8_t i = 0; i < WEIR_KIND_COUNT; i++)
        assert_string_equal(weir_kind_text(i), words[i]);
    assert_string_equal(weir_kind_text(WEIR_KIND_COUNT), "?");
    assert_string_equal(weir_kind_text(255), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_text),
        cmocka_unit_test(each_kind_has_its_json),
        cmocka_unit_test(each_kind_has_its_payload),
        cmocka_unit_test(a_value_is_identical_to_itself_alone),
        cmocka_unit_test(identity_is_of_bits_and_content),
        cmocka_unit_test(numbers_are_the_nearest_double),
        cmocka_unit_test(kinds_keep_their_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
