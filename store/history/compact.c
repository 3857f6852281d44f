/* SPDX-License-Identifier: MIT */
/* From parts to a larger part: all of a period becomes one. */

/*
 * Tier k has parts of 1, 8, 64 and 512 days (k = 1 .. 4). When such a period has ended, the parts
 * of lower tiers that lie within it are read tag by tag, and written as one part of tier k. Tags
 * that would not gain from the next larger period, because they have too many samples for one
 * segment there, go to a second part that no merge takes again. Sources and targets change places
 * in one transaction; then the sources' segments are deleted in pieces.
 *
 * Late parts of a period that has been merged wait until there are several, and become another
 * part of that tier beside the first.
 *
 * Which of two samples of one identity counts is told by the order of what they were made of. So a
 * merge never takes parts from before and from after one that it leaves out, if they overlap in
 * time. (Those of PART_STAYS may be left out: all of their tags went there when the first merge of
 * the period was made, so whatever else has them is later.)
 *
 * A tag is read segment by segment, and written as soon as no segment to come can reach before what
 * was read. After a crash or a failure the targets tell the sources, and their highest key the tag
 * to begin with again.
 */

#include "store/history/compact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/history/history.h"
#include "store/history/part.h"
#include "store/history/quarantine.h"
#include "store/history/segments.h"
#include "store/query/view.h"

enum {
    LATE_PARTS = 8,      /* so many are worth a merge of their own */
    TIER_RATIO = 8,      /* between the periods of two tiers */
    KEEP_RATIO = 4,      /* a tag is kept for so many periods at least */
    UID_NONE = 0,        /* of keys: no tag has it */
    BUFFER_KEPT = 20000, /* samples of room that stay between tags */
    USED_MOVES = 1,
    USED_STAYS = 2,
    SERIES_KEPT = 4,    /* a tag is mostly of one or two */
    PIECE_STEPS = 2000, /* segments read or written in one piece: a tag may have few samples */
};

/* A segment of the tag at hand. */
struct input {
    int64_t key;
    weir_segment_head head;
    weir_segment *opened; /* while samples of it are not written: strings borrow from it */
};

struct source {
    weir_part part;
    uint32_t next; /* lowest uid not done yet; UINT32_MAX: none */
    bool known;    /* next is a uid it has */
};

/* A series of replies in all sources. */
struct series {
    uint32_t uid;
    uint64_t count;
    weir_segments_extent *in; /* [n_sources]; NULL: the place is free */
};

struct weir_compact {
    struct source *sources; /* ascending by last_seq */
    size_t n_sources;
    weir_part moves, stays; /* targets; stays.id 0: all go to moves */
    uint8_t *users;         /* of each series of replies, by its uid: USED_ of the targets */
    struct series series[SERIES_KEPT];
    size_t next_series; /* the place to be taken next */
    weir_view *view;    /* of the sources' replies; NULL: not needed yet */
    uint64_t uid_count; /* samples of the tag at hand */
    uint64_t *purged;
    size_t n_tags;

    uint32_t uid;         /* UID_NONE: between two */
    unsigned targets;     /* USED_MOVES, USED_STAYS; 0: not known before a segment is read */
    unsigned number;      /* of its next segment */
    struct input *inputs; /* in the order of sources */
    size_t n_inputs, inputs_capacity, read;
    weir_run all; /* the memory for what is read and not written: n of these samples, or replies */
    size_t capacity, text; /* text: bytes of strings in it */
    bool done;
    weir_segments out;
};

static void inputs_free(weir_compact *c)
{
    for (size_t i = 0; i < c->n_inputs; i++)
        weir_segment_free(c->inputs[i].opened);
    c->n_inputs = c->read = 0;
    c->text = 0;
}

static void run_free(weir_compact *c)
{
    weir_free(c->all.samples);
    weir_free(c->all.refs);
    weir_free(c->all.replies);
    c->all = (weir_run){0};
    c->capacity = 0;
}

void weir_compact_free(weir_compact *c)
{
    if (!c)
        return;
    inputs_free(c);
    run_free(c);
    weir_segments_deinit(&c->out);
    for (size_t i = 0; i < SERIES_KEPT; i++)
        weir_free(c->series[i].in);
    weir_view_free(c->view);
    weir_free(c->inputs);
    weir_free(c->sources);
    weir_free(c->purged);
    weir_free(c->users);
    weir_free(c);
}

bool weir_compact_is_busy(const weir_compact *c)
{
    return c && c->uid != UID_NONE;
}

