/* SPDX-License-Identifier: MIT */
/* Reading the log: samples by tag, time and sequence, each identity once. */

/*
 * The log's key is the sequence, and newest_ts never falls along it. So a bound on time becomes a
 * bound on the key by bisection: rows before the first with newest_ts >= min_ts are all older,
 * and rows behind the first with newest_ts > max_ts + slack are all newer, but for those marked
 * as lying behind, which a small index finds. Rows in between are skipped by their min_ts and
 * max_ts, then by the tags in their head; only the rest is decompressed.
 *
 * An identity can be repeated only by a row marked for it, or within such a row. A row that no
 * marked one follows in the same span of time is passed on as it is, which is nearly every row.
 * For the others the samples that a later one supersedes are marked in a bitmap before the first
 * is handed out.
 */

#include "store/scan.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "store/database.h"
#include "store/schema.h"

/* Blocks kept of rows that may supersede: neighbours usually ask for the same ones. */
enum { CACHE_BLOCKS = 4 };

/* A marked row that overlaps the time wanted. */
struct late_row {
    int64_t first_seq, min_ts, max_ts;
    int late;
};

struct weir_scan {
    sqlite3 *db;
    weir_scan_filter filter;
    weir_scan_counters *counters;
    sqlite3_stmt *rows;   /* of the log from ?1 to ?2 */
    sqlite3_stmt *single; /* one row, for the cache */

    struct late_row *late; /* by first_seq */
    size_t n_late, late_capacity;
    size_t next_late;  /* to be read after the main range */
    int64_t last_main; /* end of the main range */

    bool done;         /* a statement stepped once more would start anew */
    weir_block *block; /* being handed out; NULL: the next row is to be found */
    int64_t first_seq;
    size_t batch, sample; /* next; sample counts over the whole block */
    uint8_t *superseded;  /* bitmap by sample; NULL: none */

    struct {
        int64_t first_seq;
        weir_block *block;
    } cache[CACHE_BLOCKS];
    size_t cache_next;
};

