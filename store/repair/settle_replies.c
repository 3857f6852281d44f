/* SPDX-License-Identifier: MIT */
/* The end of a salvage: series of replies and segments that were lost leave no hole behind. */

/*
 * A sample of history names the reply it came in. When the segment with the replies is lost, the
 * sample is still good, but nothing says when it was read, and readers that ask for that would call
 * the store damaged. So such replies are made again from what the samples know, the due time: read
 * when it was due, as the first number of its part. Segments behind a lost one move up, as numbers
 * within a tag have no gaps.
 *
 * Which replies are there is told by the heads of their segments: within one, none is missing.
 */

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "blocks/replies.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/repair/salvage_priv.h"

enum {
    MISSING_MAX = 1 << 20, /* then the same ones are counted once */
    NUMBERS = 256,         /* segments of a tag or series in a part */
};

/* A segment of replies that is there. */
struct range {
    uint32_t series;
    int64_t first_due, last_due;
};

struct missing {
    uint32_t series;
    int64_t due;
};

struct work {
    weir_salvage *s;
    int64_t part;
    int64_t first_seq; /* of the part */
    struct range *ranges;
    size_t n_ranges, ranges_capacity;
    struct missing *missing;
    size_t n_missing, missing_capacity;
    weir_segment_encoder *encoder;
};

static void work_deinit(struct work *w)
{
    weir_free(w->ranges);
    weir_free(w->missing);
    weir_segment_encoder_free(w->encoder);
}

/* --- what is missing ---------------------------------------------------------------------- */

static int missing_compare(const void *a, const void *b)
{
    const struct missing *x = a, *y = b;
    if (x->series != y->series)
        return x->series < y->series ? -1 : 1;
    return (x->due > y->due) - (x->due < y->due);
}

static void missing_unite(struct work *w)
{
    size_t n = 0;
    if (w->n_missing > 0)
        qsort(w->missing, w->n_missing, sizeof *w->missing, missing_compare);
    for (size_t i = 0; i < w->n_missing; i++)
        if (n == 0 || missing_compare(&w->missing[n - 1], &w->missing[i]) != 0)
            w->missing[n++] = w->missing[i];
    w->n_missing = n;
}

static bool is_there(const struct work *w, const weir_reply_ref *ref)
{
    bool there = false;
    for (size_t i = 0; i < w->n_ranges && !there; i++)
        there = w->ranges[i].series == ref->reply && w->ranges[i].first_due <= ref->due.us &&
                ref->due.us <= w->ranges[i].last_due;
    return there;
}

static weir_err missing_add(struct work *w, const weir_reply_ref *ref, weir_error *error)
{
    if (is_there(w, ref))
        return WEIR_OK;
    if (w->n_missing >= MISSING_MAX && w->n_missing == w->missing_capacity)
        missing_unite(w);
    struct missing *missing =
        weir_array_room(w->missing, w->n_missing, &w->missing_capacity, sizeof *missing);
    if (!missing)
        return weir_fail(error, WEIR_ENOMEM, "no memory for lost replies");
    w->missing = missing;
    w->missing[w->n_missing++] = (struct missing){ref->reply, ref->due.us};
    return WEIR_OK;
}

