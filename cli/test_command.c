/* SPDX-License-Identifier: MIT */
/* Tests of the parsing of arguments. */

#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct options {
    const char *file;
    int64_t count, wait_us;
    bool quiet, once;
    weir_option_strings listen;
    bool count_given;
};

static const weir_option option_table[] = {
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct options, file),
     .fallback = "weir.yaml"},
    {.name = "count",
     .letter = 'n',
     .type = WEIR_OPTION_INT,
     .offset = offsetof(struct options, count),
     .set_offset = offsetof(struct options, count_given),
     .min = -5,
     .max = 125,
     .fallback = "1"},
    {.name = "wait", .type = WEIR_OPTION_DURATION, .offset = offsetof(struct options, wait_us)},
    {.name = "quiet",
     .letter = 'q',
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct options, quiet)},
    {.name = "once",
     .letter = '1',
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct options, once)},
    {.name = "listen", .type = WEIR_OPTION_STRINGS, .offset = offsetof(struct options, listen)},
    {0}};

static const weir_command command = {.name = "try",
                                     .arguments = "URI",
                                     .args_min = 1,
                                     .args_max = 2,
                                     .options = option_table,
                                     .options_size = sizeof(struct options)};

struct parsed {
    weir_arena *arena;
    weir_invocation in;
    const struct options *options;
    bool help;
    weir_err err;
    weir_error error;
};

/* words: separated by blanks. */
static struct parsed parse(const char *words)
{
    struct parsed p = {.arena = weir_arena_new()};
    char **argv = weir_arena_alloc(p.arena, 32, sizeof *argv);
    int argc = 0;
    for (const char *at = words; *at; argc++) {
        size_t n = strcspn(at, " ");
        argv[argc] = weir_arena_text_n(p.arena, at, n);
        at += n + (at[n] == ' ');
    }
    p.err = weir_command_parse(&command, argc, argv, p.arena, &p.in, &p.help, &p.error);
    p.options = p.in.options;
    return p;
}

static void every_way_of_writing_an_option_means_the_same(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "uri --count 7 --quiet --once",
        "uri --count=7 -q -1",
        "-n 7 uri -q1",
        "-n7 -1q uri",
        "-1qn7 uri",
        "--quiet=true -1 -n 7 uri",
        "-q -1 -n 3 -n 7 -- uri",
        "uri -1 --once=yes -qn 7",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p = parse(cases[i]);
        if (p.err)
            fail_msg("%s: %s", cases[i], p.error.text);
        assert_int_equal(p.options->count, 7);
        assert_true(p.options->count_given);
        assert_true(p.options->quiet);
        assert_true(p.options->once);
        assert_int_equal(p.in.n_args, 1);
        assert_string_equal(p.in.args[0], "uri");
        assert_null(p.in.args[1]);
        weir_arena_free(p.arena);
    }
}

static void defaults_stand_and_are_not_given(void **state)
{
    (void)state;
    struct parsed p = parse("uri");
    assert_int_equal(p.err, WEIR_OK);
    assert_string_equal(p.options->file, "weir.yaml");
    assert_int_equal(p.options->count, 1);
    assert_false(p.options->count_given);
    assert_false(p.options->quiet);
    assert_int_equal(p.options->listen.n, 0);
    weir_arena_free(p.arena);
}

static void a_value_may_begin_with_a_hyphen_and_so_may_an_argument_after_two(void **state)
{
    (void)state;
    struct parsed p = parse("-n -5 -- -q --help");
    assert_int_equal(p.err, WEIR_OK);
    assert_false(p.help);
    assert_int_equal(p.options->count, -5);
    assert_false(p.options->quiet);
    assert_string_equal(p.in.args[0], "-q");
    assert_string_equal(p.in.args[1], "--help");
    weir_arena_free(p.arena);
}

static void a_list_collects_what_is_given_again(void **state)
{
    (void)state;
    struct parsed p = parse("--listen a uri --listen=b --listen c");
    assert_int_equal(p.err, WEIR_OK);
    assert_int_equal(p.options->listen.n, 3);
    assert_string_equal(p.options->listen.items[0], "a");
    assert_string_equal(p.options->listen.items[1], "b");
    assert_string_equal(p.options->listen.items[2], "c");
    weir_arena_free(p.arena);
}

static void mistakes_are_named_with_what_was_meant(void **state)
{
    (void)state;
    static const struct {
        const char *words, *text;
    } cases[] = {
        {"uri --cuont 7", "unknown option '--cuont'. Did you mean '--count'?"},
        {"uri --confg=x", "unknown option '--confg=x'. Did you mean '--config'?"},
        {"uri -x", "unknown option '-x'"},
        {"uri -qx", "unknown option '-qx'"},
        {"uri --zzzzzzzz", "unknown option '--zzzzzzzz'"},
        {"uri -once", "unknown option '-once'. Did you mean '--once'?"},
        {"uri --count", "--count needs a value"},
        {"uri -n", "-n needs a value"},
        {"uri --count 126", "--count must be between -5 and 125, not \"126\""},
        {"uri --wait 5", "--wait must be a duration such as 500ms, not \"5\""},
        {"", "URI is missing"},
        {"a b c", "unexpected argument 'c'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p = parse(cases[i].words);
        assert_int_equal(p.err, WEIR_EINVAL);
        assert_string_equal(p.error.text, cases[i].text);
        weir_arena_free(p.arena);
    }
}

static void help_comes_before_all_mistakes(void **state)
{
    (void)state;
    static const char *const cases[] = {"--help", "-h", "--nonsense -h", "a b c d --help"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p = parse(cases[i]);
        assert_int_equal(p.err, WEIR_OK);
        assert_true(p.help);
        weir_arena_free(p.arena);
    }
}

static void every_command_has_what_its_help_needs(void **state)
{
    (void)state;
    for (size_t i = 0; weir_commands[i]; i++) {
        const weir_command *c = weir_commands[i];
        assert_non_null(c->summary);
        assert_non_null(c->arguments);
        assert_non_null(c->examples);
        assert_non_null(c->examples[0].command);
        assert_non_null(c->run);
        for (const weir_option *o = c->options; o && o->name; o++) {
            assert_non_null(o->text);
            assert_true(o->offset < c->options_size);
            for (const weir_option *other = o + 1; other->name; other++) {
                assert_string_not_equal(o->name, other->name);
                assert_true(!o->letter || o->letter != other->letter);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_of_writing_an_option_means_the_same),
        cmocka_unit_test(defaults_stand_and_are_not_given),
        cmocka_unit_test(a_value_may_begin_with_a_hyphen_and_so_may_an_argument_after_two),
        cmocka_unit_test(a_list_collects_what_is_given_again),
        cmocka_unit_test(mistakes_are_named_with_what_was_meant),
        cmocka_unit_test(help_comes_before_all_mistakes),
        cmocka_unit_test(every_command_has_what_its_help_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
