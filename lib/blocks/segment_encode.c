/* SPDX-License-Identifier: MIT */
/* The segment encoder: samples of one tag to columns, compressed. */

/*
 * The samples are cut into slices and summed up; then each property becomes a column of integers:
 * times, qualities, kinds, three that say in which reply a sample came, and the values of each
 * kind. A column knows how to be small when there is little to say, so most take a few bytes.
 * Whatever fails leaves the encoder ready for the next segment.
 */

#include "blocks/segment_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/crc.h"
#include "blocks/number_key.h"

/* Slices are as short as leaves so many samples in one, and days are made of fewer too. */
enum { SLICE_SAMPLES = 300, SLICE_SAMPLES_OF_DAY = 90 };

weir_segment_encoder *weir_segment_encoder_new(void)
{
    weir_segment_encoder *e = weir_alloc_zero(1, sizeof *e);
    if (e && !weir_body_packer_init(&e->packer)) {
        weir_segment_encoder_free(e);
        return NULL;
    }
    return e;
}

void weir_segment_encoder_free(weir_segment_encoder *e)
{
    if (!e)
        return;
    weir_body_packer_deinit(&e->packer);
    weir_ints_writer_deinit(&e->writer);
    weir_ints_out_deinit(&e->out);
    weir_column *columns[] = {&e->head, &e->marks,   &e->body,  &e->starts, &e->summaries,
                              &e->keys, &e->indices, &e->texts, &e->bytes,  &e->values};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        weir_free(columns[i]->at);
    weir_free(e);
}

/* --- slices ------------------------------------------------------------------------------- */

/* ret_counts: how many values there are of each kind. */
static weir_err series_check(const weir_series *series, uint32_t ret_counts[WEIR_KIND_COUNT],
                             weir_error *error)
{
    size_t bytes = 0;
    if (series->n == 0)
        return weir_fail(error, WEIR_EINVAL, "an empty segment");
    if (series->n > WEIR_SEGMENT_COUNT_MAX)
        return weir_fail(error, WEIR_ELIMIT, "a segment of %zu samples: at most %d fit", series->n,
                         WEIR_SEGMENT_COUNT_MAX);
    for (size_t i = 0; i < series->n; i++) {
        const weir_sample *s = &series->samples[i];
        if (i > 0 && s->ts.us <= s[-1].ts.us)
            return weir_fail(error, WEIR_EINVAL, "samples of a segment that do not ascend");
        if (s->value.kind >= WEIR_KIND_COUNT)
            return weir_fail(error, WEIR_EINVAL, "a value of unknown kind %u", s->value.kind);
        ret_counts[s->value.kind]++;
        if (s->value.kind < WEIR_KIND_STRING)
            continue;
        if (s->value.length > WEIR_VALUE_LENGTH_MAX)
            return weir_fail(error, WEIR_EINVAL, "a value of %u bytes: at most %d are allowed",
                             s->value.length, WEIR_VALUE_LENGTH_MAX);
        bytes += s->value.length;
    }
    if (bytes > WEIR_SEGMENT_BYTES_MAX)
        return weir_fail(error, WEIR_ELIMIT, "a segment with %zu bytes of text: at most %d fit",
                         bytes, WEIR_SEGMENT_BYTES_MAX);
    return WEIR_OK;
}

/* How slices are cut; 0: not. */
static uint8_t slice_length_for(const weir_series *series)
{
    int64_t first = series->samples[0].ts.us, last = series->samples[series->n - 1].ts.us;
    for (uint8_t i = 1; i < SLICE_LENGTH_COUNT; i++) {
        double slices = (double)(slice_number(last, slice_lengths[i]) -
                                 slice_number(first, slice_lengths[i]) + 1);
        size_t want = i + 1 < SLICE_LENGTH_COUNT ? SLICE_SAMPLES : SLICE_SAMPLES_OF_DAY;
        if ((double)series->n >= slices * (double)want)
            return i;
    }
    return 0;
}

