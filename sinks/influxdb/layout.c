/* SPDX-License-Identifier: MIT */
/* Rows as lines of the line protocol, in the layouts that the sink influxdb knows. */

/*
 * A line is the series (measurement and tags), the fields and the time. The series of a tag never
 * changes in the life of a weir_sink_tag, so it is made once; epoch, a tag of few samples, has its
 * place marked in it.
 */

#include "sinks/influxdb/layout.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/line.h"
#include "sinks/text/template.h"

enum {
    SERIES_MAX = 65535,   /* MaxKeyLength of every server with a TSM engine; without the field */
    SERIES_RESERVE = 300, /* of this for the tag epoch, and the field that 2.x puts into it */
};

typedef struct series {
    size_t n, epoch_at; /* the tag epoch goes there */
    int64_t last_us;    /* time of the last sample, and whether there was one */
    bool has_last;
    char text[];
} series;

struct weir_influxdb_lines {
    const weir_influxdb_options *options;
    const char *hostname;
    weir_template *measurement;
    int64_t unit_ns;
    series **series; /* [n_series]: by number of the tag */
    size_t n_series;
    weir_text text;
    size_t *offsets, *rows, n, room_offsets, room_rows;
    bool has_collided;
};

weir_influxdb_lines *weir_influxdb_lines_new(const weir_influxdb_options *options,
                                             const char *hostname)
{
    static const char *const measurements[] = {"weir", "modbus", "{point}"};
    weir_error error = WEIR_ERROR_INIT;
    weir_influxdb_lines *l = weir_alloc_zero(1, sizeof *l);
    if (!l)
        return NULL;
    l->options = options;
    l->hostname = hostname;
    l->unit_ns = weir_influxdb_units[options->precision].ns;
    const char *name = options->measurement ? options->measurement : measurements[options->layout];
    if (weir_template_parse(name, &l->measurement, &error) == WEIR_OK)
        return l;
    weir_influxdb_lines_free(l);
    return NULL;
}

void weir_influxdb_lines_free(weir_influxdb_lines *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n_series; i++)
        weir_free(l->series[i]);
    weir_free(l->series);
    weir_free(l->offsets);
    weir_free(l->rows);
    weir_text_deinit(&l->text);
    weir_template_free(l->measurement);
    weir_free(l);
}

void weir_influxdb_lines_clear(weir_influxdb_lines *l)
{
    weir_text_clear(&l->text);
    l->n = 0;
}

weir_influxdb_text weir_influxdb_lines_text(const weir_influxdb_lines *l)
{
    return (weir_influxdb_text){
        .text = weir_text_get(&l->text), .n_lines = l->n, .offsets = l->offsets, .rows = l->rows};
}

bool weir_influxdb_lines_collided(const weir_influxdb_lines *l)
{
    return l->has_collided;
}

/* --- the series --------------------------------------------------------------------------- */

enum { OWN_TAGS_MAX = 4 };

/* A tag of the layout itself. Its key is nobody else's. */
typedef struct own_tag {
    const char *key, *value;
} own_tag;

/* "type" as Telegraf's modbus plugin writes it, from "holding 52". */
static const char *telegraf_type(const char *address)
{
    static const struct {
        const char *table, *type;
    } types[] = {{"holding", "holding_register"},
                 {"input", "input_register"},
                 {"coil", "coil"},
                 {"discrete", "discrete_input"}};
    const size_t n = strcspn(address, " ");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (n == strlen(types[i].table) && strncmp(address, types[i].table, n) == 0)
            return types[i].type;
    return "";
}

static const char *label_of(const weir_sink_tag *tag, const char *key, const char *otherwise)
{
    for (size_t i = 0; i < tag->n_labels; i++)
        if (strcmp(tag->labels[i].key, key) == 0)
            return tag->labels[i].value;
    return otherwise;
}

static size_t own_tags(const weir_influxdb_lines *l, const weir_sink_tag *tag,
                       own_tag ret[OWN_TAGS_MAX])
{
    switch ((weir_influxdb_layout)l->options->layout) {
    case WEIR_INFLUXDB_WEIR:
        ret[0] = (own_tag){"device", tag->device};
        ret[1] = (own_tag){"tag", tag->name};
        ret[2] = (own_tag){"unit", tag->unit};
        return 3;
    case WEIR_INFLUXDB_TELEGRAF:
        ret[0] = (own_tag){"host", l->hostname};
        ret[1] = (own_tag){"name", tag->device};
        ret[2] = (own_tag){"slave_id", label_of(tag, "slave_id", "")};
        ret[3] = (own_tag){"type", telegraf_type(tag->address)};
        return 4;
    case WEIR_INFLUXDB_ENERGY_MONITORING:
        ret[0] = (own_tag){"dataunit", *tag->unit ? tag->unit : "None"};
        /* The meter's: its point may have one of its own. */
        ret[1] = (own_tag){"description", label_of(tag, "description", tag->description)};
        ret[2] = (own_tag){"id", label_of(tag, "id", tag->device)};
        return 3;
    }
    return 0;
}

