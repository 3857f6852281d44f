/* SPDX-License-Identifier: MIT */
/* Segments: every bit back, from any slice on; summaries that are true; refusals of damage. */

#include "blocks/segment.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/crc.h"
#include "base/random.h"

enum { TEXT_MAX = WEIR_VALUE_LENGTH_MAX, VALUE_SHAPES = 18, TIME_SHAPES = 7 };

struct input {
    weir_sample *samples;
    weir_reply_ref *refs;
    size_t n;
    char *text;
};

static void input_free(struct input *in)
{
    free(in->samples);
    free(in->refs);
    free(in->text);
}

static uint64_t f64_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static weir_value f32_of_bits(uint32_t bits)
{
    weir_value v = {.kind = WEIR_KIND_F32};
    memcpy(&v.as.f32, &bits, sizeof bits);
    return v;
}

static weir_value odd_double(weir_random *r)
{
    const uint64_t odd[] = {f64_bits(-0.0),
                            f64_bits(NAN),
                            f64_bits(INFINITY),
                            f64_bits(-INFINITY),
                            0x7ff0000000000001,
                            0xfff8dead0000beef,
                            1,
                            f64_bits(1.7976931348623157e308),
                            f64_bits(0.1 + 0.2),
                            f64_bits(9007199254740993.0)};
    return (weir_value){.kind = WEIR_KIND_F64, .as.bits = odd[weir_random_below(r, 10)]};
}

/* What series look like. level wanders from sample to sample. */
static weir_value value_make(weir_random *r, unsigned shape, int64_t *level, const char *text)
{
    static const char *const words[] = {"running", "stopped", "fault", ""};
    uint64_t noise = weir_random_u64(r);
    *level += (int64_t)(noise % 21) - 10;
    switch (shape) {
    case 0:
        return f32_of_bits(0x7fc00000 | (uint32_t)noise % 5);
    case 1:
        return weir_value_f32((float)((double)*level / 100));
    case 2:
        return weir_value_f64((double)*level / 1000);
    case 3:
        return weir_value_u64(UINT64_MAX - (uint64_t)(*level * *level));
    case 4:
        return weir_value_i64(*level * 1000);
    case 5:
        return weir_value_decimal(*level, (int8_t)(noise % 50 ? -2 : (int8_t)noise));
    case 6:
        return weir_value_bool(noise % 30 == 0);
    case 7:
        return weir_value_string(words[noise % 4], strlen(words[noise % 4]));
    case 8: /* many different ones */
        return weir_value_string(text + noise % 1000, noise >> 32 & 15);
    case 9:
        return weir_value_bytes((const uint8_t *)text + noise % 1000, noise >> 32 & 7);
    case 10:
        return f32_of_bits((uint32_t)noise);
    case 11:
        return weir_value_f64((double)(noise >> 11) * 0x1p-53);
    case 12: /* digits, now and then something odd */
        return noise % 40 ? weir_value_f64((double)*level / 10) : odd_double(r);
    case 13: /* null now and then */
        return noise % 7 ? weir_value_decimal(*level, -1) : weir_value_null();
    case 14: /* all kinds */
        return value_make(r, (unsigned)(noise >> 40) % 14, level, text);
    case 15: /* a counter that is reset */
        *level = noise % 300 ? *level + (int64_t)(noise % 5) + 10 : 0;
        return weir_value_u64((uint64_t)*level);
    case 16: /* a long text */
        return noise % 20 ? weir_value_null() : weir_value_string(text, TEXT_MAX);
    default:
        return odd_double(r);
    }
}

static int64_t time_step(weir_random *r, unsigned shape)
{
    uint64_t noise = weir_random_u64(r);
    switch (shape) {
    case 0: /* steady */
        return 1000000;
    case 1: /* with gaps */
        return noise % 100 ? 1000000 : 1000000 * (int64_t)(1 + noise % 1000);
    case 2: /* by exception */
        return 1000000 * (int64_t)(1 + noise % 20);
    case 3: /* at any time */
        return 1 + (int64_t)(noise >> 40);
    case 4: /* fast */
        return 100;
    case 5: /* rare */
        return 60000000;
    default: /* far apart */
        return 1 + (int64_t)(noise >> 20);
    }
}

