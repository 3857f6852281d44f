/* SPDX-License-Identifier: MIT */
/* For the store's tests: moves samples from the log into parts, in the plainest way. */

#pragma once
#include "blocks/block.h"
#include "blocks/replies.h"
#include "blocks/segment.h"
#include "store/file/schema.h"
#include "store/testing.h"

/* A sample on its way into a part. */
struct testing_moved {
    weir_sample sample;
    weir_reply_ref ref;
    uint32_t epoch;
    uint64_t seq;
};

struct testing_mover {
    sqlite3 *db;
    struct testing_moved *samples;
    size_t n, capacity;
    struct testing_reply {
        weir_reply_record reply;
        uint32_t series, epoch;
    } * replies;
    size_t n_replies, replies_capacity;
    weir_block *blocks[10000]; /* of the strings */
    size_t n_blocks;
    size_t segment_max; /* samples of a segment */
    int64_t first_seq, last_seq;
};

static inline int64_t testing_int(sqlite3 *db, const char *sql)
{
    const char *text = testing_sql(db, sql);
    return strtoll(text, NULL, 10);
}

static inline void testing_run(sqlite3 *db, const char *format, ...)
{
    char sql[2000];
    char *message = NULL;
    va_list va;
    va_start(va, format);
    (void)vsnprintf(sql, sizeof sql, format, va);
    va_end(va);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static inline void *testing_room(void *at, size_t n, size_t *capacity, size_t size)
{
    at = weir_array_room(at, n, capacity, size);
    assert_non_null(at);
    return at;
}

static inline void testing_move_batch(struct testing_mover *m, const weir_batch *b, uint64_t seq)
{
    weir_tag_uid lowest = UINT32_MAX;
    for (uint32_t i = 0; i < b->n_samples; i++)
        lowest = b->samples[i].tag < lowest ? b->samples[i].tag : lowest;
    m->replies = testing_room(m->replies, m->n_replies, &m->replies_capacity, sizeof *m->replies);
    m->replies[m->n_replies++] =
        (struct testing_reply){{b->due, b->received, seq, b->plans, b->flags, b->connection,
                                b->device, b->catalog_revision},
                               lowest,
                               b->epoch};
    for (uint32_t i = 0; i < b->n_samples; i++) {
        m->samples = testing_room(m->samples, m->n, &m->capacity, sizeof *m->samples);
        m->samples[m->n++] = (struct testing_moved){
            b->samples[i], {b->due, lowest, (uint16_t)i, weir_reply_mark(seq)}, b->epoch, seq + i};
    }
}

/* Reads one table's rows above first_seq, up to last_seq. */
static inline void testing_move_rows(struct testing_mover *m, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(m->db, sql, -1, &stmt, NULL), SQLITE_OK);
    (void)sqlite3_bind_int64(stmt, 1, m->first_seq);
    (void)sqlite3_bind_int64(stmt, 2, m->last_seq);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        weir_block_head head;
        weir_block *block = NULL;
        uint64_t first = (uint64_t)sqlite3_column_int64(stmt, 0);
        assert_int_equal(weir_block_head_parse(sqlite3_column_blob(stmt, 1),
                                               (size_t)sqlite3_column_bytes(stmt, 1), &head, NULL),
                         WEIR_OK);
        assert_true((size_t)sqlite3_column_bytes(stmt, 2) >= head.body_size);
        assert_int_equal(
            weir_block_decode(&head, sqlite3_column_blob(stmt, 2), head.body_size, &block, NULL),
            WEIR_OK);
        for (size_t i = 0; i < block->n_batches; i++) {
            const weir_batch *b = &block->batches[i];
            testing_move_batch(m, b,
                               first + (block->offsets ? block->offsets[i]
                                                       : (size_t)(b->samples - block->samples)));
        }
        assert_true(m->n_blocks < sizeof m->blocks / sizeof *m->blocks);
        m->blocks[m->n_blocks++] = block;
    }
    (void)sqlite3_finalize(stmt);
}

