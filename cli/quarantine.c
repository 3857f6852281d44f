/* SPDX-License-Identifier: MIT */
/* weir sink quarantine: rows that the other side will never take. */

#include "cli/sink.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cell.h"
#include "cli/datadir.h"
#include "cli/export_file.h"
#include "store/query/query.h"

enum { LIST_MAX = 1000 }; /* there may be a million: nobody reads more than the newest */

/* --- looking ------------------------------------------------------------------------------ */

struct look {
    const weir_invocation *in;
    const char *sink, *pattern;
    FILE *file;
    weir_format format;
    bool whole; /* all rows, oldest first; else the newest */
};

#define OF_SQL    " FROM rejected WHERE sink=?1 AND tag GLOB ?2"
#define LIST_SQL  "SELECT *" OF_SQL " ORDER BY seq DESC LIMIT ?3"
#define ALL_SQL   "SELECT *" OF_SQL " ORDER BY seq"
#define COUNT_SQL "SELECT count(*)" OF_SQL

/* To SQLite's GLOB a bracket begins a set of characters; in our patterns it is itself. */
static void add_glob(weir_text *t, const char *pattern)
{
    for (; *pattern; pattern++)
        if (*pattern == '[')
            weir_text_add(t, "[[]");
        else
            weir_text_add_char(t, *pattern);
}

static weir_err look_fail(sqlite3 *db, weir_error *error)
{
    const bool damaged = sqlite3_errcode(db) == SQLITE_CORRUPT;
    return weir_fail(error, damaged ? WEIR_EDAMAGED : WEIR_EIO, "%s", sqlite3_errmsg(db));
}

static weir_err look_prepare(const struct look *look, sqlite3 *db, const char *sql,
                             sqlite3_stmt **ret, weir_error *error)
{
    if (sqlite3_prepare_v2(db, sql, -1, ret, NULL) != SQLITE_OK)
        return look_fail(db, error);
    (void)sqlite3_bind_text(*ret, 1, look->sink, -1, SQLITE_STATIC);
    WEIR_TEXT_AUTO glob = WEIR_TEXT_INIT;
    add_glob(&glob, look->pattern);
    (void)sqlite3_bind_text(*ret, 2, weir_text_get(&glob), -1, SQLITE_TRANSIENT);
    return WEIR_OK;
}

static weir_err look_rows(const struct look *look, sqlite3_stmt *statement, weir_error *error)
{
    const size_t n = (size_t)sqlite3_column_count(statement);
    const char **names = weir_arena_alloc(look->in->arena, n, sizeof *names);
    weir_value *row = weir_arena_alloc(look->in->arena, n, sizeof *row);
    if (!names || !row)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        names[i] = sqlite3_column_name(statement, (int)i);
    WEIR_CLEANUP(weir_output_end)
    weir_output *output = weir_output_new(look->file, look->format, names, n);
    if (!output)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        for (size_t i = 0; i < n; i++)
            row[i] = weir_sql_cell(statement, (int)i);
        if (!weir_output_row(output, row))
            return WEIR_OK; /* the end of the program says if it matters */
    }
    return code == SQLITE_DONE ? WEIR_OK : look_fail(sqlite3_db_handle(statement), error);
}

/* Says how many there are when not all are shown. */
static weir_err look_count(const struct look *look, sqlite3 *db, weir_error *error)
{
    sqlite3_stmt *statement = NULL;
    weir_err err = look_prepare(look, db, COUNT_SQL, &statement, error);
    if (err == WEIR_OK && sqlite3_step(statement) == SQLITE_ROW) {
        const int64_t n = sqlite3_column_int64(statement, 0);
        if (n == 0)
            weir_command_note(look->in, "nothing is set aside for '%s'", look->sink);
        else if (n > LIST_MAX)
            weir_command_note(
                look->in,
                "%lld rows are set aside, the newest %d are shown: `weir sink quarantine "
                "export %s` writes all",
                (long long)n, LIST_MAX, look->sink);
    }
    (void)sqlite3_finalize(statement);
    return err;
}

