/* SPDX-License-Identifier: MIT */
/* The block codec: every bit back, whatever goes in; refusals for what is not a block. */

#include "blocks/block.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "blocks/test_batches.h"

static weir_block_builder *build(const weir_batch *batches, size_t n)
{
    weir_block_builder *builder = weir_block_builder_new();
    assert_non_null(builder);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(weir_block_builder_append(builder, &batches[i], NULL), WEIR_OK);
    return builder;
}

static weir_block_bytes encode(weir_block_builder *builder)
{
    weir_block_bytes bytes = {0};
    assert_int_equal(weir_block_builder_encode(builder, &bytes, NULL), WEIR_OK);
    return bytes;
}

static weir_err decode(weir_block_bytes bytes, weir_block **ret, weir_error *error)
{
    weir_block_head head;
    weir_err err = weir_block_head_parse(bytes.head, bytes.head_length, &head, error);
    return err == WEIR_OK ? weir_block_decode(&head, bytes.body, bytes.body_length, ret, error)
                          : err;
}

static void every_bit_of_header_and_samples_comes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct input *in = random_input(seed);
        weir_block_builder *builder = build(in->batches, in->n);
        weir_block *block = NULL;
        assert_int_equal(decode(encode(builder), &block, NULL), WEIR_OK);
        assert_int_equal(block->n_batches, in->n);
        for (size_t i = 0; i < in->n; i++)
            assert_batch_same(&in->batches[i], &block->batches[i]);
        weir_block_free(block);
        weir_block_builder_free(builder);
        free(in);
    }
}

static void a_builder_that_was_cleared_writes_the_same_bytes_as_a_new_one(void **state)
{
    (void)state;
    struct input *first = random_input(7), *second = random_input(8);
    weir_block_builder *used = build(first->batches, first->n);
    (void)encode(used);
    weir_block_builder_clear(used);
    for (size_t i = 0; i < second->n; i++)
        assert_int_equal(weir_block_builder_append(used, &second->batches[i], NULL), WEIR_OK);
    weir_block_builder *fresh = build(second->batches, second->n);
    weir_block_bytes a = encode(used), b = encode(fresh);
    assert_int_equal(a.head_length, b.head_length);
    assert_memory_equal(a.head, b.head, a.head_length);
    assert_memory_equal(a.body, b.body, a.body_length);
    weir_block_builder_free(used);
    weir_block_builder_free(fresh);
    free(first);
    free(second);
}

