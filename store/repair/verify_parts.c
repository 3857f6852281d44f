/* SPDX-License-Identifier: MIT */
/* Checking history: each segment against itself, its part and its replies. */

#include "store/repair/verify_priv.h"

#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"

/* The part whose segments are being read, and what they add up to. */
struct part_check {
    struct verification *v;
    int64_t id;
    bool known, live;
    weir_view_part part; /* times as stored */
    int64_t segments, samples;
    int64_t n_segments, n_samples;
    int64_t last_key, last_max; /* of the segment before */
};

/* Room for the samples of one segment. */
struct room {
    weir_sample *samples;
    weir_reply_ref *refs;
    weir_reply_record *replies;
};

static void room_deinit(struct room *room)
{
    weir_free(room->samples);
    weir_free(room->refs);
    weir_free(room->replies);
}

static void part_finding(struct part_check *p, int64_t key, const char *text)
{
    weir_error error = WEIR_ERROR_INIT;
    (void)weir_fail(&error, WEIR_EDAMAGED, "%s", text);
    weir_err err = weir_view_segment_fail(key, &error);
    if (err != WEIR_OK)
        weir_verify_finding(p->v, "%s", error.text);
}

/* --- summaries ---------------------------------------------------------------------------- */

/* Sums of doubles depend on the order they were made in; all else is exact. */
static bool sum_equals(const weir_summary *a, const weir_summary *b)
{
    double scale = (fabs(a->min) + fabs(a->max)) * (double)a->numbers;
    if (!isfinite(a->sum) || !isfinite(b->sum) || !isfinite(scale))
        return true;
    return fabs(a->sum - b->sum) <= scale * 1e-9;
}

static bool summary_equals(const weir_summary *a, const weir_summary *b)
{
    if (a->count != b->count || a->good != b->good || a->bad != b->bad || a->numbers != b->numbers)
        return false;
    if (a->numbers == 0)
        return true;
    return a->min == b->min && a->max == b->max && a->falls == b->falls &&
           a->first_ts.us == b->first_ts.us && a->last_ts.us == b->last_ts.us &&
           weir_value_identical(&a->first, &b->first) && weir_value_identical(&a->last, &b->last) &&
           sum_equals(a, b);
}

static const char *slices_check(const weir_segment_head *head, const weir_slice *slices, size_t n,
                                const weir_sample *samples)
{
    weir_summary all = {0};
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        weir_summary summary = {0};
        if (slices[i].first != at || slices[i].count == 0 || slices[i].count > head->count - at)
            return "its slices are not side by side";
        const weir_sample *first = samples + at, *last = first + slices[i].count - 1;
        if (first->ts.us != slices[i].min_ts.us || last->ts.us != slices[i].max_ts.us)
            return "the times of a slice are not those of its samples";
        for (; first <= last; first++) {
            weir_summary_add(&summary, first);
            weir_summary_add(&all, first);
        }
        if (!summary_equals(&summary, &slices[i].summary))
            return "the summary of a slice is not that of its samples";
        at += slices[i].count;
    }
    if (at != head->count)
        return "its slices hold another number of samples than it says";
    return summary_equals(&all, &head->summary) ? NULL : "its summary is not that of its samples";
}

/* --- segments ----------------------------------------------------------------------------- */

/* What a segment of samples says of itself. NULL: it is right. */
static const char *samples_check(const weir_segment_head *head, const weir_sample *samples)
{
    for (size_t i = 1; i < head->count; i++)
        if (samples[i].ts.us <= samples[i - 1].ts.us)
            return "samples are not in order";
    if (samples[0].ts.us != head->min_ts.us || samples[head->count - 1].ts.us != head->max_ts.us)
        return "min_ts and max_ts are not those of its samples";
    return NULL;
}

