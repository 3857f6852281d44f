/* SPDX-License-Identifier: MIT */
/* What was committed of one tag, a stretch at a time.
 *
 * A stretch is read in a transaction of its own and copied, so that a program that takes its time
 * never keeps the store from tidying its log. The next one goes on behind it. */

#include <string.h>

#include <sqlite3.h>

#include "base/alloc.h"
#include "embed/collector_priv.h"
#include "store/query/query.h"
#include "store/query/scan.h"

enum { STRETCH = 1024 }; /* samples: some milliseconds of reading */

struct weir_samples {
    weir_query *query;
    weir_view *view;
    weir_tag_uid uid;
    weir_wall from, to;
    weir_scan_place place;
    bool begun, over;
    weir_arena *texts; /* of the stretch */
    size_t n, at;
    weir_sample stretch[STRETCH];
};

static weir_err sql_run(sqlite3 *db, const char *sql, weir_error *error)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return WEIR_OK;
    return weir_fail(error, WEIR_EIO, "%s", sqlite3_errmsg(db));
}

static weir_err samples_find(weir_samples *s, const char *tag, weir_error *error)
{
    sqlite3 *db = weir_query_db(s->query);
    sqlite3_stmt *find = NULL;
    int64_t uid = 0;
    int status = sqlite3_prepare_v2(db, "SELECT id FROM tags WHERE tag = ?1", -1, &find, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_bind_text(find, 1, tag, -1, SQLITE_STATIC);
    if (status == SQLITE_OK)
        status = sqlite3_step(find);
    if (status == SQLITE_ROW)
        uid = sqlite3_column_int64(find, 0);
    const bool failed = status != SQLITE_ROW && status != SQLITE_DONE;
    if (failed)
        (void)weir_fail(error, WEIR_EIO, "%s", sqlite3_errmsg(db));
    (void)sqlite3_finalize(find);
    if (failed)
        return WEIR_EIO;
    if (uid <= 0)
        return weir_fail(error, WEIR_ENOTFOUND, "the store has no tag '%s'", tag);
    s->uid = (weir_tag_uid)uid;
    return WEIR_OK;
}

weir_err weir_samples_open(const char *data_dir, const char *tag, weir_wall from, weir_wall to,
                           weir_samples **ret, weir_error *error)
{
    if (!data_dir || !tag)
        return weir_fail(error, WEIR_EINVAL, "a data directory and a tag are wanted");
    weir_samples *s = weir_alloc_zero(1, sizeof *s);
    if (!s)
        return weir_fail(error, WEIR_ENOMEM, "samples of '%s'", tag);
    s->from = from;
    s->to = to;
    weir_err err = weir_query_open(data_dir, NULL, &s->query, error);
    if (err == WEIR_OK)
        err = samples_find(s, tag, error);
    if (err == WEIR_OK)
        err = weir_view_new(weir_query_db(s->query), &s->view, error);
    if (err != WEIR_OK) {
        weir_samples_free(s);
        return err;
    }
    *ret = s;
    return WEIR_OK;
}

weir_err weir_collector_samples(weir_collector *collector, const char *tag, weir_wall from,
                                weir_wall to, weir_samples **ret, weir_error *error)
{
    weir_err err = weir_callback_refuse(collector, error);
    if (err != WEIR_OK)
        return err;
    (void)pthread_rwlock_rdlock(&collector->life);
    if (!collector->runtime)
        err = weir_fail(error, WEIR_EINVAL, "the collector does not run");
    else
        err = weir_samples_open(weir_runtime_store_dir(collector->runtime), tag, from, to, ret,
                                error);
    (void)pthread_rwlock_unlock(&collector->life);
    return err;
}

static weir_err stretch_keep(weir_samples *s, const weir_sample *sample, weir_error *error)
{
    weir_sample *kept = &s->stretch[s->n];
    *kept = *sample;
    if (sample->value.kind == WEIR_KIND_STRING || sample->value.kind == WEIR_KIND_BYTES) {
        if (!s->texts)
            s->texts = weir_arena_new();
        kept->value.as.text =
            s->texts ? weir_arena_text_n(s->texts, sample->value.as.text, sample->value.length)
                     : NULL;
        if (!kept->value.as.text)
            return weir_fail(error, WEIR_ENOMEM, "samples");
    }
    s->n++;
    return WEIR_OK;
}

/* Within a transaction. */
static weir_err stretch_scan(weir_samples *s, weir_error *error)
{
    weir_scan_filter filter = WEIR_SCAN_ALL;
    WEIR_CLEANUP(weir_scan_free) weir_scan *scan = NULL;
    bool any = true;
    filter.tags = &s->uid;
    filter.n_tags = 1;
    filter.min_ts = s->from.us;
    filter.max_ts = s->to.us;
    weir_err err = weir_view_update(s->view, error);
    if (err == WEIR_OK)
        err = weir_scan_new(s->view, &filter, s->begun ? &s->place : NULL, &scan, error);
    while (err == WEIR_OK && any && s->n < STRETCH) {
        weir_item item;
        err = weir_scan_next(scan, &item, &any, error);
        if (err == WEIR_OK && any)
            err = stretch_keep(s, &item.sample, error);
    }
    if (err != WEIR_OK)
        return err;
    s->over = !any;
    s->begun = s->begun || s->n > 0;
    s->place = weir_scan_get_place(scan);
    return WEIR_OK;
}

static weir_err stretch_read(weir_samples *s, weir_error *error)
{
    sqlite3 *db = weir_query_db(s->query);
    weir_arena_free(s->texts);
    s->texts = NULL;
    s->n = s->at = 0;
    weir_err err = sql_run(db, "BEGIN", error);
    if (err != WEIR_OK)
        return err;
    err = stretch_scan(s, error);
    const weir_err ended = sql_run(db, "ROLLBACK", err == WEIR_OK ? error : NULL);
    return err == WEIR_OK ? ended : err;
}

weir_err weir_samples_next(weir_samples *samples, weir_sample *ret, bool *ret_any,
                           weir_error *error)
{
    if (samples->at == samples->n && !samples->over) {
        const weir_err err = stretch_read(samples, error);
        if (err != WEIR_OK) {
            samples->n = samples->at = 0;
            return err;
        }
    }
    *ret_any = samples->at < samples->n;
    if (*ret_any)
        *ret = samples->stretch[samples->at++];
    return WEIR_OK;
}

void weir_samples_free(weir_samples *samples)
{
    if (!samples)
        return;
    weir_view_free(samples->view);
    weir_query_close(samples->query);
    weir_arena_free(samples->texts);
    weir_free(samples);
}