static struct input input_make(uint64_t seed, size_t n)
{
    weir_random r = {seed};
    struct input in = {calloc(n, sizeof(weir_sample)), calloc(n, sizeof(weir_reply_ref)), n,
                       malloc(TEXT_MAX)};
    assert_true(in.samples && in.refs && in.text);
    for (size_t i = 0; i < TEXT_MAX; i++)
        in.text[i] = (char)weir_random_u64(&r);
    unsigned shape = (unsigned)(seed % VALUE_SHAPES);
    unsigned times = (unsigned)weir_random_below(&r, TIME_SHAPES + 2);
    bool qualities = weir_random_below(&r, 2), refs = weir_random_below(&r, 2);
    int64_t level = 23000, ts = times == TIME_SHAPES ? INT64_MIN : 1700000000123456;
    int64_t jitter = weir_random_below(&r, 2) ? 5 : 1;
    uint32_t reply = 1;
    for (size_t i = 0; i < n; i++) {
        weir_sample *s = &in.samples[i];
        ts += time_step(&r, times < TIME_SHAPES ? times : 0);
        s->ts.us = ts + (times == 4 ? 0 : (int64_t)weir_random_below(&r, (uint64_t)jitter) * 1000);
        if (times > 3 && i > 0 && s->ts.us <= s[-1].ts.us)
            s->ts.us = s[-1].ts.us + 1;
        ts = times == 3 ? s->ts.us : ts;
        s->tag = 77;
        s->value = value_make(&r, shape, &level, in.text);
        if (qualities && weir_random_below(&r, 50) == 0)
            s->quality = (weir_quality)weir_random_u64(&r) & 0x03ffffff;
        if (s->value.kind != WEIR_KIND_NULL && weir_quality_class(s->quality) == WEIR_BAD &&
            weir_random_below(&r, 2))
            s->value = weir_value_null();
        reply = refs && weir_random_below(&r, 100) == 0 ? (uint32_t)weir_random_u64(&r) : reply;
        in.refs[i] = (weir_reply_ref){
            .due = {refs ? s->ts.us - (int64_t)weir_random_below(&r, 9) : s->ts.us},
            .reply = reply,
            .index = refs && weir_random_below(&r, 100) == 0 ? UINT16_MAX : 3,
            .mark = refs && weir_random_below(&r, 100) == 0 ? (uint16_t)weir_random_u64(&r) : 0};
    }
    for (size_t i = 1; i < n; i++) /* whatever was drawn above */
        if (in.samples[i].ts.us <= in.samples[i - 1].ts.us)
            in.samples[i].ts.us = in.samples[i - 1].ts.us + 1;
    return in;
}

static void assert_sample_same(const weir_sample *want, const weir_sample *got)
{
    assert_int_equal(got->tag, 5);
    assert_int_equal(want->quality, got->quality);
    assert_true(want->ts.us == got->ts.us);
    assert_true(weir_value_identical(&want->value, &got->value));
    assert_int_equal(got->value.reserved, 0);
    if (got->value.kind < WEIR_KIND_STRING)
        assert_int_equal(got->value.length, 0);
    if (got->value.kind != WEIR_KIND_DECIMAL)
        assert_int_equal(got->value.exponent, 0);
}

static void assert_same_bits(double a, double b)
{
    assert_true(f64_bits(a) == f64_bits(b) || a == b);
}

static void assert_summary_same(const weir_summary *want, const weir_summary *got)
{
    assert_int_equal(want->count, got->count);
    assert_int_equal(want->good, got->good);
    assert_int_equal(want->bad, got->bad);
    assert_int_equal(want->numbers, got->numbers);
    if (want->numbers == 0)
        return;
    assert_true(weir_value_identical(&want->first, &got->first));
    assert_true(weir_value_identical(&want->last, &got->last));
    assert_same_bits(want->min, got->min);
    assert_same_bits(want->max, got->max);
    assert_true(f64_bits(want->sum) == f64_bits(got->sum));
    assert_true(want->first_ts.us == got->first_ts.us);
    assert_true(want->last_ts.us == got->last_ts.us);
    assert_int_equal(want->falls, got->falls);
}

