/* SPDX-License-Identifier: MIT */
/* Tests of the filter of a sink. */

#include "sinks/delivery/filter.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/alloc.h"

static const weir_label labels_ab[] = {{"building", "A-7"}, {"kind", "heat"}};

static const struct {
    const char *patterns[4];
    size_t n;
    weir_label label;
    const char *name;
    bool wanted;
} cases[] = {
    {{NULL}, 0, {0}, "m1/power", true},
    {{"m1/*"}, 1, {0}, "m1/power", true},
    {{"m1/*"}, 1, {0}, "m2/power", false},
    {{"m1/*", "m2/*"}, 2, {0}, "m2/power", true},
    {{"!m1/*"}, 1, {0}, "m1/power", false},
    {{"!m1/*"}, 1, {0}, "m2/power", true},
    {{"!*/power", "m1/*"}, 2, {0}, "m1/power", false},
    {{"m1/*", "!*/power"}, 2, {0}, "m1/power", false},
    {{"m1/*", "!*/power"}, 2, {0}, "m1/energy", true},
    {{"m1/*", "!*/power"}, 2, {0}, "m2/energy", false},
    {{NULL}, 0, {"building", "A-*"}, "m1/power", true},
    {{NULL}, 0, {"building", "B-*"}, "m1/power", false},
    {{NULL}, 0, {"room", "*"}, "m1/power", false}, /* it has no such label */
    {{"m2/*"}, 1, {"building", "*"}, "m1/power", false},
};

static void patterns_and_labels_choose_tags(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_sink_config config = {.tags = cases[i].patterns,
                                         .n_tags = cases[i].n,
                                         .labels = &cases[i].label,
                                         .n_labels = cases[i].label.key != NULL};
        const weir_tag_labels labels = {.device = labels_ab, .n_device = 2};
        if (weir_sink_wants_tag(&config, cases[i].name, labels) != cases[i].wanted)
            fail_msg("case %zu", i);
    }
}

static void labels_of_the_point_count_before_its_devices(void **state)
{
    static const weir_label of_point[] = {{"building", "B"}, {"room", "7"}};
    static const weir_label wanted[] = {{"building", "A-*"}, {"building", "B"}, {"room", "7"}};
    const weir_tag_labels labels = {labels_ab, of_point, 2, 2};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const weir_sink_config config = {.labels = &wanted[i], .n_labels = 1};
        assert_int_equal(weir_sink_wants_tag(&config, "m1/power", labels), i > 0);
    }
}

static void a_tag_is_decided_once_for_each_version(void **state)
{
    const char *patterns[] = {"m1/*"};
    const weir_sink_config config = {.tags = patterns, .n_tags = 1};
    weir_sink_filter filter = {.config = &config};
    weir_sink_tag old = {.number = 3, .name = "m1/power"}, renamed = {.number = 300, .name = "x/y"};
    (void)state;
    assert_true(weir_sink_filter_row(&filter, &(weir_sink_row){.tag = &old}));
    assert_false(weir_sink_filter_row(&filter, &(weir_sink_row){.tag = &renamed}));
    old.name = "another"; /* would be left out if it was asked again */
    assert_true(weir_sink_filter_row(&filter, &(weir_sink_row){.tag = &old}));
    weir_sink_filter_deinit(&filter);
}

static void without_memory_the_answer_is_the_same(void **state)
{
    const char *patterns[] = {"m1/*"};
    const weir_sink_config config = {.tags = patterns, .n_tags = 1};
    weir_sink_filter filter = {.config = &config};
    const weir_sink_tag tag = {.number = 5, .name = "m2/power"};
    (void)state;
    (void)weir_alloc_fail_nth(1, true);
    assert_false(weir_sink_filter_row(&filter, &(weir_sink_row){.tag = &tag}));
    (void)weir_alloc_fail_nth(0, false);
    weir_sink_filter_deinit(&filter);
}

static void quality_and_plans_choose_samples(void **state)
{
    const weir_quality good = 0, bad = weir_bad(WEIR_CAUSE_TIMEOUT, 0),
                       uncertain = weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_LATE, 0);
    const struct {
        weir_sink_quality wanted;
        bool good, uncertain, bad;
    } expected[] = {
        {WEIR_SINK_QUALITY_ALL, true, true, true},
        {WEIR_SINK_QUALITY_USABLE, true, true, false},
        {WEIR_SINK_QUALITY_GOOD, true, false, false},
    };
    const weir_sink_tag tag = {.name = "m1/power"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const weir_sink_config config = {.quality = expected[i].wanted};
        weir_sink_filter f = {.config = &config};
        weir_sink_row row = {.tag = &tag, .sample.quality = good};
        assert_int_equal(weir_sink_filter_row(&f, &row), expected[i].good);
        row.sample.quality = uncertain;
        assert_int_equal(weir_sink_filter_row(&f, &row), expected[i].uncertain);
        row.sample.quality = bad;
        assert_int_equal(weir_sink_filter_row(&f, &row), expected[i].bad);
    }
    const weir_sink_config night = {.plans = 1u << 5};
    weir_sink_filter f = {.config = &night};
    assert_true(weir_sink_filter_row(&f, &(weir_sink_row){.tag = &tag, .plans = 0x21}));
    assert_false(weir_sink_filter_row(&f, &(weir_sink_row){.tag = &tag, .plans = 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_and_labels_choose_tags),
        cmocka_unit_test(labels_of_the_point_count_before_its_devices),
        cmocka_unit_test(a_tag_is_decided_once_for_each_version),
        cmocka_unit_test(without_memory_the_answer_is_the_same),
        cmocka_unit_test(quality_and_plans_choose_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
