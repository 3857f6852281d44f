/* SPDX-License-Identifier: MIT */
/* Taking from the log: the next stretch of it, in the order of seq. */

/*
 * Up to merged_seq all lies in rows of the log, behind that in fresh rows; a merge between two
 * calls moves samples from these to those, under the numbers that they have. So each call looks
 * where the number it is asked for lies now. Rows of the log hold up to 131 072 samples and may be
 * taken in pieces: what was decoded last is kept.
 *
 * Numbers between two rows are those of events, or are missing. The beginning of the log is missing
 * when it was dropped at a limit; within it a row is missing when it was damaged and set aside.
 */

#include <string.h>

#include "store/file/database.h"
#include "store/file/row.h"
#include "store/file/trust.h"
#include "store/query/take_priv.h"
#include "store/query/view.h"

enum {
    KEPT_SAMPLES = 160 * 1024, /* of decoded rows, besides the newest: two places in a full log */
    PASSED_MAX = 128 * 1024,   /* samples that are only counted, in one call */
};

static weir_err no_memory(weir_error *error)
{
    return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
}

/* --- rows --------------------------------------------------------------------------------- */

/* Where a row is. */
struct place {
    bool fresh, found;
    bool first; /* nothing of the log lies before it any more */
    int64_t key;
    uint64_t first_seq, last_seq;
};

static weir_err log_find(weir_take *take, int which, uint64_t seq, struct place *ret,
                         weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = take->statements[which];
    bool row;
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)seq);
    weir_err err = weir_db_step(stmt, &row, error);
    if (err != WEIR_OK)
        return err;
    *ret = (struct place){.found = row};
    if (row) {
        ret->key = sqlite3_column_int64(stmt, 0);
        ret->first_seq = (uint64_t)ret->key;
        ret->last_seq = (uint64_t)sqlite3_column_int64(stmt, 1);
    }
    return WEIR_OK;
}

static struct place fresh_find(const weir_take *take, uint64_t after)
{
    size_t low = 0, high = take->n_fresh;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (take->fresh[middle].last_seq <= after)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == take->n_fresh)
        return (struct place){0};
    const weir_take_fresh *f = &take->fresh[low];
    return (struct place){true, true, false, f->slot, f->first_seq, f->last_seq};
}

/* The row with the lowest numbers that ends behind `after`. */
static weir_err row_find(weir_take *take, uint64_t after, struct place *ret, weir_error *error)
{
    struct place before = {0};
    weir_err err = WEIR_OK;
    *ret = (struct place){0};
    if (after < take->merged_seq) {
        err = log_find(take, TAKE_LOG_AT, after, &before, error);
        *ret = before;
        if (err == WEIR_OK && (!before.found || before.last_seq <= after))
            err = log_find(take, TAKE_LOG_NEXT, after, ret, error);
        ret->first = !before.found;
    }
    if (err == WEIR_OK && !ret->found)
        *ret = fresh_find(take, after);
    return err;
}

/* --- decoded rows ------------------------------------------------------------------------- */

void weir_take_blocks_deinit(weir_take *take)
{
    for (size_t i = 0; i < take->n_blocks; i++)
        weir_block_free(take->blocks[i].block);
    take->n_blocks = 0;
}

/* At the start of a call: of those that nobody borrows from any more, the oldest go. */
static void blocks_shrink(weir_take *take)
{
    for (;;) {
        size_t samples = 0, oldest = 0;
        for (size_t i = 0; i < take->n_blocks; i++) {
            samples += take->blocks[i].block->count;
            oldest = take->blocks[i].used < take->blocks[oldest].used ? i : oldest;
        }
        if (samples <= KEPT_SAMPLES || take->n_blocks < 2)
            return;
        weir_block_free(take->blocks[oldest].block);
        take->blocks[oldest] = take->blocks[--take->n_blocks];
    }
}

/* *ret_damaged: the row itself is what cannot be read, and not the file around it, which the store
 * will repair. */
