/* SPDX-License-Identifier: MIT */
/* The store looks itself over for damage, before somebody asks for what is damaged. */

/*
 * Merges find what is damaged in young data, as they read it. Old parts are read by nobody for
 * months, and a backup that is made of them meanwhile may be the last good one. So everything is
 * decoded in turn: a piece of some milliseconds, and then no other until the next second, since
 * nothing waits for it. meta has when history was last read to its end, and now and then how far
 * it is read: a start goes on from there. The log is short, and read at each start.
 *
 * A damaged row goes to the table quarantine in one transaction with its part's new numbers. Only
 * parts that count are looked at, and never while a merge or a sweep has a list of them.
 */

#include "store/history/scrub.h"

#include <stdio.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/row.h"
#include "store/file/schema.h"
#include "store/history/history.h"
#include "store/history/part.h"
#include "store/history/quarantine.h"
#include "store/repair/verify.h"

#define SCRUB_INTERVAL (7 * WEIR_DAY)

enum {
    PIECE_SAMPLES = 128 * 1024, /* decoded */
    PIECE_BYTES = 1 << 20,      /* read */
    PIECE_ROWS = 1024,
    SAVE_PIECES = 256, /* some minutes */
};

/* --- a row -------------------------------------------------------------------------------- */

static bool is_damage(weir_err err)
{
    return err == WEIR_EDAMAGED || err == WEIR_EUNSUPPORTED;
}

static weir_err log_row_look(weir_store *store, sqlite3_stmt *row, weir_wall now, uint64_t *samples,
                             weir_error *error)
{
    WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
    weir_error why = WEIR_ERROR_INIT;
    weir_block_head head;
    const weir_row found = weir_row_of(row, 0, 1, 2);
    const int64_t count = sqlite3_column_int64(row, 3);
    weir_err err = weir_row_decode(found, &head, &block, &why);
    if (is_damage(err))
        return weir_quarantine_log_row(store, &found, count, now, &why, error);
    *samples += (uint64_t)count;
    /* What readers choose rows by. */
    if (err == WEIR_OK && (count != head.count || head.min_ts.us != sqlite3_column_int64(row, 4) ||
                           head.max_ts.us != sqlite3_column_int64(row, 5)))
        err = weir_fail(&why, WEIR_EDAMAGED, "log row %lld: its numbers are not those of its block",
                        (long long)found.first_seq);
    return err == WEIR_OK ? WEIR_OK : weir_fail(error, err, "%s", why.text);
}

/* Takes it out of its part; one that holds no samples then goes too. */
static weir_err part_set_aside(weir_store *store, weir_part *part, const weir_damaged *damaged,
                               weir_wall now, const weir_error *why, weir_error *error)
{
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_quarantine_segment(store, damaged, now, why, error);
    if (err == WEIR_OK)
        err = weir_part_count(store->db, part, error);
    if (err == WEIR_OK)
        err = weir_part_write(store->db, part, error);
    if (err == WEIR_OK && part->samples == 0)
        err = weir_part_drop(store->db, part->id, error);
    store->history->parts_changed = true;
    return err == WEIR_OK ? weir_db_run(store->commit, error) : err;
}

static weir_err segment_set_aside(weir_store *store, const weir_damaged *damaged, weir_wall now,
                                  const weir_error *why, weir_error *error)
{
    char where[80];
    weir_part *part = NULL;
    size_t n = 0;
    if ((uint32_t)(damaged->key >> 8) & SEGMENT_REPLIES)
        return weir_fail(error, WEIR_EDAMAGED, "%s", why->text);
    (void)snprintf(where, sizeof where, "WHERE state=1 AND id=%lld", (long long)damaged->key >> 40);
    weir_err err = weir_parts_read(store->db, where, &part, &n, error);
    if (err == WEIR_OK && n > 0)
        err = part_set_aside(store, part, damaged, now, why, error);
    weir_free(part);
    return err;
}

static weir_err segment_look(weir_store *store, sqlite3_stmt *row, weir_wall now, uint64_t *samples,
                             weir_error *error)
{
    weir_error why = WEIR_ERROR_INIT;
    uint64_t count;
    weir_err err = weir_verify_segment(row, &count, &why);
    *samples += count;
    if (!is_damage(err))
        return err == WEIR_OK ? WEIR_OK : weir_fail(error, err, "%s", why.text);
    const weir_damaged damaged = {.origin = "segment",
                                  .key = sqlite3_column_int64(row, 0),
                                  .count = (int64_t)count,
                                  .row = {.head = sqlite3_column_blob(row, 1),
                                          .head_length = (size_t)sqlite3_column_bytes(row, 1),
                                          .body = sqlite3_column_blob(row, 3),
                                          .body_length = (size_t)sqlite3_column_bytes(row, 3)},
                                  .marks = sqlite3_column_blob(row, 2),
                                  .marks_length = (size_t)sqlite3_column_bytes(row, 2)};
    return segment_set_aside(store, &damaged, now, &why, error);
}

