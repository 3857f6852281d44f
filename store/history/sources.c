/* SPDX-License-Identifier: MIT */
/* The parts that a merge reads, and the series of replies in them. */

#include "store/history/sources.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "store/file/database.h"
#include "store/file/schema.h"
#include "store/history/segments.h"
#include "store/query/view.h"

/* A series of replies in all sources. */
struct weir_sources_series {
    uint32_t uid;
    uint64_t count;
    weir_segments_extent in[]; /* of each source */
};

static int source_compare(const void *a, const void *b)
{
    const weir_part *x = &((const weir_source *)a)->part, *y = &((const weir_source *)b)->part;
    return (x->last_seq > y->last_seq) - (x->last_seq < y->last_seq);
}

weir_err weir_sources_init(weir_sources *s, sqlite3 *db, const weir_choice *choice,
                           const weir_part *parts, size_t n, weir_error *error)
{
    *s = (weir_sources){.db = db};
    s->items = weir_alloc_zero(choice->n, sizeof *s->items);
    if (!s->items)
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge %zu parts", choice->n);
    for (size_t i = 0; i < n && s->n < choice->n; i++)
        if (weir_choice_takes(choice, &parts[i]))
            s->items[s->n++].part = parts[i];
    qsort(s->items, s->n, sizeof *s->items, source_compare);
    return WEIR_OK;
}

void weir_sources_deinit(weir_sources *s)
{
    for (size_t i = 0; i < WEIR_SOURCES_SERIES; i++)
        weir_free(s->series[i]);
    weir_view_free(s->view);
    weir_free(s->items);
    *s = (weir_sources){0};
}

/* --- uids --------------------------------------------------------------------------------- */

/* The uid of the first key at or above uid in a part. */
static weir_err source_seek(sqlite3 *db, const weir_part *part, uint32_t uid, uint32_t *ret,
                            weir_error *error)
{
    char sql[160];
    int64_t key;
    (void)snprintf(sql, sizeof sql, "SELECT min(key) FROM segment WHERE key>=%lld AND key<%lld",
                   (long long)SEGMENT_KEY(part->id, uid, 0),
                   (long long)SEGMENT_KEY(part->id + 1, 0, 0));
    weir_err err = weir_db_int(db, sql, -1, &key, error);
    if (err == WEIR_OK)
        *ret = key < 0 ? UINT32_MAX : (uint32_t)(key >> 8);
    return err;
}

weir_err weir_sources_seek(weir_sources *s, uint32_t *ret_lowest, weir_error *error)
{
    uint32_t lowest = UINT32_MAX;
    for (size_t i = 0; i < s->n; i++) {
        weir_source *source = &s->items[i];
        if (!source->known) {
            weir_err err = source_seek(s->db, &source->part, source->next, &source->next, error);
            if (err != WEIR_OK)
                return err;
            source->known = true;
        }
        lowest = source->next < lowest ? source->next : lowest;
    }
    *ret_lowest = lowest;
    return WEIR_OK;
}

/* --- replies ------------------------------------------------------------------------------ */

static weir_err series_measure(const weir_sources *s, uint32_t uid,
                               struct weir_sources_series **ret, weir_error *error)
{
    WEIR_CLEANUP(weir_free) void *owner = NULL;
    struct weir_sources_series *found = weir_alloc(sizeof *found + s->n * sizeof *found->in);
    weir_err err = WEIR_OK;
    if (!found)
        return weir_fail(error, WEIR_ENOMEM, "no memory to merge history");
    owner = found;
    found->uid = uid;
    found->count = 0;
    for (size_t i = 0; err == WEIR_OK && i < s->n; i++) {
        err = weir_segments_measure(s->db, &s->items[i].part, uid | SEGMENT_REPLIES, &found->in[i],
                                    error);
        found->count += err == WEIR_OK ? found->in[i].count : 0;
    }
    if (err != WEIR_OK)
        return err;
    *ret = found;
    owner = NULL;
    return WEIR_OK;
}

/* What a series of replies has in the sources. Lives until the next call. */
static weir_err series_get(weir_sources *s, uint32_t uid, const struct weir_sources_series **ret,
                           weir_error *error)
{
    struct weir_sources_series *found = NULL;
    for (size_t i = 0; i < WEIR_SOURCES_SERIES; i++) {
        if (s->series[i] && s->series[i]->uid == uid) {
            *ret = s->series[i];
            return WEIR_OK;
        }
    }
    weir_err err = series_measure(s, uid, &found, error);
    if (err != WEIR_OK)
        return err;
    weir_free(s->series[s->next_series]);
    s->series[s->next_series] = found;
    s->next_series = (s->next_series + 1) % WEIR_SOURCES_SERIES;
    *ret = found;
    return WEIR_OK;
}

weir_err weir_sources_count_replies(weir_sources *s, uint32_t series, uint64_t *ret,
                                    weir_error *error)
{
    const struct weir_sources_series *found;
    weir_err err = series_get(s, series, &found, error);
    if (err == WEIR_OK)
        *ret = found->count;
    return err;
}

/* Whether another source has replies of the series around this due. */
static bool due_is_shared(const weir_sources *s, const struct weir_sources_series *series,
                          int64_t part, int64_t due)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->items[i].part.id != part && series->in[i].count > 0 && due >= series->in[i].min_ts &&
            due <= series->in[i].max_ts)
            return true;
    return false;
}

static weir_err ref_mark(weir_sources *s, int64_t part, weir_reply_ref *ref, weir_error *error)
{
    const weir_reply_record *reply;
    weir_error why = WEIR_ERROR_INIT;
    weir_err err = s->view ? WEIR_OK : weir_view_new(s->db, &s->view, error);
    if (err != WEIR_OK)
        return err;
    const weir_err found = weir_view_reply(s->view, part, ref, &reply, &why);
    if (found == WEIR_OK)
        ref->mark = weir_reply_mark(reply->seq);
    else if (found != WEIR_EDAMAGED)
        err = weir_fail(error, found, "%s", why.text);
    return err;
}

weir_err weir_sources_mark(weir_sources *s, int64_t part, weir_reply_ref *refs, size_t n,
                           weir_error *error)
{
    const struct weir_sources_series *series = NULL;
    weir_err err = WEIR_OK;
    for (size_t i = 0; s->n > 1 && err == WEIR_OK && i < n; i++) {
        weir_reply_ref *ref = &refs[i];
        if (ref->mark != 0)
            continue;
        if (!series || series->uid != ref->reply)
            err = series_get(s, ref->reply, &series, error);
        if (err == WEIR_OK && due_is_shared(s, series, part, ref->due.us))
            err = ref_mark(s, part, ref, error);
    }
    return err;
}