static weir_err row_decode(weir_take *take, const struct place *row, weir_block **ret,
                           bool *ret_damaged, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset)
    sqlite3_stmt *stmt = take->statements[row->fresh ? TAKE_FRESH_ROW : TAKE_LOG_ROW];
    weir_block_head head;
    bool found;
    (void)sqlite3_bind_int64(stmt, 1, row->key);
    weir_err err = weir_db_step(stmt, &found, error);
    if (err == WEIR_OK && (!found || (uint64_t)sqlite3_column_int64(stmt, 0) != row->first_seq))
        err = weir_fail(error, WEIR_EDAMAGED, "it is gone");
    if (err != WEIR_OK)
        return err;
    err = weir_row_decode(weir_row_of(stmt, 0, 1, 2), &head, ret, error);
    *ret_damaged = err == WEIR_EDAMAGED;
    return err;
}

static weir_err block_get(weir_take *take, const struct place *row, const weir_block **ret,
                          bool *ret_damaged, weir_error *error)
{
    for (size_t i = 0; i < take->n_blocks; i++) {
        weir_take_block *kept = &take->blocks[i];
        if (kept->first_seq == row->first_seq && kept->last_seq == row->last_seq) {
            kept->used = take->calls;
            *ret = kept->block;
            return WEIR_OK;
        }
    }
    void *room =
        weir_array_room(take->blocks, take->n_blocks, &take->blocks_capacity, sizeof *take->blocks);
    if (!room)
        return no_memory(error);
    take->blocks = room;
    weir_block *block = NULL;
    weir_err err = row_decode(take, row, &block, ret_damaged, error);
    if (err != WEIR_OK)
        return weir_fail_prefix(error, "%s row %llu: ", row->fresh ? "fresh" : "log",
                                (unsigned long long)row->first_seq);
    take->blocks[take->n_blocks++] =
        (weir_take_block){row->first_seq, row->last_seq, block, take->calls};
    *ret = block;
    return WEIR_OK;
}

/* --- what a chunk is made of -------------------------------------------------------------- */

enum kind { KIND_NONE, KIND_GIVEN, KIND_HELD, KIND_NEVER };

struct chunk {
    weir_take *take;
    uint64_t until;
    size_t wanted;
    enum kind kind;
    bool full;
    bool damaged; /* the row that comes next cannot be decoded */
    uint64_t at;  /* all up to here is in it */
    weir_take_chunk *ret;
};

static void epoch_note(weir_take *take, uint32_t epoch, bool trusted)
{
    bool *any = trusted ? &take->trusts_any : &take->doubts_any;
    uint32_t *highest = trusted ? &take->trusted_epoch : &take->doubted_epoch;
    if (!*any || epoch > *highest)
        *highest = epoch;
    *any = true;
}

/*
 * The offsets of all epochs of a run are stored together, before anything of a right clock. So an
 * epoch that has none never gets one once a later epoch has one, or is of a clock that was right.
 */
static weir_err epoch_is_lost(weir_take *take, uint32_t epoch, bool *ret, weir_error *error)
{
    const uint32_t newest = take->newest_epoch;
    weir_err err = WEIR_OK;
    *ret = take->n_epochs > 0 && take->epochs[take->n_epochs - 1].epoch > epoch;
    if (!*ret && newest > epoch && !(take->trusts_any && take->trusted_epoch >= newest) &&
        !(take->doubts_any && take->doubted_epoch >= newest)) {
        weir_epoch_trust trust = WEIR_EPOCH_UNKNOWN;
        err = weir_epoch_read_trust(weir_take_db(take), newest, &trust, error);
        if (err == WEIR_OK && trust != WEIR_EPOCH_UNKNOWN)
            epoch_note(take, newest, trust == WEIR_EPOCH_TRUSTED);
    }
    *ret = *ret || (take->trusts_any && take->trusted_epoch > epoch);
    return err;
}

static weir_err batch_kind(weir_take *take, const weir_batch *batch, enum kind *ret,
                           weir_error *error)
{
    int64_t offset;
    bool lost = false;
    const bool untrusted = batch->flags & WEIR_BATCH_CLOCK_UNTRUSTED;
    *ret = KIND_GIVEN;
    if (!untrusted)
        epoch_note(take, batch->epoch, true);
    if (!untrusted || weir_take_offset(take, batch->epoch, &offset))
        return WEIR_OK;
    weir_err err = epoch_is_lost(take, batch->epoch, &lost, error);
    *ret = lost ? KIND_NEVER : KIND_HELD;
    return err;
}