static weir_err look_do(const struct look *look, const char *data_dir, weir_error *error)
{
    WEIR_CLEANUP(weir_query_close) weir_query *query = NULL;
    sqlite3_stmt *statement = NULL;
    weir_err err = weir_query_open(data_dir, NULL, &query, error);
    if (err)
        return err;
    sqlite3 *db = weir_query_db(query);
    err = look_prepare(look, db, look->whole ? ALL_SQL : LIST_SQL, &statement, error);
    if (err == WEIR_OK && !look->whole)
        (void)sqlite3_bind_int64(statement, 3, LIST_MAX);
    if (err == WEIR_OK)
        err = look_rows(look, statement, error);
    (void)sqlite3_finalize(statement);
    return err == WEIR_OK && !look->whole ? look_count(look, db, error) : err;
}

static struct look look_of(const weir_invocation *in)
{
    const struct weir_sink_options *options = in->options;
    return (struct look){.in = in,
                         .sink = in->args[2],
                         .pattern = options->tag,
                         .file = stdout,
                         .format = (weir_format)options->format};
}

static const char *look_data_dir(const weir_invocation *in, weir_error *error)
{
    const struct weir_sink_options *options = in->options;
    return weir_kept_data_dir(in->arena, options->place.config, options->place.data_dir, "listed",
                              error);
}

static int quarantine_list(const weir_invocation *in)
{
    weir_error error = WEIR_ERROR_INIT;
    struct look look = look_of(in);
    const char *data_dir = look_data_dir(in, &error);
    if (!data_dir || look_do(&look, data_dir, &error))
        return weir_command_fail(in, &error);
    return WEIR_EXIT_OK;
}

/* A terminal's table would lose digits: a file is CSV unless told otherwise. */
static int quarantine_export(const weir_invocation *in)
{
    const struct weir_sink_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    weir_export_file file;
    struct look look = look_of(in);
    const char *data_dir = look_data_dir(in, &error);
    if (!data_dir || weir_export_file_open(&file, options->output, in->arena, &error))
        return weir_command_fail(in, &error);
    look.whole = true;
    look.file = file.stream;
    look.format = look.format == WEIR_FORMAT_AUTO ? WEIR_FORMAT_CSV : look.format;
    weir_err err = look_do(&look, data_dir, &error);
    err = weir_export_file_close(&file, err, &error);
    return err ? weir_command_fail(in, &error) : WEIR_EXIT_OK;
}

/* --- deciding ----------------------------------------------------------------------------- */

static int decide(const weir_invocation *in, weir_edit_kind kind, const char *done)
{
    const struct weir_sink_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    uint64_t n = 0;
    const weir_edit edit = {.kind = kind, .subject = in->args[2], .tags = options->tag};
    if (weir_edit_make(in, &options->place, &edit, &n, &error))
        return weir_command_fail(in, &error);
    weir_command_note(in, "%s: %llu row%s %s", edit.subject, (unsigned long long)n,
                      n == 1 ? "" : "s", done);
    return WEIR_EXIT_OK;
}

static int quarantine_retry(const weir_invocation *in)
{
    return decide(in, WEIR_EDIT_SINK_RETRY, "will be sent once more");
}

static int quarantine_drop(const weir_invocation *in)
{
    const struct weir_sink_options *options = in->options;
    char answer[8] = "";
    if (!options->yes && !isatty(STDIN_FILENO))
        return weir_command_usage(in, "drop asks before it acts: give --yes where nobody answers");
    if (!options->yes) {
        (void)fprintf(stderr,
                      "The rows of '%s' set aside for '%s' will be forgotten; history keeps its "
                      "samples. Go on? [y/N] ",
                      options->tag, in->args[2]);
        if (!fgets(answer, sizeof answer, stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
            return WEIR_EXIT_FAILURE;
    }
    return decide(in, WEIR_EDIT_SINK_DROP, "forgotten");
}

int weir_sink_quarantine(const weir_invocation *in)
{
    static const struct {
        const char *name;
        int (*run)(const weir_invocation *in);
    } actions[] = {{"list", quarantine_list},
                   {"retry", quarantine_retry},
                   {"export", quarantine_export},
                   {"drop", quarantine_drop}};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (!strcmp(actions[i].name, in->args[1]))
            return actions[i].run(in);
    return weir_command_usage(in, "'%s' is none of list, retry, export, drop", in->args[1]);
}
