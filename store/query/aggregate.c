/* SPDX-License-Identifier: MIT */
/* What the samples of one tag come to, bucket by bucket: extremes, average, growth. */

/*
 * A series hands out stretches: the summary of a day or of a quarter of an hour where one lies
 * within the bucket and can be trusted for what is asked, samples where not. A summary does not
 * say what happened between its first and last number; for a counter that fell in between, the
 * samples are looked at.
 */

#include "store/query/aggregate.h"

#include <math.h>

#include "base/alloc.h"
#include "base/number.h"
#include "model/type.h"
#include "store/file/database.h"
#include "store/query/series.h"

/* A counter that falls from within this share of its range below the top to within it above the
 * bottom has wrapped: it was read often enough to be seen there. */
#define WRAP_SHARE 0.1

/* --- growth ------------------------------------------------------------------------------- */

/* An integer times a power of ten; false for other numbers. */
static bool exact_of(const weir_value *v, int64_t *ret_mantissa, int8_t *ret_exponent)
{
    *ret_exponent = v->kind == WEIR_KIND_DECIMAL ? v->exponent : 0;
    *ret_mantissa = v->as.i;
    return v->kind == WEIR_KIND_BOOL || v->kind == WEIR_KIND_I64 || v->kind == WEIR_KIND_DECIMAL ||
           (v->kind == WEIR_KIND_U64 && v->as.u <= INT64_MAX);
}

static double number_of(const weir_value *v)
{
    double number = 0;
    return weir_value_number(v, &number) ? number : 0;
}

/* Writes m * 10^from with another exponent; false when it does not fit. */
static bool mantissa_scale(int64_t *m, int from, int to)
{
    if (from - to > 18)
        return *m == 0;
    return !__builtin_mul_overflow(*m, (int64_t)weir_pow10_u64((unsigned)(from - to)), m);
}

static bool difference_exact(const weir_value *plus, const weir_value *minus, int64_t *ret,
                             int8_t *ret_exponent)
{
    int64_t a, b;
    int8_t ea, eb;
    if (plus->kind == WEIR_KIND_U64 && minus->kind == WEIR_KIND_U64) {
        *ret_exponent = 0;
        return !__builtin_sub_overflow(plus->as.u, minus->as.u, ret);
    }
    if (!exact_of(plus, &a, &ea) || !exact_of(minus, &b, &eb))
        return false;
    *ret_exponent = ea < eb ? ea : eb;
    return mantissa_scale(&a, ea, *ret_exponent) && mantissa_scale(&b, eb, *ret_exponent) &&
           !__builtin_sub_overflow(a, b, ret);
}

static bool growth_add_exact(weir_growth *g, int64_t mantissa, int8_t exponent)
{
    int8_t e = exponent < g->exponent ? exponent : g->exponent;
    int64_t sum = g->mantissa;
    if (g->rounded || !mantissa_scale(&sum, g->exponent, e) ||
        !mantissa_scale(&mantissa, exponent, e) || __builtin_add_overflow(sum, mantissa, &sum))
        return false;
    g->mantissa = sum;
    g->exponent = e;
    return true;
}

void weir_growth_add(weir_growth *g, const weir_value *plus, const weir_value *minus)
{
    int64_t mantissa;
    int8_t exponent;
    if (difference_exact(plus, minus, &mantissa, &exponent) &&
        growth_add_exact(g, mantissa, exponent))
        return;
    const weir_value so_far = weir_growth_value(g);
    g->number = number_of(&so_far) + (number_of(plus) - number_of(minus));
    g->rounded = true;
}

weir_value weir_growth_value(const weir_growth *g)
{
    if (g->rounded)
        return weir_value_f64(g->number);
    return g->exponent == 0 ? weir_value_i64(g->mantissa)
                            : weir_value_decimal(g->mantissa, g->exponent);
}

/* --- the meter ---------------------------------------------------------------------------- */

/* Where registers that only count upwards wrap to 0. */
static double register_range(const char *type)
{
    static const struct {
        weir_type type;
        double range;
    } ranges[] = {
        {WEIR_TYPE_UINT8, 0x1p8},   {WEIR_TYPE_UINT16, 0x1p16}, {WEIR_TYPE_UINT32, 0x1p32},
        {WEIR_TYPE_UINT64, 0x1p64}, {WEIR_TYPE_BCD16, 1e4},     {WEIR_TYPE_BCD32, 1e8},
        {WEIR_TYPE_BCD64, 1e16},
    };
    weir_type t;
    for (size_t i = 0; type && weir_type_parse(type, &t) && i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].type == t)
            return ranges[i].range;
    return 0;
}

