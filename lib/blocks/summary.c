/* SPDX-License-Identifier: MIT */
/* What can be said of a stretch of samples without keeping them. */

#include "blocks/summary.h"

#include <math.h>

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
