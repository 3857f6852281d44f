/* SPDX-License-Identifier: MIT */
/* weir sink list: how each sink is doing. */

/*
 * The running weir knows best and is asked first. Without one the store tells how each sink was
 * when it was last written; states are then of the past, what waits is not.
 */

#include "cli/sink.h"

#include <jansson.h>
#include <sqlite3.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "cli/cell.h"
#include "cli/datadir.h"
#include "daemon/control_ask.h"
#include "runtime/clock.h"
#include "store/query/query.h"

/* name: of the column; of the daemon's key and of the column of `sinks`. */
static const struct field {
    const char *name;
    enum { TEXT, COUNT, NUMBER, TIME } type;
} fields[] = {
    {"name", TEXT},         {"type", TEXT},      {"state", TEXT},
    {"since", TIME},        {"backlog", COUNT},  {"oldest_unsent_s", NUMBER},
    {"quarantined", COUNT}, {"delivered", TIME}, {"rate", NUMBER},
    {"replayed_to", TIME},  {"error", TEXT},     {"remedy", TEXT},
};

enum { FIELDS = sizeof fields / sizeof *fields };

/* People read "3 min ago", programs microseconds. */
static weir_value time_value(weir_wall ts, weir_format format, weir_text *room)
{
    if (ts.us == 0)
        return weir_value_null();
    if (format != WEIR_FORMAT_TABLE)
        return weir_value_i64(ts.us);
    const int64_t age = (weir_system_wall().us - ts.us) / WEIR_S;
    weir_text_clear(room);
    weir_text_add_duration(room, (age > 0 ? age : 0) * WEIR_S);
    weir_text_add(room, " ago");
    return weir_value_string(weir_text_get(room), room->length);
}

static weir_output *list_open(const weir_invocation *in, weir_format *ret_format)
{
    const struct weir_sink_options *options = in->options;
    const char *columns[FIELDS];
    for (size_t i = 0; i < FIELDS; i++)
        columns[i] = i ? fields[i].name : "sink";
    *ret_format =
        options->format == WEIR_FORMAT_AUTO ? weir_format_of(stdout) : (weir_format)options->format;
    return weir_output_new(stdout, *ret_format, columns, FIELDS);
}

/* --- from the running weir ---------------------------------------------------------------- */

static weir_value json_field(const json_t *sink, const struct field *field, weir_format format,
                             weir_text *room)
{
    const json_t *v = json_object_get(sink, field->name);
    const char *text = json_string_value(v);
    if (!v || json_is_null(v))
        return field->type == TEXT ? weir_value_string("", 0) : weir_value_null();
    switch (field->type) {
    case TEXT:
        return weir_value_string(text ? text : "", text ? strlen(text) : 0);
    case COUNT:
        return weir_value_i64(json_integer_value(v));
    case NUMBER:
        return weir_value_f64(json_number_value(v));
    case TIME:
        return time_value((weir_wall){json_integer_value(v)}, format, room);
    }
    return weir_value_null();
}

static weir_err list_reply(const weir_invocation *in, const weir_text *reply, weir_error *error)
{
    json_t *answer = json_loadb(weir_text_get(reply), reply->length, 0, NULL);
    const json_t *sinks = json_object_get(json_object_get(answer, "result"), "sinks");
    weir_format format = WEIR_FORMAT_TABLE;
    weir_err err = WEIR_OK;
    WEIR_CLEANUP(weir_output_end) weir_output *output = NULL;
    if (!json_is_array(sinks))
        err = weir_fail(error, WEIR_EPROTO, "weir's answer cannot be read");
    else if (!(output = list_open(in, &format)))
        err = weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t k = 0; err == WEIR_OK && k < json_array_size(sinks); k++) {
        weir_value row[FIELDS];
        weir_text rooms[FIELDS] = {0};
        for (size_t i = 0; i < FIELDS; i++)
            row[i] = json_field(json_array_get(sinks, k), &fields[i], format, &rooms[i]);
        const bool more = weir_output_row(output, row);
        for (size_t i = 0; i < FIELDS; i++)
            weir_text_deinit(&rooms[i]);
        if (!more)
            break;
    }
    json_decref(answer);
    return err;
}

/* --- from the store ----------------------------------------------------------------------- */

static int column_of(sqlite3_stmt *statement, const char *name)
{
    for (int i = 0; i < sqlite3_column_count(statement); i++)
        if (!strcmp(sqlite3_column_name(statement, i), name))
            return i;
    return -1;
}

static weir_value sql_field(sqlite3_stmt *statement, const struct field *field, weir_format format,
                            weir_text *room)
{
    const int column = column_of(statement, field->name);
    if (column < 0 || sqlite3_column_type(statement, column) == SQLITE_NULL)
        return field->type == TEXT ? weir_value_string("", 0) : weir_value_null();
    if (field->type == TIME)
        return time_value((weir_wall){sqlite3_column_int64(statement, column)}, format, room);
    return weir_sql_cell(statement, column);
}

static weir_err list_rows(const weir_invocation *in, sqlite3 *db, weir_error *error)
{
    sqlite3_stmt *statement = NULL;
    weir_format format = WEIR_FORMAT_TABLE;
    int code = sqlite3_prepare_v2(db, "SELECT * FROM sinks", -1, &statement, NULL);
    WEIR_CLEANUP(weir_output_end) weir_output *output = list_open(in, &format);
    while (code == SQLITE_OK && output && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        weir_value row[FIELDS];
        weir_text rooms[FIELDS] = {0};
        for (size_t i = 0; i < FIELDS; i++)
            row[i] = sql_field(statement, &fields[i], format, &rooms[i]);
        code = weir_output_row(output, row) ? SQLITE_OK : SQLITE_DONE;
        for (size_t i = 0; i < FIELDS; i++)
            weir_text_deinit(&rooms[i]);
    }
    weir_err err = WEIR_OK;
    if (!output)
        err = weir_fail(error, WEIR_ENOMEM, "out of memory");
    else if (code != SQLITE_DONE)
        err = weir_fail(error, WEIR_EIO, "%s", sqlite3_errmsg(db));
    (void)sqlite3_finalize(statement);
    return err;
}

static weir_err list_store(const weir_invocation *in, const char *data_dir, weir_error *error)
{
    WEIR_CLEANUP(weir_query_close) weir_query *query = NULL;
    weir_err err = weir_query_open(data_dir, NULL, &query, error);
    if (err)
        return err;
    weir_command_note(in, "no weir is running with %s: this is how it was", data_dir);
    return list_rows(in, weir_query_db(query), error);
}

/* --- all ---------------------------------------------------------------------------------- */

int weir_sink_list(const weir_invocation *in)
{
    const struct weir_sink_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO reply = WEIR_TEXT_INIT;
    const char *data_dir = weir_kept_data_dir(in->arena, options->place.config,
                                              options->place.data_dir, "listed", &error);
    if (!data_dir)
        return weir_command_fail(in, &error);
    /* Where the socket cannot have a name, nobody listens. */
    weir_err err = WEIR_ECONNECT;
    if (weir_control_path(data_dir, 0, &path, &error) == WEIR_OK)
        err = weir_control_ask(weir_text_get(&path), "{\"method\":\"status\"}", &reply, &error);
    if (err == WEIR_OK)
        err = list_reply(in, &reply, &error);
    else if (err == WEIR_ECONNECT)
        err = list_store(in, data_dir, &error);
    return err ? weir_command_fail(in, &error) : WEIR_EXIT_OK;
}
