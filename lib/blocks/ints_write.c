/* SPDX-License-Identifier: MIT */
/* Writes columns of integers, in the form that takes the least room. */

/*
 * Three choices are made. Runs or planes: by counting the runs. The order of the differences: by
 * the entropy of a part of each. And how much of the differences' range goes to the planes, the
 * rest being exceptions: a small range lets several lie in one byte. The last is estimated by the
 * entropy too, and when there is time the likely ones are compressed and measured.
 */

#include <math.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "blocks/ints.h"
#include "blocks/packing.h"

enum {
    SAMPLE_MAX = 2048,     /* differences looked at to choose an order */
    NEAR = 1024,           /* width of the histogram around the middle */
    EXCEPTION_BITS = 28,   /* what one costs, about: two varints, in bits */
    EXCEPTIONS_SHARE = 64, /* wide ranges leave at most one of so many outside */
};

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
static void stretch_put(weir_ints_out *out, const void *bytes, size_t n)
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
    stretch_put(out, bytes, n);
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

static unsigned bit_length(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

static double entropy_bits(const uint32_t *counts, size_t n, double total)
{
    double bits = 0;
    for (size_t i = 0; i < n; i++)
        if (counts[i])
            bits += counts[i] * log2(total / counts[i]);
    return bits;
}

static int i64_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Of a few of them: one far away has no say. */
static int64_t median_of(const uint64_t *v, size_t n)
{
    enum { FEW = 31 };
    int64_t few[FEW];
    for (size_t i = 0; i < FEW; i++)
        few[i] = (int64_t)v[n * i / FEW];
    qsort(few, FEW, sizeof *few, i64_compare);
    return few[FEW / 2];
}

/* Bits that n numbers take when each costs the entropy of its size class, two classes to a power
 * of two above 32, and the bits the class leaves open. */
static double cost_estimate(const uint64_t *v, size_t n)
{
    uint32_t counts[32 + 2 * 60] = {0};
    uint64_t open = 0, middle = (uint64_t)median_of(v, n);
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
    return entropy_bits(counts, sizeof counts / sizeof *counts, (double)n) + (double)open;
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

/* --- the range ---------------------------------------------------------------------------- */

/* Residuals base .. base + top are symbols, the others exceptions, which leave `filler` there. */
struct form {
    uint64_t base, top, filler;
    unsigned low, high; /* bits of the low planes, packing of the last */
    size_t n_exceptions;
    double bits; /* about what it takes */
};

/* Residuals around their middle, counted one by one, and by size. */
struct histogram {
    uint64_t middle;
    uint32_t near[NEAR];    /* of middle - NEAR / 2 and on */
    size_t first, last;     /* what is not 0 in near */
    uint32_t by_length[65]; /* of the zigzag of what they differ from the middle */
};

static void histogram_fill(struct histogram *h, const uint64_t *r, size_t n)
{
    memset(h, 0, sizeof *h);
    h->middle = (uint64_t)median_of(r, n);
    h->first = NEAR;
    for (size_t i = 0; i < n; i++) {
        uint64_t at = r[i] - h->middle + NEAR / 2;
        h->by_length[bit_length(weir_zigzag((int64_t)(r[i] - h->middle)))]++;
        if (at < NEAR)
            h->near[at]++;
    }
    for (size_t i = 0; i < NEAR; i++)
        if (h->near[i]) {
            h->first = h->first == NEAR ? i : h->first;
            h->last = i;
        }
}

/* A packing with no low planes: its range lies where it leaves the fewest outside. */
static struct form form_near(const struct histogram *h, size_t n, unsigned packing)
{
    size_t radix = packings[packing].radix, at = h->first, inside = 0;
    for (size_t i = at; i < at + radix && i < NEAR; i++)
        inside += h->near[i];
    size_t most = inside, most_at = at;
    for (; at + radix <= h->last; at++) {
        inside += h->near[at + radix];
        inside -= h->near[at];
        if (inside > most) {
            most = inside;
            most_at = at + 1;
        }
    }
    size_t width = NEAR - most_at < radix ? NEAR - most_at : radix, mode = 0;
    for (size_t i = 0; i < width; i++)
        if (h->near[most_at + i] > h->near[most_at + mode])
            mode = i;
    double entropy = entropy_bits(h->near + most_at, width, (double)n);
    double bytes = (double)packing_bytes(packing, n);
    struct form f = {.base = h->middle - NEAR / 2 + most_at,
                     .top = radix - 1,
                     .filler = mode,
                     .high = packing,
                     .n_exceptions = n - most};
    /* A byte takes at least a bit, unless it is found again with others; even then it is not for
     * nothing. */
    f.bits = entropy > bytes ? entropy : (bytes < 2 * entropy ? bytes : 2 * entropy);
    f.bits += bytes / 64 + (double)f.n_exceptions * EXCEPTION_BITS;
    return f;
}

/* As wide as it takes to leave few outside; what the wide range has too much is cut off. */
static struct form form_wide(const struct histogram *h, const uint64_t *r, size_t n)
{
    unsigned length = 64;
    size_t outside = 0;
    while (length > 0 && outside + h->by_length[length] <= n / EXCEPTIONS_SHARE)
        outside += h->by_length[length--];
    uint64_t base = h->middle - (length ? 1ull << (length - 1) : 0);
    uint64_t top = length < 64 ? (1ull << length) - 1 : UINT64_MAX, least = top, most = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t u = r[i] - base;
        least = u < least ? u : least;
        most = u <= top && u > most ? u : most;
    }
    struct form f = {.base = base + least, .top = most - least, .n_exceptions = outside};
    unsigned bits = bit_length(f.top);
    f.low = bits > 8 ? bits - 8 : 0;
    f.high = packing_for(f.top >> f.low);
    f.filler = h->middle - f.base <= f.top ? h->middle - f.base : 0;

    uint32_t counts[256] = {0};
    for (size_t i = 0; i < n; i++)
        if (r[i] - f.base <= f.top)
            counts[(r[i] - f.base) >> f.low]++;
    f.bits = entropy_bits(counts, 256, (double)n) + (double)(f.low * n) +
             (double)outside * (EXCEPTION_BITS + length);
    return f;
}

/* --- planes ------------------------------------------------------------------------------- */

/* Where slices lie. */
struct slices {
    const uint32_t *starts;
    size_t n, end;
};

static size_t slice_end(const struct slices *s, size_t i)
{
    return i + 1 < s->n ? s->starts[i + 1] : s->end;
}

/* Where a plane's symbols come from. */
struct symbols {
    const uint64_t *r;
    const struct form *form;
    unsigned shift;
    uint64_t mask;
};

static inline unsigned symbol_at(const struct symbols *s, size_t i)
{
    uint64_t u = s->r[i] - s->form->base;
    u = u <= s->form->top ? u : s->form->filler;
    return (unsigned)(u >> s->shift & s->mask);
}

/* Symbols from .. end - 1; the last byte may hold fewer. Inlined with constants. */
static inline uint8_t *slice_pack(const struct symbols *s, size_t from, size_t end,
                                  unsigned per_byte, unsigned radix, uint8_t *to)
{
    size_t i = from;
    for (; i + per_byte <= end; i += per_byte) {
        unsigned byte = 0;
        for (unsigned j = per_byte; j-- > 0;)
            byte = byte * radix + symbol_at(s, i + j);
        *to++ = (uint8_t)byte;
    }
    if (i < end) {
        unsigned byte = 0;
        for (size_t j = end; j-- > i;)
            byte = byte * radix + symbol_at(s, j);
        *to++ = (uint8_t)byte;
    }
    return to;
}

/* One plane: bits shift .. of each symbol, as many as the packing holds. Each slice begins with a
 * new byte. */
static bool plane_pack(weir_column *to, const struct form *f, const uint64_t *r,
                       const struct slices *s, unsigned packing, unsigned shift, uint64_t mask)
{
    const struct symbols symbols = {r, f, shift, mask};
    to->n = 0;
    if (!weir_column_reserve(to, s->end + s->n, 1))
        return false;
    uint8_t *at = to->at;
    for (size_t k = 0; k < s->n; k++) {
        size_t from = s->starts[k], end = slice_end(s, k);
        switch (packing) {
        case 0:
            at = slice_pack(&symbols, from, end, 1, 256, at);
            break;
        case 1:
            at = slice_pack(&symbols, from, end, 2, 16, at);
            break;
        case 2:
            at = slice_pack(&symbols, from, end, 3, 6, at);
            break;
        case 3:
            at = slice_pack(&symbols, from, end, 4, 4, at);
            break;
        case 4:
            at = slice_pack(&symbols, from, end, 5, 3, at);
            break;
        case 5:
            at = slice_pack(&symbols, from, end, 8, 2, at);
            break;
        }
    }
    to->n = (size_t)(at - (uint8_t *)to->at);
    return true;
}

static void exceptions_write(weir_ints_writer *w, weir_ints_out *out, const struct form *f,
                             const uint64_t *r, size_t n)
{
    weir_ints_put_varint(out, f->n_exceptions);
    if (f->n_exceptions == 0)
        return;
    weir_column *to = &w->exceptions;
    to->n = 0;
    if (!weir_column_reserve(to, f->n_exceptions * 2 * WEIR_VARINT_MAX, 1)) {
        out->failed = true;
        return;
    }
    size_t before = 0;
    for (size_t i = 0; i < n; i++) {
        if (r[i] - f->base <= f->top)
            continue;
        weir_column_put_varint(to, i - before);
        weir_column_put_delta(to, r[i], f->base);
        before = i;
    }
    weir_ints_put_bytes(out, to->at, to->n);
}

static void form_write(weir_ints_writer *w, weir_ints_out *out, const struct form *f,
                       const struct slices *s)
{
    const uint64_t *r = w->residuals.at;
    weir_ints_put_svarint(out, (int64_t)f->base);
    exceptions_write(w, out, f, r, s->end);
    weir_ints_put_varint(out, f->high);
    weir_ints_put_varint(out, f->low);
    for (unsigned shift = 0; shift < f->low; shift += 8) {
        unsigned bits = f->low - shift < 8 ? f->low - shift : 8;
        uint64_t mask = (1u << bits) - 1;
        if (!plane_pack(&w->packed, f, r, s, packing_for(mask), shift, mask))
            out->failed = true;
        else
            stretch_put(out, w->packed.at, w->packed.n);
    }
    if (!plane_pack(&w->packed, f, r, s, f->high, f->low, UINT64_MAX))
        out->failed = true;
    else
        stretch_put(out, w->packed.at, w->packed.n);
}

/* Replaces the estimate by what the last plane takes when compressed; the low ones are noise. */
static void form_measure(weir_ints_writer *w, struct form *f, const struct slices *s)
{
    if (!plane_pack(&w->packed, f, w->residuals.at, s, f->high, f->low, UINT64_MAX) ||
        !weir_column_reserve(&w->spare, ZSTD_compressBound(w->packed.n), 1))
        return;
    size_t n = ZSTD_compress2(w->zstd, w->spare.at, w->spare.capacity, w->packed.at, w->packed.n);
    if (!ZSTD_isError(n))
        f->bits = 8.0 * (double)n + (double)f->low * (double)s->end +
                  (double)f->n_exceptions * EXCEPTION_BITS;
}

/* The cheapest form for the residuals. */
static struct form form_choose(weir_ints_writer *w, const struct slices *s)
{
    const uint64_t *r = w->residuals.at;
    struct histogram h;
    struct form forms[PACKING_COUNT + 1];
    histogram_fill(&h, r, s->end);
    for (unsigned packing = 0; packing < PACKING_COUNT; packing++)
        forms[packing] = form_near(&h, s->end, packing);
    forms[PACKING_COUNT] = form_wide(&h, r, s->end);
    double least = forms[0].bits;
    for (size_t i = 1; i <= PACKING_COUNT; i++)
        least = forms[i].bits < least ? forms[i].bits : least;
    struct form best = {.bits = INFINITY};
    for (size_t i = 0; i <= PACKING_COUNT; i++) {
        /* Repetitions, which no entropy sees, show best with a symbol in each byte. */
        if (w->zstd && (forms[i].bits < 1.3 * least || i == 0) && s->end >= PACKING_LONG)
            form_measure(w, &forms[i], s);
        if (forms[i].bits < best.bits)
            best = forms[i];
    }
    return best;
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
        struct form f = form_choose(w, s);
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
    struct form f = form_choose(w, &s);
    form_write(w, out, &f, &s);
}
