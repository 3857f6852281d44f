/* SPDX-License-Identifier: MIT */
/* Tests of what of a row goes where. The rows wanted were written by PostgreSQL 15's COPY TO. */

#include "sinks/postgres/layout.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const weir_pg_options weir_options = {.schema = "public"};
static const weir_pg_options emdc_options = {.schema = "public", .layout = WEIR_PG_LAYOUT_EMDC};

static void expect_row(const weir_pg_tables *tables, const weir_sink_row *row, const char *hex)
{
    uint8_t want[512];
    weir_pg_copy c = {0};
    const int n = weir_hex_parse(hex, want, sizeof want);
    assert_true(n > 0);
    assert_true(weir_pg_row_copy(tables, row, 7, &c));
    assert_int_equal(c.length, n);
    assert_memory_equal(c.bytes, want, (size_t)n);
    weir_pg_copy_deinit(&c);
}

/* 2026-01-31 12:34:56 */
static const int64_t ts_us = 1769862896000000;
#define BEGIN(seq)                                                                                \
    "000a 00000004 00000007 00000008 0002ecad15ffbc00 00000004 00000000 0000000a 0001 0000 0000 " \
    "0000 " seq
#define NONE "ffffffff "
#define GOOD "00000004 676f6f64 " NONE

static void each_kind_of_value_has_its_column(void **state)
{
    const struct {
        const char *name;
        weir_value value;
        weir_quality quality;
        const char *hex;
    } cases[] = {
        {"integer beyond 2^53", weir_value_i64(9007199254740993), 0,
         BEGIN("002b") "00000008 4340000000000000 00000010 0004 0003 0000 0000 232f 07c8 1562 "
                       "03e1 " NONE NONE GOOD},
        {"string with NUL and no UTF-8",
         weir_value_string("a\0b\xff"
                           "c",
                           5),
         0, BEGIN("002b") NONE NONE "00000009 61 efbfbd 62 efbfbd 63 00000005 610062ff63 " GOOD},
        {"bool", weir_value_bool(true), 0,
         BEGIN("002b") "00000008 3ff0000000000000 " NONE NONE NONE GOOD},
        {"bytes", weir_value_bytes((const uint8_t *)"\0\xff", 2), 0,
         BEGIN("002b") NONE NONE NONE "00000002 00ff " GOOD},
        {"bad", weir_value_null(), weir_bad(WEIR_CAUSE_EXCEPTION, 2),
         BEGIN("002b") NONE NONE NONE NONE "00000003 626164 00000009 657863657074696f6e"},
        {"float32", weir_value_f32(0.1f), 0,
         BEGIN("002b") "00000008 3fb99999a0000000 " NONE NONE NONE GOOD},
        {"decimal", weir_value_decimal(2301, -1), 0,
         BEGIN("002b") "00000008 406cc33333333333 0000000c 0002 0000 0000 0001 00e6 03e8 " NONE NONE
             GOOD},
        {"NaN", weir_value_f64(NAN), weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_NOT_A_NUMBER, 0),
         BEGIN("002b") "00000008 7ff8000000000000 " NONE NONE NONE
                       "00000009 756e6365727461696e 0000000c 6e6f745f615f6e756d626572"},
        {"infinity", weir_value_f64(-INFINITY), 0,
         BEGIN("002b") "00000008 fff0000000000000 " NONE NONE NONE GOOD},
        {"u64 up to 2^53", weir_value_u64(1ull << 53), 0,
         BEGIN("002b") "00000008 4340000000000000 " NONE NONE NONE GOOD},
    };
    weir_pg_tables tables;
    (void)state;
    weir_pg_tables_init(&tables, &weir_options);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_sink_row row = {
            .seq = 43,
            .sample = {.quality = cases[i].quality, .ts.us = ts_us, .value = cases[i].value}};
        print_message("%s\n", cases[i].name);
        expect_row(&tables, &row, cases[i].hex);
    }
}

static void seq_and_epoch_are_part_of_the_row(void **state)
{
    weir_pg_tables tables;
    (void)state;
    weir_pg_tables_init(&tables, &weir_options);
    expect_row(
        &tables,
        &(weir_sink_row){.seq = UINT64_MAX,
                         .epoch = 2,
                         .sample = {.ts.us = -1, .value = weir_value_bool(false)}},
        "000a 00000004 00000007 00000008 fffca2fec4c81fff 00000004 00000002 00000012 0005 "
        "0004 0000 0000 0734 1a58 02e1 03bb 064f 00000008 0000000000000000 " NONE NONE NONE GOOD);
}

static void integers_are_as_wide_as_the_column(void **state)
{
    weir_pg_tables tables;
    weir_pg_copy c = {0};
    const weir_sink_row row = {.seq = 1, .sample.value = weir_value_null()};
    (void)state;
    weir_pg_tables_init(&tables, &weir_options);
    tables.types[0] = tables.types[2] = 1; /* bigint */
    assert_true(weir_pg_row_copy(&tables, &row, 7, &c));
    assert_memory_equal(c.bytes + 2, "\0\0\0\x08\0\0\0\0\0\0\0\x07", 12);
    assert_memory_equal(c.bytes + 26, "\0\0\0\x08\0\0\0\0\0\0\0\0", 12);
    weir_pg_copy_deinit(&c);
}

static void emdc_has_values_as_text(void **state)
{
    static const char begin[] = "0003 00000008 0002ecad15ffbc00 00000004 00000007 ";
    const struct {
        weir_value value;
        const char *hex;
    } cases[] = {
        {weir_value_f64(272.836669921875), "00000010 3237322e383336363639393231383735"},
        {weir_value_i64(-5), "00000002 2d35"},
        {weir_value_bool(true), "00000001 31"},
        {weir_value_string("a\xff", 2), "00000004 61efbfbd"},
    };
    weir_pg_tables tables;
    (void)state;
    weir_pg_tables_init(&tables, &emdc_options);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char hex[200];
        (void)snprintf(hex, sizeof hex, "%s%s", begin, cases[i].hex);
        expect_row(&tables,
                   &(weir_sink_row){.seq = 1, .sample = {.ts.us = ts_us, .value = cases[i].value}},
                   hex);
    }
}

static void row_that_postgresql_has_no_time_for_is_refused(void **state)
{
    (void)state;
    assert_null(weir_pg_row_refused(&(weir_sink_row){.sample.ts.us = INT64_MAX}));
    assert_non_null(weir_pg_row_refused(&(weir_sink_row){.sample.ts.us = INT64_MIN}));
    assert_non_null(weir_pg_row_refused(&(weir_sink_row){.epoch = UINT32_MAX}));
}

static void names_are_quoted(void **state)
{
    weir_pg_tables tables;
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    const weir_pg_options options = {.schema = "a\"b", .samples_table = "x; DROP TABLE y"};
    (void)state;
    weir_pg_tables_init(&tables, &options);
    weir_pg_tables_fill(&tables, "<@SAMPLES@> <@TAGS@> <@STAGING@>", &t);
    assert_string_equal(weir_text_get(&t),
                        "<\"a\"\"b\".\"x; DROP TABLE y\"> <\"a\"\"b\".\"weir_tags\"> "
                        "<pg_temp.weir_staging>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_value_has_its_column),
        cmocka_unit_test(seq_and_epoch_are_part_of_the_row),
        cmocka_unit_test(integers_are_as_wide_as_the_column),
        cmocka_unit_test(emdc_has_values_as_text),
        cmocka_unit_test(row_that_postgresql_has_no_time_for_is_refused),
        cmocka_unit_test(names_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
