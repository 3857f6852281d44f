/* SPDX-License-Identifier: MIT */
/* Tests of the search for rejected rows. */

#include "sinks/delivery/bisect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { N = 300 };

/* Sends until done; returns how often. */
static size_t search(size_t n, const bool *bad, size_t most, bool *ret_found, size_t *ret_sent)
{
    weir_bisect b = {.n = n};
    size_t sends = 0;
    while (!weir_bisect_done(&b)) {
        const size_t at = b.at, k = weir_bisect_next(&b, most);
        bool any = false;
        for (size_t i = at; i < at + k; i++)
            any |= bad[i];
        if (!any) {
            weir_bisect_delivered(&b, k);
            for (size_t i = at; i < at + k; i++)
                ret_sent[i]++;
        } else if (weir_bisect_rejected(&b, k)) {
            ret_found[at] = true;
        }
        assert_true(++sends < 20 * N);
    }
    return sends;
}

static void exactly_the_bad_rows_are_found_and_the_others_arrive_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        weir_random r = {seed};
        const size_t n = 1 + weir_random_below(&r, N), wanted = weir_random_below(&r, 6);
        const size_t most = seed % 3 ? N : 1 + weir_random_below(&r, N);
        bool bad[N] = {0}, found[N] = {0};
        size_t sent[N] = {0}, n_bad = 0;
        for (size_t i = 0; i < wanted; i++)
            bad[weir_random_below(&r, n)] = true;
        const size_t sends = search(n, bad, most, found, sent);
        for (size_t i = 0; i < n; i++) {
            n_bad += bad[i];
            assert_int_equal(found[i], bad[i]);
            assert_int_equal(sent[i], !bad[i]);
        }
        if (most == N)
            assert_true(sends <= 1 + n_bad * (2 + 2 * 9)); /* 2^9 > N */
    }
}

static void one_bad_row_of_a_thousand_costs_a_dozen_sends(void **state)
{
    bool bad[1024] = {[777] = true}, found[1024] = {0};
    size_t sent[1024] = {0};
    (void)state;
    assert_true(search(1024, bad, 1024, found, sent) <= 23);
    assert_true(found[777]);
}

static void a_row_that_is_named_goes_alone_behind_those_before_it(void **state)
{
    weir_bisect b = {.n = 7};
    (void)state;
    assert_int_equal(weir_bisect_next(&b, 100), 7);
    weir_bisect_named(&b, 7, 4);
    assert_int_equal(weir_bisect_next(&b, 3), 3);
    assert_int_equal(weir_bisect_next(&b, 100), 4);
    assert_false(weir_bisect_rejected(&b, 4)); /* there is one among them, too */
    assert_int_equal(weir_bisect_next(&b, 100), 2);
    weir_bisect_delivered(&b, 2);
    weir_bisect_named(&b, 2, 0);
    assert_int_equal(weir_bisect_next(&b, 100), 1);
    assert_true(weir_bisect_rejected(&b, 1));
    assert_int_equal(b.at, 3);
    assert_int_equal(weir_bisect_next(&b, 100), 4); /* which of them it was is forgotten */
    weir_bisect_named(&b, 4, 1);
    weir_bisect_delivered(&b, 1);
    assert_int_equal(weir_bisect_next(&b, 100), 1);
    weir_bisect_delivered(&b, 1); /* alone it is not bad */
    assert_int_equal(weir_bisect_next(&b, 100), 2);
    weir_bisect_named(&b, 2, 0);
    assert_int_equal(weir_bisect_next(&b, 100), 1);
    weir_bisect_delivered(&b, 1);
    assert_int_equal(weir_bisect_next(&b, 100), 1);
    weir_bisect_delivered(&b, 1);
    assert_true(weir_bisect_done(&b));
}

static void rows_that_are_named_cost_three_sends_each(void **state)
{
    (void)state;
    bool bad[N] = {[0] = true, [7] = true, [8] = true, [200] = true, [N - 1] = true};
    weir_bisect b = {.n = N};
    size_t sends = 0, found = 0;
    for (; !weir_bisect_done(&b); sends++) {
        const size_t k = weir_bisect_next(&b, N);
        size_t i = 0;
        while (i < k && !bad[b.at + i])
            i++;
        if (i == k) {
            weir_bisect_delivered(&b, k);
        } else if (k > 1) {
            weir_bisect_named(&b, k, i);
        } else {
            assert_true(bad[b.at]);
            found += weir_bisect_rejected(&b, 1);
        }
    }
    assert_int_equal(found, 5);
    assert_true(sends <= 1 + 3 * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_bad_rows_are_found_and_the_others_arrive_once),
        cmocka_unit_test(one_bad_row_of_a_thousand_costs_a_dozen_sends),
        cmocka_unit_test(a_row_that_is_named_goes_alone_behind_those_before_it),
        cmocka_unit_test(rows_that_are_named_cost_three_sends_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
