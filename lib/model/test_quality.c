/* SPDX-License-Identifier: MIT */
/* Tests of quality and of the words of events. */

#include "model/quality.h"

#include <stddef.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/sample.h"

static void class_cause_and_detail_come_out_as_put_in(void **state)
{
    (void)state;
    const weir_quality q = weir_bad(WEIR_CAUSE_EXCEPTION, 0xfffe);
    assert_int_equal(q, 0x0204fffe); /* on disk: must never change */
    assert_int_equal(weir_quality_class(q), WEIR_BAD);
    assert_int_equal(weir_quality_cause(q), WEIR_CAUSE_EXCEPTION);
    assert_int_equal(weir_quality_detail(q), 0xfffe);
    assert_int_equal(weir_quality_of(WEIR_GOOD, WEIR_CAUSE_NONE, 0), 0);
}

static void of_two_qualities_the_worse_counts(void **state)
{
    (void)state;
    const weir_quality good = 0, late = weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_LATE, 0);
    const weir_quality na = weir_bad(WEIR_CAUSE_NA, 0), timeout = weir_bad(WEIR_CAUSE_TIMEOUT, 0);
    assert_int_equal(weir_quality_worse(good, late), late);
    assert_int_equal(weir_quality_worse(late, good), late);
    assert_int_equal(weir_quality_worse(late, na), na);
    assert_int_equal(weir_quality_worse(na, late), na);
    assert_int_equal(weir_quality_worse(na, timeout), na);
    assert_int_equal(weir_quality_worse(timeout, na), timeout);
}

static void qualities_read_as_words(void **state)
{
    (void)state;
    static const struct {
        weir_quality q;
        const char *want;
    } cases[] = {
        {0, "good"},
        {0x02040002, "bad(exception 2: illegal data address)"},
        {0x0204000b, "bad(exception 11: gateway target device failed to respond)"},
        {0x02040063, "bad(exception 99)"},
        {0x02010000, "bad(timeout)"},
        {0x02050011, "bad(wrong_unit 17)"},
        {0x010a0000, "uncertain(not_a_number)"},
        {0x02fe0000, "bad(?)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
        weir_quality_format(cases[i].q, &t);
        assert_string_equal(weir_text_get(&t), cases[i].want);
    }
}

static void causes_keep_their_numbers_and_words(void **state)
{
    (void)state;
    static const char *const words[] = {
        "none",           "timeout",   "connect",  "disconnected", "exception",    "wrong_unit",
        "wrong_function", "malformed", "range",    "na",           "not_a_number", "late",
        "clock",          "disabled",  "overflow", "clamped",      "script"};
    for (int i = 0; i < 17; i++) {
        assert_string_equal(weir_cause_word((weir_cause)i), words[i]);
        assert_string_not_equal(weir_cause_text((weir_cause)i), "unknown cause");
    }
    assert_string_equal(weir_cause_word((weir_cause)17), "?");
    assert_string_equal(weir_cause_text((weir_cause)17), "unknown cause");
    assert_string_equal(weir_class_text((weir_class)3), "?");
}

/* Modbus Application Protocol 1.1b3, section 7. */
static void exceptions_have_the_texts_of_the_specification(void **state)
{
    (void)state;
    assert_null(weir_exception_text(0));
    assert_string_equal(weir_exception_text(1), "illegal function");
    assert_string_equal(weir_exception_text(2), "illegal data address");
    assert_string_equal(weir_exception_text(3), "illegal data value");
    assert_string_equal(weir_exception_text(4), "server device failure");
    assert_string_equal(weir_exception_text(5), "acknowledge");
    assert_string_equal(weir_exception_text(6), "server device busy");
    assert_string_equal(weir_exception_text(8), "memory parity error");
    assert_null(weir_exception_text(9));
    assert_string_equal(weir_exception_text(10), "gateway path unavailable");
    assert_string_equal(weir_exception_text(11), "gateway target device failed to respond");
    assert_null(weir_exception_text(12));
    assert_null(weir_exception_text(0xffff));
}

static void events_keep_their_numbers_and_words(void **state)
{
    (void)state;
    static const char *const words[] = {"?",      "gap",   "clock_step", "device_up", "device_down",
                                        "config", "store", "write",      "alarm",     "?"};
    for (int i = 0; i < 10; i++)
        assert_string_equal(weir_event_word((weir_event_kind)i), words[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_cause_and_detail_come_out_as_put_in),
        cmocka_unit_test(of_two_qualities_the_worse_counts),
        cmocka_unit_test(qualities_read_as_words),
        cmocka_unit_test(causes_keep_their_numbers_and_words),
        cmocka_unit_test(exceptions_have_the_texts_of_the_specification),
        cmocka_unit_test(events_keep_their_numbers_and_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