/* Every sample's reply is there, and gives it a seq of this part. */
static weir_err refs_check(struct part_check *p, int64_t key, const weir_reply_ref *refs, size_t n,
                           weir_error *error)
{
    for (size_t i = 0; i < n; i++) {
        const weir_reply_record *reply;
        weir_err err = weir_view_reply(p->v->view, p->id, &refs[i], &reply, error);
        if (err != WEIR_OK)
            return err;
        uint64_t seq = reply->seq + refs[i].index;
        if (seq < p->part.first_seq || seq > p->part.last_seq) {
            part_finding(p, key, "a sample's seq is not within its part's");
            return WEIR_OK;
        }
    }
    return WEIR_OK;
}

static weir_err segment_read(int64_t key, const weir_segment_head *head, sqlite3_stmt *row,
                             weir_segment **ret, struct room *room, weir_error *error)
{
    weir_err err = weir_segment_open(head, sqlite3_column_blob(row, 2),
                                     (size_t)sqlite3_column_bytes(row, 2), ret, error);
    if (err == WEIR_OK)
        err = weir_segment_load(*ret, sqlite3_column_blob(row, 3),
                                (size_t)sqlite3_column_bytes(row, 3), error);
    if (err != WEIR_OK)
        return weir_view_segment_fail(key, error);
    size_t n, total = 0;
    const weir_slice *slices = weir_segment_slices(*ret, &n);
    for (size_t i = 0; i < n; i++)
        total += slices[i].count;
    if (total != head->count || total == 0) {
        (void)weir_fail(error, WEIR_EDAMAGED,
                        "its slices hold another number of samples than it says");
        return weir_view_segment_fail(key, error);
    }
    room->samples = weir_alloc(total * sizeof *room->samples);
    room->refs = weir_alloc(total * sizeof *room->refs);
    if (!room->samples || !room->refs)
        return weir_fail(error, WEIR_ENOMEM, "no memory to verify a segment");
    err = weir_segment_read(*ret, 0, n, (weir_tag_uid)(key >> 8) & ~SEGMENT_REPLIES, room->samples,
                            room->refs, error);
    return err == WEIR_OK ? err : weir_view_segment_fail(key, error);
}

/* Of samples that were read: what is wrong with them. NULL: nothing. */
static const char *contents_check(const weir_segment_head *head, const weir_segment *segment,
                                  const weir_sample *samples)
{
    size_t n;
    const weir_slice *slices = weir_segment_slices(segment, &n);
    const char *wrong = samples_check(head, samples);
    return wrong ? wrong : slices_check(head, slices, n, samples);
}

static weir_err replies_read(int64_t key, const weir_segment_head *head, sqlite3_stmt *row,
                             struct room *room, weir_error *error)
{
    room->replies = weir_alloc(head->count * sizeof *room->replies);
    if (!room->replies)
        return weir_fail(error, WEIR_ENOMEM, "no memory to verify a segment");
    weir_err err = weir_replies_decode(head, sqlite3_column_blob(row, 3),
                                       (size_t)sqlite3_column_bytes(row, 3), room->replies, error);
    return err == WEIR_OK ? WEIR_OK : weir_view_segment_fail(key, error);
}

static weir_err segment_check(struct part_check *p, int64_t key, const weir_segment_head *head,
                              sqlite3_stmt *row, weir_error *error)
{
    WEIR_CLEANUP(weir_segment_free) weir_segment *segment = NULL;
    struct room room = {0};
    weir_err err = segment_read(key, head, row, &segment, &room, error);
    if (err == WEIR_OK) {
        const char *wrong = contents_check(head, segment, room.samples);
        if (wrong)
            part_finding(p, key, wrong);
        err = refs_check(p, key, room.refs, head->count, error);
        p->n_samples += head->count;
    }
    if (err == WEIR_OK && !weir_names_of(&p->v->names, (weir_tag_uid)(key >> 8)))
        part_finding(p, key, "the tag has no name");
    room_deinit(&room);
    return err;
}

