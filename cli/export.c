/* SPDX-License-Identifier: MIT */
/* weir export: what was collected, as a file for other programs. */

/*
 * Tag by tag, and of each tag a stretch of time after the other, each in a query of its own: so no
 * reading keeps the running daemon from tidying its log, however long all takes. A file is written
 * beside its name and renamed when it is complete, so that what bears the name is whole.
 */

#include "cli/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "cli/datadir.h"
#include "cli/export_file.h"
#include "cli/moment.h"
#include "cli/progress.h"
#include "cli/sample_writer.h"
#include "daemon/assemble.h"
#include "runtime/clock.h"
#include "store/query/query.h"

/* One query: short enough for two seconds on a Raspberry Pi, long against its own overhead. */
#define STRETCH_US WEIR_DAY

/* In the order of weir_sample_format. */
static const char *const format_words[] = {"csv", "jsonl", "line", NULL};

struct export_options {
    const char *config, *data_dir, *output, *from, *to, *measurement;
    weir_option_strings tags;
    int format;
    bool good;
    weir_option_strings env_files;
};

static const weir_option export_option_table[] = {
    {.name = "tag",
     .letter = 't',
     .type = WEIR_OPTION_STRINGS,
     .offset = offsetof(struct export_options, tags),
     .metavar = "PATTERN",
     .text = "Only tags that match, such as 'm07/*'. May be given several times."},
    {.name = "from",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct export_options, from),
     .metavar = "TIME",
     .text = "Only samples of this time or later. " WEIR_MOMENT_HELP},
    {.name = "to",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct export_options, to),
     .metavar = "TIME",
     .text = "Only samples before this time."},
    {.name = "format",
     .type = WEIR_OPTION_ENUM,
     .offset = offsetof(struct export_options, format),
     .fallback = "csv",
     .words = format_words,
     .metavar = "FORMAT",
     .text = "csv; jsonl, a JSON object a line; line, the line protocol of InfluxDB."},
    {.name = "output",
     .letter = 'o',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct export_options, output),
     .metavar = "FILE",
     .text = "Where to. It appears under its name when it is complete. Without it: standard "
             "output."},
    {.name = "good",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct export_options, good),
     .text = "Only samples of good quality."},
    {.name = "measurement",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct export_options, measurement),
     .fallback = "weir",
     .metavar = "NAME",
     .text = "Of the line protocol's lines."},
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct export_options, data_dir),
     .metavar = "DIR",
     .text = "The data directory. Without it the configuration's, else ./weir-data."},
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct export_options, config),
     .metavar = "FILE",
     .text = "The configuration that names the data directory. Without it ./weir.yaml, then "
             "/etc/weir/weir.yaml."},
    WEIR_ENV_FILE_OPTION(struct export_options),
    {0}};

struct job {
    const struct export_options *options;
    sqlite3 *db;
    FILE *file;
    weir_line_tag *tags;
    size_t n_tags;
    weir_wall from, to; /* as asked; to is exclusive */
    uint64_t written;
    weir_sample_writer writer;
    bool unread; /* whoever read standard output has gone: that is no failure */
    weir_progress progress;
};

static weir_err sql_fail(sqlite3 *db, weir_error *error)
{
    const int code = sqlite3_errcode(db) & 0xff;
    return weir_fail(error,
                     code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? WEIR_EDAMAGED : WEIR_EIO,
                     "%s", sqlite3_errmsg(db));
}

/* --- what is to be exported --------------------------------------------------------------- */

static bool tag_is_wanted(const struct export_options *options, const char *name)
{
    for (size_t i = 0; i < options->tags.n; i++)
        if (weir_glob_match(options->tags.items[i], name))
            return true;
    return options->tags.n == 0;
}