static weir_err ranges_read(struct work *w, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    w->n_ranges = 0;
    weir_err err = weir_db_prepare(w->s->db,
                                   "SELECT key, head FROM segment WHERE key BETWEEN ? AND ?"
                                   " ORDER BY key",
                                   &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, SEGMENT_KEY(w->part, SEGMENT_REPLIES, 0));
    (void)sqlite3_bind_int64(rows, 2, SEGMENT_KEY(w->part, UINT32_MAX, 0xff));
    while ((err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_segment_head head;
        err = weir_segment_head_parse(sqlite3_column_blob(rows, 1),
                                      (size_t)sqlite3_column_bytes(rows, 1), &head, error);
        if (err != WEIR_OK)
            break;
        struct range *ranges =
            weir_array_room(w->ranges, w->n_ranges, &w->ranges_capacity, sizeof *ranges);
        if (!ranges)
            return weir_fail(error, WEIR_ENOMEM, "no memory for lost replies");
        w->ranges = ranges;
        w->ranges[w->n_ranges++] =
            (struct range){(uint32_t)(sqlite3_column_int64(rows, 0) >> 8) & ~SEGMENT_REPLIES,
                           head.min_ts.us, head.max_ts.us};
    }
    return err;
}

static weir_err refs_add(struct work *w, sqlite3_stmt *row, weir_error *error)
{
    WEIR_CLEANUP(weir_segment_free) weir_segment *segment = NULL;
    weir_segment_head head;
    size_t slices;
    weir_err err = weir_segment_head_parse(sqlite3_column_blob(row, 0),
                                           (size_t)sqlite3_column_bytes(row, 0), &head, error);
    if (err == WEIR_OK)
        err = weir_segment_open(&head, sqlite3_column_blob(row, 1),
                                (size_t)sqlite3_column_bytes(row, 1), &segment, error);
    if (err == WEIR_OK)
        err = weir_segment_load(segment, sqlite3_column_blob(row, 2),
                                (size_t)sqlite3_column_bytes(row, 2), error);
    if (err != WEIR_OK)
        return err;
    const weir_slice *all = weir_segment_slices(segment, &slices);
    size_t n = 0;
    for (size_t i = 0; i < slices; i++)
        n += all[i].count;
    weir_sample *samples = weir_alloc(n * sizeof *samples + 1);
    weir_reply_ref *refs = weir_alloc(n * sizeof *refs + 1);
    err = samples && refs ? weir_segment_read(segment, 0, slices, 1, samples, refs, error)
                          : weir_fail(error, WEIR_ENOMEM, "no memory for a segment");
    for (size_t i = 0; err == WEIR_OK && i < n; i++)
        err = missing_add(w, &refs[i], error);
    weir_free(samples);
    weir_free(refs);
    return err;
}

static weir_err missing_read(struct work *w, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    w->n_missing = 0;
    weir_err err = weir_db_prepare(
        w->s->db, "SELECT head, marks, body FROM segment WHERE key BETWEEN ? AND ?", &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, SEGMENT_KEY(w->part, 0, 0));
    (void)sqlite3_bind_int64(rows, 2, SEGMENT_KEY(w->part, SEGMENT_REPLIES - 1, 0xff));
    while ((err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        err = refs_add(w, rows, error);
        /* Its checksums are right and what is inside is not: it says nothing of replies. */
        if (err == WEIR_ENOMEM)
            return err;
    }
    missing_unite(w);
    return err;
}

/* --- making them -------------------------------------------------------------------------- */

/* Behind all others of its series: put in order with the rest. */
static weir_err replies_write(struct work *w, uint32_t series, const weir_reply_record *replies,
                              size_t n, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *put = NULL;
    weir_segment_bytes bytes;
    weir_err err = weir_replies_encode(w->encoder, replies, n, WEIR_EFFORT_SMALL, &bytes, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(w->s->db,
                              "INSERT INTO segment SELECT ifnull(max(key),?1-1)+1,?3,?4,?5"
                              " FROM segment WHERE key BETWEEN ?1 AND ?2",
                              &put, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(put, 1, SEGMENT_KEY(w->part, SEGMENT_REPLIES | series, 0));
    (void)sqlite3_bind_int64(put, 2, SEGMENT_KEY(w->part, SEGMENT_REPLIES | series, 0xff));
    (void)sqlite3_bind_blob(put, 3, bytes.head, (int)bytes.head_length, SQLITE_STATIC);
    (void)sqlite3_bind_blob(put, 4, bytes.marks_length ? (const void *)bytes.marks : "",
                            (int)bytes.marks_length, SQLITE_STATIC);
    (void)sqlite3_bind_blob(put, 5, bytes.body, (int)bytes.body_length, SQLITE_STATIC);
    return weir_db_run(put, error);
}

/* Whether a segment that is there lies between two missing replies. */
static bool range_between(const struct work *w, uint32_t series, int64_t first, int64_t last)
{
    bool between = false;
    for (size_t i = 0; i < w->n_ranges && !between; i++)
        between = w->ranges[i].series == series && w->ranges[i].first_due > first &&
                  w->ranges[i].first_due < last;
    return between;
}

static weir_err replies_make(struct work *w, weir_error *error)
{
    weir_reply_record *replies = weir_alloc_zero(WEIR_SEGMENT_COUNT_MAX, sizeof *replies);
    weir_err err = replies ? WEIR_OK : weir_fail(error, WEIR_ENOMEM, "no memory for lost replies");
    for (size_t i = 0; err == WEIR_OK && i < w->n_missing;) {
        const uint32_t series = w->missing[i].series;
        size_t n = 0;
        do {
            replies[n++] = (weir_reply_record){.due = {w->missing[i].due},
                                               .received = {w->missing[i].due},
                                               .seq = (uint64_t)w->first_seq};
            i++;
        } while (n < WEIR_SEGMENT_COUNT_MAX && i < w->n_missing && w->missing[i].series == series &&
                 !range_between(w, series, replies[n - 1].due.us, w->missing[i].due));
        err = replies_write(w, series, replies, n, error);
    }
    weir_free(replies);
    return err;
}

/* --- numbers ------------------------------------------------------------------------------ */

/* One tag or series of the part: its segments, in the order of their times, get 0, 1, 2 ... By way
 * of a part that does not exist, as a number may be taken. */
static weir_err renumber(weir_salvage *s, int64_t key, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *move = NULL;
    struct {
        int64_t key, ts;
    } all[NUMBERS];
    size_t n = 0;
    bool row;
    weir_err err = weir_db_prepare(
        s->db, "SELECT key, head FROM segment WHERE key BETWEEN ?1 AND ?1+255 ORDER BY key", &rows,
        error);
    if (err == WEIR_OK)
        err = weir_db_prepare(s->db, "UPDATE segment SET key=?2 WHERE key=?1", &move, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, key);
    while ((err = weir_db_step(rows, &row, error)) == WEIR_OK && row && n < NUMBERS) {
        weir_segment_head head;
        size_t at = n++;
        if (weir_segment_head_parse(sqlite3_column_blob(rows, 1),
                                    (size_t)sqlite3_column_bytes(rows, 1), &head, NULL) != WEIR_OK)
            head.min_ts.us = INT64_MAX;
        for (; at > 0 && all[at - 1].ts > head.min_ts.us; at--)
            all[at] = all[at - 1];
        all[at].key = sqlite3_column_int64(rows, 0);
        all[at].ts = head.min_ts.us;
    }
    (void)sqlite3_reset(rows);
    bool right = true;
    for (size_t i = 0; i < n; i++)
        right &= all[i].key == key + (int64_t)i;
    for (size_t i = 0; err == WEIR_OK && !right && i < n; i++) {
        (void)sqlite3_bind_int64(move, 1, all[i].key);
        (void)sqlite3_bind_int64(move, 2, (int64_t)i);
        err = weir_db_run(move, error);
    }
    for (size_t i = 0; err == WEIR_OK && !right && i < n; i++) {
        (void)sqlite3_bind_int64(move, 1, (int64_t)i);
        (void)sqlite3_bind_int64(move, 2, key + (int64_t)i);
        err = weir_db_run(move, error);
    }
    return err;
}

/* Tags and series of the part that have a hole, or are not in order. */
static weir_err part_renumber(struct work *w, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row = true;
    int64_t after = SEGMENT_KEY(w->part, 0, 0) - 1;
    weir_err err = weir_db_prepare(
        w->s->db, "SELECT key FROM segment WHERE key>? AND key<? ORDER BY key LIMIT 1", &rows,
        error);
    while (err == WEIR_OK && row) {
        (void)sqlite3_bind_int64(rows, 1, after);
        (void)sqlite3_bind_int64(rows, 2, SEGMENT_KEY(w->part + 1, 0, 0));
        err = weir_db_step(rows, &row, error);
        const int64_t key = row ? sqlite3_column_int64(rows, 0) & ~0xffLL : 0;
        (void)sqlite3_reset(rows);
        if (err == WEIR_OK && row)
            err = renumber(w->s, key, error);
        after = key | 0xff;
    }
    return err;
}

/* --- all parts ---------------------------------------------------------------------------- */

static weir_err part_settle(struct work *w, weir_error *error)
{
    weir_err err = ranges_read(w, error);
    if (err == WEIR_OK)
        err = missing_read(w, error);
    if (err == WEIR_OK && w->n_missing > 0)
        err = replies_make(w, error);
    w->s->counts.lost_replies += w->n_missing;
    return err == WEIR_OK ? part_renumber(w, error) : err;
}

weir_err weir_salvage_settle_replies(weir_salvage *s, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    struct work w = {.s = s, .encoder = weir_segment_encoder_new()};
    bool row;
    weir_err err = w.encoder ? weir_db_prepare(s->db, "SELECT id, first_seq FROM part ORDER BY id",
                                               &rows, error)
                             : weir_fail(error, WEIR_ENOMEM, "no memory for lost replies");
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        w.part = sqlite3_column_int64(rows, 0);
        w.first_seq = sqlite3_column_int64(rows, 1);
        err = part_settle(&w, error);
    }
    work_deinit(&w);
    return err;
}
