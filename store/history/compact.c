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
 * A tag is read segment by segment, and written as soon as no segment to come can reach before what
 * was read. After a crash or a failure the targets tell the sources, and their highest key the tag
 * to begin with again.
 */

#include "store/history/compact.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/history/choice.h"
#include "store/history/history.h"
#include "store/history/inputs.h"
#include "store/history/part.h"
#include "store/history/segments.h"
#include "store/history/sources.h"

enum {
    USED_MOVES = 1,
    USED_STAYS = 2,
    PIECE_STEPS = 2000, /* segments read or written in one piece: a tag may have few samples */
};

struct weir_compact {
    weir_sources sources;
    weir_part moves, stays; /* targets; stays.id 0: all go to moves */
    uint8_t *users;         /* of each series of replies, by its uid: USED_ of the targets */
    uint64_t *purged;
    size_t n_tags;

    weir_inputs inputs; /* of the tag at hand */
    uint64_t count;     /* samples of it */
    unsigned targets;   /* USED_MOVES, USED_STAYS; 0: not known before a segment is read */
    unsigned number;    /* of its next segment */
    bool done;
    weir_segments out;
};

void weir_compact_free(weir_compact *c)
{
    if (!c)
        return;
    weir_inputs_deinit(&c->inputs);
    weir_sources_deinit(&c->sources);
    weir_segments_deinit(&c->out);
    weir_free(c->purged);
    weir_free(c->users);
    weir_free(c);
}

bool weir_compact_is_busy(const weir_compact *c)
{
    return c && c->inputs.uid != WEIR_UID_NONE;
}

/* --- beginning ---------------------------------------------------------------------------- */

static weir_err compact_new(weir_store *store, const weir_choice *choice, const weir_part *parts,
                            size_t n, weir_compact **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_compact_free) weir_compact *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge history");
    c->n_tags = store->pending.n_tags;
    c->users = weir_alloc_zero(c->n_tags, 1);
    if (!c->users)
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge history");
    weir_err err = weir_sources_init(&c->sources, store->db, choice, parts, n, error);
    if (err == WEIR_OK)
        err = weir_part_purged(store->db, c->n_tags, &c->purged, error);
    if (err == WEIR_OK)
        err = weir_segments_init(&c->out, store->db, error);
    if (err != WEIR_OK)
        return err;
    *ret = c;
    c = NULL;
    return WEIR_OK;
}

