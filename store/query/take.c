/* SPDX-License-Identifier: MIT */
/* Taking from the log: the connection, how far the log goes, and what the consumer is told. */

/*
 * Each call is one short read transaction. What is asked for in nearly each of them (which commits
 * are not merged, the offsets of epochs) is read when data_version says that another connection has
 * committed. A file that was moved away, as by a repair, is noticed at the next call, which opens
 * the one in its place.
 */

#include "store/query/take.h"

#include <string.h>

#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/query/take_priv.h"

static const char *const take_sql[TAKE_STATEMENTS] = {
    [TAKE_BEGIN] = "BEGIN",
    [TAKE_COMMIT] = "COMMIT",
    [TAKE_DATA_VERSION] = "PRAGMA main.data_version",
    [TAKE_HEAD] =
        "SELECT ifnull((SELECT value FROM main.meta WHERE key='merged_seq'),0),"
        " ifnull((SELECT value FROM main.meta WHERE key='catalog'),0),"
        " ifnull((SELECT max(seq) FROM main.event),0), f.first_seq+f.count-1, f.epoch,"
        " ifnull(l.last_seq,l.first_seq+l.count-1), l.epoch,"
        " (SELECT min(first_seq) FROM main.log)"
        " FROM (SELECT 1) LEFT JOIN"
        " (SELECT first_seq, count, epoch FROM main.fresh ORDER BY first_seq DESC LIMIT 1) f"
        " LEFT JOIN (SELECT first_seq, count, epoch, last_seq FROM main.log"
        "  ORDER BY first_seq DESC LIMIT 1) l",
    [TAKE_FRESH] = "SELECT slot, first_seq, count FROM main.fresh WHERE first_seq>?"
                   " ORDER BY first_seq",
    [TAKE_EPOCHS] = "SELECT epoch, offset FROM main.epoch ORDER BY epoch",
    [TAKE_LOG_AT] = "SELECT first_seq, ifnull(last_seq,first_seq+count-1) FROM main.log"
                    " WHERE first_seq<=? ORDER BY first_seq DESC LIMIT 1",
    [TAKE_LOG_NEXT] = "SELECT first_seq, ifnull(last_seq,first_seq+count-1) FROM main.log"
                      " WHERE first_seq>? ORDER BY first_seq LIMIT 1",
    [TAKE_LOG_ROW] = "SELECT first_seq, head, body FROM main.log WHERE first_seq=?",
    [TAKE_FRESH_ROW] = "SELECT first_seq, head, body FROM main.fresh WHERE slot=?",
    [TAKE_STATE] = "SELECT state FROM main.fresh WHERE slot=?",
    [TAKE_ORDERS] = "SELECT paused, replay_id, replay_from, replay_to, replay_done, set_aside,"
                    " retries FROM main.sink_order WHERE sink=?",
    [TAKE_RETRIES] = "SELECT a.seq, a.uid, a.ts, a.received, a.plans, a.epoch, a.quality, a.kind,"
                     " a.exponent, a.bits, a.bytes FROM main.set_aside_retry r"
                     " JOIN main.set_aside a ON a.sink=r.sink AND a.seq=r.seq"
                     " WHERE r.sink=?1 AND r.seq>?2 ORDER BY r.seq LIMIT ?3",
    [TAKE_EVENTS] = "SELECT count(*) FROM main.event WHERE seq BETWEEN ? AND ?",
    [TAKE_SET_ASIDE_BLOCKS] = "SELECT sum(count) FROM main.quarantine"
                              " WHERE origin IN ('log','fresh') AND key BETWEEN ? AND ?",
    [TAKE_TAG] = "SELECT v.seq, v.name, v.device, v.unit, v.type, v.address, v.description,"
                 " v.labels FROM main.tag_version v WHERE v.uid=? ORDER BY v.seq",
    /* These are ours, but a damaged text of them must not stop anything. */
    [TAKE_LABELS] = "SELECT key, value FROM json_each(CASE WHEN json_valid(?1) THEN ?1 ELSE '{}'"
                    " END) WHERE atom IS NOT NULL ORDER BY key",
};

/* --- the connection ----------------------------------------------------------------------- */

static void take_detach(weir_take *take)
{
    for (size_t i = 0; i < TAKE_STATEMENTS; i++) {
        (void)sqlite3_finalize(take->statements[i]);
        take->statements[i] = NULL;
    }
    weir_view_free(take->view);
    take->view = NULL;
    weir_query_close(take->query);
    take->query = NULL;
    take->version = take->head_version = take->orders_version = -1;
}

