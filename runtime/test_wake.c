/* SPDX-License-Identifier: MIT */
/* Tests of the heap of wake-up times. */

#include "runtime/wake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/random.h"

static void without_requests_nobody_is_woken(void **state)
{
    weir_wake wake;
    (void)state;
    assert_int_equal(weir_wake_init(&wake, 3), WEIR_OK);
    assert_true(weir_wake_first(&wake, NULL).us == INT64_MAX);
    weir_wake_deinit(&wake);
    assert_int_equal(weir_wake_init(&wake, 0), WEIR_OK);
    assert_true(weir_wake_first(&wake, NULL).us == INT64_MAX);
    weir_wake_deinit(&wake);
}

static void the_first_is_always_the_earliest_of_all(void **state)
{
    enum { N = 50 };
    int64_t model[N];
    weir_random random = {.state = 20261121};
    weir_wake wake;
    (void)state;
    assert_int_equal(weir_wake_init(&wake, N), WEIR_OK);
    for (int i = 0; i < N; i++)
        model[i] = INT64_MAX;
    for (int step = 0; step < 20000; step++) {
        uint32_t who = (uint32_t)weir_random_below(&random, N), first = 0;
        model[who] = step % 7 == 0 ? INT64_MAX : (int64_t)weir_random_below(&random, 1000);
        weir_wake_set(&wake, who, (weir_mono){model[who]});
        int64_t least = INT64_MAX;
        for (int i = 0; i < N; i++)
            least = model[i] < least ? model[i] : least;
        assert_true(weir_wake_first(&wake, &first).us == least);
        assert_true(model[first] == least);
    }
    weir_wake_deinit(&wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_requests_nobody_is_woken),
        cmocka_unit_test(the_first_is_always_the_earliest_of_all),
    };
    return cmocka_run_group_tests_name("wake", tests, NULL, NULL);
}
