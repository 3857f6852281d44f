/* SPDX-License-Identifier: MIT */
/* The marks of a segment: its slices and their summaries, as columns. */

#include "blocks/segment_priv.h"

#include "base/alloc.h"
#include "base/crc.h"
#include "blocks/number_key.h"

/* What is said of each slice, in the order of the columns. */
enum {
    MARK_NUMBER,    /* the multiple of slice_us it starts at */
    MARK_COUNT,     /* samples */
    MARK_MIN_TS,    /* after its start */
    MARK_MAX_TS,    /* before its end */
    MARK_NOT_GOOD,  /* of count */
    MARK_BAD,       /* of count */
    MARK_NO_NUMBER, /* of count */
    MARK_ALL,       /* the columns below have but the slices with numbers */
    MARK_FALLS = MARK_ALL,
    MARK_FIRST_TS, /* after min_ts */
    MARK_LAST_TS,  /* before max_ts */
    /* Uniform: by keys. */
    MARK_LAST,
    MARK_FIRST, /* less last of the slice before, in the first slice its own */
    MARK_LOW,   /* the lower of first and last, less min */
    MARK_HIGH,  /* max less the higher of first and last */
    MARK_TOTAL, /* sum of keys, less numbers times first */
    MARK_SUM,   /* less the sum that the keys give */
    MARK_UNIFORM_COUNT,
    /* General: by kind and bits. */
    MARK_LAST_KIND = MARK_LAST,
    MARK_FIRST_KIND,
    MARK_LAST_BITS,
    MARK_FIRST_BITS,
    MARK_MIN,
    MARK_MAX,
    MARK_SUM_BITS,
    MARK_GENERAL_COUNT,
};

/* Numbers of one slice, column by column. */
typedef struct marks {
    uint64_t of[MARK_GENERAL_COUNT];
} marks;

static void mark_common(const weir_segment_head *head, const weir_slice *s, marks *m)
{
    const weir_summary *t = &s->summary;
    int64_t number = slice_number(s->min_ts.us, head->slice_us);
    uint64_t start = (uint64_t)number * (uint64_t)head->slice_us;
    m->of[MARK_NUMBER] = (uint64_t)number;
    m->of[MARK_COUNT] = s->count;
    m->of[MARK_MIN_TS] = (uint64_t)s->min_ts.us - start;
    m->of[MARK_MAX_TS] = start + (uint64_t)head->slice_us - 1 - (uint64_t)s->max_ts.us;
    m->of[MARK_NOT_GOOD] = t->count - t->good;
    m->of[MARK_BAD] = t->bad;
    m->of[MARK_NO_NUMBER] = t->count - t->numbers;
    m->of[MARK_FALLS] = t->falls;
    m->of[MARK_FIRST_TS] = (uint64_t)t->first_ts.us - (uint64_t)s->min_ts.us;
    m->of[MARK_LAST_TS] = (uint64_t)s->max_ts.us - (uint64_t)t->last_ts.us;
}

/* --- uniform ------------------------------------------------------------------------------ */

/* The sum of numbers whose keys have this sum, but for rounding; exactly the same everywhere. */
static double total_number(struct key_form form, uint64_t total)
{
    double x = (double)(int64_t)total;
    if (form.scale != SCALE_NONE)
        return x / weir_pow10_double(form.scale);
    if (form.kind == WEIR_KIND_DECIMAL) {
        weir_value v = weir_value_decimal((int64_t)total, form.exponent);
        (void)weir_value_number(&v, &x);
    }
    return x;
}

static weir_value key_value(struct key_form form, int64_t key)
{
    return value_of_bits(form.kind, form.exponent, key_bits(form.kind, form.scale, key));
}

static double key_number(struct key_form form, int64_t key)
{
    double x = 0;
    weir_value v = key_value(form, key);
    (void)weir_value_number(&v, &x);
    return x;
}

/* The sums' bits end in zeros where the values have fewer digits than a double. */
static uint64_t sum_part(double sum, unsigned zeros)
{
    return f64_bits(sum) >> zeros;
}

