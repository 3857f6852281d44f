/* SPDX-License-Identifier: MIT */
/* Reads columns of integers. */

/*
 * The bytes may be anyone's: opening checks each part against the number of values, which the
 * caller has bounded, so that reading cannot leave the planes. What the values are is then
 * arithmetic modulo 2^64, which cannot fail.
 */

#include "blocks/ints.h"

#include "base/alloc.h"
#include "blocks/packing.h"

const uint8_t *weir_ints_get_bytes(weir_ints_in *in, size_t *ret_n)
{
    uint64_t n = weir_read_varint(&in->meta);
    if (in->meta.failed || n > SIZE_MAX)
        return NULL;
    *ret_n = (size_t)n;
    return weir_read_bytes(n >= PACKING_LONG ? &in->data : &in->meta, (size_t)n);
}

void weir_ints_deinit(weir_ints *c)
{
    weir_free(c->run_at);
    weir_free(c->run_values);
    weir_free(c->exception_at);
    weir_free(c->exception_values);
    weir_free(c->before[0]);
    weir_free(c->before[1]);
}

/* --- opening ------------------------------------------------------------------------------ */

static weir_ints_result runs_open(weir_ints *c, weir_ints_in *in, uint64_t n_runs)
{
    size_t n_lengths = 0, n_values = 0;
    const uint8_t *length_bytes = weir_ints_get_bytes(in, &n_lengths);
    const uint8_t *value_bytes = length_bytes ? weir_ints_get_bytes(in, &n_values) : NULL;
    if (!value_bytes || n_runs > c->n || n_runs > n_values)
        return WEIR_INTS_DAMAGED;
    c->run_at = weir_alloc((n_runs + 1) * sizeof *c->run_at);
    c->run_values = weir_alloc(n_runs * sizeof *c->run_values);
    if (!c->run_at || !c->run_values)
        return WEIR_INTS_NO_MEMORY;

    weir_reader lengths = weir_reader_of(length_bytes, n_lengths);
    weir_reader values = weir_reader_of(value_bytes, n_values);
    uint64_t at = 0, value = 0;
    for (uint32_t i = 0; i < n_runs; i++) {
        c->run_at[i] = (uint32_t)at;
        uint64_t rest = c->n - at;
        uint64_t length = i + 1 < n_runs ? weir_read_varint(&lengths) + 1 : rest;
        if (length == 0 || length > rest)
            return WEIR_INTS_DAMAGED;
        at += length;
        value += (uint64_t)weir_read_svarint(&values);
        c->run_values[i] = (int64_t)value;
    }
    c->run_at[n_runs] = c->n;
    c->n_runs = (uint32_t)n_runs;
    return lengths.failed || values.failed || weir_reader_left(&lengths) ||
                   weir_reader_left(&values)
               ? WEIR_INTS_DAMAGED
               : WEIR_INTS_OK;
}

static weir_ints_result exceptions_open(weir_ints *c, weir_ints_in *in)
{
    uint64_t n = weir_read_varint(&in->meta);
    if (n == 0)
        return in->meta.failed ? WEIR_INTS_DAMAGED : WEIR_INTS_OK;
    size_t n_bytes = 0;
    const uint8_t *bytes = weir_ints_get_bytes(in, &n_bytes);
    if (!bytes || n > c->n || n > n_bytes / 2)
        return WEIR_INTS_DAMAGED;
    c->exception_at = weir_alloc(n * sizeof *c->exception_at);
    c->exception_values = weir_alloc(n * sizeof *c->exception_values);
    if (!c->exception_at || !c->exception_values)
        return WEIR_INTS_NO_MEMORY;
    weir_reader r = weir_reader_of(bytes, n_bytes);
    uint64_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t gap = weir_read_varint(&r);
        if (gap >= c->n - at || (i > 0 && gap == 0))
            return WEIR_INTS_DAMAGED;
        at += gap;
        c->exception_at[i] = (uint32_t)at;
        c->exception_values[i] = (uint64_t)weir_read_svarint(&r) + c->base;
    }
    c->n_exceptions = (uint32_t)n;
    return r.failed || weir_reader_left(&r) ? WEIR_INTS_DAMAGED : WEIR_INTS_OK;
}

