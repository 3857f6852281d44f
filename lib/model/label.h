/* SPDX-License-Identifier: MIT */
/* Labels: what users say of devices and points, and what a tag has of both. */

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "weir/row.h"

/* Ascending by key, as all labels of a catalog are. */
void weir_labels_sort(weir_label *labels, size_t n);
bool weir_labels_equal(const weir_label *a, size_t n_a, const weir_label *b, size_t n_b);

/*
 * The labels of a tag: its device's, and over them its point's. They are put together while they
 * are looked at, so that no tag needs memory for its own.
 *
 *     weir_tag_labels both = weir_labels_of_tag(catalog, tag);
 *     for (const weir_label *label; (label = weir_tag_labels_next(&both));)
 */
typedef struct weir_tag_labels {
    const weir_label *device, *point; /* what is left */
    size_t n_device, n_point;
} weir_tag_labels;

/* Ascending by key; NULL: no more. */
const weir_label *weir_tag_labels_next(weir_tag_labels *labels);

/* {"building":"A","floor":"2"} */
void weir_tag_labels_format(weir_tag_labels labels, weir_text *t);
