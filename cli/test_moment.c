/* SPDX-License-Identifier: MIT */
/* Moments on the command line: each form, and what is none. */

#include "cli/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const weir_wall now = {1767225600 * WEIR_S}; /* 2026-01-01T00:00:00Z */

static void each_form_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t after_us; /* after now */
    } cases[] = {
        {"now", 0},
        {"-0s", 0},
        {"-30d", -30 * WEIR_DAY},
        {"-90min", -90 * WEIR_MINUTE},
        {"2026-01-01", 0},
        {"2026-01-01T00:00:00Z", 0},
        {"2026-01-01T01:00:00+01:00", 0},
        {"2026-01-01 00:00:01.5", 1500 * WEIR_MS},
        {"20251231T2300-0100", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_wall t = {1};
        if (weir_moment_parse("at", cases[i].text, now, &t, NULL) != WEIR_OK ||
            t.us - now.us != cases[i].after_us)
            fail_msg("%s: %lld", cases[i].text, (long long)(t.us - now.us));
    }
}

static void what_is_no_time_is_refused_with_the_forms_there_are(void **state)
{
    (void)state;
    static const char *const cases[] = {"",    "yesterday",  "-",          "-30",  "30d",
                                        "+1d", "-1d1",       "2026-02-30", "now ", "12:00",
                                        "-3x", "2026-13-01", "1767225600", "--1d"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error = WEIR_ERROR_INIT;
        weir_wall t = {1};
        if (weir_moment_parse("from", cases[i], now, &t, &error) != WEIR_EINVAL)
            fail_msg("'%s' was taken for %lld", cases[i], (long long)t.us);
        assert_int_equal(t.us, 1);
        assert_non_null(strstr(error.text, "--from: '"));
        assert_non_null(strstr(error.text, "such as -30d"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_understood),
        cmocka_unit_test(what_is_no_time_is_refused_with_the_forms_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