/* Fills starts and summaries. */
static bool slices_cut(weir_segment_encoder *e, const weir_series *series, weir_segment_head *head)
{
    const weir_sample *s = series->samples;
    e->starts.n = e->summaries.n = 0;
    for (size_t i = 0; i < series->n;) {
        size_t j = i;
        int64_t number = head->slice_us ? slice_number(s[i].ts.us, head->slice_us) : 0;
        int64_t last_ts = INT64_MAX;
        if (head->slice_us && number < INT64_MAX / head->slice_us)
            last_ts = (number + 1) * head->slice_us - 1;
        if (!weir_column_reserve(&e->starts, 1, sizeof(uint32_t)) ||
            !weir_column_reserve(&e->summaries, 1, sizeof(weir_slice)))
            return false;
        weir_slice slice = {.first = (uint32_t)i, .min_ts = s[i].ts};
        for (; j < series->n && s[j].ts.us <= last_ts; j++)
            weir_summary_add(&slice.summary, &s[j]);
        slice.count = (uint32_t)(j - i);
        slice.max_ts = s[j - 1].ts;
        weir_summary_join(&head->summary, &slice.summary);
        ((uint32_t *)e->starts.at)[e->starts.n++] = (uint32_t)i;
        ((weir_slice *)e->summaries.at)[e->summaries.n++] = slice;
        i = j;
    }
    head->n_slices = (uint32_t)e->starts.n;
    return true;
}

/* --- times -------------------------------------------------------------------------------- */

/* Runs of equal steps. With a step given, a run goes on while times are nearer to it than to what
 * comes before or after, and their deviations make a column. */
struct time_runs {
    const weir_sample *s;
    size_t n;
    uint64_t step; /* 0: each run's own, exactly */
};

/* The run that starts at `from`: its step and length. With a step, ret_start is on the grid that
 * ran up to `expected`. */
static size_t time_run(const struct time_runs *t, size_t from, uint64_t expected,
                       uint64_t *ret_start, uint64_t *ret_step)
{
    size_t i = from + 1;
    uint64_t ts = (uint64_t)t->s[from].ts.us, step = t->step;
    if (step == 0) {
        if (i < t->n)
            step = (uint64_t)t->s[i].ts.us - ts;
        for (uint64_t at = ts + step; i < t->n && (uint64_t)t->s[i].ts.us == at; at += step)
            i++;
    } else {
        if (from > 0)
            ts = expected + (ts - expected + step / 2) / step * step;
        for (uint64_t at = ts + step; i < t->n; at += step, i++)
            if ((uint64_t)t->s[i].ts.us - at + step / 2 >= step)
                break;
    }
    *ret_start = ts;
    *ret_step = step;
    return i - from;
}

/* Counts the runs up to max + 1; to: writes them, and the deviations of a grid. */
static size_t time_runs_walk(const struct time_runs *t, size_t max, weir_column *to,
                             int64_t *deviations)
{
    size_t n = 0;
    uint64_t expected = (uint64_t)t->s[0].ts.us, step_before = 0;
    for (size_t i = 0; i < t->n && n <= max; n++) {
        uint64_t start, step;
        size_t length = time_run(t, i, expected, &start, &step);
        if (to) {
            weir_column_put_varint(to, length - 1);
            weir_column_put_delta(to, start, expected);
            weir_column_put_delta(to, step, step_before);
        }
        for (size_t k = 0; deviations && k < length; k++)
            deviations[i + k] = (int64_t)((uint64_t)t->s[i + k].ts.us - (start + k * step));
        expected = start + length * step;
        step_before = step;
        i += length;
    }
    return n;
}

static int u64_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The middle one of some steps. */
static uint64_t step_median(const weir_series *series)
{
    enum { FEW = 63 };
    uint64_t few[FEW];
    for (size_t i = 0; i < FEW; i++) {
        size_t at = 1 + (series->n - 1) * i / FEW;
        few[i] = (uint64_t)series->samples[at].ts.us - (uint64_t)series->samples[at - 1].ts.us;
    }
    qsort(few, FEW, sizeof *few, u64_compare);
    return few[FEW / 2];
}

/* The step of the grid that times waver around: the mean of the steps that are no gaps, and of what
 * is as near to it as the wavering allows the roundest number: people choose those. */