/* --- choosing ----------------------------------------------------------------------------- */

static int64_t tier_period(int tier)
{
    int64_t days = 1;
    for (int k = 1; k < tier; k++)
        days *= TIER_RATIO;
    return days * WEIR_DAY;
}

static bool part_is_within(const weir_part *p, int64_t start, int64_t period)
{
    return weir_floor_multiple(p->min_ts, period) == start &&
           weir_floor_multiple(p->max_ts, period) == start;
}

/* What a merge takes. */
struct choice {
    int tier;
    uint32_t epoch;
    int64_t start;
    uint64_t first_seq, last_seq;
    size_t n;
    uint64_t bytes;
    bool merged; /* the tier has a part of the period already */
};

static bool choice_takes(const struct choice *c, const weir_part *p)
{
    return p->state == PART_LIVE && p->tier < c->tier && p->epoch == c->epoch &&
           p->first_seq >= c->first_seq && p->last_seq <= c->last_seq &&
           part_is_within(p, c->start, tier_period(c->tier));
}

static void choice_count(struct choice *c, const weir_part *parts, size_t n)
{
    uint64_t first = UINT64_MAX, last = 0;
    c->n = 0;
    c->bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (!choice_takes(c, &parts[i]))
            continue;
        first = parts[i].first_seq < first ? parts[i].first_seq : first;
        last = parts[i].last_seq > last ? parts[i].last_seq : last;
        c->bytes += parts[i].bytes;
        c->n++;
    }
    c->first_seq = first;
    c->last_seq = last;
}

/* A part that is left out and overlaps: what is later than it waits. */
static void choice_narrow(struct choice *c, const weir_part *parts, size_t n)
{
    const int64_t period = tier_period(c->tier);
    for (size_t i = 0; i < n && c->n > 0; i++) {
        const weir_part *p = &parts[i];
        if (p->state != PART_LIVE || p->epoch != c->epoch || p->tier & PART_STAYS ||
            choice_takes(c, p) || p->max_ts < c->start || p->min_ts >= c->start + period ||
            p->last_seq < c->first_seq || p->first_seq > c->last_seq)
            continue;
        c->last_seq = p->first_seq - 1;
        choice_count(c, parts, n);
        i = SIZE_MAX; /* from the start: the range is another */
    }
}

/* Samples of a tag go with their part: in too large ones they would stay for long. */
static bool period_suits(int tier, int64_t keep)
{
    return keep / KEEP_RATIO >= tier_period(tier);
}

/* The merge at this tier of the period of a part, if there is something to gain. */
static bool choose(const weir_store *store, const weir_part *parts, size_t n, const weir_part *of,
                   int tier, weir_wall now, struct choice *ret)
{
    /* The last samples of a period come to history with the next archive, and one that may be
     * under way. */
    const int64_t slack = 2 * store->options.archive_us;
    const int64_t period = tier_period(tier), start = weir_floor_multiple(of->min_ts, period);
    struct choice c = {.tier = tier, .epoch = of->epoch, .start = start, .last_seq = UINT64_MAX};
    if (!part_is_within(of, start, period) || now.us < start + period + slack ||
        !period_suits(tier, weir_expire_keep(store, 0)))
        return false;
    for (size_t i = 0; i < n; i++)
        c.merged |= parts[i].state == PART_LIVE && (parts[i].tier & ~PART_STAYS) == tier &&
                    parts[i].epoch == of->epoch && part_is_within(&parts[i], start, period);
    choice_count(&c, parts, n);
    choice_narrow(&c, parts, n);
    if (c.n < (c.merged ? LATE_PARTS : 2) || c.bytes > weir_limits_piece(store))
        return false;
    *ret = c;
    return true;
}

static bool choose_any(const weir_store *store, const weir_part *parts, size_t n, weir_wall now,
                       struct choice *ret)
{
    for (int tier = 1; tier <= PART_TIER_MAX; tier++)
        for (size_t i = 0; i < n; i++)
            if (parts[i].state == PART_LIVE && parts[i].tier < tier &&
                choose(store, parts, n, &parts[i], tier, now, ret))
                return true;
    return false;
}

/* --- beginning ---------------------------------------------------------------------------- */

static int source_compare(const void *a, const void *b)
{
    const weir_part *x = &((const struct source *)a)->part, *y = &((const struct source *)b)->part;
    return (x->last_seq > y->last_seq) - (x->last_seq < y->last_seq);
}

