/* SPDX-License-Identifier: MIT */
/* weir sql: a query over what was collected. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <sqlite3.h>

#include "cli/cell.h"
#include "cli/commands.h"
#include "cli/datadir.h"
#include "cli/output.h"
#include "store/query/query.h"

struct sql_options {
    const char *config, *data_dir;
    int format;
    bool no_limit;
    weir_option_strings env_files;
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

/* Beside the daemon on a small computer, a query that would fill the memory is what has to go. */
enum {
    HEAP_MAX_MB = 256,
    TEXT_MAX = 64 * 1024 * 1024, /* one value: more than the largest block, 48 MiB */
};

/* So much of the disk stays free of a query's temporary files: as much as the store leaves. */
#define TEMP_FREE_MIN (500LL * 1000 * 1000)
enum { TEMP_FREE_PART = 20 }; /* or a twentieth of a small disk */

/* What ends a query before its end. */
struct watch {
    char path[4096]; /* of the write-ahead log; "": not looked at */
    int64_t size;    /* when the query began */
    const char *temp_dir;
    uint64_t temp_free; /* likewise */
    bool grown, full;
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
    WEIR_ENV_FILE_OPTION(struct sql_options),
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

/* Where SQLite puts what it sorts: the first of these that it may write to. */
static const char *temp_dir(void)
{
    const char *const dirs[] = {getenv("SQLITE_TMPDIR"), getenv("TMPDIR"), "/var/tmp", "/usr/tmp",
                                "/tmp"};
    struct stat st;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        if (dirs[i] && stat(dirs[i], &st) == 0 && S_ISDIR(st.st_mode) &&
            access(dirs[i], W_OK | X_OK) == 0)
            return dirs[i];
    return ".";
}

/* UINT64_MAX: not known. */
static uint64_t disk_free(const char *path, uint64_t *ret_floor)
{
    struct statvfs disk;
    if (statvfs(path, &disk) != 0 || disk.f_blocks == 0)
        return UINT64_MAX;
    const uint64_t part = (uint64_t)disk.f_blocks * (uint64_t)disk.f_frsize / TEMP_FREE_PART;
    *ret_floor = part < TEMP_FREE_MIN ? part : TEMP_FREE_MIN;
    return (uint64_t)disk.f_bavail * (uint64_t)disk.f_frsize;
}

/* Not 0 ends the query. */
static int on_progress(void *data)
{
    struct watch *w = data;
    uint64_t floor = 0;
    w->grown = w->path[0] && file_size(w->path) - w->size > WAL_GROWTH_MAX;
    const uint64_t unused = disk_free(w->temp_dir, &floor);
    /* A disk that was as full before is not the query's doing. */
    w->full = unused < floor && w->temp_free > floor;
    return w->grown || w->full;
}

static void watch_start(struct watch *w, sqlite3 *db, const char *data_dir, bool wal)
{
    uint64_t floor;
    int n = wal ? snprintf(w->path, sizeof w->path, "%s/data.db-wal", data_dir) : 0;
    if (n < 0 || (size_t)n >= sizeof w->path)
        w->path[0] = '\0'; /* nothing so long was opened */
    w->size = w->path[0] ? file_size(w->path) : 0;
    w->temp_dir = temp_dir();
    w->temp_free = disk_free(w->temp_dir, &floor);
    sqlite3_progress_handler(db, PROGRESS_STEPS, on_progress, w);
}

/* Instead of what SQLite says of it. */
static weir_err watch_fail(const struct watch *w, weir_error *error)
{
    if (w->grown)
        return weir_fail(error, WEIR_EINUSE,
                         "stopped: since the query began the daemon's write-ahead log has grown by "
                         "16 MiB, which it can use again only when the query ends. Ask for fewer "
                         "tags or less time, use buckets() or history(), or weir export; "
                         "--no-limit lets it run on");
    return weir_fail(error, WEIR_ELIMIT,
                     "stopped: the temporary files of its sorting have all but filled the disk of "
                     "%s. Ask for fewer tags or less time, or set SQLITE_TMPDIR to a folder with "
                     "more room",
                     w->temp_dir);
}

/* What of SQLite's words needs more of them. */
static weir_err fail_known(sqlite3 *db, weir_error *error)
{
    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_NOMEM:
        return weir_fail(error, WEIR_ENOMEM,
                         "stopped: the query needs more than %d MB of memory. Ask for fewer tags "
                         "or less time, or let weir export write a file",
                         HEAP_MAX_MB);
    case SQLITE_TOOBIG:
        return weir_fail(error, WEIR_ELIMIT, "%s: a value may have %d MB", sqlite3_errmsg(db),
                         TEXT_MAX / 1024 / 1024);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return weir_fail(error, WEIR_EDAMAGED, "%s", sqlite3_errmsg(db));
    case SQLITE_FULL:
        return weir_fail(error, WEIR_ELIMIT,
                         "no room for the temporary files of its sorting in %s: ask for fewer tags "
                         "or less time, or set SQLITE_TMPDIR to a folder with more room",
                         temp_dir());
    default:
        return WEIR_OK;
    }
}

