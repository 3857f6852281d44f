/* SPDX-License-Identifier: MIT */
/* Tests of the option table and of what its messages promise. */

#include "model/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct config {
    bool enabled, timeout_given;
    int mode;
    int64_t port, timeout, plain, high;
    uint64_t size;
    double ratio;
    const char *name;
};

#define AT(field) .offset = offsetof(struct config, field)

static const char *const modes[] = {"strict", "lenient", "off", NULL};
static const weir_option table[] = {
    {.name = "enabled", .type = WEIR_OPTION_BOOL, AT(enabled), .fallback = "true"},
    {.name = "port", .type = WEIR_OPTION_INT, AT(port), .min = 1, .max = 65535, .fallback = "502"},
    {.name = "timeout",
     .type = WEIR_OPTION_DURATION,
     AT(timeout),
     .set_offset = offsetof(struct config, timeout_given),
     .min = 10000,
     .max = 3600000000,
     .fallback = "1s"},
    {.name = "plain", .type = WEIR_OPTION_INT, AT(plain)},
    {.name = "high", .type = WEIR_OPTION_INT, AT(high), .min = 5, .max = INT64_MAX},
    {.name = "low", .type = WEIR_OPTION_INT, AT(high), .min = INT64_MIN, .max = 5},
    {.name = "size",
     .type = WEIR_OPTION_SIZE,
     AT(size),
     .min = 4096,
     .max = 1000000000,
     .fallback = "1MB"},
    {.name = "ratio", .type = WEIR_OPTION_NUMBER, AT(ratio), .min = 0, .max = 1, .fallback = "0.5"},
    {.name = "name", .type = WEIR_OPTION_STRING, AT(name), .fallback = ""},
    {.name = "tid_check",
     .type = WEIR_OPTION_ENUM,
     AT(mode),
     .words = modes,
     .fallback = "lenient"},
    {.name = "labels", .type = WEIR_OPTION_MAP, .fallback = "none"},
    {.name = "only", .type = WEIR_OPTION_STRINGS},
    {.name = "uri", .type = WEIR_OPTION_CUSTOM},
    {.name = "cron",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_UNSUPPORTED,
     .fallback = "* * * * *"},
    {0},
};

static const weir_option *row(const char *name)
{
    const weir_option *o = weir_option_find(table, name);
    if (!o)
        fail_msg("no row %s", name);
    return o;
}

static void defaults_fill_every_field_but_not_that_it_was_given(void **state)
{
    (void)state;
    struct config c = {0};
    weir_option_defaults(table, &c);
    assert_true(c.enabled);
    assert_int_equal(c.port, 502);
    assert_int_equal(c.timeout, 1000000);
    assert_int_equal(c.size, 1000000);
    assert_true(c.ratio == 0.5);
    assert_string_equal(c.name, "");
    assert_int_equal(c.mode, 1);
    assert_false(c.timeout_given);
}

static void texts_are_stored_by_their_row(void **state)
{
    (void)state;
    struct config c = {.enabled = true};
    weir_error error = WEIR_ERROR_INIT;
    const char *name = "boiler";
    assert_int_equal(weir_option_set(row("enabled"), "False", &c, &error), WEIR_OK);
    assert_false(c.enabled);
    assert_int_equal(weir_option_set(row("enabled"), "on", &c, &error), WEIR_OK);
    assert_true(c.enabled);
    assert_int_equal(weir_option_set(row("port"), "65535", &c, &error), WEIR_OK);
    assert_int_equal(c.port, 65535);
    assert_int_equal(weir_option_set(row("timeout"), "10ms", &c, &error), WEIR_OK);
    assert_int_equal(c.timeout, 10000);
    assert_true(c.timeout_given);
    assert_int_equal(weir_option_set(row("plain"), "-0x10", &c, &error), WEIR_OK);
    assert_int_equal(c.plain, -16);
    assert_int_equal(weir_option_set(row("size"), "4096B", &c, &error), WEIR_OK);
    assert_int_equal(c.size, 4096);
    assert_int_equal(weir_option_set(row("ratio"), "1", &c, &error), WEIR_OK);
    assert_true(c.ratio == 1);
    assert_int_equal(weir_option_set(row("name"), name, &c, &error), WEIR_OK);
    assert_ptr_equal(c.name, name);
    assert_int_equal(weir_option_set(row("tid_check"), "off", &c, &error), WEIR_OK);
    assert_int_equal(c.mode, 2);
}