static inline int testing_moved_compare(const void *a, const void *b)
{
    const struct testing_moved *x = a, *y = b;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    if (x->sample.tag != y->sample.tag)
        return x->sample.tag < y->sample.tag ? -1 : 1;
    if (x->sample.ts.us != y->sample.ts.us)
        return x->sample.ts.us < y->sample.ts.us ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static inline int testing_reply_compare(const void *a, const void *b)
{
    const struct testing_reply *x = a, *y = b;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    if (x->series != y->series)
        return x->series < y->series ? -1 : 1;
    if (x->reply.due.us != y->reply.due.us)
        return x->reply.due.us < y->reply.due.us ? -1 : 1;
    return (x->reply.seq > y->reply.seq) - (x->reply.seq < y->reply.seq);
}

static inline void testing_segment_put(sqlite3 *db, int64_t key, const weir_segment_bytes *bytes)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO segment VALUES(?,?,?,?)", -1, &stmt, NULL),
                     SQLITE_OK);
    (void)sqlite3_bind_int64(stmt, 1, key);
    (void)sqlite3_bind_blob(stmt, 2, bytes->head, (int)bytes->head_length, SQLITE_STATIC);
    (void)sqlite3_bind_blob(stmt, 3, bytes->marks_length ? bytes->marks : (const uint8_t *)"",
                            (int)bytes->marks_length, SQLITE_STATIC);
    (void)sqlite3_bind_blob(stmt, 4, bytes->body, (int)bytes->body_length, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    (void)sqlite3_finalize(stmt);
}

/* One tag's samples: [first, end) of m->samples. Returns how many segments it took. */
static inline int64_t testing_write_tag(struct testing_mover *m, int64_t part, size_t first,
                                        size_t end, weir_segment_encoder *encoder)
{
    weir_sample *samples = weir_alloc((end - first) * sizeof *samples);
    weir_reply_ref *refs = weir_alloc((end - first) * sizeof *refs);
    int64_t number = 0;
    const size_t least = (end - first) / 256 + 1; /* there are only so many numbers */
    const size_t most = m->segment_max > least ? m->segment_max : least;
    assert_true(samples && refs);
    for (size_t at = first; at < end; number++) {
        weir_segment_bytes bytes;
        size_t n = 0;
        for (; at < end && n < most; at++, n++) {
            samples[n] = m->samples[at].sample;
            refs[n] = m->samples[at].ref;
        }
        assert_int_equal(weir_segment_encode(encoder, &(weir_series){n, samples, refs},
                                             WEIR_EFFORT_FAST, &bytes, NULL),
                         WEIR_OK);
        testing_segment_put(m->db, SEGMENT_KEY(part, samples[0].tag, number), &bytes);
    }
    weir_free(samples);
    weir_free(refs);
    return number;
}

static inline int64_t testing_write_replies(struct testing_mover *m, int64_t part, uint32_t epoch,
                                            weir_segment_encoder *encoder)
{
    weir_reply_record *replies = weir_alloc((m->n_replies + 1) * sizeof *replies);
    int64_t segments = 0;
    assert_non_null(replies);
    for (size_t i = 0; i < m->n_replies;) {
        const struct testing_reply *r = &m->replies[i];
        size_t n = 0;
        for (; i + n < m->n_replies && r[n].epoch == r->epoch && r[n].series == r->series; n++)
            replies[n] = r[n].reply;
        if (r->epoch == epoch) {
            weir_segment_bytes bytes;
            assert_int_equal(
                weir_replies_encode(encoder, replies, n, WEIR_EFFORT_FAST, &bytes, NULL), WEIR_OK);
            testing_segment_put(m->db, SEGMENT_KEY(part, SEGMENT_REPLIES | r->series, 0), &bytes);
            segments++;
        }
        i += n;
    }
    weir_free(replies);
    return segments;
}

/* The samples of one epoch: [first, end). */
static inline void testing_write_part(struct testing_mover *m, size_t first, size_t end)
{
    weir_segment_encoder *encoder = weir_segment_encoder_new();
    int64_t id = testing_int(m->db, "SELECT coalesce(max(id), 0)+1 FROM part");
    int64_t segments = 0, min_ts = INT64_MAX, max_ts = INT64_MIN;
    assert_non_null(encoder);
    for (size_t i = first, n; i < end; i += n) {
        for (n = 0; i + n < end && m->samples[i + n].sample.tag == m->samples[i].sample.tag; n++) {
            int64_t ts = m->samples[i + n].sample.ts.us;
            min_ts = ts < min_ts ? ts : min_ts;
            max_ts = ts > max_ts ? ts : max_ts;
        }
        segments += testing_write_tag(m, id, i, i + n, encoder);
    }
    segments += testing_write_replies(m, id, m->samples[first].epoch, encoder);
    testing_run(m->db,
                "INSERT INTO part VALUES(%lld,0,%u,1,%lld,%lld,%lld,%lld,%lld,%zu,"
                "(SELECT sum(length(head)+length(marks)+length(body)) FROM segment"
                " WHERE key>>40=%lld))",
                (long long)id, m->samples[first].epoch, (long long)min_ts, (long long)max_ts,
                (long long)m->first_seq + 1, (long long)m->last_seq, (long long)segments,
                end - first, (long long)id);
    weir_segment_encoder_free(encoder);
}

