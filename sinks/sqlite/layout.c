/* SPDX-License-Identifier: MIT */
/* What the tables look like and how a sample becomes a row of them. */

#include "sinks/sqlite/layout.h"

#include <math.h>
#include <string.h>

/* Integers beyond it have no double of their own. */
#define DOUBLE_EXACT (1ll << 53)

/* --- values, as SQL shows them ------------------------------------------------------------ */

static bool is_nan(const weir_value *v)
{
    return (v->kind == WEIR_KIND_F32 && isnan(v->as.f32)) ||
           (v->kind == WEIR_KIND_F64 && isnan(v->as.f64));
}

/* A NaN is a null there: its quality must say why. */
static weir_quality quality_of(const weir_sample *s)
{
    return is_nan(&s->value) && weir_quality_class(s->quality) == WEIR_GOOD
               ? weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_NOT_A_NUMBER, 0)
               : s->quality;
}

static void note(weir_sqlite_binding *b, int code)
{
    if (b->code == SQLITE_OK)
        b->code = code;
}

static void bind_null(weir_sqlite_binding *b, int at)
{
    note(b, sqlite3_bind_null(b->statement, at));
}

void weir_sqlite_bind_int(weir_sqlite_binding *b, int at, int64_t i)
{
    note(b, sqlite3_bind_int64(b->statement, at, i));
}

void weir_sqlite_bind_bytes(weir_sqlite_binding *b, int at, const void *bytes, size_t n)
{
    note(b, sqlite3_bind_blob(b->statement, at, n ? bytes : "", (int)n, SQLITE_TRANSIENT));
}

void weir_sqlite_bind_text(weir_sqlite_binding *b, int at, const char *text)
{
    note(b, sqlite3_bind_text(b->statement, at, text, -1, SQLITE_STATIC));
}

static void bind_double(weir_sqlite_binding *b, int at, double v)
{
    if (isnan(v))
        bind_null(b, at);
    else if (isinf(v))
        weir_sqlite_bind_text(b, at, v > 0 ? "Infinity" : "-Infinity");
    else
        note(b, sqlite3_bind_double(b->statement, at, v));
}

static void bind_formatted(weir_sqlite_binding *b, int at, const weir_value *v)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_value_format(v, &text);
    note(b, text.failed ? SQLITE_NOMEM
                        : sqlite3_bind_text(b->statement, at, weir_text_get(&text),
                                            (int)text.length, SQLITE_TRANSIENT));
}

static void bind_decimal(weir_sqlite_binding *b, int at, const weir_value *v)
{
    double number = 0;
    if (v->as.i > DOUBLE_EXACT || v->as.i < -DOUBLE_EXACT || !weir_value_number(v, &number))
        bind_formatted(b, at, v);
    else
        bind_double(b, at, number);
}

/* Strings and bytes of length 0 may have no address, which SQLite takes for a null. */
static void bind_value(weir_sqlite_binding *b, int at, const weir_value *v)
{
    switch ((weir_kind)v->kind) {
    case WEIR_KIND_NULL:
        bind_null(b, at);
        break;
    case WEIR_KIND_BOOL:
        weir_sqlite_bind_int(b, at, v->as.b);
        break;
    case WEIR_KIND_I64:
        weir_sqlite_bind_int(b, at, v->as.i);
        break;
    case WEIR_KIND_U64:
        if (v->as.u > INT64_MAX)
            bind_formatted(b, at, v);
        else
            weir_sqlite_bind_int(b, at, v->as.i);
        break;
    case WEIR_KIND_F32:
        bind_double(b, at, (double)v->as.f32);
        break;
    case WEIR_KIND_F64:
        bind_double(b, at, v->as.f64);
        break;
    case WEIR_KIND_DECIMAL:
        bind_decimal(b, at, v);
        break;
    case WEIR_KIND_STRING:
        note(b, sqlite3_bind_text(b->statement, at, v->length ? v->as.text : "", (int)v->length,
                                  SQLITE_STATIC));
        break;
    case WEIR_KIND_BYTES:
        weir_sqlite_bind_bytes(b, at, v->as.bytes, v->length);
        break;
    }
}

/* --- layout weir -------------------------------------------------------------------------- */

static const char *const tags_columns[] = {"id",   "store",   "uid",    "name",        "unit",
                                           "type", "address", "labels", "description", NULL};
const char *const weir_sqlite_cursor_columns[] = {"store", "sink", "seq", NULL};

