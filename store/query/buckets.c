/* SPDX-License-Identifier: MIT */
/* The table functions buckets and history: samples of a tag, added up by calendar or by width. */

/*
 * Both are one table with different arguments, which are hidden columns. Tags come one after the
 * other, within a tag the buckets that have samples, by time. Bounds on ts or time are bounds of
 * the beginnings of buckets: whole buckets are computed, or none.
 */

#include "store/query/query_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/step.h"
#include "store/file/zonefile.h"
#include "store/query/aggregate.h"
#include "store/query/tail.h"

enum {
    BUCKET_TS,
    BUCKET_TIME,
    BUCKET_DELTA,
    BUCKET_MIN,
    BUCKET_MAX,
    BUCKET_AVG,
    BUCKET_FIRST,
    BUCKET_LAST,
    BUCKET_COUNT,
    BUCKET_QUALITY,
    BUCKET_TAG,
    BUCKET_ARGUMENTS,
};

#define BUCKET_COLUMNS                                                              \
    "CREATE TABLE x(ts INTEGER, time TEXT, delta, min, max, avg REAL, first, last," \
    " count INTEGER, quality TEXT, tag TEXT HIDDEN, "

#define BUCKETS_LETTERS "tT        n01"  /* step, tz */
#define HISTORY_LETTERS "          n012" /* from_ts, to_ts, n */

#define DOUBLE_EXACT (1ll << 53) /* integers beyond it have no double of their own */

enum { SLOTS_MAX = 10 * 1000 * 1000 };

/* Equal widths from a moment on. */
struct slots {
    int64_t from, last; /* of the last slot, inclusive */
    uint64_t width;     /* all of time does not fit an int64_t */
};

struct calendar {
    weir_step step;
    const weir_zone *zone;
};

typedef struct buckets_cursor {
    sqlite3_vtab_cursor base;
    weir_constraints constraints;
    weir_tag_uid *all; /* when no tag is named; owned */
    const weir_tag_uid *tags;
    size_t n_tags, next_tag;
    int64_t min_ts, max_ts; /* of samples */
    struct calendar calendar;
    weir_zone *zone; /* the calendar's, if it is not UTC; kept for the next time */
    char zone_name[80];
    struct slots slots;
    weir_bucket_rule rule;
    weir_tail *tail; /* of several tags; NULL: of one, which is read as it is needed */
    weir_meter meter;
    weir_aggregate *aggregate; /* NULL: the next tag is to be taken */
    weir_bucket bucket;
    bool any;
    char arguments[3][80]; /* as they were given */
    bool given[3];
} buckets_cursor;

static weir_query *cursor_query(sqlite3_vtab_cursor *cursor)
{
    return ((weir_query_table *)(void *)cursor->pVtab)->query;
}

/* --- the rules ---------------------------------------------------------------------------- */

static void calendar_bounds(const void *data, int64_t ts, int64_t *ret_first, int64_t *ret_last)
{
    const struct calendar *c = data;
    weir_wall start = weir_step_start(c->step, c->zone, (weir_wall){ts});
    weir_wall next = weir_step_next(c->step, c->zone, start);
    *ret_first = start.us;
    *ret_last = next.us == INT64_MAX ? INT64_MAX : next.us - 1;
}

static void slots_bounds(const void *data, int64_t ts, int64_t *ret_first, int64_t *ret_last)
{
    const struct slots *s = data;
    const uint64_t into = (uint64_t)ts - (uint64_t)s->from;
    const uint64_t first = (uint64_t)s->from + into / s->width * s->width;
    const uint64_t left = (uint64_t)s->last - first;
    *ret_first = (int64_t)first;
    *ret_last = left < s->width - 1 ? s->last : (int64_t)(first + (s->width - 1));
}

/* Bounds of the beginnings become bounds of samples. */
static void calendar_range(buckets_cursor *c)
{
    const weir_scan_filter *f = &c->constraints.filter;
    int64_t first, last;
    c->min_ts = f->min_ts;
    c->max_ts = f->max_ts;
    if (f->min_ts > INT64_MIN) {
        calendar_bounds(&c->calendar, f->min_ts, &first, &last);
        c->min_ts = first == f->min_ts ? first : last < INT64_MAX ? last + 1 : INT64_MAX;
    }
    if (f->max_ts < INT64_MAX)
        calendar_bounds(&c->calendar, f->max_ts, &first, &c->max_ts);
    c->rule = (weir_bucket_rule){calendar_bounds, &c->calendar};
}

