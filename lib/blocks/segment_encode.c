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
#include "base/number.h"

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
        while (j < series->n && s[j].ts.us <= last_ts)
            j++;
        weir_summary_add_all(&slice.summary, &s[i], j - i);
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
        v[i] = refs[i].index | (int64_t)refs[i].mark << 16;
    weir_segment_column_put(e, v, n, &e->starts);
    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)((uint64_t)refs[i].due.us - (uint64_t)s[i].ts.us);
    weir_segment_column_put(e, v, n, &e->starts);
    return true;
}

/* --- the whole ---------------------------------------------------------------------------- */

static weir_err body_write(weir_segment_encoder *e, const weir_series *series,
                           const uint32_t counts[WEIR_KIND_COUNT], weir_effort effort,
                           struct key_form *form, weir_segment_head *head)
{
    size_t raw = 0;
    e->body.n = 0;
    weir_ints_out_clear(&e->out);
    e->writer.zstd = effort == WEIR_EFFORT_SMALL ? e->packer.trial : NULL;
    if (!times_put(e, series) || !properties_put(e, series) ||
        !weir_segment_values_put(e, series, counts, form) ||
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
