/* SPDX-License-Identifier: MIT */
/* Merged blocks: every bit back in the order of seq, in less room; refusals of what is damaged. */

#include "blocks/block.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/crc.h"
#include "blocks/test_batches.h"
#include "tests/support/scaled.h"

static weir_block_builder *build(const weir_batch *batches, const uint64_t *seqs, size_t n)
{
    weir_block_builder *builder = weir_block_builder_new_merged();
    assert_non_null(builder);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(weir_block_builder_append_at(builder, &batches[i], seqs[i], NULL),
                         WEIR_OK);
    return builder;
}

static weir_block_bytes encode(weir_block_builder *builder)
{
    weir_block_bytes bytes = {0};
    assert_int_equal(weir_block_builder_encode(builder, &bytes, NULL), WEIR_OK);
    return bytes;
}

static weir_err decode(weir_block_bytes bytes, weir_block **ret)
{
    weir_block_head head;
    weir_err err = weir_block_head_parse(bytes.head, bytes.head_length, &head, NULL);
    return err == WEIR_OK ? weir_block_decode(&head, bytes.body, bytes.body_length, ret, NULL)
                          : err;
}

/* As commits give them: one behind the other, with room for events between some. */
static void number(const weir_batch *batches, size_t n, uint64_t *seqs, weir_random *r)
{
    uint64_t seq = 1000000;
    for (size_t i = 0; i < n; i++) {
        seqs[i] = seq;
        seq += batches[i].n_samples + (weir_random_below(r, 3) ? 0 : weir_random_below(r, 5));
    }
}

/* Half of the batches get the tags and kinds of another, so that there are groups. */
static void repeat_shapes(struct input *in, weir_random *r)
{
    for (size_t i = 1; i < in->n; i++) {
        size_t from = weir_random_below(r, i);
        if (weir_random_below(r, 2))
            continue;
        in->batches[i].n_samples = in->batches[from].n_samples;
        for (size_t k = 0; k < in->batches[i].n_samples; k++) {
            weir_sample *s = &in->samples[i][k];
            *s = in->samples[from][k];
            if (s->value.kind == WEIR_KIND_I64 || s->value.kind == WEIR_KIND_F64)
                s->value.as.bits += weir_random_u64(r) >> weir_random_below(r, 64);
            s->ts.us += (int64_t)weir_random_below(r, 3);
        }
    }
}

static void every_bit_comes_back_in_the_order_of_seq(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (uint64_t)testing_scaled(100, 300); seed++) {
        weir_random r = {seed};
        uint64_t seqs[BATCHES_MAX];
        struct input *in = random_input(seed);
        repeat_shapes(in, &r);
        number(in->batches, in->n, seqs, &r);
        weir_block_builder *builder = build(in->batches, seqs, in->n);
        weir_block *block = NULL;
        assert_int_equal(decode(encode(builder), &block), WEIR_OK);
        assert_int_equal(block->n_batches, in->n);
        for (size_t i = 0; i < in->n; i++) {
            assert_batch_same(&in->batches[i], &block->batches[i]);
            assert_true(block->offsets[i] == seqs[i] - seqs[0]);
        }
        weir_block_free(block);
        weir_block_builder_free(builder);
        free(in);
    }
}

static void a_row_of_codec_1_has_offsets_too(void **state)
{
    (void)state;
    struct input *in = random_input(5);
    weir_block_builder *builder = weir_block_builder_new();
    uint32_t offset = 0;
    for (size_t i = 0; i < in->n; i++)
        assert_int_equal(weir_block_builder_append(builder, &in->batches[i], NULL), WEIR_OK);
    weir_block *block = NULL;
    assert_int_equal(decode(encode(builder), &block), WEIR_OK);
    for (size_t i = 0; i < in->n; offset += in->batches[i++].n_samples)
        assert_int_equal(block->offsets[i], offset);
    weir_block_free(block);
    weir_block_builder_free(builder);
    free(in);
}

