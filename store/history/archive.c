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

#include <string.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/row.h"
#include "store/file/schema.h"
#include "store/history/history.h"
#include "store/history/part.h"
#include "store/history/quarantine.h"
#include "store/history/segments.h"

enum {
    RANGE_SAMPLES = 22 * 1000 * 1000, /* a range has no more; also begins one before its time */
    READ_SAMPLES = 400 * 1000,        /* decoded in one piece: about 10 ms */
    PARTS_MAX = 6,                    /* of one epoch and range */
};

typedef enum archive_phase {
    ARCHIVE_SCAN,
    ARCHIVE_GATHER,
    ARCHIVE_WRITE,
    ARCHIVE_END,
} archive_phase;

/* What a tag, or a series of replies, has in the range. */
struct volume {
    uint32_t samples, text, replies;
    int64_t newest_due; /* of the series, so far in this reading of the range */
};

struct weir_archive {
    archive_phase phase;
    uint64_t first_seq, last_seq; /* of the range */
    uint64_t at;                  /* read up to here */
    uint64_t until;               /* the log's end when it began, or the range's that is resumed */
    bool resumed;                 /* the parts are there already */
    uint64_t count;

    size_t group_bytes;
    size_t n_tags;
    struct volume *volumes; /* by uid */
    uint64_t *purged;       /* by uid */

    weir_part *parts;
    size_t n_parts, parts_capacity;
    size_t part; /* being built */

    /* The group: [first, first + n) of uids or series, gathered or being written. */
    uint32_t first, n;
    uint32_t written; /* of n */
    bool replies;
    weir_run all;     /* the memory of all of them */
    uint32_t *starts; /* [n + 1] in `all` */
    uint32_t *filled; /* [n] */
    weir_arena *texts;
    weir_segments out;
};

static void group_free(weir_archive *a)
{
    weir_free(a->all.samples);
    weir_free(a->all.refs);
    weir_free(a->all.replies);
    weir_free(a->starts);
    weir_free(a->filled);
    weir_arena_free(a->texts);
    a->all = (weir_run){0};
    a->starts = a->filled = NULL;
    a->texts = NULL;
}

void weir_archive_free(weir_archive *a)
{
    if (!a)
        return;
    group_free(a);
    weir_segments_deinit(&a->out);
    weir_free(a->volumes);
    weir_free(a->purged);
    weir_free(a->parts);
    weir_free(a);
}

/* --- reading the range -------------------------------------------------------------------- */

typedef weir_err (*archive_on_row)(weir_archive *a, const weir_row *row,
                                   const weir_block_head *head, const weir_block *block,
                                   bool *ret_end, weir_error *error);

