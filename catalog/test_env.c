/* SPDX-License-Identifier: MIT */
/* Environment files: what docker compose reads of them, weir does; and variables in texts. */

#include "catalog/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

/* The real environment of these tests. */
static const char *outside(const char *name)
{
    if (!strcmp(name, "REAL"))
        return "real";
    return strcmp(name, "BLANK") != 0 ? NULL : "";
}

static void parse(weir_env *env, const char *text, weir_text *said)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_env_parse(env, "a.env", text, strlen(text), &problems);
    for (size_t i = 0; i < problems.n; i++) {
        weir_problem_format(&problems.items[i], said);
        weir_text_add(said, "\n");
    }
    assert_false(problems.failed);
    weir_problems_deinit(&problems);
}

static void a_line_is_a_name_and_a_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value; /* of A; NULL: it is not set */
        unsigned line;
    } cases[] = {
        {"A=1", "1", 1},
        {"A=1\n", "1", 1},
        {"\n  # a comment\n\nA=1\r\nB=2\r\n", "1", 4},
        {"export A=1", "1", 1},
        {"export\tA = one two  \n", "one two", 1},
        {"exported=2\nA=1", "1", 2},
        {"A=", "", 1},
        {"A=   \t", "", 1},
        {"A=# no", "# no", 1},
        {"A= # a comment", "", 1},
        {"A=x#y # a comment", "x#y", 1},
        {"A=*/1", "*/1", 1},
        {"A=a=b", "a=b", 1},
        {"A='a # b' # c", "a # b", 1},
        {"A='${REAL} \\n \\'q\\' \\\\ '", "${REAL} \\n 'q' \\\\ ", 1},
        {"A=\"a # b\"", "a # b", 1},
        {"A=\"\"", "", 1},
        {"A=\"x\\n\\r\\t\\\\ \\\"q\\\" \\d\"", "x\n\r\t\\ \"q\" \\d", 1},
        {"A=\"two\r\nlines\"\r\nB=1", "two\nlines", 1},
        {"B='\n\n'\nA=1", "1", 4},
        {"A=1\nA=2", "2", 2},
        {"A", NULL, 0},
        {"export A # as the environment has it", NULL, 0},
        {"\xef\xbb\xbf"
         "A=1",
         "1", 1},
        {"A=\xc3\xa9", "\xc3\xa9", 1},
        {"B=b\nA=a${B}c${B}", "abcb", 2},
        {"A=\"a${REAL}c\"", "arealc", 1},
        {"REAL=mine\nA=${REAL}", "real", 2},
        {"A=${C:-d e}", "d e", 1},
        {"A=\"\\${REAL} \\$REAL $REAL\"", "${REAL} $REAL $REAL", 1},
        {"A=$${REAL}", "${REAL}", 1},
        {"A=`id` $(id)", "`id` $(id)", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_CLEANUP(weir_env_free) weir_env *env = weir_env_new(outside);
        WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
        weir_env_value value = {0};
        parse(env, cases[i].text, &said);
        assert_string_equal(weir_text_get(&said), "");
        const bool found = weir_env_find(env, "A", &value);
        if (found != (cases[i].value != NULL) || (found && strcmp(value.text, cases[i].value) != 0))
            fail_msg("%s: \"%s\"", cases[i].text, found ? value.text : "not set");
        assert_int_equal(value.line, cases[i].line);
    }
}

static void what_is_wrong_is_said_with_its_place_and_the_rest_counts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"1A=2\n", "a.env:1:1: NAME=VALUE is wanted"},
        {"  =2\n", "a.env:1:3: NAME=VALUE is wanted"},
        {"\nB-C=2\n", "a.env:2:2: behind the name = is wanted"},
        {"B C=2\n", "a.env:1:3: behind the name = is wanted"},
        {"B=\"x\" y\n", "a.env:1:7: text behind the closing quote"},
        {"B='x'#y\n", "a.env:1:6: text behind the closing quote"},
        {"\n\nB=${NOPE}\n", "a.env:3:3: the environment variable NOPE is not set: set it where"},
        {"B=${}\n", "a.env:1:3: \"${...}\" must have the name of an environment variable"},
        {"B=${REAL\n", "a.env:1:3: \"${...}\" must have the name"},
        {"B=${REAL:?why}\n", "a.env:1:3: \"${...}\" must have the name"},
        {"B=${C:-${REAL}}\n", "a.env:1:3: \"${...}\" must have the name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_CLEANUP(weir_env_free) weir_env *env = weir_env_new(outside);
        WEIR_TEXT_AUTO said = WEIR_TEXT_INIT, text = WEIR_TEXT_INIT;
        weir_env_value value = {0};
        weir_text_format(&text, "%sZ=last", cases[i].text);
        parse(env, weir_text_get(&text), &said);
        if (strncmp(weir_text_get(&said), cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s: %s", cases[i].text, weir_text_get(&said));
        assert_null(strchr(weir_text_get(&said), '\n')[1] ? "more" : NULL);
        assert_false(weir_env_find(env, "B", &value));
        assert_true(weir_env_find(env, "Z", &value));
    }
}

static void what_is_no_text_is_refused_as_a_whole(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        const char *want;
    } cases[] = {
        {"A=1\0", 4, "a NUL character"},
        {"A=\xff", 3, "this is not UTF-8"},
        {"A=\"\nB=1\n", 8, "a \" is not closed"},
        {"A='", 3, "a ' is not closed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_CLEANUP(weir_env_free) weir_env *env = weir_env_new(outside);
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_env_value value;
        weir_env_parse(env, "a.env", cases[i].text, cases[i].n, &problems);
        assert_int_equal(problems.n, 1);
        assert_non_null(strstr(problems.items[0].text, cases[i].want));
        assert_false(weir_env_find(env, "B", &value));
        weir_problems_deinit(&problems);
    }
}

static void a_value_that_grows_with_each_line_ends_at_a_limit(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_env_free) weir_env *env = weir_env_new(outside);
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT, text = WEIR_TEXT_INIT;
    weir_text_add(&text, "A=0123456789\n");
    for (int i = 0; i < 40; i++)
        weir_text_add(&text, "A=${A}${A}\n");
    parse(env, weir_text_get(&text), &said);
    assert_non_null(strstr(weir_text_get(&said), "longer than 64 kB"));
}

