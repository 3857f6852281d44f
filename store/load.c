/* SPDX-License-Identifier: MIT */
/* Loading: history written straight into parts, not through the log. */

/*
 * A part is written in transactions of some megabytes, each on disk when it is committed; readers
 * pass over it because it is `building`. The last transaction makes it live and moves merged_seq and
 * history_seq behind it: both are already at the end of all there is when a load begins, so that no
 * row of the log is skipped. After a crash the part is found building, its source nowhere, and is
 * dropped (maintain.c).
 */

#include "store/load.h"

#include <string.h>

#include "base/alloc.h"
#include "store/database.h"
#include "store/maintain.h"
#include "store/schema.h"
#include "store/store_priv.h"

enum {
    TRANSACTION_BYTES = 16 * 1024 * 1024, /* the WAL grows to about that */
    SEGMENTS_OF_KEY_MAX = 256,            /* SEGMENT_KEY has 8 bits for the number */
};

struct weir_load {
    weir_store *store;
    sqlite3_stmt *insert_part, *insert_segment, *finish_part, *move_seq;

    /* The part under way; id 0: none. */
    int64_t id;
    weir_load_part part;
    int64_t key, min_ts, max_ts;
    uint64_t first_seq, samples, segments, bytes;
    size_t uncommitted; /* bytes */
};

void weir_load_end(weir_load *load)
{
    if (!load)
        return;
    weir_store *store = load->store;
    weir_store_rollback(store);
    if (load->id) {
        char sql[256];
        (void)sqlite3_snprintf(sizeof sql, sql,
                               "BEGIN; DELETE FROM segment WHERE key BETWEEN %lld AND %lld;"
                               "DELETE FROM part WHERE id=%lld; COMMIT",
                               (long long)SEGMENT_KEY(load->id, 0, 0),
                               (long long)SEGMENT_KEY(load->id + 1, 0, 0) - 1, (long long)load->id);
        /* If that fails, the next open finds it. */
        if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
            weir_store_rollback(store);
    }
    (void)sqlite3_finalize(load->insert_part);
    (void)sqlite3_finalize(load->insert_segment);
    (void)sqlite3_finalize(load->finish_part);
    (void)sqlite3_finalize(load->move_seq);
    weir_free(load);
}

static weir_err load_prepare(weir_load *load, weir_error *error)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } all[] = {
        {&load->insert_part, "INSERT INTO part VALUES(?1,?2,0,?3,0,0,0,0,0,0,0)"},
        {&load->insert_segment, "INSERT INTO segment VALUES(?,?,?,?)"},
        {&load->finish_part,
         "UPDATE part SET state=?2, min_ts=?3, max_ts=?4, first_seq=?5, last_seq=?6, segments=?7,"
         " samples=?8, bytes=?9 WHERE id=?1"},
        {&load->move_seq, "INSERT OR REPLACE INTO meta VALUES('merged_seq',?1),('history_seq',?1)"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        weir_err err = weir_db_prepare(load->store->db, all[i].sql, all[i].stmt, error);
        if (err != WEIR_OK)
            return err;
    }
    return WEIR_OK;
}

weir_err weir_load_begin(weir_store *store, weir_wall now, weir_load **ret, weir_error *error)
{
    if (store->memory)
        return weir_fail(error, WEIR_EINVAL, "data_dir is memory: there is no history to load");
    weir_err err = weir_maintain_flush(store, now, error);
    if (err != WEIR_OK)
        return err;
    WEIR_CLEANUP(weir_load_end) weir_load *load = weir_alloc_zero(1, sizeof *load);
    if (!load)
        return weir_fail(error, WEIR_ENOMEM, "no memory for a load");
    load->store = store;
    err = load_prepare(load, error);
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
    int64_t id;
    weir_err err =
        weir_db_int(load->store->db, "SELECT max(id)+1 FROM part", 1, &id, error);
    if (err == WEIR_OK)
        err = weir_db_run(load->store->begin, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(load->insert_part, 1, id);
    (void)sqlite3_bind_int64(load->insert_part, 2, part->tier | (part->stays ? PART_STAYS : 0));
    (void)sqlite3_bind_int64(load->insert_part, 3, PART_BUILDING);
    err = weir_db_run(load->insert_part, error);
    load->id = id;
    load->part = *part;
    load->key = SEGMENT_KEY(id, 0, 0);
    load->min_ts = INT64_MAX;
    load->max_ts = INT64_MIN;
    load->first_seq = load->store->position.committed_seq + 1;
    load->samples = load->segments = load->bytes = 0;
    *ret_first_seq = load->first_seq;
    return err;
}

/* The key of the next segment of this uid: behind all that are written. */
static weir_err key_next(const weir_load *load, uint32_t uid, int64_t *ret, weir_error *error)
{
    int64_t key = SEGMENT_KEY(load->id, uid, 0);
    if (load->segments && key <= load->key)
        key = load->key + 1;
    if (key > SEGMENT_KEY(load->id, uid, SEGMENTS_OF_KEY_MAX - 1))
        return weir_fail(error, WEIR_ELIMIT,
                         "tag uid %u: not ascending, or more than %d segments in a part", uid,
                         SEGMENTS_OF_KEY_MAX);
    *ret = key;
    return WEIR_OK;
}

static weir_err segment_insert(weir_load *load, uint32_t uid, const weir_segment_bytes *b,
                               weir_error *error)
{
    int64_t key;
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
    load->segments++;
    load->bytes += size;
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
    load->samples += head.count;
    load->min_ts = head.min_ts.us < load->min_ts ? head.min_ts.us : load->min_ts;
    load->max_ts = head.max_ts.us > load->max_ts ? head.max_ts.us : load->max_ts;
    return WEIR_OK;
}

weir_err weir_load_replies(weir_load *load, uint32_t series, const weir_segment_bytes *bytes,
                           weir_error *error)
{
    return segment_insert(load, series | SEGMENT_REPLIES, bytes, error);
}

static weir_err part_make_live(weir_load *load, uint64_t last_seq, weir_error *error)
{
    sqlite3_stmt *s = load->finish_part;
    const int64_t numbers[] = {load->id,
                               PART_LIVE,
                               load->min_ts,
                               load->max_ts,
                               (int64_t)load->first_seq,
                               (int64_t)last_seq,
                               (int64_t)load->segments,
                               (int64_t)load->samples,
                               (int64_t)load->bytes};
    for (int i = 0; i < (int)(sizeof numbers / sizeof *numbers); i++)
        (void)sqlite3_bind_int64(s, i + 1, numbers[i]);
    weir_err err = weir_db_run(s, error);
    (void)sqlite3_bind_int64(load->move_seq, 1, (int64_t)last_seq);
    if (err == WEIR_OK)
        err = weir_db_run(load->move_seq, error);
    return err == WEIR_OK ? load_commit(load, error) : err;
}

weir_err weir_load_part_end(weir_load *load, uint64_t *ret_bytes, weir_error *error)
{
    weir_store *store = load->store;
    const uint64_t last_seq = load->first_seq + load->samples - 1;
    if (!load->samples)
        return weir_fail(error, WEIR_EINVAL, "a part without samples");
    weir_err err = part_make_live(load, last_seq, error);
    if (err != WEIR_OK)
        return err;
    store->position.committed_seq = store->merged_seq = store->history_seq = last_seq;
    store->parts_changed = true;
    load->id = 0;
    if (ret_bytes)
        *ret_bytes = load->bytes;
    return WEIR_OK;
}