static const char tags_schema[] =
    "CREATE TABLE IF NOT EXISTS weir_tags (\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    store TEXT NOT NULL,       -- uuid of the weir that the tag is of\n"
    "    uid INTEGER NOT NULL,      -- its number there; it stays when the tag is renamed\n"
    "    name TEXT NOT NULL,\n"
    "    unit TEXT NOT NULL,\n"
    "    type TEXT NOT NULL,\n"
    "    address TEXT NOT NULL,\n"
    "    labels TEXT NOT NULL,      -- JSON\n"
    "    description TEXT NOT NULL,\n"
    "    UNIQUE (store, uid)\n"
    ");\n";

static const char cursor_schema[] =
    "CREATE TABLE IF NOT EXISTS weir_sinks (\n"
    "    store TEXT NOT NULL,\n"
    "    sink TEXT NOT NULL,\n"
    "    seq INTEGER NOT NULL,      -- all samples up to here were delivered\n"
    "    PRIMARY KEY (store, sink)\n"
    ");\n";

const char weir_sqlite_upsert_tag[] =
    "INSERT INTO weir_tags (store, uid, name, unit, type, address, labels, description) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (store, uid) DO UPDATE SET "
    "name = excluded.name, unit = excluded.unit, type = excluded.type, "
    "address = excluded.address, labels = excluded.labels, description = excluded.description";
const char weir_sqlite_find_tag[] = "SELECT id FROM weir_tags WHERE store = ?1 AND uid = ?2";
const char weir_sqlite_upsert_cursor[] =
    "INSERT INTO weir_sinks (store, sink, seq) VALUES (?1, ?2, ?3) "
    "ON CONFLICT (store, sink) DO UPDATE SET seq = max(seq, excluded.seq)";
const char weir_sqlite_find_cursor[] = "SELECT seq FROM weir_sinks WHERE store = ?1 AND sink = ?2";

static const char *const samples_columns[] = {"tag_id", "ts",      "epoch", "seq", "value",
                                              "kind",   "quality", "cause", NULL};

/* value has no type: SQLite then keeps each as it is bound. */
static void weir_schema(const char *table, const weir_sqlite_found *found, weir_text *t)
{
    (void)found;
    weir_text_add(t, tags_schema);
    weir_text_format(t,
                     "CREATE TABLE IF NOT EXISTS \"%s\" (\n"
                     "    tag_id INTEGER NOT NULL,   -- weir_tags.id\n"
                     "    ts INTEGER NOT NULL,       -- microseconds since 1970 UTC\n"
                     "    epoch INTEGER NOT NULL,    -- grows when the clock was set back\n"
                     "    seq INTEGER NOT NULL,      -- of one key the highest counts\n"
                     "    value,                     -- NULL: bad, or not a number\n"
                     "    kind TEXT NOT NULL,        -- f64, decimal, string ...\n"
                     "    quality TEXT NOT NULL,     -- good, uncertain, bad\n"
                     "    cause TEXT NOT NULL,       -- none, timeout, exception ...\n"
                     "    PRIMARY KEY (tag_id, ts, epoch)\n"
                     ") WITHOUT ROWID;\n",
                     table);
}

static void weir_insert(const char *table, weir_text *t)
{
    weir_text_format(t,
                     "INSERT INTO \"%s\" (tag_id, ts, epoch, seq, value, kind, quality, cause) "
                     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
                     "ON CONFLICT (tag_id, ts, epoch) DO UPDATE SET seq = excluded.seq, "
                     "value = excluded.value, kind = excluded.kind, quality = excluded.quality, "
                     "cause = excluded.cause WHERE excluded.seq > \"%s\".seq",
                     table, table);
}

static bool weir_bind(weir_sqlite_binding *b, const weir_sink_row *row, int64_t tag_id)
{
    const weir_quality quality = quality_of(&row->sample);
    weir_sqlite_bind_int(b, 1, tag_id);
    weir_sqlite_bind_int(b, 2, row->sample.ts.us);
    weir_sqlite_bind_int(b, 3, row->epoch);
    weir_sqlite_bind_int(b, 4, (int64_t)row->seq);
    bind_value(b, 5, &row->sample.value);
    weir_sqlite_bind_text(b, 6, weir_kind_text(row->sample.value.kind));
    weir_sqlite_bind_text(b, 7, weir_class_text(weir_quality_class(quality)));
    weir_sqlite_bind_text(b, 8, weir_cause_word(weir_quality_cause(quality)));
    return true;
}

static const weir_sqlite_table weir_tables[] = {
    {"weir_tags", tags_columns},
    {NULL, samples_columns},
    {"weir_sinks", weir_sqlite_cursor_columns},
    {NULL, NULL},
};

/* --- layout current ----------------------------------------------------------------------- */