static weir_err compact_new(weir_store *store, const struct choice *choice, const weir_part *parts,
                            size_t n, weir_compact **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_compact_free) weir_compact *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge history");
    c->sources = weir_alloc_zero(choice->n, sizeof *c->sources);
    if (!c->sources)
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge %zu parts", choice->n);
    for (size_t i = 0; i < n && c->n_sources < choice->n; i++)
        if (choice_takes(choice, &parts[i]))
            c->sources[c->n_sources++].part = parts[i];
    qsort(c->sources, c->n_sources, sizeof *c->sources, source_compare);
    c->n_tags = store->pending.n_tags;
    c->users = weir_alloc_zero(c->n_tags, 1);
    if (!c->users)
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge history");
    weir_err err = weir_part_purged(store->db, c->n_tags, &c->purged, error);
    if (err == WEIR_OK)
        err = weir_segments_init(&c->out, store->db, error);
    if (err != WEIR_OK)
        return err;
    *ret = c;
    c = NULL;
    return WEIR_OK;
}

static weir_err compact_begin(weir_store *store, const struct choice *choice,
                              const weir_part *parts, size_t n, weir_error *error)
{
    weir_err err = compact_new(store, choice, parts, n, &store->history->compact, error);
    if (err != WEIR_OK)
        return err;
    weir_compact *c = store->history->compact;
    c->moves = c->sources[0].part;
    c->moves.id = 0;
    c->moves.tier = choice->tier;
    c->moves.state = PART_BUILDING;
    c->moves.first_seq = choice->first_seq;
    c->moves.last_seq = choice->last_seq;
    c->moves.segments = c->moves.samples = c->moves.bytes = 0;
    for (size_t i = 1; i < c->n_sources; i++) {
        const weir_part *s = &c->sources[i].part;
        c->moves.min_ts = s->min_ts < c->moves.min_ts ? s->min_ts : c->moves.min_ts;
        c->moves.max_ts = s->max_ts > c->moves.max_ts ? s->max_ts : c->moves.max_ts;
    }
    c->stays = c->moves;
    c->stays.tier |= PART_STAYS;
    err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_part_write(store->db, &c->moves, error);
    if (err == WEIR_OK && !choice->merged && choice->tier < PART_TIER_MAX)
        err = weir_part_write(store->db, &c->stays, error);
    return err == WEIR_OK ? weir_db_run(store->commit, error) : err;
}

/* Takes the tag that may be incomplete off the targets, and begins with it. */
static weir_err compact_resume_targets(weir_store *store, weir_error *error)
{
    weir_compact *c = store->history->compact;
    uint32_t moves, stays = 0;
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = weir_segments_last(store->db, &c->moves, &moves, error);
    if (err == WEIR_OK && c->stays.id)
        err = weir_segments_last(store->db, &c->stays, &stays, error);
    if (err != WEIR_OK)
        return err;
    const uint32_t last = moves > stays ? moves : stays;
    if (last != UID_NONE && last == moves)
        err = weir_segments_remove(store->db, &c->moves, last, error);
    if (err == WEIR_OK && last != UID_NONE && last == stays)
        err = weir_segments_remove(store->db, &c->stays, last, error);
    for (size_t i = 0; i < c->n_sources; i++)
        c->sources[i].next = last;
    return err == WEIR_OK ? weir_db_run(store->commit, error) : err;
}

/* Targets that a crash left: of one merge, as there is one at a time. */
static weir_err compact_resume(weir_store *store, const weir_part *parts, size_t n,
                               weir_error *error)
{
    const weir_part *moves = NULL, *stays = NULL;
    for (size_t i = 0; i < n; i++)
        if (parts[i].tier > 0 && (parts[i].state == PART_BUILDING || parts[i].state == PART_BUILT))
            *(parts[i].tier & PART_STAYS ? &stays : &moves) = &parts[i];
    if (!moves)
        return stays ? weir_part_drop(store->db, stays->id, error) : WEIR_OK;
    struct choice choice = {.tier = moves->tier,
                            .epoch = moves->epoch,
                            .start = weir_floor_multiple(moves->min_ts, tier_period(moves->tier)),
                            .first_seq = moves->first_seq,
                            .last_seq = moves->last_seq};
    choice_count(&choice, parts, n);
    if (choice.n == 0 || choice.first_seq != moves->first_seq ||
        choice.last_seq != moves->last_seq) {
        /* What it was made of is gone. */
        weir_err err = weir_part_drop(store->db, moves->id, error);
        return err == WEIR_OK && stays ? weir_part_drop(store->db, stays->id, error) : err;
    }
    weir_err err = compact_new(store, &choice, parts, n, &store->history->compact, error);
    if (err != WEIR_OK)
        return err;
    /* Which replies the tags use that are written already is not known any more. */
    memset(store->history->compact->users, USED_MOVES | (stays ? USED_STAYS : 0),
           store->history->compact->n_tags);
    store->history->compact->moves = *moves;
    store->history->compact->stays = stays ? *stays : (weir_part){0};
    return compact_resume_targets(store, error);
}

