/* SPDX-License-Identifier: MIT */
/* Series of replies: a column for each number of the headers. */

#include "blocks/replies.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crc.h"
#include "blocks/segment_priv.h"

/* The numbers of a reply, in the order of their columns. */
enum {
    REPLY_DUE,
    REPLY_RECEIVED, /* whole milliseconds after due, rounded down */
    REPLY_SEQ,
    REPLY_PLANS,
    REPLY_FLAGS,
    REPLY_CONNECTION,
    REPLY_DEVICE,
    REPLY_REVISION,
    REPLY_COUNT,
};

static const int64_t received_unit_us = 1000;

/* The distance may be more than fits: then it is that modulo 2^64, and comes back as such. */
static int64_t received_after(const weir_reply_record *r)
{
    int64_t us = (int64_t)((uint64_t)r->received.us - (uint64_t)r->due.us);
    return weir_floor_divide(us, received_unit_us);
}

static int64_t reply_take(const weir_reply_record *r, unsigned column)
{
    const int64_t numbers[REPLY_COUNT] = {
        [REPLY_DUE] = r->due.us,       [REPLY_RECEIVED] = received_after(r),
        [REPLY_SEQ] = (int64_t)r->seq, [REPLY_PLANS] = (int64_t)r->plans,
        [REPLY_FLAGS] = r->flags,      [REPLY_CONNECTION] = r->connection,
        [REPLY_DEVICE] = r->device,    [REPLY_REVISION] = r->catalog_revision,
    };
    return numbers[column];
}

static void reply_give(weir_reply_record *r, unsigned column, int64_t v)
{
    switch (column) {
    case REPLY_DUE:
        r->due.us = v;
        break;
    case REPLY_RECEIVED:
        r->received.us = (int64_t)((uint64_t)r->due.us + (uint64_t)v * (uint64_t)received_unit_us);
        break;
    case REPLY_SEQ:
        r->seq = (uint64_t)v;
        break;
    case REPLY_PLANS:
        r->plans = (uint64_t)v;
        break;
    case REPLY_FLAGS:
        r->flags = (uint32_t)v;
        break;
    case REPLY_CONNECTION:
        r->connection = (uint32_t)v;
        break;
    case REPLY_DEVICE:
        r->device = (uint32_t)v;
        break;
    case REPLY_REVISION:
        r->catalog_revision = (uint32_t)v;
        break;
    }
}

static bool columns_put(weir_segment_encoder *e, const weir_reply_record *replies, size_t n)
{
    static const uint32_t start = 0;
    e->values.n = 0;
    weir_ints_out_clear(&e->out);
    if (!weir_column_reserve(&e->values, n, sizeof(int64_t)))
        return false;
    int64_t *v = e->values.at;
    for (unsigned column = 0; column < REPLY_COUNT; column++) {
        for (size_t i = 0; i < n; i++)
            v[i] = reply_take(&replies[i], column);
        weir_ints_write(&e->writer, &e->out, v, n, &start, 1);
    }
    return true;
}

weir_err weir_replies_encode(weir_segment_encoder *e, const weir_reply_record *replies, size_t n,
                             weir_effort effort, weir_segment_bytes *ret, weir_error *error)
{
    if (n == 0)
        return weir_fail(error, WEIR_EINVAL, "an empty series of replies");
    if (n > WEIR_SEGMENT_COUNT_MAX)
        return weir_fail(error, WEIR_ELIMIT, "%zu replies: at most %d fit", n,
                         WEIR_SEGMENT_COUNT_MAX);
    for (size_t i = 1; i < n; i++)
        if (replies[i].due.us < replies[i - 1].due.us ||
            (replies[i].due.us == replies[i - 1].due.us && replies[i].seq <= replies[i - 1].seq))
            return weir_fail(error, WEIR_EINVAL, "replies that do not ascend");

    size_t raw = 0;
    e->marks.n = e->body.n = 0;
    e->writer.zstd = effort == WEIR_EFFORT_SMALL ? e->packer.trial : NULL;
    if (!columns_put(e, replies, n) ||
        weir_body_pack(&e->packer, &e->out, effort, &e->body, &raw) != WEIR_OK)
        return weir_fail(error, WEIR_ENOMEM, "no memory to encode replies");
    weir_segment_head head = {
        .count = (uint32_t)n,
        .min_ts = replies[0].due,
        .max_ts = replies[n - 1].due,
        .n_slices = 1,
        .body_raw = (uint32_t)raw,
        .body_size = (uint32_t)e->body.n,
        .body_crc = weir_crc32c(0, e->body.at, e->body.n),
        .summary.count = n,
    };
    if (!weir_segment_head_write(e, &head))
        return weir_fail(error, WEIR_ENOMEM, "no memory to encode replies");
    *ret = (weir_segment_bytes){e->head.at, e->marks.at, e->body.at, e->head.n, 0, e->body.n};
    return WEIR_OK;
}