static inline void testing_write_parts(struct testing_mover *m)
{
    size_t kept = 0;
    qsort(m->samples, m->n, sizeof *m->samples, testing_moved_compare);
    qsort(m->replies, m->n_replies, sizeof *m->replies, testing_reply_compare);
    for (size_t i = 0; i < m->n; i++)
        if (i + 1 == m->n || m->samples[i].epoch != m->samples[i + 1].epoch ||
            m->samples[i].sample.tag != m->samples[i + 1].sample.tag ||
            m->samples[i].sample.ts.us != m->samples[i + 1].sample.ts.us)
            m->samples[kept++] = m->samples[i];
    m->n = kept;
    for (size_t i = 0, n; i < m->n; i += n) {
        for (n = 0; i + n < m->n && m->samples[i + n].epoch == m->samples[i].epoch;)
            n++;
        testing_write_part(m, i, i + n);
    }
}

/*
 * Moves what was committed so far, all whose rows end at or before last_seq (0: all), to a new
 * part for each epoch. Rows of the log stay, used up. segment_max: samples of a segment, 0: as
 * many as it can hold.
 */
static inline void testing_to_history(const char *dir, int64_t last_seq, size_t segment_max)
{
    static struct testing_mover m;
    char path[600];
    m = (struct testing_mover){.segment_max = segment_max ? segment_max : WEIR_SEGMENT_COUNT_MAX};
    (void)snprintf(path, sizeof path, "%s/data.db", dir);
    assert_int_equal(sqlite3_open(path, &m.db), SQLITE_OK);
    testing_run(m.db, "BEGIN IMMEDIATE; INSERT OR IGNORE INTO meta VALUES('history_seq', 0),"
                      " ('merged_seq', 0)");
    m.first_seq = testing_int(m.db, "SELECT value FROM meta WHERE key='history_seq'");
    int64_t log_end = testing_int(
        m.db, "SELECT coalesce(max(coalesce(last_seq, first_seq+count-1)), 0) FROM log");
    int64_t merged = testing_int(m.db, "SELECT value FROM meta WHERE key='merged_seq'");
    int64_t end =
        testing_int(m.db, "SELECT coalesce(max(first_seq+count-1), 0) FROM fresh WHERE first_seq>"
                          "(SELECT value FROM meta WHERE key='merged_seq')");
    end = end > log_end ? end : log_end;
    m.last_seq = last_seq && last_seq < end ? last_seq : end;
    testing_move_rows(&m, "SELECT first_seq, head, body FROM log WHERE first_seq>?1 AND"
                          " coalesce(last_seq, first_seq+count-1)<=?2 ORDER BY first_seq");
    testing_move_rows(&m, "SELECT first_seq, head, body FROM fresh WHERE first_seq>max(?1,"
                          " (SELECT value FROM meta WHERE key='merged_seq')) AND"
                          " first_seq+count-1<=?2 ORDER BY first_seq");
    for (size_t i = 0; i < m.n; i++)
        m.last_seq = i == 0 || (int64_t)m.samples[i].seq > m.last_seq ? (int64_t)m.samples[i].seq
                                                                      : m.last_seq;
    if (m.n > 0) {
        testing_write_parts(&m);
        testing_run(m.db, "UPDATE meta SET value=%lld WHERE key='history_seq'",
                    (long long)m.last_seq);
        if (m.last_seq > merged)
            testing_run(m.db, "UPDATE meta SET value=%lld WHERE key='merged_seq'",
                        (long long)m.last_seq);
    }
    testing_run(m.db, "COMMIT");
    (void)sqlite3_close(m.db);
    for (size_t i = 0; i < m.n_blocks; i++)
        weir_block_free(m.blocks[i]);
    weir_free(m.samples);
    weir_free(m.replies);
}
