/* SPDX-License-Identifier: MIT */
/* Tests of error codes and their texts. */

#include "base/error.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void every_code_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int a = WEIR_OK; a <= WEIR_ECANCELED; a++) {
        assert_string_not_equal(weir_err_text((weir_err)a), "unknown error");
        for (int b = WEIR_OK; b < a; b++)
            assert_string_not_equal(weir_err_text((weir_err)a), weir_err_text((weir_err)b));
    }
    assert_string_equal(weir_err_text((weir_err)999), "unknown error");
}

static void failing_fills_text_and_returns_the_code(void **state)
{
    (void)state;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_fail(&error, WEIR_EINVAL, "port %d", 0), WEIR_EINVAL);
    assert_int_equal(error.code, WEIR_EINVAL);
    assert_string_equal(error.text, "port 0");
}

static void nobody_has_to_want_the_text(void **state)
{
    (void)state;
    assert_int_equal(weir_fail(NULL, WEIR_EIO, "disk"), WEIR_EIO);
}

static void each_level_puts_its_words_in_front(void **state)
{
    (void)state;
    weir_error error = WEIR_ERROR_INIT;
    (void)weir_fail(&error, WEIR_ECONNECT, "refused");
    assert_int_equal(weir_fail_prefix(&error, "device '%s': ", "m1"), WEIR_ECONNECT);
    assert_string_equal(error.text, "device 'm1': refused");
}

static void a_text_too_long_is_cut_and_terminated(void **state)
{
    (void)state;
    weir_error error = WEIR_ERROR_INIT;
    char word[600];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    (void)weir_fail(&error, WEIR_EINVAL, "%s", word);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    (void)weir_fail_prefix(&error, "before: ");
    assert_memory_equal(error.text, "before: xxx", 11);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    (void)weir_fail_prefix(&error, "%s", word);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_text_of_its_own),
        cmocka_unit_test(failing_fills_text_and_returns_the_code),
        cmocka_unit_test(nobody_has_to_want_the_text),
        cmocka_unit_test(each_level_puts_its_words_in_front),
        cmocka_unit_test(a_text_too_long_is_cut_and_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
