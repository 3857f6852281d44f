/* SPDX-License-Identifier: MIT */
/* The layout results_raw: the table of results of ModbusDataLogger. */

/*
 * With the original's index and, beside its table RequestedData, with its foreign key. The original
 * never switched foreign keys on, nor does weir: a row is looked for in RequestedData before one of
 * ResultsRaw is written. What is in the table stays as it is: the original, too, kept the first of
 * two results with one key.
 */

#include <string.h>

#include "base/number.h"
#include "model/place.h"
#include "sinks/sqlite/layout.h"

static const char *const raw_columns[] = {"paramID", "timestamp", "rawresult", NULL};

/* 1: and it is the key, which alone a foreign key can name. */
static const char raw_find_parents[] =
    "SELECT pk = 1 AND 1 = (SELECT max(pk) FROM pragma_table_info('RequestedData')) "
    "FROM pragma_table_info('RequestedData') WHERE lower(name) = 'paramid'";
static const char raw_find_parent[] = "SELECT 1 FROM RequestedData WHERE paramID = ?1";

static void raw_schema(const char *table, const weir_sqlite_found *found, weir_text *t)
{
    static const char foreign_key[] =
        "    FOREIGN KEY (paramID) REFERENCES RequestedData (paramID)\n"
        "        ON DELETE CASCADE ON UPDATE CASCADE,\n";
    weir_text_format(t,
                     "CREATE TABLE IF NOT EXISTS \"%s\" (\n"
                     "    paramID INTEGER NOT NULL,\n"
                     "    timestamp INTEGER NOT NULL CHECK (timestamp >= 0),\n"
                     "    rawresult BLOB,\n"
                     "%s"
                     "    UNIQUE (paramID, timestamp)\n"
                     ");\n",
                     table, found->parent_key ? foreign_key : "");
    /* What others made is left as it is; and names of indexes are the whole file's. */
    if (!found->table && strcmp(table, weir_sqlite_results_raw.table) == 0)
        weir_text_format(t,
                         "CREATE UNIQUE INDEX IF NOT EXISTS ResultIdx ON \"%s\" (paramID ASC, "
                         "timestamp ASC);\n",
                         table);
}

static void raw_insert(const char *table, weir_text *t)
{
    weir_text_format(t,
                     "INSERT INTO \"%s\" (paramID, timestamp, rawresult) VALUES (?1, ?2, ?3) "
                     "ON CONFLICT (paramID, timestamp) DO NOTHING",
                     table);
}

/* What the label paramID says. False: the tag has none. */
static bool raw_label(const weir_sink_tag *tag, int64_t *ret)
{
    for (size_t i = 0; i < tag->n_labels; i++)
        if (strcmp(tag->labels[i].key, "paramID") == 0)
            return weir_parse_i64(tag->labels[i].value, ret);
    return false;
}

static bool raw_bind_parent(weir_sqlite_binding *b, const weir_sink_row *row)
{
    int64_t parameter;
    if (!raw_label(row->tag, &parameter))
        return false;
    weir_sqlite_bind_int(b, 1, parameter);
    return true;
}

/* Bytes of the registers that a number was read from; 0: its type is none of integers. */
static size_t raw_width(const char *type)
{
    static const struct {
        const char *type;
        size_t width;
    } widths[] = {
        {"bool", 2},  {"int8", 2},   {"uint8", 2}, {"int16", 2},  {"uint16", 2},
        {"int32", 4}, {"uint32", 4}, {"int64", 8}, {"uint64", 8},
    };
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        if (strcmp(widths[i].type, type) == 0)
            return widths[i].width;
    return 0;
}

/* Integers (of a scaled one the digits) in the width of their registers, high byte first as on the
 * wire; a coil is a word of 0 or 1. Everything else as the column `bits` shows it. */
static size_t raw_number(const weir_sink_row *row, uint8_t ret[16])
{
    const weir_value *v = &row->sample.value;
    const bool whole = v->kind == WEIR_KIND_BOOL || v->kind == WEIR_KIND_I64 ||
                       v->kind == WEIR_KIND_U64 || v->kind == WEIR_KIND_DECIMAL;
    const size_t width = v->kind == WEIR_KIND_BOOL ? 2 : raw_width(row->tag->type);
    if (!whole || width == 0)
        return weir_value_payload(v, ret, 16);
    for (size_t i = 0; i < width; i++)
        ret[i] = (uint8_t)(v->as.bits >> 8 * (width - 1 - i));
    return width;
}

/* Whether the bytes are the bits of coils or discrete inputs, and how many. */
static bool raw_is_bits(const weir_sink_row *row, uint32_t *ret_n)
{
    weir_place place;
    if (row->sample.value.kind != WEIR_KIND_BYTES || !weir_place_parse(row->tag->address, &place) ||
        !weir_register_is_bits(place.table) || row->sample.value.length != (place.n + 7) / 8)
        return false;
    *ret_n = place.n;
    return true;
}

/* Each bit as a word, as the original packs what its library gives it. */
static void raw_words(const uint8_t *bits, uint32_t n, uint8_t *ret)
{
    for (uint32_t i = 0; i < n; i++) {
        ret[2 * i] = 0;
        ret[2 * i + 1] = bits[i / 8] >> i % 8 & 1;
    }
}

static void raw_bind_result(weir_sqlite_binding *b, const weir_sink_row *row)
{
    enum { BITS_MAX = 2000 }; /* of a request; Modbus Application Protocol 1.1b3, 6.1 */
    uint8_t bytes[2 * BITS_MAX];
    const weir_value *v = &row->sample.value;
    uint32_t n_bits;
    if (raw_is_bits(row, &n_bits) && n_bits <= BITS_MAX) {
        raw_words(v->as.bytes, n_bits, bytes);
        weir_sqlite_bind_bytes(b, 3, bytes, 2 * (size_t)n_bits);
    } else if (v->kind >= WEIR_KIND_STRING) {
        weir_sqlite_bind_bytes(b, 3, v->as.bytes, v->length);
    } else {
        weir_sqlite_bind_bytes(b, 3, bytes, raw_number(row, bytes));
    }
}

/* The original has no row for a reading that failed, and its times are the nominal ones: the read
 * at the start, and what was asked for by hand, have none. */
static bool raw_bind(weir_sqlite_binding *b, const weir_sink_row *row, int64_t tag_id)
{
    int64_t parameter = row->tag->uid;
    (void)tag_id;
    if (row->sample.value.kind == WEIR_KIND_NULL || row->flags & WEIR_BATCH_FIRST_READ)
        return false;
    (void)raw_label(row->tag, &parameter);
    weir_sqlite_bind_int(b, 1, parameter);
    weir_sqlite_bind_int(b, 2, weir_floor_divide(row->sample.ts.us, WEIR_S));
    raw_bind_result(b, row);
    return true;
}

static const weir_sqlite_table raw_tables[] = {
    {NULL, raw_columns},
    {"weir_sinks", weir_sqlite_cursor_columns},
    {NULL, NULL},
};

const weir_sqlite_layout weir_sqlite_results_raw = {.table = "ResultsRaw",
                                                    .tables = raw_tables,
                                                    .schema = raw_schema,
                                                    .insert = raw_insert,
                                                    .bind = raw_bind,
                                                    .find_parents = raw_find_parents,
                                                    .find_parent = raw_find_parent,
                                                    .bind_parent = raw_bind_parent};
