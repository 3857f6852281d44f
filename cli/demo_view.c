/* SPDX-License-Identifier: MIT */
/* What the demo shows: a live table with sparklines, or a line for each change. */

#include "cli/demo_view.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "cli/output.h"

enum {
    SPARK_WIDTH = 24, /* values in a sparkline; fewer on a narrow terminal */
    SPARK_MIN = 6,
    TAG_WIDTH = 22,
    VALUE_WIDTH = 12,
    UNIT_WIDTH = 5,
    QUALITY_WIDTH = 14,
    AGE_WIDTH = 7,
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
    weir_output *output; /* the lines; NULL: the terminal's table */
    size_t lines;        /* drawn last time: to go back up */
    struct row *rows;
};

weir_demo_view *weir_demo_view_new(const weir_catalog *catalog, FILE *file, bool terminal)
{
    static const char *const columns[] = {"time", "tag", "value", "unit", "quality"};
    weir_demo_view *view = weir_alloc_zero(1, sizeof *view);
    if (!view)
        return NULL;
    view->catalog = catalog;
    view->file = file;
    view->rows = weir_alloc_zero(catalog->n_tags, sizeof *view->rows);
    if (!terminal)
        view->output =
            weir_output_new(file, WEIR_FORMAT_CSV, columns, sizeof columns / sizeof *columns);
    if (!view->rows || (!terminal && !view->output)) {
        weir_demo_view_free(view);
        return NULL;
    }
    return view;
}

void weir_demo_view_free(weir_demo_view *view)
{
    if (!view)
        return;
    weir_output_end(view->output);
    weir_free(view->rows);
    weir_free(view);
}

static void row_remember(struct row *row, const weir_value *value)
{
    double number;
    if (!weir_value_number(value, &number) || !isfinite(number))
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
        /* By halves: the whole span may be more than a double holds. */
        const double span = high / 2 - low / 2;
        const double share = span > 0 ? (row->history[i] / 2 - low / 2) / span : 0;
        weir_text_add(t, bars[(size_t)(share * 7.99)]);
    }
}

/* Bytes of the first n characters of a text; wide characters count as one. */
static size_t text_prefix(const weir_text *t, size_t n, size_t *ret_characters)
{
    size_t bytes = 0, characters = 0;
    while (bytes < t->length && characters < n) {
        const size_t length = weir_utf8_char(t->text + bytes, t->length - bytes);
        bytes += length ? length : 1;
        characters++;
    }
    *ret_characters = characters;
    return bytes;
}

/* One line of the screen: what does not fit into the terminal's width is left out, since a line
 * that wraps would spoil the way back up. */
struct line {
    weir_text *screen;
    size_t left; /* columns */
};

static void line_cell(struct line *line, const weir_text *field, size_t width, bool right,
                      const char *style)
{
    size_t used;
    if (line->left <= width) {
        line->left = 0; /* nor what follows */
        return;
    }
    const size_t bytes = text_prefix(field, width, &used);
    weir_text_format(line->screen, "%s%*s", style, right ? (int)(width - used) : 0, "");
    weir_text_add_n(line->screen, weir_text_get(field), bytes);
    weir_text_format(line->screen, "%*s%s ", right ? 0 : (int)(width - used), "",
                     *style ? "\x1b[0m" : "");
    line->left -= width + 1;
}

static void line_word(struct line *line, const char *word, size_t width, bool right,
                      const char *style)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_text_add(&text, word);
    line_cell(line, &text, width, right, style);
}

/* Every line ends by clearing what an earlier, longer one left. */
static void line_end(weir_demo_view *view, struct line *line)
{
    weir_text_add(line->screen, "\x1b[K\n");
    view->lines++;
}

/* The sparkline takes what is left: its newest values. */
static void line_spark(struct line *line, const struct row *row)
{
    const size_t width = line->left > SPARK_WIDTH ? SPARK_WIDTH : line->left - (line->left > 0);
    struct row newest = *row;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (width < SPARK_MIN)
        return;
    if (newest.n_history > width) {
        memmove(newest.history, newest.history + newest.n_history - width,
                width * sizeof *newest.history);
        newest.n_history = width;
    }
    add_sparkline(&text, &newest);
    line_cell(line, &text, width, false, "\x1b[36m");
}

static void draw_head(weir_demo_view *view, struct line line)
{
    static const char bold[] = "\x1b[1m";
    line_word(&line, "tag", TAG_WIDTH, false, bold);
    line_word(&line, "value", VALUE_WIDTH, true, bold);
    line_word(&line, "unit", UNIT_WIDTH, false, bold);
    line_word(&line, "quality", QUALITY_WIDTH, false, bold);
    line_word(&line, "age", AGE_WIDTH, true, bold);
    line_word(&line, "last values", strlen("last values"), false, bold);
    line_end(view, &line);
}

