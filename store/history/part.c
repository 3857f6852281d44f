/* SPDX-License-Identifier: MIT */
/* Parts: the pieces history is made of. */

#include "store/history/part.h"

#include <stdio.h>

#include "base/alloc.h"
#include "blocks/segment.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/history/history.h"
#include "store/store_priv.h"

enum {
    DELETE_SEGMENTS = 256,  /* in one piece ... */
    DELETE_BYTES = 1 << 20, /* ... or so many bytes */
};

int64_t weir_tier_period(int tier)
{
    int64_t days = 1;
    for (int k = 1; k < tier; k++)
        days *= WEIR_TIER_RATIO;
    return days * WEIR_DAY;
}

static weir_part part_of(sqlite3_stmt *s)
{
    return (weir_part){.id = sqlite3_column_int64(s, 0),
                       .tier = sqlite3_column_int(s, 1),
                       .epoch = (uint32_t)sqlite3_column_int64(s, 2),
                       .state = sqlite3_column_int(s, 3),
                       .min_ts = sqlite3_column_int64(s, 4),
                       .max_ts = sqlite3_column_int64(s, 5),
                       .first_seq = (uint64_t)sqlite3_column_int64(s, 6),
                       .last_seq = (uint64_t)sqlite3_column_int64(s, 7),
                       .segments = (uint64_t)sqlite3_column_int64(s, 8),
                       .samples = (uint64_t)sqlite3_column_int64(s, 9),
                       .bytes = (uint64_t)sqlite3_column_int64(s, 10)};
}

weir_err weir_parts_read(sqlite3 *db, const char *where, weir_part **ret, size_t *ret_n,
                         weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    char sql[400];
    weir_part *parts = NULL;
    size_t n = 0, capacity = 0;
    bool row;
    (void)snprintf(sql, sizeof sql,
                   "SELECT id,tier,epoch,state,min_ts,max_ts,first_seq,last_seq,segments,samples,"
                   "bytes FROM part %s",
                   where);
    weir_err err = weir_db_prepare(db, sql, &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_part *room = weir_array_room(parts, n, &capacity, sizeof *parts);
        if (!room) {
            err = weir_fail(error, WEIR_ENOMEM, "no memory for the list of parts");
            break;
        }
        parts = room;
        parts[n++] = part_of(rows);
    }
    if (err != WEIR_OK) {
        weir_free(parts);
        return err;
    }
    *ret = parts;
    *ret_n = n;
    return WEIR_OK;
}

weir_err weir_part_offset(sqlite3 *db, const weir_part *part, int64_t *ret, weir_error *error)
{
    char sql[80];
    (void)snprintf(sql, sizeof sql, "SELECT offset FROM epoch WHERE epoch=%lu",
                   (unsigned long)part->epoch);
    return weir_db_int(db, sql, 0, ret, error);
}