static void a_head_tells_count_times_and_tags_without_the_body(void **state)
{
    (void)state;
    static const struct {
        weir_tag_uid uid;
        bool inside;
    } cases[] = {{0, false},  {1, true},   {50, true},   {51, false},        {150, false},
                 {151, true}, {200, true}, {201, false}, {UINT32_MAX, false}};
    weir_sample samples[2][50];
    weir_batch batches[] = {steady_batch(samples[0], 3, 2000000),
                            steady_batch(samples[1], 0, 1000000)};
    weir_block_builder *builder = build(batches, 2);
    weir_block_bytes bytes = encode(builder);
    weir_block_head head;
    assert_int_equal(weir_block_head_parse(bytes.head, bytes.head_length, &head, NULL), WEIR_OK);
    assert_int_equal(head.count, 100);
    assert_int_equal(head.n_batches, 2);
    assert_int_equal(head.min_ts.us, 1000000);
    assert_int_equal(head.max_ts.us, 2000000);
    assert_int_equal(head.n_ranges, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(weir_block_head_has_any(&head, &cases[i].uid, 1), cases[i].inside);
    const weir_tag_uid around[] = {51, 150, 151};
    assert_true(weir_block_head_has_any(&head, around, 3));
    assert_false(weir_block_head_has_any(&head, around, 2));
    weir_block_builder_free(builder);
}

static void equal_shapes_are_stored_once(void **state)
{
    (void)state;
    weir_sample samples[50];
    weir_batch batch = steady_batch(samples, 1, 1000000);
    weir_block_builder *once = build(&batch, 1);
    size_t one = weir_block_builder_bytes(once);
    for (int i = 0; i < 9; i++)
        assert_int_equal(weir_block_builder_append(once, &batch, NULL), WEIR_OK);
    size_t per_batch = 50 * sizeof(uint64_t) + sizeof(weir_batch);
    assert_int_equal(weir_block_builder_bytes(once), one + 9 * per_batch);
    weir_block_builder_free(once);
}

static void a_batch_that_is_no_batch_is_refused_and_leaves_the_block_as_it_was(void **state)
{
    (void)state;
    static const uint8_t big[WEIR_VALUE_LENGTH_MAX + 1];
    weir_sample samples[50];
    weir_batch batch = steady_batch(samples, 1, 1000000);
    weir_block_builder *builder = build(&batch, 1);
    samples[49].value = weir_value_bytes(big, sizeof big);
    assert_int_equal(weir_block_builder_append(builder, &batch, NULL), WEIR_EINVAL);
    samples[49].value = (weir_value){.kind = WEIR_KIND_COUNT};
    assert_int_equal(weir_block_builder_append(builder, &batch, NULL), WEIR_EINVAL);
    batch.n_samples = WEIR_BLOCK_BATCH_MAX + 1;
    assert_int_equal(weir_block_builder_append(builder, &batch, NULL), WEIR_ELIMIT);
    batch.n_samples = 0;
    assert_int_equal(weir_block_builder_append(builder, &batch, NULL), WEIR_OK);
    assert_int_equal(weir_block_builder_count(builder), 50);
    weir_block *block = NULL;
    assert_int_equal(decode(encode(builder), &block, NULL), WEIR_OK);
    weir_block_free(block);
    weir_block_builder_free(builder);
}

static void a_full_block_takes_no_more_and_still_decodes(void **state)
{
    (void)state;
    static uint8_t text[WEIR_VALUE_LENGTH_MAX];
    weir_sample samples[50];
    weir_batch batch = steady_batch(samples, 1, 1000000);
    weir_block_builder *builder = build(&batch, 1);
    while (!weir_block_builder_full(builder))
        assert_int_equal(weir_block_builder_append(builder, &batch, NULL), WEIR_OK);
    assert_int_equal(weir_block_builder_append(builder, &batch, NULL), WEIR_ELIMIT);
    assert_true(weir_block_builder_count(builder) >= WEIR_BLOCK_FULL);
    weir_block *block = NULL;
    assert_int_equal(decode(encode(builder), &block, NULL), WEIR_OK);
    weir_block_free(block);

    weir_block_builder_clear(builder);
    for (size_t i = 0; i < 50; i++)
        samples[i].value = weir_value_bytes(text, sizeof text);
    assert_int_equal(weir_block_builder_append(builder, &batch, NULL), WEIR_OK);
    assert_true(weir_block_builder_full(builder));
    assert_int_equal(decode(encode(builder), &block, NULL), WEIR_OK);
    weir_block_free(block);
    weir_block_builder_free(builder);
}

static void any_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct input *in = random_input(3);
    weir_block_builder *builder = build(in->batches, in->n);
    weir_block_bytes bytes = encode(builder);
    uint8_t *copy = malloc(bytes.head_length + bytes.body_length);
    assert_non_null(copy);
    memcpy(copy, bytes.head, bytes.head_length);
    memcpy(copy + bytes.head_length, bytes.body, bytes.body_length);
    weir_block_bytes damaged = {copy, bytes.head_length, copy + bytes.head_length,
                                bytes.body_length};
    for (size_t bit = 0; bit < 8 * (bytes.head_length + bytes.body_length); bit += 5) {
        weir_block *block = NULL;
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(decode(damaged, &block, NULL), WEIR_OK);
        assert_null(block);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(copy);
    weir_block_builder_free(builder);
    free(in);
}

static void a_codec_from_the_future_is_refused_by_its_number(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        const char *words;
    } cases[] = {{0, 9, "codec 9"}, {2, 4, "version 4"}};
    weir_sample samples[50];
    weir_batch batch = steady_batch(samples, 1, 1000000);
    weir_block_builder *builder = build(&batch, 1);
    weir_block_bytes bytes = encode(builder);
    for (size_t i = 0; i < 2; i++) {
        uint8_t head[128];
        weir_error error = WEIR_ERROR_INIT;
        weir_block_head parsed;
        assert_true(bytes.head_length <= sizeof head);
        memcpy(head, bytes.head, bytes.head_length);
        head[cases[i].at] = cases[i].value;
        assert_int_equal(weir_block_head_parse(head, bytes.head_length, &parsed, &error),
                         WEIR_EUNSUPPORTED);
        assert_non_null(strstr(error.text, cases[i].words));
    }
    weir_block_builder_free(builder);
}

