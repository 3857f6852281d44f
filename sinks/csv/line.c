/* SPDX-License-Identifier: MIT */
/* A sample as a line: columns, quotes, numbers. RFC 4180. */

#include "sinks/csv/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"

#define FIELD_LIST(X)                   \
    X(FIELD_TIME, "time")               \
    X(FIELD_TS, "ts")                   \
    X(FIELD_TAG, "tag")                 \
    X(FIELD_DEVICE, "device")           \
    X(FIELD_POINT, "point")             \
    X(FIELD_VALUE, "value")             \
    X(FIELD_UNIT, "unit")               \
    X(FIELD_KIND, "kind")               \
    X(FIELD_QUALITY, "quality")         \
    X(FIELD_CAUSE, "cause")             \
    X(FIELD_DETAIL, "detail")           \
    X(FIELD_ID, "id")                   \
    X(FIELD_TYPE, "type")               \
    X(FIELD_ADDRESS, "address")         \
    X(FIELD_DESCRIPTION, "description") \
    X(FIELD_LABELS, "labels")           \
    X(FIELD_EPOCH, "epoch")             \
    X(FIELD_SEQ, "seq")                 \
    X(FIELD_RECEIVED, "received")       \
    X(FIELD_RECEIVED_TS, "received_ts") \
    X(FIELD_REPLAYED, "replayed")       \
    X(FIELD_LABEL, "label:")

enum field {
#define X(name, word) name,
    FIELD_LIST(X)
#undef X
};

static const char *const words[] = {
#define X(name, word) word,
    FIELD_LIST(X)
#undef X
};

enum { FIELD_COUNT = sizeof words / sizeof *words };

static const char *const columns_default[] = {"time", "tag", "value", "unit", "quality", "cause"};

/* --- the options -------------------------------------------------------------------------- */

static weir_err column_parse(const char *word, weir_csv_column *ret, weir_error *error)
{
    const size_t prefix = strlen(words[FIELD_LABEL]);
    if (strncmp(word, words[FIELD_LABEL], prefix) == 0 && word[prefix]) {
        *ret = (weir_csv_column){FIELD_LABEL, word + prefix};
        return WEIR_OK;
    }
    for (int i = 0; i < FIELD_LABEL; i++)
        if (strcmp(words[i], word) == 0) {
            *ret = (weir_csv_column){.field = i};
            return WEIR_OK;
        }
    WEIR_TEXT_AUTO all = WEIR_TEXT_INIT;
    for (int i = 0; i < FIELD_LABEL; i++)
        weir_text_format(&all, "%s, ", words[i]);
    const char *near = weir_text_nearest(word, words, FIELD_LABEL);
    return weir_fail(error, WEIR_EINVAL,
                     "columns: there is no column \"%.60s\"%s%s%s; there are %slabel:KEY", word,
                     near ? ", did you mean " : "", near ? near : "", near ? "?" : "",
                     weir_text_get(&all));
}

static weir_err delimiter_parse(const char *text, char *ret, weir_error *error)
{
    const char c = strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0 ? '\t' : text[0];
    const bool single = c == '\t' || strlen(text) == 1;
    /* Anything that numbers, times or quotes are made of would make lines nobody can read. */
    if (!single || !strchr(",;|\t!#$&/~^@ ", c) || c == '\0')
        return weir_fail(error, WEIR_EINVAL,
                         "delimiter must be one of , ; | or the word tab, not \"%.20s\"", text);
    *ret = c;
    return WEIR_OK;
}

weir_err weir_csv_format_init(weir_csv_format *format, const weir_csv_options *options,
                              const weir_zone *zone, weir_error *error)
{
    const bool given = options->columns.n > 0;
    const size_t n = given ? options->columns.n : sizeof columns_default / sizeof *columns_default;
    *format = (weir_csv_format){
        .line_end = options->line_end == WEIR_CSV_CRLF ? "\r\n" : "\n",
        .zone = zone,
        .span = {.from_us = 1}, /* holds nothing yet */
    };
    weir_err err = delimiter_parse(options->delimiter, &format->delimiter, error);
    if (err)
        return err;
    format->columns = weir_alloc_zero(n, sizeof *format->columns);
    if (!format->columns)
        return weir_fail(error, WEIR_ENOMEM, "columns: out of memory");
    for (; format->n_columns < n && !err; format->n_columns++)
        err = column_parse(given ? options->columns.items[format->n_columns]
                                 : columns_default[format->n_columns],
                           &format->columns[format->n_columns], error);
    return err;
}