/* A number people wrote, exact where it can be: 48211.3 and not its nearest double. */
static weir_value value_of_double(double v)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    int64_t mantissa;
    int8_t exponent;
    weir_text_add_double(&text, v);
    return !text.failed && weir_parse_decimal(weir_text_get(&text), &mantissa, &exponent)
               ? weir_value_decimal(mantissa, exponent)
               : weir_value_f64(v);
}

static weir_err replacements_read(weir_meter *m, weir_view *view, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        weir_view_db(view), "SELECT ts, final, first FROM main.replacement WHERE uid=? ORDER BY ts",
        &stmt, error);
    if (err == WEIR_OK)
        (void)sqlite3_bind_int64(stmt, 1, m->tag);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *more =
            weir_realloc_array(m->replacements, m->n_replacements + 1, sizeof *m->replacements);
        if (!more)
            return weir_fail(error, WEIR_ENOMEM, "no memory for a meter's replacements");
        m->replacements = more;
        m->replacements[m->n_replacements++] = (struct weir_replacement){
            sqlite3_column_int64(stmt, 0), value_of_double(sqlite3_column_double(stmt, 1)),
            value_of_double(sqlite3_column_double(stmt, 2))};
    }
    return err;
}

weir_err weir_meter_read(weir_meter *ret, weir_view *view, weir_tag_uid tag, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    *ret = (weir_meter){.tag = tag};
    if (!weir_view_has_history(view))
        return WEIR_OK; /* version 1 knows neither counters nor replacements */
    weir_err err = weir_db_prepare(weir_view_db(view),
                                   "SELECT counter, type, scale, offset FROM main.tag_version"
                                   " WHERE uid=? ORDER BY seq DESC LIMIT 1",
                                   &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(stmt, 1, tag);
    err = weir_db_step(stmt, &row, error);
    if (err == WEIR_OK && row && sqlite3_column_int(stmt, 0)) {
        double range = register_range((const char *)sqlite3_column_text(stmt, 1));
        ret->counter = true;
        ret->span = range * sqlite3_column_double(stmt, 2);
        ret->lowest = sqlite3_column_double(stmt, 3);
        if (ret->span > 0)
            ret->range = value_of_double(ret->span);
    }
    return err == WEIR_OK ? replacements_read(ret, view, error) : err;
}

void weir_meter_deinit(weir_meter *meter)
{
    weir_free(meter->replacements);
    meter->replacements = NULL;
    meter->n_replacements = 0;
}

/* From one number to the next of the same meter. */
static void meter_step(const weir_meter *m, weir_growth *g, const weir_value *from,
                       const weir_value *to)
{
    static const weir_value zero = {.kind = WEIR_KIND_I64};
    const double before = number_of(from), after = number_of(to);
    if (!m->counter || after >= before) {
        weir_growth_add(g, to, from);
    } else if (m->range.kind != WEIR_KIND_NULL &&
               before - m->lowest >= m->span * (1 - WRAP_SHARE) &&
               after - m->lowest <= m->span * WRAP_SHARE) {
        weir_growth_add(g, &m->range, from);
        weir_growth_add(g, to, &zero);
    } else {
        weir_growth_add(g, to, &zero);
    }
}

/* --- buckets ------------------------------------------------------------------------------ */

struct weir_aggregate {
    weir_view *view;
    const weir_meter *meter;
    weir_aggregate_wish wish;
    weir_tag_series *series;
    bool looked_back; /* for the number before the first bucket */
    bool has_last;
    weir_value last; /* the last number so far */
    int64_t last_ts;
    size_t replacement; /* the next that was not met */
};

static weir_err series_open(const weir_aggregate *a, int64_t min_ts, int64_t max_ts,
                            bool descending, weir_tag_series **ret, weir_error *error)
{
    const weir_tag_series_wish wish = {.tag = a->meter->tag,
                                       .min_ts = min_ts,
                                       .max_ts = max_ts,
                                       .max_seq = UINT64_MAX,
                                       .descending = descending,
                                       .has_tail = a->wish.has_tail,
                                       .tail = a->wish.tail,
                                       .n_tail = a->wish.n_tail};
    return weir_tag_series_new(a->view, &wish, ret, error);
}

weir_err weir_aggregate_new(weir_view *view, const weir_meter *meter,
                            const weir_aggregate_wish *wish, weir_aggregate **ret,
                            weir_error *error)
{
    WEIR_CLEANUP(weir_aggregate_free) weir_aggregate *a = weir_alloc_zero(1, sizeof *a);
    if (!a)
        return weir_fail(error, WEIR_ENOMEM, "no memory to aggregate samples");
    *a = (weir_aggregate){.view = view, .meter = meter, .wish = *wish};
    weir_err err = series_open(a, wish->min_ts, wish->max_ts, false, &a->series, error);
    if (err != WEIR_OK)
        return err;
    *ret = a;
    a = NULL;
    return WEIR_OK;
}

void weir_aggregate_free(weir_aggregate *aggregate)
{
    if (!aggregate)
        return;
    weir_tag_series_free(aggregate->series);
    weir_free(aggregate);
}

/* The last number before the first bucket, backwards from there; mostly a summary has it. */
static weir_err look_back(weir_aggregate *a, weir_error *error)
{
    WEIR_CLEANUP(weir_tag_series_free) weir_tag_series *series = NULL;
    weir_stretch stretch;
    bool any = true;
    a->looked_back = true;
    if (a->wish.min_ts == INT64_MIN)
        return WEIR_OK;
    weir_err err = series_open(a, INT64_MIN, a->wish.min_ts - 1, true, &series, error);
    while (err == WEIR_OK && any && !a->has_last) {
        weir_summary summary = {0};
        err = weir_tag_series_next_stretch(series, INT64_MAX, true, &stretch, &any, error);
        if (err != WEIR_OK || !any)
            break;
        if (stretch.summary)
            summary = *stretch.summary;
        weir_summary_add_all(&summary, stretch.samples, stretch.n);
        if (summary.numbers > 0) {
            a->has_last = true;
            a->last = summary.last;
            a->last_ts = summary.last_ts.us;
        }
    }
    while (a->has_last && a->replacement < a->meter->n_replacements &&
           a->meter->replacements[a->replacement].ts <= a->last_ts)
        a->replacement++;
    return err;
}

/* From the last number to this one, over replacements between them. */
static void growth_step(weir_aggregate *a, weir_growth *g, const weir_value *to, int64_t ts)
{
    const weir_meter *m = a->meter;
    for (; a->replacement < m->n_replacements && m->replacements[a->replacement].ts <= ts;
         a->replacement++) {
        if (a->has_last)
            weir_growth_add(g, &m->replacements[a->replacement].final, &a->last);
        a->last = m->replacements[a->replacement].first;
    }
    if (a->has_last)
        meter_step(m, g, &a->last, to);
    a->has_last = true;
    a->last = *to;
    a->last_ts = ts;
}

/* summary: of the stretch. */
static void stretch_grow(weir_aggregate *a, weir_growth *g, const weir_stretch *stretch,
                         const weir_summary *summary)
{
    if (summary->numbers == 0)
        return;
    if (summary->falls == 0 || !a->meter->counter) {
        growth_step(a, g, &summary->first, summary->first_ts.us);
        growth_step(a, g, &summary->last, summary->last_ts.us);
        return;
    }
    for (size_t i = 0; i < stretch->n; i++) {
        const weir_sample *s = &stretch->samples[i];
        double number;
        if (weir_summary_number(s, &number))
            growth_step(a, g, &s->value, s->ts.us);
    }
}

/* Where a stretch must end: with the bucket, and before the next replacement. */
static int64_t stretch_until(const weir_aggregate *a, int64_t ts, int64_t last)
{
    const weir_meter *m = a->meter;
    for (size_t i = a->replacement; i < m->n_replacements; i++)
        if (m->replacements[i].ts > ts)
            return m->replacements[i].ts - 1 < last ? m->replacements[i].ts - 1 : last;
    return last;
}

static weir_err bucket_fill(weir_aggregate *a, weir_bucket *b, int64_t last, weir_error *error)
{
    int64_t ts;
    bool any;
    for (;;) {
        weir_stretch stretch;
        weir_summary summary = {0};
        weir_err err = weir_tag_series_peek(a->series, &ts, &any, error);
        if (err != WEIR_OK || !any || ts > last)
            return err;
        err = weir_tag_series_next_stretch(a->series, stretch_until(a, ts, last),
                                           !a->meter->counter, &stretch, &any, error);
        if (err != WEIR_OK || !any)
            return err;
        if (stretch.summary)
            summary = *stretch.summary;
        weir_summary_add_all(&summary, stretch.samples, stretch.n);
        stretch_grow(a, &b->delta, &stretch, &summary);
        weir_summary_join(&b->summary, &summary);
    }
}

weir_err weir_aggregate_next(weir_aggregate *aggregate, weir_bucket *ret, bool *ret_any,
                             weir_error *error)
{
    weir_bucket bucket = {0};
    int64_t ts, last;
    weir_err err = weir_tag_series_peek(aggregate->series, &ts, ret_any, error);
    if (err == WEIR_OK && *ret_any && !aggregate->looked_back)
        err = look_back(aggregate, error);
    if (err != WEIR_OK || !*ret_any)
        return err;
    aggregate->wish.rule.bounds(aggregate->wish.rule.data, ts, &bucket.ts, &last);
    err = bucket_fill(aggregate, &bucket, last > ts ? last : ts, error);
    if (err == WEIR_OK)
        *ret = bucket;
    return err;
}
