/* SPDX-License-Identifier: MIT */
/* Series of replies: all comes back but the microseconds of received; refusals of damage. */

#include "blocks/replies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc.h"
#include "base/random.h"

static void replies_make(weir_random *r, weir_reply_record *replies, size_t n, bool wild)
{
    int64_t due = 1700000000000000;
    uint64_t seq = 1;
    for (size_t i = 0; i < n; i++) {
        due += wild && weir_random_below(r, 5) == 0 ? 0 : 1000000;
        seq += 50 + weir_random_below(r, wild ? 1000 : 1);
        replies[i] = (weir_reply_record){
            .due = {due},
            .received = {due + 3000 + (int64_t)weir_random_below(r, 4000)},
            .seq = seq,
            .plans = WEIR_PLAN_DEFAULT,
            .connection = 2,
            .device = 7,
            .catalog_revision = 1,
        };
        if (wild && weir_random_below(r, 20) == 0)
            replies[i] = (weir_reply_record){
                .due = {due},
                .received = {(int64_t)weir_random_u64(r)},
                .seq = seq,
                .plans = weir_random_u64(r),
                .flags = (uint32_t)weir_random_u64(r),
                .connection = (uint32_t)weir_random_u64(r),
                .device = UINT32_MAX,
                .catalog_revision = (uint32_t)i,
            };
    }
}

/* received is kept as whole milliseconds after due, rounded down. */
static void assert_reply_same(const weir_reply_record *want, const weir_reply_record *got)
{
    weir_reply_record w = *want;
    int64_t after = (int64_t)((uint64_t)w.received.us - (uint64_t)w.due.us);
    after -= after % 1000 + (after % 1000 < 0 ? 1000 : 0);
    w.received.us = (int64_t)((uint64_t)w.due.us + (uint64_t)after);
    assert_true(w.due.us == got->due.us && w.received.us == got->received.us);
    assert_true(w.seq == got->seq && w.plans == got->plans);
    assert_int_equal(w.flags, got->flags);
    assert_int_equal(w.connection, got->connection);
    assert_int_equal(w.device, got->device);
    assert_int_equal(w.catalog_revision, got->catalog_revision);
}

static weir_segment_head head_of(weir_segment_bytes bytes)
{
    weir_segment_head head;
    assert_int_equal(weir_segment_head_parse(bytes.head, bytes.head_length, &head, NULL), WEIR_OK);
    return head;
}

static void all_but_the_microseconds_of_received_comes_back(void **state)
{
    (void)state;
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    for (uint64_t seed = 1; seed <= 300; seed++) {
        weir_random r = {seed};
        size_t n = 1 + weir_random_below(&r, seed % 10 ? 100 : 5000);
        weir_reply_record *replies = calloc(n, sizeof *replies), *back = calloc(n, sizeof *back);
        assert_true(replies && back);
        replies_make(&r, replies, n, seed % 2);
        weir_segment_bytes bytes;
        weir_effort effort = seed % 3 ? WEIR_EFFORT_FAST : WEIR_EFFORT_SMALL;
        assert_int_equal(weir_replies_encode(encoder, replies, n, effort, &bytes, NULL), WEIR_OK);
        assert_int_equal(bytes.marks_length, 0);
        weir_segment_head head = head_of(bytes);
        assert_int_equal(head.count, n);
        assert_int_equal(head.summary.count, n);
        assert_int_equal(head.summary.numbers, 0);
        assert_int_equal(weir_replies_decode(&head, bytes.body, bytes.body_length, back, NULL),
                         WEIR_OK);
        for (size_t i = 0; i < n; i++)
            assert_reply_same(&replies[i], &back[i]);
        free(replies);
        free(back);
    }
    weir_segment_encoder_free(encoder);
}

static void a_reply_each_second_that_is_steady_takes_little_but_its_delay(void **state)
{
    (void)state;
    enum { N = 3600 };
    weir_random r = {1};
    weir_reply_record *replies = calloc(N, sizeof *replies);
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    weir_segment_bytes bytes;
    replies_make(&r, replies, N, false);
    assert_int_equal(weir_replies_encode(encoder, replies, N, WEIR_EFFORT_SMALL, &bytes, NULL),
                     WEIR_OK);
    assert_true(bytes.body_length < N / 2); /* four milliseconds: two bits */
    weir_segment_encoder_free(encoder);
    free(replies);
}

