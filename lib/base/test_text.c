/* SPDX-License-Identifier: MIT */
/* Tests of the text builder, hex, UTF-8, globs and nearest words. */

#include "base/text.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"

static void an_empty_text_reads_as_an_empty_string(void **state)
{
    (void)state;
    weir_text t = WEIR_TEXT_INIT;
    assert_string_equal(weir_text_get(&t), "");
    weir_text_deinit(&t);
    weir_text_deinit(NULL);
}

static void additions_follow_each_other(void **state)
{
    (void)state;
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    weir_text_add(&t, "unit ");
    weir_text_format(&t, "%d", 17);
    weir_text_add_char(&t, ':');
    weir_text_add_n(&t, "abc", 2);
    assert_string_equal(weir_text_get(&t), "unit 17:ab");
    for (int i = 0; i < 1000; i++)
        weir_text_add(&t, "0123456789");
    assert_int_equal(t.length, 10 + 10000);
    assert_false(t.failed);
    weir_text_clear(&t);
    assert_string_equal(weir_text_get(&t), "");
}

static void the_limit_holds_and_is_remembered(void **state)
{
    (void)state;
    WEIR_TEXT_AUTO t = {.limit = 5};
    weir_text_add(&t, "12345");
    assert_false(t.failed);
    weir_text_add(&t, "6");
    assert_true(t.failed);
    weir_text_format(&t, "%s", "");
    assert_string_equal(weir_text_get(&t), "12345");
    weir_text_clear(&t);
    assert_false(t.failed);
}

static void memory_running_short_keeps_what_was_there(void **state)
{
    (void)state;
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    weir_text_add(&t, "kept");
    (void)weir_alloc_fail_nth(1, false);
    for (int i = 0; i < 20; i++)
        weir_text_add(&t, "0123456789");
    (void)weir_alloc_fail_nth(0, false);
    assert_true(t.failed);
    assert_memory_equal(weir_text_get(&t), "kept", 4);
}

static void hex_is_written_in_pairs_up_to_a_limit(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x00, 0x2a, 0xff};
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    weir_text_add_hex(&t, bytes, 3, 3);
    weir_text_add_char(&t, '|');
    weir_text_add_hex(&t, bytes, 3, 2);
    assert_string_equal(weir_text_get(&t), "00 2a ff|00 2a ...");
}

static void hex_is_read_with_or_without_blanks(void **state)
{
    (void)state;
    uint8_t b[3];
    assert_int_equal(weir_hex_parse("00 2aFF", b, 3), 3);
    assert_memory_equal(b, "\x00\x2a\xff", 3);
    assert_int_equal(weir_hex_parse("", b, 3), 0);
    assert_int_equal(weir_hex_parse("0", b, 3), -1);
    assert_int_equal(weir_hex_parse("0 0", b, 3), -1);
    assert_int_equal(weir_hex_parse("0g", b, 3), -1);
    assert_int_equal(weir_hex_parse("01020304", b, 3), -1);
}

static void utf8_is_checked_as_the_unicode_standard_says(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t length;
    } cases[] = {
        {"ascii", "A", 1},
        {"degree sign", "\xc2\xb0", 2},
        {"euro sign", "\xe2\x82\xac", 3},
        {"last before the surrogates", "\xed\x9f\xbf", 3},
        {"first emoji plane", "\xf0\x90\x80\x80", 4},
        {"U+10FFFF", "\xf4\x8f\xbf\xbf", 4},
        {"latin-1 degree sign", "\xb0", 0},
        {"overlong slash", "\xc0\xaf", 0},
        {"overlong of three", "\xe0\x80\xaf", 0},
        {"overlong of four", "\xf0\x80\x80\xaf", 0},
        {"surrogate", "\xed\xa0\x80", 0},
        {"beyond U+10FFFF", "\xf4\x90\x80\x80", 0},
        {"cut after two", "\xe2\x82", 0},
        {"second byte wrong", "\xe2\x28\xa1", 0},
        {"fifth form", "\xf8\x88\x80\x80\x80", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t n = strlen(cases[i].bytes);
        if (weir_utf8_char(cases[i].bytes, n) != cases[i].length)
            fail_msg("%s", cases[i].name);
        assert_int_equal(weir_utf8_valid(cases[i].bytes, n), cases[i].length == n);
    }
    assert_int_equal(weir_utf8_char("", 0), 0);
    assert_true(weir_utf8_valid("", 0));
    assert_false(weir_utf8_valid("ok\xff", 3));
}

static void json_strings_escape_what_must_be_escaped(void **state)
{
    (void)state;
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    weir_text_add_json(&t, "a\"b\\\n\r\t\x01\x7f \xc2\xb0 \xb0", 14);
    assert_string_equal(weir_text_get(&t),
                        "\"a\\\"b\\\\\\n\\r\\t\\u0001\\u007f \xc2\xb0 \xef\xbf\xbd\"");
}

static void globs_match_the_whole_text(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {
        {"voltage_*", "voltage_L1", true},
        {"voltage_*", "voltage_", true},
        {"voltage_*", "voltage", false},
        {"*", "", true},
        {"", "", true},
        {"", "a", false},
        {"?", "", false},
        {"m?", "m1", true},
        {"m?", "m11", false},
        {"*/power", "m1/power", true},
        {"a*b*c", "a-b-b-c", true},
        {"a*b*c", "a-b-b", false},
        {"[ab]", "a", false},
        {"***a", "bba", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (weir_glob_match(cases[i].pattern, cases[i].text) != cases[i].match)
            fail_msg("%s on %s", cases[i].pattern, cases[i].text);
}

static void distance_counts_edits_and_swaps(void **state)
{
    (void)state;
    assert_int_equal(weir_text_distance("", ""), 0);
    assert_int_equal(weir_text_distance("abc", ""), 3);
    assert_int_equal(weir_text_distance("interval", "intervall"), 1);
    assert_int_equal(weir_text_distance("adress", "address"), 1);
    assert_int_equal(weir_text_distance("tpye", "type"), 1);
    assert_int_equal(weir_text_distance("Type", "type"), 0);
    assert_int_equal(weir_text_distance("kitten", "sitting"), 3);
}

static void the_nearest_word_is_only_named_when_near(void **state)
{
    (void)state;
    static const char *const words[] = {"name", "connection", "unit_id", "interval", "points"};
    assert_string_equal(weir_text_nearest("intervall", words, 5), "interval");
    assert_string_equal(weir_text_nearest("unitid", words, 5), "unit_id");
    assert_string_equal(weir_text_nearest("nmae", words, 5), "name");
    assert_string_equal(weir_text_nearest("conection", words, 5), "connection");
    assert_null(weir_text_nearest("frequency", words, 5));
    assert_null(weir_text_nearest("x", words, 5));
    assert_null(weir_text_nearest("name", words, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_text_reads_as_an_empty_string),
        cmocka_unit_test(additions_follow_each_other),
        cmocka_unit_test(the_limit_holds_and_is_remembered),
        cmocka_unit_test(memory_running_short_keeps_what_was_there),
        cmocka_unit_test(hex_is_written_in_pairs_up_to_a_limit),
        cmocka_unit_test(hex_is_read_with_or_without_blanks),
        cmocka_unit_test(utf8_is_checked_as_the_unicode_standard_says),
        cmocka_unit_test(json_strings_escape_what_must_be_escaped),
        cmocka_unit_test(globs_match_the_whole_text),
        cmocka_unit_test(distance_counts_edits_and_swaps),
        cmocka_unit_test(the_nearest_word_is_only_named_when_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
