/* SPDX-License-Identifier: MIT */
/* The deadband of a point: which changes are worth archiving. */

#pragma once
#include "catalog/loader.h"
#include "model/point.h"

/* What a point says, or a device for all its points. */
typedef struct weir_deadband {
    weir_node at;               /* none: not a word about it */
    bool percent;               /* amount is a share of max - min */
    weir_value amount;          /* decimal, 0 or more; null: every sample is archived */
    weir_node max_unchanged_at; /* none: not a word about it */
    int64_t max_unchanged_us;   /* 0: no limit */
} weir_deadband;

/* From the values of both keys, which may be none. Says what is wrong with them. */
weir_deadband weir_deadband_read(weir_loader *l, weir_node deadband, weir_node max_unchanged);

/* Sets deadband and max_unchanged_us of a point that has everything else: its own words before
 * the device's. at: the point, for messages. False, and said so, when they do not fit it. */
bool weir_deadband_set(weir_loader *l, const weir_deadband *own, const weir_deadband *of_device,
                       weir_node at, weir_point *p);
