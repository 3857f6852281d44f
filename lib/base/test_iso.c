/* SPDX-License-Identifier: MIT */
/* Tests of dates and times as others write them. */

#include "base/iso.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_usual_forms_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        /* EMDC's sample files and tests */
        {"2017-12-20T00:00:00.0000Z", "2017-12-20T00:00:00.000000Z"},
        {"2017-12-21T23:59:59.99999Z", "2017-12-21T23:59:59.999990Z"},
        {"2016-01-09T19:00:00", "2016-01-09T19:00:00.000000Z"},
        /* RFC 3339, 5.8 */
        {"1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520000Z"},
        {"1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57.000000Z"},
        {"1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.870000Z"},
        {"2026-03-01 12:00+0100", "2026-03-01T11:00:00.000000Z"},
        {"2026-03-01t12:00:01z", "2026-03-01T12:00:01.000000Z"},
        {"20260301T120001,25+01", "2026-03-01T11:00:01.250000Z"},
        {"20260301T1200", "2026-03-01T12:00:00.000000Z"},
        {"2026-03-01", "2026-03-01T00:00:00.000000Z"},
        {"20260301", "2026-03-01T00:00:00.000000Z"},
        {"2024-02-29T00:00:00.123456789Z", "2024-02-29T00:00:00.123456Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_wall t;
        char text[28];
        if (!weir_iso_parse(cases[i].text, &t))
            fail_msg("%s is not understood", cases[i].text);
        weir_wall_format(t, text);
        assert_string_equal(text, cases[i].want);
    }
}

static void what_is_no_time_leaves_the_result_alone(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "now",
        "2026-02-29",
        "2026-13-01",
        "2026-1-1",
        "2026-03-01T",
        "2026-03-01T12",
        "2026-03-01T12:00:",
        "2026-0301",
        "2026-03-01T24:00",
        "2026-03-01T12:00:00.Z",
        "2026-03-01T12:00:00Z ",
        "2026-03-01T12:00+24:00",
        "2026-03-01T12:00+1",
        "2026-03-01T12:00+01:0",
        "2026-03-01+01:00",
        "2026-W09-7",
        "2026-03-01T12:61",
        "9999999999",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_wall t = {42};
        if (weir_iso_parse(cases[i], &t))
            fail_msg("%s is taken for a time", cases[i]);
        assert_int_equal(t.us, 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_forms_are_understood),
        cmocka_unit_test(what_is_no_time_leaves_the_result_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
