/* SPDX-License-Identifier: MIT */
/* weir sql: a query over what was collected. */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "cli/commands.h"
#include "cli/datadir.h"
#include "cli/output.h"
#include "store/query/query.h"

struct sql_options {
    const char *config, *data_dir;
    int format;
    bool no_limit;
};

/*
 * A query sees one moment, and as long as it lasts the daemon cannot use its write-ahead log again
 * from the start. That is harmless until this file is large; then commits would have to wait. So
 * it is the file's growth that ends a query, not its time.
 */
#define WAL_GROWTH_MAX                                                        \
    (16LL * 1024 * 1024) /* four times what the daemon lets it grow by itself \
                          */

enum { PROGRESS_STEPS = 100 * 1000 }; /* of SQLite's machine, between two looks: some ms */

struct wal_watch {
    char path[4096];
    int64_t size; /* when the query began */
    bool exceeded;
};

static const weir_option sql_option_table[] = {
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct sql_options, data_dir),
     .metavar = "DIR",
     .text = "The data directory. Without it the configuration's, else ./weir-data."},
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct sql_options, config),
     .metavar = "FILE",
     .text = "The configuration that names the data directory. Without it ./weir.yaml, then "
             "/etc/weir/weir.yaml."},
    {.name = "no-limit",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct sql_options, no_limit),
     .text = "Let the query run on although the daemon's write-ahead log has grown by 16 MiB "
             "since it began. At some size the daemon stops committing until the query ends."},
    WEIR_FORMAT_OPTION(struct sql_options),
    {0}};

static int64_t file_size(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? (int64_t)s.st_size : 0;
}

/* Not 0 ends the query. */
static int wal_on_progress(void *data)
{
    struct wal_watch *watch = data;
    watch->exceeded = file_size(watch->path) - watch->size > WAL_GROWTH_MAX;
    return watch->exceeded;
}

static void wal_watch_start(struct wal_watch *watch, sqlite3 *db, const char *data_dir)
{
    int n = snprintf(watch->path, sizeof watch->path, "%s/data.db-wal", data_dir);
    if (n < 0 || (size_t)n >= sizeof watch->path)
        return; /* nothing so long was opened */
    watch->size = file_size(watch->path);
    sqlite3_progress_handler(db, PROGRESS_STEPS, wal_on_progress, watch);
}

/* What SQLite says, and where: the line of the query with a mark under the place. */
static weir_err fail_at(sqlite3 *db, const char *query, weir_error *error)
{
    enum { LINE_MAX = 200 };
    int offset = sqlite3_error_offset(db);
    const char *message = sqlite3_errmsg(db);
    if (offset < 0 || (size_t)offset > strlen(query))
        return weir_fail(error, WEIR_ESYNTAX, "%s", message);
    size_t start = (size_t)offset, line = 1;
    while (start > 0 && query[start - 1] != '\n')
        start--;
    for (size_t i = 0; i < start; i++)
        line += query[i] == '\n';
    size_t column = (size_t)offset - start;
    size_t n = strcspn(query + start, "\n");
    if (n > LINE_MAX) /* no room to show it */
        return weir_fail(error, WEIR_ESYNTAX, "%s (line %zu, column %zu)", message, line,
                         column + 1);
    return weir_fail(error, WEIR_ESYNTAX, "%s (line %zu, column %zu)\n  %.*s\n  %*s^", message,
                     line, column + 1, (int)n, query + start, (int)column, "");
}

static weir_value cell(sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        return weir_value_i64(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
        return weir_value_f64(sqlite3_column_double(statement, column));
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(statement, column);
        return weir_value_string(text ? text : "", (size_t)sqlite3_column_bytes(statement, column));
    }
    case SQLITE_BLOB: {
        const uint8_t *bytes = sqlite3_column_blob(statement, column);
        return weir_value_bytes(bytes, (size_t)sqlite3_column_bytes(statement, column));
    }
    default:
        return weir_value_null();
    }
}

static weir_err show_rows(const weir_invocation *in, sqlite3 *db, sqlite3_stmt *statement,
                          const char *query, weir_error *error)
{
    const struct sql_options *options = in->options;
    const int n = sqlite3_column_count(statement);
    const char **names = weir_arena_alloc(in->arena, (size_t)n, sizeof *names);
    weir_value *row = weir_arena_alloc(in->arena, (size_t)n, sizeof *row);
    if (!names || !row)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        names[i] = sqlite3_column_name(statement, i);
    /* A query that fails at its first row leaves nothing on stdout. */
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return fail_at(db, query, error);
    WEIR_CLEANUP(weir_output_end)
    weir_output *output = weir_output_new(stdout, (weir_format)options->format, names, (size_t)n);
    if (!output)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (; code == SQLITE_ROW; code = sqlite3_step(statement)) {
        for (int i = 0; i < n; i++)
            row[i] = cell(statement, i);
        if (!weir_output_row(output, row))
            return WEIR_OK; /* nobody reads any more; the end of the program says if it matters */
    }
    return code == SQLITE_DONE ? WEIR_OK : fail_at(db, query, error);
}