weir_err weir_take_row_room(weir_take *take, weir_error *error)
{
    weir_sink_row *rows =
        weir_array_room(take->rows, take->n_rows, &take->rows_capacity, sizeof *rows);
    if (!rows)
        return no_memory(error);
    take->rows = rows;
    return WEIR_OK;
}

static void time_widen(weir_take_chunk *c, int64_t ts)
{
    c->from_ts = c->lost == 0 || ts < c->from_ts ? ts : c->from_ts;
    c->to_ts = c->lost == 0 || ts > c->to_ts ? ts : c->to_ts;
}

static weir_err sample_add(struct chunk *c, const weir_batch *batch, uint32_t i, uint64_t seq,
                           int64_t offset, weir_error *error)
{
    weir_take *take = c->take;
    const weir_sample *sample = &batch->samples[i];
    if (c->kind == KIND_NEVER) {
        time_widen(c->ret, sample->ts.us);
        c->ret->lost++;
        c->full = c->ret->lost >= PASSED_MAX;
        return WEIR_OK;
    }
    const weir_sink_tag *tag = NULL;
    weir_err err = weir_take_row_room(take, error);
    if (err == WEIR_OK)
        err = weir_take_find_tag(take, sample->tag, seq, &tag, error);
    if (err != WEIR_OK)
        return err;
    weir_sink_row *row = &take->rows[take->n_rows++];
    *row = (weir_sink_row){.tag = tag,
                           .sample = *sample,
                           .received = {weir_view_shift(batch->received.us, offset)},
                           .seq = seq,
                           .plans = batch->plans,
                           .epoch = batch->epoch,
                           .flags = batch->flags};
    row->sample.ts.us = weir_view_shift(sample->ts.us, offset);
    c->full = take->n_rows >= c->wanted;
    return WEIR_OK;
}

/* The batch's samples behind c->at. c->full: there was no room for more. */
static weir_err batch_add(struct chunk *c, const weir_batch *batch, uint64_t first,
                          weir_error *error)
{
    enum kind kind;
    int64_t offset;
    weir_err err = batch_kind(c->take, batch, &kind, error);
    if (err != WEIR_OK)
        return err;
    if (c->kind != KIND_NONE && c->kind != kind) {
        c->full = true;
        return WEIR_OK;
    }
    c->kind = kind;
    (void)weir_take_offset(c->take, batch->epoch, &offset);
    for (uint32_t i = c->at >= first ? (uint32_t)(c->at - first + 1) : 0;
         err == WEIR_OK && !c->full && i < batch->n_samples && first + i <= c->until; i++) {
        err = sample_add(c, batch, i, first + i, offset, error);
        if (err == WEIR_OK)
            c->at = first + i;
    }
    return err;
}

static uint64_t batch_seq(const struct place *row, const weir_block *block, size_t i)
{
    const uint64_t before =
        block->offsets ? block->offsets[i] : (uint64_t)(block->batches[i].samples - block->samples);
    return row->first_seq + before;
}

/* The first batch that has samples behind seq. */
static size_t batch_find(const struct place *row, const weir_block *block, uint64_t seq)
{
    size_t low = 0, high = block->n_batches;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (batch_seq(row, block, middle) + block->batches[middle].n_samples <= seq + 1)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What is between the batches are events. */
static weir_err row_add(struct chunk *c, const struct place *row, weir_error *error)
{
    const weir_block *block = NULL;
    weir_err err = block_get(c->take, row, &block, &c->damaged, error);
    if (err != WEIR_OK)
        return err;
    for (size_t i = batch_find(row, block, c->at); err == WEIR_OK && i < block->n_batches; i++) {
        const uint64_t first = batch_seq(row, block, i);
        if (first > c->until)
            break;
        if (first > c->at + 1)
            c->at = first - 1;
        err = batch_add(c, &block->batches[i], first, error);
        if (c->full)
            return err;
    }
    if (err == WEIR_OK)
        c->at = row->last_seq < c->until ? row->last_seq : c->until;
    return err;
}

/* --- what is not there -------------------------------------------------------------------- */

static weir_err between_count(weir_take *take, int which, uint64_t first, uint64_t last,
                              uint64_t *ret, weir_error *error)
{
    sqlite3_stmt *stmt = take->statements[which];
    int64_t n = 0;
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)first);
    (void)sqlite3_bind_int64(stmt, 2, (int64_t)last);
    weir_err err = weir_db_step_int(stmt, 0, &n, error);
    *ret = n > 0 ? (uint64_t)n : 0;
    return err;
}