static void draw_row(weir_demo_view *view, const weir_snapshot *snapshot, size_t i,
                     struct line line)
{
    const weir_catalog *catalog = view->catalog;
    const weir_sample *sample = &snapshot->current[i].sample;
    const weir_value value = weir_snapshot_value(snapshot, i);
    const bool bad = weir_quality_class(sample->quality) != WEIR_GOOD;
    WEIR_TEXT_AUTO field = WEIR_TEXT_INIT;
    weir_tag_name(catalog, &catalog->tags[i], &field);
    line_cell(&line, &field, TAG_WIDTH, false, "");
    weir_text_clear(&field);
    if (sample->tag)
        weir_value_format(&value, &field);
    line_cell(&line, &field, VALUE_WIDTH, true, "");
    line_word(&line, weir_tag_point(catalog, &catalog->tags[i])->unit, UNIT_WIDTH, false, "");
    weir_text_clear(&field);
    if (sample->tag)
        weir_quality_format(sample->quality, &field);
    line_cell(&line, &field, QUALITY_WIDTH, false, bad ? "\x1b[31m" : "");
    weir_text_clear(&field);
    if (sample->tag)
        weir_text_format(&field, "%.1f s",
                         (double)(snapshot->taken.us - sample->ts.us) / (double)WEIR_S);
    line_cell(&line, &field, AGE_WIDTH, true, "");
    line_spark(&line, &view->rows[i]);
    line_end(view, &line);
}

static void draw_foot(weir_demo_view *view, const weir_snapshot *snapshot,
                      const weir_worker_view *store, size_t n_hidden, struct line line)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    size_t characters;
    if (n_hidden)
        weir_text_format(&text, "%zu more below; ", n_hidden);
    weir_text_format(&text, "%llu samples and events committed; %llu overruns; Ctrl-C ends",
                     (unsigned long long)store->position.committed_seq,
                     (unsigned long long)snapshot->overruns);
    weir_text_add(line.screen, "\x1b[2m");
    weir_text_add_n(line.screen, text.text, text_prefix(&text, line.left, &characters));
    weir_text_add(line.screen, "\x1b[0m");
    line_end(view, &line);
}

static bool show_table(weir_demo_view *view, const weir_snapshot *snapshot,
                       const weir_worker_view *store)
{
    enum { OTHER_LINES = 3 }; /* head, foot, and the one the cursor stands in */
    const size_t height = weir_terminal_height(view->file);
    const size_t n_fit = height > OTHER_LINES ? height - OTHER_LINES : 0;
    const size_t n = snapshot->n_tags < n_fit ? snapshot->n_tags : n_fit;
    WEIR_TEXT_AUTO screen = WEIR_TEXT_INIT;
    const struct line line = {&screen, weir_terminal_width(view->file)};
    if (view->lines)
        weir_text_format(&screen, "\x1b[%zuA\r", view->lines);
    view->lines = 0;
    draw_head(view, line);
    for (size_t i = 0; i < n; i++)
        draw_row(view, snapshot, i, line);
    draw_foot(view, snapshot, store, snapshot->n_tags - n, line);
    weir_text_add(&screen, "\x1b[J"); /* of a time when the terminal was larger */
    (void)fwrite(weir_text_get(&screen), 1, screen.length, view->file);
    return fflush(view->file) == 0;
}

static bool show_change(weir_demo_view *view, const weir_snapshot *snapshot, size_t i)
{
    const weir_catalog *catalog = view->catalog;
    const weir_sample *sample = &snapshot->current[i].sample;
    const char *unit = weir_tag_point(catalog, &catalog->tags[i])->unit;
    const char *quality = weir_class_text(weir_quality_class(sample->quality));
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    char time[28];
    weir_wall_format(sample->ts, time);
    weir_tag_name(catalog, &catalog->tags[i], &name);
    const weir_value row[] = {
        weir_value_string(time, strlen(time)),
        weir_value_string(weir_text_get(&name), name.length),
        weir_snapshot_value(snapshot, i),
        *unit ? weir_value_string(unit, strlen(unit)) : weir_value_null(),
        weir_value_string(quality, strlen(quality)),
    };
    return weir_output_row(view->output, row);
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
        if (view->output && changed)
            ok = show_change(view, snapshot, i);
    }
    if (!view->output)
        return show_table(view, snapshot, store);
    return ok && fflush(view->file) == 0;
}
