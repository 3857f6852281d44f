/* SPDX-License-Identifier: MIT */
/* Batches for the tests of the block codecs: all that headers and samples can hold. */

#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "blocks/block.h"

enum { TEXT_MAX = 3000, BATCHES_MAX = 60, SAMPLES_MAX = 40 };

/* Batches with all that headers and samples can hold. */
struct input {
    weir_batch batches[BATCHES_MAX];
    weir_sample samples[BATCHES_MAX][SAMPLES_MAX];
    size_t n;
    char text[TEXT_MAX];
};

static inline weir_value random_value(weir_random *r, struct input *in)
{
    uint64_t bits = weir_random_u64(r) >> weir_random_below(r, 64);
    size_t length = weir_random_below(r, 20) ? weir_random_below(r, 12) : TEXT_MAX;
    switch ((weir_kind)weir_random_below(r, WEIR_KIND_COUNT)) {
    case WEIR_KIND_BOOL:
        return weir_value_bool(bits & 1);
    case WEIR_KIND_I64:
        return weir_value_i64((int64_t)(bits & 1 ? ~bits : bits));
    case WEIR_KIND_U64:
        return weir_value_u64(bits);
    case WEIR_KIND_F32:
        return (weir_value){.kind = WEIR_KIND_F32, .as.bits = (uint32_t)bits};
    case WEIR_KIND_F64:
        return (weir_value){.kind = WEIR_KIND_F64, .as.bits = weir_random_u64(r)};
    case WEIR_KIND_DECIMAL:
        return weir_value_decimal((int64_t)(bits & 1 ? ~bits : bits),
                                  (int8_t)(weir_random_below(r, 3) ? -1 : (int8_t)bits));
    case WEIR_KIND_STRING:
        return weir_value_string(in->text, length);
    case WEIR_KIND_BYTES:
        return weir_value_bytes((const uint8_t *)in->text, length);
    case WEIR_KIND_NULL:
        break;
    }
    return weir_value_null();
}

static inline void random_sample(weir_random *r, struct input *in, const weir_batch *b, size_t i,
                                 weir_sample *s)
{
    bool steady = weir_random_below(r, 2);
    *s = (weir_sample){
        .tag = steady ? 100 * b->device + (uint32_t)i + 1 : (uint32_t)weir_random_u64(r),
        .quality = weir_random_below(r, 4) ? 0 : (uint32_t)weir_random_u64(r),
        .ts = weir_random_below(r, 4) ? b->due : (weir_wall){(int64_t)weir_random_u64(r)},
        .value = steady ? weir_value_u64(weir_random_below(r, 500)) : random_value(r, in),
    };
}

static inline struct input *random_input(uint64_t seed)
{
    weir_random r = {seed};
    struct input *in = calloc(1, sizeof *in);
    assert_non_null(in);
    for (size_t i = 0; i < TEXT_MAX; i++)
        in->text[i] = (char)weir_random_u64(&r);
    in->n = 1 + weir_random_below(&r, BATCHES_MAX);
    for (size_t i = 0; i < in->n; i++) {
        weir_batch *b = &in->batches[i];
        bool wild = weir_random_below(&r, 4) == 0;
        uint64_t x = wild ? weir_random_u64(&r) : 0;
        *b = (weir_batch){
            .connection = wild ? (uint32_t)x : (uint32_t)i / 4,
            .device = (uint32_t)weir_random_below(&r, 8),
            .catalog_revision = wild ? UINT32_MAX : 1,
            .epoch = (uint32_t)(x >> 7),
            .flags = (uint32_t)(x >> 9),
            .plans = wild ? x : WEIR_PLAN_DEFAULT,
            .fence = x * 3,
            .due = {wild ? INT64_MIN : 1700000000000000 + (int64_t)i},
            .sent = {wild ? INT64_MAX : 1700000000000100 + (int64_t)i},
            .received = {wild ? (int64_t)x : 1700000000001200 + (int64_t)i},
            .anchor_us = wild ? INT64_MIN : 1699999000000000,
            .n_samples = 1 + (uint32_t)weir_random_below(&r, SAMPLES_MAX),
            .samples = in->samples[i],
        };
        for (size_t j = 0; j < b->n_samples; j++)
            random_sample(&r, in, b, j, &in->samples[i][j]);
    }
    return in;
}

static inline void assert_value_same(const weir_value *want, const weir_value *got)
{
    assert_int_equal(want->kind, got->kind);
    assert_int_equal(want->exponent, got->exponent);
    assert_int_equal(want->length, got->length);
    if (want->kind >= WEIR_KIND_STRING)
        assert_memory_equal(want->as.bytes, got->as.bytes, want->length);
    else
        assert_true(want->as.bits == got->as.bits);
}

static inline void assert_batch_same(const weir_batch *want, const weir_batch *got)
{
    weir_batch a = *want, b = *got;
    assert_int_equal(want->n_samples, got->n_samples);
    a.samples = b.samples = NULL;
    assert_memory_equal(&a, &b, sizeof a);
    for (size_t i = 0; i < want->n_samples; i++) {
        const weir_sample *s = &want->samples[i], *t = &got->samples[i];
        assert_int_equal(s->tag, t->tag);
        assert_int_equal(s->quality, t->quality);
        assert_true(s->ts.us == t->ts.us);
        assert_value_same(&s->value, &t->value);
    }
}

/* One device, 50 registers, good, on the slot: what nearly every batch is. */
static inline weir_batch steady_batch(weir_sample samples[50], uint32_t device, int64_t due)
{
    for (uint32_t i = 0; i < 50; i++)
        samples[i] = (weir_sample){device * 50 + i + 1, 0, {due}, weir_value_u64(2300 + i)};
    return (weir_batch){.device = device,
                        .catalog_revision = 1,
                        .plans = WEIR_PLAN_DEFAULT,
                        .due = {due},
                        .n_samples = 50,
                        .samples = samples};
}