static void wrong_texts_say_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *option, *text, *message;
    } cases[] = {
        {"enabled", "maybe", "enabled must be true or false, not \"maybe\""},
        {"port", "fast", "port must be a whole number, not \"fast\""},
        {"port", "", "port must be a whole number, not \"\""},
        {"port", "0", "port must be between 1 and 65535, not \"0\""},
        {"port", "65536", "port must be between 1 and 65535, not \"65536\""},
        {"timeout", "5", "timeout must be a duration such as 500ms, not \"5\""},
        {"timeout", "5ms", "timeout must be between 10ms and 1h, not \"5ms\""},
        {"timeout", "2h", "timeout must be between 10ms and 1h, not \"2h\""},
        {"high", "4", "high must be at least 5, not \"4\""},
        {"low", "6", "low must be at most 5, not \"6\""},
        {"size", "many", "size must be a size such as 500MB, not \"many\""},
        {"size", "1kB", "size must be between 4.1 kB and 1 GB, not \"1kB\""},
        {"size", "2GB", "size must be between 4.1 kB and 1 GB, not \"2GB\""},
        {"ratio", "half", "ratio must be a number such as 0.5, not \"half\""},
        {"ratio", "1.1", "ratio must be between 0 and 1, not \"1.1\""},
        {"tid_check", "strickt",
         "tid_check must be strict, lenient or off, not \"strickt\"; did you mean \"strict\"?"},
        {"tid_check", "7", "tid_check must be strict, lenient or off, not \"7\""},
        {"labels", "a", "labels must be a mapping, not \"a\""},
        {"only", "a", "only must be a list, not \"a\""},
        {"uri", "a", "uri cannot be given as one word"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config c = {.port = 42, .timeout = 42, .high = 42, .size = 42, .ratio = 42};
        const struct config before = c;
        weir_error error = WEIR_ERROR_INIT;
        assert_int_equal(weir_option_set(row(cases[i].option), cases[i].text, &c, &error),
                         WEIR_EINVAL);
        assert_string_equal(error.text, cases[i].message);
        assert_memory_equal(&c, &before, sizeof c);
    }
}

static void an_option_of_a_later_version_says_so(void **state)
{
    (void)state;
    struct config c = {0};
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_option_set(row("cron"), "* * * * *", &c, &error), WEIR_EUNSUPPORTED);
    assert_string_equal(error.text, "cron is not supported by this version");
    assert_false(c.enabled);
}

static void rows_are_found_by_name_and_nearly(void **state)
{
    (void)state;
    assert_ptr_equal(weir_option_find(table, "port"), &table[1]);
    assert_null(weir_option_find(table, "Port"));
    assert_null(weir_option_find(table, ""));
    assert_ptr_equal(weir_option_nearest(table, "prot"), row("port"));
    assert_ptr_equal(weir_option_nearest(table, "tidcheck"), row("tid_check"));
    assert_ptr_equal(weir_option_nearest(table, "Timeout"), row("timeout"));
    assert_null(weir_option_nearest(table, "something_else"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_every_field_but_not_that_it_was_given),
        cmocka_unit_test(texts_are_stored_by_their_row),
        cmocka_unit_test(wrong_texts_say_what_would_be_right),
        cmocka_unit_test(an_option_of_a_later_version_says_so),
        cmocka_unit_test(rows_are_found_by_name_and_nearly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
