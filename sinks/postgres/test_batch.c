/* SPDX-License-Identifier: MIT */
/* Tests of the order of a batch, and of what is sent of several versions of one sample. */

#include "sinks/postgres/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const weir_sink_tag tag_tags[] = {{.number = 0}, {.number = 1}};
static struct weir_pg_tag items[] = {{.id = 20}, {.id = 10}};
static const weir_pg_tags ids = {.items = items, .n = 2};

static weir_sink_row row_of(size_t tag, int64_t ts, uint32_t epoch, uint64_t seq)
{
    return (weir_sink_row){.tag = &tag_tags[tag],
                           .epoch = epoch,
                           .seq = seq,
                           .sample = {.ts.us = ts, .value = weir_value_i64(1)}};
}

static void expect_rows(const weir_pg_layout *layout, const weir_sink_row *rows, size_t n,
                        const uint32_t *want, size_t n_want)
{
    weir_pg_batch b = {0};
    assert_int_equal(weir_pg_batch_fill(&b, layout, &ids, rows, n), WEIR_OK);
    assert_int_equal(b.n, n_want);
    for (size_t i = 0; i < n_want; i++)
        assert_int_equal(b.items[i].row, want[i]);
    weir_pg_batch_deinit(&b);
}

static void rows_are_in_the_order_of_the_key(void **state)
{
    const weir_sink_row rows[] = {row_of(0, 5, 0, 1), row_of(1, 9, 0, 2), row_of(0, -4, 0, 3),
                                  row_of(0, 5, 1, 4)};
    (void)state;
    expect_rows(&(weir_pg_layout){.has_epoch = true, .has_null = true}, rows, 4,
                (uint32_t[]){1, 2, 0, 3}, 4);
}

static void of_one_key_the_highest_seq_is_sent(void **state)
{
    const weir_sink_row rows[] = {row_of(0, 5, 0, 7), row_of(0, 5, 0, 9), row_of(0, 5, 0, 8)};
    (void)state;
    expect_rows(&(weir_pg_layout){.has_epoch = true, .has_null = true}, rows, 3, (uint32_t[]){1},
                1);
}

static void key_without_epoch_takes_the_newest(void **state)
{
    const weir_sink_row rows[] = {row_of(0, 5, 1, 7), row_of(0, 5, 0, 3)};
    (void)state;
    expect_rows(&(weir_pg_layout){.has_null = true}, rows, 2, (uint32_t[]){0}, 1);
}

static void row_without_a_value_is_left_out_where_it_has_no_place(void **state)
{
    weir_sink_row rows[] = {row_of(0, 5, 0, 7), row_of(0, 6, 0, 8)};
    (void)state;
    rows[0].sample.value = weir_value_null();
    expect_rows(&(weir_pg_layout){.has_null = false}, rows, 2, (uint32_t[]){1}, 1);
    expect_rows(&(weir_pg_layout){.has_null = true}, rows, 2, (uint32_t[]){0, 1}, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_in_the_order_of_the_key),
        cmocka_unit_test(of_one_key_the_highest_seq_is_sent),
        cmocka_unit_test(key_without_epoch_takes_the_newest),
        cmocka_unit_test(row_without_a_value_is_left_out_where_it_has_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
