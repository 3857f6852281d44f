/* SPDX-License-Identifier: MIT */
/* One moment of the store as readers see it: live parts, and the rows that are in no part yet. */

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"
#include "blocks/block.h"
#include "blocks/replies.h"
#include "blocks/segment.h"
#include "model/sample.h"
#include "store/query/counters.h"

/*
 * A sample as found in the store. ts and received have the offset that was stored for their epoch
 * added (design: samples taken while the clock could not be trusted).
 */
typedef struct weir_item {
    weir_sample sample;
    uint32_t epoch, flags; /* flags, and those below: 0 unless asked for */
    uint64_t seq, plans;
    weir_wall received;
} weir_item;

typedef struct weir_view_part {
    int64_t id, min_ts, max_ts; /* ts as shown */
    int64_t offset;             /* of its epoch: shown = stored + offset */
    uint32_t epoch;
    uint64_t first_seq, last_seq;
} weir_view_part;

/* A row of log or fresh; its times may be wider than what is inside. */
typedef struct weir_view_row {
    int64_t key; /* first_seq, or the slot */
    bool fresh;
    bool snapshot; /* neither: nothing of it is used up */
    uint64_t first_seq, last_seq;
    int64_t min_ts, max_ts;
    int64_t stored_min_ts, stored_max_ts; /* as its columns say */
} weir_view_row;

/* A decoded row, shared by those who read it. */
typedef struct weir_view_block {
    unsigned refs;
    uint64_t first_seq, last_seq;
    weir_block *block;
} weir_view_block;

typedef struct weir_view weir_view;

/* Belongs to db, one thread at a time. Nothing is read yet. */
weir_err weir_view_new(sqlite3 *db, weir_view **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_view_free(weir_view *view); /* accepts NULL */

/*
 * Reads what there is, if the database has changed since. The caller is within a read transaction
 * and stays in it for as long as he uses what was read.
 */
weir_err weir_view_update(weir_view *view, weir_error *error) WEIR_MUST_CHECK;

sqlite3 *weir_view_db(const weir_view *view);
weir_view_counters *weir_view_count(weir_view *view);

/* Live parts by min_ts; rows by first_seq. Valid until the next update. */
const weir_view_part *weir_view_parts(const weir_view *view, size_t *ret_n);
const weir_view_row *weir_view_rows(const weir_view *view, size_t *ret_n);
int64_t weir_view_offset(const weir_view *view, uint32_t epoch);

/* Rows of log and fresh up to these are used up: in parts, or in the log. */
uint64_t weir_view_history_seq(const weir_view *view);
uint64_t weir_view_merged_seq(const weir_view *view);

/* Whether the tables of history are there: those of version 1 have none. */
bool weir_view_has_history(const weir_view *view);
bool weir_view_has_sinks(const weir_view *view); /* likewise; version 2 had none */
bool weir_view_has_keys(const weir_view *view);  /* likewise; version 3 had none */

/* Samples of the tag up to this seq are not to be shown; 0: none. */
weir_err weir_view_purged(weir_view *view, weir_tag_uid tag, uint64_t *ret,
                          weir_error *error) WEIR_MUST_CHECK;

/*
 * The row's block, from a small cache if it is there; release it. *ret is NULL when it holds none
 * of the tags. WEIR_EDAMAGED, WEIR_EUNSUPPORTED: error names the row.
 */
weir_err weir_view_row_block(weir_view *view, const weir_view_row *row, const weir_tag_uid *tags,
                             size_t n_tags, weir_view_block **ret,
                             weir_error *error) WEIR_MUST_CHECK;
void weir_view_block_release(weir_view_block *block); /* accepts NULL */

/* The samples of a row's block, one after the other; without those that are used up. */
typedef struct weir_view_walk {
    const weir_view *view;
    const weir_view_row *row;
    const weir_block *block;
    weir_tag_uid only;    /* of this tag; 0: of all */
    size_t batch, sample; /* next; sample is in the batch */
} weir_view_walk;

bool weir_view_walk_next(weir_view_walk *walk, weir_item *ret);

/* Heads of segments with lowest <= key <= highest: calls back for each, by key. An error of the
 * callback ends it and is returned. */
typedef weir_err weir_view_on_head(void *data, int64_t key, const weir_segment_head *head,
                                   weir_error *error);
weir_err weir_view_heads(weir_view *view, int64_t lowest, int64_t highest, weir_view_on_head *call,
                         void *data, weir_error *error) WEIR_MUST_CHECK;

/* Opens a segment; loads its body. Errors name it. */
weir_err weir_view_segment(weir_view *view, int64_t key, const weir_segment_head *head,
                           weir_segment **ret, weir_error *error) WEIR_MUST_CHECK;
weir_err weir_view_segment_load(weir_view *view, int64_t key, weir_segment *segment,
                                weir_error *error) WEIR_MUST_CHECK;

/* In which reply a sample of the part came. Lives until the next call. WEIR_EDAMAGED: there is
 * none. */
weir_err weir_view_reply(weir_view *view, int64_t part, const weir_reply_ref *ref,
                         const weir_reply_record **ret, weir_error *error) WEIR_MUST_CHECK;

/* Puts "part 3, tag uid 7, segment 0: " in front of the error. */
weir_err weir_view_segment_fail(int64_t key, weir_error *error);

/* ts + offset, kept in range. */
static inline int64_t weir_view_shift(int64_t ts, int64_t offset)
{
    int64_t v;
    return __builtin_add_overflow(ts, offset, &v) ? (offset < 0 ? INT64_MIN : INT64_MAX) : v;
}

WEIR_DEFINE_CLEANUP(weir_view, weir_view_free)
