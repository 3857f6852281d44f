/* SPDX-License-Identifier: MIT */
/* Tests of the current values. */

#include "engine/current.h"

#include <stdlib.h>

#include "engine/test_bench.h"

static void update(weir_currents *c, weir_tag_uid tag, weir_value value, int64_t ts)
{
    const weir_sample sample = {.tag = tag, .ts = {ts}, .value = value};
    weir_currents_update(c,
                         &(weir_batch){.n_samples = 1, .received = {ts + 7}, .samples = &sample});
}

static void a_sample_finds_its_tag_by_uid_whatever_the_order_of_uids(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, WEIR_S, 2 * WEIR_S, 3 * WEIR_S);
    b->tags[0].uid = 30;
    b->tags[1].uid = 4;
    b->tags[2].uid = 17;
    weir_currents c;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_currents_init(&c, &b->catalog, &error), WEIR_OK);
    update(&c, 4, weir_value_i64(40), 1);
    update(&c, 30, weir_value_i64(300), 2);
    update(&c, 4, weir_value_i64(41), 3);
    update(&c, 0, weir_value_i64(1), 4); /* none, unknown, far beyond */
    update(&c, 5, weir_value_i64(1), 4);
    update(&c, UINT32_MAX, weir_value_i64(1), 4);
    assert_int_equal(weir_currents_get(&c, 0)->sample.value.as.i, 300);
    assert_int_equal(weir_currents_get(&c, 1)->sample.value.as.i, 41);
    assert_int_equal(weir_currents_get(&c, 1)->sample.ts.us, 3);
    assert_int_equal(weir_currents_get(&c, 1)->received.us, 10);
    assert_null(weir_currents_get(&c, 2));
    weir_currents_deinit(&c);
    bench_free(b);
}

static void texts_are_copied_and_cut_between_characters(void **state)
{
    (void)state;
    bench *b = bench_new();
    BENCH_ADD(b, WEIR_S);
    weir_currents c;
    weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_currents_init(&c, &b->catalog, &error), WEIR_OK);
    char text[200];
    memset(text, 'a', sizeof text);
    memcpy(text + 62, "\xe2\x82\xac", 3); /* the euro sign, bytes 62 to 64 */
    static const struct {
        bool bytes;
        uint32_t n, want;
    } cases[] = {{false, 0, 0},    {false, 10, 10}, {false, 64, 64},
                 {false, 200, 62}, {true, 64, 64},  {true, 200, 64}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *own = malloc(sizeof text); /* gone before it is looked at */
        assert_non_null(own);
        memcpy(own, text, sizeof text);
        update(&c, 1,
               cases[i].bytes ? weir_value_bytes((const uint8_t *)own, cases[i].n)
                              : weir_value_string(own, cases[i].n),
               1);
        free(own);
        const weir_value *value = &weir_currents_get(&c, 0)->sample.value;
        assert_int_equal(value->length, cases[i].want);
        assert_memory_equal(value->as.text, text, cases[i].want);
    }
    weir_currents_deinit(&c);
    bench_free(b);
}

static void uids_that_cannot_be_an_index_are_refused(void **state)
{
    (void)state;
    static const struct {
        weir_tag_uid uids[2];
        weir_err want;
        const char *text;
    } cases[] = {
        {{0, 1}, WEIR_EINVAL, "tag number 0 has no uid"},
        {{5, 5}, WEIR_EINVAL, "tags number 0 and 1 share uid 5"},
        {{1, UINT32_MAX}, WEIR_ELIMIT, "tag uid 4294967295, at most 67108864"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench *b = bench_new();
        BENCH_ADD(b, WEIR_S, 2 * WEIR_S);
        b->tags[0].uid = cases[i].uids[0];
        b->tags[1].uid = cases[i].uids[1];
        weir_error error = WEIR_ERROR_INIT;
        assert_int_equal(weir_engine_new(&b->config, b->now, bench_wall(b), &b->engine, &error),
                         cases[i].want);
        assert_string_equal(error.text, cases[i].text);
        bench_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_finds_its_tag_by_uid_whatever_the_order_of_uids),
        cmocka_unit_test(texts_are_copied_and_cut_between_characters),
        cmocka_unit_test(uids_that_cannot_be_an_index_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