/* A join asks for the same zone again and again. */
static weir_err zone_take(buckets_cursor *c, const char *name, weir_error *error)
{
    weir_zone *owned = NULL;
    if (c->zone && strcmp(c->zone_name, name) == 0) {
        c->calendar.zone = c->zone;
        return WEIR_OK;
    }
    weir_err err = weir_zone_open(name, &c->calendar.zone, &owned, error);
    if (err != WEIR_OK)
        return err;
    weir_zone_free(c->zone);
    c->zone = owned;
    (void)snprintf(c->zone_name, sizeof c->zone_name, "%s", name);
    return WEIR_OK;
}

static weir_err calendar_read(buckets_cursor *c, weir_error *error)
{
    if (!c->given[0])
        return weir_fail(error, WEIR_EINVAL,
                         "buckets(tag, step, tz): no step; it is like '15min', '1h', '1d', '1mo'");
    weir_err err = weir_step_parse(c->arguments[0], &c->calendar.step, error);
    if (err == WEIR_OK)
        err = zone_take(c, c->arguments[1], error);
    if (err == WEIR_OK)
        calendar_range(c);
    return err;
}

/* A moment: µs, or written as time. */
static bool moment_read(sqlite3_value *value, int64_t *ret)
{
    weir_wall t;
    const char *text;
    switch (value ? sqlite3_value_type(value) : SQLITE_NULL) {
    case SQLITE_INTEGER:
        *ret = sqlite3_value_int64(value);
        return true;
    case SQLITE_FLOAT:
        *ret = (int64_t)fmin(fmax(sqlite3_value_double(value), -9e18), 9e18);
        return true;
    case SQLITE_TEXT:
        text = (const char *)sqlite3_value_text(value);
        if (!text || !weir_wall_parse(text, &t))
            return false;
        *ret = t.us;
        return true;
    default:
        return false;
    }
}

static weir_err slots_read(buckets_cursor *c, weir_error *error)
{
    sqlite3_value *const *arguments = c->constraints.arguments;
    int64_t from, to;
    if (!moment_read(arguments[0], &from) || !moment_read(arguments[1], &to))
        return weir_fail(error, WEIR_EINVAL,
                         "history(tag, from_ts, to_ts, n): from_ts and to_ts are microseconds "
                         "since 1970, or times like '2026-01-31 12:00'");
    if (!arguments[2] || sqlite3_value_numeric_type(arguments[2]) != SQLITE_INTEGER ||
        sqlite3_value_int64(arguments[2]) < 1 || sqlite3_value_int64(arguments[2]) > SLOTS_MAX)
        return weir_fail(error, WEIR_EINVAL,
                         "history(tag, from_ts, to_ts, n): n is a number of slots, 1 to %d",
                         SLOTS_MAX);
    if (from >= to) {
        c->constraints.nothing = true;
        return WEIR_OK;
    }
    uint64_t n = (uint64_t)sqlite3_value_int64(arguments[2]);
    uint64_t span = (uint64_t)to - (uint64_t)from;
    uint64_t width = span / n + (span % n > 0);
    c->slots = (struct slots){.from = from, .last = to - 1, .width = width};
    c->min_ts = from;
    c->max_ts = to - 1;
    c->rule = (weir_bucket_rule){slots_bounds, &c->slots};
    return WEIR_OK;
}

/* --- the walk ----------------------------------------------------------------------------- */

static void cursor_end(buckets_cursor *c)
{
    weir_aggregate_free(c->aggregate);
    weir_meter_deinit(&c->meter);
    weir_tail_free(c->tail);
    weir_free(c->all);
    weir_constraints_deinit(&c->constraints);
    c->aggregate = NULL;
    c->tail = NULL;
    c->all = NULL;
    c->tags = NULL;
    c->n_tags = c->next_tag = 0;
    c->any = false;
}

static weir_err tag_start(buckets_cursor *c, weir_query *q, weir_error *error)
{
    weir_meter_deinit(&c->meter);
    weir_aggregate_wish wish = {
        .rule = c->rule, .min_ts = c->min_ts, .max_ts = c->max_ts, .has_tail = c->tail != NULL};
    size_t at = c->next_tag++;
    weir_err err = weir_meter_read(&c->meter, q->view, c->tags[at], error);
    if (err == WEIR_OK && c->tail)
        err = weir_tail_get(c->tail, c->tags, c->n_tags, at, &wish.tail, &wish.n_tail, error);
    return err == WEIR_OK ? weir_aggregate_new(q->view, &c->meter, &wish, &c->aggregate, error)
                          : err;
}

