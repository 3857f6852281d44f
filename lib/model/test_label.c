/* SPDX-License-Identifier: MIT */
/* Tests of labels: what a tag has of its device's and its point's. */

#include "model/label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_points_labels_lie_over_its_devices(void **state)
{
    static const struct {
        weir_label device[3], point[3];
        size_t n_device, n_point;
        const char *json;
    } cases[] = {
        {{{0}}, {{0}}, 0, 0, "{}"},
        {{{"a", "1"}, {"b", "2"}}, {{0}}, 2, 0, "{\"a\":\"1\",\"b\":\"2\"}"},
        {{{0}}, {{"a", "1"}}, 0, 1, "{\"a\":\"1\"}"},
        {{{"b", "2"}}, {{"a", "1"}, {"c", "3"}}, 1, 2, "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}"},
        {{{"a", "1"}, {"b", "2"}, {"c", "3"}},
         {{"b", "two"}},
         3,
         1,
         "{\"a\":\"1\",\"b\":\"two\",\"c\":\"3\"}"},
        {{{"a", "1"}}, {{"a", "\"q\""}}, 1, 1, "{\"a\":\"\\\"q\\\"\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_tag_labels both = {cases[i].device, cases[i].point, cases[i].n_device,
                                      cases[i].n_point};
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_tag_labels_format(both, &text);
        assert_string_equal(weir_text_get(&text), cases[i].json);
    }
}

static void labels_are_sorted_by_key_and_equal_when_all_of_them_are(void **state)
{
    weir_label labels[] = {{"floor", "2"}, {"building", "A"}, {"room", "7"}};
    const weir_label same[] = {{"building", "A"}, {"floor", "2"}, {"room", "7"}};
    const weir_label other[] = {{"building", "A"}, {"floor", "3"}, {"room", "7"}};
    (void)state;
    weir_labels_sort(labels, 3);
    weir_labels_sort(NULL, 0);
    assert_string_equal(labels[0].key, "building");
    assert_string_equal(labels[2].key, "room");
    assert_true(weir_labels_equal(labels, 3, same, 3));
    assert_false(weir_labels_equal(labels, 3, same, 2));
    assert_false(weir_labels_equal(labels, 3, other, 3));
    assert_true(weir_labels_equal(NULL, 0, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_points_labels_lie_over_its_devices),
        cmocka_unit_test(labels_are_sorted_by_key_and_equal_when_all_of_them_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
