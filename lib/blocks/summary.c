/* SPDX-License-Identifier: MIT */
/* What can be said of a stretch of samples without keeping them. */

#include "blocks/summary.h"

#include <math.h>

#include "base/number.h"

/* weir_value_number for the kinds that history is made of, without a call for each sample. */
static inline bool value_number(const weir_value *v, double *ret)
{
    if (v->kind == WEIR_KIND_F32)
        *ret = (double)v->as.f32;
    else if (v->kind == WEIR_KIND_F64)
        *ret = v->as.f64;
    else if (v->kind == WEIR_KIND_U64)
        *ret = (double)v->as.u;
    else
        return weir_value_number(v, ret);
    return true;
}

static inline bool sample_number(const weir_sample *s, double *ret)
{
    double x;
    if (weir_quality_class(s->quality) > WEIR_UNCERTAIN || !value_number(&s->value, &x) || isnan(x))
        return false;
    *ret = x;
    return true;
}

bool weir_summary_number(const weir_sample *s, double *ret)
{
    return sample_number(s, ret);
}

void weir_summary_add(weir_summary *t, const weir_sample *s)
{
    double x, before;
    weir_class class = weir_quality_class(s->quality);
    t->count++;
    t->good += class == WEIR_GOOD;
    t->bad += class > WEIR_UNCERTAIN;
    if (!sample_number(s, &x))
        return;
    if (t->numbers == 0) {
        t->first = s->value;
        t->first_ts = s->ts;
        t->min = t->max = x;
        t->sum = 0;
    } else {
        (void)value_number(&t->last, &before);
        t->falls += x < before;
    }
    t->min = x < t->min ? x : t->min;
    t->max = x > t->max ? x : t->max;
    t->sum += x;
    t->last = s->value;
    t->last_ts = s->ts;
    t->numbers++;
}

/* Values of one kind (and exponent), of plain good quality: their number is `raw / divisor`. */
struct plain_run {
    const weir_sample *samples;
    size_t n;
    uint8_t kind;
    double divisor;
};

/* Mantissas up to here are doubles, and a power of ten up to 22 is: one division rounds once, as
 * weir_value_number does. */
static bool is_exact(int64_t mantissa)
{
    return mantissa < 1ll << 53 && mantissa > -(1ll << 53);
}

static double run_number(const struct plain_run *run, size_t i)
{
    const weir_value *v = &run->samples[i].value;
    if (run->kind == WEIR_KIND_F32)
        return (double)v->as.f32;
    return run->kind == WEIR_KIND_F64 ? v->as.f64 : (double)v->as.i / run->divisor;
}

/* How many samples from the first on make such a run; 0: the first does not begin one. */
static size_t run_find(const weir_sample *s, size_t n, struct plain_run *ret)
{
    const weir_value first = s[0].value;
    const bool scaled = first.kind == WEIR_KIND_DECIMAL;
    size_t i = 0;
    if (first.kind == WEIR_KIND_F32 || first.kind == WEIR_KIND_F64) {
        while (i < n && s[i].quality == 0 && s[i].value.kind == first.kind)
            i++;
    } else if (first.kind == WEIR_KIND_I64 ||
               (scaled && first.exponent <= 0 && first.exponent >= -22)) {
        while (i < n && s[i].quality == 0 && s[i].value.kind == first.kind &&
               s[i].value.exponent == first.exponent && is_exact(s[i].value.as.i))
            i++;
    }
    *ret = (struct plain_run){s, i, first.kind, scaled ? weir_pow10_double(-first.exponent) : 1};
    return i;
}

/* The first of the run has been added: adds what follows it up to a NaN. Returns how many. */
static size_t run_add(weir_summary *t, const struct plain_run *run)
{
    double min = t->min, max = t->max, sum = t->sum, before = run_number(run, 0);
    uint64_t falls = 0;
    size_t i = 1;
    for (; i < run->n && !isnan(before); i++) {
        const double x = run_number(run, i);
        if (isnan(x))
            break;
        falls += x < before;
        min = x < min ? x : min;
        max = x > max ? x : max;
        sum += x;
        before = x;
    }
    if (i == 1)
        return 0;
    t->count += i - 1;
    t->good += i - 1;
    t->numbers += i - 1;
    t->falls += falls;
    t->min = min;
    t->max = max;
    t->sum = sum;
    t->last = run->samples[i - 1].value;
    t->last_ts = run->samples[i - 1].ts;
    return i - 1;
}

void weir_summary_add_all(weir_summary *summary, const weir_sample *samples, size_t n)
{
    for (size_t i = 0; i < n;) {
        struct plain_run run;
        /* It knows what it means to be the first of all, or to follow another kind. */
        weir_summary_add(summary, &samples[i]);
        const size_t length = run_find(&samples[i], n - i, &run);
        i += 1 + (length > 1 ? run_add(summary, &run) : 0);
    }
}

void weir_summary_join(weir_summary *t, const weir_summary *later)
{
    double before, after;
    weir_summary joined = *t;
    joined.count += later->count;
    joined.good += later->good;
    joined.bad += later->bad;
    if (later->numbers > 0 && t->numbers == 0) {
        joined.first = later->first;
        joined.first_ts = later->first_ts;
        joined.min = later->min;
        joined.max = later->max;
        joined.sum = later->sum;
        joined.falls = later->falls;
    } else if (later->numbers > 0) {
        (void)weir_value_number(&t->last, &before);
        (void)weir_value_number(&later->first, &after);
        joined.min = later->min < t->min ? later->min : t->min;
        joined.max = later->max > t->max ? later->max : t->max;
        joined.sum += later->sum;
        joined.falls += later->falls + (after < before);
    }
    if (later->numbers > 0) {
        joined.last = later->last;
        joined.last_ts = later->last_ts;
    }
    joined.numbers += later->numbers;
    *t = joined;
}
