/* SPDX-License-Identifier: MIT */
/* What the samples of one tag come to, bucket by bucket: extremes, average, growth. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blocks/summary.h"
#include "store/query/view.h"

/* A sum of differences of numbers. Exact as long as these are integers or decimals and the sum
 * fits; a double from then on. All zero is 0. */
typedef struct weir_growth {
    bool rounded;
    int8_t exponent;
    int64_t mantissa; /* * 10^exponent */
    double number;    /* when rounded */
} weir_growth;

void weir_growth_add(weir_growth *g, const weir_value *plus, const weir_value *minus);
weir_value weir_growth_value(const weir_growth *g); /* i64, decimal or f64 */

/* What the growth of a tag depends on besides its samples. */
typedef struct weir_meter {
    weir_tag_uid tag;
    bool counter;     /* falls are wraps or resets; else they are falls */
    weir_value range; /* of a counter's register: where it wraps; null: it does not */
    double lowest, span;
    size_t n_replacements;
    struct weir_replacement {
        int64_t ts; /* the new meter's first moment; as shown */
        weir_value final, first;
    } * replacements; /* ascending by ts */
} weir_meter;

/* Reads it for a tag. Release with weir_meter_deinit, also on failure. */
weir_err weir_meter_read(weir_meter *ret, weir_view *view, weir_tag_uid tag,
                         weir_error *error) WEIR_MUST_CHECK;
void weir_meter_deinit(weir_meter *meter);

/* The bucket that holds a ts; both bounds are inclusive. */
typedef struct weir_bucket_rule {
    void (*bounds)(const void *data, int64_t ts, int64_t *ret_first, int64_t *ret_last);
    const void *data;
} weir_bucket_rule;

/*
 * delta: how far the number went between the last number before the bucket (however long ago) and
 * the last within; 0 for a tag's very first number. So the deltas of all buckets add up to the
 * growth of the whole. Of a counter a fall counts as a wrap when it goes from the top tenth of its
 * register's range to the bottom tenth, else as a reset to 0. Between two numbers with a
 * replacement between them it is final minus the number before, plus the number after minus first.
 */
typedef struct weir_bucket {
    int64_t ts;           /* where the bucket begins, by its rule */
    weir_summary summary; /* falls is not kept */
    weir_growth delta;    /* means something when there are numbers */
} weir_bucket;

typedef struct weir_aggregate weir_aggregate;

typedef struct weir_aggregate_wish {
    weir_bucket_rule rule;
    int64_t min_ts, max_ts; /* at borders of buckets */
    bool has_tail;          /* as in weir_tag_series_wish, also of what is before min_ts */
    const weir_item *tail;
    size_t n_tail;
} weir_aggregate_wish;

/* Meter, rule and tail are borrowed until the end. */
weir_err weir_aggregate_new(weir_view *view, const weir_meter *meter,
                            const weir_aggregate_wish *wish, weir_aggregate **ret,
                            weir_error *error) WEIR_MUST_CHECK;
void weir_aggregate_free(weir_aggregate *aggregate); /* accepts NULL */

/* The next bucket that has samples. */
weir_err weir_aggregate_next(weir_aggregate *aggregate, weir_bucket *ret, bool *ret_any,
                             weir_error *error) WEIR_MUST_CHECK;

WEIR_DEFINE_CLEANUP(weir_aggregate, weir_aggregate_free)