static weir_err tag_add(struct job *job, weir_arena *arena, sqlite3_stmt *row, size_t *capacity,
                        weir_error *error)
{
    weir_line_tag *tags = weir_array_room(job->tags, job->n_tags, capacity, sizeof *tags);
    if (!tags)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    job->tags = tags;
    const char *texts[3];
    for (int i = 0; i < 3; i++) {
        const char *text = (const char *)sqlite3_column_text(row, i);
        texts[i] = weir_arena_text(arena, text ? text : "");
        if (!texts[i])
            return weir_fail(error, WEIR_ENOMEM, "out of memory");
    }
    job->tags[job->n_tags++] =
        (weir_line_tag){job->options->measurement, texts[0], texts[1], texts[2]};
    return WEIR_OK;
}

static weir_err tags_read(struct job *job, weir_arena *arena, weir_error *error)
{
    sqlite3_stmt *stmt = NULL;
    size_t capacity = 0;
    weir_err err = WEIR_OK;
    int code = sqlite3_prepare_v2(job->db, "SELECT tag, device, unit FROM tags ORDER BY tag", -1,
                                  &stmt, NULL);
    while (code == SQLITE_OK && err == WEIR_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        code = SQLITE_OK;
        if (tag_is_wanted(job->options, (const char *)sqlite3_column_text(stmt, 0)))
            err = tag_add(job, arena, stmt, &capacity, error);
    }
    if (err == WEIR_OK && code != SQLITE_DONE)
        err = sql_fail(job->db, error);
    (void)sqlite3_finalize(stmt);
    if (err == WEIR_OK && job->n_tags == 0)
        err = job->options->tags.n ? weir_fail(error, WEIR_ENOTFOUND,
                                               "no tag matches '%s': 'weir sql \"SELECT tag "
                                               "FROM tags\"' lists them",
                                               job->options->tags.items[0])
                                   : weir_fail(error, WEIR_ENOTFOUND, "there are no tags yet");
    return err;
}

/* The tag's own first and last ts within what was asked; false: it has none. */
static weir_err span_read(struct job *job, const weir_line_tag *tag, int64_t *first, int64_t *last,
                          bool *ret_any, weir_error *error)
{
    static const char *const ends[] = {"ASC", "DESC"};
    int64_t *rets[] = {first, last};
    weir_err err = WEIR_OK;
    *ret_any = true;
    for (int i = 0; i < 2 && err == WEIR_OK && *ret_any; i++) {
        char sql[160];
        sqlite3_stmt *stmt = NULL;
        (void)snprintf(sql, sizeof sql,
                       "SELECT ts FROM samples WHERE tag=?1 AND ts>=?2 AND ts<?3"
                       " ORDER BY ts %s LIMIT 1",
                       ends[i]);
        int code = sqlite3_prepare_v2(job->db, sql, -1, &stmt, NULL);
        if (code == SQLITE_OK) {
            (void)sqlite3_bind_text(stmt, 1, tag->name, -1, SQLITE_STATIC);
            (void)sqlite3_bind_int64(stmt, 2, job->from.us);
            (void)sqlite3_bind_int64(stmt, 3, job->to.us);
            code = sqlite3_step(stmt);
        }
        if (code == SQLITE_ROW)
            *rets[i] = sqlite3_column_int64(stmt, 0);
        else if (code == SQLITE_DONE)
            *ret_any = false;
        else
            err = sql_fail(job->db, error);
        (void)sqlite3_finalize(stmt);
    }
    return err;
}

/* --- writing ------------------------------------------------------------------------------ */

static uint8_t kind_of_text(const char *text)
{
    uint8_t kind = 0;
    while (kind < WEIR_KIND_COUNT && strcmp(weir_kind_text(kind), text) != 0)
        kind++;
    return kind;
}

static weir_quality quality_of_texts(const char *class_text, const char *cause_text)
{
    int class = WEIR_GOOD, cause = 0;
    while (class < WEIR_BAD && strcmp(weir_class_text((weir_class) class), class_text) != 0)
        class ++;
    while (cause < 255 && strcmp(weir_cause_word((weir_cause)cause), cause_text) != 0)
        cause++;
    return weir_quality_of((weir_class) class, (weir_cause)cause, 0);
}

