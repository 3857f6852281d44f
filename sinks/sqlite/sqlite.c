/* SPDX-License-Identifier: MIT */
/* The sink that writes plain rows to an SQLite database. */

/*
 * A send is one transaction: the tags that are new, the rows, and the cursor of this sink. So what
 * is delivered and how far that goes can never differ, and resume tells it after a crash.
 *
 * Every failure rolls back, tables that were made included, and closes the connection: the next
 * send looks at the file, its tables and its rights again, so whoever repaired them need not
 * restart weir.
 */

#include "sinks/sqlite/sqlite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sinks/sqlite/database.h"
#include "sinks/text/trial.h"

enum { TABLE_NAME_MAX = 63 };
#define TOLD_INTERVAL WEIR_MINUTE /* of what is left out again and again */

struct sqlite {
    const weir_sink_host *host;
    const weir_sqlite_options *options;
    weir_sqlite_database database;
    int64_t *tag_ids; /* of weir_tags, by the tag's number; 0: not yet known */
    size_t n_tag_ids;
    bool is_trial;       /* its row has no parent and is taken back */
    uint64_t n_orphans;  /* left out of what is being sent */
    uint64_t n_untold;   /* and of what was, since it was last told */
    weir_mono next_told; /* not before */
};

/* --- options and life --------------------------------------------------------------------- */

static bool name_is_plain(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const size_t n = strlen(name);
    return n <= TABLE_NAME_MAX && strspn(name, letters) > 0 && strspn(name, all) == n &&
           sqlite3_strnicmp(name, "sqlite_", 7) != 0;
}

static weir_err sqlite_check(const void *options, weir_error *error)
{
    const weir_sqlite_options *o = options;
    const char *table = weir_sqlite_table_name(o);
    if (!o->path || !*o->path)
        return weir_fail(error, WEIR_EINVAL, "path must name a file");
    if (o->path[strlen(o->path) - 1] == '/')
        return weir_fail(error, WEIR_EINVAL, "path \"%.200s\" is a folder: add a file name",
                         o->path);
    if (strncmp(o->path, "file:", 5) == 0 || strcmp(o->path, ":memory:") == 0)
        return weir_fail(error, WEIR_EINVAL, "path must be that of a file, not \"%.200s\"",
                         o->path);
    if (!name_is_plain(table) || !sqlite3_stricmp(table, "weir_sinks") ||
        !sqlite3_stricmp(table, "weir_tags"))
        return weir_fail(error, WEIR_EINVAL,
                         "table must be a name of letters, digits and _, not of weir's other "
                         "tables, not \"%.80s\"",
                         table);
    return WEIR_OK;
}

static void database_init(struct sqlite *s, weir_sqlite_database *d, const char *path)
{
    *d = (weir_sqlite_database){
        .host = s->host,
        .options = s->options,
        .layout = weir_sqlite_layout_of(s->options),
        .path = path,
    };
}

static weir_err sqlite_init(void *state, const weir_sink_host *host, const void *options,
                            weir_error *error)
{
    struct sqlite *s = state;
    (void)error;
    s->host = host;
    s->options = options;
    database_init(s, &s->database, s->options->path);
    return WEIR_OK;
}

static void sqlite_deinit(void *state)
{
    struct sqlite *s = state;
    weir_sqlite_database_close(&s->database);
    weir_free(s->tag_ids);
}

/* --- the connection ----------------------------------------------------------------------- */

/* What was not committed is not known. */
static void forget_tags(struct sqlite *s)
{
    if (s->n_tag_ids)
        memset(s->tag_ids, 0, s->n_tag_ids * sizeof *s->tag_ids);
}

static void disconnect(struct sqlite *s)
{
    weir_sqlite_rollback(&s->database);
    weir_sqlite_database_close(&s->database);
    forget_tags(s);
}

