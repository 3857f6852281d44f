/* SPDX-License-Identifier: MIT */
/* Tests of mbpoll's words. */

#include "cli/mbpoll.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"

static void types_are_those_of_mbpolls_manual(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        weir_mbpoll_type want;
    } cases[] = {
        {"0", {true, WEIR_REGISTER_COIL, WEIR_TYPE_BOOL, false, false}},
        {"1", {true, WEIR_REGISTER_DISCRETE, WEIR_TYPE_BOOL, false, false}},
        {"3", {true, WEIR_REGISTER_INPUT, WEIR_TYPE_UINT16, false, false}},
        {"3:int16", {true, WEIR_REGISTER_INPUT, WEIR_TYPE_INT16, false, false}},
        {"3:hex", {true, WEIR_REGISTER_INPUT, WEIR_TYPE_UINT16, true, false}},
        {"3:string", {true, WEIR_REGISTER_INPUT, WEIR_TYPE_STRING, false, false}},
        {"3:int", {true, WEIR_REGISTER_INPUT, WEIR_TYPE_INT32, false, true}},
        {"3:float", {true, WEIR_REGISTER_INPUT, WEIR_TYPE_FLOAT32, false, true}},
        {"4", {true, WEIR_REGISTER_HOLDING, WEIR_TYPE_UINT16, false, false}},
        {"4:hex", {true, WEIR_REGISTER_HOLDING, WEIR_TYPE_UINT16, true, false}},
        {"4:int", {true, WEIR_REGISTER_HOLDING, WEIR_TYPE_INT32, false, true}},
        {"4:float", {true, WEIR_REGISTER_HOLDING, WEIR_TYPE_FLOAT32, false, true}},
        {"4:int64", {true, WEIR_REGISTER_HOLDING, WEIR_TYPE_INT64, false, true}},
        {"4:double", {true, WEIR_REGISTER_HOLDING, WEIR_TYPE_FLOAT64, false, true}},
        /* weir's words name no table and have the high word first. */
        {"float32", {false, WEIR_REGISTER_FUNCTION, WEIR_TYPE_FLOAT32, false, false}},
        {"uint64", {false, WEIR_REGISTER_FUNCTION, WEIR_TYPE_UINT64, false, false}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_mbpoll_type got;
        if (weir_mbpoll_type_parse(cases[i].text, &got, NULL))
            fail_msg("%s is refused", cases[i].text);
        if (got.has_table != cases[i].want.has_table || got.table != cases[i].want.table ||
            got.type != cases[i].want.type || got.hex != cases[i].want.hex ||
            got.low_first != cases[i].want.low_first)
            fail_msg("%s is something else", cases[i].text);
    }
}

static void other_types_are_refused_with_what_is_possible(void **state)
{
    (void)state;
    static const char *const cases[] = {"", "2", "5", "3:", "3:in", "0:hex", "4:float32", "flaot"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error = WEIR_ERROR_INIT;
        weir_mbpoll_type got;
        assert_int_equal(weir_mbpoll_type_parse(cases[i], &got, &error), WEIR_EINVAL);
        assert_non_null(strstr(error.text, "float32"));
    }
}

static void lists_take_mbpolls_colon_and_weirs_hyphen(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        uint16_t items[8];
    } cases[] = {
        {"5", 1, {5}},
        {"32,33,34,36:40", 8, {32, 33, 34, 36, 37, 38, 39, 40}},
        {"11-13", 3, {11, 12, 13}},
        {"0x10,1", 2, {16, 1}},
        {"0", 1, {0}},
        {"255", 1, {255}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_arena *arena = weir_arena_new();
        uint16_t *items;
        size_t n;
        assert_int_equal(
            weir_mbpoll_list_parse(cases[i].text, "-a", 0, 255, arena, &items, &n, NULL), WEIR_OK);
        assert_int_equal(n, cases[i].n);
        assert_memory_equal(items, cases[i].items, n * sizeof *items);
        weir_arena_free(arena);
    }
}

static void wrong_lists_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"",      ",",  "1,", "1,,2",  "256",   "-1",
                                        "13-11", "1-", "a",  "1:2:3", "1-256", " 1"};
    weir_arena *arena = weir_arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error = WEIR_ERROR_INIT;
        uint16_t *items = NULL;
        size_t n;
        if (weir_mbpoll_list_parse(cases[i], "-a", 0, 255, arena, &items, &n, &error) !=
            WEIR_EINVAL)
            fail_msg("'%s' is taken", cases[i]);
        assert_null(items);
        assert_non_null(strstr(error.text, "-a must be a number between 0 and 255"));
    }
    weir_arena_free(arena);
}

static void bare_times_have_mbpolls_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t unit_us, us;
    } cases[] = {
        {"1", WEIR_S, WEIR_S},
        {"0.25", WEIR_S, 250 * WEIR_MS},
        {"500ms", WEIR_S, 500 * WEIR_MS},
        {"200", WEIR_MS, 200 * WEIR_MS},
        {"2s", WEIR_MS, 2 * WEIR_S},
    };
    int64_t us;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(weir_mbpoll_time_parse(cases[i].text, "-o", cases[i].unit_us, 10 * WEIR_MS,
                                                WEIR_MINUTE, &us, NULL),
                         WEIR_OK);
        assert_int_equal(us, cases[i].us);
    }
    static const char *const wrong[] = {"", "0", "-1", "1e99", "61", "nan", "1 second"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(
            weir_mbpoll_time_parse(wrong[i], "-o", WEIR_S, 10 * WEIR_MS, WEIR_MINUTE, &us, NULL),
            WEIR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_those_of_mbpolls_manual),
        cmocka_unit_test(other_types_are_refused_with_what_is_possible),
        cmocka_unit_test(lists_take_mbpolls_colon_and_weirs_hyphen),
        cmocka_unit_test(wrong_lists_are_refused),
        cmocka_unit_test(bare_times_have_mbpolls_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