/* A head whose checksum is right but whose numbers are not those of its body. */
static void a_head_that_lies_is_found_out_by_the_body(void **state)
{
    (void)state;
    weir_sample samples[50];
    weir_batch batch = steady_batch(samples, 1, 1000000);
    weir_block_builder *builder = build(&batch, 1);
    weir_block_bytes bytes = encode(builder);
    weir_block_head head, honest;
    weir_block *block = NULL;
    assert_int_equal(weir_block_head_parse(bytes.head, bytes.head_length, &honest, NULL), WEIR_OK);
    for (int lie = 0; lie < 6; lie++) {
        head = honest;
        head.count += lie == 0;
        head.count -= lie == 1;
        head.n_batches += lie == 2;
        head.min_ts.us -= lie == 3;
        head.raw_size += lie == 4;
        head.body_size -= lie == 5;
        assert_int_equal(weir_block_decode(&head, bytes.body, bytes.body_length, &block, NULL),
                         WEIR_EDAMAGED);
    }
    assert_int_equal(weir_block_decode(&honest, bytes.body, bytes.body_length, &block, NULL),
                     WEIR_OK);
    weir_block_free(block);
    weir_block_builder_free(builder);
}

static void memory_running_out_anywhere_loses_nothing(void **state)
{
    (void)state;
    struct input *in = random_input(11);
    size_t refused = 0;
    for (size_t nth = 1;; nth++) {
        (void)weir_alloc_fail_nth(nth, false);
        weir_block_builder *builder = weir_block_builder_new();
        bool failed = !builder;
        for (size_t i = 0; builder && i < in->n; i++)
            while (weir_block_builder_append(builder, &in->batches[i], NULL) != WEIR_OK)
                failed = true;
        weir_block_bytes bytes;
        weir_block *block = NULL;
        while (builder && weir_block_builder_encode(builder, &bytes, NULL) != WEIR_OK)
            failed = true;
        while (builder && decode(bytes, &block, NULL) != WEIR_OK)
            failed = true;
        (void)weir_alloc_fail_nth(0, false);
        for (size_t i = 0; block && i < in->n; i++)
            assert_batch_same(&in->batches[i], &block->batches[i]);
        weir_block_free(block);
        weir_block_builder_free(builder);
        if (!failed)
            break;
        refused++;
    }
    assert_true(refused > 20);
    free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_of_header_and_samples_comes_back),
        cmocka_unit_test(a_builder_that_was_cleared_writes_the_same_bytes_as_a_new_one),
        cmocka_unit_test(a_head_tells_count_times_and_tags_without_the_body),
        cmocka_unit_test(equal_shapes_are_stored_once),
        cmocka_unit_test(a_batch_that_is_no_batch_is_refused_and_leaves_the_block_as_it_was),
        cmocka_unit_test(a_full_block_takes_no_more_and_still_decodes),
        cmocka_unit_test(any_flipped_bit_is_noticed),
        cmocka_unit_test(a_codec_from_the_future_is_refused_by_its_number),
        cmocka_unit_test(a_head_that_lies_is_found_out_by_the_body),
        cmocka_unit_test(memory_running_out_anywhere_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
