/* SPDX-License-Identifier: MIT */
/* Tests of the names made of a tag. */

#include "sinks/text/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"

static const weir_label labels[] = {{"building", "A"}, {"floor", "2 west"}};
static const weir_sink_tag tag = {
    .uid = 17,
    .name = "main-meter/phase[2]",
    .device = "main-meter",
    .point = "phase[2]",
    .unit = "kW",
    .type = "float32",
    .address = "holding 52",
    .description = "Feeder {A}",
    .n_labels = 2,
    .labels = labels,
    .labels_json = "{}",
};

static void fields_are_replaced_by_what_the_tag_has(void **state)
{
    static const struct {
        const char *template, *want;
    } cases[] = {
        {"", ""},
        {"plant", "plant"},
        {"plant_{device}", "plant_main-meter"},
        {"{tag}", "main-meter/phase[2]"},
        {"{device}/{point}", "main-meter/phase[2]"},
        {"{label:building}/{point}", "A/phase[2]"},
        {"{label:floor}|{label:none}|", "2 west||"},
        {"{label:build}{label:buildings}", ""},
        {"{unit} {type} {address} {id}", "kW float32 holding 52 17"},
        {"{description}", "Feeder {A}"},
        {"{{{id}}}", "{17}"},
        {"}}{{", "}{"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WEIR_CLEANUP(weir_template_free) weir_template *template = NULL;
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_error error = WEIR_ERROR_INIT;
        assert_int_equal(weir_template_parse(cases[i].template, &template, &error), WEIR_OK);
        weir_template_add(template, &tag, &text);
        assert_string_equal(weir_text_get(&text), cases[i].want);
    }
}

static void what_is_no_template_is_refused_with_the_nearest_field(void **state)
{
    static const struct {
        const char *template, *want;
    } cases[] = {
        {"{devise}", "{device}"},      {"{lable:x}", "{label:KEY}"},
        {"{label:}", "{label:KEY}"},   {"{}", "no name"},
        {"{device", "not closed"},     {"{dev{ice}", "not closed"},
        {"device}", "closes nothing"}, {"{zzzzzz}", "there are {tag}"},
        {"{", "not closed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_template *template = NULL;
        weir_error error = WEIR_ERROR_INIT;
        assert_int_equal(weir_template_parse(cases[i].template, &template, &error), WEIR_EINVAL);
        assert_null(template);
        if (!strstr(error.text, cases[i].want))
            fail_msg("\"%s\" lacks \"%s\"", error.text, cases[i].want);
    }
}

static void every_refused_allocation_ends_cleanly(void **state)
{
    weir_template *template = NULL;
    weir_error error = WEIR_ERROR_INIT;
    weir_err err = WEIR_ENOMEM;
    (void)state;
    for (size_t n = 1; err != WEIR_OK; n++) {
        (void)weir_alloc_fail_nth(n, false);
        err = weir_template_parse("{device}_{point}", &template, &error);
        (void)weir_alloc_fail_nth(0, false);
        assert_true(err == WEIR_OK || err == WEIR_ENOMEM);
        assert_true(n < 10);
    }
    weir_template_free(template);
    weir_template_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_replaced_by_what_the_tag_has),
        cmocka_unit_test(what_is_no_template_is_refused_with_the_nearest_field),
        cmocka_unit_test(every_refused_allocation_ends_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