static bool is_own(const own_tag *own, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(own[i].key, key) == 0)
            return true;
    return strcmp(key, "epoch") == 0;
}

/* A label that the layout shows under its own key is not written twice; one whose key means
 * something to the layout or the server (2.x keeps what begins with _) gets "label_" before it. */
static void label_add(weir_influxdb_lines *l, const own_tag *own, size_t n_own,
                      const weir_label *label, weir_text *t)
{
    char key[128];
    const bool is_taken = is_own(own, n_own, label->key);
    const bool is_shown = is_taken && l->options->layout != WEIR_INFLUXDB_WEIR &&
                          (strcmp(label->key, "id") == 0 || strcmp(label->key, "slave_id") == 0);
    if (is_shown || !*label->key)
        return;
    const bool is_renamed = is_taken || strcmp(label->key, "time") == 0 || *label->key == '_';
    (void)snprintf(key, sizeof key, "label_%.100s", label->key);
    weir_line_add_tag(t, is_renamed ? key : label->key, label->value);
}

/* In front of a line # makes it a comment, and nothing escapes that. */
static void measurement_add(const weir_influxdb_lines *l, const weir_sink_tag *tag, weir_text *t)
{
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    weir_template_add(l->measurement, tag, &name);
    if (name.length > 0 && *name.text == '#')
        *name.text = '_';
    if (name.failed)
        t->failed = true;
    weir_line_add_name(t, name.length ? name.text : "weir");
}

static series *series_make(weir_influxdb_lines *l, const weir_sink_tag *tag)
{
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    own_tag own[OWN_TAGS_MAX];
    const size_t n_own = own_tags(l, tag, own);
    size_t epoch_at = 0;
    measurement_add(l, tag, &t);
    for (size_t i = 0; i < n_own; i++) {
        if (strcmp(own[i].key, "epoch") < 0) /* sorted, servers are faster */
            weir_line_add_tag(&t, own[i].key, own[i].value);
        else if (epoch_at == 0)
            epoch_at = t.length;
        if (strcmp(own[i].key, "epoch") > 0)
            weir_line_add_tag(&t, own[i].key, own[i].value);
    }
    for (size_t i = 0; l->options->label_tags && i < tag->n_labels; i++)
        label_add(l, own, n_own, &tag->labels[i], &t);
    weir_text_add_char(&t, ' ');
    series *s = t.failed ? NULL : weir_alloc(sizeof *s + t.length);
    if (!s)
        return NULL;
    *s = (series){.n = t.length, .epoch_at = epoch_at ? epoch_at : t.length - 1};
    memcpy(s->text, t.text, t.length);
    return s;
}

static series *series_of(weir_influxdb_lines *l, const weir_sink_tag *tag)
{
    if (tag->number >= l->n_series) {
        const size_t n = (size_t)tag->number + tag->number / 2 + 16;
        series **more = weir_realloc_array(l->series, n, sizeof *more);
        if (!more)
            return NULL;
        memset(more + l->n_series, 0, (n - l->n_series) * sizeof *more);
        l->series = more;
        l->n_series = n;
    }
    if (!l->series[tag->number])
        l->series[tag->number] = series_make(l, tag);
    return l->series[tag->number];
}

static void series_add(weir_influxdb_lines *l, const series *s, uint32_t epoch)
{
    if (epoch == 0) {
        weir_text_add_n(&l->text, s->text, s->n);
        return;
    }
    weir_text_add_n(&l->text, s->text, s->epoch_at);
    weir_text_format(&l->text, ",epoch=%" PRIu32, epoch);
    weir_text_add_n(&l->text, s->text + s->epoch_at, s->n - s->epoch_at);
}

/* --- the fields --------------------------------------------------------------------------- */

static bool is_finite(const weir_value *v)
{
    return (v->kind != WEIR_KIND_F32 || isfinite(v->as.f32)) &&
           (v->kind != WEIR_KIND_F64 || isfinite(v->as.f64));
}

static bool is_number(const weir_value *v)
{
    return v->kind == WEIR_KIND_I64 || v->kind == WEIR_KIND_U64 || v->kind == WEIR_KIND_F32 ||
           v->kind == WEIR_KIND_F64 || v->kind == WEIR_KIND_DECIMAL;
}

