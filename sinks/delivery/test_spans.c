/* SPDX-License-Identifier: MIT */
/* Tests of spans: every operation against a bitmap. */

#include "sinks/delivery/spans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { N = 160 };

static bool has(const weir_spans *s, uint64_t seq)
{
    bool in = seq <= s->seq;
    for (size_t i = 0; i < s->n; i++)
        in |= seq >= s->spans[i].first && seq <= s->spans[i].last;
    return in;
}

static void assert_is(const weir_spans *s, const bool *model, uint64_t seed)
{
    for (uint64_t seq = 1; seq <= N; seq++)
        if (has(s, seq) != model[seq])
            fail_msg("seed %llu: %llu is %d", (unsigned long long)seed, (unsigned long long)seq,
                     model[seq]);
    uint64_t before = s->seq;
    for (size_t i = 0; i < s->n; i++) {
        assert_true(s->spans[i].first > before + 1); /* something lies between */
        assert_true(s->spans[i].last >= s->spans[i].first);
        before = s->spans[i].last;
    }
    assert_true(s->n <= WEIR_CURSOR_SPANS_MAX);
}

static size_t runs_beyond_seq(const bool *model)
{
    size_t runs = 0;
    uint64_t seq = 1;
    while (seq <= N && model[seq])
        seq++;
    for (; seq <= N; seq++)
        runs += model[seq] && !model[seq - 1];
    return runs;
}

static void any_stretches_in_any_order_are_what_a_bitmap_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        weir_random r = {seed};
        weir_spans s = {0};
        bool model[N + 2] = {0};
        for (int step = 0; step < 120; step++) {
            const uint64_t first = 1 + weir_random_below(&r, N);
            const uint64_t length = 1 + weir_random_below(&r, seed % 2 ? 3 : 30);
            const uint64_t last = first + length - 1 < N ? first + length - 1 : N;
            bool after[N + 2];
            memcpy(after, model, sizeof model);
            memset(after + first, true, last - first + 1);
            const bool fits = runs_beyond_seq(after) <= WEIR_CURSOR_SPANS_MAX;
            if (weir_spans_fits(&s, first))
                assert_true(fits);
            assert_int_equal(weir_spans_add(&s, first, last), fits);
            if (fits)
                memcpy(model, after, sizeof model);
            assert_is(&s, model, seed);
        }
    }
}

static void the_next_stretch_and_the_count_are_what_a_bitmap_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        weir_random r = {seed};
        weir_spans done = {0}, held = {0};
        for (int i = 0; i < 20; i++) {
            const uint64_t a = 1 + weir_random_below(&r, N - 8),
                           b = 1 + weir_random_below(&r, N - 8);
            const bool added = weir_spans_add(&done, a, a + weir_random_below(&r, 8)) &&
                               (i % 4 || weir_spans_add(&held, b, b + weir_random_below(&r, 8)));
            (void)added;
        }
        for (uint64_t after = 0; after < N; after += 7) {
            const uint64_t until = after + weir_random_below(&r, N - after);
            weir_span next, open;
            uint64_t first = after + 1, n_missing = 0;
            while (first <= until && has(&done, first))
                first++;
            assert_int_equal(weir_spans_next(&done, after, until, &next), first <= until);
            if (first <= until) {
                uint64_t last = first;
                while (last < until && !has(&done, last + 1))
                    last++;
                assert_int_equal(next.first, first);
                assert_int_equal(next.last, last);
            }
            for (uint64_t seq = 1; seq <= until; seq++)
                n_missing += !has(&done, seq);
            assert_int_equal(weir_spans_missing(&done, until), n_missing);
            uint64_t begin = after + 1;
            while (begin <= until &&
                   (has(&done, begin) || has(&held, begin) || !weir_spans_fits(&done, begin)))
                begin++;
            if (weir_spans_next_open(&done, &held, after, until, &open)) {
                assert_true(open.first > after && open.last <= until);
                for (uint64_t seq = open.first; seq <= open.last; seq++)
                    assert_false(has(&done, seq) || has(&held, seq));
                assert_int_equal(open.first, begin);
            } else {
                assert_true(begin > until);
            }
        }
    }
}

static void a_full_set_takes_only_what_goes_on_where_something_ends(void **state)
{
    weir_spans s = {.seq = 10};
    (void)state;
    for (uint64_t i = 0; i < WEIR_CURSOR_SPANS_MAX; i++)
        assert_true(weir_spans_add(&s, 20 + i * 10, 22 + i * 10));
    assert_false(weir_spans_add(&s, 15, 15));
    assert_false(weir_spans_fits(&s, 1000));
    assert_true(weir_spans_fits(&s, 11));
    assert_true(weir_spans_fits(&s, 23));
    weir_span next;
    assert_true(weir_spans_next_open(&s, &(weir_spans){.n = 1, .spans = {{11, 13}}}, 0, 60, &next));
    assert_int_equal(next.first, 23); /* not 14, behind what is held: that would be a span more */
    assert_true(weir_spans_add(&s, 11, 19));
    assert_int_equal(s.seq, 22);
    assert_int_equal(s.n, WEIR_CURSOR_SPANS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_stretches_in_any_order_are_what_a_bitmap_says),
        cmocka_unit_test(the_next_stretch_and_the_count_are_what_a_bitmap_says),
        cmocka_unit_test(a_full_set_takes_only_what_goes_on_where_something_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
