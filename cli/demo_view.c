/* SPDX-License-Identifier: MIT */
/* What the demo shows: a live table with sparklines, or a line for each change. */

#include "cli/demo_view.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "cli/output.h"

enum {
    SPARK_WIDTH = 24, /* values in a sparkline */
    TAG_WIDTH = 22,
    VALUE_WIDTH = 12,
    UNIT_WIDTH = 5,
    QUALITY_WIDTH = 20,
};

struct row {
    weir_wall shown; /* ts of the sample shown last */
    weir_value last; /* lines: the value printed last; contents not compared */
    weir_quality quality;
    double history[SPARK_WIDTH];
    size_t n_history;
};

struct weir_demo_view {
    const weir_catalog *catalog;
    FILE *file;
    bool terminal;
    size_t lines; /* drawn last time: to go back up */
    struct row *rows;
};

weir_demo_view *weir_demo_view_new(const weir_catalog *catalog, FILE *file, bool terminal)
{
    weir_demo_view *view = weir_alloc_zero(1, sizeof *view);
    struct row *rows = weir_alloc_zero(catalog->n_tags, sizeof *rows);
    if (!view || !rows) {
        weir_free(view);
        weir_free(rows);
        return NULL;
    }
    *view = (weir_demo_view){catalog, file, terminal, 0, rows};
    if (!terminal)
        (void)fprintf(file, "time,tag,value,unit,quality\n");
    return view;
}

void weir_demo_view_free(weir_demo_view *view)
{
    if (!view)
        return;
    weir_free(view->rows);
    weir_free(view);
}

static void row_remember(struct row *row, const weir_value *value)
{
    double number;
    if (!weir_value_number(value, &number))
        return;
    if (row->n_history == SPARK_WIDTH) {
        memmove(row->history, row->history + 1, (SPARK_WIDTH - 1) * sizeof *row->history);
        row->n_history--;
    }
    row->history[row->n_history++] = number;
}

static void add_sparkline(weir_text *t, const struct row *row)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double low = 0, high = 0;
    for (size_t i = 0; i < row->n_history; i++) {
        low = i == 0 || row->history[i] < low ? row->history[i] : low;
        high = i == 0 || row->history[i] > high ? row->history[i] : high;
    }
    for (size_t i = 0; i < row->n_history; i++) {
        const double share = high > low ? (row->history[i] - low) / (high - low) : 0;
        weir_text_add(t, bars[(size_t)(share * 7.99)]);
    }
}

/* Columns a text takes: one for each character, wide ones aside. */
static size_t text_columns(const weir_text *t)
{
    size_t columns = 0;
    for (size_t i = 0; i < t->length; i++)
        columns += ((unsigned char)t->text[i] & 0xc0) != 0x80;
    return columns;
}

static void add_padded(weir_text *line, const weir_text *field, size_t width, bool right)
{
    const size_t columns = text_columns(field);
    for (size_t i = columns; right && i < width; i++)
        weir_text_add_char(line, ' ');
    weir_text_add(line, weir_text_get(field));
    for (size_t i = columns; !right && i < width; i++)
        weir_text_add_char(line, ' ');
    weir_text_add_char(line, ' ');
}

/* Every line ends by clearing what an earlier, longer one left. */
static void line_end(weir_demo_view *view, weir_text *screen)
{
    weir_text_add(screen, "\x1b[K\n");
    view->lines++;
}

static void draw_row(weir_demo_view *view, const weir_snapshot *snapshot, size_t i,
                     weir_text *screen)
{
    const weir_catalog *catalog = view->catalog;
    const weir_current *current = &snapshot->current[i];
    const weir_value value = weir_snapshot_value(snapshot, i);
    const bool bad = weir_quality_class(current->sample.quality) != WEIR_GOOD;
    weir_text field = WEIR_TEXT_INIT;
    weir_tag_name(catalog, &catalog->tags[i], &field);
    add_padded(screen, &field, TAG_WIDTH, false);
    weir_text_clear(&field);
    if (current->sample.tag)
        weir_value_format(&value, &field);
    add_padded(screen, &field, VALUE_WIDTH, true);
    weir_text_clear(&field);
    weir_text_add(&field, weir_tag_point(catalog, &catalog->tags[i])->unit);
    add_padded(screen, &field, UNIT_WIDTH, false);
    weir_text_clear(&field);
    if (current->sample.tag)
        weir_quality_format(current->sample.quality, &field);
    weir_text_add(screen, bad ? "\x1b[31m" : "");
    add_padded(screen, &field, QUALITY_WIDTH, false);
    weir_text_add(screen, bad ? "\x1b[0m" : "");
    weir_text_clear(&field);
    if (current->sample.tag)
        weir_text_format(&field, "%.1f s",
                         (double)(snapshot->taken.us - current->sample.ts.us) / (double)WEIR_S);
    add_padded(screen, &field, 7, true);
    weir_text_add(screen, " \x1b[36m");
    add_sparkline(screen, &view->rows[i]);
    weir_text_add(screen, "\x1b[0m");
    weir_text_deinit(&field);
    line_end(view, screen);
}