/* One number for each slice: a column of its own, unless there is but one. */
static weir_ints_result before_open(uint64_t **ret, uint32_t n, weir_ints_in *in)
{
    static const uint32_t start = 0;
    uint64_t *before = weir_alloc(n * sizeof *before);
    *ret = before;
    if (!before)
        return WEIR_INTS_NO_MEMORY;
    if (n == 1) {
        before[0] = (uint64_t)weir_read_svarint(&in->meta);
        return in->meta.failed ? WEIR_INTS_DAMAGED : WEIR_INTS_OK;
    }
    weir_ints *column = weir_alloc_zero(1, sizeof *column);
    if (!column)
        return WEIR_INTS_NO_MEMORY;
    weir_ints_result result = weir_ints_open(column, in, n, &start, 1);
    for (size_t i = 0; result == WEIR_INTS_OK && i < n;) {
        size_t k;
        const int64_t *values = weir_ints_next(column, n - i, &k);
        memcpy(before + i, values, k * sizeof *before);
        i += k;
    }
    weir_ints_deinit(column);
    weir_free(column);
    return result;
}

static size_t slice_length(const weir_ints *c, size_t slice)
{
    return (slice + 1 < c->n_slices ? c->starts[slice + 1] : c->n) - c->starts[slice];
}

static bool plane_open(weir_ints *c, weir_ints_in *in, unsigned packing, unsigned shift)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_slices; i++)
        n += packing_bytes(packing, slice_length(c, i));
    const uint8_t *at = weir_read_bytes(n >= PACKING_LONG ? &in->data : &in->meta, n);
    c->planes[c->n_planes].at = at;
    c->planes[c->n_planes].packing = (uint8_t)packing;
    c->planes[c->n_planes].shift = (uint8_t)shift;
    c->n_planes++;
    return at != NULL;
}

static bool planes_open(weir_ints *c, weir_ints_in *in)
{
    unsigned high = weir_read_u8(&in->meta), low = weir_read_u8(&in->meta);
    if (in->meta.failed || high >= PACKING_COUNT || low > 56)
        return false;
    for (unsigned shift = 0; shift < low; shift += 8) {
        unsigned bits = low - shift < 8 ? low - shift : 8;
        if (!plane_open(c, in, packing_for((1u << bits) - 1), shift))
            return false;
    }
    return plane_open(c, in, high, low);
}

static weir_ints_result differences_open(weir_ints *c, weir_ints_in *in)
{
    c->order = weir_read_u8(&in->meta);
    c->lowest = (uint64_t)weir_read_svarint(&in->meta);
    c->divisor = weir_read_varint(&in->meta);
    if (in->meta.failed || c->order > 2)
        return WEIR_INTS_DAMAGED;
    weir_ints_result result = WEIR_INTS_OK;
    for (unsigned i = 0; result == WEIR_INTS_OK && i < c->order; i++)
        result = before_open(&c->before[i], c->n_slices, in);
    if (result != WEIR_INTS_OK)
        return result;
    c->base = (uint64_t)weir_read_svarint(&in->meta);
    result = exceptions_open(c, in);
    return result == WEIR_INTS_OK && !planes_open(c, in) ? WEIR_INTS_DAMAGED : result;
}

weir_ints_result weir_ints_open(weir_ints *c, weir_ints_in *in, size_t n, const uint32_t *starts,
                                size_t n_slices)
{
    c->n = (uint32_t)n;
    c->starts = starts;
    c->n_slices = (uint32_t)n_slices;
    if (n == 0)
        return WEIR_INTS_OK;
    uint64_t n_runs = weir_read_varint(&in->meta);
    weir_ints_result result = in->meta.failed ? WEIR_INTS_DAMAGED
                              : n_runs        ? runs_open(c, in, n_runs)
                                              : differences_open(c, in);
    if (result == WEIR_INTS_OK)
        weir_ints_seek(c, 0);
    return result;
}

/* --- reading ------------------------------------------------------------------------------ */

/* Planes start each slice with a new byte; the offsets are those behind the slices before. */
static void slice_begin(weir_ints *c, size_t slice)
{
    c->slice = slice;
    c->end = c->starts[slice] + slice_length(c, slice);
    if (c->order > 0)
        c->value = c->lowest + c->before[0][slice] * c->divisor;
    if (c->order > 1)
        c->step = c->before[1][slice] * c->divisor;
}

