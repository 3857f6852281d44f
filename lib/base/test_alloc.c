/* SPDX-License-Identifier: MIT */
/* Tests of refused memory and of the arena. */

#include "base/alloc.h"

#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void the_nth_allocation_can_be_refused_once(void **state)
{
    (void)state;
    (void)weir_alloc_fail_nth(2, false);
    void *first = weir_alloc(8), *second = weir_alloc_zero(1, 8), *third = weir_alloc(8);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_int_equal(weir_alloc_fail_nth(0, false), 3);
    weir_free(first);
    weir_free(third);
    weir_free(NULL);
}

static void refusal_can_last(void **state)
{
    (void)state;
    (void)weir_alloc_fail_nth(1, true);
    assert_null(weir_alloc(8));
    assert_null(weir_alloc(8));
    assert_null(weir_realloc_array(NULL, 1, 1));
    assert_int_equal(weir_alloc_fail_nth(0, false), 3);
}

static void products_that_overflow_are_refused(void **state)
{
    (void)state;
    /* volatile: else the compiler itself warns that this is too much. */
    volatile size_t huge = SIZE_MAX / 2 + 1;
    assert_null(weir_realloc_array(NULL, huge, 2));
    weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    assert_null(weir_arena_alloc(arena, huge, 2));
    assert_null(weir_arena_alloc(arena, SIZE_MAX, 1));
    assert_null(weir_arena_text_n(arena, "", SIZE_MAX));
    weir_arena_free(arena);
}

static void an_array_grows_as_it_is_filled_and_stays_when_it_cannot(void **state)
{
    (void)state;
    size_t *numbers = NULL, capacity = 0, n = 0;
    while (n < 1000) {
        numbers = weir_array_room(numbers, n, &capacity, sizeof *numbers);
        assert_non_null(numbers);
        assert_true(capacity > n);
        numbers[n] = n;
        n++;
    }
    n = capacity;
    (void)weir_alloc_fail_nth(1, true);
    assert_null(weir_array_room(numbers, n, &capacity, sizeof *numbers));
    assert_ptr_equal(weir_array_room(numbers, n - 1, &capacity, sizeof *numbers), numbers);
    (void)weir_alloc_fail_nth(0, false);
    assert_int_equal(capacity, n);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    weir_free(numbers);
}

static void an_arena_hands_out_zeroed_aligned_memory_of_any_size(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    size_t sum = 0;
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = weir_arena_alloc(arena, n, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
        sum += n;
    }
    assert_non_null(weir_arena_alloc(arena, 1, 1000000));
    assert_true(weir_arena_size(arena) >= sum + 1000000);
}

static void an_arena_copies_and_formats_texts(void **state)
{
    (void)state;
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    const char *copy = weir_arena_text(arena, "boiler-room");
    const char *part = weir_arena_text_n(arena, "boiler-room", 6);
    const char *made = weir_arena_format(arena, "m%02d", 7);
    assert_non_null(copy);
    assert_non_null(part);
    assert_non_null(made);
    assert_string_equal(copy, "boiler-room");
    assert_string_equal(part, "boiler");
    assert_string_equal(made, "m07");
}

static void an_arena_without_memory_says_so(void **state)
{
    (void)state;
    (void)weir_alloc_fail_nth(1, false);
    assert_null(weir_arena_new());
    (void)weir_alloc_fail_nth(2, true);
    weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    assert_null(weir_arena_alloc(arena, 1, 8));
    assert_null(weir_arena_text(arena, "x"));
    assert_null(weir_arena_format(arena, "x"));
    (void)weir_alloc_fail_nth(0, false);
    assert_non_null(weir_arena_text(arena, "x"));
    weir_arena_free(arena);
    weir_arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_allocation_can_be_refused_once),
        cmocka_unit_test(refusal_can_last),
        cmocka_unit_test(products_that_overflow_are_refused),
        cmocka_unit_test(an_array_grows_as_it_is_filled_and_stays_when_it_cannot),
        cmocka_unit_test(an_arena_hands_out_zeroed_aligned_memory_of_any_size),
        cmocka_unit_test(an_arena_copies_and_formats_texts),
        cmocka_unit_test(an_arena_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
