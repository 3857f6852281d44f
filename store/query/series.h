/* SPDX-License-Identifier: MIT */
/* The samples of one tag, merged from segments, log and fresh rows, each identity once. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/query/view.h"

/* What is wanted; bounds are inclusive. */
typedef struct weir_tag_series_wish {
    weir_tag_uid tag;
    int64_t min_ts, max_ts;    /* as shown */
    uint64_t min_seq, max_seq; /* of what is shown: what they leave out still supersedes */
    bool descending;           /* by ts */
    bool replies;              /* seq, received and plans are wanted */

    /* The tag's samples of all rows, ascending by (ts, epoch), when the caller has them already;
     * else the rows are read one after the other as their time comes. Borrowed. */
    bool has_tail;
    const weir_item *tail;
    size_t n_tail;
} weir_tag_series_wish;

typedef struct weir_tag_series weir_tag_series;

/*
 * Starts reading; what is read is what the next samples need. The view must not be updated to
 * another moment as long as the series is used.
 */
weir_err weir_tag_series_new(weir_view *view, const weir_tag_series_wish *wish,
                             weir_tag_series **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_tag_series_free(weir_tag_series *series); /* accepts NULL */

/*
 * The next sample. By ts and, where that is equal, by epoch; of one identity the one with the
 * highest seq. What the item borrows lives until the next call.
 *
 * WEIR_EDAMAGED, WEIR_EUNSUPPORTED   error names the part or row.
 */
weir_err weir_tag_series_next(weir_tag_series *series, weir_item *ret, bool *ret_any,
                              weir_error *error) WEIR_MUST_CHECK;

/*
 * The next samples as cheaply as they can be had: the summary of a whole segment or slice when
 * nothing overlaps it, or some samples side by side (ascending, also when the series descends).
 */
typedef struct weir_stretch {
    const weir_summary *summary; /* NULL: n samples instead */
    const weir_sample *samples;
    size_t n;
} weir_stretch;

/*
 * Nothing in the stretch is past `until` (ts, inclusive; the first sample is handed out in any
 * case: look at it with weir_tag_series_peek). with_falls: summaries with falls will do too. A
 * series that was asked for replies, or has bounds on seq, gives no summaries. Lives until the next
 * call.
 */
weir_err weir_tag_series_next_stretch(weir_tag_series *series, int64_t until, bool with_falls,
                                      weir_stretch *ret, bool *ret_any,
                                      weir_error *error) WEIR_MUST_CHECK;

/* The ts of the next sample; nothing is consumed. */
weir_err weir_tag_series_peek(weir_tag_series *series, int64_t *ret_ts, bool *ret_any,
                              weir_error *error) WEIR_MUST_CHECK;

WEIR_DEFINE_CLEANUP(weir_tag_series, weir_tag_series_free)
