/* SPDX-License-Identifier: MIT */
/* What the parts of codec 3 share: they are one format in several files. */

#pragma once
#include "base/clock.h"
#include "blocks/body.h"
#include "blocks/ints.h"
#include "blocks/segment.h"

enum {
    SEGMENT_RAW_MAX = 48 * 1024 * 1024, /* marks or body before compression */
    SUMMARY_UNIFORM = 1,                /* in marks: first, last, min and max by their keys */
    SUMMARY_GENERAL = 2,                /* by kind and bits */
};

/* Lengths of slices, by their number in the head. */
static const int64_t slice_lengths[] = {0, 900000000, 3600000000, 86400000000};
enum { SLICE_LENGTH_COUNT = 4 };

/* The multiple of a slice's length that a time lies in, rounded down. */
static inline int64_t slice_number(int64_t ts, int64_t length)
{
    return weir_floor_divide(ts, length);
}

struct weir_segment_encoder {
    weir_body_packer packer;
    weir_ints_writer writer;
    weir_ints_out out;
    weir_column head, marks, body;
    weir_column starts;    /* uint32_t: first sample of each slice */
    weir_column summaries; /* weir_slice */
    weir_column values;    /* int64_t: a column on its way */
    weir_column keys;      /* int64_t: of the numbers, when they have one kind */
    weir_column indices;   /* uint32_t: starts of a column that not all samples are in */
    weir_column texts;     /* uint32_t: slots and entries of a dictionary */
    weir_column bytes;
};

/* The kind and scale that all keys of a segment have; kind WEIR_KIND_NULL: no keys. */
struct key_form {
    uint8_t kind;
    int8_t exponent;
    uint8_t scale;
};

/* Fills head->marks_* from the summaries; marks is empty for one slice. */
weir_err weir_segment_marks_write(weir_segment_encoder *e, weir_effort effort,
                                  const weir_series *series, struct key_form form,
                                  weir_segment_head *head) WEIR_MUST_CHECK;

/* Fills slices[head->n_slices]; checks that they are ascending and what the head says. */
weir_ints_result weir_segment_marks_read(const weir_segment_head *head, weir_ints_in *in,
                                         weir_slice *slices) WEIR_MUST_CHECK;

/* Puts values as one column with these starts. */
void weir_segment_column_put(weir_segment_encoder *e, const int64_t *values, size_t n,
                             const weir_column *starts);

/* Puts the values, of which there are so many of each kind. form tells whether e->keys now has a
 * key for each sample. False when memory is short. */
bool weir_segment_values_put(weir_segment_encoder *e, const weir_series *series,
                             const uint32_t counts[WEIR_KIND_COUNT],
                             struct key_form *form) WEIR_MUST_CHECK;

/* Writes the head to e->head; false when memory is short. */
bool weir_segment_head_write(weir_segment_encoder *e,
                             const weir_segment_head *head) WEIR_MUST_CHECK;
