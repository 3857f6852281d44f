/* SPDX-License-Identifier: MIT */
/* Loading: history written straight into parts, not through the log. */

/*
 * A part is written in transactions of some megabytes, each on disk when it is committed. Until it
 * is complete its state is that of a part being dropped: readers pass over it, and when a crash
 * leaves it so, or it is given up, the store's duties delete it. The last transaction makes it live
 * and moves merged_seq and history_seq behind it: both are at the end of all there is when a load
 * begins, so that no row of the log is skipped.
 */

#include "store/history/load.h"

#include <stdio.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/history/history.h"
#include "store/history/maintain.h"
#include "store/history/part.h"

enum {
    TRANSACTION_BYTES = 16 * 1024 * 1024, /* the WAL grows to about that */
    SEGMENTS_OF_KEY_MAX = 256,            /* SEGMENT_KEY has 8 bits for the number */
};

struct weir_load {
    weir_store *store;
    uint64_t began_seq; /* what is up to here was there before */
    sqlite3_stmt *insert_segment;
    weir_part part; /* under way */
    bool stays;
    int64_t key;        /* of the last segment */
    size_t uncommitted; /* bytes */
};

void weir_load_end(weir_load *load)
{
    if (!load)
        return;
    weir_store_rollback(load->store);
    (void)sqlite3_finalize(load->insert_segment);
    weir_free(load);
}

/* Whether nothing is left that a part's numbers would jump over. */
static bool store_is_flushed(const weir_store *store)
{
    return !weir_fresh_next(&store->fresh, store->merged_seq) && store->history &&
           !store->history->archive && store->log.known && store->log.samples == 0;
}

/* Commits become log, and log becomes history, however young it is. */
static weir_err store_flush(weir_store *store, weir_wall now, weir_error *error)
{
    const weir_store_options options = store->options;
    bool more = true;
    weir_err err = WEIR_OK;
    store->options.merge_us = store->options.archive_us = 0;
    while (err == WEIR_OK && more && !store_is_flushed(store))
        err = weir_store_maintain(store, now, &more, error);
    store->options = options;
    if (err == WEIR_OK && !store_is_flushed(store))
        err = weir_fail(error, WEIR_EDAMAGED,
                        "what was collected cannot be moved into history: see weir store verify");
    return err;
}

weir_err weir_load_begin(weir_store *store, weir_wall now, weir_load **ret, weir_error *error)
{
    if (store->memory)
        return weir_fail(error, WEIR_EINVAL, "data_dir is memory: there is no history to load");
    weir_err err = store_flush(store, now, error);
    if (err != WEIR_OK)
        return err;
    WEIR_CLEANUP(weir_load_end) weir_load *load = weir_alloc_zero(1, sizeof *load);
    if (!load)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a load");
    load->store = store;
    load->began_seq = store->position.committed_seq;
    err = weir_db_prepare(store->db, "INSERT INTO segment VALUES(?,?,?,?)", &load->insert_segment,
                          error);
    if (err != WEIR_OK)
        return err;
    *ret = load;
    load = NULL;
    return WEIR_OK;
}

static weir_err load_commit(weir_load *load, weir_error *error)
{
    weir_err err = weir_db_run(load->store->commit, error);
    load->uncommitted = 0;
    if (err == WEIR_OK)
        weir_store_checkpoint(load->store);
    return err;
}

weir_err weir_load_part_begin(weir_load *load, const weir_load_part *part, uint64_t *ret_first_seq,
                              weir_error *error)
{
    const uint64_t first_seq = load->store->position.committed_seq + 1;
    load->part = (weir_part){.tier = (int)part->tier,
                             .state = PART_DROPPING,
                             .min_ts = INT64_MAX,
                             .max_ts = INT64_MIN,
                             .first_seq = first_seq};
    load->stays = part->stays;
    load->uncommitted = 0;
    weir_err err = weir_db_run(load->store->begin, error);
    if (err == WEIR_OK)
        err = weir_part_write(load->store->db, &load->part, error);
    if (err == WEIR_OK)
        *ret_first_seq = first_seq;
    return err;
}