static weir_err answer(const weir_invocation *in, sqlite3 *db, weir_error *error)
{
    const char *query = in->args[0], *rest = query;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, query, -1, &statement, &rest) != SQLITE_OK)
        return fail_at(db, query, error);
    weir_err err;
    if (!statement)
        err = weir_fail(error, WEIR_ESYNTAX, "the query is empty");
    else if (rest[strspn(rest, " \t\r\n;")])
        err = weir_fail(error, WEIR_ESYNTAX, "one statement at a time: '%.40s' is left over", rest);
    else if (sqlite3_column_count(statement) == 0 || !sqlite3_stmt_readonly(statement))
        err = weir_fail(error, WEIR_ESYNTAX, "this is no query: the store is read only");
    else
        err = show_rows(in, db, statement, query, error);
    (void)sqlite3_finalize(statement);
    return err;
}

static int sql_run(const weir_invocation *in)
{
    const struct sql_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    weir_query *query = NULL;
    const char *data_dir =
        weir_kept_data_dir(in->arena, options->config, options->data_dir, "queried", &error);
    if (!data_dir || weir_query_open(data_dir, NULL, &query, &error))
        return weir_command_fail(in, &error);
    struct wal_watch watch = {0};
    if (!options->no_limit)
        wal_watch_start(&watch, weir_query_db(query), data_dir);
    weir_err err = answer(in, weir_query_db(query), &error);
    if (err && watch.exceeded)
        err = weir_fail(&error, WEIR_EINUSE,
                        "stopped: since the query began the daemon's write-ahead log has grown by "
                        "16 MiB, which it can use again only when the query ends. Ask for fewer "
                        "tags or less time, use buckets() or history(), or weir export; "
                        "--no-limit lets it run on");
    weir_query_close(query);
    if (!err)
        return WEIR_EXIT_OK;
    (void)weir_command_fail(in, &error);
    return err == WEIR_EDAMAGED ? WEIR_EXIT_DAMAGED : WEIR_EXIT_FAILURE;
}

static const weir_example sql_examples[] = {
    {"weir sql \"SELECT tag, value, quality FROM current\"", "the newest value of every tag"},
    {"weir sql \"SELECT time, value FROM samples WHERE tag = 'meter/power' ORDER BY ts DESC LIMIT "
     "10\"",
     "the last ten samples of one tag"},
    {"weir sql \"SELECT time, delta FROM buckets('meter/energy', '1mo', 'Europe/Berlin')\"",
     "how much was used in each month"},
    {"weir sql --format json \"SELECT * FROM devices WHERE state <> 'online'\"",
     "devices that are not well, for a program"},
    {0}};

const weir_command weir_command_sql = {
    .name = "sql",
    .summary = "query what was collected",
    .arguments = "QUERY",
    .args_min = 1,
    .args_max = 1,
    .options = sql_option_table,
    .options_size = sizeof(struct sql_options),
    .examples = sql_examples,
    .text =
        "It opens the data directory's file itself: the daemon may run or not, and is not "
        "disturbed. The store is read only.\n\n"
        "Tables: samples(tag, ts, time, value, quality, cause, read_ts) with the hidden columns "
        "kind, bits, epoch, seq and plan; current with the same columns, one row a tag; tags(id, "
        "tag, device, unit, type, description, labels, address); devices(name, connection, state, "
        "since, last_good, error, requests, timeouts, late, rtt_p50, rtt_p99); events(ts, kind, "
        "subject, text); gaps(sink, tag, from_ts, to_ts, count, cause).\n\n"
        "Functions: buckets(tag, step, tz) adds samples up by calendar, history(tag, from_ts, "
        "to_ts, n) in n slots of equal width; both give ts, time, delta, min, max, avg, first, "
        "last, count and quality, a row for each that has samples. step is like 15min, 1h, 1d, "
        "1w, 1mo; tz like Europe/Berlin, UTC when left out. ts and time are the beginning. delta "
        "is how far the value went since the last number before the bucket; of a counter it goes "
        "over wraps and resets, and over a replaced meter. avg is the mean of the samples. count "
        "is of the samples with a number; without any, quality is bad. Several tags: FROM buckets "
        "WHERE tag GLOB 'm*' AND step='1d'.\n\n"
        "quality is good, uncertain or bad; a bad value is NULL and cause says why. ts is "
        "microseconds since 1970 UTC, time the same as text. Conditions on tag (=, IN, GLOB), ts "
        "and time skip what they can; ORDER BY ts of one tag costs nothing. Samples come tag by "
        "tag. Of a tag, a time and an epoch only the newest version is shown.\n\n"
        "A query sees one moment. It is ended when the daemon's write-ahead log has grown by "
        "16 MiB meanwhile; who sends the rows to a pager should let it read to the end. Memory "
        "stays small however much is asked for; only ORDER BY or GROUP BY over several tags may "
        "need temporary files, in $SQLITE_TMPDIR or /var/tmp. Ctrl-C ends a query at once (exit "
        "code 130).\n\n"
        "In csv and tables bytes are hex and NULL is empty.",
    .run = sql_run,
};