/* --- the duty ----------------------------------------------------------------------------- */

/* *ret_row: the piece ended before the rows did. */
static weir_err piece(weir_store *store, weir_scrub *s, weir_wall now, bool *ret_row,
                      weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    uint64_t samples = 0, bytes = 0;
    weir_err err = weir_db_prepare(
        store->db,
        s->stage == SCRUB_SEGMENTS
            ? "SELECT key, head, marks, body FROM segment WHERE key>? ORDER BY key"
            : "SELECT first_seq, head, body, count, min_ts, max_ts FROM log WHERE first_seq>?"
              " ORDER BY first_seq",
        &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, s->key);
    *ret_row = true;
    for (int n = 0; n < PIECE_ROWS && samples < PIECE_SAMPLES && bytes < PIECE_BYTES; n++) {
        const int64_t changes = sqlite3_total_changes64(store->db);
        err = weir_db_step(rows, ret_row, error);
        if (err != WEIR_OK || !*ret_row)
            return err;
        const int64_t key = sqlite3_column_int64(rows, 0);
        bytes += (uint64_t)(sqlite3_column_bytes(rows, 1) + sqlite3_column_bytes(rows, 2) +
                            sqlite3_column_bytes(rows, 3));
        err = s->stage == SCRUB_SEGMENTS ? segment_look(store, rows, now, &samples, error)
                                         : log_row_look(store, rows, now, &samples, error);
        if (err != WEIR_OK)
            return err;
        s->key = key;
        if (sqlite3_total_changes64(store->db) != changes)
            break; /* the statement's snapshot is not that of the table any more */
    }
    return WEIR_OK;
}

static weir_err meta_read(weir_store *store, int64_t *ret_ended, int64_t *ret_key,
                          weir_error *error)
{
    weir_err err =
        weir_db_int(store->db, "SELECT value FROM meta WHERE key='scrubbed'", 0, ret_ended, error);
    return err == WEIR_OK ? weir_db_int(store->db, "SELECT value FROM meta WHERE key='scrub_key'",
                                        0, ret_key, error)
                          : err;
}

static weir_err meta_write(weir_store *store, int64_t key, weir_wall now, weir_error *error)
{
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_store_set_meta(store, "scrub_key", (uint64_t)key, error);
    if (err == WEIR_OK && key == 0)
        err = weir_store_set_meta(store, "scrubbed", (uint64_t)now.us, error);
    return err == WEIR_OK ? weir_db_run(store->commit, error) : err;
}

static void done(weir_store *store, weir_scrub *s, int64_t ended, weir_wall now)
{
    *s = (weir_scrub){.stage = SCRUB_DONE, .again = {ended + SCRUB_INTERVAL}};
    store->checked = now;
}

/* Behind the log: history, if it is time, from where the last look at it was ended by a stop. */
static weir_err segments_begin(weir_store *store, weir_scrub *s, weir_wall now, weir_error *error)
{
    int64_t ended, key;
    weir_err err = meta_read(store, &ended, &key, error);
    if (err != WEIR_OK)
        return err;
    if (key == 0 && now.us >= ended && now.us - ended < SCRUB_INTERVAL)
        done(store, s, ended, now);
    else
        *s = (weir_scrub){.stage = SCRUB_SEGMENTS, .key = key};
    return WEIR_OK;
}

static weir_err segments_go_on(weir_store *store, weir_scrub *s, bool row, weir_wall now,
                               weir_error *error)
{
    weir_err err = WEIR_OK;
    if (!row) {
        if (s->key > 0) /* else there is no history: nothing to write down */
            err = meta_write(store, 0, now, error);
        if (err == WEIR_OK)
            done(store, s, now.us, now);
    } else if (++s->unsaved >= SAVE_PIECES) {
        s->unsaved = 0;
        err = meta_write(store, s->key, now, error);
    }
    return err;
}

weir_err weir_scrub_run(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    struct weir_history *h = store->history;
    weir_scrub *s = &h->scrub;
    bool row;
    (void)ret_did; /* nothing waits for the next piece */
    if (s->stage == SCRUB_DONE && now.us < s->again.us && now.us >= s->again.us - SCRUB_INTERVAL)
        return WEIR_OK;
    if (store->memory || h->archive || h->compact || !h->compact_looked ||
        !weir_expire_is_idle(store))
        return WEIR_OK;
    if (s->stage == SCRUB_FRESH || s->stage == SCRUB_DONE) {
        /* A merge reads the commits; without new ones it would come to them in a minute. */
        h->merge_until = store->position.committed_seq;
        *s = (weir_scrub){.stage = SCRUB_LOG};
        return WEIR_OK;
    }
    weir_err err = piece(store, s, now, &row, error);
    if (err != WEIR_OK)
        return err;
    if (s->stage == SCRUB_SEGMENTS)
        return segments_go_on(store, s, row, now, error);
    return row ? WEIR_OK : segments_begin(store, s, now, error);
}
