/* SPDX-License-Identifier: MIT */
/* The coder of one column of 64-bit integers, of which single slices can be decoded. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "blocks/column.h"

/*
 * Bytes of like kind compress best beside each other, each under statistics of their own. So a
 * column goes to two places: what is short or mixed to `meta`, long stretches to `data`, each of
 * them ending at a cut. docs/design/store.md has the format.
 */
typedef struct weir_ints_out {
    weir_column meta, data;
    weir_column cuts; /* uint32_t: ends of the stretches in data */
    bool failed;      /* no memory; what was written is of no use */
} weir_ints_out;

void weir_ints_out_clear(weir_ints_out *out);  /* keeps the memory */
void weir_ints_out_deinit(weir_ints_out *out); /* accepts zeroed */

/* To meta; failing is remembered in out. */
void weir_ints_put_varint(weir_ints_out *out, uint64_t v);
void weir_ints_put_svarint(weir_ints_out *out, int64_t v);

/* A stretch of bytes with its length: to data when it is long. */
void weir_ints_put_bytes(weir_ints_out *out, const void *bytes, size_t n);

/* Memory of the writer, and how hard it tries. */
typedef struct weir_ints_writer {
    weir_column residuals, packed, spare, exceptions, starts;
    void *zstd; /* ZSTD_CCtx: several forms are tried and measured; NULL: the form is estimated */
} weir_ints_writer;

void weir_ints_writer_deinit(weir_ints_writer *writer);

/*
 * Writes n integers. Slice i starts at starts[i] (ascending, the first is 0); each can be read
 * without those before it. n = 0 writes nothing.
 */
void weir_ints_write(weir_ints_writer *writer, weir_ints_out *out, const int64_t *values, size_t n,
                     const uint32_t *starts, size_t n_slices);

/* About how many bits n > 0 integers will take. */
double weir_ints_estimate(weir_ints_writer *writer, const int64_t *values, size_t n);

/* Where to read from: the two places. */
typedef struct weir_ints_in {
    weir_reader meta, data;
} weir_ints_in;

/* The counterpart of weir_ints_put_bytes; NULL when it is cut short. */
const uint8_t *weir_ints_get_bytes(weir_ints_in *in, size_t *ret_n);

enum {
    WEIR_INTS_CHUNK = 960, /* values decoded at a time: a multiple of each packing */
    WEIR_INTS_PLANES = 9,
};

/* A column that is read. Borrows the bytes it is read from. */
typedef struct weir_ints {
    uint32_t n;
    uint32_t n_slices;
    const uint32_t *starts; /* borrowed */
    /* Runs: their first numbers (and n behind the last), and their values. */
    uint32_t n_runs; /* 0: planes */
    uint32_t *run_at;
    int64_t *run_values;
    /* Planes: differences of some order, less base, over a common divisor. */
    unsigned order;
    uint64_t lowest, divisor, base;
    struct {
        const uint8_t *at;
        uint8_t packing, shift;
    } planes[WEIR_INTS_PLANES];
    unsigned n_planes;
    uint32_t n_exceptions;
    uint32_t *exception_at;
    uint64_t *exception_values;
    uint64_t *before[2]; /* what each slice starts from: value, difference */
    /* Where reading is. */
    size_t slice, next, end; /* next value to decode, end of its slice */
    size_t offsets[WEIR_INTS_PLANES];
    uint32_t run, exception;
    uint64_t value, step;
    bool filled; /* the whole buffer holds the run's value */
    size_t buffer_at, buffer_n;
    int64_t buffer[WEIR_INTS_CHUNK];
} weir_ints;

typedef enum weir_ints_result {
    WEIR_INTS_OK,
    WEIR_INTS_DAMAGED,
    WEIR_INTS_NO_MEMORY,
} weir_ints_result;

/* Reads the column's parts; starts must live as long as the column. Whatever it returns, deinit
 * follows; the column must be zeroed before. */
weir_ints_result weir_ints_open(weir_ints *column, weir_ints_in *in, size_t n,
                                const uint32_t *starts, size_t n_slices) WEIR_MUST_CHECK;
void weir_ints_deinit(weir_ints *column); /* accepts zeroed */

void weir_ints_seek(weir_ints *column, size_t slice);

/* The next values, at most max and at least one, in the column's buffer; goes on into the
 * following slices. Not past the end: the caller counts. */
const int64_t *weir_ints_next(weir_ints *column, size_t max, size_t *ret_n);

/* First index of ascending numbers whose number is above x; n when there is none. */
static inline uint32_t weir_upper_bound(const uint32_t *sorted, uint32_t n, size_t x)
{
    uint32_t low = 0;
    while (low < n) {
        uint32_t middle = low + (n - low) / 2;
        if (sorted[middle] <= x)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

/* Whether all values are the same. */
static inline bool weir_ints_constant(const weir_ints *column)
{
    return column->n_runs == 1;
}
