/* SPDX-License-Identifier: MIT */
/* Tests of the filter: what passes, what is left out, and what a refusal changes. */

#include "engine/filter.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/number.h"
#include "base/random.h"

enum { TAGS = 4 };

/* Two devices: the first has TAGS tags, all but the last filtered unless a test says otherwise;
 * the second none. */
struct plant {
    weir_point points[TAGS + 1];
    uint32_t point_tag[TAGS];
    weir_tag tags[TAGS + 1];
    weir_device devices[2];
    weir_catalog catalog;
    weir_filter *filter;
};

static weir_value decimal_of(const char *text)
{
    int64_t mantissa;
    int8_t exponent;
    assert_true(weir_parse_decimal(text, &mantissa, &exponent));
    return weir_value_decimal(mantissa, exponent);
}

static struct plant *plant_new(const char *deadband, int64_t max_unchanged_us)
{
    static const weir_tag_uid uids[TAGS + 1] = {70, 8, 900, 31, 5}; /* of a store with a past */
    struct plant *p = calloc(1, sizeof *p);
    weir_error error = WEIR_ERROR_INIT;
    assert_non_null(p);
    for (uint32_t i = 0; i <= TAGS; i++) {
        p->points[i] = (weir_point)WEIR_POINT_INIT;
        if (i < TAGS - 1) {
            p->points[i].deadband = decimal_of(deadband);
            p->points[i].max_unchanged_us = max_unchanged_us;
        }
        p->tags[i] = (weir_tag){.uid = uids[i], .device = i == TAGS, .point = i == TAGS ? 0 : i};
    }
    p->devices[0] =
        (weir_device){.name = "a", .n_points = TAGS, .points = p->points, .n_tags = TAGS};
    p->devices[1] = (weir_device){
        .name = "b", .n_points = 1, .points = &p->points[TAGS], .n_tags = 1, .first_tag = TAGS};
    p->catalog =
        (weir_catalog){.n_devices = 2, .devices = p->devices, .n_tags = TAGS + 1, .tags = p->tags};
    assert_int_equal(weir_filter_new(&p->catalog, &p->filter, &error), WEIR_OK);
    return p;
}

static void plant_free(struct plant *p)
{
    weir_filter_free(p->filter);
    free(p);
}

static weir_sample sample_of(const struct plant *p, int tag, int64_t ts, weir_quality quality,
                             weir_value value)
{
    return (weir_sample){p->tags[tag].uid, quality, {ts}, value};
}

/* Whether the one sample passes; it is then archived. */
static bool passes(struct plant *p, uint32_t epoch, weir_sample sample)
{
    const weir_batch batch = {.epoch = epoch, .n_samples = 1, .samples = &sample};
    const weir_batch *selected = weir_filter_select(p->filter, &batch);
    if (selected)
        weir_filter_settle(p->filter, true);
    return selected != NULL;
}

#define I64(v)    weir_value_i64(v)
#define U64(v)    weir_value_u64(v)
#define F32(v)    weir_value_f32(v)
#define F64(v)    weir_value_f64(v)
#define DEC(m, e) weir_value_decimal(m, e)
#define TEXT(t)   weir_value_string(t, strlen(t))
#define BOOL(b)   weir_value_bool(b)
#define NO_CHANGE false
#define CHANGE    true

static weir_value nan_of(uint64_t payload)
{
    weir_value v = weir_value_f64(NAN);
    v.as.bits = 0x7ff8000000000000u | payload;
    return v;
}