/* --- one tag ------------------------------------------------------------------------------ */

/* The uid of the first key at or above uid in a part. */
static weir_err source_seek(weir_store *store, const weir_part *part, uint32_t uid, uint32_t *ret,
                            weir_error *error)
{
    char sql[160];
    int64_t key;
    (void)snprintf(sql, sizeof sql, "SELECT min(key) FROM segment WHERE key>=%lld AND key<%lld",
                   (long long)SEGMENT_KEY(part->id, uid, 0),
                   (long long)SEGMENT_KEY(part->id + 1, 0, 0));
    weir_err err = weir_db_int(store->db, sql, -1, &key, error);
    if (err == WEIR_OK)
        *ret = key < 0 ? UINT32_MAX : (uint32_t)(key >> 8);
    return err;
}

/* Reads the heads of the tag's segments in a source. */
static weir_err source_list(weir_store *store, weir_compact *c, const weir_part *part,
                            weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        store->db, "SELECT key, head FROM segment WHERE key BETWEEN ? AND ? ORDER BY key", &rows,
        error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, SEGMENT_KEY(part->id, c->uid, 0));
    (void)sqlite3_bind_int64(rows, 2, SEGMENT_KEY(part->id, c->uid, 255));
    while ((err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        struct input input = {.key = sqlite3_column_int64(rows, 0)};
        if (c->n_inputs == c->inputs_capacity) {
            size_t capacity = c->inputs_capacity ? c->inputs_capacity * 2 : 32;
            struct input *inputs = weir_realloc_array(c->inputs, capacity, sizeof *inputs);
            if (!inputs)
                return weir_fail(error, WEIR_ENOMEM, "no memory to merge %zu segments", capacity);
            c->inputs = inputs;
            c->inputs_capacity = capacity;
        }
        err = weir_segment_head_parse(sqlite3_column_blob(rows, 1),
                                      (size_t)sqlite3_column_bytes(rows, 1), &input.head, error);
        if (err == WEIR_OK)
            c->inputs[c->n_inputs++] = input;
        else if (err == WEIR_EDAMAGED)
            c->inputs[c->n_inputs++] = (struct input){.key = input.key}; /* found when it is read */
        else
            return err;
    }
    return err;
}

/* Brings every source to its next uid. */
static weir_err sources_seek(weir_store *store, weir_compact *c, uint32_t *ret_lowest,
                             weir_error *error)
{
    uint32_t lowest = UINT32_MAX;
    for (size_t i = 0; i < c->n_sources; i++) {
        struct source *s = &c->sources[i];
        if (!s->known) {
            weir_err err = source_seek(store, &s->part, s->next, &s->next, error);
            if (err != WEIR_OK)
                return err;
            s->known = true;
        }
        lowest = s->next < lowest ? s->next : lowest;
    }
    *ret_lowest = lowest;
    return WEIR_OK;
}

/* Whether so many samples of a tag do not go on to the next larger period. */
static bool tag_stays(const weir_compact *c, uint64_t samples)
{
    return c->stays.id != 0 && samples * TIER_RATIO > WEIR_SEGMENT_COUNT_MAX;
}

/* Whether a tag does not, as it is not kept for long enough or must be able to go in small
 * pieces. */
static bool tag_is_kept_short(const weir_store *store, const weir_compact *c)
{
    return c->stays.id != 0 && (weir_expire_is_sized(store, c->uid) ||
                                !period_suits(c->moves.tier + 1, weir_expire_keep(store, c->uid)));
}

static weir_err tag_begin(weir_store *store, weir_compact *c, weir_error *error)
{
    uint32_t uid;
    weir_err err = sources_seek(store, c, &uid, error);
    if (err != WEIR_OK)
        return err;
    if (uid == UINT32_MAX) {
        c->done = true;
        return WEIR_OK;
    }
    c->uid = uid;
    c->number = 0;
    for (size_t i = 0; err == WEIR_OK && i < c->n_sources; i++) {
        struct source *s = &c->sources[i];
        if (s->next != uid)
            continue;
        s->next = uid + 1;
        s->known = false;
        if (uid >= c->n_tags || s->part.last_seq > c->purged[uid])
            err = source_list(store, c, &s->part, error);
    }
    c->uid_count = 0;
    for (size_t i = 0; i < c->n_inputs; i++)
        c->uid_count += c->inputs[i].head.count;
    const uint32_t series = uid & ~SEGMENT_REPLIES;
    c->targets = !(uid & SEGMENT_REPLIES) ? 0 : series < c->n_tags ? c->users[series] : USED_MOVES;
    return err;
}

