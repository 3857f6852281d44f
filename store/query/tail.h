/* SPDX-License-Identifier: MIT */
/* What is in no part yet, read for many tags at once. */

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/query/view.h"

/*
 * The rows of log and fresh hold all tags side by side, so to go tag by tag through them would
 * decompress each row once for each tag. Here they are walked once for as many tags as fit into
 * 16 MB, then again for the next ones.
 */
typedef struct weir_tail weir_tail;

/* Which samples: bounds of ts as shown, and the least seq of a row's last sample. */
weir_tail *weir_tail_new(weir_view *view, int64_t min_ts, int64_t max_ts,
                         uint64_t min_seq) WEIR_MUST_CHECK; /* NULL: out of memory */
void weir_tail_free(weir_tail *tail);                       /* accepts NULL */

/*
 * The tag's samples, ascending by (ts, epoch), of one identity the highest seq. `tags` are those
 * that will be asked for, ascending; this is the one at `at`. Lives until the next call.
 */
weir_err weir_tail_get(weir_tail *tail, const weir_tag_uid *tags, size_t n_tags, size_t at,
                       const weir_item **ret, size_t *ret_n, weir_error *error) WEIR_MUST_CHECK;

WEIR_DEFINE_CLEANUP(weir_tail, weir_tail_free)