static weir_err replies_check(struct part_check *p, int64_t key, const weir_segment_head *head,
                              sqlite3_stmt *row, weir_error *error)
{
    struct room room = {0};
    weir_err err = replies_read(key, head, row, &room, error);
    for (size_t i = 0; err == WEIR_OK && i < head->count; i++) {
        const weir_reply_record *r = &room.replies[i];
        if (i > 0 &&
            (r->due.us < r[-1].due.us || (r->due.us == r[-1].due.us && r->seq <= r[-1].seq))) {
            part_finding(p, key, "replies are not in order");
            break;
        }
    }
    room_deinit(&room);
    return err;
}

static weir_err samples_verify(int64_t key, const weir_segment_head *head, sqlite3_stmt *row,
                               weir_error *error)
{
    WEIR_CLEANUP(weir_segment_free) weir_segment *segment = NULL;
    struct room room = {0};
    weir_err err = segment_read(key, head, row, &segment, &room, error);
    if (err == WEIR_OK) {
        const char *wrong = contents_check(head, segment, room.samples);
        if (wrong) {
            (void)weir_fail(error, WEIR_EDAMAGED, "%s", wrong);
            err = weir_view_segment_fail(key, error);
        }
    }
    room_deinit(&room);
    return err;
}

weir_err weir_verify_segment(sqlite3_stmt *row, uint64_t *ret_count, weir_error *error)
{
    const int64_t key = sqlite3_column_int64(row, 0);
    weir_segment_head head;
    *ret_count = 0;
    weir_err err = weir_segment_head_parse(sqlite3_column_blob(row, 1),
                                           (size_t)sqlite3_column_bytes(row, 1), &head, error);
    if (err != WEIR_OK)
        return weir_view_segment_fail(key, error);
    *ret_count = head.count;
    if (!((uint32_t)(key >> 8) & SEGMENT_REPLIES))
        return samples_verify(key, &head, row, error);
    struct room room = {0};
    err = replies_read(key, &head, row, &room, error);
    room_deinit(&room);
    return err;
}

/* Where it lies among the others, and in its part. */
static void place_check(struct part_check *p, int64_t key, const weir_segment_head *head)
{
    bool follows = key >> 8 == p->last_key >> 8;
    if ((key & 0xff) != (follows ? (p->last_key & 0xff) + 1 : 0))
        part_finding(p, key, "one before it is missing");
    if (follows && head->min_ts.us < p->last_max)
        part_finding(p, key, "it begins before the end of the one before");
    if (!((uint32_t)(key >> 8) & SEGMENT_REPLIES) &&
        (head->min_ts.us < p->part.min_ts || head->max_ts.us > p->part.max_ts))
        part_finding(p, key, "it lies outside of its part's times");
    p->last_key = key;
    p->last_max = head->max_ts.us;
}

static weir_err row_check(struct part_check *p, sqlite3_stmt *row, weir_error *error)
{
    int64_t key = sqlite3_column_int64(row, 0);
    uint64_t before = p->v->counts.findings;
    weir_segment_head head;
    p->n_segments++;
    weir_err err = weir_segment_head_parse(sqlite3_column_blob(row, 1),
                                           (size_t)sqlite3_column_bytes(row, 1), &head, error);
    if (err != WEIR_OK) {
        err = weir_view_segment_fail(key, error);
        p->last_key = key; /* the next is not to be called the first */
    } else {
        place_check(p, key, &head);
        err = (uint32_t)(key >> 8) & SEGMENT_REPLIES ? replies_check(p, key, &head, row, error)
                                                     : segment_check(p, key, &head, row, error);
    }
    if (err == WEIR_EDAMAGED || err == WEIR_EUNSUPPORTED) {
        weir_verify_finding(p->v, "%s", error->text);
        return WEIR_OK;
    }
    if (err == WEIR_OK && p->v->counts.findings == before) {
        p->v->counts.segments++;
        if (!((uint32_t)(key >> 8) & SEGMENT_REPLIES))
            p->v->counts.samples += head.count;
    }
    if (p->v->progress)
        p->v->progress(p->v->data, p->v->counts.samples, p->v->total);
    return err;
}