static void the_environment_wins_then_the_last_file(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_env_free) weir_env *env = weir_env_new(outside);
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_env_value value;
    weir_env_parse(env, "a.env", "REAL=a\nA=a\nB=a", 14, &problems);
    weir_env_parse(env, "b.env", "\nA=b", 4, &problems);
    assert_true(weir_env_find(env, "REAL", &value));
    assert_string_equal(value.text, "real");
    assert_null(value.file);
    assert_true(weir_env_find(env, "A", &value));
    assert_string_equal(value.text, "b");
    assert_string_equal(value.file, "b.env");
    assert_int_equal(value.line, 2);
    assert_true(weir_env_find(env, "B", &value));
    assert_string_equal(value.file, "a.env");
    assert_false(weir_env_find(env, "C", &value));
    assert_int_equal(problems.n, 0);
}

static void variables_in_a_text_are_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want, *origin;
        bool is_unset;
    } cases[] = {
        {"plain $ text {}", "plain $ text {}", "", false},
        {"${FILE}", "f", "FILE of a.env:1", false},
        {"tcp://${REAL}:${FILE}", "tcp://real:f", "REAL of the environment, FILE of a.env:1",
         false},
        {"${NOPE:-x:-y}", "x:-y", "NOPE is not set", false},
        {"${NOPE-x}", "x", "NOPE is not set", false},
        {"${BLANK:-x}", "x", "BLANK of the environment", false},
        {"${BLANK-x}", "", "BLANK of the environment", false},
        {"${BLANK}", "", "BLANK of the environment", false},
        {"${NOPE:-}", "", "NOPE is not set", false},
        {"${NOPE}", "", "NOPE is not set", true},
        {"$${FILE} ${FILE}", "${FILE} f", "FILE of a.env:1", false},
    };
    WEIR_CLEANUP(weir_env_free) weir_env *env = weir_env_new(outside);
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    parse(env, "FILE=f", &said);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_env_expansion e;
        weir_env_expand(env, cases[i].text, &e);
        assert_string_equal(weir_text_get(&e.text), cases[i].want);
        assert_string_equal(weir_text_get(&e.origin), cases[i].origin);
        assert_int_equal(e.is_unset, cases[i].is_unset);
        assert_int_equal(e.problem.length > 0, cases[i].is_unset);
        weir_env_expansion_deinit(&e);
    }
}

static void short_memory_leaves_nothing_half_read(void **state)
{
    (void)state;
    static const char text[] = "A='1'\nB=\"${A}2\"\n1\n";
    for (size_t n = 1;; n++) {
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_env_value value;
        (void)weir_alloc_fail_nth(n, false);
        weir_env *env = weir_env_new(outside);
        if (env)
            weir_env_parse(env, "a.env", text, sizeof text - 1, &problems);
        const size_t counted = weir_alloc_fail_nth(0, false);
        if (env && !problems.failed)
            assert_true(weir_env_find(env, "B", &value) && !strcmp(value.text, "12"));
        weir_env_free(env);
        weir_problems_deinit(&problems);
        if (counted < n)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_name_and_a_value),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place_and_the_rest_counts),
        cmocka_unit_test(what_is_no_text_is_refused_as_a_whole),
        cmocka_unit_test(a_value_that_grows_with_each_line_ends_at_a_limit),
        cmocka_unit_test(the_environment_wins_then_the_last_file),
        cmocka_unit_test(variables_in_a_text_are_replaced),
        cmocka_unit_test(short_memory_leaves_nothing_half_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