static weir_segment *segment_open(weir_segment_bytes bytes, weir_segment_head *head)
{
    weir_segment *segment = NULL;
    assert_int_equal(weir_segment_head_parse(bytes.head, bytes.head_length, head, NULL), WEIR_OK);
    assert_int_equal(weir_segment_open(head, bytes.marks, bytes.marks_length, &segment, NULL),
                     WEIR_OK);
    return segment;
}

static void assert_slices(const struct input *in, const weir_segment_head *head,
                          const weir_segment *segment)
{
    size_t n_slices = 0, at = 0;
    const weir_slice *slices = weir_segment_slices(segment, &n_slices);
    weir_summary whole = {0};
    assert_int_equal(n_slices, head->n_slices);
    for (size_t i = 0; i < n_slices; i++) {
        weir_summary want = {0};
        assert_int_equal(slices[i].first, at);
        assert_in_range(slices[i].count, 1, in->n - at);
        for (size_t k = 0; k < slices[i].count; k++)
            weir_summary_add(&want, &in->samples[at + k]);
        assert_summary_same(&want, &slices[i].summary);
        assert_true(slices[i].min_ts.us == in->samples[at].ts.us);
        at += slices[i].count;
        assert_true(slices[i].max_ts.us == in->samples[at - 1].ts.us);
        weir_summary_join(&whole, &want);
        if (head->slice_us && i > 0) {
            int64_t border = slices[i].min_ts.us;
            border -= border % head->slice_us + (border % head->slice_us < 0 ? head->slice_us : 0);
            assert_true(slices[i - 1].max_ts.us < border);
        }
    }
    assert_int_equal(at, in->n);
    assert_summary_same(&whole, &head->summary);
}

static void assert_read(const struct input *in, weir_segment *segment, size_t from, size_t n)
{
    size_t n_slices = 0, count = 0;
    const weir_slice *slices = weir_segment_slices(segment, &n_slices);
    for (size_t i = from; i < from + n; i++)
        count += slices[i].count;
    weir_sample *samples = calloc(count + 1, sizeof *samples);
    weir_reply_ref *refs = calloc(count + 1, sizeof *refs);
    assert_true(samples && refs);
    assert_int_equal(weir_segment_read(segment, from, n, 5, samples, refs, NULL), WEIR_OK);
    for (size_t i = 0; i < count; i++) {
        size_t at = slices[from].first + i;
        assert_sample_same(&in->samples[at], &samples[i]);
        assert_memory_equal(&in->refs[at], &refs[i], sizeof *refs);
    }
    free(samples);
    free(refs);
}

static void assert_round_trip(const struct input *in, weir_segment_encoder *encoder,
                              weir_effort effort)
{
    weir_segment_bytes bytes;
    weir_segment_head head;
    weir_series series = {in->n, in->samples, in->refs};
    weir_random r = {in->n};
    assert_int_equal(weir_segment_encode(encoder, &series, effort, &bytes, NULL), WEIR_OK);
    weir_segment *segment = segment_open(bytes, &head);
    assert_int_equal(head.count, in->n);
    assert_true(head.min_ts.us == in->samples[0].ts.us);
    assert_true(head.max_ts.us == in->samples[in->n - 1].ts.us);
    assert_slices(in, &head, segment);
    assert_int_equal(weir_segment_load(segment, bytes.body, bytes.body_length, NULL), WEIR_OK);
    assert_read(in, segment, 0, head.n_slices);
    for (int i = 0; i < 5; i++) {
        size_t from = weir_random_below(&r, head.n_slices);
        assert_read(in, segment, from, 1 + weir_random_below(&r, head.n_slices - from));
    }
    weir_segment_free(segment);
}

