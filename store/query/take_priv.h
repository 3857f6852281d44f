/* SPDX-License-Identifier: MIT */
/* What the files of a take share: one connection, what of the store it has read, and its chunk. */

#pragma once
#include <sqlite3.h>

#include "base/alloc.h"
#include "blocks/block.h"
#include "store/file/cursor.h"
#include "store/query/query.h"
#include "store/query/take.h"
#include "store/query/view.h"

/* A commit that is not merged yet. */
typedef struct weir_take_fresh {
    int64_t slot;
    uint64_t first_seq, last_seq;
} weir_take_fresh;

typedef struct weir_take_epoch {
    uint32_t epoch;
    int64_t offset;
} weir_take_epoch;

/* A row of log or fresh, decoded. What its numbers stand for never changes, so it stays true. */
typedef struct weir_take_block {
    uint64_t first_seq, last_seq;
    weir_block *block;
    uint64_t used; /* when last: a count of calls */
} weir_take_block;

/* A version of a tag, and from which seq on it holds. */
typedef struct weir_take_version {
    uint64_t seq;
    const weir_sink_tag *tag;
} weir_take_version;

/* All versions of one tag that are known; ascending by seq. */
typedef struct weir_take_tag {
    weir_tag_uid uid; /* 0: the place is free */
    int64_t catalog;  /* as of which they were read */
    weir_take_version *versions;
    size_t n;
} weir_take_tag;

enum {
    TAKE_BEGIN,
    TAKE_COMMIT,
    TAKE_DATA_VERSION,
    TAKE_HEAD,
    TAKE_FRESH,
    TAKE_EPOCHS,
    TAKE_LOG_AT,
    TAKE_LOG_NEXT,
    TAKE_LOG_ROW,
    TAKE_FRESH_ROW,
    TAKE_STATE,
    TAKE_ORDERS,
    TAKE_RETRIES,
    TAKE_EVENTS,
    TAKE_SET_ASIDE_BLOCKS,
    TAKE_TAG,
    TAKE_LABELS,
    TAKE_STATEMENTS,
};

struct weir_take {
    char *data_dir, *vfs, *name;
    weir_query *query; /* NULL: not open */
    char uuid[37];
    sqlite3_stmt *statements[TAKE_STATEMENTS];

    /* What was read when another connection had last committed. */
    int64_t version; /* data_version; -1: nothing was read */
    uint64_t committed_seq, first_seq, merged_seq;
    uint32_t newest_epoch;
    int64_t catalog;
    weir_take_fresh *fresh; /* ascending */
    size_t n_fresh, fresh_capacity;
    weir_take_epoch *epochs; /* ascending */
    size_t n_epochs, epochs_capacity;
    int64_t head_version, orders_version; /* as of which these were last asked for */

    /* The highest epochs that are known to be of a right clock, and of one that was not. */
    bool trusts_any;
    uint32_t trusted_epoch;
    bool doubts_any;
    uint32_t doubted_epoch;

    weir_arena *arena; /* of the tags */
    weir_take_tag *tags;
    size_t n_tags, tags_capacity; /* a power of two */
    uint32_t n_numbers;

    uint64_t calls;
    weir_take_block *blocks;
    size_t n_blocks, blocks_capacity;
    weir_sink_row *rows;
    size_t n_rows, rows_capacity;

    weir_arena *texts; /* of rows that borrow from no block */

    weir_cursors cursors;
    weir_take_orders orders;

    weir_view *view; /* NULL: nothing was replayed yet */
    struct {
        weir_sink_row *rows; /* read ahead, ascending by ts */
        size_t n, at, capacity;
        weir_arena *texts;
        int64_t from, until, to; /* all with from <= ts <= until is in them; of a replay up to to */
        bool any;
        uint64_t span; /* of ts, which the last reading ahead covered; 0: none yet */
    } replay;
};

WEIR_DEFINE_CLEANUP(weir_take, weir_take_close)

/* Opens the file, or again when another is in its place; begins a read transaction in which what is
 * above is what the store has. */
weir_err weir_take_begin(weir_take *take, weir_error *error) WEIR_MUST_CHECK;
void weir_take_end(weir_take *take);

static inline sqlite3 *weir_take_db(const weir_take *take)
{
    return weir_query_db(take->query);
}

/* What is to be added to the times of an epoch; false: it is not known. */
bool weir_take_offset(const weir_take *take, uint32_t epoch, int64_t *ret);

/* The tag as it was for this seq; within the transaction. Lives as long as the take. */
weir_err weir_take_find_tag(weir_take *take, weir_tag_uid uid, uint64_t seq,
                            const weir_sink_tag **ret, weir_error *error) WEIR_MUST_CHECK;
void weir_take_tags_deinit(weir_take *take);

/* The tags of a store that was exchanged for another are other ones. */
void weir_take_tags_forget(weir_take *take);

/* Room for one more of take->rows. */
weir_err weir_take_row_room(weir_take *take, weir_error *error) WEIR_MUST_CHECK;

void weir_take_blocks_deinit(weir_take *take);
void weir_take_replay_deinit(weir_take *take);