static void mark_uniform(const weir_slice *s, const weir_sample *samples, const int64_t *keys,
                         struct key_form form, unsigned zeros, int64_t *last_before, marks *m)
{
    int64_t first = 0, last = 0, min = INT64_MAX, max = INT64_MIN;
    uint64_t total = 0;
    bool any = false;
    for (size_t i = 0; i < s->count; i++) {
        double x;
        if (!weir_summary_number(&samples[i], &x))
            continue;
        first = any ? first : keys[i];
        any = true;
        last = keys[i];
        min = keys[i] < min ? keys[i] : min;
        max = keys[i] > max ? keys[i] : max;
        total += (uint64_t)keys[i];
    }
    m->of[MARK_LAST] = (uint64_t)last;
    m->of[MARK_FIRST] = (uint64_t)first - (uint64_t)(last_before ? *last_before : last);
    m->of[MARK_LOW] = (uint64_t)(first < last ? first : last) - (uint64_t)min;
    m->of[MARK_HIGH] = (uint64_t)max - (uint64_t)(first > last ? first : last);
    m->of[MARK_TOTAL] = total - s->summary.numbers * (uint64_t)first;
    m->of[MARK_SUM] = sum_part(s->summary.sum, zeros) - sum_part(total_number(form, total), zeros);
}

static void uniform_read(const marks *m, struct key_form form, unsigned zeros,
                         const int64_t *last_before, weir_summary *t)
{
    int64_t last = (int64_t)m->of[MARK_LAST];
    int64_t first = (int64_t)(m->of[MARK_FIRST] + (uint64_t)(last_before ? *last_before : last));
    uint64_t total = m->of[MARK_TOTAL] + t->numbers * (uint64_t)first;
    t->last = key_value(form, last);
    t->first = key_value(form, first);
    t->min = key_number(form, (int64_t)((uint64_t)(first < last ? first : last) - m->of[MARK_LOW]));
    t->max =
        key_number(form, (int64_t)((uint64_t)(first > last ? first : last) + m->of[MARK_HIGH]));
    uint64_t sum = (m->of[MARK_SUM] + sum_part(total_number(form, total), zeros)) << zeros;
    t->sum = f64_of(sum);
}

/* --- general ------------------------------------------------------------------------------ */

static uint64_t value_kind(const weir_value *v)
{
    return (uint64_t)v->kind << 8 | (v->kind == WEIR_KIND_DECIMAL ? (uint8_t)v->exponent : 0);
}

static void mark_general(const weir_summary *t, marks *m)
{
    m->of[MARK_LAST_KIND] = value_kind(&t->last);
    m->of[MARK_FIRST_KIND] = value_kind(&t->first);
    m->of[MARK_LAST_BITS] = value_bits(&t->last);
    m->of[MARK_FIRST_BITS] = value_bits(&t->first);
    m->of[MARK_MIN] = (uint64_t)float_key(f64_bits(t->min), 64);
    m->of[MARK_MAX] = (uint64_t)float_key(f64_bits(t->max), 64);
    m->of[MARK_SUM_BITS] = (uint64_t)float_key(f64_bits(t->sum), 64);
}

static bool value_read(uint64_t kind, uint64_t bits, weir_value *ret)
{
    uint8_t code = (uint8_t)(kind >> 8);
    if (kind > UINT16_MAX || code == WEIR_KIND_NULL || code >= WEIR_KIND_STRING)
        return false;
    *ret = value_of_bits(code, (int8_t)(uint8_t)kind, code == WEIR_KIND_BOOL ? bits & 1 : bits);
    return true;
}

static bool general_read(const marks *m, weir_summary *t)
{
    t->min = f64_of(float_bits((int64_t)m->of[MARK_MIN], 64));
    t->max = f64_of(float_bits((int64_t)m->of[MARK_MAX], 64));
    t->sum = f64_of(float_bits((int64_t)m->of[MARK_SUM_BITS], 64));
    return value_read(m->of[MARK_LAST_KIND], m->of[MARK_LAST_BITS], &t->last) &&
           value_read(m->of[MARK_FIRST_KIND], m->of[MARK_FIRST_BITS], &t->first);
}

/* --- writing ------------------------------------------------------------------------------ */

static void column_put(weir_segment_encoder *e, const marks *all, const size_t *which, size_t n,
                       unsigned column)
{
    static const uint32_t start = 0;
    int64_t *v = e->values.at;
    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)all[which ? which[i] : i].of[column];
    weir_ints_write(&e->writer, &e->out, v, n, &start, 1);
}

static unsigned sums_zeros(const weir_slice *slices, size_t n)
{
    uint64_t all = 1ull << 52; /* more is a sign or an exponent: no use */
    for (size_t i = 0; i < n; i++)
        if (slices[i].summary.numbers)
            all |= f64_bits(slices[i].summary.sum);
    return (unsigned)__builtin_ctzll(all);
}

