/* SPDX-License-Identifier: MIT */
/* One moment of the store as readers see it: live parts, and the rows that are in no part yet. */

/*
 * There are tens to hundreds of parts, and of rows behind them an hour's at most, so both lists
 * are simply read, again whenever another connection has committed something (data_version). Rows
 * that were decoded stay in a small cache under their seqs: what a seq stands for never changes,
 * so the cache outlives the moment. It serves the dashboard that asks for one tag after
 * the other.
 */

#include "store/query/view.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"

enum {
    CACHE_BLOCKS = 16,
    CACHE_SAMPLES_MAX = 512 * 1024, /* of all blocks: 16 MB */
    CACHE_REPLIES = 3,              /* of two parts that overlap, and one more */
};

struct view_epoch {
    uint32_t epoch;
    int64_t offset;
};

/* One segment of a series of replies, decoded. */
struct view_replies {
    int64_t part;
    uint32_t series;
    int64_t min_due, max_due;
    weir_reply *replies; /* NULL: the place is free */
    size_t n, at;        /* at: found last */
    uint64_t used;
};

struct weir_view {
    sqlite3 *db;
    bool has_history;
    int64_t data_version, changes; /* when read last; -1: never */
    weir_view_part *parts;
    size_t n_parts, parts_capacity;
    weir_view_row *rows;
    size_t n_rows, rows_capacity;
    struct view_epoch *epochs;
    size_t n_epochs, epochs_capacity;
    int64_t offset_min, offset_max; /* of all epochs, and 0 */
    uint64_t history_seq, merged_seq;

    sqlite3_stmt *version, *purged, *log_row, *fresh_row, *heads, *marks, *body;
    weir_view_block *cache[CACHE_BLOCKS]; /* the newest first */
    struct view_replies replies[CACHE_REPLIES];
    uint64_t replies_clock;
    weir_view_counters counters;
};

/* --- what there is ------------------------------------------------------------------------ */

static weir_err view_prepare(weir_view *view, weir_error *error)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
        bool history;
    } all[] = {
        {&view->version, "PRAGMA main.data_version", false},
        {&view->log_row, "SELECT head, body FROM main.log WHERE first_seq=?", false},
        {&view->fresh_row, "SELECT head, body, first_seq FROM main.fresh WHERE slot=?", true},
        {&view->purged, "SELECT purged_seq FROM main.tag WHERE uid=?", true},
        {&view->heads, "SELECT key, head FROM main.segment WHERE key BETWEEN ? AND ? ORDER BY key",
         true},
        {&view->marks, "SELECT marks FROM main.segment WHERE key=?", true},
        {&view->body, "SELECT body FROM main.segment WHERE key=?", true},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].history && !view->has_history)
            continue;
        weir_err err = weir_db_prepare(view->db, all[i].sql, all[i].stmt, error);
        if (err != WEIR_OK)
            return err;
    }
    return WEIR_OK;
}

weir_err weir_view_new(sqlite3 *db, weir_view **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_view_free) weir_view *view = weir_alloc_zero(1, sizeof *view);
    int64_t version = 0;
    if (!view)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
    view->db = db;
    view->data_version = -1;
    weir_err err = weir_db_int(db, "PRAGMA main.user_version", 0, &version, error);
    view->has_history = version >= 2;
    if (err == WEIR_OK)
        err = view_prepare(view, error);
    if (err != WEIR_OK)
        return err;
    *ret = view;
    view = NULL;
    return WEIR_OK;
}

void weir_view_free(weir_view *view)
{
    if (!view)
        return;
    sqlite3_stmt *statements[] = {view->version, view->purged, view->log_row, view->fresh_row,
                                  view->heads,   view->marks,  view->body};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        (void)sqlite3_finalize(statements[i]);
    for (size_t i = 0; i < CACHE_BLOCKS; i++)
        weir_view_block_release(view->cache[i]);
    for (size_t i = 0; i < CACHE_REPLIES; i++)
        weir_free(view->replies[i].replies);
    weir_free(view->parts);
    weir_free(view->rows);
    weir_free(view->epochs);
    weir_free(view);
}