static weir_err compact_begin(weir_store *store, const weir_choice *choice, const weir_part *parts,
                              size_t n, weir_error *error)
{
    weir_err err = compact_new(store, choice, parts, n, &store->history->compact, error);
    if (err != WEIR_OK)
        return err;
    weir_compact *c = store->history->compact;
    c->moves = c->sources.items[0].part;
    c->moves.id = 0;
    c->moves.tier = choice->tier;
    c->moves.state = PART_BUILDING;
    c->moves.first_seq = choice->first_seq;
    c->moves.last_seq = choice->last_seq;
    c->moves.segments = c->moves.samples = c->moves.bytes = 0;
    for (size_t i = 1; i < c->sources.n; i++) {
        const weir_part *s = &c->sources.items[i].part;
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
    if (last != WEIR_UID_NONE && last == moves)
        err = weir_segments_remove(store->db, &c->moves, last, error);
    if (err == WEIR_OK && last != WEIR_UID_NONE && last == stays)
        err = weir_segments_remove(store->db, &c->stays, last, error);
    for (size_t i = 0; i < c->sources.n; i++)
        c->sources.items[i].next = last;
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
    weir_choice choice;
    if (!weir_choice_again(moves, parts, n, &choice)) {
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

/* Whether so many samples of a tag do not go on to the next larger period. */
static bool tag_stays(const weir_compact *c, uint64_t samples)
{
    return c->stays.id != 0 && samples * WEIR_TIER_RATIO > WEIR_SEGMENT_COUNT_MAX;
}

/* Whether a tag does not, as it is not kept for long enough or must be able to go in small
 * pieces. */
static bool tag_is_kept_short(const weir_store *store, const weir_compact *c)
{
    return c->stays.id != 0 &&
           (weir_expire_is_sized(store, c->inputs.uid) ||
            !weir_period_suits(c->moves.tier + 1, weir_expire_keep(store, c->inputs.uid)));
}

static weir_err tag_begin(weir_compact *c, weir_error *error)
{
    uint32_t uid;
    weir_err err = weir_sources_seek(&c->sources, &uid, error);
    if (err != WEIR_OK)
        return err;
    if (uid == UINT32_MAX) {
        c->done = true;
        return WEIR_OK;
    }
    const uint64_t purged_seq = uid < c->n_tags ? c->purged[uid] : 0;
    const uint32_t series = uid & ~SEGMENT_REPLIES;
    err = weir_inputs_begin(&c->inputs, &c->sources, uid, purged_seq, error);
    c->number = 0;
    c->count = weir_inputs_count(&c->inputs);
    c->targets = !(uid & SEGMENT_REPLIES) ? 0 : series < c->n_tags ? c->users[series] : USED_MOVES;
    return err;
}

/* After the first of its segments was read: where the tag goes. */
static weir_err tag_choose_target(weir_store *store, weir_compact *c, weir_error *error)
{
    uint64_t replies;
    weir_err err =
        weir_sources_count_replies(&c->sources, c->inputs.all.refs[0].reply, &replies, error);
    if (err == WEIR_OK)
        c->targets = tag_stays(c, c->count) || tag_stays(c, replies) || tag_is_kept_short(store, c)
                         ? USED_STAYS
                         : USED_MOVES;
    return err;
}

/* Writes the next segment, if there is one to be cut. */
static weir_err tag_write(weir_compact *c, bool *ret_wrote, weir_error *error)
{
    weir_run run;
    weir_err err = weir_inputs_cut(&c->inputs, &run, error);
    if (err != WEIR_OK || run.n == 0)
        return err;
    *ret_wrote = true;
    for (size_t i = 0; !run.replies && i < run.n; i++)
        if (run.refs[i].reply < c->n_tags)
            c->users[run.refs[i].reply] |= (uint8_t)c->targets;
    weir_part *targets[] = {c->targets & USED_MOVES ? &c->moves : NULL,
                            c->targets & USED_STAYS ? &c->stays : NULL};
    for (size_t i = 0; err == WEIR_OK && i < 2; i++)
        if (targets[i])
            err = weir_segments_put(&c->out, targets[i], c->inputs.uid, c->number, &run,
                                    WEIR_EFFORT_SMALL, error);
    c->number++;
    if (err == WEIR_OK)
        weir_inputs_written(&c->inputs, run.n);
    return err;
}

/* --- pieces ------------------------------------------------------------------------------- */

static weir_err compact_step(weir_store *store, weir_compact *c, weir_wall now, size_t *work,
                             weir_error *error)
{
    weir_inputs *in = &c->inputs;
    if (in->uid == WEIR_UID_NONE)
        return tag_begin(c, error);
    bool wrote = false;
    weir_err err = weir_inputs_are_full(in) ? tag_write(c, &wrote, error) : WEIR_OK;
    if (err != WEIR_OK || wrote)
        return err;
    if (weir_inputs_all_read(in)) {
        weir_inputs_end(in);
        return WEIR_OK;
    }
    err = weir_inputs_read(in, store, &c->sources, now, work, error);
    if (err == WEIR_OK && !weir_inputs_are_replies(in) && c->targets == 0 && in->all.n > 0)
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

/* Ends the transaction that says what becomes of sources and targets. */
static weir_err compact_commit(weir_store *store, weir_error *error)
{
    weir_err err = weir_db_run(store->commit, error);
    if (err != WEIR_OK)
        return err;
    weir_compact_free(store->history->compact);
    store->history->compact = NULL;
    return WEIR_OK;
}

/* Targets live and sources dropped at once. If a source was dropped meanwhile by someone else, the
 * targets go instead, and it is tried again. */
static weir_err compact_end(weir_store *store, weir_error *error)
{
    weir_compact *c = store->history->compact;
    bool live = true;
    char sql[100];
    weir_err err = weir_db_run(store->begin, error);
    for (size_t i = 0; err == WEIR_OK && i < c->sources.n; i++) {
        int64_t state;
        (void)snprintf(sql, sizeof sql, "SELECT state FROM part WHERE id=%lld",
                       (long long)c->sources.items[i].part.id);
        err = weir_db_int(store->db, sql, PART_DROPPING, &state, error);
        live &= err == WEIR_OK && state == PART_LIVE;
    }
    if (err == WEIR_OK)
        err = target_end(store, &c->moves, live, error);
    if (err == WEIR_OK)
        err = target_end(store, &c->stays, live, error);
    for (size_t i = 0; err == WEIR_OK && live && i < c->sources.n; i++) {
        c->sources.items[i].part.state = PART_DROPPING;
        err = weir_part_write(store->db, &c->sources.items[i].part, error);
    }
    if (err == WEIR_OK)
        err = compact_commit(store, error);
    if (err == WEIR_OK)
        store->history->parts_changed = true;
    return err;
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
    for (size_t i = 0; err == WEIR_OK && i < c->sources.n; i++) {
        c->sources.items[i].part.tier |= PART_STAYS;
        err = weir_part_write(store->db, &c->sources.items[i].part, error);
    }
    return err == WEIR_OK ? compact_commit(store, error) : err;
}

/* --- the duty ----------------------------------------------------------------------------- */

static weir_err compact_look(weir_store *store, weir_wall now, weir_error *error)
{
    WEIR_CLEANUP(weir_free) void *owner = NULL;
    weir_part *parts = NULL;
    weir_choice choice;
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
    if (weir_choice_make(store, parts, n, now, &choice))
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