/* Samples missing between two rows. A repair makes the numbers jump to a multiple of 2^32: what of
 * that was ever given is not known but by what it noted. */
static weir_err hole_count(weir_take *take, const struct place *row, uint64_t first, uint64_t last,
                           uint64_t *ret, weir_error *error)
{
    const uint64_t size = last - first + 1;
    uint64_t n = 0;
    const bool dropped = row->first && first >> 32 == row->first_seq >> 32;
    weir_err err =
        between_count(take, dropped ? TAKE_EVENTS : TAKE_SET_ASIDE_BLOCKS, first, last, &n, error);
    n = n < size ? n : size;
    if (err == WEIR_OK)
        *ret = dropped ? size - n : n;
    return err;
}

/* *ret_alone: samples are missing, and what follows belongs into another chunk. */
static weir_err hole_add(struct chunk *c, const struct place *row, bool *ret_alone,
                         weir_error *error)
{
    const uint64_t before = row->first_seq - 1, last = before < c->until ? before : c->until;
    uint64_t lost = 0;
    weir_err err = hole_count(c->take, row, c->at + 1, last, &lost, error);
    if (err != WEIR_OK)
        return err;
    *ret_alone = lost > 0;
    if (lost > 0 && c->kind != KIND_NONE) {
        c->full = true;
        return WEIR_OK;
    }
    c->ret->lost += lost;
    c->at = last;
    return WEIR_OK;
}

/* --- the chunk ---------------------------------------------------------------------------- */

/* Events, or what is missing, up to a row; then of the row what there is room for. */
static weir_err place_add(struct chunk *c, const struct place *row, weir_error *error)
{
    bool alone = false;
    weir_err err = WEIR_OK;
    if (row->first_seq > c->at + 1)
        err = hole_add(c, row, &alone, error);
    c->full |= alone;
    if (err != WEIR_OK || c->full || c->at >= c->until)
        return err;
    err = row_add(c, row, error);
    if (!c->damaged)
        return err;
    /* What came before it is fine, and goes first. */
    c->full = true;
    if (c->at >= c->ret->first_seq)
        return WEIR_OK;
    c->at = row->last_seq < c->until ? row->last_seq : c->until;
    return err;
}

static weir_err chunk_fill(struct chunk *c, weir_error *error)
{
    weir_err err = WEIR_OK;
    while (err == WEIR_OK && !c->full && c->at < c->until) {
        struct place row;
        err = row_find(c->take, c->at, &row, error);
        if (err == WEIR_OK && row.found)
            err = place_add(c, &row, error);
        else if (err == WEIR_OK)
            c->at = c->until; /* events that were committed last */
    }
    return err;
}

weir_err weir_take_next(weir_take *take, uint64_t after, uint64_t until, size_t wanted,
                        weir_take_chunk *ret, bool *ret_any, weir_error *error)
{
    weir_take_chunk got = {.first_seq = after + 1};
    weir_err err = weir_take_begin(take, error);
    if (err != WEIR_OK)
        return err;
    take->calls++;
    take->n_rows = 0;
    blocks_shrink(take);
    struct chunk c = {.take = take,
                      .until = until < take->committed_seq ? until : take->committed_seq,
                      .wanted = wanted > 0 ? wanted : 1,
                      .at = after,
                      .ret = &got};
    if (after >= c.until) {
        weir_take_end(take);
        *ret_any = false;
        return WEIR_OK;
    }
    err = chunk_fill(&c, error);
    weir_take_end(take);
    if (err == WEIR_EDAMAGED) /* which numbers, if that can be told */
        *ret = c.damaged ? (weir_take_chunk){.first_seq = after + 1, .last_seq = c.at}
                         : (weir_take_chunk){0};
    if (err != WEIR_OK)
        return err;
    got.last_seq = c.at;
    got.held = c.kind == KIND_HELD;
    got.never = c.kind == KIND_NEVER;
    got.n = take->n_rows;
    got.rows = take->rows;
    *ret = got;
    *ret_any = true;
    return WEIR_OK;
}
