/* SPDX-License-Identifier: MIT */
/* From the log to history: an hour of it, sorted by tag, becomes parts. */

/*
 * First the range is read once (scan): how many samples each tag has, and which epochs and days
 * there are. It ends where the log does, or before a tag has more than one segment can hold. Each
 * epoch and day becomes a part, rows in `part` that nobody reads yet; samples that lie far apart
 * in time share one.
 *
 * Then part by part: as many tags as fit into memory, in ascending order, are gathered by reading
 * the range again, and written; behind the tags come the series of replies likewise. At last the
 * parts go live and history_seq moves, in one transaction, which also writes the current values if
 * the table of these lags: log rows up to history_seq may go from now on.
 *
 * After a crash or a failure the parts tell the range, and the highest key in them where to go on;
 * counts are made anew.
 */

#include "store/history/archive.h"

#include "store/history/archive.h"

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/history/census.h"
#include "store/history/group.h"
#include "store/history/history.h"
#include "store/history/part.h"
#include "store/history/log_range.h"
#include "store/history/segments.h"

typedef enum archive_phase {
    ARCHIVE_SCAN,
    ARCHIVE_GATHER,
    ARCHIVE_WRITE,
    ARCHIVE_END,
} archive_phase;

struct weir_archive {
    archive_phase phase;
    weir_log_range range;
    uint64_t last_seq; /* of the range, once it is known */
    weir_census census;
    size_t group_bytes;
    size_t part;      /* of the census, being built */
    weir_group group; /* gathered, or being written */
    uint32_t written; /* of it */
    weir_segments out;
};

void weir_archive_free(weir_archive *a)
{
    if (!a)
        return;
    weir_group_free(&a->group);
    weir_census_deinit(&a->census);
    weir_log_range_deinit(&a->range);
    weir_segments_deinit(&a->out);
    weir_free(a);
}

/* --- building ----------------------------------------------------------------------------- */

static weir_part *part_at(weir_archive *a)
{
    return &a->census.parts[a->part];
}

/* What comes behind the uids up to `uid` of the part being built: the next group, the replies, the
 * next part, the end. */
static weir_err archive_next_group(weir_archive *a, bool replies, uint32_t uid, weir_error *error)
{
    for (; a->part < a->census.n_parts; a->part++, replies = false, uid = 1) {
        if (part_at(a)->state != PART_BUILDING)
            continue;
        if (weir_group_choose(&a->group, &a->census, replies, uid, a->group_bytes) ||
            (!replies && weir_group_choose(&a->group, &a->census, true, 1, a->group_bytes))) {
            a->phase = ARCHIVE_GATHER;
            a->written = 0;
            weir_log_range_rewind(&a->range);
            return weir_group_begin(&a->group, part_at(a), error);
        }
        part_at(a)->state = PART_BUILT;
    }
    weir_group_free(&a->group);
    a->phase = ARCHIVE_END;
    return WEIR_OK;
}

/* The range is known: its parts are made. */
static weir_err archive_begin_parts(weir_store *store, weir_error *error)
{
    weir_archive *a = store->history->archive;
    a->last_seq = a->range.at;
    weir_err err = weir_db_run(store->begin, error);
    for (size_t i = 0; err == WEIR_OK && i < a->census.n_parts; i++) {
        weir_part *part = &a->census.parts[i];
        part->first_seq = a->range.first_seq;
        part->last_seq = a->last_seq;
        err = weir_part_write(store->db, part, error);
    }
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    a->range.until = a->last_seq;
    return err == WEIR_OK ? archive_next_group(a, false, 1, error) : err;
}