/* Room for one more; NULL when memory is short. */
static void *list_room(void *at, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return at;
    size_t more = *capacity ? *capacity * 2 : 64;
    void *grown = weir_realloc_array(at, more, size);
    if (grown)
        *capacity = more;
    return grown;
}

static weir_err no_memory(weir_error *error)
{
    return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
}

static weir_err epochs_read(weir_view *view, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        view->db, "SELECT epoch, offset FROM main.epoch WHERE offset<>0 ORDER BY epoch", &stmt,
        error);
    view->n_epochs = 0;
    view->offset_min = view->offset_max = 0;
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room =
            list_room(view->epochs, view->n_epochs, &view->epochs_capacity, sizeof *view->epochs);
        if (!room)
            return no_memory(error);
        view->epochs = room;
        int64_t offset = sqlite3_column_int64(stmt, 1);
        view->epochs[view->n_epochs++] =
            (struct view_epoch){(uint32_t)sqlite3_column_int64(stmt, 0), offset};
        view->offset_min = offset < view->offset_min ? offset : view->offset_min;
        view->offset_max = offset > view->offset_max ? offset : view->offset_max;
    }
    return err;
}

static weir_err parts_read(weir_view *view, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(view->db,
                                   "SELECT id, epoch, min_ts, max_ts, first_seq, last_seq"
                                   " FROM main.part WHERE state=1",
                                   &stmt, error);
    view->n_parts = 0;
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room =
            list_room(view->parts, view->n_parts, &view->parts_capacity, sizeof *view->parts);
        if (!room)
            return no_memory(error);
        view->parts = room;
        uint32_t epoch = (uint32_t)sqlite3_column_int64(stmt, 1);
        int64_t offset = weir_view_offset(view, epoch), id = sqlite3_column_int64(stmt, 0);
        if (id < 0 || id >= 1 << 23)
            return weir_fail(error, WEIR_EDAMAGED, "part %" PRId64 ": its number is impossible",
                             id);
        view->parts[view->n_parts++] =
            (weir_view_part){.id = id,
                             .epoch = epoch,
                             .offset = offset,
                             .min_ts = weir_view_shift(sqlite3_column_int64(stmt, 2), offset),
                             .max_ts = weir_view_shift(sqlite3_column_int64(stmt, 3), offset),
                             .first_seq = (uint64_t)sqlite3_column_int64(stmt, 4),
                             .last_seq = (uint64_t)sqlite3_column_int64(stmt, 5)};
    }
    return err;
}

static int part_compare(const void *a, const void *b)
{
    const weir_view_part *x = a, *y = b;
    return x->min_ts != y->min_ts ? (x->min_ts > y->min_ts) - (x->min_ts < y->min_ts)
                                  : (x->id > y->id) - (x->id < y->id);
}

/* first_seq, last_seq, min_ts, max_ts, key of each row. */
static weir_err rows_read(weir_view *view, const char *sql, uint64_t used, bool fresh,
                          weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err = weir_db_prepare(view->db, sql, &stmt, error);
    if (err == WEIR_OK)
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)used);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room = list_room(view->rows, view->n_rows, &view->rows_capacity, sizeof *view->rows);
        if (!room)
            return no_memory(error);
        view->rows = room;
        int64_t min_ts = sqlite3_column_int64(stmt, 2), max_ts = sqlite3_column_int64(stmt, 3);
        weir_view_row r = {.key = sqlite3_column_int64(stmt, 4),
                           .fresh = fresh,
                           .first_seq = (uint64_t)sqlite3_column_int64(stmt, 0),
                           .last_seq = (uint64_t)sqlite3_column_int64(stmt, 1),
                           .min_ts = weir_view_shift(min_ts, view->offset_min),
                           .max_ts = weir_view_shift(max_ts, view->offset_max),
                           .stored_min_ts = min_ts,
                           .stored_max_ts = max_ts};
        if (r.last_seq > used)
            view->rows[view->n_rows++] = r;
    }
    return err;
}

