/* SPDX-License-Identifier: MIT */
/* Writing the segments of a part: puts samples in order, encodes and inserts them. */

#include "store/history/segments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"

/* --- order -------------------------------------------------------------------------------- */

struct order_key {
    int64_t ts;
    uint64_t seq; /* of replies */
    uint32_t at;  /* what came later is later */
};

static struct order_key key_of(const weir_run *run, size_t i)
{
    return run->replies
               ? (struct order_key){run->replies[i].due.us, run->replies[i].seq, (uint32_t)i}
               : (struct order_key){run->samples[i].ts.us, 0, (uint32_t)i};
}

static int key_compare_identity(const struct order_key *a, const struct order_key *b)
{
    if (a->ts != b->ts)
        return a->ts < b->ts ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static int key_compare(const void *a, const void *b)
{
    const struct order_key *x = a, *y = b;
    int c = key_compare_identity(x, y);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static bool run_in_order(const weir_run *run)
{
    for (size_t i = 1; i < run->n; i++) {
        struct order_key a = key_of(run, i - 1), b = key_of(run, i);
        if (key_compare_identity(&a, &b) >= 0)
            return false;
    }
    return true;
}

/* Moves items[keys[i].at] to items[i]; scratch has room for as many. */
static void items_permute(void *items, size_t size, const struct order_key *keys, size_t n,
                          void *scratch)
{
    for (size_t i = 0; i < n; i++)
        memcpy((char *)scratch + i * size, (const char *)items + keys[i].at * size, size);
    memcpy(items, scratch, n * size);
}

weir_err weir_run_order(weir_run *run, weir_error *error)
{
    if (run_in_order(run))
        return WEIR_OK;
    const size_t size = run->replies ? sizeof *run->replies : sizeof *run->samples;
    WEIR_CLEANUP(weir_free) void *owner = weir_alloc(run->n * sizeof(struct order_key));
    WEIR_CLEANUP(weir_free) void *scratch = weir_alloc(run->n * size);
    struct order_key *keys = owner;
    if (!keys || !scratch)
        return weir_fail(error, WEIR_ENOMEM, "no memory to sort %zu samples", run->n);
    for (size_t i = 0; i < run->n; i++)
        keys[i] = key_of(run, i);
    qsort(keys, run->n, sizeof *keys, key_compare);
    size_t n = 0;
    for (size_t i = 0; i < run->n; i++)
        if (i + 1 == run->n || key_compare_identity(&keys[i], &keys[i + 1]) != 0)
            keys[n++] = keys[i];
    if (run->replies) {
        items_permute(run->replies, size, keys, n, scratch);
    } else {
        items_permute(run->samples, size, keys, n, scratch);
        items_permute(run->refs, sizeof *run->refs, keys, n, scratch);
    }
    run->n = n;
    return WEIR_OK;
}

size_t weir_run_segment(const weir_run *run)
{
    size_t n = run->n < WEIR_SEGMENT_COUNT_MAX ? run->n : WEIR_SEGMENT_COUNT_MAX, text = 0;
    for (size_t i = 0; !run->replies && i < n; i++) {
        const weir_value *v = &run->samples[i].value;
        text += v->kind >= WEIR_KIND_STRING ? v->length : 0;
        if (text >= WEIR_SEGMENT_TEXT)
            return i + 1;
    }
    /* Replies with one due stay together: who looks for one looks into one segment. */
    while (run->replies && n > 1 && n < run->n &&
           run->replies[n].due.us == run->replies[n - 1].due.us)
        n--;
    return n;
}

/* --- writing ------------------------------------------------------------------------------ */

weir_err weir_segments_init(weir_segments *s, sqlite3 *db, weir_error *error)
{
    *s = (weir_segments){.db = db};
    s->encoder = weir_segment_encoder_new();
    if (!s->encoder)
        return weir_fail(error, WEIR_ENOMEM, "no memory to encode history");
    return weir_db_prepare(db, "INSERT INTO segment VALUES(?,?,?,?)", &s->put, error);
}

void weir_segments_deinit(weir_segments *s)
{
    (void)sqlite3_finalize(s->put);
    weir_segment_encoder_free(s->encoder);
    *s = (weir_segments){0};
}

weir_err weir_segments_put(weir_segments *s, weir_part *part, uint32_t uid, unsigned number,
                           const weir_run *run, weir_effort effort, weir_error *error)
{
    weir_segment_bytes bytes;
    weir_series series = {run->n, run->samples, run->refs};
    if (number > UINT8_MAX)
        return weir_fail(error, WEIR_ELIMIT, "tag uid %u has too many segments in one part", uid);
    weir_err err =
        run->replies ? weir_replies_encode(s->encoder, run->replies, run->n, effort, &bytes, error)
                     : weir_segment_encode(s->encoder, &series, effort, &bytes, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(s->put, 1, SEGMENT_KEY(part->id, uid, number));
    (void)sqlite3_bind_blob(s->put, 2, bytes.head, (int)bytes.head_length, SQLITE_STATIC);
    (void)sqlite3_bind_blob(s->put, 3, bytes.marks_length ? (const void *)bytes.marks : "",
                            (int)bytes.marks_length, SQLITE_STATIC);
    (void)sqlite3_bind_blob(s->put, 4, bytes.body_length ? (const void *)bytes.body : "",
                            (int)bytes.body_length, SQLITE_STATIC);
    err = weir_db_run(s->put, error);
    const size_t length = bytes.head_length + bytes.marks_length + bytes.body_length;
    part->segments++;
    part->samples += run->replies ? 0 : run->n;
    part->bytes += length;
    s->samples += run->n;
    s->bytes += length;
    return err;
}

/* --- going on after a crash --------------------------------------------------------------- */

weir_err weir_segments_last(sqlite3 *db, const weir_part *part, uint32_t *ret_uid,
                            weir_error *error)
{
    char sql[160];
    int64_t key;
    (void)snprintf(sql, sizeof sql, "SELECT max(key) FROM segment WHERE key>=%lld AND key<%lld",
                   (long long)SEGMENT_KEY(part->id, 0, 0),
                   (long long)SEGMENT_KEY(part->id + 1, 0, 0));
    weir_err err = weir_db_int(db, sql, 0, &key, error);
    if (err == WEIR_OK)
        *ret_uid = (uint32_t)(key >> 8);
    return err;
}

weir_err weir_segments_remove(sqlite3 *db, weir_part *part, uint32_t uid, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    char sql[160];
    bool row;
    const long long from = SEGMENT_KEY(part->id, uid, 0), until = SEGMENT_KEY(part->id, uid, 255);
    (void)snprintf(sql, sizeof sql,
                   "SELECT head, length(head)+length(marks)+length(body) FROM segment"
                   " WHERE key BETWEEN %lld AND %lld",
                   from, until);
    weir_err err = weir_db_prepare(db, sql, &rows, error);
    while (err == WEIR_OK && (err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_segment_head head;
        err = weir_segment_head_parse(sqlite3_column_blob(rows, 0),
                                      (size_t)sqlite3_column_bytes(rows, 0), &head, error);
        if (err != WEIR_OK)
            return err;
        part->segments--;
        part->samples -= uid & SEGMENT_REPLIES ? 0 : head.count;
        part->bytes -= (uint64_t)sqlite3_column_int64(rows, 1);
    }
    if (err != WEIR_OK)
        return err;
    (void)snprintf(sql, sizeof sql, "DELETE FROM segment WHERE key BETWEEN %lld AND %lld", from,
                   until);
    err = weir_db_exec(db, sql, error);
    return err == WEIR_OK ? weir_part_write(db, part, error) : err;
}

/* A head that is damaged counts nothing: it is found when it is read. */
weir_err weir_segments_measure(sqlite3 *db, const weir_part *part, uint32_t uid,
                               weir_segments_extent *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_finalize) sqlite3_stmt *rows = NULL;
    weir_segments_extent e = {0, INT64_MAX, INT64_MIN};
    bool row;
    weir_err err =
        weir_db_prepare(db, "SELECT head FROM segment WHERE key BETWEEN ? AND ?", &rows, error);
    if (err != WEIR_OK)
        return err;
    (void)sqlite3_bind_int64(rows, 1, SEGMENT_KEY(part->id, uid, 0));
    (void)sqlite3_bind_int64(rows, 2, SEGMENT_KEY(part->id, uid, 255));
    while ((err = weir_db_step(rows, &row, error)) == WEIR_OK && row) {
        weir_segment_head head;
        if (weir_segment_head_parse(sqlite3_column_blob(rows, 0),
                                    (size_t)sqlite3_column_bytes(rows, 0), &head, NULL) != WEIR_OK)
            continue;
        e.count += head.count;
        e.min_ts = head.min_ts.us < e.min_ts ? head.min_ts.us : e.min_ts;
        e.max_ts = head.max_ts.us > e.max_ts ? head.max_ts.us : e.max_ts;
    }
    if (err == WEIR_OK)
        *ret = e;
    return err;
}