static void every_bit_comes_back_and_summaries_are_true(void **state)
{
    (void)state;
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    for (uint64_t seed = 1; seed <= 40 * VALUE_SHAPES; seed++) {
        weir_random r = {seed};
        size_t n = weir_random_below(&r, 5) ? 1 + weir_random_below(&r, 300)
                                            : 1 + weir_random_below(&r, 9000);
        struct input in = input_make(seed, seed % VALUE_SHAPES == 16 && n > 300 ? 300 : n);
        assert_round_trip(&in, encoder, seed % 4 ? WEIR_EFFORT_FAST : WEIR_EFFORT_SMALL);
        input_free(&in);
    }
    weir_segment_encoder_free(encoder);
}

static void the_largest_segment_and_the_smallest_come_back(void **state)
{
    (void)state;
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    for (uint64_t seed = 0; seed < VALUE_SHAPES; seed++) {
        struct input one = input_make(seed, 1);
        assert_round_trip(&one, encoder, WEIR_EFFORT_SMALL);
        input_free(&one);
    }
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct input most = input_make(seed, WEIR_SEGMENT_COUNT_MAX);
        assert_round_trip(&most, encoder, WEIR_EFFORT_FAST);
        input_free(&most);
    }
    weir_segment_encoder_free(encoder);
}

/* A tag once a second for a day. */
static struct input day_make(int64_t step_us, size_t n)
{
    struct input in = input_make(1, n);
    for (size_t i = 0; i < n; i++) {
        in.samples[i].ts.us = 1700006400000000 + (int64_t)i * step_us;
        in.samples[i].quality = 0;
        in.refs[i] = (weir_reply_ref){in.samples[i].ts, 1, 3, 0};
    }
    return in;
}

static void slices_are_as_short_as_leaves_enough_in_them(void **state)
{
    (void)state;
    static const struct {
        int64_t step_us;
        size_t n, slices;
        int64_t slice_us;
    } cases[] = {
        {1000000, 86400, 96, 900000000},      {10000000, 8640, 24, 3600000000},
        {60000000, 1440 * 8, 8, 86400000000}, {900000000, 96 * 64, 64, 86400000000},
        {3600000000, 24 * 64, 1, 0},          {1000000, 50, 1, 0},
    };
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct input in = day_make(cases[i].step_us, cases[i].n);
        weir_series series = {in.n, in.samples, in.refs};
        weir_segment_bytes bytes;
        weir_segment_head head;
        assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL),
                         WEIR_OK);
        weir_segment_free(segment_open(bytes, &head));
        assert_int_equal(head.n_slices, cases[i].slices);
        assert_int_equal(head.slice_us, cases[i].slice_us);
        input_free(&in);
    }
    weir_segment_encoder_free(encoder);
}

static void marks_are_a_small_part_of_a_day_at_one_second(void **state)
{
    (void)state;
    struct input in = day_make(1000000, 86400);
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    weir_series series = {in.n, in.samples, in.refs};
    weir_segment_bytes bytes;
    assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_SMALL, &bytes, NULL),
                     WEIR_OK);
    assert_true(bytes.marks_length * 100 < bytes.body_length * 6);
    assert_true(bytes.head_length < 128);
    weir_segment_encoder_free(encoder);
    input_free(&in);
}

static void what_is_no_segment_is_refused(void **state)
{
    (void)state;
    struct input in = day_make(1000000, 100);
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    weir_series series = {0, in.samples, in.refs};
    weir_segment_bytes bytes;
    assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_EINVAL);
    series.n = WEIR_SEGMENT_COUNT_MAX + 1;
    assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_ELIMIT);
    series.n = 100;
    in.samples[50].ts = in.samples[49].ts;
    assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_EINVAL);
    in.samples[50].ts.us++;
    in.samples[70].value.kind = WEIR_KIND_COUNT;
    assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_EINVAL);
    in.samples[70].value = weir_value_string(in.text, WEIR_VALUE_LENGTH_MAX + 1);
    assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_EINVAL);
    weir_segment_encoder_free(encoder);
    input_free(&in);
    in = day_make(1000000, 300);
    encoder = weir_segment_encoder_new();
    for (size_t i = 0; i < 300; i++)
        in.samples[i].value = weir_value_string(in.text, WEIR_VALUE_LENGTH_MAX);
    series = (weir_series){300, in.samples, in.refs};
    assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_ELIMIT);
    weir_segment_encoder_free(encoder);
    input_free(&in);
}

