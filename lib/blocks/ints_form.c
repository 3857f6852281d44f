/* SPDX-License-Identifier: MIT */
/* How much of the differences' range goes to the planes of a column, and those planes. */

#include "blocks/ints_priv.h"

#include <math.h>
#include <stdlib.h>
#include <zstd.h>

#include "blocks/packing.h"

enum {
    NEAR = 1024,           /* width of the histogram around the middle */
    EXCEPTION_BITS = 28,   /* what one costs, about: two varints, in bits */
    EXCEPTIONS_SHARE = 64, /* wide ranges leave at most one of so many outside */
};

double weir_ints_entropy(const uint32_t *counts, size_t n, double total)
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

int64_t weir_ints_median(const uint64_t *v, size_t n)
{
    enum { FEW = 31 };
    int64_t few[FEW];
    for (size_t i = 0; i < FEW; i++)
        few[i] = (int64_t)v[n * i / FEW];
    qsort(few, FEW, sizeof *few, i64_compare);
    return few[FEW / 2];
}

/* --- the range ---------------------------------------------------------------------------- */

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
    h->middle = (uint64_t)weir_ints_median(r, n);
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
    double entropy = weir_ints_entropy(h->near + most_at, width, (double)n);
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
    f.bits = weir_ints_entropy(counts, 256, (double)n) + (double)(f.low * n) +
             (double)outside * (EXCEPTION_BITS + length);
    return f;
}

/* --- planes ------------------------------------------------------------------------------- */

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

void weir_form_write(weir_ints_writer *w, weir_ints_out *out, const struct form *f,
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
            weir_ints_put_stretch(out, w->packed.at, w->packed.n);
    }
    if (!plane_pack(&w->packed, f, r, s, f->high, f->low, UINT64_MAX))
        out->failed = true;
    else
        weir_ints_put_stretch(out, w->packed.at, w->packed.n);
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

struct form weir_form_choose(weir_ints_writer *w, const struct slices *s)
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