void weir_csv_format_deinit(weir_csv_format *format)
{
    weir_free(format->columns);
    *format = (weir_csv_format){0};
}

/* --- fields ------------------------------------------------------------------------------- */

/* Quotes where RFC 4180, 2.6 asks for them, and at blanks that some readers would trim. */
static bool needs_quotes(char delimiter, const char *text, size_t n)
{
    if (n > 0 && (text[0] == ' ' || text[n - 1] == ' '))
        return true;
    for (size_t i = 0; i < n; i++)
        if (text[i] == delimiter || text[i] == '"' || text[i] == '\n' || text[i] == '\r')
            return true;
    return false;
}

static void add_text_n(char delimiter, const char *text, size_t n, weir_text *t)
{
    if (!needs_quotes(delimiter, text, n)) {
        weir_text_add_n(t, text, n);
        return;
    }
    weir_text_add_char(t, '"');
    for (const char *quote; (quote = memchr(text, '"', n));) {
        const size_t part = (size_t)(quote - text) + 1;
        weir_text_add_n(t, text, part);
        weir_text_add_char(t, '"');
        text += part;
        n -= part;
    }
    weir_text_add_n(t, text, n);
    weir_text_add_char(t, '"');
}

static void add_text(char delimiter, const char *text, weir_text *t)
{
    add_text_n(delimiter, text, strlen(text), t);
}

/* UTC ends in Z; any other zone shows its clock and its distance to UTC (RFC 3339). */
static void time_format(weir_csv_format *format, weir_wall time)
{
    char text[28];
    /* Further away is no year of four digits anyhow. */
    time.us = time.us > WEIR_ZONE_LIMIT    ? WEIR_ZONE_LIMIT
              : time.us < -WEIR_ZONE_LIMIT ? -WEIR_ZONE_LIMIT
                                           : time.us;
    if (time.us < format->span.from_us || time.us >= format->span.until_us)
        format->span = weir_zone_span_at(format->zone, time);
    const int64_t offset_s = format->span.offset_us / WEIR_S, size = llabs(offset_s);
    const size_t room = sizeof format->time_text;
    weir_wall_format((weir_wall){time.us + format->span.offset_us}, text);
    if (format->zone == weir_zone_utc())
        (void)snprintf(format->time_text, room, "%s", text);
    else if (size % 60) /* local mean time, before there were zones */
        (void)snprintf(format->time_text, room, "%.26s%c%02d:%02d:%02d", text,
                       offset_s < 0 ? '-' : '+', (int)(size / 3600 % 100), (int)(size / 60 % 60),
                       (int)(size % 60));
    else
        (void)snprintf(format->time_text, room, "%.26s%c%02d:%02d", text, offset_s < 0 ? '-' : '+',
                       (int)(size / 3600 % 100), (int)(size / 60 % 60));
}

static void add_time(weir_csv_format *format, weir_wall time, weir_text *t)
{
    if (!format->time_text[0] || time.us != format->time.us) {
        time_format(format, time);
        format->time = time;
    }
    weir_text_add(t, format->time_text);
}

static void add_hex(const uint8_t *bytes, size_t n, weir_text *t)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        const char two[] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        weir_text_add_n(t, two, sizeof two);
    }
}

/* A null is an empty field; an empty text is "", which readers that know nulls tell apart. */
static void add_value(char delimiter, const weir_value *v, weir_text *t)
{
    if (v->kind == WEIR_KIND_STRING && v->length == 0)
        weir_text_add(t, "\"\"");
    else if (v->kind == WEIR_KIND_STRING)
        add_text_n(delimiter, v->as.text, v->length, t);
    else if (v->kind == WEIR_KIND_BYTES)
        add_hex(v->as.bytes, v->length, t);
    else
        weir_value_format(v, t);
}

