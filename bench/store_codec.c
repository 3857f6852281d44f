/* SPDX-License-Identifier: MIT */
/* Segments against the best public method, on the same series: bytes at rest, and speeds. */

/*
 * The series are those of 100 tags of electricity meters over a day at one second: 20 voltages and
 * 20 currents that wander, 20 powers that step, 5 frequencies, 5 power factors, 15 energy counters
 * with two decimals, 15 pulse counters. The public method is what time-series stores do best with
 * such: times as differences of differences, values as integers scaled by their decimals, as
 * differences; both as variable-length bytes, 8192 samples a block, zstd level 3. It is done here
 * once more, so that both work on the same numbers in the same run.
 *
 * Ends with 1 when a limit is missed.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/random.h"
#include "blocks/column.h"
#include "blocks/segment.h"

enum {
    DAY = 86400, /* samples of a tag */
    TAGS = 100,
    PUBLIC_BLOCK = 8192, /* samples of a block of the public method */
    PAGE = 4096,         /* of the database; blobs of more take whole pages */
    DAYS = 30,           /* of the month that is summed up */
    BOUNDARIES = 1000,   /* slices decoded for it */
};

static const double ratio_max = 1.1, decode_min = 50e6, encode_fast_min = 15e6,
                    encode_small_min = 5e6, month_max_s = 10e-3;

static const int64_t day_start_us = 1700006400000000; /* 2023-11-15 00:00 UTC */

enum class { GAUGE, COUNTER, CLASS_COUNT };

static double normal(weir_random *r)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += weir_random_unit(r);
    return sum - 6;
}

/* Hundredths, or pulses, of one tag. */
static enum class series_make(weir_random *r, int tag, int64_t *v) {
    double x = 0, level = 20 + 60 * weir_random_unit(r), energy = 1e4 * weir_random_unit(r);
    int64_t pulses = (int64_t)(1e6 * weir_random_unit(r)); for (int i = 0; i < DAY; i++){
        if (weir_random_below(r, 120) == 0) level = 20 + 60 * weir_random_unit(r);
        energy += level / 3600; pulses += level / 3600 * 10 > weir_random_unit(r);
        if (tag < 40) /* voltages, currents */
        v[i] = llround(100 * ((tag < 20 ? 230 : 40) + (x = 0.9995 * x + 0.05 * normal(r))));
        else if (tag < 60) /* powers */
        v[i] = llround(100 * level);
        else if (tag < 65) /* frequencies */
        v[i] = llround(100 * (50 + (x = 0.99 * x + 0.003 * normal(r))));
        else if (tag < 70) /* power factors */
        v[i] = llround(100 * (0.95 + (x = 0.99 * x + 0.002 * normal(r))));
        else if (tag < 85) v[i] = llround(100 * energy); else v[i] = pulses;}
return tag < 70 ? GAUGE : COUNTER;
}

/* The samples as a device gives them: two decimals in an f32 register, every other tag in an f64;
 * pulses as integers. */
static void samples_make(weir_random *r, int tag, int64_t jitter_ms, const int64_t *v,
                         weir_sample *s, weir_reply_ref *refs)
{
    for (int i = 0; i < DAY; i++) {
        int64_t late = jitter_ms ? (int64_t)weir_random_below(r, (uint64_t)jitter_ms) * 1000 : 0;
        weir_value value = tag >= 85 ? weir_value_u64((uint64_t)v[i])
                           : tag % 2 ? weir_value_f64((double)v[i] / 100)
                                     : weir_value_f32((float)((double)v[i] / 100));
        int64_t ts = day_start_us + i * 1000000ll + late;
        s[i] = (weir_sample){.tag = 1, .ts = {ts}, .value = value};
        refs[i] = (weir_reply_ref){.due = {ts}, .reply = 1, .index = (uint16_t)tag};
    }
}

/* --- the public method -------------------------------------------------------------------- */

