/* SPDX-License-Identifier: MIT */
/* Tests of the map from names to values. */

#include "base/map.h"

#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"

static void what_was_set_is_found_and_nothing_else(void **state)
{
    (void)state;
    weir_map map = WEIR_MAP_INIT;
    int a = 0, b = 0;
    void *old = &map;
    assert_null(weir_map_get(&map, "m1"));
    assert_int_equal(weir_map_set(&map, "m1", &a, &old), WEIR_OK);
    assert_null(old);
    assert_int_equal(weir_map_set(&map, "m2", &b, NULL), WEIR_OK);
    assert_ptr_equal(weir_map_get(&map, "m1"), &a);
    assert_null(weir_map_get(&map, "m"));
    assert_int_equal(weir_map_set(&map, "m1", &b, &old), WEIR_OK);
    assert_ptr_equal(old, &a);
    assert_ptr_equal(weir_map_get(&map, "m1"), &b);
    assert_int_equal(map.count, 2);
    weir_map_deinit(&map);
    weir_map_deinit(NULL);
}

static void thousands_of_names_are_all_found(void **state)
{
    (void)state;
    enum { N = 5000 };
    static char names[N][16];
    weir_map map = WEIR_MAP_INIT;
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof names[i], "meter-%zu", i);
        assert_int_equal(weir_map_set(&map, names[i], names[i], NULL), WEIR_OK);
    }
    for (size_t i = 0; i < N; i++)
        assert_ptr_equal(weir_map_get(&map, names[i]), names[i]);
    assert_int_equal(map.count, N);
    weir_map_deinit(&map);
}

static void a_map_that_cannot_grow_keeps_what_it_has(void **state)
{
    (void)state;
    static char names[64][8];
    weir_map map = WEIR_MAP_INIT;
    size_t refused = 0;
    for (size_t i = 0; i < 64; i++) {
        (void)snprintf(names[i], sizeof names[i], "%zu", i);
        (void)weir_alloc_fail_nth(1, false);
        if (weir_map_set(&map, names[i], names[i], NULL)) {
            refused++;
            assert_null(weir_map_get(&map, names[i]));
            (void)weir_alloc_fail_nth(0, false);
            assert_int_equal(weir_map_set(&map, names[i], names[i], NULL), WEIR_OK);
        }
    }
    (void)weir_alloc_fail_nth(0, false);
    assert_int_equal(refused, 4); /* 16, 32, 64 and 128 slots */
    for (size_t i = 0; i < 64; i++)
        assert_ptr_equal(weir_map_get(&map, names[i]), names[i]);
    weir_map_deinit(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_set_is_found_and_nothing_else),
        cmocka_unit_test(thousands_of_names_are_all_found),
        cmocka_unit_test(a_map_that_cannot_grow_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