static void a_codec_from_the_future_is_refused_by_its_number(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        const char *words;
    } cases[] = {{0, "codec 9"}, {1, "level 9"}, {2, "version 9"}};
    struct input in = day_make(1000000, 100);
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    weir_series series = {in.n, in.samples, in.refs};
    weir_segment_bytes bytes;
    assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_OK);
    for (size_t i = 0; i < 3; i++) {
        uint8_t head[256];
        weir_error error = WEIR_ERROR_INIT;
        weir_segment_head parsed;
        memcpy(head, bytes.head, bytes.head_length);
        head[cases[i].at] = 9;
        assert_int_equal(weir_segment_head_parse(head, bytes.head_length, &parsed, &error),
                         WEIR_EUNSUPPORTED);
        assert_non_null(strstr(error.text, cases[i].words));
    }
    weir_segment_encoder_free(encoder);
    input_free(&in);
}

/* A segment's three parts in memory of their own, to be damaged. */
struct parts {
    uint8_t *bytes[3];
    size_t n[3];
};

static struct parts parts_of(weir_segment_bytes b)
{
    struct parts p = {
        {malloc(b.head_length + 1), malloc(b.marks_length + 1), malloc(b.body_length + 1)},
        {b.head_length, b.marks_length, b.body_length}};
    assert_true(p.bytes[0] && p.bytes[1] && p.bytes[2]);
    memcpy(p.bytes[0], b.head, b.head_length);
    if (b.marks_length)
        memcpy(p.bytes[1], b.marks, b.marks_length);
    memcpy(p.bytes[2], b.body, b.body_length);
    return p;
}

static void parts_free(struct parts *p)
{
    for (size_t i = 0; i < 3; i++)
        free(p->bytes[i]);
}

/* Whether all of it reads; forge: with the checksums that the bytes have. */
static weir_err parts_read(const struct parts *p, bool forge, weir_sample *samples,
                           weir_reply_ref *refs, size_t room)
{
    weir_segment_head head;
    weir_segment *segment = NULL;
    weir_err err = weir_segment_head_parse(p->bytes[0], p->n[0], &head, NULL);
    if (err != WEIR_OK)
        return err;
    if (forge) {
        head.marks_crc = weir_crc32c(0, p->bytes[1], p->n[1]);
        head.body_crc = weir_crc32c(0, p->bytes[2], p->n[2]);
    }
    err = weir_segment_open(&head, p->bytes[1], p->n[1], &segment, NULL);
    if (err == WEIR_OK)
        err = weir_segment_load(segment, p->bytes[2], p->n[2], NULL);
    if (err == WEIR_OK) {
        assert_in_range(head.count, 1, room);
        err = weir_segment_read(segment, 0, head.n_slices, 5, samples, refs, NULL);
    }
    weir_segment_free(segment);
    return err;
}

static void damage_is_found_and_behind_a_forged_checksum_harmless(void **state)
{
    (void)state;
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    for (uint64_t seed = 1; seed <= VALUE_SHAPES; seed++) {
        struct input in = input_make(seed, seed % VALUE_SHAPES == 16 ? 30 : 1500);
        weir_series series = {in.n, in.samples, in.refs};
        weir_segment_bytes bytes;
        weir_sample *samples = calloc(in.n, sizeof *samples);
        weir_reply_ref *refs = calloc(in.n, sizeof *refs);
        assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL),
                         WEIR_OK);
        struct parts p = parts_of(bytes);
        for (size_t part = 0; part < 3; part++) {
            size_t step = 1 + p.n[part] / 100;
            for (size_t i = 0; i < p.n[part]; i += step) {
                uint8_t bit = (uint8_t)(1 << i % 8);
                p.bytes[part][i] ^= bit;
                assert_int_not_equal(parts_read(&p, false, samples, refs, in.n), WEIR_OK);
                (void)parts_read(&p, true, samples, refs, in.n);
                p.bytes[part][i] ^= bit;
                size_t n = p.n[part];
                p.n[part] = i;
                assert_int_not_equal(parts_read(&p, false, samples, refs, in.n), WEIR_OK);
                p.n[part] = n;
            }
        }
        assert_int_equal(parts_read(&p, false, samples, refs, in.n), WEIR_OK);
        parts_free(&p);
        free(samples);
        free(refs);
        input_free(&in);
    }
    weir_segment_encoder_free(encoder);
}