void weir_ints_seek(weir_ints *c, size_t slice)
{
    c->buffer_at = c->buffer_n = 0;
    c->filled = false;
    if (c->n == 0 || slice >= c->n_slices)
        return;
    c->next = c->starts[slice];
    if (c->n_runs) {
        c->run = weir_upper_bound(c->run_at, c->n_runs, c->next) - 1;
        return;
    }
    for (unsigned p = 0; p < c->n_planes; p++) {
        c->offsets[p] = 0;
        for (size_t i = 0; i < slice; i++)
            c->offsets[p] += packing_bytes(c->planes[p].packing, slice_length(c, i));
    }
    c->exception = c->next ? weir_upper_bound(c->exception_at, c->n_exceptions, c->next - 1) : 0;
    slice_begin(c, slice);
}

/* The residuals of the next n values, n a whole chunk or up to the end of a slice. */
static void residuals_read(weir_ints *c, size_t n)
{
    uint8_t symbols[WEIR_INTS_CHUNK];
    uint64_t *to = (uint64_t *)c->buffer;
    for (unsigned p = 0; p < c->n_planes; p++) {
        unsigned packing = c->planes[p].packing, shift = c->planes[p].shift;
        const uint8_t *from = c->planes[p].at + c->offsets[p];
        size_t n_bytes = packing_bytes(packing, n);
        if (packing != 0) {
            if (n_bytes == 0)
                memset(symbols, 0, n);
            packing_unpack(packing, from, n_bytes, symbols);
            from = symbols;
        }
        if (p == 0)
            for (size_t i = 0; i < n; i++)
                to[i] = c->base + from[i];
        else
            for (size_t i = 0; i < n; i++)
                to[i] += (uint64_t)from[i] << shift;
        c->offsets[p] += n_bytes;
    }
    while (c->exception < c->n_exceptions && c->exception_at[c->exception] < c->next + n) {
        to[c->exception_at[c->exception] - c->next] = c->exception_values[c->exception];
        c->exception++;
    }
}

static void differences_undo(weir_ints *c, size_t n)
{
    uint64_t *v = (uint64_t *)c->buffer, divisor = c->divisor;
    uint64_t value = c->value, step = c->step;
    if (c->order == 0) {
        for (size_t i = 0; i < n; i++)
            v[i] = c->lowest + v[i] * divisor;
    } else if (c->order == 1) {
        for (size_t i = 0; i < n; i++)
            v[i] = value += v[i] * divisor;
    } else {
        for (size_t i = 0; i < n; i++)
            v[i] = value += step += v[i] * divisor;
    }
    c->value = value;
    c->step = step;
}

static size_t planes_next(weir_ints *c)
{
    while (c->next == c->end && c->slice + 1 < c->n_slices) /* a slice may be empty */
        slice_begin(c, c->slice + 1);
    size_t n = c->end - c->next < WEIR_INTS_CHUNK ? c->end - c->next : WEIR_INTS_CHUNK;
    residuals_read(c, n);
    differences_undo(c, n);
    return n;
}

/* Refills nothing while one run goes on. */
static size_t runs_next(weir_ints *c)
{
    size_t n = c->n - c->next < WEIR_INTS_CHUNK ? c->n - c->next : WEIR_INTS_CHUNK;
    if (c->filled && c->next + n <= c->run_at[c->run + 1])
        return n;
    while (c->run + 1 < c->n_runs && c->next >= c->run_at[c->run + 1])
        c->run++;
    c->filled = c->next + n <= c->run_at[c->run + 1];
    if (c->filled) {
        for (size_t i = 0; i < WEIR_INTS_CHUNK; i++)
            c->buffer[i] = c->run_values[c->run];
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        if (c->next + i >= c->run_at[c->run + 1])
            c->run++;
        c->buffer[i] = c->run_values[c->run];
    }
    return n;
}

const int64_t *weir_ints_next(weir_ints *c, size_t max, size_t *ret_n)
{
    if (c->buffer_at == c->buffer_n) {
        c->buffer_at = 0;
        c->buffer_n = c->n_runs ? runs_next(c) : planes_next(c);
        c->next += c->buffer_n;
    }
    size_t n = c->buffer_n - c->buffer_at;
    n = n < max ? n : max;
    const int64_t *values = c->buffer + c->buffer_at;
    c->buffer_at += n;
    *ret_n = n;
    return values;
}