/* A file that was deleted or replaced can still be written, but nobody would ever read that. */
static bool connect_ready(struct sqlite *s, weir_send_answer *ret)
{
    int moved = 0;
    if (s->database.db &&
        sqlite3_file_control(s->database.db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
        moved) {
        s->host->log(s->host->data, WEIR_LOG_WARNING, "sqlite_file",
                     "the database was deleted or replaced: the one with its name is used");
        disconnect(s);
    }
    return s->database.db || weir_sqlite_database_open(&s->database, ret);
}

/* --- rows --------------------------------------------------------------------------------- */

static bool tag_ids_grow(struct sqlite *s, uint32_t number)
{
    if (number < s->n_tag_ids)
        return true;
    const size_t n = ((size_t)number + 1) * 2;
    int64_t *ids = weir_realloc_array(s->tag_ids, n, sizeof *ids);
    if (!ids)
        return false;
    memset(ids + s->n_tag_ids, 0, (n - s->n_tag_ids) * sizeof *ids);
    s->tag_ids = ids;
    s->n_tag_ids = n;
    return true;
}

static int tag_upsert(struct sqlite *s, weir_sqlite_database *d, const weir_sink_tag *tag)
{
    const char *const texts[] = {tag->name,    tag->unit,        tag->type,
                                 tag->address, tag->labels_json, tag->description};
    weir_sqlite_binding b = {.statement = d->upsert_tag};
    weir_sqlite_bind_text(&b, 1, s->host->store);
    (void)sqlite3_bind_int64(b.statement, 2, tag->uid);
    for (int i = 0; i < 6; i++)
        weir_sqlite_bind_text(&b, 3 + i, texts[i]);
    return b.code == SQLITE_OK ? weir_sqlite_run(b.statement) : b.code;
}

static int tag_find(struct sqlite *s, weir_sqlite_database *d, const weir_sink_tag *tag,
                    int64_t *ret)
{
    (void)sqlite3_bind_text(d->find_tag, 1, s->host->store, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(d->find_tag, 2, tag->uid);
    const int code = sqlite3_step(d->find_tag);
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int64(d->find_tag, 0);
    (void)sqlite3_reset(d->find_tag);
    return code == SQLITE_ROW ? SQLITE_DONE : code;
}

/* Its row of weir_tags: made, or brought up to date, once in the life of the connection. */
static int tag_ready(struct sqlite *s, weir_sqlite_database *d, const weir_sink_tag *tag)
{
    if (!d->layout->has_tags)
        return SQLITE_DONE;
    if (!tag_ids_grow(s, tag->number))
        return SQLITE_NOMEM;
    if (s->tag_ids[tag->number])
        return SQLITE_DONE;
    const int code = tag_upsert(s, d, tag);
    return code == SQLITE_DONE ? tag_find(s, d, tag, &s->tag_ids[tag->number]) : code;
}

/* SQLITE_ROW: the row has its parent, or needs none. */
static int parent_find(const struct sqlite *s, weir_sqlite_database *d, const weir_sink_row *row)
{
    weir_sqlite_binding b = {.statement = d->find_parent};
    if (!d->find_parent || s->is_trial)
        return SQLITE_ROW;
    if (!d->layout->bind_parent(&b, row))
        return SQLITE_DONE;
    return b.code == SQLITE_OK ? weir_sqlite_run(d->find_parent) : b.code;
}

/* Whoever deletes a parent deletes what is its; what was on its way then goes the same way. */
static void tell_orphans(struct sqlite *s)
{
    const weir_mono now = s->host->now(s->host->data);
    char text[160];
    if (s->n_untold == 0 || !weir_mono_reached(now, s->next_told))
        return;
    (void)snprintf(text, sizeof text,
                   "%llu samples were left out: their tags have no label paramID, or it is no row "
                   "of RequestedData (any more)",
                   (unsigned long long)s->n_untold);
    s->host->log(s->host->data, WEIR_LOG_WARNING, "sqlite_left_out", text);
    s->n_untold = 0;
    s->next_told = weir_mono_add(now, TOLD_INTERVAL);
}

static int row_insert(struct sqlite *s, weir_sqlite_database *d, const weir_sink_row *row)
{
    int code = tag_ready(s, d, row->tag);
    if (code != SQLITE_DONE)
        return code;
    const int64_t id = d->layout->has_tags ? s->tag_ids[row->tag->number] : 0;
    weir_sqlite_binding b = {.statement = d->insert};
    if (!d->layout->bind(&b, row, id))
        return SQLITE_DONE;
    code = parent_find(s, d, row);
    if (code != SQLITE_ROW) {
        s->n_orphans += code == SQLITE_DONE;
        return code;
    }
    return b.code == SQLITE_OK ? weir_sqlite_run(b.statement) : b.code;
}

/* Constraints and triggers are the tables' own, and speak of a row; so does one that is too big. */
static bool is_rejection(int code)
{
    return (code & 0xff) == SQLITE_CONSTRAINT || (code & 0xff) == SQLITE_TOOBIG ||
           (code & 0xff) == SQLITE_MISMATCH;
}

static bool row_failed(weir_sqlite_database *d, int code, size_t at, weir_send_answer *ret)
{
    if (!is_rejection(code))
        return weir_sqlite_failed(d, code, ret);
    *ret = (weir_send_answer){.result = WEIR_SEND_REJECTED, .first_bad = at};
    (void)snprintf(ret->why, sizeof ret->why, "the database says: %.200s", sqlite3_errmsg(d->db));
    return false;
}

static bool rows_insert(struct sqlite *s, weir_sqlite_database *d, const weir_sink_row *rows,
                        size_t n, weir_send_answer *ret)
{
    for (size_t i = 0; i < n; i++) {
        const int code = row_insert(s, d, &rows[i]);
        if (code != SQLITE_DONE)
            return row_failed(d, code, i, ret);
    }
    return true;
}

/* The highest of what is no replay. */
static bool cursor_write(struct sqlite *s, weir_sqlite_database *d, const weir_sink_row *rows,
                         size_t n, weir_send_answer *ret)
{
    uint64_t seq = 0;
    for (size_t i = 0; i < n; i++)
        if (!rows[i].replayed && rows[i].seq > seq)
            seq = rows[i].seq;
    if (seq == 0)
        return true;
    (void)sqlite3_bind_text(d->upsert_cursor, 1, s->host->store, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(d->upsert_cursor, 2, s->host->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(d->upsert_cursor, 3, (int64_t)seq);
    return weir_sqlite_run(d->upsert_cursor) == SQLITE_DONE ||
           weir_sqlite_failed(d, sqlite3_extended_errcode(d->db), ret);
}

static void sqlite_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                        weir_send_answer *ret)
{
    struct sqlite *s = state;
    weir_sqlite_database *d = &s->database;
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    s->n_orphans = 0;
    if (connect_ready(s, ret) && weir_sqlite_begin(d, deadline, ret) &&
        rows_insert(s, d, rows, n, ret) && cursor_write(s, d, rows, n, ret) &&
        weir_sqlite_commit(d, ret)) {
        s->n_untold += s->n_orphans;
        tell_orphans(s);
        return;
    }
    disconnect(s);
}

static void sqlite_idle(void *state, weir_mono now)
{
    (void)now;
    tell_orphans(state);
}

/* --- the rest of the type ----------------------------------------------------------------- */

static void sqlite_resume(void *state, weir_mono deadline, uint64_t *ret_seq, weir_send_answer *ret)
{
    struct sqlite *s = state;
    weir_sqlite_database *d = &s->database;
    uint64_t seq = 0;
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    if (connect_ready(s, ret) && weir_sqlite_begin(d, deadline, ret)) {
        (void)sqlite3_bind_text(d->find_cursor, 1, s->host->store, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(d->find_cursor, 2, s->host->name, -1, SQLITE_STATIC);
        const int code = sqlite3_step(d->find_cursor);
        if (code == SQLITE_ROW)
            seq = (uint64_t)sqlite3_column_int64(d->find_cursor, 0);
        (void)sqlite3_reset(d->find_cursor);
        if (code == SQLITE_ROW || code == SQLITE_DONE ? weir_sqlite_commit(d, ret)
                                                      : weir_sqlite_failed(d, code, ret)) {
            *ret_seq = seq;
            return;
        }
    }
    disconnect(s);
}

/* A database that is not there yet is tried under another name, which goes again. */
static void test_path(const struct sqlite *s, bool exists, weir_text *t)
{
    weir_text_add(t, s->options->path);
    if (!exists)
        weir_text_format(t, "-test-%d", (int)getpid());
}

static bool test_row(struct sqlite *s, weir_sqlite_database *d, weir_mono deadline,
                     weir_send_answer *ret)
{
    const weir_sink_row row = weir_trial_row(s->host->wall(s->host->data));
    return weir_sqlite_database_open(d, ret) && weir_sqlite_begin(d, deadline, ret) &&
           rows_insert(s, d, &row, 1, ret);
}

static void sqlite_test(void *state, weir_mono deadline, weir_sink_test *ret)
{
    /* What is kept of tags belongs to the other connection. */
    struct sqlite *owner = state;
    struct sqlite s = {.host = owner->host, .options = owner->options, .is_trial = true};
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    struct stat st;
    const weir_mono began = s.host->now(s.host->data);
    const bool exists = stat(s.options->path, &st) == 0;
    *ret = (weir_sink_test){.answer.result = WEIR_SEND_DELIVERED};
    test_path(&s, exists, &path);
    database_init(&s, &s.database, weir_text_get(&path));
    const bool done = test_row(&s, &s.database, deadline, &ret->answer);
    disconnect(&s);
    weir_free(s.tag_ids);
    if (!exists)
        (void)unlink(weir_text_get(&path));
    if (!done)
        return;
    ret->latency_us = s.host->now(s.host->data).us - began.us;
    (void)snprintf(ret->peer, sizeof ret->peer, "SQLite %s, %.110s%s", sqlite3_libversion(),
                   s.options->path, exists ? "" : " (will be created)");
}

static weir_err sqlite_schema(const void *options, weir_text *ret, weir_error *error)
{
    const weir_sqlite_found nothing = {0};
    weir_sqlite_schema(options, &nothing, ret);
    return ret->failed ? weir_fail(error, WEIR_ENOMEM, "out of memory") : WEIR_OK;
}

#define FIELD(name) .offset = offsetof(weir_sqlite_options, name)

static const char *const layouts[] = {"weir", "results_raw", "current", NULL};

static const weir_option sqlite_options[] = {
    {.name = "path",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     FIELD(path),
     .metavar = "FILE",
     .text = "The database; made if it is not there, its folder must be."},
    {.name = "layout",
     .type = WEIR_OPTION_ENUM,
     FIELD(layout),
     .fallback = "weir",
     .words = layouts,
     .text = "weir: tables weir_tags and weir_samples. results_raw: the table ResultsRaw of "
             "ModbusDataLogger (paramID, timestamp, rawresult). current: one row a tag with its "
             "newest value, as RTDS has it."},
    {.name = "table",
     .type = WEIR_OPTION_STRING,
     FIELD(table),
     .metavar = "NAME",
     .text =
         "Of the table with the samples. Default: weir_samples, ResultsRaw or current. One that "
         "is there is used if it has the columns and the key."},
    {.name = "busy_timeout",
     .type = WEIR_OPTION_DURATION,
     FIELD(busy_timeout_us),
     .min = 0,
     .max = 60 * WEIR_S,
     .fallback = "5s",
     .text = "How long a lock of another program is waited for before the send is tried again "
             "later."},
    {.name = NULL},
};

const weir_sink_type weir_sink_sqlite = {
    .abi = WEIR_SINK_ABI,
    .name = "sqlite",
    .summary = "plain rows in an SQLite database",
    .text =
        "Values are what `weir sql` shows: bool, i64 and u64 are INTEGER (u64 above 2^63-1 TEXT), "
        "f32 and f64 are REAL, f32 exactly widened; decimal is REAL, or TEXT when it has more than "
        "53 bits; string is TEXT and bytes are BLOB, both with NUL and all; Infinity and -Infinity "
        "are TEXT; NaN is NULL with quality uncertain and cause not_a_number; a bad sample is NULL "
        "with its cause. Column kind has weir's own kind.\n"
        "Layout weir: the key (tag_id, ts, epoch) absorbs repetitions, the highest seq counts; "
        "weir_tags has the newest name, unit, labels and description of each tag. Layout "
        "results_raw: the key (paramID, timestamp in whole seconds), the first counts; paramID is "
        "the label paramID, and where RequestedData is in the same file a row of that, else left "
        "out; without RequestedData and the label it is the tag's id. rawresult has bytes as they "
        "are, bits of coils and discrete inputs as a word each, an integer in the width of its "
        "registers, high byte first, any other value as the column bits of `samples`; bad samples "
        "and the extra read at the start leave no row. Layout current: the key tag_id (the tag's "
        "name); "
        "a "
        "row changes only to a time that is not older; status is 0, or -1 if not good.\n"
        "Each send is one transaction with the cursor (weir_sinks), so after a crash nothing is "
        "repeated. The file keeps its journal mode; a new one has a rollback journal, so that "
        "other "
        "programs can read it anywhere. They may write too; while one holds a lock weir waits.",
    .options = sqlite_options,
    .options_size = sizeof(weir_sqlite_options),
    .state_size = sizeof(struct sqlite),
    .flags = WEIR_SINK_IN_ORDER,
    .rows_max = 20000,
    .check = sqlite_check,
    .init = sqlite_init,
    .deinit = sqlite_deinit,
    .send = sqlite_send,
    .test = sqlite_test,
    .resume = sqlite_resume,
    .idle = sqlite_idle,
    .schema = sqlite_schema,
};