static void a_value_passes_when_it_is_further_from_the_archived_one_than_the_deadband(void **state)
{
    const uint8_t zeros[2] = {0, 0};
    const struct {
        const char *name, *deadband;
        weir_value archived, next;
        bool want;
    } cases[] = {
        {"same integer", "0", I64(5), I64(5), NO_CHANGE},
        {"next integer", "0", I64(5), I64(6), CHANGE},
        {"as far as the deadband", "2", I64(5), I64(7), NO_CHANGE},
        {"further", "2", I64(5), I64(8), CHANGE},
        {"further down", "2", I64(5), I64(2), CHANGE},
        {"a fraction keeps no integer back", "0.9", I64(5), I64(6), CHANGE},
        {"a fraction more than one", "1.5", I64(5), I64(6), NO_CHANGE},
        {"many digits", "1000.00001", I64(0), I64(1000), NO_CHANGE},
        {"many digits, further", "1000.00001", I64(0), I64(1001), CHANGE},
        {"across all of i64", "18446744073709551e3", I64(INT64_MIN), I64(INT64_MAX), CHANGE},
        {"nothing is further than a huge deadband", "1e100", I64(INT64_MIN), I64(INT64_MAX),
         NO_CHANGE},
        {"a tiny deadband is one", "1e-100", I64(5), I64(6), CHANGE},
        {"neighbours that are one double", "0", I64(INT64_MAX), I64(INT64_MAX - 1), CHANGE},
        {"the same of u64", "0", U64(UINT64_MAX), U64(UINT64_MAX - 1), CHANGE},
        {"u64 within", "1", U64(UINT64_MAX), U64(UINT64_MAX - 1), NO_CHANGE},
        {"u64 down to 0", "1e19", U64(UINT64_MAX), U64(0), CHANGE},
        {"decimal within", "0.1", DEC(101, -1), DEC(102, -1), NO_CHANGE},
        {"10.3 and 10.2 differ by 0.1, whatever doubles say", "0.1", DEC(1030, -2), DEC(1020, -2),
         NO_CHANGE},
        {"a hair more", "0.1", DEC(1030, -2), DEC(1019, -2), CHANGE},
        {"decimal on change", "0", DEC(1030, -2), DEC(1031, -2), CHANGE},
        {"one decimal written in two ways", "0", DEC(103, -1), DEC(1030, -2), NO_CHANGE},
        {"two exponents", "0.1", DEC(103, -1), DEC(1041, -2), CHANGE},
        {"zero has every exponent", "0", DEC(0, 100), DEC(0, -100), NO_CHANGE},
        {"no common unit", "5", DEC(1, 100), DEC(1, -100), CHANGE},
        {"mantissas that are one double", "0", DEC(9007199254740993, -3), DEC(9007199254740992, -3),
         CHANGE},
        {"a positive exponent", "250", DEC(10, 2), DEC(12, 2), NO_CHANGE},
        {"a positive exponent, further", "250", DEC(10, 2), DEC(13, 2), CHANGE},
        {"double within", "0.5", F64(230), F64(230.5), NO_CHANGE},
        {"double further", "0.5", F64(230), F64(230.75), CHANGE},
        {"double on change", "0", F64(1), F64(nextafter(1, 2)), CHANGE},
        {"double unchanged", "0", F64(1), F64(1), NO_CHANGE},
        {"zeros of both signs are one number", "0", F64(0.0), F64(-0.0), NO_CHANGE},
        {"a distance that is no double", "1", F64(DBL_MAX), F64(-DBL_MAX), CHANGE},
        {"float within", "0.5", F32(1.25f), F32(1.75f), NO_CHANGE},
        {"float further", "0.5", F32(1.25f), F32(1.875f), CHANGE},
        {"not a number, still", "0.5", nan_of(1), nan_of(1), NO_CHANGE},
        {"another not a number", "0.5", nan_of(1), nan_of(2), CHANGE},
        {"no number any more", "0.5", F64(1), nan_of(0), CHANGE},
        {"a number again", "0.5", nan_of(0), F64(1), CHANGE},
        {"still infinite", "0.5", F64(INFINITY), F64(INFINITY), NO_CHANGE},
        {"the other infinity", "0.5", F64(INFINITY), F64(-INFINITY), CHANGE},
        {"from infinity", "0.5", F64(INFINITY), F64(3), CHANGE},
        {"bool", "0", BOOL(true), BOOL(true), NO_CHANGE},
        {"bool turns", "5", BOOL(true), BOOL(false), CHANGE},
        {"text", "0", TEXT("run"), TEXT("run"), NO_CHANGE},
        {"text of the same length", "5", TEXT("run"), TEXT("rum"), CHANGE},
        {"longer text", "5", TEXT("run"), TEXT("running"), CHANGE},
        {"shorter text", "5", TEXT("running"), TEXT("run"), CHANGE},
        {"empty texts", "0", TEXT(""), TEXT(""), NO_CHANGE},
        {"from an empty text", "0", TEXT(""), TEXT("x"), CHANGE},
        {"bytes", "0", weir_value_bytes(zeros, 2), weir_value_bytes(zeros, 2), NO_CHANGE},
        {"fewer bytes", "0", weir_value_bytes(zeros, 2), weir_value_bytes(zeros, 1), CHANGE},
        {"null", "0", weir_value_null(), weir_value_null(), NO_CHANGE},
        {"null to value", "5", weir_value_null(), I64(0), CHANGE},
        {"an enum's word becomes a number", "5", TEXT("run"), I64(7), CHANGE},
        {"another kind of number", "5", I64(7), F64(7), CHANGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plant *p = plant_new(cases[i].deadband, 0);
        assert_true(passes(p, 0, sample_of(p, 0, 1, 0, cases[i].archived)));
        if (passes(p, 0, sample_of(p, 0, 2, 0, cases[i].next)) != cases[i].want)
            fail_msg("%s", cases[i].name);
        assert_int_equal(weir_filter_dropped(p->filter), cases[i].want == NO_CHANGE);
        plant_free(p);
    }
}

static void quality_time_and_epoch_pass_where_the_value_does_not(void **state)
{
    const weir_quality timeout = weir_bad(WEIR_CAUSE_TIMEOUT, 0);
    const weir_quality late = weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_LATE, 0);
    /* One tag's life, in order; deadband 1, max_unchanged_interval 1 h. */
    const struct {
        const char *name;
        int64_t s;
        uint32_t epoch;
        weir_quality quality;
        int64_t value;
        bool want;
    } steps[] = {
        {"the first", 0, 0, 0, 10, true},
        {"unchanged", 1, 0, 0, 10, false},
        {"within the deadband", 2, 0, 0, 11, false},
        {"beyond it, against the archived one", 3, 0, 0, 12, true},
        {"a drift: 1 a second", 4, 0, 0, 13, false},
        {"is not lost", 5, 0, 0, 14, true},
        {"bad", 6, 0, timeout, 0, true},
        {"still bad", 7, 0, timeout, 0, true},
        {"good after bad, as before", 8, 0, 0, 14, true},
        {"good", 9, 0, 0, 14, false},
        {"uncertain", 10, 0, late, 14, true},
        {"still uncertain", 11, 0, late, 14, false},
        {"another cause", 12, 0, weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_CLAMPED, 0), 14, true},
        {"another detail", 13, 0, weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_CLAMPED, 1), 14, true},
        {"good again", 14, 0, 0, 14, true},
        {"a second before the hour is over", 14 + 3599, 0, 0, 14, false},
        {"the hour is over", 14 + 3600, 0, 0, 14, true},
        {"and counts anew", 14 + 3601, 0, 0, 14, false},
        {"out of order: archived", 20, 0, 0, 14, true},
        {"but nothing is compared with it", 14 + 3602, 0, 0, 14, false},
        {"a correction of the archived one", 14 + 3600, 0, 0, 15, true},
        {"is what counts from now on", 14 + 3603, 0, 0, 16, false},
        {"another epoch, an hour back", 30, 1, 0, 16, true},
        {"unchanged in it", 31, 1, 0, 16, false},
        {"what was under way in the old one", 14 + 3604, 0, 0, 16, true},
        {"and the new one again", 32, 1, 0, 16, true},
    };
    (void)state;
    struct plant *p = plant_new("1", WEIR_HOUR);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const bool bad = weir_quality_class(steps[i].quality) == WEIR_BAD;
        const weir_sample sample = sample_of(p, 1, steps[i].s * WEIR_S, steps[i].quality,
                                             bad ? weir_value_null() : I64(steps[i].value));
        if (passes(p, steps[i].epoch, sample) != steps[i].want)
            fail_msg("%s", steps[i].name);
    }
    plant_free(p);
}