/* A minute of ten devices with 50 tags of two decimals that wander, once a second. */
static size_t minute_encode(bool merged, weir_block_builder **ret)
{
    weir_random r = {9};
    weir_sample samples[50];
    int64_t values[500];
    uint64_t seq = 1;
    weir_block_builder *builder =
        merged ? weir_block_builder_new_merged() : weir_block_builder_new();
    for (size_t i = 0; i < 500; i++)
        values[i] = 23000 + (int64_t)weir_random_below(&r, 500);
    for (int64_t second = 0; second < 60; second++)
        for (uint32_t device = 0; device < 10; device++) {
            weir_batch batch = steady_batch(samples, device, 1700000000000000 + second * 1000000);
            batch.sent.us = batch.due.us + 200 + (int64_t)weir_random_below(&r, 100);
            batch.received.us = batch.sent.us + 3000 + (int64_t)weir_random_below(&r, 2000);
            for (size_t i = 0; i < 50; i++) {
                values[device * 50 + i] += (int64_t)weir_random_below(&r, 11) - 5;
                samples[i].value = weir_value_f32((float)((double)values[device * 50 + i] / 100));
            }
            weir_err err = merged ? weir_block_builder_append_at(builder, &batch, seq, NULL)
                                  : weir_block_builder_append(builder, &batch, NULL);
            assert_int_equal(err, WEIR_OK);
            seq += 50;
        }
    weir_block_bytes bytes = encode(builder);
    *ret = builder;
    return bytes.head_length + bytes.body_length;
}

static void a_minute_of_500_tags_takes_less_than_half_of_what_codec_1_takes(void **state)
{
    (void)state;
    weir_block_builder *rows, *merged;
    size_t row_size = minute_encode(false, &rows), merged_size = minute_encode(true, &merged);
    assert_true(merged_size < row_size / 2);
    assert_true(merged_size < 30000 * 7 / 10); /* 0.7 bytes a sample */
    weir_block_builder_free(rows);
    weir_block_builder_free(merged);
}

static void bytes_behind_the_body_are_ignored(void **state)
{
    (void)state;
    for (int merged = 0; merged < 2; merged++) {
        weir_block_builder *builder;
        (void)minute_encode(merged, &builder);
        weir_block_bytes bytes = encode(builder);
        uint8_t *padded = calloc(1, bytes.body_length + 4096);
        assert_non_null(padded);
        memcpy(padded, bytes.body, bytes.body_length);
        bytes.body = padded;
        bytes.body_length += 4096;
        weir_block *block = NULL;
        assert_int_equal(decode(bytes, &block), WEIR_OK);
        weir_block_free(block);
        block = NULL;
        bytes.body_length -= 4097;
        assert_int_equal(decode(bytes, &block), WEIR_EDAMAGED);
        assert_null(block);
        free(padded);
        weir_block_builder_free(builder);
    }
}

static void a_seq_that_does_not_ascend_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t seq;
        weir_err want;
    } cases[] = {
        {149, WEIR_EINVAL}, {0, WEIR_EINVAL}, {100 + (1ull << 32), WEIR_ELIMIT}, {150, WEIR_OK}};
    weir_sample samples[50];
    weir_batch batch = steady_batch(samples, 1, 1000000);
    const uint64_t first = 100;
    weir_block_builder *builder = build(&batch, &first, 1);
    assert_int_equal(weir_block_builder_append(builder, &batch, NULL), WEIR_EINVAL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(weir_block_builder_append_at(builder, &batch, cases[i].seq, NULL),
                         cases[i].want);
    assert_int_equal(weir_block_builder_count(builder), 100);
    weir_block_builder_free(builder);
    builder = weir_block_builder_new();
    assert_int_equal(weir_block_builder_append_at(builder, &batch, 1, NULL), WEIR_EINVAL);
    weir_block_builder_free(builder);
}

