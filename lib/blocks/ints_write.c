/* SPDX-License-Identifier: MIT */
/* Writes columns of integers, in the form that takes the least room. */

/*
 * Three choices are made. Runs or planes: by counting the runs. The order of the differences: by
 * the entropy of a part of each. And how much of the differences' range goes to the planes, the
 * rest being exceptions: a small range lets several lie in one byte. The last is estimated by the
 * entropy too, and when there is time the likely ones are compressed and measured.
 */

#include "blocks/ints_priv.h"

#include <math.h>

#include "base/alloc.h"
#include "blocks/packing.h"

enum { SAMPLE_MAX = 2048 }; /* differences looked at to choose an order */

void weir_ints_out_clear(weir_ints_out *out)
{
    out->meta.n = out->data.n = out->cuts.n = 0;
    out->failed = false;
}

void weir_ints_out_deinit(weir_ints_out *out)
{
    weir_free(out->meta.at);
    weir_free(out->data.at);
    weir_free(out->cuts.at);
}

void weir_ints_writer_deinit(weir_ints_writer *w)
{
    weir_column *columns[] = {&w->residuals, &w->packed, &w->spare, &w->exceptions, &w->starts};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        weir_free(columns[i]->at);
}

/* --- putting ------------------------------------------------------------------------------ */

void weir_ints_put_varint(weir_ints_out *out, uint64_t v)
{
    if (!out->failed && !weir_column_reserve(&out->meta, WEIR_VARINT_MAX, 1))
        out->failed = true;
    if (!out->failed)
        weir_column_put_varint(&out->meta, v);
}

void weir_ints_put_svarint(weir_ints_out *out, int64_t v)
{
    weir_ints_put_varint(out, weir_zigzag(v));
}

/* Long stretches go to data, and end at a cut. */
void weir_ints_put_stretch(weir_ints_out *out, const void *bytes, size_t n)
{
    weir_column *to = n >= PACKING_LONG ? &out->data : &out->meta;
    if (!out->failed &&
        (!weir_column_reserve(to, n, 1) || !weir_column_reserve(&out->cuts, 1, sizeof(uint32_t))))
        out->failed = true;
    if (out->failed)
        return;
    weir_column_put_bytes(to, bytes, n);
    if (to == &out->data)
        ((uint32_t *)out->cuts.at)[out->cuts.n++] = (uint32_t)to->n;
}

void weir_ints_put_bytes(weir_ints_out *out, const void *bytes, size_t n)
{
    weir_ints_put_varint(out, n);
    weir_ints_put_stretch(out, bytes, n);
}

/* --- runs --------------------------------------------------------------------------------- */

static size_t runs_count(const int64_t *v, size_t n, size_t max)
{
    size_t runs = 1;
    for (size_t i = 1; i < n && runs <= max; i++)
        runs += v[i] != v[i - 1];
    return runs;
}

static void runs_write(weir_ints_writer *w, weir_ints_out *out, const int64_t *v, size_t n,
                       size_t n_runs)
{
    weir_column *lengths = &w->packed, *values = &w->spare;
    lengths->n = values->n = 0;
    if (!weir_column_reserve(lengths, n_runs * WEIR_VARINT_MAX, 1) ||
        !weir_column_reserve(values, n_runs * WEIR_VARINT_MAX, 1)) {
        out->failed = true;
        return;
    }
    int64_t before = 0;
    for (size_t i = 0; i < n;) {
        size_t j = i + 1;
        while (j < n && v[j] == v[i])
            j++;
        if (j < n)
            weir_column_put_varint(lengths, j - i - 1);
        weir_column_put_delta(values, (uint64_t)v[i], (uint64_t)before);
        before = v[i];
        i = j;
    }
    weir_ints_put_varint(out, n_runs);
    weir_ints_put_bytes(out, lengths->at, lengths->n);
    weir_ints_put_bytes(out, values->at, values->n);
}

/* --- the order ---------------------------------------------------------------------------- */

/* Bits that n numbers take when each costs the entropy of its size class, two classes to a power
 * of two above 32, and the bits the class leaves open. */
static double cost_estimate(const uint64_t *v, size_t n)
{
    uint32_t counts[32 + 2 * 60] = {0};
    uint64_t open = 0, middle = (uint64_t)weir_ints_median(v, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t z = weir_zigzag((int64_t)(v[i] - middle));
        unsigned length = bit_length(z);
        if (z < 32) {
            counts[z]++;
        } else {
            counts[32 + 2 * (length - 6) + (z >> (length - 2) & 1)]++;
            open += length - 2;
        }
    }
    return weir_ints_entropy(counts, sizeof counts / sizeof *counts, (double)n) + (double)open;
}

/* A column as differences. The first ones, which have no value before them, are made like those
 * after them, and the values that then must have come before are what slice 0 starts from. */
struct differences {
    const int64_t *v;
    size_t n;
    uint64_t lowest, divisor;
    unsigned order;
};

static uint64_t scaled(const struct differences *d, size_t i)
{
    uint64_t above = (uint64_t)d->v[i] - d->lowest;
    return d->divisor == 1 ? above : above / d->divisor;
}

/* Replaces w[0..n-1] by its differences; w[-1] is not known. */
static void difference(uint64_t *w, size_t n)
{
    for (size_t i = n - 1; i > 0; i--)
        w[i] -= w[i - 1];
    w[0] = n > 1 ? w[1] : 0;
}