static size_t public_size(ZSTD_CCtx *zstd, const weir_sample *s, const int64_t *v)
{
    static uint8_t raw[PUBLIC_BLOCK * 2 * WEIR_VARINT_MAX], packed[2 * sizeof raw];
    const size_t head = 8, status = 3; /* count, first time; one run of good */
    size_t total = 0;
    for (int from = 0; from < DAY; from += PUBLIC_BLOCK) {
        weir_column c = {raw, 0, sizeof raw};
        int n = DAY - from < PUBLIC_BLOCK ? DAY - from : PUBLIC_BLOCK;
        int64_t step = 0, ts = s[from].ts.us / 1000, value = 0;
        for (int i = from; i < from + n; i++) {
            int64_t now = s[i].ts.us / 1000;
            weir_column_put_varint(&c, weir_zigzag(now - ts - step));
            step = now - ts;
            ts = now;
        }
        for (int i = from; i < from + n; i++) {
            weir_column_put_varint(&c, weir_zigzag(v[i] - value));
            value = v[i];
        }
        total += head + status + ZSTD_compressCCtx(zstd, packed, sizeof packed, raw, c.n, 3);
    }
    return total;
}

/* --- ours --------------------------------------------------------------------------------- */

/* CPU time: others may be at work on the machine. */
static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(weir_err err, const char *what)
{
    if (err == WEIR_OK)
        return;
    fprintf(stderr, "store-codec: %s: %s\n", what, weir_err_text(err));
    exit(1);
}

static size_t at_rest(size_t n)
{
    return n > PAGE ? n + PAGE / 2 : n;
}

struct speeds {
    double fast_s, small_s, decode_s;
};

static size_t our_size(weir_segment_encoder *e, const weir_series *series, weir_sample *back,
                       struct speeds *speeds)
{
    weir_segment_bytes bytes;
    weir_segment_head head;
    weir_segment *segment;
    double t0 = now_s();
    check(weir_segment_encode(e, series, WEIR_EFFORT_FAST, &bytes, NULL), "encode");
    double t1 = now_s();
    check(weir_segment_encode(e, series, WEIR_EFFORT_SMALL, &bytes, NULL), "encode");
    double t2 = now_s();
    check(weir_segment_head_parse(bytes.head, bytes.head_length, &head, NULL), "head");
    check(weir_segment_open(&head, bytes.marks, bytes.marks_length, &segment, NULL), "open");
    check(weir_segment_load(segment, bytes.body, bytes.body_length, NULL), "load");
    check(weir_segment_read(segment, 0, head.n_slices, 1, back, NULL, NULL), "read");
    double t3 = now_s();
    weir_segment_free(segment);
    for (size_t i = 0; i < series->n; i++)
        if (back[i].ts.us != series->samples[i].ts.us ||
            !weir_value_identical(&back[i].value, &series->samples[i].value)) {
            fprintf(stderr, "store-codec: sample %zu is not the same\n", i);
            exit(1);
        }
    speeds->fast_s += t1 - t0;
    speeds->small_s += t2 - t1;
    speeds->decode_s += t3 - t2;
    if (getenv("VERBOSE"))
        printf("   head %zu marks %zu body %zu\n", bytes.head_length, bytes.marks_length,
               bytes.body_length);
    return bytes.head_length + at_rest(bytes.marks_length) + at_rest(bytes.body_length);
}

/* --- a month ------------------------------------------------------------------------------ */