static void a_full_merged_block_still_decodes_and_can_be_cleared(void **state)
{
    (void)state;
    weir_sample samples[50];
    weir_batch batch = steady_batch(samples, 1, 1000000);
    uint64_t seq = 1;
    weir_block_builder *builder = build(&batch, &seq, 1);
    while (!weir_block_builder_full(builder)) {
        batch.due.us += 1000000;
        assert_int_equal(weir_block_builder_append_at(builder, &batch, seq += 50, NULL), WEIR_OK);
    }
    weir_block *block = NULL;
    assert_int_equal(decode(encode(builder), &block), WEIR_OK);
    assert_true(block->count >= WEIR_BLOCK_FULL);
    weir_block_free(block);
    weir_block_builder_clear(builder);
    assert_int_equal(weir_block_builder_append_at(builder, &batch, 7, NULL), WEIR_OK);
    block = NULL;
    assert_int_equal(decode(encode(builder), &block), WEIR_OK);
    assert_int_equal(block->n_batches, 1);
    assert_int_equal(block->offsets[0], 0);
    weir_block_free(block);
    weir_block_builder_free(builder);
}

/* What must not happen is anything but a refusal or other samples: behind a right checksum lies
 * what a disk never makes, but a person may. */
static void damage_is_found_and_behind_a_forged_checksum_harmless(void **state)
{
    (void)state;
    struct input *in = random_input(12);
    uint64_t seqs[BATCHES_MAX];
    weir_random r = {12};
    repeat_shapes(in, &r);
    number(in->batches, in->n, seqs, &r);
    weir_block_builder *builder = build(in->batches, seqs, in->n);
    weir_block_bytes bytes = encode(builder);
    weir_block_head head;
    assert_int_equal(weir_block_head_parse(bytes.head, bytes.head_length, &head, NULL), WEIR_OK);
    uint8_t *copy = malloc(bytes.body_length);
    assert_non_null(copy);
    memcpy(copy, bytes.body, bytes.body_length);
    for (size_t bit = 0; bit < 8 * bytes.body_length; bit += 7) {
        weir_block *block = NULL;
        weir_block_head forged = head;
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(weir_block_decode(&head, copy, bytes.body_length, &block, NULL),
                         WEIR_EDAMAGED);
        forged.body_crc = weir_crc32c(0, copy, bytes.body_length);
        if (weir_block_decode(&forged, copy, bytes.body_length, &block, NULL) == WEIR_OK)
            assert_int_equal(block->count, head.count);
        weir_block_free(block);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(copy);
    weir_block_builder_free(builder);
    free(in);
}

static void memory_running_out_anywhere_loses_nothing(void **state)
{
    (void)state;
    struct input *in = random_input(11);
    uint64_t seqs[BATCHES_MAX];
    weir_random r = {11};
    size_t refused = 0;
    number(in->batches, in->n, seqs, &r);
    for (size_t nth = 1;; nth++) {
        (void)weir_alloc_fail_nth(nth, false);
        weir_block_builder *builder = weir_block_builder_new_merged();
        bool failed = !builder;
        for (size_t i = 0; builder && i < in->n; i++)
            while (weir_block_builder_append_at(builder, &in->batches[i], seqs[i], NULL) != WEIR_OK)
                failed = true;
        weir_block_bytes bytes;
        weir_block *block = NULL;
        while (builder && weir_block_builder_encode(builder, &bytes, NULL) != WEIR_OK)
            failed = true;
        while (builder && decode(bytes, &block) != WEIR_OK)
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
        cmocka_unit_test(every_bit_comes_back_in_the_order_of_seq),
        cmocka_unit_test(a_row_of_codec_1_has_offsets_too),
        cmocka_unit_test(a_minute_of_500_tags_takes_less_than_half_of_what_codec_1_takes),
        cmocka_unit_test(bytes_behind_the_body_are_ignored),
        cmocka_unit_test(a_seq_that_does_not_ascend_is_refused),
        cmocka_unit_test(a_full_merged_block_still_decodes_and_can_be_cleared),
        cmocka_unit_test(damage_is_found_and_behind_a_forged_checksum_harmless),
        cmocka_unit_test(memory_running_out_anywhere_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