/* The key of the next segment of this uid: behind all that are written. */
static weir_err key_next(const weir_load *load, uint32_t uid, int64_t *ret, weir_error *error)
{
    int64_t key = SEGMENT_KEY(load->part.id, uid, 0);
    if (load->part.segments && key <= load->key)
        key = load->key + 1;
    if (key > SEGMENT_KEY(load->part.id, uid, SEGMENTS_OF_KEY_MAX - 1))
        return weir_fail(error, WEIR_ELIMIT,
                         "tag uid %u: not ascending, or more than %d segments in a part", uid,
                         SEGMENTS_OF_KEY_MAX);
    *ret = key;
    return WEIR_OK;
}

static weir_err segment_insert(weir_load *load, uint32_t uid, const weir_segment_bytes *b,
                               weir_error *error)
{
    int64_t key = 0;
    sqlite3_stmt *s = load->insert_segment;
    weir_err err = key_next(load, uid, &key, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(s, 1, key);
    (void)sqlite3_bind_blob64(s, 2, b->head, b->head_length, SQLITE_STATIC);
    /* A null pointer would be NULL, not an empty blob. */
    (void)sqlite3_bind_blob64(s, 3, b->marks_length ? (const void *)b->marks : "", b->marks_length,
                              SQLITE_STATIC);
    (void)sqlite3_bind_blob64(s, 4, b->body_length ? (const void *)b->body : "", b->body_length,
                              SQLITE_STATIC);
    err = weir_db_run(s, error);
    (void)sqlite3_clear_bindings(s);
    const size_t size = b->head_length + b->marks_length + b->body_length;
    load->key = key;
    load->part.segments++;
    load->part.bytes += size;
    load->uncommitted += size;
    if (err == WEIR_OK && load->uncommitted >= TRANSACTION_BYTES) {
        err = load_commit(load, error);
        if (err == WEIR_OK)
            err = weir_db_run(load->store->begin, error);
    }
    return err;
}

weir_err weir_load_segment(weir_load *load, weir_tag_uid tag, const weir_segment_bytes *bytes,
                           weir_error *error)
{
    weir_segment_head head;
    weir_err err = weir_segment_head_parse(bytes->head, bytes->head_length, &head, error);
    if (err == WEIR_OK)
        err = segment_insert(load, tag, bytes, error);
    if (err != WEIR_OK)
        return err;
    weir_part *part = &load->part;
    part->samples += head.count;
    part->min_ts = head.min_ts.us < part->min_ts ? head.min_ts.us : part->min_ts;
    part->max_ts = head.max_ts.us > part->max_ts ? head.max_ts.us : part->max_ts;
    return WEIR_OK;
}

weir_err weir_load_replies(weir_load *load, uint32_t series, const weir_segment_bytes *bytes,
                           weir_error *error)
{
    return segment_insert(load, series | SEGMENT_REPLIES, bytes, error);
}

/* A merge leaves out what stays, trusting that nothing older has samples of the same tags: so only
 * where the store had nothing at all. */
static weir_err part_may_stay(weir_load *load, bool *ret, weir_error *error)
{
    char sql[200];
    int64_t older;
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM part WHERE state=1 AND last_seq<=%lld AND min_ts<=%lld"
                   " AND max_ts>=%lld",
                   (long long)load->began_seq, (long long)load->part.max_ts,
                   (long long)load->part.min_ts);
    weir_err err = weir_db_int(load->store->db, sql, 0, &older, error);
    *ret = err == WEIR_OK && older == 0;
    return err;
}

weir_err weir_load_part_end(weir_load *load, uint64_t *ret_bytes, weir_error *error)
{
    weir_store *store = load->store;
    weir_part *part = &load->part;
    bool may_stay = false;
    if (!part->samples)
        return weir_fail(error, WEIR_EINVAL, "a part without samples");
    part->last_seq = part->first_seq + part->samples - 1;
    part->state = PART_LIVE;
    weir_err err = part_may_stay(load, &may_stay, error);
    part->tier |= load->stays && may_stay ? PART_STAYS : 0;
    if (err == WEIR_OK)
        err = weir_part_write(store->db, part, error);
    if (err == WEIR_OK)
        err = weir_store_set_meta(store, "merged_seq", part->last_seq, error);
    if (err == WEIR_OK)
        err = weir_store_set_meta(store, "history_seq", part->last_seq, error);
    if (err == WEIR_OK)
        err = load_commit(load, error);
    if (err != WEIR_OK)
        return err;
    store->position.committed_seq = store->merged_seq = store->history_seq = part->last_seq;
    store->history->merge_until = part->last_seq;
    store->history->parts_changed = true;
    if (ret_bytes)
        *ret_bytes = part->bytes;
    return WEIR_OK;
}
