/* SPDX-License-Identifier: MIT */
/* YAML as nodes: aliases, merge keys, limits, and what is said of broken text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "catalog/document.h"

static weir_document *parse(const char *text, weir_problems *problems)
{
    return weir_document_parse("t.yaml", text, strlen(text), problems);
}

static weir_document *parse_good(const char *text)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_document *d = parse(text, &problems);
    assert_non_null(d);
    assert_int_equal(problems.n, 0);
    return d;
}

static void nodes_know_where_they_were_written(void **state)
{
    (void)state;
    weir_document *d = parse_good("a: 1\nlist:\n  - x\n  - {k: \"v\"}\n");
    const weir_node list = weir_node_get(weir_document_root(d), "list");
    const weir_node v = weir_node_get(weir_node_item(list, 1), "k");
    assert_int_equal(weir_node_count(list), 2);
    assert_string_equal(weir_node_text(v), "v");
    assert_true(weir_node_quoted(v));
    assert_false(weir_node_quoted(weir_node_item(list, 0)));
    assert_string_equal(weir_node_where(v).file, "t.yaml");
    assert_int_equal(weir_node_where(v).line, 4);
    assert_int_equal(weir_node_where(v).column, 9);
    weir_document_free(d);
}

static void nothing_tilde_and_null_are_empty_unless_quoted(void **state)
{
    (void)state;
    weir_document *d = parse_good("a:\nb: ~\nc: null\nd: \"\"\ne: 'null'\n");
    const weir_node root = weir_document_root(d);
    assert_true(weir_node_empty(weir_node_get(root, "a")));
    assert_true(weir_node_empty(weir_node_get(root, "b")));
    assert_true(weir_node_empty(weir_node_get(root, "c")));
    assert_false(weir_node_empty(weir_node_get(root, "d")));
    assert_false(weir_node_empty(weir_node_get(root, "e")));
    weir_document_free(d);
}

static void own_keys_win_over_merged_ones_and_earlier_over_later(void **state)
{
    (void)state;
    weir_document *d = parse_good("x: &x {a: x, b: x, c: x}\n"
                                  "y: &y {b: y, d: y}\n"
                                  "m: {<<: [*y, *x], a: own}\n");
    const weir_node m = weir_node_get(weir_document_root(d), "m");
    assert_int_equal(weir_node_count(m), 4);
    assert_string_equal(weir_node_text(weir_node_get(m, "a")), "own");
    assert_string_equal(weir_node_text(weir_node_get(m, "b")), "y");
    assert_string_equal(weir_node_text(weir_node_get(m, "c")), "x");
    assert_string_equal(weir_node_text(weir_node_get(m, "d")), "y");
    weir_document_free(d);
}

static void a_quoted_merge_key_is_a_key(void **state)
{
    (void)state;
    weir_document *d = parse_good("'<<': 1\n");
    assert_string_equal(weir_node_text(weir_node_get(weir_document_root(d), "<<")), "1");
    weir_document_free(d);
}

/* From the "billion laughs": nine levels of nine. */
static void an_alias_bomb_is_refused_in_no_time(void **state)
{
    (void)state;
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_text_add(&t, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 10; i++)
        weir_text_format(&t, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i,
                         i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_null(parse(weir_text_get(&t), &problems));
    assert_int_equal(problems.n, 1);
    assert_int_equal(problems.items[0].code, WEIR_ELIMIT);
    weir_problems_deinit(&problems);
}

static void sixty_four_levels_fit_and_one_more_does_not(void **state)
{
    (void)state;
    char text[200] = "";
    for (unsigned levels = 63; levels <= 65; levels++) {
        weir_problems problems = WEIR_PROBLEMS_INIT;
        memset(text, '[', levels);
        memset(text + levels, ']', levels);
        text[2 * levels] = '\0';
        weir_document *d = parse(text, &problems);
        assert_int_equal(d != NULL, levels <= 64);
        assert_int_equal(problems.n, levels <= 64 ? 0 : 1);
        weir_document_free(d);
        weir_problems_deinit(&problems);
    }
}

static void what_cannot_be_parsed_is_one_problem_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        unsigned line, column;
        const char *says;
    } cases[] = {
        {"tab", "a:\n\tb: 1\n", 2, 1, "a tab at line 2: YAML indents with spaces"},
        {"tab after blanks", "a:\n  b: 1\n  \tc: 2\n", 3, 3, "a tab at line 3"},
        {"second colon", "a: b: c\n", 1, 5, "a second ':' in one line"},
        {"list not closed", "a: [1, 2\nb: 3\n", 2, 2, "a '[' is not closed"},
        {"quote not closed", "a: \"x\n", 2, 1, "a quote is not closed"},
        {"not UTF-8", "a: \xff\n", 1, 4, "this is not UTF-8"},
        {"control character", "a: \x01\n", 1, 4, "a control character"},
        {"own alias", "a: &a [*a]\n", 1, 8, "'*a' names nothing"},
        {"unknown alias", "a: *b\n", 1, 4, "'*b' names nothing"},
        {"second document", "a: 1\n---\nb: 2\n", 2, 1, "a second document"},
        {"tag", "a: !include b\n", 1, 4, "the tag '!include'"},
        {"key that is a list", "? [a]\n: 1\n", 1, 3, "a key must be a word"},
        {"key twice", "a: 1\nb: 2\na: 3\n", 3, 1, "the key 'a' is there twice, first at line 1"},
        {"merge of text", "<<: x\n", 1, 5, "'<<' takes a mapping"},
        {"NUL", "a: \"\\0\"\n", 1, 4, "NUL"},
        {"percent", "a: %b\n", 1, 4, "put it in quotes"},
        {"nothing", "", 0, 0, "the file is empty"},
        {"only comments", "# nothing\n", 0, 0, "the file is empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_document *d = parse(cases[i].text, &problems);
        if (problems.n != 1 || problems.items[0].where.line != cases[i].line ||
            problems.items[0].where.column != cases[i].column ||
            !strstr(problems.items[0].text, cases[i].says))
            fail_msg("%s: %zu problems, %u:%u %s", cases[i].name, problems.n,
                     problems.n ? problems.items[0].where.line : 0,
                     problems.n ? problems.items[0].where.column : 0,
                     problems.n ? problems.items[0].text : "");
        weir_document_free(d);
        weir_problems_deinit(&problems);
    }
}

static void short_memory_is_reported_wherever_it_strikes(void **state)
{
    (void)state;
    static const char text[] = "x: &x {a: 1, b: [2, 3]}\ny: {<<: *x, c: 4}\n";
    size_t n = 0;
    for (bool done = false; !done; n++) {
        assert_true(n < 1000); /* far more than a load needs */
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_alloc_fail_nth(n + 1, true);
        weir_document *d = parse(text, &problems);
        weir_alloc_fail_nth(0, false);
        done = d != NULL;
        assert_true(done || problems.failed);
        weir_document_free(d);
        weir_problems_deinit(&problems);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_where_they_were_written),
        cmocka_unit_test(nothing_tilde_and_null_are_empty_unless_quoted),
        cmocka_unit_test(own_keys_win_over_merged_ones_and_earlier_over_later),
        cmocka_unit_test(a_quoted_merge_key_is_a_key),
        cmocka_unit_test(an_alias_bomb_is_refused_in_no_time),
        cmocka_unit_test(sixty_four_levels_fit_and_one_more_does_not),
        cmocka_unit_test(what_cannot_be_parsed_is_one_problem_with_its_place),
        cmocka_unit_test(short_memory_is_reported_wherever_it_strikes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