static weir_err buckets_advance(buckets_cursor *c, weir_query *q, weir_error *error)
{
    c->any = false;
    while (c->aggregate || c->next_tag < c->n_tags) {
        weir_err err = c->aggregate ? WEIR_OK : tag_start(c, q, error);
        if (err == WEIR_OK)
            err = weir_aggregate_next(c->aggregate, &c->bucket, &c->any, error);
        if (err != WEIR_OK)
            return err;
        if (c->any && weir_constraints_match(&c->constraints, (weir_wall){c->bucket.ts}))
            return WEIR_OK;
        if (c->any)
            continue;
        weir_aggregate_free(c->aggregate);
        c->aggregate = NULL;
    }
    return WEIR_OK;
}

static int buckets_next(sqlite3_vtab_cursor *cursor)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_err err = buckets_advance((buckets_cursor *)(void *)cursor, cursor_query(cursor), &error);
    return err == WEIR_OK ? SQLITE_OK : weir_query_table_fail(cursor->pVtab, err, &error);
}

/* --- the tables --------------------------------------------------------------------------- */

static int buckets_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                           sqlite3_vtab **ret, char **ret_error)
{
    (void)argc, (void)argv, (void)ret_error;
    return weir_query_table_declare(db, aux,
                                    BUCKET_COLUMNS "step TEXT HIDDEN, tz TEXT HIDDEN,"
                                                   " PRIMARY KEY(tag, ts, step, tz)) WITHOUT ROWID",
                                    ret);
}

static int history_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                           sqlite3_vtab **ret, char **ret_error)
{
    (void)argc, (void)argv, (void)ret_error;
    return weir_query_table_declare(db, aux,
                                    BUCKET_COLUMNS
                                    "from_ts HIDDEN, to_ts HIDDEN, n INTEGER HIDDEN,"
                                    " PRIMARY KEY(tag, ts, from_ts, to_ts, n)) WITHOUT ROWID",
                                    ret);
}

static int best_index(sqlite3_index_info *info, const char *letters)
{
    bool descending, one_tag;
    int rc = weir_constraints_plan(info, letters);
    if (rc != SQLITE_OK)
        return rc;
    info->orderByConsumed = weir_constraints_order(info, BUCKETS_LETTERS, &descending, &one_tag) &&
                            one_tag && !descending;
    info->estimatedCost /= 100;
    info->estimatedRows = info->estimatedRows / 1000 + 1;
    return SQLITE_OK;
}

static int buckets_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    return best_index(info, BUCKETS_LETTERS);
}

static int history_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    return best_index(info, HISTORY_LETTERS);
}