static void tag_end(weir_compact *c)
{
    inputs_free(c);
    if (c->capacity > BUFFER_KEPT)
        run_free(c);
    c->uid = UID_NONE;
}

/* What a series of replies has in the sources. Lives until the next call. */
static weir_err series_get(weir_store *store, weir_compact *c, uint32_t uid,
                           const struct series **ret, weir_error *error)
{
    for (size_t i = 0; i < SERIES_KEPT; i++) {
        if (c->series[i].in && c->series[i].uid == uid) {
            *ret = &c->series[i];
            return WEIR_OK;
        }
    }
    struct series *s = &c->series[c->next_series];
    c->next_series = (c->next_series + 1) % SERIES_KEPT;
    weir_segments_extent *in = s->in ? s->in : weir_alloc(c->n_sources * sizeof *in);
    *s = (struct series){0};
    if (!in)
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge history");
    struct series found = {.uid = uid, .in = in};
    weir_err err = WEIR_OK;
    for (size_t i = 0; err == WEIR_OK && i < c->n_sources; i++) {
        err = weir_segments_measure(store->db, &c->sources[i].part, uid | SEGMENT_REPLIES, &in[i],
                                    error);
        found.count += err == WEIR_OK ? in[i].count : 0;
    }
    if (err != WEIR_OK) {
        weir_free(in);
        return err;
    }
    *s = found;
    *ret = s;
    return WEIR_OK;
}

/* After the first of its segments was read: where the tag goes. */
static weir_err tag_choose_target(weir_store *store, weir_compact *c, weir_error *error)
{
    const struct series *series;
    weir_err err = series_get(store, c, c->all.refs[0].reply, &series, error);
    if (err == WEIR_OK)
        c->targets =
            tag_stays(c, c->uid_count) || tag_stays(c, series->count) || tag_is_kept_short(store, c)
                ? USED_STAYS
                : USED_MOVES;
    return err;
}

/* --- reading ------------------------------------------------------------------------------ */

static bool is_replies(const weir_compact *c)
{
    return (c->uid & SEGMENT_REPLIES) != 0;
}

/* n of what was read, from the first on. */
static weir_run run_view(const weir_compact *c, size_t n)
{
    return is_replies(c) ? (weir_run){.replies = c->all.replies, .n = n}
                         : (weir_run){.samples = c->all.samples, .refs = c->all.refs, .n = n};
}

/* Replies come behind all tags: then the memory for samples goes. */
static bool run_reserve(weir_compact *c, size_t n)
{
    if (is_replies(c) && !c->all.replies)
        run_free(c);
    if (c->capacity >= n)
        return true;
    n += n / 4;
    void *first = is_replies(c) ? weir_realloc_array(c->all.replies, n, sizeof *c->all.replies)
                                : weir_realloc_array(c->all.samples, n, sizeof *c->all.samples);
    if (!first)
        return false;
    if (is_replies(c)) {
        c->all.replies = first;
    } else {
        c->all.samples = first;
        weir_reply_ref *refs = weir_realloc_array(c->all.refs, n, sizeof *refs);
        if (!refs)
            return false;
        c->all.refs = refs;
    }
    c->capacity = n;
    return true;
}

/* Decodes a segment behind what was read. */
static weir_err input_decode(weir_compact *c, struct input *input, const weir_row *row,
                             const uint8_t *marks, size_t marks_length, weir_error *error)
{
    weir_err err = weir_segment_head_parse(row->head, row->head_length, &input->head, error);
    if (err != WEIR_OK)
        return err;
    if (!run_reserve(c, c->all.n + input->head.count))
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge %u samples", input->head.count);
    if (is_replies(c))
        return weir_replies_decode(&input->head, row->body, row->body_length,
                                   c->all.replies + c->all.n, error);
    err = weir_segment_open(&input->head, marks, marks_length, &input->opened, error);
    if (err == WEIR_OK)
        err = weir_segment_load(input->opened, row->body, row->body_length, error);
    return err == WEIR_OK
               ? weir_segment_read(input->opened, 0, input->head.n_slices, c->uid,
                                   c->all.samples + c->all.n, c->all.refs + c->all.n, error)
               : err;
}

