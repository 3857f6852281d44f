/* SPDX-License-Identifier: MIT */
/* Sinks of a configuration: options of both tables, secrets, filters, warnings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "catalog/test_sink_type.h"
#include "catalog/yaml.h"

#define PLANT                                                                             \
    "connections: [{name: line, uri: 'simulated:'}]\n"                                    \
    "devices:\n"                                                                          \
    "  - {name: m1, connection: line, unit_id: 1, interval: 1s, labels: {building: A},\n" \
    "     points: [{name: power, register: input, address: 0, type: float32},\n"          \
    "              {name: phase, register: input, address: 9, type: uint16, count: 3}]}\n"

static weir_err no_read(void *data, const char *path, weir_text *ret, weir_error *error)
{
    (void)data;
    (void)ret;
    return weir_fail(error, WEIR_ENOTFOUND, "cannot read %s", path);
}

static bool is_open_to_all(void *data, const char *path)
{
    (void)path;
    return data != NULL;
}

struct loaded {
    weir_catalog *catalog;
    weir_problems problems, warnings;
    weir_err err;
};

/* Everything said, a line each. */
static void say(const weir_problems *problems, weir_text *t)
{
    for (size_t i = 0; i < problems->n; i++) {
        weir_problem_format(&problems->items[i], t);
        weir_text_add(t, "\n");
    }
}

static struct loaded load(const char *text, bool open_to_all)
{
    struct loaded l = {0};
    const weir_yaml_files files = {
        .data = open_to_all ? &l : NULL, .read = no_read, .others_read = is_open_to_all};
    const weir_yaml_options options = {
        .files = &files, .sink_type = find_ledger, .warnings = &l.warnings};
    l.err = weir_yaml_load_text(text, strlen(text), "weir.yaml", &options, &l.catalog, &l.problems);
    return l;
}

static void unload(struct loaded *l)
{
    weir_catalog_free(l->catalog);
    weir_problems_deinit(&l->problems);
    weir_problems_deinit(&l->warnings);
}

static void load_says(const char *text, bool open_to_all, const char *problems,
                      const char *warnings)
{
    struct loaded l = load(text, open_to_all);
    WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
    say(&l.problems, &said);
    assert_string_equal(weir_text_get(&said), problems);
    weir_text_clear(&said);
    say(&l.warnings, &said);
    assert_string_equal(weir_text_get(&said), warnings);
    assert_int_equal(l.err, *problems ? WEIR_ECONFIG : WEIR_OK);
    unload(&l);
}

static void every_key_of_a_sink_arrives(void **state)
{
    (void)state;
    struct loaded l = load(PLANT "sinks:\n"
                                 "  - {name: book, type: ledger, path: a.txt}\n"
                                 "  - name: office\n"
                                 "    type: ledger\n"
                                 "    enabled: false\n"
                                 "    tags: [\"m1/*\", \"!m1/phase*\"]\n"
                                 "    labels: {building: \"A*\"}\n"
                                 "    plans: default\n"
                                 "    quality: usable\n"
                                 "    batch: 500\n"
                                 "    backlog_rate: 20000/s\n"
                                 "    path: b.txt\n"
                                 "    format: double_entry\n"
                                 "    keep: 90s\n"
                                 "    columns: [tag, value]\n"
                                 "    extra: {site: north, hall: 7}\n"
                                 "    pages: 3-5,9\n",
                           false);
    assert_int_equal(l.err, WEIR_OK);
    assert_int_equal(l.warnings.n, 0);
    assert_int_equal(l.catalog->n_sinks, 2);

    const weir_sink_config *book = &l.catalog->sinks[0], *office = &l.catalog->sinks[1];
    const ledger_options *o = book->options;
    assert_string_equal(book->name, "book");
    assert_ptr_equal(book->type, &ledger_type);
    assert_true(book->enabled);
    assert_int_equal(book->n_tags + book->n_labels + book->plans + book->batch, 0);
    assert_int_equal(book->quality, WEIR_SINK_QUALITY_ALL);
    assert_int_equal(book->backlog_rate, 0);
    assert_string_equal(o->path, "a.txt");
    assert_int_equal(o->format, 0);
    assert_false(o->keep_given);
    assert_null(o->password);

    o = office->options;
    assert_int_equal(office->where.line, 8);
    assert_false(office->enabled);
    assert_int_equal(office->n_tags, 2);
    assert_string_equal(office->tags[0], "m1/*");
    assert_string_equal(office->tags[1], "!m1/phase*");
    assert_int_equal(office->n_labels, 1);
    assert_string_equal(office->labels[0].key, "building");
    assert_string_equal(office->labels[0].value, "A*");
    assert_int_equal(office->n_plans, 1);
    assert_string_equal(office->plan_names[0], "default");
    assert_int_equal(office->quality, WEIR_SINK_QUALITY_USABLE);
    assert_int_equal(office->batch, 500);
    assert_int_equal(office->backlog_rate, 20000);
    assert_string_equal(o->path, "b.txt");
    assert_int_equal(o->format, 1);
    assert_int_equal(o->keep, 90 * WEIR_S);
    assert_true(o->keep_given);
    assert_int_equal(o->columns.n, 2);
    assert_string_equal(o->columns.items[1], "value");
    assert_int_equal(o->extra.n, 2);
    assert_string_equal(o->extra.items[1].key, "hall");
    assert_string_equal(o->extra.items[1].value, "7");
    assert_int_equal(o->pages.n, 2);
    assert_int_equal(o->pages.items[0].last, 5);
    assert_int_equal(o->pages.items[1].first, 9);
    unload(&l);
}