/* --- parts -------------------------------------------------------------------------------- */

static weir_err part_begin(struct part_check *p, int64_t id, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    struct verification *v = p->v;
    weir_err err = weir_db_prepare(v->db,
                                   "SELECT state, min_ts, max_ts, first_seq, last_seq, segments,"
                                   " samples FROM main.part WHERE id=?",
                                   &stmt, error);
    *p = (struct part_check){.v = v, .id = id, .last_key = -1};
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(stmt, 1, id);
    err = weir_db_step(stmt, &p->known, error);
    if (err != WEIR_OK || !p->known) {
        if (err == WEIR_OK)
            weir_verify_finding(v, "segments of part %" PRId64 ", which is not there", id);
        return err;
    }
    p->live = sqlite3_column_int(stmt, 0) == PART_LIVE;
    p->part = (weir_view_part){.id = id,
                               .min_ts = sqlite3_column_int64(stmt, 1),
                               .max_ts = sqlite3_column_int64(stmt, 2),
                               .first_seq = (uint64_t)sqlite3_column_int64(stmt, 3),
                               .last_seq = (uint64_t)sqlite3_column_int64(stmt, 4)};
    p->segments = sqlite3_column_int64(stmt, 5);
    p->samples = sqlite3_column_int64(stmt, 6);
    if (p->live && p->part.last_seq > weir_view_history_seq(v->view))
        weir_verify_finding(v, "part %" PRId64 ": last_seq is above history_seq", id);
    return WEIR_OK;
}

static void part_end(struct part_check *p)
{
    if (!p->live)
        return;
    if (p->n_segments != p->segments)
        weir_verify_finding(p->v,
                            "part %" PRId64 ": it says %" PRId64 " segments, %" PRId64 " are there",
                            p->id, p->segments, p->n_segments);
    else if (p->n_samples != p->samples)
        weir_verify_finding(p->v,
                            "part %" PRId64 ": it says %" PRId64 " samples, its segments hold "
                            "%" PRId64,
                            p->id, p->samples, p->n_samples);
    p->v->counts.parts++;
}

/* A live part without segments is seen by nobody else. */
static weir_err parts_empty(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row;
    weir_err err =
        weir_db_prepare(v->db,
                        "SELECT id, segments FROM main.part p WHERE state=1 AND NOT EXISTS("
                        "SELECT 1 FROM main.segment WHERE key>=p.id<<40 AND key<(p.id+1)<<40)",
                        &stmt, error);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row)
        weir_verify_finding(v, "part %" PRId64 ": it says %" PRId64 " segments, 0 are there",
                            (int64_t)sqlite3_column_int64(stmt, 0),
                            (int64_t)sqlite3_column_int64(stmt, 1));
    return err;
}

weir_err weir_verify_parts(struct verification *v, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    struct part_check p = {.v = v, .id = -1};
    bool row;
    int64_t total = 0;
    weir_err err = v->progress
                       ? weir_db_int(v->db, "SELECT sum(samples) FROM main.part", 0, &total, error)
                       : WEIR_OK;
    v->total = total > 0 ? (uint64_t)total : 0;
    if (err == WEIR_OK)
        err = weir_db_prepare(v->db, "SELECT key, head, marks, body FROM main.segment ORDER BY key",
                              &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        int64_t id = sqlite3_column_int64(rows, 0) >> 40;
        if (id != p.id) {
            part_end(&p);
            err = part_begin(&p, id, error);
        }
        if (err == WEIR_OK && p.live)
            err = row_check(&p, rows, error);
    }
    if (err == WEIR_OK)
        part_end(&p);
    if (err == WEIR_OK)
        err = parts_empty(v, error);
    return weir_verify_pass_end(v, "history", err, error);
}