static bool columns_put(weir_segment_encoder *e, const weir_series *series, struct key_form form,
                        const weir_segment_head *head, marks *all, size_t *with)
{
    const weir_slice *slices = e->summaries.at;
    const bool uniform = form.kind != WEIR_KIND_NULL;
    const unsigned zeros = sums_zeros(slices, head->n_slices);
    int64_t last = 0;
    size_t n = 0;
    for (size_t i = 0; i < head->n_slices; i++) {
        const weir_slice *s = &slices[i];
        mark_common(head, s, &all[i]);
        if (s->summary.numbers == 0)
            continue;
        if (uniform)
            mark_uniform(s, series->samples + s->first, (int64_t *)e->keys.at + s->first, form,
                         zeros, n ? &last : NULL, &all[i]);
        else
            mark_general(&s->summary, &all[i]);
        last = (int64_t)all[i].of[MARK_LAST];
        with[n++] = i;
    }
    for (unsigned c = 0; c < MARK_ALL; c++)
        column_put(e, all, NULL, head->n_slices, c);
    if (n == 0)
        return true;
    weir_ints_put_varint(&e->out, uniform ? SUMMARY_UNIFORM : SUMMARY_GENERAL);
    if (uniform) {
        weir_ints_put_varint(&e->out, form.kind);
        weir_ints_put_varint(&e->out, (uint8_t)form.exponent);
        weir_ints_put_varint(&e->out, form.scale);
        weir_ints_put_varint(&e->out, zeros);
    }
    for (unsigned c = MARK_ALL; c < (uniform ? MARK_UNIFORM_COUNT : MARK_GENERAL_COUNT); c++)
        column_put(e, all, with, n, c);
    return true;
}

weir_err weir_segment_marks_write(weir_segment_encoder *e, weir_effort effort,
                                  const weir_series *series, struct key_form form,
                                  weir_segment_head *head)
{
    size_t raw = 0;
    e->marks.n = e->values.n = 0;
    if (head->n_slices < 2)
        return WEIR_OK;
    WEIR_CLEANUP(weir_free) void *all = weir_alloc_zero(head->n_slices, sizeof(marks));
    WEIR_CLEANUP(weir_free) void *with = weir_alloc(head->n_slices * sizeof(size_t));
    weir_ints_out_clear(&e->out);
    e->writer.zstd = NULL;
    if (!all || !with || !weir_column_reserve(&e->values, head->n_slices, sizeof(int64_t)) ||
        !columns_put(e, series, form, head, all, with) ||
        weir_body_pack(&e->packer, &e->out, effort, &e->marks, &raw) != WEIR_OK)
        return WEIR_ENOMEM;
    head->marks_raw = (uint32_t)raw;
    head->marks_size = (uint32_t)e->marks.n;
    head->marks_crc = weir_crc32c(0, e->marks.at, e->marks.n);
    return WEIR_OK;
}

/* --- reading ------------------------------------------------------------------------------ */

static weir_ints_result column_get(weir_ints *column, weir_ints_in *in, marks *all,
                                   const size_t *which, size_t n, unsigned c)
{
    static const uint32_t start = 0;
    memset(column, 0, sizeof *column);
    weir_ints_result result = weir_ints_open(column, in, n, &start, 1);
    for (size_t i = 0; result == WEIR_INTS_OK && i < n;) {
        size_t k;
        const int64_t *v = weir_ints_next(column, n - i, &k);
        for (size_t j = 0; j < k; j++, i++)
            all[which ? which[i] : i].of[c] = (uint64_t)v[j];
    }
    weir_ints_deinit(column);
    return result;
}

/* A slice's place and counts, after those before it. */
static bool common_read(const weir_segment_head *head, const marks *m, const weir_slice *before,
                        weir_slice *s)
{
    weir_summary *t = &s->summary;
    int64_t number = (int64_t)m->of[MARK_NUMBER], length = head->slice_us;
    uint64_t start = m->of[MARK_NUMBER] * (uint64_t)length;
    uint64_t from = m->of[MARK_MIN_TS], to = m->of[MARK_MAX_TS], count = m->of[MARK_COUNT];
    s->first = before ? before->first + before->count : 0;
    if (number > slice_number(head->max_ts.us, length) ||
        number < slice_number(head->min_ts.us, length) || from >= (uint64_t)length ||
        to >= (uint64_t)length - from || count == 0 || count > head->count - s->first)
        return false;
    s->min_ts.us = (int64_t)(start + from);
    s->max_ts.us = (int64_t)(start + (uint64_t)length - 1 - to);
    s->count = (uint32_t)count;
    if (before && s->min_ts.us <= before->max_ts.us)
        return false;
    if (m->of[MARK_NOT_GOOD] > count || m->of[MARK_BAD] > m->of[MARK_NOT_GOOD] ||
        m->of[MARK_NO_NUMBER] > count)
        return false;
    t->count = count;
    t->good = count - m->of[MARK_NOT_GOOD];
    t->bad = m->of[MARK_BAD];
    t->numbers = count - m->of[MARK_NO_NUMBER];
    return true;
}