/* Whether another source has replies of the series around this due. */
static bool due_is_shared(const weir_compact *c, const struct series *series, int64_t part,
                          int64_t due)
{
    for (size_t i = 0; i < c->n_sources; i++)
        if (c->sources[i].part.id != part && series->in[i].count > 0 &&
            due >= series->in[i].min_ts && due <= series->in[i].max_ts)
            return true;
    return false;
}

/* The first of its source with some due need not be the first of all: such refs get marks. Replies
 * that cannot be read are set aside when their turn comes. */
static weir_err refs_mark(weir_store *store, weir_compact *c, const struct input *input,
                          weir_error *error)
{
    const struct series *series = NULL;
    weir_err err = WEIR_OK;
    for (size_t i = c->all.n; err == WEIR_OK && i < c->all.n + input->head.count; i++) {
        weir_reply_ref *ref = &c->all.refs[i];
        const weir_reply *reply;
        weir_error why = WEIR_ERROR_INIT;
        if (ref->mark != 0)
            continue;
        if (!series || series->uid != ref->reply)
            err = series_get(store, c, ref->reply, &series, error);
        if (err != WEIR_OK || !due_is_shared(c, series, input->key >> 40, ref->due.us))
            continue;
        if (!c->view)
            err = weir_view_new(store->db, &c->view, error);
        if (err != WEIR_OK)
            continue;
        const weir_err found = weir_view_reply(c->view, input->key >> 40, ref, &reply, &why);
        if (found == WEIR_OK)
            ref->mark = weir_reply_mark(reply->seq);
        else if (found != WEIR_EDAMAGED)
            err = weir_fail(error, found, "%s", why.text);
    }
    return err;
}

/* What was decoded counts from now on. Segments without strings are not needed any more. */
static void input_take(weir_compact *c, struct input *input)
{
    size_t text = 0;
    for (size_t i = c->all.n; !is_replies(c) && i < c->all.n + input->head.count; i++) {
        const weir_value *v = &c->all.samples[i].value;
        text += v->kind >= WEIR_KIND_STRING ? v->length + 1u : 0;
    }
    if (text == 0) {
        weir_segment_free(input->opened);
        input->opened = NULL;
    }
    c->text += text;
    c->all.n += input->head.count;
    c->read++;
}

static weir_err input_set_aside(weir_store *store, weir_compact *c, struct input *input,
                                const weir_damaged *damaged, weir_wall now, const weir_error *why,
                                weir_error *error)
{
    char sql[80];
    (void)snprintf(sql, sizeof sql, "DELETE FROM segment WHERE key=%lld", (long long)input->key);
    weir_err err = weir_quarantine_add(store, damaged, now, why, error);
    weir_segment_free(input->opened);
    *input = (struct input){.key = input->key};
    c->read++;
    return err == WEIR_OK ? weir_db_exec(store->db, sql, error) : err;
}