static bool show_table(weir_demo_view *view, const weir_snapshot *snapshot,
                       const weir_worker_view *store)
{
    WEIR_TEXT_AUTO screen = WEIR_TEXT_INIT;
    if (view->lines)
        weir_text_format(&screen, "\x1b[%zuA\r", view->lines);
    view->lines = 0;
    weir_text_format(&screen, "\x1b[1m%-*s %*s %-*s %-*s %7s  %s\x1b[0m", TAG_WIDTH, "tag",
                     VALUE_WIDTH, "value", UNIT_WIDTH, "unit", QUALITY_WIDTH, "quality", "age",
                     "last values");
    line_end(view, &screen);
    for (size_t i = 0; i < snapshot->n_tags; i++)
        draw_row(view, snapshot, i, &screen);
    weir_text_format(
        &screen, "\x1b[2m%llu samples and events committed; %llu overruns; Ctrl-C ends\x1b[0m",
        (unsigned long long)store->position.committed_seq, (unsigned long long)snapshot->overruns);
    line_end(view, &screen);
    (void)fwrite(weir_text_get(&screen), 1, screen.length, view->file);
    return fflush(view->file) == 0;
}

static void add_csv(weir_text *line, const weir_text *field)
{
    const bool quote = strpbrk(weir_text_get(field), ",\"\n\r") != NULL;
    if (quote)
        weir_text_add_char(line, '"');
    for (size_t i = 0; i < field->length; i++) {
        if (field->text[i] == '"')
            weir_text_add_char(line, '"');
        weir_text_add_char(line, field->text[i]);
    }
    if (quote)
        weir_text_add_char(line, '"');
}

static bool show_change(weir_demo_view *view, const weir_snapshot *snapshot, size_t i)
{
    const weir_catalog *catalog = view->catalog;
    const weir_value value = weir_snapshot_value(snapshot, i);
    WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO field = WEIR_TEXT_INIT;
    char time[28];
    weir_wall_format(snapshot->current[i].sample.ts, time);
    weir_text_format(&line, "%s,", time);
    weir_tag_name(catalog, &catalog->tags[i], &field);
    add_csv(&line, &field);
    weir_text_add_char(&line, ',');
    weir_text_clear(&field);
    weir_value_format(&value, &field);
    add_csv(&line, &field);
    weir_text_format(&line, ",%s,%s\n", weir_tag_point(catalog, &catalog->tags[i])->unit,
                     weir_class_text(weir_quality_class(snapshot->current[i].sample.quality)));
    return fwrite(weir_text_get(&line), 1, line.length, view->file) == line.length;
}

bool weir_demo_view_show(weir_demo_view *view, const weir_snapshot *snapshot,
                         const weir_worker_view *store)
{
    bool ok = true;
    for (size_t i = 0; i < snapshot->n_tags && ok; i++) {
        struct row *row = &view->rows[i];
        const weir_sample *sample = &snapshot->current[i].sample;
        if (!sample->tag || sample->ts.us == row->shown.us)
            continue;
        const weir_value value = weir_snapshot_value(snapshot, i);
        const bool text = value.kind == WEIR_KIND_STRING || value.kind == WEIR_KIND_BYTES;
        const bool changed = row->shown.us == 0 || sample->quality != row->quality ||
                             (!text && !weir_value_identical(&value, &row->last));
        row->shown = sample->ts;
        row->quality = sample->quality;
        if (!text)
            row->last = value;
        row_remember(row, &value);
        if (!view->terminal && changed)
            ok = show_change(view, snapshot, i);
    }
    if (view->terminal)
        return show_table(view, snapshot, store);
    return ok && fflush(view->file) == 0;
}
