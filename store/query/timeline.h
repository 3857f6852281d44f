/* SPDX-License-Identifier: MIT */
/* The samples of many tags in the order of time. */

#pragma once
#include "store/query/scan.h"

/*
 * History lies tag by tag, so time is cut into windows, as wide as what fits into 16 MB: each is
 * read by a scan, sorted and handed out. The first ones are short, for those who want only the
 * newest few.
 */
typedef struct weir_timeline weir_timeline;

/* As weir_scan_new; by ts, up or down as the filter says, then by epoch and tag. */
weir_err weir_timeline_new(weir_view *view, const weir_scan_filter *filter, weir_timeline **ret,
                           weir_error *error) WEIR_MUST_CHECK;
weir_err weir_timeline_next(weir_timeline *timeline, weir_item *ret, bool *ret_any,
                            weir_error *error) WEIR_MUST_CHECK;
void weir_timeline_free(weir_timeline *timeline); /* accepts NULL */

WEIR_DEFINE_CLEANUP(weir_timeline, weir_timeline_free)
