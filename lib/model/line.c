/* SPDX-License-Identifier: MIT */
/* Samples as lines of the line protocol that InfluxDB and VictoriaMetrics take. */

#include "model/line.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

/*
 * Measurement, tag keys and tag values: comma, blank and (in tags) = are escaped. A backslash in
 * front of one of these or at the end would escape what follows, and doubling it helps with some
 * servers only (InfluxDB 1.6 says "invalid tag format"): an underscore parts them.
 */
static void name_add(weir_text *t, const char *name, const char *escaped)
{
    for (const char *c = name; *c; c++) {
        if (is_break(*c)) {
            weir_text_add(t, "\\ ");
            continue;
        }
        if (strchr(escaped, *c))
            weir_text_add_char(t, '\\');
        weir_text_add_char(t, *c);
        if (*c == '\\' && (is_break(c[1]) || strchr(escaped, c[1]))) /* strchr finds the NUL */
            weir_text_add_char(t, '_');
    }
}

void weir_line_add_name(weir_text *t, const char *measurement)
{
    name_add(t, measurement, ", ");
}

void weir_line_add_key(weir_text *t, const char *key)
{
    name_add(t, key, ", =");
}

void weir_line_add_tag(weir_text *t, const char *key, const char *value)
{
    if (!*value)
        return; /* an empty tag value is a syntax error */
    weir_text_add_char(t, ',');
    weir_line_add_key(t, key);
    weir_text_add_char(t, '=');
    name_add(t, value, ", =");
}

void weir_line_add_string(weir_text *t, const char *text, size_t n)
{
    weir_text_add_char(t, '"');
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"' || text[i] == '\\')
            weir_text_add_char(t, '\\');
        weir_text_add_char(t, text[i]);
    }
    weir_text_add_char(t, '"');
}

static void formatted_add(weir_text *t, const weir_value *v)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_value_format(v, &text);
    if (text.failed)
        t->failed = true;
    weir_line_add_string(t, weir_text_get(&text), text.length);
}

static bool is_finite(const weir_value *v)
{
    return v->kind == WEIR_KIND_F32 ? isfinite(v->as.f32) : isfinite(v->as.f64);
}

/* printf takes twice as long for a line, which has up to two of them. */
static void integer_add(weir_text *t, bool is_negative, uint64_t u)
{
    char b[24], *p = b + sizeof b;
    do
        *--p = (char)('0' + u % 10);
    while ((u /= 10) != 0);
    if (is_negative)
        *--p = '-';
    weir_text_add_n(t, p, (size_t)(b + sizeof b - p));
}

static void integer_field_add(weir_text *t, bool is_negative, uint64_t u)
{
    weir_text_add(t, "integer=");
    integer_add(t, is_negative, u);
    weir_text_add_char(t, 'i');
}

/* False: the value has no field. */
static bool value_add(weir_text *t, const weir_value *v)
{
    switch ((weir_kind)v->kind) {
    case WEIR_KIND_NULL:
        return false;
    case WEIR_KIND_BOOL:
        weir_text_add(t, v->as.b ? "boolean=true" : "boolean=false");
        return true;
    case WEIR_KIND_U64:
        if (v->as.u > INT64_MAX) {
            weir_text_add(t, "text=");
            formatted_add(t, v);
            return true;
        }
        integer_field_add(t, false, v->as.u);
        return true;
    case WEIR_KIND_I64:
        integer_field_add(t, v->as.i < 0, v->as.i < 0 ? 0 - (uint64_t)v->as.i : (uint64_t)v->as.i);
        return true;
    case WEIR_KIND_F32:
    case WEIR_KIND_F64:
        if (!is_finite(v))
            return false;
        weir_text_add(t, "value=");
        weir_value_format(v, t);
        return true;
    case WEIR_KIND_DECIMAL:
        weir_text_add(t, "value=");
        weir_value_format(v, t);
        return true;
    case WEIR_KIND_STRING:
        weir_text_add(t, "text=");
        weir_line_add_string(t, v->as.text, v->length);
        return true;
    case WEIR_KIND_BYTES:
        weir_text_add(t, "text=");
        formatted_add(t, v);
        return true;
    }
    return false;
}

void weir_line_add_fields(weir_text *t, const weir_sample *sample)
{
    weir_quality quality = sample->quality;
    const bool has_value = weir_quality_class(quality) != WEIR_BAD && value_add(t, &sample->value);
    if (!has_value && weir_quality_class(quality) == WEIR_GOOD)
        quality = weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_NOT_A_NUMBER, 0);
    if (weir_quality_class(quality) != WEIR_GOOD) {
        if (has_value)
            weir_text_add_char(t, ',');
        weir_text_format(t, "quality=\"%s\",cause=\"%s\"",
                         weir_class_text(weir_quality_class(quality)),
                         weir_cause_word(weir_quality_cause(quality)));
    }
}

void weir_line_add_time(weir_text *t, weir_wall ts, int64_t unit_ns)
{
    /* Nanoseconds pass the 64 bits in the year 2262; a time beyond is written as the last one. */
    const int64_t limit = INT64_MAX / 1000;
    const int64_t us = ts.us > limit ? limit : ts.us < -limit ? -limit : ts.us;
    const int64_t n = weir_floor_divide(us * 1000, unit_ns);
    weir_text_add_char(t, ' ');
    integer_add(t, n < 0, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void weir_line_add(weir_text *t, const weir_line_tag *tag, const weir_sample *sample,
                   uint32_t epoch)
{
    char number[12];
    weir_line_add_name(t, tag->measurement);
    weir_line_add_tag(t, "device", tag->device);
    (void)snprintf(number, sizeof number, "%" PRIu32, epoch);
    weir_line_add_tag(t, "epoch", epoch ? number : "");
    weir_line_add_tag(t, "tag", tag->name);
    weir_line_add_tag(t, "unit", tag->unit);
    weir_text_add_char(t, ' ');
    weir_line_add_fields(t, sample);
    weir_line_add_time(t, sample->ts, 1);
    weir_text_add_char(t, '\n');
}

void weir_line_add_json(weir_text *t, const weir_line_tag *tag, const weir_sample *sample,
                        uint32_t epoch)
{
    const weir_cause cause = weir_quality_cause(sample->quality);
    char time[28];
    weir_wall_format(sample->ts, time);
    weir_text_format(t, "{\"time\":\"%s\",\"tag\":", time);
    weir_text_add_json(t, tag->name, strlen(tag->name));
    weir_text_add(t, ",\"value\":");
    weir_value_format_json(&sample->value, t);
    if (*tag->unit) {
        weir_text_add(t, ",\"unit\":");
        weir_text_add_json(t, tag->unit, strlen(tag->unit));
    }
    weir_text_format(t, ",\"quality\":\"%s\"",
                     weir_class_text(weir_quality_class(sample->quality)));
    if (cause != WEIR_CAUSE_NONE)
        weir_text_format(t, ",\"cause\":\"%s\"", weir_cause_word(cause));
    if (epoch)
        weir_text_format(t, ",\"epoch\":%u", epoch);
    weir_text_add(t, "}\n");
}
