/* SPDX-License-Identifier: MIT */
/* The segments of one tag, or series of replies, that a merge reads and cuts anew. */

#include "store/history/inputs.h"

#include <stdio.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/row.h"
#include "store/file/schema.h"
#include "store/history/quarantine.h"

enum { ROOM_KEPT = 20000 }; /* samples of room that stay between tags */

struct weir_input {
    int64_t key;
    weir_segment_head head;
    weir_segment *opened; /* while samples of it are not written: strings borrow from it */
};

static void run_free(weir_inputs *in)
{
    weir_run_free(&in->all);
    in->room = 0;
}

void weir_inputs_end(weir_inputs *in)
{
    for (size_t i = 0; i < in->n; i++)
        weir_segment_free(in->items[i].opened);
    in->n = in->read = 0;
    in->text = 0;
    if (in->room > ROOM_KEPT)
        run_free(in);
    in->uid = WEIR_UID_NONE;
}

void weir_inputs_deinit(weir_inputs *in)
{
    weir_inputs_end(in);
    run_free(in);
    weir_free(in->items);
    *in = (weir_inputs){0};
}

/* Reads the heads of the uid's segments in a source. */
static weir_err inputs_list(weir_inputs *in, const weir_part *part, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    bool row;
    weir_err err = weir_db_prepare(
        in->db, "SELECT key, head FROM segment WHERE key BETWEEN ? AND ? ORDER BY key", &rows,
        error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, SEGMENT_KEY(part->id, in->uid, 0));
    (void)sqlite3_bind_int64(rows, 2, SEGMENT_KEY(part->id, in->uid, 255));
    while ((err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        struct weir_input input = {.key = sqlite3_column_int64(rows, 0)};
        struct weir_input *items =
            weir_array_room(in->items, in->n, &in->capacity, sizeof *in->items);
        if (!items)
            return weir_fail(error, WEIR_ENOMEM, "no memory to merge %zu segments", in->n + 1);
        in->items = items;
        err = weir_segment_head_parse(sqlite3_column_blob(rows, 1),
                                      (size_t)sqlite3_column_bytes(rows, 1), &input.head, error);
        if (err == WEIR_OK)
            in->items[in->n++] = input;
        else if (err == WEIR_EDAMAGED)
            in->items[in->n++] = (struct weir_input){.key = input.key}; /* found when it is read */
        else
            return err;
    }
    return err;
}

weir_err weir_inputs_begin(weir_inputs *in, weir_sources *sources, uint32_t uid,
                           uint64_t purged_seq, weir_error *error)
{
    weir_err err = WEIR_OK;
    in->db = sources->db;
    in->uid = uid;
    for (size_t i = 0; err == WEIR_OK && i < sources->n; i++) {
        weir_source *source = &sources->items[i];
        if (source->next != uid)
            continue;
        source->next = uid + 1;
        source->known = false;
        if (source->part.last_seq > purged_seq)
            err = inputs_list(in, &source->part, error);
    }
    return err;
}

bool weir_inputs_are_replies(const weir_inputs *in)
{
    return (in->uid & SEGMENT_REPLIES) != 0;
}

uint64_t weir_inputs_count(const weir_inputs *in)
{
    uint64_t count = 0;
    for (size_t i = 0; i < in->n; i++)
        count += in->items[i].head.count;
    return count;
}

bool weir_inputs_all_read(const weir_inputs *in)
{
    return in->read == in->n;
}

bool weir_inputs_are_full(const weir_inputs *in)
{
    return in->read == in->n || in->all.n >= WEIR_SEGMENT_COUNT_MAX ||
           in->text >= WEIR_SEGMENT_TEXT;
}

/* --- reading ------------------------------------------------------------------------------ */

/* Replies come behind all tags: then the memory for samples goes. */
static bool room_reserve(weir_inputs *in, size_t n)
{
    const bool replies = weir_inputs_are_replies(in);
    if (replies && !in->all.replies)
        run_free(in);
    if (in->room >= n)
        return true;
    n += n / 4;
    if (!weir_run_reserve(&in->all, replies, n))
        return false;
    in->room = n;
    return true;
}

/* Decodes a segment behind what was read. */
static weir_err input_decode(weir_inputs *in, struct weir_input *input, const weir_row *row,
                             const uint8_t *marks, size_t marks_length, weir_error *error)
{
    weir_err err = weir_segment_head_parse(row->head, row->head_length, &input->head, error);
    if (err != WEIR_OK)
        return err;
    if (!room_reserve(in, in->all.n + input->head.count))
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge %u samples", input->head.count);
    if (weir_inputs_are_replies(in))
        return weir_replies_decode(&input->head, row->body, row->body_length,
                                   in->all.replies + in->all.n, error);
    err = weir_segment_open(&input->head, marks, marks_length, &input->opened, error);
    if (err == WEIR_OK)
        err = weir_segment_load(input->opened, row->body, row->body_length, error);
    return err == WEIR_OK
               ? weir_segment_read(input->opened, 0, input->head.n_slices, in->uid,
                                   in->all.samples + in->all.n, in->all.refs + in->all.n, error)
               : err;
}

/* What was decoded counts from now on. Segments without strings are not needed any more. */
static void input_take(weir_inputs *in, struct weir_input *input)
{
    size_t text = 0;
    for (size_t i = in->all.n; !weir_inputs_are_replies(in) && i < in->all.n + input->head.count;
         i++) {
        const weir_value *v = &in->all.samples[i].value;
        text += v->kind >= WEIR_KIND_STRING ? v->length + 1u : 0;
    }
    if (text == 0) {
        weir_segment_free(input->opened);
        input->opened = NULL;
    }
    in->text += text;
    in->all.n += input->head.count;
    in->read++;
}

static weir_err input_set_aside(weir_store *store, weir_inputs *in, struct weir_input *input,
                                const weir_damaged *damaged, weir_wall now, const weir_error *why,
                                weir_error *error)
{
    weir_err err = weir_quarantine_segment(store, damaged, now, why, error);
    weir_segment_free(input->opened);
    *input = (struct weir_input){.key = input->key};
    in->read++;
    return err;
}

weir_err weir_inputs_read(weir_inputs *in, weir_store *store, weir_sources *sources, weir_wall now,
                          size_t *work, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *stmt = NULL;
    struct weir_input *input = &in->items[in->read];
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
    weir_err reading = input_decode(in, input, &row, marks, marks_length, &why);
    if (reading == WEIR_OK) {
        err = weir_inputs_are_replies(in)
                  ? WEIR_OK
                  : weir_sources_mark(sources, input->key >> 40, in->all.refs + in->all.n,
                                      input->head.count, error);
        if (err == WEIR_OK)
            input_take(in, input);
        return err;
    }
    if (reading != WEIR_EDAMAGED)
        return weir_fail(error, reading, "%s", why.text);
    return input_set_aside(store, in, input,
                           &(weir_damaged){.origin = "segment",
                                           .key = input->key,
                                           .count = input->head.count,
                                           .row = row,
                                           .marks = marks,
                                           .marks_length = marks_length},
                           now, &why, error);
}

/* --- cutting ------------------------------------------------------------------------------ */

static int64_t run_ts(const weir_run *run, size_t i)
{
    return run->replies ? run->replies[i].due.us : run->samples[i].ts.us;
}

/* How many of the first ones no segment to come can reach before. */
static size_t run_settled(const weir_inputs *in)
{
    int64_t min = INT64_MAX;
    size_t n = in->all.n;
    for (size_t i = in->read; i < in->n; i++)
        if (in->items[i].head.count > 0 && in->items[i].head.min_ts.us < min)
            min = in->items[i].head.min_ts.us;
    while (in->read < in->n && n > 0 && run_ts(&in->all, n - 1) >= min)
        n--;
    return n;
}

weir_err weir_inputs_cut(weir_inputs *in, weir_run *ret, weir_error *error)
{
    weir_err err = weir_run_order(&in->all, error);
    if (err != WEIR_OK)
        return err;
    weir_run run = weir_run_part(&in->all, 0, run_settled(in));
    const size_t settled = run.n;
    run.n = weir_run_segment(&run);
    if (in->read < in->n && run.n == settled && run.n < WEIR_SEGMENT_COUNT_MAX)
        run.n = 0;
    *ret = run;
    return WEIR_OK;
}

/* Segments that no string is borrowed from any more are let go. */
void weir_inputs_written(weir_inputs *in, size_t n)
{
    for (size_t i = 0; in->text > 0 && i < n; i++)
        if (in->all.samples[i].value.kind >= WEIR_KIND_STRING)
            in->text -= in->all.samples[i].value.length + 1u;
    weir_run_shift(&in->all, n);
    for (size_t i = 0; i < in->read; i++) {
        if (in->all.n > 0 && in->items[i].head.max_ts.us >= run_ts(&in->all, 0))
            continue;
        weir_segment_free(in->items[i].opened);
        in->items[i].opened = NULL;
    }
}
