/* SPDX-License-Identifier: MIT */
/* Writing the segments of a part. */

#include "store/history/segments.h"

#include <stdio.h>

#include "store/file/database.h"
#include "store/file/schema.h"

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