static uint64_t step_guess(const weir_series *series)
{
    const uint64_t median = step_median(series);
    uint64_t sum = 0, n = 0, spread = 0;
    for (size_t i = 1; i < series->n; i++) {
        uint64_t step = (uint64_t)series->samples[i].ts.us - (uint64_t)series->samples[i - 1].ts.us;
        uint64_t off = step > median ? step - median : median - step;
        if (off > median / 2)
            continue;
        sum += step - median;
        n++;
        spread = off > spread ? off : spread;
    }
    int64_t correction = n ? (int64_t)sum / (int64_t)n : 0;
    uint64_t mean = median + (uint64_t)correction, near = n ? 2 * spread / n + 1 : 0;
    for (unsigned digits = 15; digits > 0; digits--) {
        uint64_t unit = weir_pow10_u64(digits), rounded = (mean + unit / 2) / unit * unit;
        if (rounded > 0 && (rounded > mean ? rounded - mean : mean - rounded) <= near)
            return rounded;
    }
    return mean;
}

static bool times_put(weir_segment_encoder *e, const weir_series *series)
{
    struct time_runs t = {series->samples, series->n, 0};
    size_t n_runs = time_runs_walk(&t, 4 + t.n / 128, NULL, NULL);
    bool exact = n_runs <= 4 + t.n / 128;
    if (!exact) {
        t.step = step_guess(series);
        n_runs = time_runs_walk(&t, 4 + t.n / 32, NULL, NULL);
        if (n_runs > 4 + t.n / 32) { /* no grid: all are deviations from the first */
            n_runs = 1;
            t.step = 0;
        }
    }
    e->bytes.n = e->values.n = 0;
    if (!weir_column_reserve(&e->bytes, n_runs * 3 * WEIR_VARINT_MAX, 1) ||
        !weir_column_reserve(&e->values, t.n, sizeof(int64_t)))
        return false;
    int64_t *deviations = e->values.at;
    if (exact || t.step) {
        (void)time_runs_walk(&t, t.n, &e->bytes, exact ? NULL : deviations);
    } else {
        weir_column_put_varint(&e->bytes, t.n - 1);
        weir_column_put_varint(&e->bytes, 0);
        weir_column_put_varint(&e->bytes, 0);
        for (size_t i = 0; i < t.n; i++)
            deviations[i] = (int64_t)((uint64_t)t.s[i].ts.us - (uint64_t)t.s[0].ts.us);
    }
    weir_ints_put_varint(&e->out, n_runs);
    weir_ints_put_bytes(&e->out, e->bytes.at, e->bytes.n);
    weir_ints_put_varint(&e->out, !exact);
    if (!exact)
        weir_segment_column_put(e, deviations, t.n, &e->starts);
    return true;
}

/* --- what comes with a sample -------------------------------------------------------------- */

void weir_segment_column_put(weir_segment_encoder *e, const int64_t *values, size_t n,
                             const weir_column *starts)
{
    weir_ints_write(&e->writer, &e->out, values, n, starts->at, starts->n);
}

static bool properties_put(weir_segment_encoder *e, const weir_series *series)
{
    size_t n = series->n;
    const weir_sample *s = series->samples;
    const weir_reply_ref *refs = series->refs;
    e->values.n = 0;
    if (!weir_column_reserve(&e->values, n, sizeof(int64_t)))
        return false;
    int64_t *v = e->values.at;
    for (size_t i = 0; i < n; i++)
        v[i] = s[i].quality;
    weir_segment_column_put(e, v, n, &e->starts);
    for (size_t i = 0; i < n; i++)
        v[i] = s[i].value.kind << 8 |
               (s[i].value.kind == WEIR_KIND_DECIMAL ? (uint8_t)s[i].value.exponent : 0);
    weir_segment_column_put(e, v, n, &e->starts);
    for (size_t i = 0; i < n; i++)
        v[i] = refs[i].reply;
    weir_segment_column_put(e, v, n, &e->starts);
    for (size_t i = 0; i < n; i++)
        v[i] = refs[i].index;
    weir_segment_column_put(e, v, n, &e->starts);
    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)((uint64_t)refs[i].due.us - (uint64_t)s[i].ts.us);
    weir_segment_column_put(e, v, n, &e->starts);
    return true;
}

/* --- values ------------------------------------------------------------------------------- */

