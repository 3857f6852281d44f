/* SPDX-License-Identifier: MIT */
/* Points: from what was written to what it means. */

#pragma once
#include "catalog/deadband.h"
#include "catalog/loader.h"
#include "model/point.h"

/* Reads a point's mapping on top of what in already holds: only the keys that are there change.
 * False, and said so, when it is no mapping with a name. */
bool weir_point_in_read(weir_loader *l, weir_node mapping, weir_point_in *in);
void weir_point_in_init(weir_point_in *in);

/* The value of the key in the last mapping that has it, or none. */
weir_node weir_point_in_key(const weir_point_in *in, const char *key);

/* What the device says for all its points. */
typedef struct weir_point_rules {
    weir_order order;
    unsigned registers_max, bits_max; /* per request */
    const char *multiply;             /* exact text, NULL: none */
    weir_node multiply_at;            /* for messages */
    bool placeless;                   /* its name says enough: model/catalog.h */
    weir_deadband deadband;
} weir_point_rules;

/* False, with every mistake said, when it cannot be a point. */
bool weir_point_build(weir_loader *l, const weir_point_in *in, const weir_point_rules *rules,
                      weir_point *ret);

/* Says which points' registers partly overlap: neither equal nor one inside the other. ins[i]
 * belongs to points[i]. False when there are such. */
bool weir_points_check_overlap(weir_loader *l, const weir_point *points,
                               const weir_point_in *const *ins, size_t n);
