/* SPDX-License-Identifier: MIT */
/* Tests of rows as table, CSV and JSON. */

#include "cli/output.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TEXT(s) weir_value_string(s, sizeof(s) - 1)

static const char *const columns[] = {"tag", "value"};

struct capture {
    FILE *file;
    char *text;
    size_t n;
    weir_output *output;
};

static void capture_start(struct capture *c, weir_format format)
{
    c->file = open_memstream(&c->text, &c->n);
    c->output = weir_output_new(c->file, format, columns, 2);
    assert_non_null(c->output);
}

static void capture_row(struct capture *c, weir_value tag, weir_value value)
{
    const weir_value row[] = {tag, value};
    assert_true(weir_output_row(c->output, row));
}

static void capture_expect(struct capture *c, const char *text)
{
    weir_output_end(c->output);
    (void)fclose(c->file);
    assert_string_equal(c->text, text);
    free(c->text);
}

static void csv_quotes_what_would_break_a_line(void **state)
{
    (void)state;
    /* RFC 4180, 2.5 to 2.7; an empty text is not a null. */
    static const uint8_t bytes[] = {0x00, 0x2a, 0xff};
    struct capture c;
    capture_start(&c, WEIR_FORMAT_CSV);
    capture_row(&c, TEXT("plain text"), weir_value_i64(-5));
    capture_row(&c, TEXT("a,b"), weir_value_bool(true));
    capture_row(&c, TEXT("say \"hi\""), weir_value_null());
    capture_row(&c, TEXT("two\nlines\r"), TEXT(""));
    capture_row(&c, TEXT("m/x"), weir_value_decimal(2301, -1));
    capture_row(&c, TEXT("m/b"), weir_value_bytes(bytes, 3));
    capture_expect(&c, "tag,value\n"
                       "plain text,-5\n"
                       "\"a,b\",true\n"
                       "\"say \"\"hi\"\"\",\n"
                       "\"two\nlines\r\",\"\"\n"
                       "m/x,230.1\n"
                       "m/b,00 2a ff\n");
}

static void json_is_typed_and_escaped(void **state)
{
    (void)state;
    struct capture c;
    capture_start(&c, WEIR_FORMAT_JSON);
    capture_row(&c, TEXT("a\"b\\\n\x01"), weir_value_null());
    capture_row(&c, TEXT("\xff"), weir_value_f64(1.5));
    capture_row(&c, TEXT("x"), weir_value_u64(UINT64_MAX));
    capture_row(&c, TEXT("y"), weir_value_decimal(-25, -2));
    capture_row(&c, TEXT("z"), weir_value_bool(false));
    capture_row(&c, TEXT("n"), weir_value_f64((double)NAN));
    capture_expect(&c, "[\n"
                       "{\"tag\":\"a\\\"b\\\\\\n\\u0001\",\"value\":null},\n"
                       "{\"tag\":\"\xef\xbf\xbd\",\"value\":1.5},\n"
                       "{\"tag\":\"x\",\"value\":\"18446744073709551615\"},\n"
                       "{\"tag\":\"y\",\"value\":-0.25},\n"
                       "{\"tag\":\"z\",\"value\":false},\n"
                       "{\"tag\":\"n\",\"value\":\"NaN\"}\n"
                       "]\n");
}

static void nothing_is_still_a_document(void **state)
{
    (void)state;
    static const struct {
        weir_format format;
        const char *text;
    } cases[] = {{WEIR_FORMAT_CSV, "tag,value\n"},
                 {WEIR_FORMAT_JSON, "[]\n"},
                 {WEIR_FORMAT_TABLE, "tag  value\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct capture c;
        capture_start(&c, cases[i].format);
        capture_expect(&c, cases[i].text);
    }
}

static void a_table_is_aligned_numbers_to_the_right(void **state)
{
    (void)state;
    struct capture c;
    capture_start(&c, WEIR_FORMAT_TABLE);
    capture_row(&c, TEXT("m1/t\xc3\xbc"), weir_value_i64(5));
    capture_row(&c, TEXT("m1/power"), weir_value_decimal(12345, -2));
    capture_row(&c, TEXT("x"), weir_value_null());
    capture_expect(&c, "tag        value\n"
                       "m1/t\xc3\xbc          5\n"
                       "m1/power  123.45\n"
                       "x               \n");
}

static void a_devices_text_cannot_steer_the_terminal(void **state)
{
    (void)state;
    struct capture c;
    capture_start(&c, WEIR_FORMAT_TABLE);
    capture_row(&c, TEXT("\x1b[2J"), TEXT("\xc2\x9b\n\x7f\xff"));
    capture_expect(&c, "tag      value\n"
                       "\\x1b[2J  \\xc2\\x9b\\x0a\\x7f\\xff\n");
}

static void a_long_table_streams_with_the_widths_of_its_beginning(void **state)
{
    (void)state;
    struct capture c;
    capture_start(&c, WEIR_FORMAT_TABLE);
    for (size_t i = 0; i < WEIR_OUTPUT_ROWS_HELD; i++) {
        (void)fflush(c.file);
        assert_int_equal(c.n, 0);
        capture_row(&c, TEXT("abcdefgh"), weir_value_i64(1));
    }
    (void)fflush(c.file);
    assert_true(c.n > 0);
    capture_row(&c, TEXT("late"), weir_value_i64(2));
    weir_output_end(c.output);
    (void)fclose(c.file);
    assert_non_null(strstr(c.text, "\nlate          2\n"));
    free(c.text);
}

static void a_closed_pipe_ends_the_rows(void **state)
{
    (void)state;
    const weir_value row[] = {TEXT("a"), weir_value_i64(1)};
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        skip();
    weir_output *output = weir_output_new(full, WEIR_FORMAT_CSV, columns, 2);
    bool written = true;
    /* More than any buffer of stdio. */
    for (size_t i = 0; i < 1000000 && written; i++)
        written = weir_output_row(output, row);
    assert_false(written);
    weir_output_end(output);
    (void)fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_quotes_what_would_break_a_line),
        cmocka_unit_test(json_is_typed_and_escaped),
        cmocka_unit_test(nothing_is_still_a_document),
        cmocka_unit_test(a_table_is_aligned_numbers_to_the_right),
        cmocka_unit_test(a_devices_text_cannot_steer_the_terminal),
        cmocka_unit_test(a_long_table_streams_with_the_widths_of_its_beginning),
        cmocka_unit_test(a_closed_pipe_ends_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