static void add_label(char delimiter, const char *key, const weir_sink_tag *tag, weir_text *t)
{
    for (size_t i = 0; i < tag->n_labels; i++)
        if (strcmp(tag->labels[i].key, key) == 0)
            add_text(delimiter, tag->labels[i].value, t);
}

static void add_u64(uint64_t u, weir_text *t)
{
    char digits[24];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + u % 10);
    while (u /= 10);
    weir_text_add_n(t, digits + at, sizeof digits - at);
}

static void add_i64(int64_t i, weir_text *t)
{
    if (i < 0)
        weir_text_add_char(t, '-');
    add_u64(i < 0 ? 0 - (uint64_t)i : (uint64_t)i, t);
}

static void add_field(weir_csv_format *format, const weir_csv_column *column,
                      const weir_sink_row *row, weir_text *t)
{
    const weir_sink_tag *tag = row->tag;
    const char d = format->delimiter;
    switch ((enum field)column->field) {
    case FIELD_TIME:
        add_time(format, row->sample.ts, t);
        break;
    case FIELD_TS:
        add_i64(row->sample.ts.us, t);
        break;
    case FIELD_TAG:
        add_text(d, tag->name, t);
        break;
    case FIELD_DEVICE:
        add_text(d, tag->device, t);
        break;
    case FIELD_POINT:
        add_text(d, tag->point, t);
        break;
    case FIELD_VALUE:
        add_value(d, &row->sample.value, t);
        break;
    case FIELD_UNIT:
        add_text(d, tag->unit, t);
        break;
    case FIELD_KIND:
        weir_text_add(t, weir_kind_text(row->sample.value.kind));
        break;
    case FIELD_QUALITY:
        weir_text_add(t, weir_class_text(weir_quality_class(row->sample.quality)));
        break;
    case FIELD_CAUSE:
        weir_text_add(t, weir_cause_word(weir_quality_cause(row->sample.quality)));
        break;
    case FIELD_DETAIL:
        add_u64(weir_quality_detail(row->sample.quality), t);
        break;
    case FIELD_ID:
        add_u64(tag->uid, t);
        break;
    case FIELD_TYPE:
        add_text(d, tag->type, t);
        break;
    case FIELD_ADDRESS:
        add_text(d, tag->address, t);
        break;
    case FIELD_DESCRIPTION:
        add_text(d, tag->description, t);
        break;
    case FIELD_LABELS:
        add_text(d, tag->labels_json, t);
        break;
    case FIELD_EPOCH:
        add_u64(row->epoch, t);
        break;
    case FIELD_SEQ:
        add_u64(row->seq, t);
        break;
    case FIELD_RECEIVED:
        add_time(format, row->received, t);
        break;
    case FIELD_RECEIVED_TS:
        add_i64(row->received.us, t);
        break;
    case FIELD_REPLAYED:
        weir_text_add(t, row->replayed ? "true" : "false");
        break;
    case FIELD_LABEL:
        add_label(d, column->key, tag, t);
        break;
    }
}

/* --- lines -------------------------------------------------------------------------------- */

void weir_csv_add_header(const weir_csv_format *format, weir_text *t)
{
    for (size_t i = 0; i < format->n_columns; i++) {
        const weir_csv_column *c = &format->columns[i];
        WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
        weir_text_format(&name, "%s%s", words[c->field], c->key ? c->key : "");
        if (i > 0)
            weir_text_add_char(t, format->delimiter);
        add_text(format->delimiter, weir_text_get(&name), t);
    }
    weir_text_add(t, format->line_end);
}

void weir_csv_add_row(weir_csv_format *format, const weir_sink_row *row, weir_text *t)
{
    for (size_t i = 0; i < format->n_columns; i++) {
        if (i > 0)
            weir_text_add_char(t, format->delimiter);
        add_field(format, &format->columns[i], row, t);
    }
    weir_text_add(t, format->line_end);
}