static void without_a_max_unchanged_interval_nothing_is_ever_repeated(void **state)
{
    (void)state;
    struct plant *p = plant_new("0", 0);
    assert_true(passes(p, 0, sample_of(p, 0, INT64_MIN, 0, I64(1))));
    assert_false(passes(p, 0, sample_of(p, 0, 1000 * WEIR_DAY, 0, I64(1))));
    plant_free(p);
    p = plant_new("0", WEIR_HOUR);
    assert_true(passes(p, 0, sample_of(p, 0, INT64_MIN, 0, I64(1))));
    assert_true(passes(p, 0, sample_of(p, 0, INT64_MAX, 0, I64(1))));
    plant_free(p);
}

static void a_batch_is_copied_only_when_something_is_left_out(void **state)
{
    (void)state;
    struct plant *p = plant_new("0", 0);
    weir_sample samples[TAGS];
    weir_batch batch = {.connection = 3,
                        .catalog_revision = 9,
                        .plans = 1,
                        .due = {1},
                        .received = {2},
                        .n_samples = TAGS,
                        .samples = samples};
    for (int i = 0; i < TAGS; i++)
        samples[i] = sample_of(p, i, 1, 0, I64(i));
    assert_ptr_equal(weir_filter_select(p->filter, &batch), &batch);
    weir_filter_settle(p->filter, true);

    for (int i = 0; i < TAGS; i++)
        samples[i].ts.us = 2;
    samples[1].value = I64(77);
    const weir_batch *selected = weir_filter_select(p->filter, &batch);
    assert_non_null(selected);
    assert_int_equal(selected->n_samples, 2); /* the changed one, and the one without deadband */
    assert_int_equal(selected->samples[0].tag, p->tags[1].uid);
    assert_int_equal(selected->samples[0].value.as.i, 77);
    assert_int_equal(selected->samples[1].tag, p->tags[TAGS - 1].uid);
    assert_int_equal(selected->connection, 3);
    assert_int_equal(selected->catalog_revision, 9);
    assert_int_equal(selected->due.us, 1);
    assert_int_equal(selected->received.us, 2);
    assert_int_equal(batch.n_samples, TAGS); /* whoever else sees it sees all */
    weir_filter_settle(p->filter, true);

    batch.n_samples = 3; /* all unchanged: nothing at all */
    for (int i = 0; i < 3; i++)
        samples[i].ts.us = 3;
    assert_null(weir_filter_select(p->filter, &batch));
    assert_int_equal(weir_filter_dropped(p->filter), 2 + 3);

    samples[0].value = I64(1); /* the changed one first, then what is left out */
    selected = weir_filter_select(p->filter, &batch);
    assert_int_equal(selected->n_samples, 1);
    assert_int_equal(selected->samples[0].tag, p->tags[0].uid);
    weir_filter_settle(p->filter, true);
    plant_free(p);
}

