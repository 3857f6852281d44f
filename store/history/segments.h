/* SPDX-License-Identifier: MIT */
/* Writing the segments of a part. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "blocks/segment.h"
#include "store/history/part.h"
#include "store/history/run.h"

enum {
    WEIR_PIECE_BYTES = 1 << 20, /* written in one transaction, or options.piece_samples */
};

typedef struct weir_segments {
    sqlite3 *db;
    sqlite3_stmt *put;
    weir_segment_encoder *encoder;
    size_t samples, bytes; /* since the caller last set them to 0 */
} weir_segments;

/* Release with weir_segments_deinit, also on failure. */
weir_err weir_segments_init(weir_segments *s, sqlite3 *db, weir_error *error) WEIR_MUST_CHECK;
void weir_segments_deinit(weir_segments *s);

/* Encodes all of the run, which is one segment, and inserts it in the open transaction; counts it
 * in the part. WEIR_ELIMIT: a tag has more than 256 segments in the part. */
weir_err weir_segments_put(weir_segments *s, weir_part *part, uint32_t uid, unsigned number,
                           const weir_run *run, weir_effort effort,
                           weir_error *error) WEIR_MUST_CHECK;

/*
 * Where to go on with a part after a crash: *ret_uid is the uid (or series) of its last segment,
 * which may be incomplete: with `remove` all of that uid goes, in the open transaction. 0: nothing
 * was written.
 */
weir_err weir_segments_last(sqlite3 *db, const weir_part *part, uint32_t *ret_uid,
                            weir_error *error) WEIR_MUST_CHECK;
weir_err weir_segments_remove(sqlite3 *db, weir_part *part, uint32_t uid,
                              weir_error *error) WEIR_MUST_CHECK;

/* What a uid has in a part: samples or replies, and from when to when. */
typedef struct weir_segments_extent {
    uint64_t count;
    int64_t min_ts, max_ts; /* of any; dues of replies */
} weir_segments_extent;

weir_err weir_segments_measure(sqlite3 *db, const weir_part *part, uint32_t uid,
                               weir_segments_extent *ret, weir_error *error) WEIR_MUST_CHECK;