static weir_err mark_read(weir_view *view, const char *sql, uint64_t *ret, weir_error *error)
{
    int64_t v;
    weir_err err = weir_db_int(view->db, sql, 0, &v, error);
    if (err == WEIR_OK)
        *ret = v < 0 ? 0 : (uint64_t)v;
    return err;
}

/* Rows of the log do not overlap: all before the last that begins at or below history_seq are used
 * up too, so that a long log of what some sink has not taken yet is not walked. */
#define LOG_START                                                        \
    " WHERE first_seq>=(SELECT coalesce(max(first_seq),0) FROM main.log" \
    " WHERE first_seq<=?1) ORDER BY first_seq"

static weir_err view_read(weir_view *view, weir_error *error)
{
    view->n_rows = 0;
    if (!view->has_history)
        return rows_read(view,
                         "SELECT first_seq, first_seq+count-1, min_ts, max_ts, first_seq"
                         " FROM main.log" LOG_START,
                         0, false, error);
    weir_err err = mark_read(view, "SELECT value FROM main.meta WHERE key='history_seq'",
                             &view->history_seq, error);
    if (err == WEIR_OK)
        err = mark_read(view, "SELECT value FROM main.meta WHERE key='merged_seq'",
                        &view->merged_seq, error);
    if (err == WEIR_OK)
        err = epochs_read(view, error);
    if (err == WEIR_OK)
        err = parts_read(view, error);
    if (err == WEIR_OK && view->n_parts > 0)
        qsort(view->parts, view->n_parts, sizeof *view->parts, part_compare);
    if (err == WEIR_OK)
        err = rows_read(view,
                        "SELECT first_seq, coalesce(last_seq, first_seq+count-1), min_ts, max_ts,"
                        " first_seq FROM main.log" LOG_START,
                        view->history_seq, false, error);
    if (err == WEIR_OK)
        err = rows_read(view,
                        "SELECT first_seq, first_seq+count-1, min_ts, max_ts, slot"
                        " FROM main.fresh WHERE first_seq>?1 ORDER BY first_seq",
                        view->merged_seq, true, error);
    return err;
}

weir_err weir_view_update(weir_view *view, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->version;
    bool row = false;
    weir_err err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK)
        return err;
    int64_t version = row ? sqlite3_column_int64(stmt, 0) : -1;
    int64_t changes = sqlite3_total_changes64(view->db);
    if (version == view->data_version && changes == view->changes && version != -1)
        return WEIR_OK;
    view->data_version = -1;
    err = view_read(view, error);
    if (err != WEIR_OK)
        return err;
    view->data_version = version;
    view->changes = changes;
    return WEIR_OK;
}

sqlite3 *weir_view_db(const weir_view *view)
{
    return view->db;
}

weir_view_counters *weir_view_count(weir_view *view)
{
    return &view->counters;
}

const weir_view_part *weir_view_parts(const weir_view *view, size_t *ret_n)
{
    *ret_n = view->n_parts;
    return view->parts;
}

const weir_view_row *weir_view_rows(const weir_view *view, size_t *ret_n)
{
    *ret_n = view->n_rows;
    return view->rows;
}

int64_t weir_view_offset(const weir_view *view, uint32_t epoch)
{
    for (size_t i = 0; i < view->n_epochs; i++)
        if (view->epochs[i].epoch == epoch)
            return view->epochs[i].offset;
    return 0;
}

uint64_t weir_view_history_seq(const weir_view *view)
{
    return view->history_seq;
}

uint64_t weir_view_merged_seq(const weir_view *view)
{
    return view->merged_seq;
}

bool weir_view_has_history(const weir_view *view)
{
    return view->has_history;
}

weir_err weir_view_purged(weir_view *view, weir_tag_uid tag, uint64_t *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->purged;
    bool row = false;
    *ret = 0;
    if (!stmt)
        return WEIR_OK;
    (void)sqlite3_bind_int64(stmt, 1, tag);
    weir_err err = weir_db_step(stmt, &row, error);
    if (err == WEIR_OK && row && sqlite3_column_int64(stmt, 0) > 0)
        *ret = (uint64_t)sqlite3_column_int64(stmt, 0);
    return err;
}

/* --- rows --------------------------------------------------------------------------------- */

