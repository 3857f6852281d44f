/* SPDX-License-Identifier: MIT */
/* What the files of the diff share: comparing things, and lists of points. */

#pragma once
#include <string.h>

#include "model/diff.h"

/* How two lists of points differ. */
typedef struct weir_points_verdict {
    const weir_point *older, *newer; /* whose verdict it is; NULL: none yet */
    uint32_t n_older, n_newer;
    weir_change change;
    uint32_t added, removed, changed; /* points */
} weir_points_verdict;

static inline const char *weir_diff_text(const char *text)
{
    return text ? text : "";
}

static inline bool weir_diff_texts_equal(const char *a, const char *b)
{
    return a == b || strcmp(weir_diff_text(a), weir_diff_text(b)) == 0;
}

/* diff_equal.c: where something was written never counts. */
weir_change weir_diff_point(const weir_point *a, const weir_point *b);
bool weir_diff_rhythms_equal(const weir_device *a, const weir_device *b);
bool weir_diff_limits_equal(const weir_device *a, const weir_device *b);
bool weir_diff_labels_equal(const weir_device *a, const weir_device *b);
bool weir_diff_endpoints_equal(const weir_connection *a, const weir_connection *b);
bool weir_diff_timing_equal(const weir_connection *a, const weir_connection *b);
bool weir_diff_sinks_equal(const weir_sink_config *a, const weir_sink_config *b);
bool weir_diff_plans_equal(const weir_plan *a, const weir_plan *b);
bool weir_diff_stores_equal(const weir_store_config *a, const weir_store_config *b);

/* diff_points.c. False: no memory. */
bool weir_diff_compare_points(weir_points_verdict *ret, const weir_device *older,
                              const weir_device *newer) WEIR_MUST_CHECK;

static inline bool weir_diff_same_connection(const weir_diff *diff, const weir_device *older,
                                             const weir_device *newer)
{
    return diff->connections.old_of[newer->connection] == older->connection;
}