static void replies_that_do_not_ascend_are_refused(void **state)
{
    (void)state;
    weir_random r = {1};
    weir_reply_record replies[3];
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    weir_segment_bytes bytes;
    replies_make(&r, replies, 3, false);
    assert_int_equal(weir_replies_encode(encoder, replies, 0, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_EINVAL);
    replies[1].due = replies[0].due;
    assert_int_equal(weir_replies_encode(encoder, replies, 3, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_OK);
    replies[1].seq = replies[0].seq;
    assert_int_equal(weir_replies_encode(encoder, replies, 3, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_EINVAL);
    weir_segment_encoder_free(encoder);
}

static void damage_is_found_and_behind_a_forged_checksum_harmless(void **state)
{
    (void)state;
    enum { N = 700 };
    weir_random r = {8};
    weir_reply_record *replies = calloc(N, sizeof *replies);
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    weir_segment_bytes bytes;
    replies_make(&r, replies, N, true);
    assert_int_equal(weir_replies_encode(encoder, replies, N, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_OK);
    weir_segment_head head = head_of(bytes);
    uint8_t *copy = malloc(bytes.body_length);
    assert_non_null(copy);
    memcpy(copy, bytes.body, bytes.body_length);
    for (size_t i = 0; i < bytes.body_length; i++) {
        uint8_t bit = (uint8_t)(1 << i % 8);
        copy[i] ^= bit;
        assert_int_equal(weir_replies_decode(&head, copy, bytes.body_length, replies, NULL),
                         WEIR_EDAMAGED);
        weir_segment_head forged = head;
        forged.body_crc = weir_crc32c(0, copy, bytes.body_length);
        weir_err err = weir_replies_decode(&forged, copy, bytes.body_length, replies, NULL);
        assert_true(err == WEIR_OK || err == WEIR_EDAMAGED);
        copy[i] ^= bit;
        assert_int_equal(weir_replies_decode(&head, copy, i, replies, NULL), WEIR_EDAMAGED);
    }
    free(copy);
    free(replies);
    weir_segment_encoder_free(encoder);
}

static void a_ref_finds_its_reply_among_those_with_one_due(void **state)
{
    (void)state;
    static const weir_reply_record replies[] = {
        {.due = {5}, .seq = 1},     {.due = {7}, .seq = 10}, {.due = {7}, .seq = 20},
        {.due = {7}, .seq = 90000}, {.due = {9}, .seq = 2},
    };
    const struct {
        int64_t due;
        uint16_t mark;
        uint64_t seq; /* 0: none */
    } cases[] = {
        {5, 0, 1},  /* the only one */
        {7, 0, 10}, /* the first */
        {7, weir_reply_mark(10), 10},
        {7, weir_reply_mark(20), 20},
        {7, weir_reply_mark(90000), 90000},
        {9, weir_reply_mark(2), 2},
        {7, weir_reply_mark(30), 0},
        {9, weir_reply_mark(20), 0},
        {4, 0, 0},
        {6, 0, 0},
        {10, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_reply_ref ref = {.due = {cases[i].due}, .mark = cases[i].mark};
        const weir_reply_record *found = weir_reply_find(replies, 5, &ref);
        assert_int_equal(found ? found->seq : 0, cases[i].seq);
    }
    assert_null(weir_reply_find(replies, 0, &(weir_reply_ref){.due = {5}}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_but_the_microseconds_of_received_comes_back),
        cmocka_unit_test(a_reply_each_second_that_is_steady_takes_little_but_its_delay),
        cmocka_unit_test(replies_that_do_not_ascend_are_refused),
        cmocka_unit_test(a_ref_finds_its_reply_among_those_with_one_due),
        cmocka_unit_test(damage_is_found_and_behind_a_forged_checksum_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
