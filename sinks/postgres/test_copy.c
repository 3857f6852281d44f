/* SPDX-License-Identifier: MIT */
/* Tests of the bytes of a binary COPY. What is wanted was written by PostgreSQL 15's COPY TO. */

#include "sinks/postgres/copy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/text.h"

static void expect_bytes(weir_pg_copy *c, const char *hex)
{
    uint8_t want[256];
    const int n = weir_hex_parse(hex, want, sizeof want);
    assert_true(n >= 0);
    assert_false(c->failed);
    assert_int_equal(c->length, n);
    assert_memory_equal(c->bytes, want, (size_t)n);
    weir_pg_copy_clear(c);
}

static void numeric_is_as_postgresql_writes_it(void **state)
{
    static const struct {
        const char *name;
        bool is_negative;
        uint64_t magnitude;
        int8_t exponent;
        const char *hex;
    } cases[] = {
        {"0", false, 0, 0, "00000008 0000 0000 0000 0000"},
        {"-0", true, 0, 0, "00000008 0000 0000 0000 0000"},
        {"1", false, 1, 0, "0000000a 0001 0000 0000 0000 0001"},
        {"-1", true, 1, 0, "0000000a 0001 0000 4000 0000 0001"},
        {"10000", false, 10000, 0, "0000000a 0001 0001 0000 0000 0001"},
        {"12345678", false, 12345678, 0, "0000000c 0002 0001 0000 0000 04d2 162e"},
        {"0.1", false, 1, -1, "0000000a 0001 ffff 0000 0001 03e8"},
        {"230.0", false, 2300, -1, "0000000a 0001 0000 0000 0001 00e6"},
        {"0.0010", false, 10, -4, "0000000a 0001 ffff 0000 0004 000a"},
        {"-0.00001", true, 1, -5, "0000000a 0001 fffe 4000 0005 03e8"},
        {"2^64-1", false, UINT64_MAX, 0, "00000012 0005 0004 0000 0000 0734 1a58 02e1 03bb 064f"},
        {"-2^63", true, 1ull << 63, 0, "00000012 0005 0004 4000 0000 039a 0d2c 0170 1565 16b0"},
        {"9223372036854775807e-128", false, INT64_MAX, -128,
         "00000012 0005 ffe4 0000 0080 039a 0d2c 0170 1565 16af"},
        {"9223372036854775807e127", false, INT64_MAX, 127,
         "00000014 0006 0024 0000 0000 005c 0921 07f4 2163 1d9c 1b58"},
        {"1e-128", false, 1, -128, "0000000a 0001 ffe0 0000 0080 0001"},
        {"5e3", false, 5, 3, "0000000a 0001 0000 0000 0000 1388"},
        {"1.2300", false, 12300, -4, "0000000c 0002 0000 0000 0004 0001 08fc"},
        {"99990000", false, 99990000, 0, "0000000a 0001 0001 0000 0000 270f"},
        {"9999.9999", false, 99999999, -4, "0000000c 0002 0000 0000 0004 270f 270f"},
        {"100000000", false, 100000000, 0, "0000000a 0001 0002 0000 0000 0001"},
    };
    weir_pg_copy c = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("%s\n", cases[i].name);
        weir_pg_copy_numeric(&c, cases[i].is_negative, cases[i].magnitude, cases[i].exponent);
        expect_bytes(&c, cases[i].hex);
    }
    weir_pg_copy_deinit(&c);
}

static void time_is_as_postgresql_writes_it(void **state)
{
    static const struct {
        int64_t us;
        const char *hex;
    } cases[] = {
        {946684800000000, "00000008 0000000000000000"},     /* 2000-01-01 */
        {0, "00000008 fffca2fec4c82000"},                   /* 1970-01-01 */
        {1769862896789012, "00000008 0002ecad160bc614"},    /* 2026-01-31 12:34:56.789012 */
        {-210866803200000000, "00000008 fd0f7cc1411fa000"}, /* 4714-11-24 BC, the first */
        {9223339708800000000, "00000008 7ffc8597ce8f8000"}, /* 294246-01-01 */
    };
    weir_pg_copy c = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(weir_pg_time_fits((weir_wall){cases[i].us}));
        weir_pg_copy_time(&c, (weir_wall){cases[i].us});
        expect_bytes(&c, cases[i].hex);
    }
    weir_pg_copy_deinit(&c);
}

static void time_before_postgresqls_first_does_not_fit(void **state)
{
    (void)state;
    assert_false(weir_pg_time_fits((weir_wall){-210866803200000001}));
    assert_false(weir_pg_time_fits((weir_wall){INT64_MIN}));
    assert_true(weir_pg_time_fits((weir_wall){INT64_MAX}));
}

static void stream_has_header_and_trailer(void **state)
{
    weir_pg_copy c = {0};
    (void)state;
    weir_pg_copy_header(&c);
    weir_pg_copy_row(&c, 2);
    weir_pg_copy_null(&c);
    weir_pg_copy_int(&c, -2, 4);
    weir_pg_copy_trailer(&c);
    expect_bytes(&c,
                 "5047434f50590aff0d0a00 00000000 00000000 0002 ffffffff 00000004 fffffffe ffff");
    weir_pg_copy_deinit(&c);
}

static void text_that_does_not_fit_is_repaired_byte_by_byte(void **state)
{
    static const struct {
        const char *name, *text;
        size_t n;
        const char *hex;
    } cases[] = {
        {"fits", "a\xc3\xa4", 3, "00000003 61 c3a4"},
        {"empty", "", 0, "00000000"},
        {"NUL", "a\0b", 3, "00000005 61 efbfbd 62"},
        {"not UTF-8", "a\xff", 2, "00000004 61 efbfbd"},
        {"cut short", "\xf0\x9f\x98", 3, "00000009 efbfbd efbfbd efbfbd"},
        {"surrogate", "\xed\xa0\x80z", 4, "0000000a efbfbd efbfbd efbfbd 7a"},
    };
    weir_pg_copy c = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("%s\n", cases[i].name);
        weir_pg_copy_text(&c, cases[i].text, cases[i].n);
        expect_bytes(&c, cases[i].hex);
    }
    weir_pg_copy_deinit(&c);
}

static void memory_that_is_short_is_remembered(void **state)
{
    weir_pg_copy c = {0};
    (void)state;
    (void)weir_alloc_fail_nth(1, false);
    weir_pg_copy_header(&c);
    (void)weir_alloc_fail_nth(0, false);
    weir_pg_copy_text(&c, "\xff", 1);
    weir_pg_copy_numeric(&c, false, 1, 0);
    assert_true(c.failed);
    assert_int_equal(c.length, 0);
    weir_pg_copy_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numeric_is_as_postgresql_writes_it),
        cmocka_unit_test(time_is_as_postgresql_writes_it),
        cmocka_unit_test(time_before_postgresqls_first_does_not_fit),
        cmocka_unit_test(stream_has_header_and_trailer),
        cmocka_unit_test(text_that_does_not_fit_is_repaired_byte_by_byte),
        cmocka_unit_test(memory_that_is_short_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
