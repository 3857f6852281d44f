/* SPDX-License-Identifier: MIT */
/* Samples as lines of the line protocol that InfluxDB and VictoriaMetrics take. */

#include "model/line.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Measurement, tag keys and tag values: comma, blank and (in tags) = are escaped. A backslash at
 * the end would escape what follows the name. */
static void name_add(weir_text *t, const char *name, const char *escaped)
{
    for (const char *c = name; *c; c++) {
        if (*c == '\n' || *c == '\r') {
            weir_text_add(t, "\\ ");
            continue;
        }
        if (strchr(escaped, *c))
            weir_text_add_char(t, '\\');
        weir_text_add_char(t, *c);
        if (*c == '\\' && !c[1])
            weir_text_add_char(t, '\\');
    }
}

static void tag_add(weir_text *t, const char *key, const char *value)
{
    if (!*value)
        return; /* an empty tag value is a syntax error */
    weir_text_format(t, ",%s=", key);
    name_add(t, value, ", =");
}

static void string_add(weir_text *t, const char *text, size_t n)
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
    string_add(t, weir_text_get(&text), text.length);
}

static bool is_finite(const weir_value *v)
{
    return v->kind == WEIR_KIND_F32 ? isfinite(v->as.f32) : isfinite(v->as.f64);
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
        weir_text_format(t, "integer=%" PRIu64 "i", v->as.u);
        return true;
    case WEIR_KIND_I64:
        weir_text_format(t, "integer=%" PRId64 "i", v->as.i);
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
        string_add(t, v->as.text, v->length);
        return true;
    case WEIR_KIND_BYTES:
        weir_text_add(t, "text=");
        formatted_add(t, v);
        return true;
    }
    return false;
}

void weir_line_add(weir_text *t, const weir_line_tag *tag, const weir_sample *sample,
                   uint32_t epoch)
{
    weir_quality quality = sample->quality;
    name_add(t, tag->measurement, ", ");
    tag_add(t, "device", tag->device);
    if (epoch)
        weir_text_format(t, ",epoch=%" PRIu32, epoch);
    tag_add(t, "tag", tag->name);
    tag_add(t, "unit", tag->unit);
    weir_text_add_char(t, ' ');
    bool has_value = weir_quality_class(quality) != WEIR_BAD && value_add(t, &sample->value);
    if (!has_value && weir_quality_class(quality) == WEIR_GOOD)
        quality = weir_quality_of(WEIR_UNCERTAIN, WEIR_CAUSE_NOT_A_NUMBER, 0);
    if (weir_quality_class(quality) != WEIR_GOOD) {
        if (has_value)
            weir_text_add_char(t, ',');
        weir_text_format(t, "quality=\"%s\",cause=\"%s\"",
                         weir_class_text(weir_quality_class(quality)),
                         weir_cause_word(weir_quality_cause(quality)));
    }
    /* Nanoseconds pass the 64 bits in the year 2262; a time beyond is written as the last one. */
    int64_t us = sample->ts.us;
    int64_t limit = INT64_MAX / 1000;
    us = us > limit ? limit : us < -limit ? -limit : us;
    weir_text_format(t, " %" PRId64 "\n", us * 1000);
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
