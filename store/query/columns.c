/* SPDX-License-Identifier: MIT */
/* A sample as SQL shows it: one function a column. */

#include "store/query/query_priv.h"

#include <math.h>

/* Integers beyond it have no double of their own. */
#define DOUBLE_EXACT (1ll << 53)

static void double_result(sqlite3_context *context, double v)
{
    if (isnan(v))
        sqlite3_result_null(context);
    else if (isinf(v))
        sqlite3_result_text(context, v > 0 ? "Infinity" : "-Infinity", -1, SQLITE_STATIC);
    else
        sqlite3_result_double(context, v);
}

static void formatted_result(sqlite3_context *context, const weir_value *v)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_value_format(v, &text);
    if (text.failed)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_text(context, weir_text_get(&text), -1, SQLITE_TRANSIENT);
}

static void decimal_result(sqlite3_context *context, const weir_value *v)
{
    double number = 0;
    if (v->as.i > DOUBLE_EXACT || v->as.i < -DOUBLE_EXACT || !weir_value_number(v, &number))
        formatted_result(context, v);
    else
        double_result(context, number);
}

void weir_value_result(sqlite3_context *context, const weir_value *v)
{
    switch ((weir_kind)v->kind) {
    case WEIR_KIND_NULL:
        sqlite3_result_null(context);
        break;
    case WEIR_KIND_BOOL:
    case WEIR_KIND_I64:
        sqlite3_result_int64(context, v->as.i);
        break;
    case WEIR_KIND_U64:
        if (v->as.u > INT64_MAX)
            formatted_result(context, v);
        else
            sqlite3_result_int64(context, v->as.i);
        break;
    case WEIR_KIND_F32:
        double_result(context, (double)v->as.f32);
        break;
    case WEIR_KIND_F64:
        double_result(context, v->as.f64);
        break;
    case WEIR_KIND_DECIMAL:
        decimal_result(context, v);
        break;
    case WEIR_KIND_STRING:
        sqlite3_result_text(context, v->as.text, (int)v->length, SQLITE_TRANSIENT);
        break;
    case WEIR_KIND_BYTES:
        sqlite3_result_blob(context, v->as.bytes, (int)v->length, SQLITE_TRANSIENT);
        break;
    }
}

/* What the sample shows as: a NaN that nobody marked is marked here. */
static weir_quality quality_shown(const weir_sample *s)
{
    bool nan = (s->value.kind == WEIR_KIND_F32 && isnan(s->value.as.f32)) ||
               (s->value.kind == WEIR_KIND_F64 && isnan(s->value.as.f64));
    return nan && weir_quality_class(s->quality) == WEIR_GOOD
               ? weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_NOT_A_NUMBER, 0)
               : s->quality;
}

static void bits_result(sqlite3_context *context, const weir_value *v)
{
    uint8_t payload[16];
    if (v->kind == WEIR_KIND_NULL) {
        sqlite3_result_null(context);
    } else if (v->kind >= WEIR_KIND_STRING) {
        sqlite3_result_blob(context, v->as.bytes, (int)v->length, SQLITE_TRANSIENT);
    } else {
        size_t n = weir_value_payload(v, payload, sizeof payload);
        sqlite3_result_blob(context, payload, (int)n, SQLITE_TRANSIENT);
    }
}

void weir_time_result(sqlite3_context *context, weir_wall ts)
{
    char text[28];
    weir_wall_format(ts, text);
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

/* "default,night", by the order of their bits; one whose name was lost is "#5". */
static void plans_result(sqlite3_context *context, const weir_names *names, uint64_t plans)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    for (unsigned bit = 0; plans; bit++, plans >>= 1) {
        if (!(plans & 1))
            continue;
        const char *name = weir_names_of_plan(names, bit);
        if (text.length)
            weir_text_add_char(&text, ',');
        if (name)
            weir_text_add(&text, name);
        else
            weir_text_format(&text, "#%u", bit);
    }
    if (text.failed)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_text(context, weir_text_get(&text), (int)text.length, SQLITE_TRANSIENT);
}

void weir_column_result(sqlite3_context *context, const weir_names *names, const weir_item *item,
                        int column)
{
    const weir_sample *s = &item->sample;
    switch (column) {
    case COLUMN_TAG:
        sqlite3_result_text(context, weir_names_of(names, s->tag), -1, SQLITE_TRANSIENT);
        break;
    case COLUMN_TS:
        sqlite3_result_int64(context, s->ts.us);
        break;
    case COLUMN_TIME:
        weir_time_result(context, s->ts);
        break;
    case COLUMN_VALUE:
        weir_value_result(context, &s->value);
        break;
    case COLUMN_QUALITY:
        sqlite3_result_text(context, weir_class_text(weir_quality_class(quality_shown(s))), -1,
                            SQLITE_STATIC);
        break;
    case COLUMN_CAUSE:
        sqlite3_result_text(context, weir_cause_word(weir_quality_cause(quality_shown(s))), -1,
                            SQLITE_STATIC);
        break;
    case COLUMN_READ_TS:
        sqlite3_result_int64(context, item->received.us);
        break;
    case COLUMN_KIND:
        sqlite3_result_text(context, weir_kind_text(s->value.kind), -1, SQLITE_STATIC);
        break;
    case COLUMN_BITS:
        bits_result(context, &s->value);
        break;
    case COLUMN_EPOCH:
        sqlite3_result_int64(context, item->epoch);
        break;
    case COLUMN_SEQ:
        sqlite3_result_int64(context, (int64_t)item->seq);
        break;
    case COLUMN_PLAN:
        plans_result(context, names, item->plans);
        break;
    default: /* COLUMN_PLANS: a set, one bit each */
        sqlite3_result_int64(context, (int64_t)item->plans);
        break;
    }
}

/* --- functions ---------------------------------------------------------------------------- */

void weir_time_function(sqlite3_context *context, int n, sqlite3_value **arguments)
{
    (void)n;
    weir_time_result(context, (weir_wall){sqlite3_value_int64(arguments[0])});
}

void weir_quality_function(sqlite3_context *context, int n, sqlite3_value **arguments)
{
    (void)n;
    const weir_quality quality = (weir_quality)sqlite3_value_int64(arguments[0]);
    sqlite3_result_text(context, weir_class_text(weir_quality_class(quality)), -1, SQLITE_STATIC);
}

/* What cannot be, as in a damaged row, is NULL. */
void weir_value_function(sqlite3_context *context, int n, sqlite3_value **arguments)
{
    (void)n;
    const int64_t kind = sqlite3_value_int64(arguments[0]);
    weir_value v = {.exponent = (int8_t)sqlite3_value_int64(arguments[1]),
                    .as.bits = (uint64_t)sqlite3_value_int64(arguments[2])};
    v.kind = kind >= 0 && kind < WEIR_KIND_COUNT ? (uint8_t)kind : (uint8_t)WEIR_KIND_NULL;
    if (v.kind >= WEIR_KIND_STRING) {
        const void *bytes = sqlite3_value_blob(arguments[3]);
        v.as.text = bytes ? bytes : "";
        v.length = bytes ? (uint32_t)sqlite3_value_bytes(arguments[3]) : 0;
    }
    weir_value_result(context, &v);
}