void weir_view_block_release(weir_view_block *block)
{
    if (!block || --block->refs > 0)
        return;
    weir_block_free(block->block);
    weir_free(block);
}

/* To the front, and what no longer fits is let go. */
static void cache_put(weir_view *view, weir_view_block *block)
{
    size_t at = 0, samples = 0;
    while (at < CACHE_BLOCKS - 1 && view->cache[at] && view->cache[at] != block)
        at++;
    if (view->cache[at] != block) {
        weir_view_block_release(view->cache[at]);
        block->refs++;
    }
    for (; at > 0; at--)
        view->cache[at] = view->cache[at - 1];
    view->cache[0] = block;
    for (size_t i = 0; i < CACHE_BLOCKS && view->cache[i]; i++) {
        samples += view->cache[i]->block->count;
        if (i > 0 && samples > CACHE_SAMPLES_MAX) {
            weir_view_block_release(view->cache[i]);
            view->cache[i] = NULL;
        }
    }
    /* What was let go lies behind all that stayed, since samples only grows. */
}

static weir_err row_fail(const weir_view_row *row, weir_error *error)
{
    return weir_fail_prefix(error, "%s row %" PRIu64 ": ", row->fresh ? "fresh" : "log",
                            row->first_seq);
}

static weir_err row_head(const weir_view_row *row, sqlite3_stmt *stmt, weir_block_head *ret,
                         weir_error *error)
{
    weir_err err = weir_block_head_parse(sqlite3_column_blob(stmt, 0),
                                         (size_t)sqlite3_column_bytes(stmt, 0), ret, error);
    if (err == WEIR_OK &&
        (ret->min_ts.us != row->stored_min_ts || ret->max_ts.us != row->stored_max_ts))
        err = weir_fail(error, WEIR_EDAMAGED, "min_ts and max_ts are not those of its block");
    return err;
}

static weir_err row_decode(weir_view *view, const weir_view_row *row, sqlite3_stmt *stmt,
                           const weir_block_head *head, weir_view_block **ret, weir_error *error)
{
    weir_block *block = NULL;
    const uint8_t *body = sqlite3_column_blob(stmt, 1);
    size_t n = (size_t)sqlite3_column_bytes(stmt, 1);
    /* A used slot may be larger than what is in it now. */
    if (row->fresh && n > head->body_size)
        n = head->body_size;
    weir_view_block *found = weir_alloc_zero(1, sizeof *found);
    if (!found)
        return no_memory(error);
    weir_err err = weir_block_decode(head, body, n, &block, error);
    if (err != WEIR_OK) {
        weir_free(found);
        return err;
    }
    view->counters.decoded++;
    *found = (weir_view_block){1, row->first_seq, row->last_seq, block};
    cache_put(view, found);
    *ret = found;
    return WEIR_OK;
}

weir_err weir_view_row_block(weir_view *view, const weir_view_row *row, const weir_tag_uid *tags,
                             size_t n_tags, weir_view_block **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset)
    sqlite3_stmt *stmt = row->fresh ? view->fresh_row : view->log_row;
    weir_block_head head;
    bool found = false;
    view->counters.rows++;
    for (size_t i = 0; i < CACHE_BLOCKS && view->cache[i]; i++) {
        if (view->cache[i]->first_seq == row->first_seq &&
            view->cache[i]->last_seq == row->last_seq) {
            *ret = view->cache[i];
            (*ret)->refs++;
            cache_put(view, *ret);
            return WEIR_OK;
        }
    }
    (void)sqlite3_bind_int64(stmt, 1, row->key);
    weir_err err = weir_db_step(stmt, &found, error);
    if (err == WEIR_OK &&
        (!found || (row->fresh && (uint64_t)sqlite3_column_int64(stmt, 2) != row->first_seq)))
        err = weir_fail(error, WEIR_EDAMAGED, "it is gone");
    if (err == WEIR_OK)
        err = row_head(row, stmt, &head, error);
    if (err == WEIR_OK && tags && !weir_block_head_has_any(&head, tags, n_tags)) {
        *ret = NULL;
        return WEIR_OK;
    }
    if (err == WEIR_OK)
        err = row_decode(view, row, stmt, &head, ret, error);
    return err == WEIR_OK ? err : row_fail(row, error);
}