static void a_device_without_deadbands_is_not_looked_at(void **state)
{
    (void)state;
    struct plant *p = plant_new("0", 0);
    const weir_sample sample = sample_of(p, TAGS, 1, 0, I64(1));
    const weir_batch batch = {.device = 1, .n_samples = 1, .samples = &sample};
    (void)weir_alloc_fail_nth(0, false);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(weir_filter_select(p->filter, &batch), &batch);
        weir_filter_settle(p->filter, true);
    }
    assert_int_equal(weir_alloc_fail_nth(0, false), 0);
    plant_free(p);
}

static void in_the_steady_state_nothing_is_allocated(void **state)
{
    (void)state;
    struct plant *p = plant_new("0", 0);
    static const char *const words[] = {"producing", "sleeping", "fault"};
    weir_sample samples[2];
    const weir_batch batch = {.n_samples = 2, .samples = samples};
    for (int64_t i = 0; i < 100; i++) {
        const char *word = words[i / 2 % 3];
        samples[0] = sample_of(p, 0, i, 0, TEXT(word));
        samples[1] = sample_of(p, 1, i, 0, I64(i / 3));
        if (weir_filter_select(p->filter, &batch))
            weir_filter_settle(p->filter, true);
        if (i == 10)
            (void)weir_alloc_fail_nth(0, false);
    }
    assert_int_equal(weir_alloc_fail_nth(0, false), 0);
    plant_free(p);
}