static void a_secret_comes_from_the_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("WEIR_TEST_SECRET", "open \"sesame\"", 1), 0);
    struct loaded l = load("sinks:\n"
                           "  - {name: a, type: ledger, path: \"${HOME}\", url: x, password: "
                           "\"${WEIR_TEST_SECRET}\"}\n",
                           true);
    assert_int_equal(l.err, WEIR_OK);
    assert_int_equal(l.warnings.n, 0);
    const ledger_options *o = l.catalog->sinks[0].options;
    assert_string_equal(o->password, "open \"sesame\"");
    assert_string_equal(o->path, "${HOME}"); /* only secrets do */
    unload(&l);
}

static void a_secret_that_is_not_in_the_environment_is_a_problem_at_its_place(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("WEIR_TEST_SECRET"), 0);
    assert_int_equal(setenv("WEIR_TEST_EMPTY", "", 1), 0);
    load_says("sinks:\n"
              "  - {name: a, type: ledger, path: x, url: x, password: \"${WEIR_TEST_SECRET}\"}\n"
              "  - {name: b, type: ledger, path: x, url: x, password: \"${WEIR_TEST_EMPTY}\"}\n"
              "  - {name: c, type: ledger, path: x, url: x, password: \"${pass word}\"}\n",
              true,
              "weir.yaml:2:56: the environment variable WEIR_TEST_SECRET is not set: set it where "
              "weir is started\n"
              "weir.yaml:3:56: the environment variable WEIR_TEST_EMPTY is empty: set it where "
              "weir is started\n"
              "weir.yaml:4:56: \"${...}\" must have the name of an environment variable between "
              "its braces, of letters, digits and _\n",
              "");
}

static void a_secret_in_a_file_for_all_is_a_warning_that_does_not_show_it(void **state)
{
    (void)state;
    static const char text[] =
        "sinks: [{name: a, type: ledger, path: x, url: x, password: Hunter2}]\n";
    load_says(text, false, "", "");
    load_says(text, true, "",
              "weir.yaml:1:60: a secret in a file that everybody may read: chmod o-r weir.yaml, or "
              "write \"${NAME}\" and set the environment variable NAME\n");
}

static void no_problem_ever_shows_a_secret(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "sinks: [{name: a, type: ledger, path: x, password: Hunter2}]\n", /* check refuses it */
        "sinks: [{name: a, type: ledger, path: x, url: x, password: [Hunter2]}]\n",
        "sinks: [{name: a, type: ledger, path: x, url: x, password: {Hunter2: 1}}]\n",
        "sinks: [{name: a, type: ledgr, path: x, password: Hunter2}]\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct loaded l = load(texts[i], true);
        WEIR_TEXT_AUTO said = WEIR_TEXT_INIT;
        assert_int_equal(l.err, WEIR_ECONFIG);
        say(&l.problems, &said);
        say(&l.warnings, &said);
        assert_null(strstr(weir_text_get(&said), "Hunter2"));
        unload(&l);
    }
}

static void filters_that_match_nothing_are_warnings(void **state)
{
    (void)state;
    load_says(PLANT
              "sinks:\n"
              "  - {name: a, type: ledger, path: x, tags: [\"m1/*\", \"n1/*\", \"!m1/cur*\"]}\n"
              "  - {name: b, type: ledger, path: x, tags: \"m1/phase[2]\"}\n"
              "  - {name: c, type: ledger, path: x, tags: m1/phase, labels: {building: B}}\n",
              false, "",
              "weir.yaml:7:53: the pattern \"n1/*\" matches no tag: tags are named device/point\n"
              "weir.yaml:7:61: the pattern \"m1/cur*\" matches no tag: tags are named "
              "device/point\n"
              "weir.yaml:9:44: the pattern \"m1/phase\" matches no tag: tags are named "
              "device/point\n"
              "weir.yaml:9:73: no device and no point has the label building: B\n");
}

static void without_types_sinks_are_left_alone(void **state)
{
    (void)state;
    static const char text[] = "sinks: [{name: a, type: nonsense}]\n";
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_catalog *c = NULL;
    assert_int_equal(weir_yaml_load_text(text, strlen(text), "weir.yaml", NULL, &c, &problems),
                     WEIR_OK);
    assert_int_equal(c->n_sinks, 0);
    weir_catalog_free(c);
    weir_problems_deinit(&problems);
}

static void short_memory_never_gives_half_a_catalog(void **state)
{
    (void)state;
    size_t n = 0;
    for (bool done = false; !done; n++) {
        assert_true(n < 1000); /* far more than a load needs */
        (void)weir_alloc_fail_nth(n + 1, true);
        struct loaded l = load(PLANT "sinks:\n"
                                     "  - {name: a, type: ledger, path: x, tags: [\"m1/*\"],\n"
                                     "     labels: {building: A}, columns: [a, b], extra: {a: b},\n"
                                     "     pages: 1-3, backlog_rate: 5/s, url: x, password: p}\n",
                               true);
        (void)weir_alloc_fail_nth(0, false);
        done = l.err == WEIR_OK;
        assert_int_equal(l.catalog != NULL, done);
        unload(&l);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_of_a_sink_arrives),
        cmocka_unit_test(a_secret_comes_from_the_environment),
        cmocka_unit_test(a_secret_that_is_not_in_the_environment_is_a_problem_at_its_place),
        cmocka_unit_test(a_secret_in_a_file_for_all_is_a_warning_that_does_not_show_it),
        cmocka_unit_test(no_problem_ever_shows_a_secret),
        cmocka_unit_test(filters_that_match_nothing_are_warnings),
        cmocka_unit_test(without_types_sinks_are_left_alone),
        cmocka_unit_test(short_memory_never_gives_half_a_catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