static weir_err uuid_read(weir_take *take, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    char uuid[sizeof take->uuid] = "";
    bool row;
    weir_err err = weir_db_prepare(weir_take_db(take),
                                   "SELECT value FROM main.meta WHERE key='uuid'", &stmt, error);
    if (err == WEIR_OK)
        err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK)
        return err;
    const char *text = row ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    if (!text || strlen(text) != sizeof uuid - 1)
        return weir_fail(error, WEIR_EDAMAGED, "the store has no uuid");
    memcpy(uuid, text, sizeof uuid);
    if (strcmp(uuid, take->uuid) != 0) { /* its tags and epochs are other ones */
        weir_take_tags_forget(take);
        take->trusts_any = take->doubts_any = false;
    }
    memcpy(take->uuid, uuid, sizeof uuid);
    return WEIR_OK;
}

/* The daemon migrates what it opens. */
static weir_err version_check(sqlite3 *db, weir_error *error)
{
    int64_t version;
    weir_err err = weir_db_int(db, "PRAGMA main.user_version", 0, &version, error);
    return err == WEIR_OK && version < SCHEMA_HAS_SINKS
               ? weir_fail(error, WEIR_EUNSUPPORTED,
                           "an older weir wrote the store: start this one once")
               : err;
}

static weir_err take_attach(weir_take *take, weir_error *error)
{
    weir_err err = weir_query_open(take->data_dir, take->vfs, &take->query, error);
    if (err == WEIR_OK) /* that is the business of the store thread's connection alone */
        (void)sqlite3_db_config(weir_take_db(take), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (err == WEIR_OK)
        err = version_check(weir_take_db(take), error);
    for (size_t i = 0; err == WEIR_OK && i < TAKE_STATEMENTS; i++)
        err = weir_db_prepare(weir_take_db(take), take_sql[i], &take->statements[i], error);
    if (err == WEIR_OK)
        err = uuid_read(take, error);
    /* Blocks are found by their numbers, which a store that was exchanged gives to others. */
    weir_take_blocks_deinit(take);
    weir_take_replay_deinit(take);
    if (err != WEIR_OK)
        take_detach(take);
    return err;
}

static bool file_moved(const weir_take *take)
{
    int moved = 0;
    return sqlite3_file_control(weir_take_db(take), "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
               SQLITE_OK &&
           moved;
}

static weir_err take_ready(weir_take *take, weir_error *error)
{
    if (take->query && file_moved(take))
        take_detach(take);
    return take->query ? WEIR_OK : take_attach(take, error);
}

weir_err weir_take_open(const char *data_dir, const char *vfs, const char *name, weir_take **ret,
                        weir_error *error)
{
    WEIR_CLEANUP(weir_take_close) weir_take *take = weir_alloc_zero(1, sizeof *take);
    if (!take)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
    take->data_dir = weir_alloc_text(data_dir);
    take->name = weir_alloc_text(name);
    take->vfs = vfs ? weir_alloc_text(vfs) : NULL;
    take->arena = weir_arena_new();
    if (!take->data_dir || !take->name || !take->arena || (vfs && !take->vfs))
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
    weir_err err = take_ready(take, error);
    if (err != WEIR_OK)
        return err;
    *ret = take;
    take = NULL;
    return WEIR_OK;
}

void weir_take_close(weir_take *take)
{
    if (!take)
        return;
    take_detach(take);
    weir_take_blocks_deinit(take);
    weir_take_tags_deinit(take);
    weir_cursors_deinit(&take->cursors);
    weir_arena_free(take->arena);
    weir_arena_free(take->texts);
    weir_take_replay_deinit(take);
    weir_free(take->blocks);
    weir_free(take->rows);
    weir_free(take->fresh);
    weir_free(take->epochs);
    weir_free(take->data_dir);
    weir_free(take->vfs);
    weir_free(take->name);
    weir_free(take);
}

const char *weir_take_store(const weir_take *take)
{
    return take->uuid;
}

/* --- a transaction ------------------------------------------------------------------------ */

static weir_err no_memory(weir_error *error)
{
    return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
}

static uint64_t column_seq(sqlite3_stmt *stmt, int i)
{
    int64_t v = sqlite3_column_int64(stmt, i);
    return v > 0 ? (uint64_t)v : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static weir_err head_read(weir_take *take, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = take->statements[TAKE_HEAD];
    bool row = false;
    weir_err err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK || !row)
        return err != WEIR_OK ? err : weir_fail(error, WEIR_EDAMAGED, "the log is not there");
    take->merged_seq = column_seq(stmt, 0);
    take->catalog = sqlite3_column_int64(stmt, 1);
    const uint64_t fresh = column_seq(stmt, 3), log = column_seq(stmt, 5);
    take->committed_seq = larger(larger(take->merged_seq, column_seq(stmt, 2)), larger(fresh, log));
    take->newest_epoch = (uint32_t)sqlite3_column_int64(stmt, fresh > log ? 4 : 6);
    take->first_seq = column_seq(stmt, 7);
    return WEIR_OK;
}

static weir_err fresh_read(weir_take *take, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = take->statements[TAKE_FRESH];
    bool row;
    weir_err err;
    take->n_fresh = 0;
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)take->merged_seq);
    while ((err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room =
            weir_array_room(take->fresh, take->n_fresh, &take->fresh_capacity, sizeof *take->fresh);
        if (!room)
            return no_memory(error);
        take->fresh = room;
        const uint64_t first = column_seq(stmt, 1), count = column_seq(stmt, 2);
        if (count > 0 && count <= WEIR_BLOCK_COUNT_MAX)
            take->fresh[take->n_fresh++] =
                (weir_take_fresh){sqlite3_column_int64(stmt, 0), first, first + count - 1};
    }
    if (take->first_seq == 0)
        take->first_seq = take->n_fresh > 0 ? take->fresh[0].first_seq : take->committed_seq + 1;
    return err;
}

static weir_err epochs_read(weir_take *take, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = take->statements[TAKE_EPOCHS];
    bool row;
    weir_err err;
    take->n_epochs = 0;
    while ((err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        void *room = weir_array_room(take->epochs, take->n_epochs, &take->epochs_capacity,
                                     sizeof *take->epochs);
        if (!room)
            return no_memory(error);
        take->epochs = room;
        take->epochs[take->n_epochs++] = (weir_take_epoch){(uint32_t)sqlite3_column_int64(stmt, 0),
                                                           sqlite3_column_int64(stmt, 1)};
    }
    return err;
}

bool weir_take_offset(const weir_take *take, uint32_t epoch, int64_t *ret)
{
    size_t low = 0, high = take->n_epochs;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (take->epochs[middle].epoch < epoch)
            low = middle + 1;
        else
            high = middle;
    }
    const bool known = low < take->n_epochs && take->epochs[low].epoch == epoch;
    *ret = known ? take->epochs[low].offset : 0;
    return known;
}

static weir_err version_read(weir_take *take, int64_t *ret, weir_error *error)
{
    return weir_db_step_int(take->statements[TAKE_DATA_VERSION], -1, ret, error);
}

static weir_err take_refresh(weir_take *take, weir_error *error)
{
    int64_t version;
    weir_err err = version_read(take, &version, error);
    if (err != WEIR_OK || (version == take->version && version != -1))
        return err;
    take->version = -1;
    err = head_read(take, error);
    if (err == WEIR_OK)
        err = fresh_read(take, error);
    if (err == WEIR_OK)
        err = epochs_read(take, error);
    if (err == WEIR_OK)
        take->version = version;
    return err;
}

weir_err weir_take_begin(weir_take *take, weir_error *error)
{
    weir_err err = take_ready(take, error);
    if (err == WEIR_OK)
        err = weir_db_run(take->statements[TAKE_BEGIN], error);
    if (err != WEIR_OK)
        return err;
    err = take_refresh(take, error);
    if (err != WEIR_OK)
        weir_take_end(take);
    return err;
}

/* Nothing was written, so how it ends does not matter. */
void weir_take_end(weir_take *take)
{
    weir_error ignored = WEIR_ERROR_INIT;
    if (weir_db_run(take->statements[TAKE_COMMIT], &ignored) != WEIR_OK)
        (void)sqlite3_exec(weir_take_db(take), "ROLLBACK", NULL, NULL, NULL);
}

/* --- what there is ------------------------------------------------------------------------ */

weir_err weir_take_get_head(weir_take *take, weir_take_head *ret, weir_error *error)
{
    weir_err err = weir_take_begin(take, error);
    if (err != WEIR_OK)
        return err;
    take->head_version = take->version;
    *ret = (weir_take_head){take->committed_seq, take->first_seq};
    weir_take_end(take);
    return WEIR_OK;
}

bool weir_take_changed(weir_take *take)
{
    weir_error ignored = WEIR_ERROR_INIT;
    int64_t version;
    if (!take->query || file_moved(take) || version_read(take, &version, &ignored) != WEIR_OK)
        return true;
    return version != take->head_version || version != take->orders_version;
}