static int buckets_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret)
{
    (void)table;
    buckets_cursor *c = weir_alloc_zero(1, sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    *ret = &c->base;
    return SQLITE_OK;
}

static int buckets_close(sqlite3_vtab_cursor *cursor)
{
    buckets_cursor *c = (buckets_cursor *)(void *)cursor;
    cursor_end(c);
    weir_zone_free(c->zone);
    weir_free(c);
    return SQLITE_OK;
}

/* Copies the arguments, for the columns that show them. */
static void arguments_take(buckets_cursor *c)
{
    for (size_t i = 0; i < 3; i++) {
        sqlite3_value *value = c->constraints.arguments[i];
        const char *text = value && sqlite3_value_type(value) != SQLITE_NULL
                               ? (const char *)sqlite3_value_text(value)
                               : NULL;
        c->given[i] = text != NULL;
        (void)snprintf(c->arguments[i], sizeof c->arguments[i], "%s", text ? text : "");
    }
}

static weir_err cursor_start(buckets_cursor *c, weir_query *q, bool history, const char *plan,
                             int argc, sqlite3_value **argv, weir_error *error)
{
    weir_err err = weir_query_begin(q, error);
    if (err == WEIR_OK)
        err = weir_constraints_read(&c->constraints, q->db, plan, argc, argv, error);
    if (err != WEIR_OK)
        return err;
    err = history ? slots_read(c, error) : WEIR_OK;
    arguments_take(c);
    if (err == WEIR_OK && !history)
        err = calendar_read(c, error);
    if (err != WEIR_OK || c->constraints.nothing)
        return err;
    c->tags = c->constraints.filter.tags;
    c->n_tags = c->constraints.filter.n_tags;
    if (!c->constraints.has_tags) {
        err = weir_scan_all_tags(q->db, &c->all, &c->n_tags, error);
        c->tags = c->all;
    }
    /* Also of before, where the last number may be. */
    if (err == WEIR_OK && c->n_tags > 1) {
        c->tail = weir_tail_new(q->view, INT64_MIN, c->max_ts, 0);
        if (!c->tail)
            err = weir_fail(error, WEIR_ENOMEM, "no memory to aggregate samples");
    }
    return err == WEIR_OK ? buckets_advance(c, q, error) : err;
}

static int filter(sqlite3_vtab_cursor *cursor, bool history, const char *plan, int argc,
                  sqlite3_value **argv)
{
    buckets_cursor *c = (buckets_cursor *)(void *)cursor;
    weir_error error = WEIR_ERROR_INIT;
    cursor_end(c);
    weir_err err = cursor_start(c, cursor_query(cursor), history, plan, argc, argv, &error);
    return err == WEIR_OK ? SQLITE_OK : weir_query_table_fail(cursor->pVtab, err, &error);
}

static int buckets_filter(sqlite3_vtab_cursor *cursor, int number, const char *plan, int argc,
                          sqlite3_value **argv)
{
    (void)number;
    return filter(cursor, false, plan, argc, argv);
}

static int history_filter(sqlite3_vtab_cursor *cursor, int number, const char *plan, int argc,
                          sqlite3_value **argv)
{
    (void)number;
    return filter(cursor, true, plan, argc, argv);
}

static int buckets_eof(sqlite3_vtab_cursor *cursor)
{
    return !((buckets_cursor *)(void *)cursor)->any;
}

/* Extremes are kept as doubles; of integers they are shown as such. */
static void extreme_result(sqlite3_context *context, const weir_summary *s, double v)
{
    const bool integers = s->first.kind <= WEIR_KIND_U64 && s->last.kind <= WEIR_KIND_U64;
    weir_value value = integers && fabs(v) < (double)DOUBLE_EXACT && v == floor(v)
                           ? weir_value_i64((int64_t)v)
                           : weir_value_f64(v);
    weir_value_result(context, &value);
}

static const char *quality_text(const weir_summary *s)
{
    if (s->numbers == 0)
        return weir_class_text(WEIR_BAD);
    return weir_class_text(s->good == s->count && s->numbers == s->count ? WEIR_GOOD
                                                                         : WEIR_UNCERTAIN);
}

/* Columns that are NULL without numbers. */
static void number_result(sqlite3_context *context, const weir_bucket *b, int column)
{
    const weir_summary *s = &b->summary;
    weir_value value;
    if (s->numbers == 0)
        return;
    switch (column) {
    case BUCKET_DELTA:
        value = weir_growth_value(&b->delta);
        weir_value_result(context, &value);
        break;
    case BUCKET_MIN:
        extreme_result(context, s, s->min);
        break;
    case BUCKET_MAX:
        extreme_result(context, s, s->max);
        break;
    case BUCKET_AVG:
        value = weir_value_f64(s->sum / (double)s->numbers);
        weir_value_result(context, &value);
        break;
    case BUCKET_FIRST:
        weir_value_result(context, &s->first);
        break;
    default: /* BUCKET_LAST */
        weir_value_result(context, &s->last);
        break;
    }
}

static int buckets_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    const buckets_cursor *c = (buckets_cursor *)(void *)cursor;
    if (column == BUCKET_TS)
        sqlite3_result_int64(context, c->bucket.ts);
    else if (column == BUCKET_TIME)
        weir_time_result(context, (weir_wall){c->bucket.ts});
    else if (column < BUCKET_COUNT)
        number_result(context, &c->bucket, column);
    else if (column == BUCKET_COUNT)
        sqlite3_result_int64(context, (int64_t)c->bucket.summary.numbers);
    else if (column == BUCKET_QUALITY)
        sqlite3_result_text(context, quality_text(&c->bucket.summary), -1, SQLITE_STATIC);
    else if (column == BUCKET_TAG)
        sqlite3_result_text(context, weir_names_of(&cursor_query(cursor)->names, c->meter.tag), -1,
                            SQLITE_TRANSIENT);
    else /* only tz can be missing; of a primary key, SQLite holds it for never null */
        sqlite3_result_text(
            context,
            c->given[column - BUCKET_ARGUMENTS] ? c->arguments[column - BUCKET_ARGUMENTS] : "UTC",
            -1, SQLITE_TRANSIENT);
    return SQLITE_OK;
}

const sqlite3_module weir_buckets_module = {
    .iVersion = 0,
    .xConnect = buckets_connect,
    .xBestIndex = buckets_best_index,
    .xDisconnect = weir_query_table_disconnect,
    .xOpen = buckets_open,
    .xClose = buckets_close,
    .xFilter = buckets_filter,
    .xNext = buckets_next,
    .xEof = buckets_eof,
    .xColumn = buckets_column,
    .xRowid = weir_query_no_rowid,
};

const sqlite3_module weir_history_module = {
    .iVersion = 0,
    .xConnect = history_connect,
    .xBestIndex = history_best_index,
    .xDisconnect = weir_query_table_disconnect,
    .xOpen = buckets_open,
    .xClose = buckets_close,
    .xFilter = history_filter,
    .xNext = buckets_next,
    .xEof = buckets_eof,
    .xColumn = buckets_column,
    .xRowid = weir_query_no_rowid,
};