static weir_ints_result column_get(weir_ints *c, weir_ints_in *in, weir_reply_record *replies,
                                   size_t n, unsigned column)
{
    static const uint32_t start = 0;
    memset(c, 0, sizeof *c);
    weir_ints_result result = weir_ints_open(c, in, n, &start, 1);
    for (size_t i = 0, k; result == WEIR_INTS_OK && i < n; i += k) {
        const int64_t *v = weir_ints_next(c, n - i, &k);
        for (size_t j = 0; j < k; j++)
            reply_give(&replies[i + j], column, v[j]);
    }
    weir_ints_deinit(c);
    return result;
}

static bool replies_agree(const weir_segment_head *head, const weir_reply_record *r)
{
    bool ok = r[0].due.us == head->min_ts.us && r[head->count - 1].due.us == head->max_ts.us;
    for (size_t i = 1; i < head->count; i++)
        ok &= r[i].due.us > r[i - 1].due.us ||
              (r[i].due.us == r[i - 1].due.us && r[i].seq > r[i - 1].seq);
    return ok;
}

static weir_ints_result replies_read(weir_ints_in *in, const weir_segment_head *head,
                                     weir_reply_record *ret)
{
    WEIR_CLEANUP(weir_free) void *column = weir_alloc(sizeof(weir_ints));
    weir_ints_result result = column ? WEIR_INTS_OK : WEIR_INTS_NO_MEMORY;
    for (unsigned c = 0; result == WEIR_INTS_OK && c < REPLY_COUNT; c++)
        result = column_get(column, in, ret, head->count, c);
    if (result == WEIR_INTS_OK &&
        (weir_reader_left(&in->meta) || weir_reader_left(&in->data) || !replies_agree(head, ret)))
        return WEIR_INTS_DAMAGED;
    return result;
}

weir_err weir_replies_decode(const weir_segment_head *head, const uint8_t *body, size_t n,
                             weir_reply_record *ret, weir_error *error)
{
    uint8_t *raw = NULL;
    weir_ints_in in;
    if (n != head->body_size)
        return weir_fail(error, WEIR_EDAMAGED, "replies are not of the size their head names");
    weir_err err = weir_body_unpack((weir_body_bytes){body, n, head->body_raw}, head->body_crc,
                                    &raw, &in, error);
    if (err != WEIR_OK)
        return err;
    weir_ints_result result = replies_read(&in, head, ret);
    weir_free(raw);
    if (result == WEIR_INTS_NO_MEMORY)
        return weir_fail(error, WEIR_ENOMEM, "no memory to decode replies");
    if (result != WEIR_INTS_OK)
        return weir_fail(error, WEIR_EDAMAGED, "replies contradict themselves");
    return WEIR_OK;
}

const weir_reply_record *weir_reply_find(const weir_reply_record *replies, size_t n,
                                         const weir_reply_ref *ref)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (replies[middle].due.us < ref->due.us)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n && replies[low].due.us == ref->due.us; low++)
        if (ref->mark == 0 || ref->mark == weir_reply_mark(replies[low].seq))
            return &replies[low];
    return NULL;
}
