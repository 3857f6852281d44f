/* SPDX-License-Identifier: MIT */
/* EMDC's gendata files: its samples as they are, and what is said of mistakes. */

#include "catalog/gendata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static weir_err text_read(void *data, const char *path, weir_text *ret, weir_error *error)
{
    (void)path, (void)error;
    weir_text_add(ret, data);
    return WEIR_OK;
}

static weir_gendata load_good(const char *text)
{
    const weir_yaml_files files = {(void *)text, text_read, NULL};
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_gendata made = {0};
    weir_err err = weir_gendata_load("t.json", &files, &made, &problems);
    if (err != WEIR_OK)
        fail_msg("%s", problems.n ? problems.items[0].text : "out of memory");
    weir_problems_deinit(&problems);
    return made;
}

static const char *tag_name(const weir_catalog *c, size_t i)
{
    static weir_text t;
    static char name[100];
    weir_text_clear(&t);
    weir_tag_name(c, &c->tags[i], &t);
    assert_true(t.length < sizeof name);
    memcpy(name, weir_text_get(&t), t.length + 1);
    weir_text_deinit(&t);
    return name;
}

/* The README of gendata, kjiwa/lotus-leaf: one sample each 100 s of f(x) = 1. */
static void the_example_of_its_readme_is_one_topic_with_a_sample_each_100_s(void **state)
{
    (void)state;
    weir_gendata made = load_good("[\n"
                                  "  {\n"
                                  "    \"start\": \"2018-01-01T00:00:00.00000Z\",\n"
                                  "    \"end\": \"2018-01-01T23:59:59.99999Z\",\n"
                                  "    \"topic_id\": 1,\n"
                                  "    \"topic_name\": \"Test Topic\",\n"
                                  "    \"amplitude_offset\": 1,\n"
                                  "    \"spread\": 0\n"
                                  "  }\n"
                                  "]\n");
    assert_int_equal(made.catalog->n_tags, 1);
    assert_string_equal(tag_name(made.catalog, 0), "gendata/Test Topic");
    const weir_fourier_term *t = made.waves[0].terms;
    assert_int_equal(made.waves[0].n_terms, 1);
    assert_int_equal(t->start.us, 1514764800 * WEIR_S);
    assert_int_equal(t->step_us, 100 * WEIR_S);
    assert_int_equal(t->first, 0);
    assert_int_equal(t->last, 863); /* floor(86399.99999 * 0.01) */
    assert_true(t->offset == 1 && t->spread == 0 && t->cos == 0 && t->sin == 0);
    assert_true(t->period_s == 86400);
    weir_catalog_free(made.catalog);
}

#define RANGE "\"start\": \"2017-12-23T00:00:00Z\", \"end\": \"2017-12-24T23:59:59.9999Z\","

static void entries_of_one_topic_id_are_its_terms_wherever_they_stand(void **state)
{
    (void)state;
    weir_gendata made = load_good(
        "// a comment with \"quotes\" and [ brackets\n"
        "[{" RANGE
        "\"topic_id\": 9, \"topic_name\": \"UW/Alder/eaton_meter/W\", \"period\": 43200},"
        " {" RANGE "\"topic_id\": 8, \"topic_name\": \"UW/Alder/eaton_meter/VA\"},\n"
        "/* block\n * comment **/ {" RANGE "\"topic_id\": 5, \"topic_name\": \"a//b\"},"
        " {" RANGE "\"topic_id\": 9, \"topic_name\": \"another name\", \"amplitude_sin\": -0.637,"
        "  \"sample_rate\": 0.33, \"spread\": 0.01}]\n");
    const weir_catalog *c = made.catalog;
    assert_int_equal(c->n_tags, 3);
    assert_int_equal(c->n_devices, 2);
    assert_string_equal(tag_name(c, 0), "UW/Alder/eaton_meter/VA");
    assert_string_equal(tag_name(c, 1), "UW/Alder/eaton_meter/W");
    assert_string_equal(tag_name(c, 2), "a//b");
    assert_string_equal(c->devices[0].name, "UW/Alder/eaton_meter");
    assert_int_equal(made.waves[1].id, 9);
    assert_int_equal(made.waves[1].n_terms, 2);
    assert_true(made.waves[1].terms[0].period_s == 43200);
    assert_true(made.waves[1].terms[0].spread == 0.05); /* its default */
    assert_true(made.waves[1].terms[1].sin == -0.637);
    assert_int_equal(made.waves[1].terms[1].step_us, 3030303);
    weir_catalog_free(made.catalog);
}

static void mistakes_are_all_said_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *says;
    } cases[] = {
        {"[{\"start\": \"2018-01-01\", \"end\": \"2018-01-02\", \"topic_id\": 1}]", 1, 2,
         "an entry needs 'topic_name'"},
        {"[{" RANGE "\n\"topic_id\": 1, \"topic_name\": \"a\", \"amplitude_sine\": 1}]", 2, 35,
         "did you mean 'amplitude_sin'"},
        {"[{\"start\": \"yesterday\", \"end\": \"2018-01-02\", \"topic_id\": 1, \"topic_name\": "
         "\"a\"}]",
         1, 12, "start must be a time"},
        {"[{\"start\": \"2018-01-03\", \"end\": \"2018-01-02\", \"topic_id\": 1, \"topic_name\": "
         "\"a\"}]",
         1, 33, "end lies before start"},
        {"[{" RANGE "\"topic_id\": 1, \"topic_name\": \"a\", // no\n  \"period\": 0}]", 2, 13,
         "period must not be 0"},
        {"[{" RANGE "\"topic_id\": 1, \"topic_name\": \"a\",\n\"sample_rate\": -1}]", 2, 16,
         "sample_rate is -1"},
        {"[{" RANGE "\"topic_id\": \"x\", \"topic_name\": \"a\"}]", 1, 83,
         "topic_id must be an integer"},
        {"[{" RANGE "\"topic_id\": 1, \"topic_name\": \"a\"},\n{" RANGE
         "\"topic_id\": 2, \"topic_name\": \"a\"}]",
         2, 1, "topic_id 2 has the name of topic_id 1"},
        {"{\"start\": 1}", 1, 1, "the file"},
        {"[]", 1, 1, "0 entries"},
        {"[{\"start\": \"2018-01-01\",\n \"end\" \"2018-01-02\"}]", 2, 0, ""},
        {"// nothing\n", 0, 0, "empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_yaml_files files = {(void *)cases[i].text, text_read, NULL};
        weir_problems problems = WEIR_PROBLEMS_INIT;
        weir_gendata made = {0};
        assert_int_equal(weir_gendata_load("t.json", &files, &made, &problems), WEIR_ECONFIG);
        assert_null(made.catalog);
        assert_true(problems.n > 0);
        const weir_problem *p = &problems.items[0];
        if (!strstr(p->text, cases[i].says) || p->where.line != cases[i].line ||
            (cases[i].column && p->where.column != cases[i].column))
            fail_msg("case %zu: %u:%u: %s", i, p->where.line, p->where.column, p->text);
        weir_problems_deinit(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_its_readme_is_one_topic_with_a_sample_each_100_s),
        cmocka_unit_test(entries_of_one_topic_id_are_its_terms_wherever_they_stand),
        cmocka_unit_test(mistakes_are_all_said_with_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