/* The starts of slices among the values of one kind, to indices. */
static bool kind_starts(weir_segment_encoder *e, const weir_series *series, uint8_t kind)
{
    const uint32_t *starts = e->starts.at;
    uint32_t n = 0;
    e->indices.n = 0;
    if (!weir_column_reserve(&e->indices, e->starts.n, sizeof(uint32_t)))
        return false;
    for (size_t k = 0, i = 0; k < e->starts.n; k++) {
        size_t end = k + 1 < e->starts.n ? starts[k + 1] : series->n;
        ((uint32_t *)e->indices.at)[e->indices.n++] = n;
        for (; i < end; i++)
            n += series->samples[i].value.kind == kind;
    }
    return true;
}

/* The least power of ten by which nearly all values are integers, which go to keys; SCALE_NONE:
 * none. A scale that is too small fails early. A value without a key repeats the one before it. */
static uint8_t scale_find(const int64_t *bits, size_t n, uint8_t kind, int64_t *keys,
                          size_t *ret_odd)
{
    const uint8_t max = kind == WEIR_KIND_F32 ? SCALE_MAX_F32 : SCALE_MAX_F64;
    const size_t odd_max = 2 + n / 32;
    for (uint8_t scale = 0; scale <= max; scale++) {
        double power = weir_pow10_double(scale);
        size_t odd = 0;
        int64_t key = 0;
        for (size_t i = 0; i < n && odd <= odd_max; i++) {
            odd += !scaled_key(kind, (uint64_t)bits[i], power, &key);
            keys[i] = key;
        }
        if (odd <= odd_max) {
            *ret_odd = odd;
            return scale;
        }
    }
    return SCALE_NONE;
}

/* Values without a key to bytes: their number, their bits. */
static bool odd_gather(weir_segment_encoder *e, const int64_t *bits, const int64_t *keys, size_t n,
                       uint8_t kind, uint8_t scale)
{
    e->bytes.n = 0;
    for (size_t i = 0, last = 0; i < n; i++) {
        if (key_bits(kind, scale, keys[i]) == (uint64_t)bits[i])
            continue;
        if (!weir_column_reserve(&e->bytes, WEIR_VARINT_MAX + 8, 1))
            return false;
        weir_column_put_varint(&e->bytes, i - last);
        weir_column_put_be(&e->bytes, (uint64_t)bits[i], 8);
        last = i;
    }
    return true;
}

static void keys_from_bits(const int64_t *bits, size_t n, uint8_t kind, int64_t *keys)
{
    for (size_t i = 0; i < n; i++)
        (void)bits_key(kind, SCALE_NONE, (uint64_t)bits[i], &keys[i]);
}

/* Makes keys of bits. Of a float column digits are better than bits unless they are many: then
 * both are tried. */
static uint8_t keys_make(weir_segment_encoder *e, const int64_t *bits, size_t n, uint8_t kind,
                         size_t *ret_odd)
{
    enum { FEW_DIGITS = 3, ODD_BITS = 80 };
    const bool is_float = kind == WEIR_KIND_F32 || kind == WEIR_KIND_F64;
    int64_t *keys = e->keys.at;
    uint8_t scale = is_float ? scale_find(bits, n, kind, keys, ret_odd) : SCALE_NONE;
    if (scale <= FEW_DIGITS)
        return scale;
    double by_digits = INFINITY;
    if (scale != SCALE_NONE)
        by_digits = weir_ints_estimate(&e->writer, keys, n) + ODD_BITS * (double)*ret_odd;
    keys_from_bits(bits, n, kind, keys);
    if (scale == SCALE_NONE || weir_ints_estimate(&e->writer, keys, n) < by_digits) {
        *ret_odd = 0;
        return SCALE_NONE;
    }
    return scale_find(bits, n, kind, keys, ret_odd);
}