bool weir_view_walk_next(weir_view_walk *walk, weir_item *ret)
{
    const weir_view *view = walk->view;
    const uint64_t used = walk->row->snapshot ? 0
                          : walk->row->fresh  ? view->merged_seq
                                              : view->history_seq;
    while (walk->batch < walk->block->n_batches) {
        const weir_batch *batch = &walk->block->batches[walk->batch];
        size_t i = walk->sample++;
        if (i == batch->n_samples) {
            walk->batch++;
            walk->sample = 0;
            continue;
        }
        if (walk->only && batch->samples[i].tag != walk->only)
            continue;
        uint64_t first = walk->block->offsets ? walk->block->offsets[walk->batch]
                                              : (uint64_t)(batch->samples - walk->block->samples);
        int64_t offset = weir_view_offset(view, batch->epoch);
        *ret = (weir_item){.sample = batch->samples[i],
                           .epoch = batch->epoch,
                           .seq = walk->row->first_seq + first + i,
                           .plans = batch->plans,
                           .received = {weir_view_shift(batch->received.us, offset)}};
        ret->sample.ts.us = weir_view_shift(ret->sample.ts.us, offset);
        if (ret->seq > used)
            return true;
    }
    return false;
}

/* --- segments ----------------------------------------------------------------------------- */

weir_err weir_view_segment_fail(int64_t key, weir_error *error)
{
    uint32_t uid = (uint32_t)(key >> 8);
    return weir_fail_prefix(error, "part %" PRId64 ", %s %" PRIu32 ", segment %d: ", key >> 40,
                            uid & SEGMENT_REPLIES ? "replies of" : "tag uid",
                            uid & ~SEGMENT_REPLIES, (int)(key & 0xff));
}

weir_err weir_view_heads(weir_view *view, int64_t lowest, int64_t highest, weir_view_on_head *call,
                         void *data, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->heads;
    bool row;
    weir_err err = WEIR_OK;
    (void)sqlite3_bind_int64(stmt, 1, lowest);
    (void)sqlite3_bind_int64(stmt, 2, highest);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        weir_segment_head head;
        int64_t key = sqlite3_column_int64(stmt, 0);
        view->counters.segments++;
        err = weir_segment_head_parse(sqlite3_column_blob(stmt, 1),
                                      (size_t)sqlite3_column_bytes(stmt, 1), &head, error);
        if (err != WEIR_OK)
            return weir_view_segment_fail(key, error);
        err = call(data, key, &head, error);
    }
    return err;
}

/* Points a statement of one column at the segment. */
static weir_err segment_find(sqlite3_stmt *stmt, int64_t key, weir_error *error)
{
    bool row = false;
    (void)sqlite3_bind_int64(stmt, 1, key);
    weir_err err = weir_db_step(stmt, &row, error);
    if (err == WEIR_OK && !row)
        err = weir_fail(error, WEIR_EDAMAGED, "it is gone");
    return err;
}

weir_err weir_view_segment(weir_view *view, int64_t key, const weir_segment_head *head,
                           weir_segment **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->marks;
    weir_err err = segment_find(stmt, key, error);
    if (err == WEIR_OK)
        err = weir_segment_open(head, sqlite3_column_blob(stmt, 0),
                                (size_t)sqlite3_column_bytes(stmt, 0), ret, error);
    return err == WEIR_OK ? err : weir_view_segment_fail(key, error);
}

weir_err weir_view_segment_load(weir_view *view, int64_t key, weir_segment *segment,
                                weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->body;
    weir_err err = segment_find(stmt, key, error);
    if (err == WEIR_OK)
        err = weir_segment_load(segment, sqlite3_column_blob(stmt, 0),
                                (size_t)sqlite3_column_bytes(stmt, 0), error);
    view->counters.bodies++;
    return err == WEIR_OK ? err : weir_view_segment_fail(key, error);
}

/* --- replies ------------------------------------------------------------------------------ */

