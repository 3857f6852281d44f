/* SPDX-License-Identifier: MIT */
/* The tally of a device: which event counts as what, and the percentiles of round trips. */

#include "modbus/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void every_event_has_its_counter(void **state)
{
    (void)state;
    static const char *const events[] = {"sent",       "sent",      "timeout",   "late",
                                         "late",       "exception", "malformed", "wrong_id",
                                         "wrong_unit", "unheard-of"};
    weir_tally tally = {0};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        weir_tally_count(&tally, events[i], 0);
    weir_device_counters c = weir_tally_get(&tally);
    assert_int_equal(c.requests, 2);
    assert_int_equal(c.timeouts, 1);
    assert_int_equal(c.late, 2);
    assert_int_equal(c.exceptions, 1);
    assert_int_equal(c.malformed, 3);
}

static void percentiles_are_those_of_the_last_replies(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned n; /* replies of 1, 2, ... n ms */
        uint64_t p50_ms, p99_ms;
    } cases[] = {
        {"none", 0, 0, 0},          {"one", 1, 1, 1},       {"two", 2, 1, 2},
        {"a hundred", 100, 50, 99}, {"full", 128, 64, 127}, {"the last 128", 1128, 1064, 1127},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_tally tally = {0};
        for (unsigned ms = 1; ms <= cases[i].n; ms++)
            weir_tally_count(&tally, ms % 2 ? "reply" : "exception", ms * WEIR_MS);
        weir_device_counters c = weir_tally_get(&tally);
        assert_int_equal(c.rtt_us_p50, cases[i].p50_ms * WEIR_MS);
        assert_int_equal(c.rtt_us_p99, cases[i].p99_ms * WEIR_MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_has_its_counter),
        cmocka_unit_test(percentiles_are_those_of_the_last_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