/* A row of the query, as a sample. What it borrows is SQLite's until its next step. */
static weir_err row_read(struct job *job, sqlite3_stmt *stmt, weir_sample *ret, uint32_t *ret_epoch,
                         weir_error *error)
{
    const char *kind = (const char *)sqlite3_column_text(stmt, 1);
    const uint8_t *bits = sqlite3_column_blob(stmt, 2);
    const char *quality = (const char *)sqlite3_column_text(stmt, 3);
    const char *cause = (const char *)sqlite3_column_text(stmt, 4);
    if (!kind || !quality || !cause)
        return sql_fail(job->db, error);
    *ret_epoch = (uint32_t)sqlite3_column_int64(stmt, 5);
    *ret = (weir_sample){.ts = {sqlite3_column_int64(stmt, 0)},
                         .quality = quality_of_texts(quality, cause)};
    if (!weir_value_of_payload(kind_of_text(kind), bits, (size_t)sqlite3_column_bytes(stmt, 2),
                               &ret->value))
        return weir_fail(error, WEIR_EDAMAGED, "a value of kind %s cannot be read", kind);
    return WEIR_OK;
}

/* Some of one tag, in one read of the store. */
static weir_err stretch_export(struct job *job, sqlite3_stmt *stmt, const weir_line_tag *tag,
                               int64_t from, int64_t to, weir_error *error)
{
    weir_err err = WEIR_OK;
    int code;
    (void)sqlite3_bind_text(stmt, 1, tag->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 2, from);
    (void)sqlite3_bind_int64(stmt, 3, to);
    while (err == WEIR_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        weir_sample sample;
        uint32_t epoch = 0;
        err = row_read(job, stmt, &sample, &epoch, error);
        if (err == WEIR_OK && job->options->good && weir_quality_class(sample.quality) != WEIR_GOOD)
            continue;
        if (err == WEIR_OK && !weir_sample_writer_put(&job->writer, tag, &sample, epoch)) {
            job->unread = job->file == stdout && errno == EPIPE;
            err = weir_fail(error, WEIR_EIO, "cannot write: %s", strerror(errno));
        }
        job->written++;
    }
    if (err == WEIR_OK && code != SQLITE_DONE)
        err = sql_fail(job->db, error);
    (void)sqlite3_reset(stmt);
    return err;
}

static weir_err tag_export(struct job *job, sqlite3_stmt *stmt, size_t i, weir_error *error)
{
    const weir_line_tag *tag = &job->tags[i];
    int64_t first = 0, last = 0;
    bool any;
    weir_err err = span_read(job, tag, &first, &last, &any, error);
    if (err != WEIR_OK || !any)
        return err;
    const int64_t start = first;
    while (err == WEIR_OK && first <= last) {
        const int64_t end = last - first < STRETCH_US ? last + 1 : first + STRETCH_US;
        err = stretch_export(job, stmt, tag, first, end, error);
        first = end;
        if (err == WEIR_OK && job->file != stdout && weir_signal_wait(0) != 0)
            err = weir_fail(error, WEIR_ECANCELED, "interrupted: nothing was written");
        const double part = (double)(first - start) / (double)(last + 1 - start);
        weir_progress_set(&job->progress, job->written, ((double)i + part) / (double)job->n_tags);
    }
    return err;
}

static weir_err tags_export(struct job *job, weir_error *error)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(job->db,
                           "SELECT ts, kind, bits, quality, cause, epoch FROM samples"
                           " WHERE tag=?1 AND ts>=?2 AND ts<?3 ORDER BY ts",
                           -1, &stmt, NULL) != SQLITE_OK)
        return sql_fail(job->db, error);
    weir_err err = weir_sample_writer_init(&job->writer, job->file,
                                           (weir_sample_format)job->options->format, error);
    for (size_t i = 0; err == WEIR_OK && i < job->n_tags; i++)
        err = tag_export(job, stmt, i, error);
    weir_sample_writer_deinit(&job->writer);
    (void)sqlite3_finalize(stmt);
    return err;
}