/* One tag's month as 1000 buckets: slices summed up, those on a boundary decoded. */
static double month_s(weir_segment_encoder *e, const weir_series *series, weir_sample *back)
{
    weir_segment_bytes bytes;
    check(weir_segment_encode(e, series, WEIR_EFFORT_SMALL, &bytes, NULL), "encode");
    double best = INFINITY;
    for (int run = 0; run < 5; run++) {
        weir_summary total = {0};
        double t0 = now_s();
        for (int day = 0; day < DAYS; day++) {
            weir_segment_head head;
            weir_segment *segment;
            size_t n;
            check(weir_segment_head_parse(bytes.head, bytes.head_length, &head, NULL), "head");
            check(weir_segment_open(&head, bytes.marks, bytes.marks_length, &segment, NULL),
                  "open");
            check(weir_segment_load(segment, bytes.body, bytes.body_length, NULL), "load");
            const weir_slice *slices = weir_segment_slices(segment, &n);
            for (size_t i = 0; i < n; i++)
                weir_summary_join(&total, &slices[i].summary);
            for (size_t i = 0; i < BOUNDARIES / DAYS; i++) {
                size_t slice = i * n / (BOUNDARIES / DAYS);
                weir_summary part = {0};
                check(weir_segment_read(segment, slice, 1, 1, back, NULL, NULL), "read");
                for (size_t k = 0; k < slices[slice].count; k++)
                    weir_summary_add(&part, &back[k]);
                total.falls += part.falls;
            }
            weir_segment_free(segment);
        }
        double t = now_s() - t0;
        best = t < best ? t : best;
    }
    return best;
}

static bool verdict(const char *what, double value, const char *unit, bool ok)
{
    printf("%-44s %8.2f %-14s %s\n", what, value, unit, ok ? "ok" : "MISSED");
    return ok;
}

int main(void)
{
    static const char *const names[] = {"gauges", "counters"};
    static int64_t v[DAY];
    static weir_sample samples[DAY], back[DAY];
    static weir_reply_ref refs[DAY];
    weir_series series = {DAY, samples, refs};
    weir_segment_encoder *e = weir_segment_encoder_new();
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    struct speeds speeds = {0};
    double month = INFINITY;
    bool ok = true;
    if (!e || !zstd)
        return 1;
    printf("%-10s %-10s %12s %12s %8s\n", "class", "jitter ms", "ours B", "public B", "ratio");
    for (int64_t jitter = 0; jitter <= 5; jitter += 5) {
        double ours[CLASS_COUNT] = {0}, theirs[CLASS_COUNT] = {0}, n[CLASS_COUNT] = {0};
        weir_random r = {1};
        for (int tag = 0; tag < TAGS; tag++) {
            enum class class = series_make(&r, tag, v);
            samples_make(&r, tag, jitter, v, samples, refs);
            double a = (double)our_size(e, &series, back, &speeds);
            double b = (double)public_size(zstd, samples, v);
            if (getenv("VERBOSE"))
                printf("tag %d: %.3f %.3f ratio %.3f\n", tag, a / DAY, b / DAY, a / b);
            ours[class] += a;
            theirs[class] += b;
            n[class] += DAY;
            if (tag == 70 && jitter == 0)
                month = month_s(e, &series, back);
        }
        for (int c = 0; c < CLASS_COUNT; c++) {
            double ratio = ours[c] / theirs[c];
            printf("%-10s %-10d %12.3f %12.3f %8.3f %s\n", names[c], (int)jitter, ours[c] / n[c],
                   theirs[c] / n[c], ratio, ratio <= ratio_max ? "ok" : "MISSED");
            ok = ok && ratio <= ratio_max;
        }
    }
    const double all = 2.0 * TAGS * DAY;
    ok &= verdict("decode whole segments", all / speeds.decode_s / 1e6, "M samples/s",
                  all / speeds.decode_s >= decode_min);
    ok &= verdict("encode fast", all / speeds.fast_s / 1e6, "M samples/s",
                  all / speeds.fast_s >= encode_fast_min);
    ok &= verdict("encode small", all / speeds.small_s / 1e6, "M samples/s",
                  all / speeds.small_s >= encode_small_min);
    ok &= verdict("a month of 1 s as 1000 buckets", month * 1e3, "ms", month <= month_max_s);
    ZSTD_freeCCtx(zstd);
    weir_segment_encoder_free(e);
    return ok ? 0 : 1;
}