static bool numbers_read(const marks *m, weir_slice *s)
{
    weir_summary *t = &s->summary;
    uint64_t span = (uint64_t)s->max_ts.us - (uint64_t)s->min_ts.us;
    if (m->of[MARK_FIRST_TS] > span || m->of[MARK_LAST_TS] > span - m->of[MARK_FIRST_TS] ||
        m->of[MARK_FALLS] >= t->numbers)
        return false;
    t->first_ts.us = (int64_t)((uint64_t)s->min_ts.us + m->of[MARK_FIRST_TS]);
    t->last_ts.us = (int64_t)((uint64_t)s->max_ts.us - m->of[MARK_LAST_TS]);
    t->falls = m->of[MARK_FALLS];
    return true;
}

static bool form_read(weir_ints_in *in, struct key_form *form, unsigned *zeros)
{
    form->kind = weir_read_u8(&in->meta);
    form->exponent = (int8_t)weir_read_varint(&in->meta);
    form->scale = (uint8_t)weir_read_varint(&in->meta);
    *zeros = weir_read_u8(&in->meta);
    bool is_float = form->kind == WEIR_KIND_F32 || form->kind == WEIR_KIND_F64;
    return !in->meta.failed && form->kind != WEIR_KIND_NULL && form->kind < WEIR_KIND_STRING &&
           (form->scale == SCALE_NONE || (is_float && form->scale <= SCALE_MAX_F64)) &&
           *zeros <= 52;
}

static weir_ints_result summaries_read(const weir_segment_head *head, weir_ints_in *in,
                                       weir_slice *slices, marks *all, size_t *with,
                                       weir_ints *column)
{
    size_t n = 0;
    struct key_form form = {0};
    unsigned zeros = 0;
    for (size_t i = 0; i < head->n_slices; i++)
        if (slices[i].summary.numbers)
            with[n++] = i;
    if (n == 0)
        return WEIR_INTS_OK;
    uint8_t how = weir_read_u8(&in->meta);
    if (how != SUMMARY_GENERAL && (how != SUMMARY_UNIFORM || !form_read(in, &form, &zeros)))
        return WEIR_INTS_DAMAGED;
    const unsigned end = how == SUMMARY_UNIFORM ? MARK_UNIFORM_COUNT : MARK_GENERAL_COUNT;
    for (unsigned c = MARK_ALL; c < end; c++) {
        weir_ints_result result = column_get(column, in, all, with, n, c);
        if (result != WEIR_INTS_OK)
            return result;
    }
    const int64_t *last = NULL;
    for (size_t i = 0; i < n; i++) {
        const marks *m = &all[with[i]];
        weir_slice *s = &slices[with[i]];
        if (!numbers_read(m, s))
            return WEIR_INTS_DAMAGED;
        if (how == SUMMARY_UNIFORM)
            uniform_read(m, form, zeros, last, &s->summary);
        else if (!general_read(m, &s->summary))
            return WEIR_INTS_DAMAGED;
        last = (const int64_t *)&m->of[MARK_LAST];
    }
    return WEIR_INTS_OK;
}

weir_ints_result weir_segment_marks_read(const weir_segment_head *head, weir_ints_in *in,
                                         weir_slice *slices)
{
    const size_t n = head->n_slices;
    WEIR_CLEANUP(weir_free) void *all_memory = weir_alloc_zero(n, sizeof(marks));
    WEIR_CLEANUP(weir_free) void *with = weir_alloc(n * sizeof(size_t));
    WEIR_CLEANUP(weir_free) void *column = weir_alloc(sizeof(weir_ints));
    marks *all = all_memory;
    if (!all || !with || !column)
        return WEIR_INTS_NO_MEMORY;
    for (unsigned c = 0; c < MARK_ALL; c++) {
        weir_ints_result result = column_get(column, in, all, NULL, n, c);
        if (result != WEIR_INTS_OK)
            return result;
    }
    for (size_t i = 0; i < n; i++)
        if (!common_read(head, &all[i], i ? &slices[i - 1] : NULL, &slices[i]))
            return WEIR_INTS_DAMAGED;
    const weir_slice *end = &slices[n - 1];
    if (end->first + end->count != head->count || slices[0].min_ts.us != head->min_ts.us ||
        end->max_ts.us != head->max_ts.us)
        return WEIR_INTS_DAMAGED;
    weir_ints_result result = summaries_read(head, in, slices, all, with, column);
    if (result == WEIR_INTS_OK && (weir_reader_left(&in->meta) || weir_reader_left(&in->data)))
        return WEIR_INTS_DAMAGED;
    return result;
}