/* What SQLite says, and where: the line of the query with a mark under the place. */
static weir_err fail_at(sqlite3 *db, const char *query, weir_error *error)
{
    enum { LINE_MAX = 200 };
    int offset = sqlite3_error_offset(db);
    char message[400];
    const weir_err known = fail_known(db, error);
    if (known)
        return known;
    (void)snprintf(message, sizeof message, "%s%s", sqlite3_errmsg(db),
                   strncmp(sqlite3_errmsg(db), "no such table", 13) == 0
                       ? "; there are samples, current, tags, devices, events, gaps, sinks, "
                         "rejected, buckets and history"
                       : "");
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
            row[i] = weir_sql_cell(statement, i);
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
    struct watch watch = {0};
    (void)sqlite3_hard_heap_limit64(HEAP_MAX_MB * 1024LL * 1024);
    (void)sqlite3_limit(weir_query_db(query), SQLITE_LIMIT_LENGTH, TEXT_MAX);
    watch_start(&watch, weir_query_db(query), data_dir, !options->no_limit);
    weir_err err = answer(in, weir_query_db(query), &error);
    if (err && (watch.grown || watch.full))
        err = watch_fail(&watch, &error);
    weir_query_close(query);
    if (!err)
        return WEIR_EXIT_OK;
    (void)weir_command_fail(in, &error);
    if (err != WEIR_EDAMAGED)
        return WEIR_EXIT_FAILURE;
    weir_data_dir_advise(in, data_dir);
    return WEIR_EXIT_DAMAGED;
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
        "kind, bits, epoch, seq, plan (the names of the plans that asked for it, such as "
        "default,night) and plans (the same as bits); current with the same columns, one row a "
        "tag; tags(id, "
        "tag, device, unit, type, description, labels, address); devices(name, connection, state, "
        "since, last_good, error, requests, timeouts, late, rtt_p50, rtt_p99); events(ts, kind, "
        "subject, text); gaps(sink, tag, from_ts, to_ts, count, cause); sinks(name, state, "
        "oldest_unsent_s, backlog, quarantined, error, type, since, remedy, delivered, rate, "
        "replayed_to), as of the last minute; rejected(sink, tag, ts, time, value, quality, seq, "
        "why): the rows in "
        "quarantine, which a sink would not take.\n\n"
        "Functions: buckets(tag, step, tz) adds samples up by calendar, history(tag, from_ts, "
        "to_ts, n) in n slots of equal width; both give ts, time, delta, min, max, avg, first, "
        "last, count and quality, a row for each that has samples. step is like 15min, 1h, 1d, "
        "1w, 1mo; tz like Europe/Berlin, UTC when left out. ts and time are the beginning. delta "
        "is how far the value went since the last number before the bucket; of a counter it goes "
        "over wraps and resets, and over a replaced meter. avg is the mean of the samples. count "
        "is of the samples with a number; without any, quality is bad. Several tags: FROM buckets "
        "WHERE tag GLOB 'm*' AND step='1d'.\n\n"
        "quality is good, uncertain or bad; a bad value is NULL and cause says why. ts is "
        "microseconds since 1970 UTC, time the same as text; of other times SQLite's "
        "datetime(since / 1000000, 'unixepoch') makes text. Conditions on tag (=, IN, GLOB, "
        "LIKE), ts and time skip what they can; ORDER BY ts of one tag costs nothing. Samples come "
        "tag by "
        "tag. Of a tag, a time and an epoch only the newest version is shown.\n\n"
        "A query sees one moment. It is ended when the daemon's write-ahead log has grown by "
        "16 MiB meanwhile; who sends the rows to a pager should let it read to the end. Memory "
        "stays small however much is asked for, and a query that needs more than 256 MB is ended; "
        "only ORDER BY or GROUP BY over several tags may need temporary files, in $SQLITE_TMPDIR "
        "or /var/tmp, which never take the last 500 MB of a disk (5 % of a small one). To set one "
        "tag beside another, "
        "read the second one once: WITH b AS MATERIALIZED (SELECT ts, value FROM samples WHERE "
        "tag='b' AND time>='2026-01-01') SELECT a.time, a.value, b.value FROM samples a JOIN b "
        "USING (ts) WHERE a.tag='a'. Ctrl-C ends a query at once (exit "
        "code 130).\n\n"
        "To count much, ask summaries: SELECT sum(count) FROM buckets WHERE tag GLOB '*' AND "
        "step='1y' takes milliseconds where count(*) of samples counts one by one; min(ts) and "
        "max(ts) take none when each is asked for alone.\n\n"
        "In csv and tables bytes are hex and NULL is empty.\n\n"
        "The same tables for sqlite3 and Python: weir_sqlite.so, loaded into a connection to "
        "data.db. sqlite3 /var/lib/weir/data.db, then .load ./build/weir_sqlite; in Python "
        "connection.enable_load_extension(True) and "
        "connection.load_extension('./build/weir_sqlite').",
    .run = sql_run,
};