/* Numbers of one kind; their keys stay in e->keys. */
static bool numbers_put(weir_segment_encoder *e, const weir_series *series, uint8_t kind, size_t n,
                        uint8_t *ret_scale, size_t *ret_odd)
{
    e->values.n = e->keys.n = 0;
    if (!weir_column_reserve(&e->values, n, sizeof(int64_t)) ||
        !weir_column_reserve(&e->keys, series->n, sizeof(int64_t)))
        return false;
    int64_t *bits = e->values.at;
    for (size_t i = 0, k = 0; i < series->n; i++)
        if (series->samples[i].value.kind == kind)
            bits[k++] = (int64_t)value_bits(&series->samples[i].value);
    *ret_odd = 0;
    uint8_t scale = *ret_scale = keys_make(e, bits, n, kind, ret_odd);
    if (kind == WEIR_KIND_F32 || kind == WEIR_KIND_F64) {
        weir_ints_put_varint(&e->out, scale);
        weir_ints_put_varint(&e->out, *ret_odd);
        if (*ret_odd && !odd_gather(e, bits, e->keys.at, n, kind, scale))
            return false;
        if (*ret_odd)
            weir_ints_put_bytes(&e->out, e->bytes.at, e->bytes.n);
    }
    weir_segment_column_put(e, e->keys.at, n, &e->indices);
    return true;
}

static uint32_t text_hash(const weir_value *v)
{
    uint32_t h = 0x811c9dc5; /* FNV-1a */
    for (size_t i = 0; i < v->length; i++)
        h = (h ^ v->as.bytes[i]) * 0x01000193;
    return h ^ h >> 15;
}

/* The dictionary: entries in the order of their first use; open addressing. */
enum { DICTIONARY_MAX = 1024, DICTIONARY_SLOTS = 4 * DICTIONARY_MAX };

struct dictionary {
    uint16_t slots[DICTIONARY_SLOTS]; /* entry + 1 */
    uint32_t entries[DICTIONARY_MAX]; /* sample */
    size_t n;
};

/* The entry of a sample's text; false when there are too many. */
static bool dictionary_entry(struct dictionary *d, const weir_series *series, size_t i,
                             int64_t *ret)
{
    const weir_value *v = &series->samples[i].value;
    size_t at = text_hash(v) % DICTIONARY_SLOTS;
    for (; d->slots[at]; at = (at + 1) % DICTIONARY_SLOTS)
        if (weir_value_identical(v, &series->samples[d->entries[d->slots[at] - 1]].value)) {
            *ret = d->slots[at] - 1;
            return true;
        }
    if (d->n == DICTIONARY_MAX)
        return false;
    d->entries[d->n] = (uint32_t)i;
    *ret = (int64_t)d->n;
    d->slots[at] = (uint16_t)++d->n;
    return true;
}

/* Lengths of these samples' texts, or of all of the kind, as bytes; and their contents. */
static bool contents_gather(weir_segment_encoder *e, const weir_series *series, uint8_t kind,
                            const struct dictionary *d)
{
    size_t n = d ? d->n : series->n;
    e->bytes.n = e->texts.n = 0;
    for (size_t i = 0; i < n; i++) {
        const weir_value *v = &series->samples[d ? d->entries[i] : i].value;
        if (v->kind != kind)
            continue;
        if (!weir_column_reserve(&e->texts, WEIR_VARINT_MAX, 1) ||
            !weir_column_reserve(&e->bytes, v->length, 1))
            return false;
        weir_column_put_varint(&e->texts, v->length);
        weir_column_put_bytes(&e->bytes, v->as.bytes, v->length);
    }
    return true;
}

/* Few different texts: a dictionary and a column of its entries. Many: all of them. */
static bool texts_put(weir_segment_encoder *e, const weir_series *series, uint8_t kind, size_t n)
{
    WEIR_CLEANUP(weir_free) void *memory = weir_alloc_zero(1, sizeof(struct dictionary));
    struct dictionary *d = memory;
    e->values.n = 0;
    if (!d || !weir_column_reserve(&e->values, n, sizeof(int64_t)))
        return false;
    int64_t *v = e->values.at;
    bool few = true;
    for (size_t i = 0, k = 0; few && i < series->n; i++)
        if (series->samples[i].value.kind == kind)
            few = dictionary_entry(d, series, i, &v[k++]);
    if (few && d->n > 1 + n / 2)
        few = false;
    if (!contents_gather(e, series, kind, few ? d : NULL))
        return false;
    weir_ints_put_varint(&e->out, few ? d->n : 0);
    weir_ints_put_bytes(&e->out, e->texts.at, e->texts.n);
    weir_ints_put_bytes(&e->out, e->bytes.at, e->bytes.n);
    if (few)
        weir_segment_column_put(e, v, n, &e->indices);
    return true;
}

