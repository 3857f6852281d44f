/* SPDX-License-Identifier: MIT */
/* Tags of a range, as many as fit into memory: their samples gathered tag by tag. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/history/census.h"
#include "store/history/part.h"
#include "store/history/log_range.h"
#include "store/history/run.h"

/* Of the uids, or series of replies, [first, first + n). */
typedef struct weir_group {
    const weir_census *census;
    const weir_part *part; /* whose samples these are */
    uint32_t first, n;
    bool replies;
    weir_run all;        /* the memory of all of them */
    uint32_t *starts;    /* [n + 1] in `all` */
    uint32_t *filled;    /* [n] */
    int64_t *newest_due; /* of each series, so far in this reading of the range */
    weir_arena *texts;
} weir_group;

void weir_group_free(weir_group *g); /* leaves an empty one */

/* As many uids from `first` on as fit into so many bytes, one at least. False: none is left. */
bool weir_group_choose(weir_group *g, const weir_census *census, bool replies, uint32_t first,
                       size_t bytes);

/* Gets the memory for what was chosen, of this part. WEIR_ENOMEM. */
weir_err weir_group_begin(weir_group *g, const weir_part *part, weir_error *error) WEIR_MUST_CHECK;

/* Takes what a row has of the group: data is the group. The range is to be read from its start. */
weir_log_range_on_row weir_group_on_row;

/* What was gathered of the i-th uid; borrows it. */
weir_run weir_group_run(const weir_group *g, uint32_t i);