weir_err weir_part_write(sqlite3 *db, weir_part *part, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    weir_err err = WEIR_OK;
    if (part->id == 0)
        err = weir_db_int(db, "SELECT ifnull(max(id),0)+1 FROM part", 1, &part->id, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(db, "INSERT OR REPLACE INTO part VALUES(?,?,?,?,?,?,?,?,?,?,?)", &put,
                              error);
    if (err != WEIR_OK)
        return err;
    const int64_t numbers[] = {part->id,
                               part->tier,
                               part->epoch,
                               part->state,
                               part->min_ts,
                               part->max_ts,
                               (int64_t)part->first_seq,
                               (int64_t)part->last_seq,
                               (int64_t)part->segments,
                               (int64_t)part->samples,
                               (int64_t)part->bytes};
    for (int i = 0; i < 11; i++)
        (void)sqlite3_bind_int64(put, i + 1, numbers[i]);
    return weir_db_run(put, error);
}

weir_err weir_part_count(sqlite3 *db, weir_part *part, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(db,
                                   "SELECT key, head, length(head)+length(marks)+length(body)"
                                   " FROM segment WHERE key>=? AND key<?",
                                   &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, SEGMENT_KEY(part->id, 0, 0));
    (void)sqlite3_bind_int64(rows, 2, SEGMENT_KEY(part->id + 1, 0, 0));
    part->segments = part->samples = part->bytes = 0;
    while ((err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_segment_head head;
        const bool replies = (uint32_t)(sqlite3_column_int64(rows, 0) >> 8) & SEGMENT_REPLIES;
        /* Another damaged one counts with nothing until it is set aside too. */
        if (weir_segment_head_parse(sqlite3_column_blob(rows, 1),
                                    (size_t)sqlite3_column_bytes(rows, 1), &head,
                                    NULL) == WEIR_OK &&
            !replies)
            part->samples += head.count;
        part->segments++;
        part->bytes += (uint64_t)sqlite3_column_int64(rows, 2);
    }
    return err;
}

weir_err weir_part_drop(sqlite3 *db, int64_t id, weir_error *error)
{
    char sql[300];
    (void)snprintf(sql, sizeof sql,
                   "UPDATE part SET state=2 WHERE id=%lld OR (tier>0 AND state IN (0,3) AND EXISTS"
                   " (SELECT 1 FROM part s WHERE s.id=%lld AND s.epoch=part.epoch AND"
                   " s.first_seq>=part.first_seq AND s.last_seq<=part.last_seq))",
                   (long long)id, (long long)id);
    return weir_db_exec(db, sql, error);
}

/* --- deleting ----------------------------------------------------------------------------- */

/* The key behind the last one that this piece deletes; 0: none are left. */
static weir_err delete_until(sqlite3 *db, int64_t id, int64_t *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    int64_t bytes = 0, n = 0, last = -1;
    bool row;
    weir_err err = weir_db_prepare(db,
                                   "SELECT key, length(head)+length(marks)+length(body)"
                                   " FROM segment WHERE key>=? AND key<? ORDER BY key",
                                   &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, SEGMENT_KEY(id, 0, 0));
    (void)sqlite3_bind_int64(rows, 2, SEGMENT_KEY(id + 1, 0, 0));
    while (n < DELETE_SEGMENTS && bytes < DELETE_BYTES &&
           (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        last = sqlite3_column_int64(rows, 0);
        bytes += sqlite3_column_int64(rows, 1);
        n++;
    }
    *ret = last + 1;
    return err;
}

weir_err weir_part_delete(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    int64_t id, until;
    char sql[160];
    (void)now;
    if (store->history->none_dropped)
        return WEIR_OK;
    weir_err err = weir_db_step_int(store->find_dropped, 0, &id, error);
    store->history->none_dropped = err == WEIR_OK && id == 0;
    if (err != WEIR_OK || id == 0)
        return err;
    err = delete_until(store->db, id, &until, error);
    if (err != WEIR_OK)
        return err;
    if (until > 0)
        (void)snprintf(sql, sizeof sql, "DELETE FROM segment WHERE key>=%lld AND key<%lld",
                       (long long)SEGMENT_KEY(id, 0, 0), (long long)until);
    else
        (void)snprintf(sql, sizeof sql, "DELETE FROM part WHERE id=%lld", (long long)id);
    err = weir_db_exec(store->db, sql, error);
    *ret_did = err == WEIR_OK;
    return err;
}

weir_err weir_part_purged(sqlite3 *db, size_t n, uint64_t **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    WEIR_CLEANUP(weir_free) void *owner = weir_alloc_zero(n, sizeof(uint64_t));
    uint64_t *purged = owner;
    bool row;
    if (!purged)
        return weir_fail(error, WEIR_ENOMEM, "no memory for %zu tags", n);
    weir_err err =
        weir_db_prepare(db, "SELECT uid, purged_seq FROM tag WHERE purged_seq>0", &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        int64_t uid = sqlite3_column_int64(rows, 0);
        if (uid > 0 && (size_t)uid < n)
            purged[uid] = (uint64_t)sqlite3_column_int64(rows, 1);
    }
    if (err != WEIR_OK)
        return err;
    *ret = purged;
    owner = NULL;
    return WEIR_OK;
}