/* The parts were there: what the last one may have in part is written again. */
static weir_err archive_resume_parts(weir_store *store, weir_error *error)
{
    weir_archive *a = store->history->archive;
    uint32_t last = 0;
    while (a->part < a->census.n_parts && part_at(a)->state != PART_BUILDING)
        a->part++;
    if (a->part == a->census.n_parts)
        return archive_next_group(a, false, 1, error);
    weir_part *part = part_at(a);
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_segments_last(store->db, part, &last, error);
    if (err == WEIR_OK && last > 0)
        err = weir_segments_remove(store->db, part, last, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    const bool replies = (last & SEGMENT_REPLIES) != 0;
    last &= ~SEGMENT_REPLIES;
    return err == WEIR_OK ? archive_next_group(a, replies, last ? last : 1, error) : err;
}

/* --- phases ------------------------------------------------------------------------------- */

static weir_err archive_scan(weir_store *store, weir_wall now, weir_error *error)
{
    weir_archive *a = store->history->archive;
    bool end = false;
    weir_err err =
        weir_log_range_read(&a->range, store, now, weir_census_on_row, &a->census, &end, error);
    if (err != WEIR_OK || !end)
        return err;
    return a->census.resumed ? archive_resume_parts(store, error)
                             : archive_begin_parts(store, error);
}

static weir_err archive_gather(weir_store *store, weir_wall now, weir_error *error)
{
    weir_archive *a = store->history->archive;
    bool end = false;
    weir_err err =
        weir_log_range_read(&a->range, store, now, weir_group_on_row, &a->group, &end, error);
    if (err == WEIR_OK && end)
        a->phase = ARCHIVE_WRITE;
    return err;
}

/* Writes what the group has of its i-th uid. */
static weir_err archive_write_uid(weir_archive *a, uint32_t i, weir_error *error)
{
    const uint32_t uid = (a->group.first + i) | (a->group.replies ? SEGMENT_REPLIES : 0);
    weir_run run = weir_group_run(&a->group, i);
    weir_err err = weir_run_order(&run, error);
    for (unsigned number = 0; err == WEIR_OK && run.n > 0; number++) {
        const weir_run segment = weir_run_part(&run, 0, weir_run_segment(&run));
        err =
            weir_segments_put(&a->out, part_at(a), uid, number, &segment, WEIR_EFFORT_FAST, error);
        run = weir_run_part(&run, segment.n, run.n - segment.n);
    }
    return err;
}

static weir_err archive_write(weir_store *store, weir_error *error)
{
    weir_archive *a = store->history->archive;
    weir_part *part = part_at(a);
    a->out.samples = a->out.bytes = 0;
    weir_err err = weir_db_run(store->begin, error);
    while (err == WEIR_OK && a->written < a->group.n &&
           a->out.samples < store->options.piece_samples && a->out.bytes < WEIR_PIECE_BYTES)
        err = archive_write_uid(a, a->written++, error);
    const bool all = a->written == a->group.n;
    if (err == WEIR_OK && all)
        err = archive_next_group(a, a->group.replies, a->group.first + a->group.n,
                                 error); /* may end the part */
    if (err == WEIR_OK)
        err = weir_part_write(store->db, part, error);
    return err == WEIR_OK ? weir_db_run(store->commit, error) : err;
}

/* All at once: the parts live, the log behind. A part without samples was purged meanwhile. */
static weir_err archive_end(weir_store *store, weir_wall now, weir_error *error)
{
    weir_archive *a = store->history->archive;
    const bool current = store->current.written < a->last_seq;
    weir_err err = weir_db_run(store->begin, error);
    for (size_t i = 0; err == WEIR_OK && i < a->census.n_parts; i++) {
        a->census.parts[i].state = a->census.parts[i].segments > 0 ? PART_LIVE : PART_DROPPING;
        err = weir_part_write(store->db, &a->census.parts[i], error);
    }
    if (err == WEIR_OK)
        err = weir_store_set_meta(store, "history_seq", a->last_seq, error);
    if (err == WEIR_OK && current)
        err = weir_store_current_write(&store->current, store->db, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        return err;
    if (current)
        weir_store_current_committed(&store->current);
    store->history_seq = a->last_seq;
    store->log.known = false;
    store->history->archive_began = now;
    store->history->parts_changed = true;
    weir_archive_free(a);
    store->history->archive = NULL;
    return WEIR_OK;
}

/* --- beginning ---------------------------------------------------------------------------- */

static weir_err archive_new(weir_store *store, uint64_t first_seq, uint64_t until,
                            weir_archive **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_archive_free) weir_archive *a = weir_alloc_zero(1, sizeof *a);
    if (!a)
        return weir_fail(error, WEIR_ENOMEM, "no memory to sort the log");
    a->group_bytes = store->options.group_bytes;
    weir_err err = weir_log_range_init(&a->range, store, first_seq, until, error);
    if (err == WEIR_OK)
        err = weir_census_init(&a->census, &a->range, error);
    if (err == WEIR_OK)
        err = weir_segments_init(&a->out, store->db, error);
    if (err != WEIR_OK)
        return err;
    *ret = a;
    a = NULL;
    return WEIR_OK;
}

/* Parts that are not live yet and are of the log: a crash was here. */
static weir_err archive_resume(weir_store *store, weir_error *error)
{
    WEIR_CLEANUP(weir_free) void *owner = NULL;
    weir_part *parts = NULL;
    size_t n = 0;
    weir_err err = weir_parts_read(store->db, "WHERE state IN (0,3) AND tier=0 ORDER BY id", &parts,
                                   &n, error);
    owner = parts;
    if (err != WEIR_OK || n == 0)
        return err;
    err =
        archive_new(store, parts[0].first_seq, parts[0].last_seq, &store->history->archive, error);
    if (err != WEIR_OK)
        return err;
    store->history->archive->last_seq = parts[0].last_seq;
    weir_census *census = &store->history->archive->census;
    census->resumed = true;
    census->parts = parts;
    census->n_parts = census->parts_capacity = n;
    owner = NULL;
    return WEIR_OK;
}

static weir_err log_look(weir_store *store, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *row = NULL;
    bool found;
    weir_err err = weir_db_prepare(store->db,
                                   "SELECT sum(count), min(newest_ts), max(newest_ts),"
                                   " sum(length(head)+length(body)) FROM log WHERE first_seq>?",
                                   &row, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(row, 1, (int64_t)store->history_seq);
    err = weir_db_step(row, &found, error);
    if (err != WEIR_OK)
        return err;
    store->log.samples = (uint64_t)sqlite3_column_int64(row, 0);
    store->log.first_ts = sqlite3_column_int64(row, 1);
    store->log.newest_ts = sqlite3_column_int64(row, 2);
    store->log.bytes = (uint64_t)sqlite3_column_int64(row, 3);
    store->log.known = true;
    return WEIR_OK;
}

/* An hour by the samples' time or by the clock, whichever passes first; neither can be trusted
 * alone. Or as much as may be written beside it. */
static bool log_holds_enough(weir_store *store, weir_wall now)
{
    const int64_t span = store->options.archive_us;
    if (now.us < store->history->archive_began.us)
        store->history->archive_began = now;
    return store->log.samples >= WEIR_RANGE_SAMPLES ||
           store->log.bytes >= weir_limits_piece(store) ||
           now.us - store->history->archive_began.us >= span ||
           (store->log.newest_ts > store->log.first_ts &&
            (uint64_t)store->log.newest_ts - (uint64_t)store->log.first_ts >= (uint64_t)span);
}

static weir_err archive_look(weir_store *store, weir_wall now, weir_error *error)
{
    weir_err err = WEIR_OK;
    if (!store->history->archive_looked)
        err = archive_resume(store, error);
    if (err != WEIR_OK || store->history->archive)
        return err;
    store->history->archive_looked = true;
    if (!store->log.known)
        err = log_look(store, error);
    if (err != WEIR_OK || store->log.samples == 0 || !log_holds_enough(store, now))
        return err;
    return archive_new(store, store->history_seq + 1, store->merged_seq, &store->history->archive,
                       error);
}

weir_err weir_archive_run(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    weir_err err = WEIR_OK;
    if (!store->history->archive && !weir_compact_is_busy(store->history->compact))
        err = archive_look(store, now, error);
    if (err != WEIR_OK || !store->history->archive)
        return err;
    switch (store->history->archive->phase) {
    case ARCHIVE_SCAN:
        err = archive_scan(store, now, error);
        break;
    case ARCHIVE_GATHER:
        err = archive_gather(store, now, error);
        break;
    case ARCHIVE_WRITE:
        err = archive_write(store, error);
        break;
    case ARCHIVE_END:
        err = archive_end(store, now, error);
        break;
    }
    *ret_did = err == WEIR_OK;
    return err;
}
