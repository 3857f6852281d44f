/* SPDX-License-Identifier: MIT */
/* Giving back the disk's space of purged tags. */

/*
 * Readers leave out what is purged, and merges do. But old parts are never merged again: so after a
 * purge, and after each start, all parts are looked over, a tag of a part at a time. A segment goes
 * when its part holds nothing that came after the purge. A part that does is young, and a merge
 * takes it.
 *
 * As with expiry, this and a merge of parts or a sweep are never under way at once. Only the place
 * is remembered, and brought forward behind the transaction: after a failure it is done again.
 */

#include "store/history/purge.h"

#include <stdio.h>

#include "blocks/segment.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/history/history.h"
#include "store/history/part.h"

enum { PIECE_TAGS = 256, PIECE_SEGMENTS = 128 };

/* The next live part, as a row; *ret_n 0: there is none. */
static weir_err part_next(weir_store *store, weir_part **ret, size_t *ret_n, weir_error *error)
{
    char where[80];
    (void)snprintf(where, sizeof where, "WHERE state=1 AND id>=%lld ORDER BY id LIMIT 1",
                   (long long)store->history->purge.part);
    return weir_parts_read(store->db, where, ret, ret_n, error);
}

/* Deletes a tag's segments of the part, and takes them off its row. */
static weir_err segments_delete(weir_store *store, weir_part *part, uint32_t uid, uint64_t *deleted,
                                weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    const int64_t first = SEGMENT_KEY(part->id, uid, 0), end = SEGMENT_KEY(part->id, uid + 1, 0);
    char sql[100];
    uint64_t n = 0;
    bool row;
    weir_err err = weir_db_prepare(store->db,
                                   "SELECT head, length(head)+length(marks)+length(body)"
                                   " FROM segment WHERE key>=? AND key<?",
                                   &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, first);
    (void)sqlite3_bind_int64(rows, 2, end);
    while ((err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_segment_head head;
        if (weir_segment_head_parse(sqlite3_column_blob(rows, 0),
                                    (size_t)sqlite3_column_bytes(rows, 0), &head, NULL) != WEIR_OK)
            return WEIR_OK; /* damaged: left to a merge or a repair, which set it aside */
        part->samples -= head.count;
        part->bytes -= (uint64_t)sqlite3_column_int64(rows, 1);
        n++;
    }
    part->segments -= n;
    *deleted += n;
    (void)snprintf(sql, sizeof sql, "DELETE FROM segment WHERE key>=%lld AND key<%lld",
                   (long long)first, (long long)end);
    return err == WEIR_OK && n > 0 ? weir_db_exec(store->db, sql, error) : err;
}

/* *ret_uid: tags up to it are done; 0: all. */
static weir_err part_clean(weir_store *store, weir_part *part, int64_t *ret_uid, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *tags = NULL;
    uint64_t deleted = 0;
    bool row = false;
    weir_err err = weir_db_prepare(
        store->db, "SELECT uid FROM tag WHERE purged_seq>=? AND uid>? ORDER BY uid", &tags, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(tags, 1, (int64_t)part->last_seq);
    (void)sqlite3_bind_int64(tags, 2, *ret_uid);
    *ret_uid = 0;
    for (int n = 0; err == WEIR_OK && n < PIECE_TAGS && deleted < PIECE_SEGMENTS; n++) {
        err = weir_db_step(tags, &row, error);
        if (err != WEIR_OK || !row)
            break;
        *ret_uid = sqlite3_column_int64(tags, 0);
        err = segments_delete(store, part, (uint32_t)*ret_uid, &deleted, error);
    }
    if (!row)
        *ret_uid = 0;
    if (err == WEIR_OK && deleted > 0)
        err = weir_part_write(store->db, part, error);
    if (err == WEIR_OK && deleted > 0 && part->samples == 0)
        err = weir_part_drop(store->db, part->id, error); /* replies alone are of no use */
    store->history->parts_changed |= deleted > 0;
    return err;
}

weir_err weir_purge_run(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    weir_part *parts = NULL;
    size_t n = 0;
    int64_t uid = store->history->purge.uid;
    (void)now;
    if (store->history->purge.finished || store->history->compact ||
        !store->history->compact_looked || !weir_expire_is_idle(store))
        return WEIR_OK;
    weir_err err = part_next(store, &parts, &n, error);
    if (err != WEIR_OK || n == 0) {
        store->history->purge.finished = err == WEIR_OK;
        return err;
    }
    uid = parts->id == store->history->purge.part ? uid : 0;
    err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = part_clean(store, parts, &uid, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err == WEIR_OK)
        store->history->purge = (weir_purge){.part = parts->id + (uid == 0), .uid = uid};
    weir_free(parts);
    *ret_did = err == WEIR_OK;
    return err;
}