/* RTDS's flat table: a row a tag, the value in the column of its kind. */
static const char *const current_columns[] = {"tag_id",    "tag_time",    "status",    "bool_value",
                                              "int_value", "float_value", "var_value", NULL};

static void current_schema(const char *table, const weir_sqlite_found *found, weir_text *t)
{
    (void)found;
    weir_text_format(t,
                     "CREATE TABLE IF NOT EXISTS \"%s\" (\n"
                     "    tag_id VARCHAR(200) NOT NULL PRIMARY KEY,\n"
                     "    tag_time DATETIME,         -- UTC\n"
                     "    status INTEGER,            -- 0 good, -1 uncertain or bad\n"
                     "    bool_value BOOLEAN,\n"
                     "    int_value INTEGER,\n"
                     "    float_value FLOAT,\n"
                     "    var_value VARCHAR(500)\n"
                     ");\n",
                     table);
}

static void current_insert(const char *table, weir_text *t)
{
    weir_text_format(t,
                     "INSERT INTO \"%s\" (tag_id, tag_time, status, bool_value, int_value, "
                     "float_value, var_value) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
                     "ON CONFLICT (tag_id) DO UPDATE SET tag_time = excluded.tag_time, "
                     "status = excluded.status, bool_value = excluded.bool_value, "
                     "int_value = excluded.int_value, float_value = excluded.float_value, "
                     "var_value = excluded.var_value WHERE \"%s\".tag_time IS NULL OR "
                     "excluded.tag_time >= \"%s\".tag_time",
                     table, table, table);
}

/* In the column of its kind: 4 bool, 5 integers, 6 numbers, 7 the rest, and what has no number. */
static int current_column(const weir_value *v)
{
    double number = 0;
    switch ((weir_kind)v->kind) {
    case WEIR_KIND_BOOL:
        return 4;
    case WEIR_KIND_I64:
        return 5;
    case WEIR_KIND_U64:
        return v->as.u > INT64_MAX ? 7 : 5;
    case WEIR_KIND_F32:
    case WEIR_KIND_F64:
    case WEIR_KIND_DECIMAL:
        return weir_value_number(v, &number) && isinf(number) ? 7 : 6;
    case WEIR_KIND_NULL:
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        break;
    }
    return 7;
}

static bool current_bind(weir_sqlite_binding *b, const weir_sink_row *row, int64_t tag_id)
{
    char time[28];
    const weir_quality quality = quality_of(&row->sample);
    (void)tag_id;
    /* "2026-11-21 13:00:00.000000", as SQLAlchemy writes and reads it. */
    weir_wall_format(row->sample.ts, time);
    time[10] = ' ';
    weir_sqlite_bind_text(b, 1, row->tag->name);
    note(b, sqlite3_bind_text(b->statement, 2, time, 26, SQLITE_TRANSIENT));
    weir_sqlite_bind_int(b, 3, weir_quality_class(quality) == WEIR_GOOD ? 0 : -1);
    for (int i = 4; i <= 7; i++)
        bind_null(b, i);
    bind_value(b, current_column(&row->sample.value), &row->sample.value);
    return true;
}

static const weir_sqlite_table current_tables[] = {
    {NULL, current_columns},
    {"weir_sinks", weir_sqlite_cursor_columns},
    {NULL, NULL},
};

/* --- all of them -------------------------------------------------------------------------- */

static const weir_sqlite_layout weir_layout = {.table = "weir_samples",
                                               .tables = weir_tables,
                                               .schema = weir_schema,
                                               .insert = weir_insert,
                                               .bind = weir_bind,
                                               .has_tags = true};
static const weir_sqlite_layout current_layout = {.table = "current",
                                                  .tables = current_tables,
                                                  .schema = current_schema,
                                                  .insert = current_insert,
                                                  .bind = current_bind};

const weir_sqlite_layout *weir_sqlite_layout_of(const weir_sqlite_options *options)
{
    static const weir_sqlite_layout *const layouts[] = {
        [WEIR_SQLITE_WEIR] = &weir_layout,
        [WEIR_SQLITE_RESULTS_RAW] = &weir_sqlite_results_raw,
        [WEIR_SQLITE_CURRENT] = &current_layout,
    };
    return layouts[options->layout];
}

const char *weir_sqlite_table_name(const weir_sqlite_options *options)
{
    return options->table && *options->table ? options->table
                                             : weir_sqlite_layout_of(options)->table;
}

void weir_sqlite_schema(const weir_sqlite_options *options, const weir_sqlite_found *found,
                        weir_text *t)
{
    weir_sqlite_layout_of(options)->schema(weir_sqlite_table_name(options), found, t);
    weir_text_add(t, cursor_schema);
}