/* Which segment of a series of replies covers a moment. */
struct replies_search {
    int64_t due, key;
    weir_segment_head head;
    bool found;
};

static weir_err replies_on_head(void *data, int64_t key, const weir_segment_head *head,
                                weir_error *error)
{
    struct replies_search *s = data;
    (void)error;
    if (s->due >= head->min_ts.us && s->due <= head->max_ts.us) {
        s->key = key;
        s->head = *head;
        s->found = true;
    }
    return WEIR_OK;
}

static weir_err replies_decode(weir_view *view, const struct replies_search *s,
                               struct view_replies *place, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->body;
    weir_reply *replies = weir_realloc_array(place->replies, s->head.count, sizeof *replies);
    if (!replies)
        return no_memory(error);
    place->replies = replies;
    place->n = 0;
    weir_err err = segment_find(stmt, s->key, error);
    if (err == WEIR_OK)
        err = weir_replies_decode(&s->head, sqlite3_column_blob(stmt, 0),
                                  (size_t)sqlite3_column_bytes(stmt, 0), replies, error);
    if (err != WEIR_OK)
        return weir_view_segment_fail(s->key, error);
    view->counters.replies++;
    *place = (struct view_replies){.part = s->key >> 40,
                                   .series = (uint32_t)(s->key >> 8) & ~SEGMENT_REPLIES,
                                   .min_due = s->head.min_ts.us,
                                   .max_due = s->head.max_ts.us,
                                   .replies = replies,
                                   .n = s->head.count};
    return WEIR_OK;
}

static weir_err replies_get(weir_view *view, int64_t part, const weir_reply_ref *ref,
                            struct view_replies **ret, weir_error *error)
{
    struct replies_search s = {.due = ref->due.us};
    struct view_replies *oldest = &view->replies[0];
    for (size_t i = 0; i < CACHE_REPLIES; i++) {
        struct view_replies *r = &view->replies[i];
        if (r->n > 0 && r->part == part && r->series == ref->reply && s.due >= r->min_due &&
            s.due <= r->max_due) {
            *ret = r;
            return WEIR_OK;
        }
        oldest = r->used < oldest->used ? r : oldest;
    }
    weir_err err = weir_view_heads(view, SEGMENT_KEY(part, SEGMENT_REPLIES | ref->reply, 0),
                                   SEGMENT_KEY(part, SEGMENT_REPLIES | ref->reply, 0xff),
                                   replies_on_head, &s, error);
    if (err == WEIR_OK && !s.found)
        err = weir_fail(error, WEIR_EDAMAGED,
                        "part %" PRId64 ": replies of %" PRIu32 " are missing at %" PRId64, part,
                        ref->reply, ref->due.us);
    if (err == WEIR_OK)
        err = replies_decode(view, &s, oldest, error);
    if (err == WEIR_OK)
        *ret = oldest;
    return err;
}

/* Mostly it is that of the sample before, or its neighbour. */
static const weir_reply *replies_find(struct view_replies *r, const weir_reply_ref *ref)
{
    const weir_reply *found = NULL;
    for (size_t i = r->at; ref->mark == 0 && !found && i < r->at + 2 && i < r->n; i++)
        if (r->replies[i].due.us == ref->due.us &&
            (i == 0 || r->replies[i - 1].due.us < ref->due.us))
            found = &r->replies[i];
    if (!found)
        found = weir_reply_find(r->replies, r->n, ref);
    if (found)
        r->at = (size_t)(found - r->replies);
    return found;
}

weir_err weir_view_reply(weir_view *view, int64_t part, const weir_reply_ref *ref,
                         const weir_reply **ret, weir_error *error)
{
    struct view_replies *r = NULL;
    weir_err err = replies_get(view, part, ref, &r, error);
    if (err != WEIR_OK)
        return err;
    r->used = ++view->replies_clock;
    *ret = replies_find(r, ref);
    if (!*ret)
        return weir_fail(error, WEIR_EDAMAGED,
                         "part %" PRId64 ": no reply of %" PRIu32 " is of %" PRId64, part,
                         ref->reply, ref->due.us);
    return WEIR_OK;
}