static void samples_of_one_tag_in_one_batch_are_compared_with_each_other(void **state)
{
    (void)state;
    struct plant *p = plant_new("1", 0);
    const int64_t values[] = {1, 2, 3, 4, 3, 9, 9};
    const int64_t want[] = {1, 3, 9};
    weir_sample samples[7];
    for (int i = 0; i < 7; i++)
        samples[i] = sample_of(p, 0, i, 0, I64(values[i]));
    const weir_batch batch = {.n_samples = 7, .samples = samples};
    const weir_batch *selected = weir_filter_select(p->filter, &batch);
    assert_int_equal(selected->n_samples, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(selected->samples[i].value.as.i, want[i]);
    weir_filter_settle(p->filter, true);
    assert_false(passes(p, 0, sample_of(p, 0, 8, 0, I64(10))));
    assert_true(passes(p, 0, sample_of(p, 0, 8, 0, I64(11))));
    plant_free(p);
}

static void what_was_refused_counts_as_never_seen(void **state)
{
    (void)state;
    struct plant *p = plant_new("1", WEIR_S);
    assert_true(passes(p, 0, sample_of(p, 0, 0, 0, I64(10))));
    weir_sample sample = sample_of(p, 0, 1, 0, I64(20));
    const weir_batch batch = {.n_samples = 1, .samples = &sample};
    assert_non_null(weir_filter_select(p->filter, &batch));
    weir_filter_settle(p->filter, false);
    sample.ts.us = 2; /* the change is still to be told */
    assert_non_null(weir_filter_select(p->filter, &batch));
    weir_filter_settle(p->filter, false);
    assert_false(passes(p, 0, sample_of(p, 0, 3, 0, I64(11)))); /* back where it was */

    sample = sample_of(p, 0, WEIR_S, 0, I64(10)); /* its time has come, and it is refused */
    assert_non_null(weir_filter_select(p->filter, &batch));
    weir_filter_settle(p->filter, false);
    assert_true(passes(p, 0, sample_of(p, 0, WEIR_S + 1, 0, I64(10))));
    assert_false(passes(p, 0, sample_of(p, 0, WEIR_S + 2, 0, I64(10))));

    sample = sample_of(p, 1, 5, 0, I64(1)); /* the first of a tag */
    assert_non_null(weir_filter_select(p->filter, &batch));
    weir_filter_settle(p->filter, false);
    assert_true(passes(p, 0, sample_of(p, 1, 6, 0, I64(1))));
    plant_free(p);
}

static void a_text_is_compared_whole_and_after_its_batch_is_gone(void **state)
{
    (void)state;
    struct plant *p = plant_new("0", 0);
    char *text = malloc(WEIR_VALUE_LENGTH_MAX);
    assert_non_null(text);
    memset(text, 'a', WEIR_VALUE_LENGTH_MAX);
    assert_true(
        passes(p, 0, sample_of(p, 2, 1, 0, weir_value_string(text, WEIR_VALUE_LENGTH_MAX))));
    assert_false(
        passes(p, 0, sample_of(p, 2, 2, 0, weir_value_string(text, WEIR_VALUE_LENGTH_MAX))));
    text[WEIR_VALUE_LENGTH_MAX - 1] = 'b';
    assert_true(
        passes(p, 0, sample_of(p, 2, 3, 0, weir_value_string(text, WEIR_VALUE_LENGTH_MAX))));
    memset(text, 'x', WEIR_VALUE_LENGTH_MAX);
    assert_true(passes(p, 0, sample_of(p, 2, 4, weir_bad(1, 0), weir_value_null())));
    assert_true(passes(p, 0, sample_of(p, 2, 5, 0, weir_value_string(text, 3))));
    text[0] = 'y';
    assert_true(passes(p, 0, sample_of(p, 2, 6, 0, weir_value_string(text, 3))));
    free(text);
    plant_free(p);
}

static void short_memory_archives_too_much_never_too_little(void **state)
{
    (void)state;
    for (size_t nth = 1; nth <= 4; nth++) {
        struct plant *p = plant_new("0", 0);
        weir_error error = WEIR_ERROR_INIT;
        weir_filter *none = NULL;
        (void)weir_alloc_fail_nth(nth, false);
        assert_int_equal(weir_filter_new(&p->catalog, &none, &error), WEIR_ENOMEM);
        assert_null(none);
        (void)weir_alloc_fail_nth(0, false);
        plant_free(p);
    }
    /* Not for the copy, nor for the text: everything passes, again and again. */
    struct plant *p = plant_new("0", 0);
    (void)weir_alloc_fail_nth(1, true);
    for (int64_t i = 0; i < 3; i++) {
        assert_true(passes(p, 0, sample_of(p, 0, i, 0, TEXT("run"))));
        assert_true(passes(p, 0, sample_of(p, 1, i, 0, I64(1))));
    }
    (void)weir_alloc_fail_nth(0, false);
    assert_true(passes(p, 0, sample_of(p, 0, 4, 0, TEXT("run"))));
    assert_false(passes(p, 0, sample_of(p, 0, 5, 0, TEXT("run"))));
    assert_false(passes(p, 0, sample_of(p, 1, 5, 0, I64(1))));
    plant_free(p);
}

/* ---- property ---- */

struct walk {
    weir_random random;
    int kind; /* 0 i64, 1 decimal, 2 f64, 3 f32 */
    int64_t steps;
    weir_quality quality;
};

static weir_value walk_value(const struct walk *w)
{
    switch (w->kind) {
    case 0:
        return I64(w->steps);
    case 1:
        return DEC(w->steps, -1);
    case 2:
        return F64((double)w->steps / 8);
    default:
        return F32((float)w->steps / 8);
    }
}

/* Mostly small steps, now and then a jump; a quality that stays for a while. */
static void walk_step(struct walk *w)
{
    static const weir_quality qualities[] = {
        0, 0, 0, 0, 2u << 24 | 1u << 16, 2u << 24 | 4u << 16 | 2, 1u << 24 | 11u << 16};
    w->steps += (int64_t)weir_random_below(&w->random, 7) - 3;
    if (weir_random_below(&w->random, 50) == 0)
        w->steps += (int64_t)weir_random_below(&w->random, 2000) - 1000;
    if (weir_random_below(&w->random, 20) == 0)
        w->quality = qualities[weir_random_below(&w->random, sizeof qualities / sizeof *qualities)];
}

/* The true distance, in doubles: all numbers of the walk are small. */
static double distance(const weir_value *a, const weir_value *b)
{
    double x = 0, y = 0;
    assert_true(weir_value_number(a, &x) && weir_value_number(b, &y));
    return fabs(x - y);
}

static void the_archive_held_is_within_the_deadband_and_never_too_old(void **state)
{
    const int64_t interval = WEIR_S, max_unchanged = 7 * WEIR_S + WEIR_S / 2;
    size_t n_archived = 0, n_dropped = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct plant *p = plant_new("1.5", max_unchanged);
        struct walk w = {.random = {seed}, .kind = (int)(seed % 4)};
        weir_sample held = {0};
        for (int64_t i = 1; i <= 500; i++) {
            walk_step(&w);
            const bool bad = weir_quality_class(w.quality) == WEIR_BAD;
            const weir_sample sample =
                sample_of(p, 0, i * interval, w.quality, bad ? weir_value_null() : walk_value(&w));
            const bool refused = weir_random_below(&w.random, 30) == 0;
            const weir_batch batch = {.n_samples = 1, .samples = &sample};
            const weir_batch *selected = weir_filter_select(p->filter, &batch);
            if (selected) {
                weir_filter_settle(p->filter, !refused);
                if (refused)
                    continue; /* told elsewhere: a gap */
                held = sample;
                n_archived++;
                continue;
            }
            n_dropped++;
            if (bad || held.tag == 0 || held.quality != sample.quality ||
                distance(&held.value, &sample.value) > 1.5 + 1e-9 ||
                sample.ts.us - held.ts.us >= max_unchanged)
                fail_msg("seed %llu, sample %lld", (unsigned long long)seed, (long long)i);
        }
        assert_true((int64_t)weir_filter_dropped(p->filter) <= 500);
        plant_free(p);
    }
    /* Both happen often, or nothing was tested. */
    assert_true(n_archived > 10000 && n_dropped > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_passes_when_it_is_further_from_the_archived_one_than_the_deadband),
        cmocka_unit_test(quality_time_and_epoch_pass_where_the_value_does_not),
        cmocka_unit_test(without_a_max_unchanged_interval_nothing_is_ever_repeated),
        cmocka_unit_test(a_batch_is_copied_only_when_something_is_left_out),
        cmocka_unit_test(a_device_without_deadbands_is_not_looked_at),
        cmocka_unit_test(in_the_steady_state_nothing_is_allocated),
        cmocka_unit_test(samples_of_one_tag_in_one_batch_are_compared_with_each_other),
        cmocka_unit_test(what_was_refused_counts_as_never_seen),
        cmocka_unit_test(a_text_is_compared_whole_and_after_its_batch_is_gone),
        cmocka_unit_test(short_memory_archives_too_much_never_too_little),
        cmocka_unit_test(the_archive_held_is_within_the_deadband_and_never_too_old),
    };
    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