static void residuals_take(const struct differences *d, size_t from, size_t n, uint64_t *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = scaled(d, from + i);
    for (unsigned k = 0; k < d->order; k++)
        difference(to, n);
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static struct differences differences_of(const int64_t *v, size_t n)
{
    int64_t lowest = v[0];
    uint64_t divisor = 0;
    for (size_t i = 1; i < n; i++)
        lowest = v[i] < lowest ? v[i] : lowest;
    for (size_t i = 0; i < n && divisor != 1; i++) {
        uint64_t above = (uint64_t)v[i] - (uint64_t)lowest;
        if (divisor == 0 || above % divisor != 0)
            divisor = gcd(above, divisor);
    }
    return (struct differences){v, n, (uint64_t)lowest, divisor ? divisor : 1, 0};
}

/* Bits for all of the column in this order, from some parts of it. */
static double order_cost(const struct differences *d, uint64_t *scratch)
{
    enum { PARTS = 4, PART = SAMPLE_MAX / PARTS };
    if (d->n <= SAMPLE_MAX) {
        residuals_take(d, 0, d->n, scratch);
        return cost_estimate(scratch, d->n);
    }
    for (size_t i = 0; i < PARTS; i++)
        residuals_take(d, (d->n - PART) * i / (PARTS - 1), PART, scratch + i * PART);
    return cost_estimate(scratch, SAMPLE_MAX) * (double)d->n / SAMPLE_MAX;
}

/* --- the column --------------------------------------------------------------------------- */

/* The value before number `at` (k = 0), or the difference before it (k = 1). */
static uint64_t before_value(const struct differences *d, size_t at, unsigned k)
{
    uint64_t first_step = scaled(d, 1) - scaled(d, 0);
    if (k == 0)
        return at > 0 ? scaled(d, at - 1) : scaled(d, 0) - first_step;
    return at > 1 ? scaled(d, at - 1) - scaled(d, at - 2) : first_step;
}

/* What each slice starts from. For one slice it is a number, else a column of its own; that column
 * has one slice, so this does not go deeper. */
static void before_write(weir_ints_writer *w, weir_ints_out *out, const struct differences *d,
                         const struct slices *s, unsigned k)
{
    static const uint32_t start = 0;
    if (s->n == 1) {
        weir_ints_put_svarint(out, (int64_t)before_value(d, 0, k));
        return;
    }
    w->starts.n = 0;
    if (!weir_column_reserve(&w->starts, s->n, sizeof(int64_t))) {
        out->failed = true;
        return;
    }
    int64_t *before = w->starts.at;
    for (size_t i = 0; i < s->n; i++)
        before[i] = (int64_t)before_value(d, s->starts[i], k);
    weir_ints_write(w, out, before, s->n, &start, 1);
}

/* Chooses by the estimate, and by measuring where that is not clear. */
static unsigned order_choose(weir_ints_writer *w, const struct slices *s, struct differences *d,
                             double *ret_bits)
{
    double bits[3];
    unsigned best = 0;
    for (d->order = 0; d->order < 3; d->order++) {
        bits[d->order] = order_cost(d, w->residuals.at);
        best = bits[d->order] < bits[best] ? d->order : best;
    }
    *ret_bits = bits[best];
    if (!w->zstd || s->end < PACKING_LONG)
        return best;
    double least = INFINITY;
    unsigned measured = best;
    for (d->order = 0; d->order < 3; d->order++) {
        if (bits[d->order] > 1.15 * bits[best] + 64)
            continue;
        residuals_take(d, 0, d->n, w->residuals.at);
        struct form f = weir_form_choose(w, s);
        if (f.bits < least) {
            least = f.bits;
            measured = d->order;
        }
    }
    return measured;
}

double weir_ints_estimate(weir_ints_writer *w, const int64_t *v, size_t n)
{
    w->residuals.n = 0;
    if (n < 2 ||
        !weir_column_reserve(&w->residuals, n > SAMPLE_MAX ? n : SAMPLE_MAX, sizeof(uint64_t)))
        return 64.0 * (double)n;
    struct differences d = differences_of(v, n);
    double least = INFINITY;
    for (d.order = 0; d.order < 3; d.order++) {
        double bits = order_cost(&d, w->residuals.at);
        least = bits < least ? bits : least;
    }
    return least;
}

void weir_ints_write(weir_ints_writer *w, weir_ints_out *out, const int64_t *v, size_t n,
                     const uint32_t *starts, size_t n_slices)
{
    enum { FEW = 8, RUNS_SHARE = 8 };
    if (n == 0 || out->failed)
        return;
    size_t n_runs = runs_count(v, n, n / RUNS_SHARE + 1);
    if (n_runs == 1 || n <= FEW) {
        runs_write(w, out, v, n, runs_count(v, n, n));
        return;
    }
    size_t room = n > SAMPLE_MAX ? n : SAMPLE_MAX;
    w->residuals.n = 0;
    if (!weir_column_reserve(&w->residuals, room, sizeof(uint64_t))) {
        out->failed = true;
        return;
    }
    struct slices s = {starts, n_slices, n};
    struct differences d = differences_of(v, n);
    double bits = 0;
    d.order = order_choose(w, &s, &d, &bits);
    /* A run takes its length, its difference and what surrounds them. */
    double run_bits = log2((double)n / (double)n_runs) + 12;
    if (n_runs <= n / RUNS_SHARE && (double)n_runs * run_bits < bits + 80) {
        runs_write(w, out, v, n, n_runs);
        return;
    }
    weir_ints_put_varint(out, 0);
    weir_ints_put_varint(out, d.order);
    weir_ints_put_svarint(out, (int64_t)d.lowest);
    weir_ints_put_varint(out, d.divisor);
    for (unsigned k = 0; k < d.order; k++)
        before_write(w, out, &d, &s, k);
    if (out->failed)
        return;
    residuals_take(&d, 0, n, w->residuals.at);
    struct form f = weir_form_choose(w, &s);
    weir_form_write(w, out, &f, &s);
}