/* --- the whole ---------------------------------------------------------------------------- */

/* A key for each sample, 0 when it is no number. They make small marks, when all numbers have one
 * kind, exponent and key; else there is no form. */
static bool form_find(weir_segment_encoder *e, const weir_series *series, struct key_form *form)
{
    e->keys.n = 0;
    if (!weir_column_reserve(&e->keys, series->n, sizeof(int64_t)))
        return false;
    int64_t *keys = e->keys.at;
    bool first = true;
    for (size_t i = 0; i < series->n; i++) {
        double x;
        const weir_sample *s = &series->samples[i];
        keys[i] = 0;
        if (!weir_summary_number(s, &x))
            continue;
        int8_t exponent = s->value.kind == WEIR_KIND_DECIMAL ? s->value.exponent : 0;
        if (first)
            form->exponent = exponent;
        first = false;
        if (exponent != form->exponent ||
            !bits_key(form->kind, form->scale, value_bits(&s->value), &keys[i])) {
            form->kind = WEIR_KIND_NULL;
            return true;
        }
    }
    return true;
}

static bool values_put(weir_segment_encoder *e, const weir_series *series,
                       const uint32_t counts[WEIR_KIND_COUNT], struct key_form *form)
{
    size_t odd = 0;
    unsigned n_kinds = 0;
    for (uint8_t kind = WEIR_KIND_BOOL; kind < WEIR_KIND_COUNT; kind++) {
        if (counts[kind] == 0)
            continue;
        if (!kind_starts(e, series, kind))
            return false;
        if (kind >= WEIR_KIND_STRING) {
            if (!texts_put(e, series, kind, counts[kind]))
                return false;
            continue;
        }
        n_kinds++;
        form->kind = kind;
        if (!numbers_put(e, series, kind, counts[kind], &form->scale, &odd))
            return false;
    }
    if (n_kinds != 1) {
        form->kind = WEIR_KIND_NULL;
        return true;
    }
    /* The usual case: the keys of the column are those of the samples. */
    if (counts[form->kind] == series->n && odd == 0 && form->kind != WEIR_KIND_DECIMAL)
        return true;
    return form_find(e, series, form);
}

static weir_err body_write(weir_segment_encoder *e, const weir_series *series,
                           const uint32_t counts[WEIR_KIND_COUNT], weir_effort effort,
                           struct key_form *form, weir_segment_head *head)
{
    size_t raw = 0;
    e->body.n = 0;
    weir_ints_out_clear(&e->out);
    e->writer.zstd = effort == WEIR_EFFORT_SMALL ? e->packer.trial : NULL;
    if (!times_put(e, series) || !properties_put(e, series) ||
        !values_put(e, series, counts, form) ||
        weir_body_pack(&e->packer, &e->out, effort, &e->body, &raw) != WEIR_OK)
        return WEIR_ENOMEM;
    head->body_raw = (uint32_t)raw;
    head->body_size = (uint32_t)e->body.n;
    head->body_crc = weir_crc32c(0, e->body.at, e->body.n);
    return WEIR_OK;
}

weir_err weir_segment_encode(weir_segment_encoder *e, const weir_series *series, weir_effort effort,
                             weir_segment_bytes *ret, weir_error *error)
{
    uint32_t counts[WEIR_KIND_COUNT] = {0};
    weir_err err = series_check(series, counts, error);
    if (err != WEIR_OK)
        return err;
    weir_segment_head head = {
        .count = (uint32_t)series->n,
        .min_ts = series->samples[0].ts,
        .max_ts = series->samples[series->n - 1].ts,
        .slice_us = slice_lengths[slice_length_for(series)],
    };
    struct key_form form = {.kind = WEIR_KIND_NULL};
    if (!slices_cut(e, series, &head) ||
        body_write(e, series, counts, effort, &form, &head) != WEIR_OK ||
        weir_segment_marks_write(e, effort, series, form, &head) != WEIR_OK ||
        !weir_segment_head_write(e, &head))
        return weir_fail(error, WEIR_ENOMEM, "no memory to encode a segment");
    *ret =
        (weir_segment_bytes){e->head.at, e->marks.at, e->body.at, e->head.n, e->marks.n, e->body.n};
    return WEIR_OK;
}