static void slices_that_are_not_there_and_bodies_not_loaded_are_refused(void **state)
{
    (void)state;
    struct input in = day_make(1000000, 3600);
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    weir_series series = {in.n, in.samples, in.refs};
    weir_segment_bytes bytes;
    weir_segment_head head;
    assert_int_equal(weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL),
                     WEIR_OK);
    weir_segment *segment = segment_open(bytes, &head);
    weir_sample *samples = calloc(in.n, sizeof *samples);
    assert_int_equal(weir_segment_read(segment, 0, 1, 5, samples, NULL, NULL), WEIR_EINVAL);
    assert_int_equal(weir_segment_load(segment, bytes.body, bytes.body_length, NULL), WEIR_OK);
    assert_int_equal(weir_segment_load(segment, bytes.body, bytes.body_length, NULL), WEIR_EINVAL);
    assert_int_equal(weir_segment_read(segment, 3, 2, 5, samples, NULL, NULL), WEIR_EINVAL);
    assert_int_equal(weir_segment_read(segment, 5, 0, 5, samples, NULL, NULL), WEIR_EINVAL);
    assert_int_equal(weir_segment_read(segment, 4, 0, 5, samples, NULL, NULL), WEIR_OK);
    assert_int_equal(weir_segment_read(segment, 3, 1, 5, samples, NULL, NULL), WEIR_OK);
    free(samples);
    weir_segment_free(segment);
    weir_segment_encoder_free(encoder);
    input_free(&in);
}

static void memory_running_out_anywhere_is_told_and_the_next_try_works(void **state)
{
    (void)state;
    struct input in = input_make(14, 1500);
    weir_series series = {in.n, in.samples, in.refs};
    weir_sample *samples = calloc(in.n, sizeof *samples);
    weir_reply_ref *refs = calloc(in.n, sizeof *refs);
    size_t refused = 0;
    for (size_t nth = 1;; nth++) {
        weir_segment_bytes bytes;
        (void)weir_alloc_fail_nth(nth, false);
        weir_segment_encoder *encoder = weir_segment_encoder_new();
        bool failed = !encoder;
        while (encoder &&
               weir_segment_encode(encoder, &series, WEIR_EFFORT_FAST, &bytes, NULL) != WEIR_OK)
            failed = true;
        if (encoder) {
            struct parts p = parts_of(bytes);
            weir_err err;
            while ((err = parts_read(&p, false, samples, refs, in.n)) == WEIR_ENOMEM)
                failed = true;
            assert_int_equal(err, WEIR_OK);
            parts_free(&p);
        }
        (void)weir_alloc_fail_nth(0, false);
        weir_segment_encoder_free(encoder);
        if (!failed)
            break;
        refused++;
    }
    assert_true(refused > 30);
    free(samples);
    free(refs);
    input_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_comes_back_and_summaries_are_true),
        cmocka_unit_test(the_largest_segment_and_the_smallest_come_back),
        cmocka_unit_test(slices_are_as_short_as_leaves_enough_in_them),
        cmocka_unit_test(marks_are_a_small_part_of_a_day_at_one_second),
        cmocka_unit_test(what_is_no_segment_is_refused),
        cmocka_unit_test(a_codec_from_the_future_is_refused_by_its_number),
        cmocka_unit_test(damage_is_found_and_behind_a_forged_checksum_harmless),
        cmocka_unit_test(slices_that_are_not_there_and_bodies_not_loaded_are_refused),
        cmocka_unit_test(memory_running_out_anywhere_is_told_and_the_next_try_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