/* As the plugin: integers stay integers (u64 at most 2^63-1, as Telegraf's influxdb output caps
 * it), bits are 0 and 1 (its UINT16), texts are texts. */
static void telegraf_value_add(weir_text *t, const weir_value *v)
{
    if (v->kind == WEIR_KIND_BOOL)
        weir_text_add(t, v->as.b ? "1i" : "0i");
    else if (v->kind == WEIR_KIND_U64 && v->as.u > INT64_MAX)
        weir_text_format(t, "%" PRId64 "i", INT64_MAX);
    else if (v->kind == WEIR_KIND_STRING)
        weir_line_add_string(t, v->as.text, v->length);
    else {
        weir_value_format(v, t);
        if (v->kind == WEIR_KIND_I64 || v->kind == WEIR_KIND_U64)
            weir_text_add_char(t, 'i');
    }
}

static bool telegraf_fields_add(weir_text *t, const weir_sink_row *row)
{
    const weir_value *v = &row->sample.value;
    if (!is_finite(v) ||
        !(is_number(v) || v->kind == WEIR_KIND_BOOL || v->kind == WEIR_KIND_STRING))
        return false;
    weir_line_add_key(t, row->tag->point);
    weir_text_add_char(t, '=');
    telegraf_value_add(t, v);
    return true;
}

/* One float: an integer without its i is one. */
static bool energy_fields_add(weir_text *t, const weir_sink_row *row)
{
    const weir_value *v = &row->sample.value;
    if (v->kind == WEIR_KIND_BOOL) {
        weir_text_add(t, v->as.b ? "value=1" : "value=0");
        return true;
    }
    if (!is_number(v) || !is_finite(v))
        return false;
    weir_text_add(t, "value=");
    weir_value_format(v, t);
    return true;
}

/* False: the layout has no fields for it. */
static bool fields_add(weir_influxdb_lines *l, const weir_sink_row *row)
{
    const bool is_bad = weir_quality_class(row->sample.quality) == WEIR_BAD;
    switch ((weir_influxdb_layout)l->options->layout) {
    case WEIR_INFLUXDB_WEIR:
        weir_line_add_fields(&l->text, &row->sample);
        return true;
    case WEIR_INFLUXDB_TELEGRAF:
        return !is_bad && telegraf_fields_add(&l->text, row);
    case WEIR_INFLUXDB_ENERGY_MONITORING:
        return !is_bad && energy_fields_add(&l->text, row);
    }
    return false;
}

/* --- a line ------------------------------------------------------------------------------- */

static void collision_note(weir_influxdb_lines *l, series *s, const weir_sink_row *row)
{
    const int64_t unit_us = l->unit_ns / 1000, us = row->sample.ts.us;
    if (unit_us > 1 && s->has_last && us != s->last_us && row->epoch == 0 &&
        weir_floor_divide(us, unit_us) == weir_floor_divide(s->last_us, unit_us))
        l->has_collided = true;
    s->last_us = us;
    s->has_last = true;
}

static bool line_note(weir_influxdb_lines *l, size_t start, size_t index)
{
    size_t *offsets = weir_array_room(l->offsets, l->n + 1, &l->room_offsets, sizeof *offsets);
    if (!offsets)
        return false;
    l->offsets = offsets;
    size_t *rows = weir_array_room(l->rows, l->n, &l->room_rows, sizeof *rows);
    if (!rows)
        return false;
    l->rows = rows;
    l->offsets[l->n] = start;
    l->offsets[l->n + 1] = l->text.length;
    l->rows[l->n++] = index;
    return true;
}

weir_influxdb_added weir_influxdb_lines_add(weir_influxdb_lines *l, const weir_sink_row *row,
                                            size_t index)
{
    const size_t start = l->text.length;
    series *s = series_of(l, row->tag);
    if (!s)
        return WEIR_INFLUXDB_NO_MEMORY;
    if (s->n > SERIES_MAX - SERIES_RESERVE)
        return WEIR_INFLUXDB_TOO_LONG;
    series_add(l, s, row->epoch);
    if (!fields_add(l, row)) {
        l->text.length = start;
        return WEIR_INFLUXDB_LEFT_OUT;
    }
    weir_line_add_time(&l->text, row->sample.ts, l->unit_ns);
    weir_text_add_char(&l->text, '\n');
    collision_note(l, s, row);
    return l->text.failed || !line_note(l, start, index) ? WEIR_INFLUXDB_NO_MEMORY
                                                         : WEIR_INFLUXDB_ADDED;
}