bool weir_scan_has_tag(const weir_scan_filter *filter, weir_tag_uid tag)
{
    size_t low = 0, high = filter->n_tags;
    if (!filter->tags)
        return true;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (filter->tags[middle] < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low < filter->n_tags && filter->tags[low] == tag;
}

/* --- rows --------------------------------------------------------------------------------- */

static weir_err row_fail(weir_err err, int64_t first_seq, weir_error *error)
{
    (void)weir_fail_prefix(error, "log row %lld: ", (long long)first_seq);
    return err;
}

weir_err weir_scan_head(sqlite3_stmt *row, int column, int64_t first_seq, weir_block_head *ret,
                        weir_error *error)
{
    const uint8_t *bytes = sqlite3_column_blob(row, column);
    size_t n = (size_t)sqlite3_column_bytes(row, column);
    weir_err err = weir_block_head_parse(bytes, n, ret, error);
    if (err == WEIR_OK && ret->head_length != n)
        err = weir_fail(error, WEIR_EDAMAGED, "bytes behind the block head");
    return err == WEIR_OK ? err : row_fail(err, first_seq, error);
}

weir_err weir_scan_block(sqlite3_stmt *row, int column, int64_t first_seq,
                         const weir_block_head *head, weir_block **ret, weir_error *error)
{
    const uint8_t *bytes = sqlite3_column_blob(row, column);
    weir_err err =
        weir_block_decode(head, bytes, (size_t)sqlite3_column_bytes(row, column), ret, error);
    return err == WEIR_OK ? err : row_fail(err, first_seq, error);
}

/* The first row from which on newest_ts >= ts, or the end: one past the last first_seq. */
static weir_err log_find(sqlite3 *db, int64_t ts, int64_t *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *probe = NULL;
    int64_t low = 0, high = 0;
    bool row = true;
    weir_err err = weir_db_int(db, "SELECT min(first_seq) FROM log", 1, &low, error);
    if (err == WEIR_OK)
        err = weir_db_int(db, "SELECT max(first_seq) FROM log", 0, &high, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(db,
                              "SELECT first_seq, newest_ts FROM log WHERE first_seq<=?"
                              " ORDER BY first_seq DESC LIMIT 1",
                              &probe, error);
    for (high++; err == WEIR_OK && row && low < high;) {
        int64_t middle = low + (high - low) / 2;
        (void)sqlite3_bind_int64(probe, 1, middle);
        err = weir_db_step(probe, &row, error);
        if (err == WEIR_OK && row && sqlite3_column_int64(probe, 1) >= ts)
            high = sqlite3_column_int64(probe, 0);
        else
            low = middle + 1;
        (void)sqlite3_reset(probe);
    }
    if (err == WEIR_OK)
        *ret = high;
    return err;
}

static weir_err late_read(weir_scan *scan, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    bool row = false;
    weir_err err =
        weir_db_prepare(scan->db,
                        "SELECT first_seq, min_ts, max_ts, late FROM log INDEXED BY log_late"
                        " WHERE late<>0 AND min_ts<=?2 AND max_ts>=?1 ORDER BY first_seq",
                        &stmt, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(stmt, 1, scan->filter.min_ts);
    (void)sqlite3_bind_int64(stmt, 2, scan->filter.max_ts);
    while ((err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        if (scan->n_late == scan->late_capacity) {
            size_t n = scan->late_capacity ? scan->late_capacity * 2 : 16;
            struct late_row *late = weir_realloc_array(scan->late, n, sizeof *late);
            if (!late)
                return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
            scan->late = late;
            scan->late_capacity = n;
        }
        scan->late[scan->n_late++] =
            (struct late_row){sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
                              sqlite3_column_int64(stmt, 2), sqlite3_column_int(stmt, 3)};
    }
    return err;
}

/* The main range of rows, in the log's order. */
static weir_err range_set(weir_scan *scan, weir_error *error)
{
    const weir_scan_filter *f = &scan->filter;
    int64_t first = 0, last = INT64_MAX;
    weir_err err = WEIR_OK;
    if (f->min_ts > INT64_MIN)
        err = log_find(scan->db, f->min_ts, &first, error);
    if (err == WEIR_OK && f->max_ts < INT64_MAX - LOG_SLACK_US)
        err = log_find(scan->db, f->max_ts + LOG_SLACK_US + 1, &last, error);
    if (err != WEIR_OK)
        return err;
    /* The row that holds min_seq may start before it: a row has at most COUNT_MAX samples. */
    int64_t first_by_seq =
        f->min_seq > WEIR_BLOCK_COUNT_MAX ? f->min_seq - WEIR_BLOCK_COUNT_MAX : 0;
    first = first > first_by_seq ? first : first_by_seq;
    scan->last_main = last < f->max_seq ? last : f->max_seq;
    (void)sqlite3_bind_int64(scan->rows, 1, first);
    (void)sqlite3_bind_int64(scan->rows, 2, scan->last_main);
    return WEIR_OK;
}

/* --- what is superseded ------------------------------------------------------------------- */

static bool same_identity(const weir_sample *a, uint32_t epoch_a, const weir_sample *b,
                          uint32_t epoch_b)
{
    return a->tag == b->tag && a->ts.us == b->ts.us && epoch_a == epoch_b;
}

/* Identities of one block: an open table of sample numbers + 1. */
struct identities {
    const weir_block *block;
    uint32_t *epochs; /* by sample */
    uint32_t *slots;
    size_t mask;
};

static size_t identity_slot(const struct identities *t, const weir_sample *s, uint32_t epoch)
{
    uint64_t h = (uint64_t)s->ts.us * 0x9e3779b97f4a7c15u ^
                 ((uint64_t)epoch << 32 | s->tag) * 0xbf58476d1ce4e5b9u;
    size_t at = (h ^ h >> 29) & t->mask;
    for (; t->slots[at]; at = (at + 1) & t->mask) {
        uint32_t i = t->slots[at] - 1;
        if (same_identity(&t->block->samples[i], t->epochs[i], s, epoch))
            break;
    }
    return at;
}

static void bit_set(uint8_t *bitmap, size_t i)
{
    bitmap[i / 8] |= (uint8_t)(1 << i % 8);
}

/* Fills the table; within the block, the later of two marks the earlier. */
static void identities_fill(struct identities *t, uint8_t *superseded)
{
    size_t i = 0;
    for (size_t b = 0; b < t->block->n_batches; b++) {
        const weir_batch *batch = &t->block->batches[b];
        for (size_t end = i + batch->n_samples; i < end; i++) {
            t->epochs[i] = batch->epoch;
            size_t at = identity_slot(t, &t->block->samples[i], batch->epoch);
            if (t->slots[at])
                bit_set(superseded, t->slots[at] - 1);
            t->slots[at] = (uint32_t)i + 1;
        }
    }
}

static void identities_mark(const struct identities *t, const weir_block *later,
                            uint8_t *superseded)
{
    for (size_t b = 0; b < later->n_batches; b++) {
        const weir_batch *batch = &later->batches[b];
        for (size_t i = 0; i < batch->n_samples; i++) {
            size_t at = identity_slot(t, &batch->samples[i], batch->epoch);
            if (t->slots[at])
                bit_set(superseded, t->slots[at] - 1);
        }
    }
}

/* The block of a marked row, or NULL when it has none of the tags wanted. The cache owns it. */
static weir_err late_block(weir_scan *scan, int64_t first_seq, const weir_block **ret,
                           weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *row = scan->single;
    weir_block_head head;
    weir_block *block = NULL;
    bool found;
    for (size_t i = 0; i < CACHE_BLOCKS; i++) {
        if (scan->cache[i].block && scan->cache[i].first_seq == first_seq) {
            *ret = scan->cache[i].block;
            return WEIR_OK;
        }
    }
    (void)sqlite3_bind_int64(row, 1, first_seq);
    weir_err err = weir_db_step(row, &found, error);
    if (err == WEIR_OK && !found)
        return weir_fail(error, WEIR_EDAMAGED, "log row %lld: in an index only",
                         (long long)first_seq);
    if (err == WEIR_OK)
        err = weir_scan_head(row, 0, first_seq, &head, error);
    if (err != WEIR_OK)
        return err;
    if (scan->filter.tags &&
        !weir_block_head_has_any(&head, scan->filter.tags, scan->filter.n_tags)) {
        *ret = NULL;
        return WEIR_OK;
    }
    err = weir_scan_block(row, 1, first_seq, &head, &block, error);
    if (err != WEIR_OK)
        return err;
    if (scan->counters)
        scan->counters->decoded++;
    weir_block_free(scan->cache[scan->cache_next].block);
    scan->cache[scan->cache_next].block = block;
    scan->cache[scan->cache_next].first_seq = first_seq;
    scan->cache_next = (scan->cache_next + 1) % CACHE_BLOCKS;
    *ret = block;
    return WEIR_OK;
}

static bool may_supersede(const struct late_row *l, int64_t first_seq, const weir_block_head *head)
{
    return (l->late & LOG_REPEATS) && l->first_seq > first_seq && l->min_ts <= head->max_ts.us &&
           l->max_ts >= head->min_ts.us;
}

static weir_err superseded_mark(weir_scan *scan, const weir_block_head *head, struct identities *t,
                                weir_error *error)
{
    weir_err err = WEIR_OK;
    identities_fill(t, scan->superseded);
    for (size_t i = 0; err == WEIR_OK && i < scan->n_late; i++) {
        const weir_block *later = NULL;
        if (!may_supersede(&scan->late[i], scan->first_seq, head))
            continue;
        err = late_block(scan, scan->late[i].first_seq, &later, error);
        if (err == WEIR_OK && later)
            identities_mark(t, later, scan->superseded);
    }
    return err;
}

/* Makes the bitmap when some sample of the block may be superseded. */
static weir_err superseded_find(weir_scan *scan, const weir_block_head *head, int late,
                                weir_error *error)
{
    bool needed = late & LOG_REPEATS;
    for (size_t i = 0; !needed && i < scan->n_late; i++)
        needed = may_supersede(&scan->late[i], scan->first_seq, head);
    if (!needed)
        return WEIR_OK;
    size_t n = scan->block->count, n_slots = 16;
    while (n_slots < 2 * n)
        n_slots *= 2;
    WEIR_CLEANUP(weir_free) void *epochs = weir_alloc(n * sizeof(uint32_t));
    WEIR_CLEANUP(weir_free) void *slots = weir_alloc_zero(n_slots, sizeof(uint32_t));
    scan->superseded = weir_alloc_zero(n / 8 + 1, 1);
    if (!epochs || !slots || !scan->superseded)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
    struct identities t = {scan->block, epochs, slots, n_slots - 1};
    return superseded_mark(scan, head, &t, error);
}

/* --- the walk ----------------------------------------------------------------------------- */

static void block_drop(weir_scan *scan)
{
    weir_block_free(scan->block);
    weir_free(scan->superseded);
    scan->block = NULL;
    scan->superseded = NULL;
}

/* Points the statement at the next row: of the main range, then those lying behind. */
static weir_err row_next(weir_scan *scan, bool *ret_row, weir_error *error)
{
    weir_err err = weir_db_step(scan->rows, ret_row, error);
    while (err == WEIR_OK && !*ret_row && scan->next_late < scan->n_late) {
        const struct late_row *l = &scan->late[scan->next_late++];
        if (!(l->late & LOG_BEHIND) || l->first_seq <= scan->last_main ||
            l->first_seq > scan->filter.max_seq)
            continue;
        (void)sqlite3_reset(scan->rows);
        (void)sqlite3_bind_int64(scan->rows, 1, l->first_seq);
        (void)sqlite3_bind_int64(scan->rows, 2, l->first_seq);
        err = weir_db_step(scan->rows, ret_row, error);
    }
    return err;
}

/* Decodes the row if something in it can be wanted. */
static weir_err row_take(weir_scan *scan, weir_error *error)
{
    const weir_scan_filter *f = &scan->filter;
    sqlite3_stmt *s = scan->rows;
    weir_block_head head;
    if (scan->counters)
        scan->counters->rows++;
    scan->first_seq = sqlite3_column_int64(s, 0);
    if (sqlite3_column_int64(s, 2) > f->max_ts || sqlite3_column_int64(s, 3) < f->min_ts ||
        scan->first_seq + sqlite3_column_int64(s, 1) <= f->min_seq)
        return WEIR_OK;
    weir_err err = weir_scan_head(s, 5, scan->first_seq, &head, error);
    if (err != WEIR_OK || (f->tags && !weir_block_head_has_any(&head, f->tags, f->n_tags)))
        return err;
    err = weir_scan_block(s, 6, scan->first_seq, &head, &scan->block, error);
    if (err != WEIR_OK)
        return err;
    if (scan->counters)
        scan->counters->decoded++;
    scan->batch = scan->sample = 0;
    return superseded_find(scan, &head, sqlite3_column_int(s, 4), error);
}

/* The next sample of the block that is wanted; false at its end. */
static bool block_next(weir_scan *scan, weir_scan_item *ret)
{
    const weir_scan_filter *f = &scan->filter;
    while (scan->sample < scan->block->count) {
        const weir_batch *batch = &scan->block->batches[scan->batch];
        const weir_sample *s = &scan->block->samples[scan->sample];
        if (s == batch->samples + batch->n_samples) {
            scan->batch++;
            continue;
        }
        size_t i = scan->sample++;
        int64_t seq = scan->first_seq + (int64_t)i;
        if (s->ts.us < f->min_ts || s->ts.us > f->max_ts || seq < f->min_seq || seq > f->max_seq ||
            !weir_scan_has_tag(f, s->tag) ||
            (scan->superseded && scan->superseded[i / 8] >> i % 8 & 1))
            continue;
        *ret = (weir_scan_item){s, batch, (uint64_t)seq};
        return true;
    }
    return false;
}

weir_err weir_scan_next(weir_scan *scan, weir_scan_item *ret, bool *ret_any, weir_error *error)
{
    for (;;) {
        bool row = false;
        if (scan->block && block_next(scan, ret)) {
            *ret_any = true;
            return WEIR_OK;
        }
        block_drop(scan);
        weir_err err = scan->done ? WEIR_OK : row_next(scan, &row, error);
        if (err == WEIR_OK && row)
            err = row_take(scan, error);
        if (err != WEIR_OK)
            return err;
        scan->done = !row;
        if (!row) {
            *ret_any = false;
            return WEIR_OK;
        }
    }
}

weir_err weir_scan_new(sqlite3 *db, const weir_scan_filter *filter, weir_scan_counters *counters,
                       weir_scan **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_scan_free) weir_scan *scan = weir_alloc_zero(1, sizeof *scan);
    if (!scan)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the log");
    scan->db = db;
    scan->filter = *filter;
    scan->counters = counters;
    weir_err err = weir_db_prepare(db,
                                   "SELECT first_seq, count, min_ts, max_ts, late, head, body"
                                   " FROM log WHERE first_seq BETWEEN ?1 AND ?2 ORDER BY first_seq",
                                   &scan->rows, error);
    if (err == WEIR_OK)
        err = weir_db_prepare(db, "SELECT head, body FROM log WHERE first_seq=?", &scan->single,
                              error);
    if (err == WEIR_OK)
        err = late_read(scan, error);
    if (err == WEIR_OK)
        err = range_set(scan, error);
    if (err != WEIR_OK)
        return err;
    *ret = scan;
    scan = NULL;
    return WEIR_OK;
}

void weir_scan_free(weir_scan *scan)
{
    if (!scan)
        return;
    block_drop(scan);
    for (size_t i = 0; i < CACHE_BLOCKS; i++)
        weir_block_free(scan->cache[i].block);
    (void)sqlite3_finalize(scan->rows);
    (void)sqlite3_finalize(scan->single);
    weir_free(scan->late);
    weir_free(scan);
}