static weir_err input_read(weir_store *store, weir_compact *c, weir_wall now, size_t *work,
                           weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    struct input *input = &c->inputs[c->read];
    weir_error why = WEIR_ERROR_INIT;
    bool found;
    weir_err err = weir_db_prepare(
        store->db, "SELECT key, head, marks, body FROM segment WHERE key=?", &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(stmt, 1, input->key);
    err = weir_db_step(stmt, &found, error);
    if (err != WEIR_OK || !found)
        return err != WEIR_OK ? err : weir_fail(error, WEIR_EDAMAGED, "a segment is gone");
    const weir_row row = weir_row_of(stmt, 0, 1, 3);
    const uint8_t *marks = sqlite3_column_blob(stmt, 2);
    const size_t marks_length = (size_t)sqlite3_column_bytes(stmt, 2);
    *work += input->head.count;
    weir_err reading = input_decode(c, input, &row, marks, marks_length, &why);
    if (reading == WEIR_OK) {
        err = is_replies(c) || c->n_sources == 1 ? WEIR_OK : refs_mark(store, c, input, error);
        if (err == WEIR_OK)
            input_take(c, input);
        return err;
    }
    if (reading != WEIR_EDAMAGED)
        return weir_fail(error, reading, "%s", why.text);
    return input_set_aside(store, c, input,
                           &(weir_damaged){.origin = "segment",
                                           .key = input->key,
                                           .count = input->head.count,
                                           .row = row,
                                           .marks = marks,
                                           .marks_length = marks_length},
                           now, &why, error);
}

/* --- writing ------------------------------------------------------------------------------ */

static int64_t run_ts(const weir_compact *c, size_t i)
{
    return is_replies(c) ? c->all.replies[i].due.us : c->all.samples[i].ts.us;
}

/* How many of the first ones no segment to come can reach before. */
static size_t run_settled(const weir_compact *c)
{
    int64_t min = INT64_MAX;
    size_t n = c->all.n;
    for (size_t i = c->read; i < c->n_inputs; i++)
        if (c->inputs[i].head.count > 0 && c->inputs[i].head.min_ts.us < min)
            min = c->inputs[i].head.min_ts.us;
    while (c->read < c->n_inputs && n > 0 && run_ts(c, n - 1) >= min)
        n--;
    return n;
}

/* Takes the first n off, and lets go of segments that no string is borrowed from any more. */
static void run_shift(weir_compact *c, size_t n)
{
    const size_t rest = c->all.n - n;
    if (is_replies(c)) {
        memmove(c->all.replies, c->all.replies + n, rest * sizeof *c->all.replies);
    } else {
        for (size_t i = 0; c->text > 0 && i < n; i++)
            if (c->all.samples[i].value.kind >= WEIR_KIND_STRING)
                c->text -= c->all.samples[i].value.length + 1u;
        memmove(c->all.samples, c->all.samples + n, rest * sizeof *c->all.samples);
        memmove(c->all.refs, c->all.refs + n, rest * sizeof *c->all.refs);
    }
    c->all.n = rest;
    for (size_t i = 0; i < c->read; i++) {
        if (rest > 0 && c->inputs[i].head.max_ts.us >= run_ts(c, 0))
            continue;
        weir_segment_free(c->inputs[i].opened);
        c->inputs[i].opened = NULL;
    }
}

/* Writes a segment, if what is settled makes a whole one or nothing is to come. */
static weir_err run_write(weir_compact *c, bool *ret_wrote, weir_error *error)
{
    weir_run run = run_view(c, c->all.n);
    weir_err err = weir_run_order(&run, error);
    if (err != WEIR_OK)
        return err;
    c->all.n = run.n;
    run.n = run_settled(c);
    const size_t settled = run.n;
    run.n = weir_run_segment(&run);
    *ret_wrote =
        run.n > 0 && (c->read == c->n_inputs || run.n < settled || run.n == WEIR_SEGMENT_COUNT_MAX);
    if (!*ret_wrote)
        return WEIR_OK;
    for (size_t i = 0; !run.replies && i < run.n; i++)
        if (run.refs[i].reply < c->n_tags)
            c->users[run.refs[i].reply] |= (uint8_t)c->targets;
    if (c->targets & USED_MOVES)
        err = weir_segments_put(&c->out, &c->moves, c->uid, c->number, &run, WEIR_EFFORT_SMALL,
                                error);
    if (err == WEIR_OK && c->targets & USED_STAYS)
        err = weir_segments_put(&c->out, &c->stays, c->uid, c->number, &run, WEIR_EFFORT_SMALL,
                                error);
    c->number++;
    if (err == WEIR_OK)
        run_shift(c, run.n);
    return err;
}

/* --- pieces ------------------------------------------------------------------------------- */

static weir_err compact_step(weir_store *store, weir_compact *c, weir_wall now, size_t *work,
                             weir_error *error)
{
    if (c->uid == UID_NONE)
        return tag_begin(store, c, error);
    bool wrote = false;
    weir_err err = WEIR_OK;
    if (c->read == c->n_inputs || c->all.n >= WEIR_SEGMENT_COUNT_MAX ||
        c->text >= WEIR_SEGMENT_TEXT)
        err = run_write(c, &wrote, error);
    if (err != WEIR_OK || wrote)
        return err;
    if (c->read == c->n_inputs) {
        tag_end(c);
        return WEIR_OK;
    }
    err = input_read(store, c, now, work, error);
    if (err == WEIR_OK && !is_replies(c) && c->targets == 0 && c->all.n > 0)
        err = tag_choose_target(store, c, error);
    return err;
}

static weir_err compact_piece(weir_store *store, weir_wall now, weir_error *error)
{
    weir_compact *c = store->history->compact;
    size_t work = 0, steps = 0;
    c->out.samples = c->out.bytes = 0;
    weir_err err = weir_db_run(store->begin, error);
    while (err == WEIR_OK && !c->done && work + c->out.samples < store->options.piece_samples &&
           c->out.bytes < WEIR_PIECE_BYTES && steps++ < PIECE_STEPS)
        err = compact_step(store, c, now, &work, error);
    if (err == WEIR_OK)
        err = weir_part_write(store->db, &c->moves, error);
    if (err == WEIR_OK && c->stays.id)
        err = weir_part_write(store->db, &c->stays, error);
    return err == WEIR_OK ? weir_db_run(store->commit, error) : err;
}

static weir_err target_end(weir_store *store, weir_part *target, bool live, weir_error *error)
{
    if (target->id == 0)
        return WEIR_OK;
    target->state = live && target->segments > 0 ? PART_LIVE : PART_DROPPING;
    return weir_part_write(store->db, target, error);
}

/* Targets live and sources dropped at once. If a source was dropped meanwhile by someone else, the
 * targets go instead, and it is tried again. */
static weir_err compact_end(weir_store *store, weir_error *error)
{
    weir_compact *c = store->history->compact;
    bool live = true;
    char sql[100];
    weir_err err = weir_db_run(store->begin, error);
    for (size_t i = 0; err == WEIR_OK && i < c->n_sources; i++) {
        int64_t state;
        (void)snprintf(sql, sizeof sql, "SELECT state FROM part WHERE id=%lld",
                       (long long)c->sources[i].part.id);
        err = weir_db_int(store->db, sql, PART_DROPPING, &state, error);
        live &= err == WEIR_OK && state == PART_LIVE;
    }
    if (err == WEIR_OK)
        err = target_end(store, &c->moves, live, error);
    if (err == WEIR_OK)
        err = target_end(store, &c->stays, live, error);
    for (size_t i = 0; err == WEIR_OK && live && i < c->n_sources; i++) {
        c->sources[i].part.state = PART_DROPPING;
        err = weir_part_write(store->db, &c->sources[i].part, error);
    }
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        return err;
    weir_compact_free(c);
    store->history->compact = NULL;
    store->history->parts_changed = true;
    return WEIR_OK;
}

/*
 * A tag has more samples than the segments of one part can hold: over 33 million in a period. The
 * sources stay what they are, for ever.
 * UNTESTED: such a tag takes gigabytes.
 */
static weir_err compact_give_up(weir_store *store, weir_error *error)
{
    weir_compact *c = store->history->compact;
    weir_store_rollback(store);
    weir_err err = weir_db_run(store->begin, error);
    if (err == WEIR_OK)
        err = target_end(store, &c->moves, false, error);
    if (err == WEIR_OK)
        err = target_end(store, &c->stays, false, error);
    for (size_t i = 0; err == WEIR_OK && i < c->n_sources; i++) {
        c->sources[i].part.tier |= PART_STAYS;
        err = weir_part_write(store->db, &c->sources[i].part, error);
    }
    if (err == WEIR_OK)
        err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        return err;
    weir_compact_free(c);
    store->history->compact = NULL;
    return WEIR_OK;
}

/* --- the duty ----------------------------------------------------------------------------- */

static weir_err compact_look(weir_store *store, weir_wall now, weir_error *error)
{
    WEIR_CLEANUP(weir_free) void *owner = NULL;
    weir_part *parts = NULL;
    struct choice choice;
    size_t n = 0;
    const int64_t age = now.us - store->history->compact_tried.us;
    if (!store->history->parts_changed && age >= 0 && age < store->options.merge_us)
        return WEIR_OK;
    weir_err err = weir_parts_read(store->db, "ORDER BY id", &parts, &n, error);
    owner = parts;
    if (err == WEIR_OK && !store->history->compact_looked)
        err = compact_resume(store, parts, n, error);
    if (err != WEIR_OK || store->history->compact)
        return err;
    store->history->compact_looked = true;
    store->history->compact_tried = now;
    store->history->parts_changed = false;
    if (choose_any(store, parts, n, now, &choice))
        err = compact_begin(store, &choice, parts, n, error);
    return err;
}

weir_err weir_compact_run(weir_store *store, weir_wall now, bool *ret_did, weir_error *error)
{
    weir_err err = WEIR_OK;
    if (store->history->archive)
        return WEIR_OK;
    if (!store->history->compact) {
        err = compact_look(store, now, error);
        *ret_did = err == WEIR_OK && store->history->compact;
        return err;
    }
    err = store->history->compact->done ? compact_end(store, error)
                                        : compact_piece(store, now, error);
    if (err == WEIR_ELIMIT)
        err = compact_give_up(store, error);
    *ret_did = err == WEIR_OK;
    return err;
}