/* --- all of it ----------------------------------------------------------------------------- */

/* Both ends are reckoned from one now. */
static weir_err range_parse(struct job *job, weir_error *error)
{
    const struct export_options *o = job->options;
    const weir_wall now = weir_system_wall();
    weir_err err = WEIR_OK;
    if (o->from)
        err = weir_moment_parse("from", o->from, now, &job->from, error);
    if (err == WEIR_OK && o->to)
        err = weir_moment_parse("to", o->to, now, &job->to, error);
    return err;
}

static weir_err job_run(struct job *job, const weir_invocation *in, weir_error *error)
{
    weir_err err = range_parse(job, error);
    if (err == WEIR_OK && job->from.us >= job->to.us)
        err = weir_fail(error, WEIR_EINVAL, "--from is not before --to: nothing lies between");
    if (err == WEIR_OK)
        err = tags_read(job, in->arena, error);
    if (err != WEIR_OK)
        return err;
    weir_progress_start(&job->progress, "exporting", "samples");
    weir_export_file file;
    err = weir_export_file_open(&file, job->options->output, in->arena, error);
    job->file = file.stream;
    if (err == WEIR_OK)
        err = weir_export_file_close(&file, tags_export(job, error), error);
    weir_progress_end(&job->progress);
    return err;
}

static int export_run(const weir_invocation *in)
{
    const struct export_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    const char *data_dir =
        weir_kept_data_dir(in->arena, options->config, options->data_dir, "exported", &error);
    if (!data_dir || weir_query_open(data_dir, NULL, &query, &error))
        return weir_command_fail(in, &error);
    struct job job = {
        .options = options, .db = weir_query_db(query), .from = {INT64_MIN}, .to = {INT64_MAX}};
    const weir_err err = job_run(&job, in, &error);
    weir_free(job.tags);
    weir_query_close(query);
    if (job.unread)
        return WEIR_EXIT_OK;
    if (err == WEIR_EINVAL)
        return weir_command_usage(in, "%s", error.text);
    if (err == WEIR_EDAMAGED) {
        const int code = weir_command_fail(in, &error);
        weir_data_dir_advise(in, data_dir);
        return code;
    }
    if (err)
        return weir_command_fail(in, &error);
    if (options->output && strcmp(options->output, "-") != 0)
        weir_command_note(in, "%llu samples of %zu tags are in %s", (unsigned long long)job.written,
                          job.n_tags, options->output);
    return WEIR_EXIT_OK;
}

static const weir_example export_examples[] = {
    {"weir export -t 'm07/*' --from 2026-01-01 --to 2026-02-01 -o january.csv",
     "one device's January, for a spreadsheet"},
    {"weir export --format line | curl --data-binary @- 'http://influx:8086/write?db=energy'",
     "everything into an InfluxDB"},
    {"weir export --format jsonl | jq -c 'select(.quality != \"good\")'",
     "what went wrong, for a program"},
    {0}};

const weir_command weir_command_export = {
    .name = "export",
    .summary = "write what was collected as CSV, JSON lines or line protocol",
    .arguments = "",
    .options = export_option_table,
    .options_size = sizeof(struct export_options),
    .examples = export_examples,
    .text =
        "Tag after tag, each in the order of time. The daemon may run or not, and is not "
        "disturbed: "
        "each tag's day is read in a moment of its own.\n\n"
        "Values keep every digit: floating point numbers are the shortest text that reads back as "
        "the same bits, scaled integers are exact decimals. A bad sample has no value and says "
        "why in cause. epoch is above 0 after the clock was set back: the same time can be there "
        "twice, once for each epoch.\n\n"
        "csv: a header, RFC 4180 quoting. jsonl: integers above 2^63-1, NaN, infinities and bytes "
        "are text; cause, unit and epoch only where there is one. line: one field name for each "
        "kind of value (value, integer, boolean, text); what is not good also has quality and "
        "cause, what is bad only these.",
    .run = export_run,
};