/* Sets a row of the log aside that cannot be read. */
static weir_err row_set_aside(weir_store *store, const weir_row *row, int64_t count, weir_wall now,
                              const weir_error *why, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *drop = NULL;
    const weir_damaged damaged = {
        .origin = "log", .key = (int64_t)row->first_seq, .count = count, .row = *row};
    weir_err err = weir_db_prepare(store->db, "DELETE FROM log WHERE first_seq=?", &drop, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_quarantine_add(store, &damaged, now, why, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(drop, 1, (int64_t)row->first_seq);
    err = weir_db_run(drop, error);
    return err == WEIR_OK ? weir_db_run(store->commit, error) : err;
}

/* Samples of tags that the store never gave out: a row that is not ours. */
static bool block_has_foreign(const weir_archive *a, const weir_block *block)
{
    bool foreign = false;
    for (size_t i = 0; i < block->count; i++)
        foreign |= block->samples[i].tag >= a->n_tags || block->samples[i].tag == 0;
    return foreign;
}

/* Hands the next rows to on_row, as many as a piece may read. *ret_end: the range's end was
 * reached. */
static weir_err range_read(weir_store *store, weir_wall now, archive_on_row on_row, bool *ret_end,
                           weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    weir_archive *a = store->history->archive;
    bool row = true, end = false;
    weir_err err =
        weir_db_prepare(store->db,
                        "SELECT first_seq, ifnull(last_seq, first_seq+count-1), count, head, body"
                        " FROM log WHERE first_seq>?1 AND first_seq<=?2 ORDER BY first_seq",
                        &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, (int64_t)a->at);
    (void)sqlite3_bind_int64(rows, 2, (int64_t)a->until);
    for (int64_t n = 0; n < READ_SAMPLES && !end;) {
        WEIR_CLEANUP(weir_block_free) weir_block *block = NULL;
        weir_error why = WEIR_ERROR_INIT;
        weir_block_head head;
        err = weir_db_step(rows, &row, error);
        if (err != WEIR_OK)
            return err;
        if (!row)
            break;
        const weir_row r = weir_row_of(rows, 0, 3, 4);
        weir_err reading = weir_row_decode(r, &head, &block, &why);
        if (reading == WEIR_OK && block_has_foreign(a, block))
            reading = weir_fail(&why, WEIR_EDAMAGED, "a sample of a tag that does not exist");
        if (reading == WEIR_EDAMAGED)
            return row_set_aside(store, &r, sqlite3_column_int64(rows, 2), now, &why, error);
        if (reading != WEIR_OK)
            return weir_fail(error, reading, "%s", why.text);
        err = on_row(a, &r, &head, block, &end, error);
        if (err != WEIR_OK)
            return err;
        if (!end)
            a->at = (uint64_t)sqlite3_column_int64(rows, 1);
        n += head.count;
    }
    *ret_end = end || !row;
    return WEIR_OK;
}

static bool sample_is_purged(const weir_archive *a, const weir_sample *s, uint64_t seq)
{
    return seq <= a->purged[s->tag];
}

static weir_tag_uid batch_lowest(const weir_batch *batch)
{
    weir_tag_uid lowest = batch->samples[0].tag;
    for (uint32_t i = 1; i < batch->n_samples; i++)
        lowest = batch->samples[i].tag < lowest ? batch->samples[i].tag : lowest;
    return lowest;
}

/* --- scan --------------------------------------------------------------------------------- */

/* The part that a sample belongs to: of its epoch, and its day within. */
static weir_part *part_find(weir_archive *a, uint32_t epoch, int64_t ts)
{
    weir_part *of_epoch = NULL;
    size_t n = 0;
    for (size_t i = 0; i < a->n_parts; i++) {
        weir_part *p = &a->parts[i];
        if (p->epoch != epoch)
            continue;
        n++;
        if ((ts >= p->min_ts && ts <= p->max_ts) ||
            weir_floor_multiple(ts, WEIR_DAY) == weir_floor_multiple(p->min_ts, WEIR_DAY))
            return p;
        /* The one to widen, should there be too many: what is furthest back. */
        if (!of_epoch || p->min_ts < of_epoch->min_ts)
            of_epoch = p;
    }
    return n >= PARTS_MAX ? of_epoch : NULL;
}

/* Joins parts of one epoch that a widened one has come to overlap. */
static void parts_join(weir_archive *a, weir_part *wide)
{
    for (size_t i = 0; i < a->n_parts; i++) {
        weir_part *p = &a->parts[i];
        if (p == wide || p->epoch != wide->epoch || p->min_ts > wide->max_ts ||
            p->max_ts < wide->min_ts)
            continue;
        wide->min_ts = p->min_ts < wide->min_ts ? p->min_ts : wide->min_ts;
        wide->max_ts = p->max_ts > wide->max_ts ? p->max_ts : wide->max_ts;
        *p = a->parts[--a->n_parts];
        if (wide == &a->parts[a->n_parts])
            wide = p;
        i = SIZE_MAX; /* from the start: it is wider now */
    }
}

static weir_err part_note(weir_archive *a, uint32_t epoch, int64_t ts, weir_error *error)
{
    weir_part *p = part_find(a, epoch, ts);
    if (!p) {
        if (a->n_parts == a->parts_capacity) {
            size_t capacity = a->parts_capacity ? a->parts_capacity * 2 : PARTS_MAX;
            weir_part *parts = weir_realloc_array(a->parts, capacity, sizeof *parts);
            if (!parts)
                return weir_fail(error, WEIR_ENOMEM, "no memory for parts");
            a->parts = parts;
            a->parts_capacity = capacity;
        }
        a->parts[a->n_parts++] =
            (weir_part){.epoch = epoch, .state = PART_BUILDING, .min_ts = ts, .max_ts = ts};
        return WEIR_OK;
    }
    const bool wider = ts < p->min_ts || ts > p->max_ts;
    p->min_ts = ts < p->min_ts ? ts : p->min_ts;
    p->max_ts = ts > p->max_ts ? ts : p->max_ts;
    if (wider)
        parts_join(a, p);
    return WEIR_OK;
}

/* Counts the row, or takes it off again (add false); whether some tag has more than fits. */
static bool volumes_add(weir_archive *a, const weir_row *row, const weir_block_head *head,
                        const weir_block *block, bool add)
{
    const uint32_t one = add ? 1 : UINT32_MAX; /* wraps: minus one */
    bool over = false;
    for (size_t i = 0, before = 0; i < block->n_batches; i++) {
        const weir_batch *b = &block->batches[i];
        const uint64_t seq = weir_row_seq(row, head, block, i, before);
        a->volumes[batch_lowest(b)].replies += one;
        for (uint32_t j = 0; j < b->n_samples; j++) {
            const weir_sample *s = &b->samples[j];
            struct volume *v = &a->volumes[s->tag];
            if (sample_is_purged(a, s, seq + j))
                continue;
            v->samples += one;
            if (s->value.kind >= WEIR_KIND_STRING)
                v->text += add ? s->value.length : 0u - s->value.length;
            over |= v->samples > WEIR_SEGMENT_COUNT_MAX || v->text > WEIR_SEGMENT_TEXT;
        }
        before += b->n_samples;
    }
    return over;
}

static weir_err scan_on_row(weir_archive *a, const weir_row *row, const weir_block_head *head,
                            const weir_block *block, bool *ret_end, weir_error *error)
{
    weir_err err = WEIR_OK;
    bool over = volumes_add(a, row, head, block, true);
    if (!a->resumed && a->count > 0 && (over || a->count + block->count > RANGE_SAMPLES)) {
        (void)volumes_add(a, row, head, block, false);
        *ret_end = true;
        return WEIR_OK;
    }
    a->count += block->count;
    for (size_t i = 0, before = 0; !a->resumed && err == WEIR_OK && i < block->n_batches; i++) {
        const weir_batch *b = &block->batches[i];
        const uint64_t seq = weir_row_seq(row, head, block, i, before);
        for (uint32_t j = 0; err == WEIR_OK && j < b->n_samples; j++)
            if ((j == 0 || b->samples[j].ts.us != b->samples[j - 1].ts.us ||
                 a->purged[b->samples[j - 1].tag] != 0) &&
                !sample_is_purged(a, &b->samples[j], seq + j))
                err = part_note(a, b->epoch, b->samples[j].ts.us, error);
        before += b->n_samples;
    }
    return err;
}

/* --- the group ---------------------------------------------------------------------------- */

static size_t volume_bytes(const struct volume *v, bool replies)
{
    return replies ? v->replies * sizeof(weir_reply)
                   : v->samples * (sizeof(weir_sample) + sizeof(weir_reply_ref)) + v->text;
}

/* As many uids from `first` on as fit into memory, one at least. False: none is left. */
static bool group_choose(weir_archive *a, uint32_t first)
{
    size_t bytes = 0;
    uint32_t uid = first;
    while (uid < a->n_tags && volume_bytes(&a->volumes[uid], a->replies) == 0)
        uid++;
    a->first = uid;
    for (; uid < a->n_tags; uid++) {
        bytes += volume_bytes(&a->volumes[uid], a->replies);
        if (uid > a->first && bytes > a->group_bytes)
            break;
    }
    a->n = uid - a->first;
    a->written = 0;
    return a->n > 0;
}

static weir_err group_alloc(weir_archive *a, weir_error *error)
{
    size_t n = 0;
    group_free(a);
    a->starts = weir_alloc(((size_t)a->n + 1) * sizeof *a->starts);
    a->filled = weir_alloc_zero(a->n, sizeof *a->filled);
    if (a->starts && a->filled) {
        for (uint32_t i = 0; i < a->n; i++) {
            const struct volume *v = &a->volumes[a->first + i];
            a->starts[i] = (uint32_t)n;
            n += a->replies ? v->replies : v->samples;
        }
        a->starts[a->n] = (uint32_t)n;
        if (a->replies)
            a->all.replies = weir_realloc_array(NULL, n, sizeof *a->all.replies);
        else
            a->all.samples = weir_realloc_array(NULL, n, sizeof *a->all.samples);
        if (!a->replies)
            a->all.refs = weir_realloc_array(NULL, n, sizeof *a->all.refs);
    }
    for (size_t i = 0; i < a->n_tags; i++)
        a->volumes[i].newest_due = INT64_MIN;
    a->texts = weir_arena_new();
    a->at = a->first_seq - 1;
    if (!a->texts || (a->replies ? !a->all.replies : !a->all.samples || !a->all.refs))
        return weir_fail(error, WEIR_ENOMEM, "no memory to sort %zu samples by tag", n);
    return WEIR_OK;
}

/* Where the next one of uid goes; SIZE_MAX: it is not of the group. */
static size_t group_next(weir_archive *a, weir_tag_uid uid)
{
    const uint32_t i = uid - a->first;
    if (uid < a->first || i >= a->n || a->starts[i] + a->filled[i] >= a->starts[i + 1])
        return SIZE_MAX;
    return a->starts[i] + a->filled[i]++;
}

/* A batch behind all of its series is the first with its due; any other is marked. */
static uint16_t batch_mark(weir_archive *a, const weir_batch *b, weir_tag_uid lowest, uint64_t seq)
{
    struct volume *v = &a->volumes[lowest];
    if (b->due.us <= v->newest_due)
        return weir_reply_mark(seq);
    v->newest_due = b->due.us;
    return 0;
}

static weir_err gather_samples(weir_archive *a, const weir_batch *b, uint64_t seq,
                               weir_error *error)
{
    const weir_part *part = &a->parts[a->part];
    const weir_tag_uid lowest = batch_lowest(b);
    const uint16_t mark = batch_mark(a, b, lowest, seq);
    for (uint32_t j = 0; j < b->n_samples; j++) {
        const weir_sample *s = &b->samples[j];
        if (s->tag - a->first >= a->n || s->ts.us < part->min_ts || s->ts.us > part->max_ts ||
            sample_is_purged(a, s, seq + j))
            continue;
        const size_t at = group_next(a, s->tag);
        if (at == SIZE_MAX)
            continue;
        weir_sample *to = &a->all.samples[at];
        *to = *s;
        a->all.refs[at] = (weir_reply_ref){b->due, lowest, (uint16_t)j, mark};
        if (s->value.kind < WEIR_KIND_STRING)
            continue;
        to->value.as.bytes = (const uint8_t *)weir_arena_text_n(
            a->texts, (const char *)s->value.as.bytes, s->value.length);
        if (!to->value.as.bytes)
            return weir_fail(error, WEIR_ENOMEM, "no memory to sort texts by tag");
    }
    return WEIR_OK;
}

/* Of batches with a sample in the part. */
static void gather_reply(weir_archive *a, const weir_batch *b, uint64_t seq)
{
    const weir_part *part = &a->parts[a->part];
    const weir_tag_uid lowest = batch_lowest(b);
    bool inside = false;
    for (uint32_t j = 0; j < b->n_samples && !inside; j++)
        inside = b->samples[j].ts.us >= part->min_ts && b->samples[j].ts.us <= part->max_ts &&
                 !sample_is_purged(a, &b->samples[j], seq + j);
    const size_t at = inside ? group_next(a, lowest) : SIZE_MAX;
    if (at != SIZE_MAX)
        a->all.replies[at] = (weir_reply){.due = b->due,
                                          .received = b->received,
                                          .seq = seq,
                                          .plans = b->plans,
                                          .flags = b->flags,
                                          .connection = b->connection,
                                          .device = b->device,
                                          .catalog_revision = b->catalog_revision};
}

static weir_err gather_on_row(weir_archive *a, const weir_row *row, const weir_block_head *head,
                              const weir_block *block, bool *ret_end, weir_error *error)
{
    weir_err err = WEIR_OK;
    (void)ret_end;
    for (size_t i = 0, before = 0; err == WEIR_OK && i < block->n_batches; i++) {
        const weir_batch *b = &block->batches[i];
        const uint64_t seq = weir_row_seq(row, head, block, i, before);
        before += b->n_samples;
        if (b->epoch != a->parts[a->part].epoch)
            continue;
        if (a->replies)
            gather_reply(a, b, seq);
        else
            err = gather_samples(a, b, seq, error);
    }
    return err;
}

static weir_run group_run(const weir_archive *a, uint32_t i)
{
    const size_t at = a->starts[i];
    return (weir_run){.samples = a->replies ? NULL : a->all.samples + at,
                      .refs = a->replies ? NULL : a->all.refs + at,
                      .replies = a->replies ? a->all.replies + at : NULL,
                      .n = a->filled[i]};
}

static weir_err group_write_one(weir_archive *a, uint32_t i, weir_error *error)
{
    const uint32_t uid = (a->first + i) | (a->replies ? SEGMENT_REPLIES : 0);
    weir_run run = group_run(a, i);
    weir_err err = weir_run_order(&run, error);
    for (unsigned number = 0; err == WEIR_OK && run.n > 0; number++) {
        weir_run segment = run;
        segment.n = weir_run_segment(&run);
        err = weir_segments_put(&a->out, &a->parts[a->part], uid, number, &segment,
                                WEIR_EFFORT_FAST, error);
        run.n -= segment.n;
        if (run.replies) {
            run.replies += segment.n;
        } else {
            run.samples += segment.n;
            run.refs += segment.n;
        }
    }
    return err;
}

/* --- phases ------------------------------------------------------------------------------- */

/* What comes behind the uids up to `uid` of the part being built: the next group, the replies, the
 * next part, the end. */
static weir_err archive_next_group(weir_archive *a, uint32_t uid, weir_error *error)
{
    for (; a->part < a->n_parts; a->part++, a->replies = false, uid = 1) {
        if (a->parts[a->part].state != PART_BUILDING)
            continue;
        if (group_choose(a, uid) || (!a->replies && (a->replies = true, group_choose(a, 1)))) {
            a->phase = ARCHIVE_GATHER;
            return group_alloc(a, error);
        }
        a->parts[a->part].state = PART_BUILT;
    }
    group_free(a);
    a->phase = ARCHIVE_END;
    return WEIR_OK;
}

/* The range is known: its parts are made. */
static weir_err archive_begin_parts(weir_store *store, weir_error *error)
{
    weir_archive *a = store->history->archive;
    a->last_seq = a->at;
    weir_err err = weir_db_run(store->begin, error);
    for (size_t i = 0; err == WEIR_OK && i < a->n_parts; i++) {
        a->parts[i].first_seq = a->first_seq;
        a->parts[i].last_seq = a->last_seq;
        err = weir_part_write(store->db, &a->parts[i], error);
    }
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    a->until = a->last_seq;
    return err == WEIR_OK ? archive_next_group(a, 1, error) : err;
}

/* The parts were there: what the last one may have in part is written again. */
static weir_err archive_resume_parts(weir_store *store, weir_error *error)
{
    weir_archive *a = store->history->archive;
    uint32_t last = 0;
    while (a->part < a->n_parts && a->parts[a->part].state != PART_BUILDING)
        a->part++;
    if (a->part == a->n_parts)
        return archive_next_group(a, 1, error);
    weir_part *part = &a->parts[a->part];
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_segments_last(store->db, part, &last, error);
    if (err == WEIR_OK && last > 0)
        err = weir_segments_remove(store->db, part, last, error);
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    a->replies = (last & SEGMENT_REPLIES) != 0;
    last &= ~SEGMENT_REPLIES;
    return err == WEIR_OK ? archive_next_group(a, last ? last : 1, error) : err;
}

static weir_err archive_scan(weir_store *store, weir_wall now, weir_error *error)
{
    bool end = false;
    weir_err err = range_read(store, now, scan_on_row, &end, error);
    if (err != WEIR_OK || !end)
        return err;
    return store->history->archive->resumed ? archive_resume_parts(store, error)
                                            : archive_begin_parts(store, error);
}

static weir_err archive_gather(weir_store *store, weir_wall now, weir_error *error)
{
    bool end = false;
    weir_err err = range_read(store, now, gather_on_row, &end, error);
    if (err == WEIR_OK && end)
        store->history->archive->phase = ARCHIVE_WRITE;
    return err;
}

static weir_err archive_write(weir_store *store, weir_error *error)
{
    weir_archive *a = store->history->archive;
    weir_part *part = &a->parts[a->part];
    a->out.samples = a->out.bytes = 0;
    weir_err err = weir_db_run(store->begin, error);
    while (err == WEIR_OK && a->written < a->n && a->out.samples < store->options.piece_samples &&
           a->out.bytes < WEIR_PIECE_BYTES)
        err = group_write_one(a, a->written++, error);
    const bool all = a->written == a->n;
    if (err == WEIR_OK && all)
        err = archive_next_group(a, a->first + a->n, error); /* may end the part */
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
    for (size_t i = 0; err == WEIR_OK && i < a->n_parts; i++) {
        a->parts[i].state = a->parts[i].segments > 0 ? PART_LIVE : PART_DROPPING;
        err = weir_part_write(store->db, &a->parts[i], error);
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
    a->first_seq = first_seq;
    a->at = first_seq - 1;
    a->until = until;
    a->group_bytes = store->options.group_bytes;
    a->n_tags = store->pending.n_tags;
    a->volumes = weir_alloc_zero(a->n_tags, sizeof *a->volumes);
    if (!a->volumes)
        return weir_fail(error, WEIR_ENOMEM, "no memory to sort the log");
    weir_err err = weir_part_purged(store->db, a->n_tags, &a->purged, error);
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
    store->history->archive->resumed = true;
    store->history->archive->last_seq = parts[0].last_seq;
    store->history->archive->parts = parts;
    store->history->archive->n_parts = store->history->archive->parts_capacity = n;
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
    return store->log.samples >= RANGE_SAMPLES || store->log.bytes >= weir_limits_piece(store) ||
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
