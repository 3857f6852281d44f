/* SPDX-License-Identifier: MIT */
/* Segments of a view's parts, and the replies that samples in them came in. */

#include "store/query/view_priv.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"

weir_err weir_view_segment_fail(int64_t key, weir_error *error)
{
    uint32_t uid = (uint32_t)(key >> 8);
    return weir_fail_prefix(error, "part %" PRId64 ", %s %" PRIu32 ", segment %d: ", key >> 40,
                            uid & SEGMENT_REPLIES ? "replies of" : "tag uid",
                            uid & ~SEGMENT_REPLIES, (int)(key & 0xff));
}

weir_err weir_view_heads(weir_view *view, int64_t lowest, int64_t highest, weir_view_on_head *call,
                         void *data, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->heads;
    bool row;
    weir_err err = WEIR_OK;
    (void)sqlite3_bind_int64(stmt, 1, lowest);
    (void)sqlite3_bind_int64(stmt, 2, highest);
    while (err == WEIR_OK && (err = weir_db_step(stmt, &row, error)) == WEIR_OK && row) {
        weir_segment_head head;
        int64_t key = sqlite3_column_int64(stmt, 0);
        view->counters.segments++;
        err = weir_segment_head_parse(sqlite3_column_blob(stmt, 1),
                                      (size_t)sqlite3_column_bytes(stmt, 1), &head, error);
        if (err != WEIR_OK)
            return weir_view_segment_fail(key, error);
        err = call(data, key, &head, error);
    }
    return err;
}

/* Points a statement of one column at the segment. */
static weir_err segment_find(sqlite3_stmt *stmt, int64_t key, weir_error *error)
{
    bool row = false;
    (void)sqlite3_bind_int64(stmt, 1, key);
    weir_err err = weir_db_step(stmt, &row, error);
    if (err == WEIR_OK && !row)
        err = weir_fail(error, WEIR_EDAMAGED, "it is gone");
    return err;
}

weir_err weir_view_segment(weir_view *view, int64_t key, const weir_segment_head *head,
                           weir_segment **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->marks;
    weir_err err = segment_find(stmt, key, error);
    if (err == WEIR_OK)
        err = weir_segment_open(head, sqlite3_column_blob(stmt, 0),
                                (size_t)sqlite3_column_bytes(stmt, 0), ret, error);
    return err == WEIR_OK ? err : weir_view_segment_fail(key, error);
}

weir_err weir_view_segment_load(weir_view *view, int64_t key, weir_segment *segment,
                                weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->body;
    weir_err err = segment_find(stmt, key, error);
    if (err == WEIR_OK)
        err = weir_segment_load(segment, sqlite3_column_blob(stmt, 0),
                                (size_t)sqlite3_column_bytes(stmt, 0), error);
    view->counters.bodies++;
    return err == WEIR_OK ? err : weir_view_segment_fail(key, error);
}

/* --- replies ------------------------------------------------------------------------------ */

/* Which segment of a series of replies covers a moment. */
struct replies_search {
    int64_t due, key;
    weir_segment_head head;
    bool found;
};

static weir_err replies_on_head(void *data, int64_t key, const weir_segment_head *head,
                                weir_error *error)
{
    struct replies_search *s = data;
    (void)error;
    if (s->due >= head->min_ts.us && s->due <= head->max_ts.us) {
        s->key = key;
        s->head = *head;
        s->found = true;
    }
    return WEIR_OK;
}

static weir_err replies_decode(weir_view *view, const struct replies_search *s,
                               struct view_replies *place, weir_error *error)
{
    WEIR_CLEANUP(weir_db_stmt_reset) sqlite3_stmt *stmt = view->body;
    weir_reply_record *replies = weir_realloc_array(place->replies, s->head.count, sizeof *replies);
    if (!replies)
        return weir_fail(error, WEIR_ENOMEM, "no memory to read the store");
    place->replies = replies;
    place->n = 0;
    weir_err err = segment_find(stmt, s->key, error);
    if (err == WEIR_OK)
        err = weir_replies_decode(&s->head, sqlite3_column_blob(stmt, 0),
                                  (size_t)sqlite3_column_bytes(stmt, 0), replies, error);
    if (err != WEIR_OK)
        return weir_view_segment_fail(s->key, error);
    view->counters.replies++;
    *place = (struct view_replies){.part = s->key >> 40,
                                   .series = (uint32_t)(s->key >> 8) & ~SEGMENT_REPLIES,
                                   .min_due = s->head.min_ts.us,
                                   .max_due = s->head.max_ts.us,
                                   .replies = replies,
                                   .n = s->head.count};
    return WEIR_OK;
}

static weir_err replies_get(weir_view *view, int64_t part, const weir_reply_ref *ref,
                            struct view_replies **ret, weir_error *error)
{
    struct replies_search s = {.due = ref->due.us};
    struct view_replies *oldest = &view->replies[0];
    for (size_t i = 0; i < VIEW_REPLIES; i++) {
        struct view_replies *r = &view->replies[i];
        if (r->n > 0 && r->part == part && r->series == ref->reply && s.due >= r->min_due &&
            s.due <= r->max_due) {
            *ret = r;
            return WEIR_OK;
        }
        oldest = r->used < oldest->used ? r : oldest;
    }
    weir_err err = weir_view_heads(view, SEGMENT_KEY(part, SEGMENT_REPLIES | ref->reply, 0),
                                   SEGMENT_KEY(part, SEGMENT_REPLIES | ref->reply, 0xff),
                                   replies_on_head, &s, error);
    if (err == WEIR_OK && !s.found)
        err = weir_fail(error, WEIR_EDAMAGED,
                        "part %" PRId64 ": replies of %" PRIu32 " are missing at %" PRId64, part,
                        ref->reply, ref->due.us);
    if (err == WEIR_OK)
        err = replies_decode(view, &s, oldest, error);
    if (err == WEIR_OK)
        *ret = oldest;
    return err;
}

/* Mostly it is that of the sample before, or its neighbour. */
static const weir_reply_record *replies_find(struct view_replies *r, const weir_reply_ref *ref)
{
    const weir_reply_record *found = NULL;
    for (size_t i = r->at; ref->mark == 0 && !found && i < r->at + 2 && i < r->n; i++)
        if (r->replies[i].due.us == ref->due.us &&
            (i == 0 || r->replies[i - 1].due.us < ref->due.us))
            found = &r->replies[i];
    if (!found)
        found = weir_reply_find(r->replies, r->n, ref);
    if (found)
        r->at = (size_t)(found - r->replies);
    return found;
}

weir_err weir_view_reply(weir_view *view, int64_t part, const weir_reply_ref *ref,
                         const weir_reply_record **ret, weir_error *error)
{
    struct view_replies *r = NULL;
    weir_err err = replies_get(view, part, ref, &r, error);
    if (err != WEIR_OK)
        return err;
    r->used = ++view->replies_clock;
    *ret = replies_find(r, ref);
    if (!*ret)
        return weir_fail(error, WEIR_EDAMAGED,
                         "part %" PRId64 ": no reply of %" PRIu32 " is of %" PRId64, part,
                         ref->reply, ref->due.us);
    return WEIR_OK;
}
