/* SPDX-License-Identifier: MIT */
/* Rows of typed values as a table for people, CSV for tools, JSON for programs. */

#include "cli/output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"

const char *const weir_format_words[] = {"auto", "table", "csv", "json", NULL};

struct weir_output {
    FILE *file;
    weir_format format;
    size_t n_columns;
    char **names;
    weir_text line; /* the row being built */
    size_t n_rows;  /* written or held */
    bool failed;

    /* Table only. */
    bool streaming; /* widths are fixed, the header is out */
    size_t *widths;
    bool *right; /* only numbers so far */
    size_t n_held;
    char **held; /* n_held * n_columns texts */
};

bool weir_terminal_colour(FILE *file)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(fileno(file)) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

size_t weir_terminal_width(FILE *file)
{
    struct winsize size;
    if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col)
        return size.ws_col;
    return 80;
}

size_t weir_terminal_height(FILE *file)
{
    struct winsize size;
    if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_row)
        return size.ws_row;
    return 24;
}

weir_format weir_format_of(FILE *file)
{
    return isatty(fileno(file)) ? WEIR_FORMAT_TABLE : WEIR_FORMAT_CSV;
}

weir_output *weir_output_new(FILE *file, weir_format format, const char *const *columns, size_t n)
{
    WEIR_CLEANUP(weir_output_end) weir_output *o = weir_alloc_zero(1, sizeof *o);
    if (!o)
        return NULL;
    o->failed = true; /* until complete: nothing to write if we fail half-way */
    o->file = file;
    o->format = format == WEIR_FORMAT_AUTO ? weir_format_of(file) : format;
    o->names = weir_alloc_zero(n, sizeof *o->names);
    o->widths = weir_alloc_zero(n, sizeof *o->widths);
    o->right = weir_alloc_zero(n, sizeof *o->right);
    o->held = weir_alloc_zero(n * WEIR_OUTPUT_ROWS_HELD, sizeof *o->held);
    if (!o->names || !o->widths || !o->right || !o->held)
        return NULL;
    for (o->n_columns = 0; o->n_columns < n; o->n_columns++)
        if (!(o->names[o->n_columns] = strdup(columns[o->n_columns])))
            return NULL;
    memset(o->right, true, n * sizeof *o->right);
    o->failed = false;
    weir_output *whole = o;
    o = NULL;
    return whole;
}

weir_format weir_output_format(const weir_output *o)
{
    return o->format;
}

static bool output_write(weir_output *o)
{
    if (o->line.failed ||
        fwrite(o->line.text ? o->line.text : "", 1, o->line.length, o->file) != o->line.length)
        o->failed = true;
    weir_text_clear(&o->line);
    return !o->failed;
}

/* --- csv --- */

static void csv_add_field(weir_text *t, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        weir_text_add(t, text);
        return;
    }
    weir_text_add_char(t, '"');
    for (; *text; text++) {
        if (*text == '"')
            weir_text_add_char(t, '"');
        weir_text_add_char(t, *text);
    }
    weir_text_add_char(t, '"');
}

static void csv_header(weir_output *o)
{
    for (size_t i = 0; i < o->n_columns; i++) {
        if (i)
            weir_text_add_char(&o->line, ',');
        csv_add_field(&o->line, o->names[i]);
    }
    weir_text_add_char(&o->line, '\n');
}

static void csv_add_value(weir_text *t, const weir_value *value)
{
    WEIR_TEXT_AUTO cell = WEIR_TEXT_INIT;
    /* An empty text is quoted, so that it can be told from null. */
    if (value->kind == WEIR_KIND_STRING && value->length == 0) {
        weir_text_add(t, "\"\"");
        return;
    }
    weir_value_format(value, &cell);
    if (cell.failed)
        t->failed = true;
    csv_add_field(t, weir_text_get(&cell));
}

static bool csv_row(weir_output *o, const weir_value *values)
{
    if (o->n_rows == 0)
        csv_header(o);
    for (size_t i = 0; i < o->n_columns; i++) {
        if (i)
            weir_text_add_char(&o->line, ',');
        csv_add_value(&o->line, &values[i]);
    }
    weir_text_add_char(&o->line, '\n');
    return output_write(o);
}

/* --- json --- */

static bool json_row(weir_output *o, const weir_value *values)
{
    weir_text_add(&o->line, o->n_rows ? ",\n{" : "[\n{");
    for (size_t i = 0; i < o->n_columns; i++) {
        if (i)
            weir_text_add_char(&o->line, ',');
        weir_text_add_json(&o->line, o->names[i], strlen(o->names[i]));
        weir_text_add_char(&o->line, ':');
        weir_value_format_json(&values[i], &o->line);
    }
    weir_text_add_char(&o->line, '}');
    return output_write(o);
}

/* --- table --- */

/* Characters, not bytes; combining and wide ones count as one, which is near enough. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void table_add_escaped(weir_text *t, const char *text, size_t n)
{
    while (n) {
        size_t length = weir_utf8_char(text, n);
        const unsigned char c = (unsigned char)*text;
        /* U+0080 to U+009F are controls too: 0xc2 0x80..0x9f. */
        bool control =
            c < 0x20 || c == 0x7f || (c == 0xc2 && length == 2 && (unsigned char)text[1] < 0xa0);
        if (length == 0 || control) {
            length = length ? length : 1;
            for (size_t i = 0; i < length; i++)
                weir_text_format(t, "\\x%02x", (unsigned char)text[i]);
        } else {
            weir_text_add_n(t, text, length);
        }
        text += length;
        n -= length;
    }
}

static void table_add_cell(weir_output *o, size_t column, const char *text)
{
    size_t width = text_width(text);
    size_t pad = o->widths[column] > width ? o->widths[column] - width : 0;
    bool last = column + 1 == o->n_columns;
    if (column)
        weir_text_add(&o->line, "  ");
    if (o->right[column])
        weir_text_format(&o->line, "%*s", (int)pad, "");
    weir_text_add(&o->line, text);
    if (!o->right[column] && !last)
        weir_text_format(&o->line, "%*s", (int)pad, "");
    if (last)
        weir_text_add_char(&o->line, '\n');
}

/* Header and held rows go out; from here on widths stand. */
static void table_start(weir_output *o)
{
    bool bold = weir_terminal_colour(o->file);
    if (o->streaming)
        return;
    o->streaming = true;
    for (size_t i = 0; i < o->n_columns; i++)
        if (text_width(o->names[i]) > o->widths[i])
            o->widths[i] = text_width(o->names[i]);
    if (bold)
        weir_text_add(&o->line, "\033[1m");
    for (size_t i = 0; i < o->n_columns; i++)
        table_add_cell(o, i, o->names[i]);
    if (bold)
        weir_text_add(&o->line, "\033[0m");
    for (size_t row = 0; row < o->n_held; row++)
        for (size_t i = 0; i < o->n_columns; i++)
            table_add_cell(o, i, o->held[row * o->n_columns + i]);
    (void)output_write(o);
}

static bool is_number(const weir_value *v)
{
    return v->kind == WEIR_KIND_I64 || v->kind == WEIR_KIND_U64 || v->kind == WEIR_KIND_F32 ||
           v->kind == WEIR_KIND_F64 || v->kind == WEIR_KIND_DECIMAL;
}

static void table_format(const weir_value *value, weir_text *t)
{
    if (value->kind == WEIR_KIND_STRING)
        table_add_escaped(t, value->as.text, value->length);
    else
        weir_value_format(value, t);
}

static bool table_hold(weir_output *o, const weir_value *values)
{
    for (size_t i = 0; i < o->n_columns; i++) {
        WEIR_TEXT_AUTO cell = WEIR_TEXT_INIT;
        table_format(&values[i], &cell);
        char *text = cell.failed ? NULL : strdup(weir_text_get(&cell));
        if (!text) {
            o->failed = true;
            return false;
        }
        o->held[o->n_held * o->n_columns + i] = text;
        if (text_width(text) > o->widths[i])
            o->widths[i] = text_width(text);
        if (values[i].kind != WEIR_KIND_NULL && !is_number(&values[i]))
            o->right[i] = false;
    }
    o->n_held++;
    return true;
}

static bool table_row(weir_output *o, const weir_value *values)
{
    if (!o->streaming) {
        if (!table_hold(o, values))
            return false;
        if (o->n_held == WEIR_OUTPUT_ROWS_HELD)
            table_start(o);
        return !o->failed;
    }
    for (size_t i = 0; i < o->n_columns; i++) {
        WEIR_TEXT_AUTO cell = WEIR_TEXT_INIT;
        table_format(&values[i], &cell);
        if (cell.failed)
            o->failed = true;
        table_add_cell(o, i, weir_text_get(&cell));
    }
    return output_write(o);
}

/* --- all --- */

bool weir_output_row(weir_output *o, const weir_value *values)
{
    bool written = false;
    if (o->failed)
        return false;
    switch (o->format) {
    case WEIR_FORMAT_AUTO:
    case WEIR_FORMAT_TABLE:
        written = table_row(o, values);
        break;
    case WEIR_FORMAT_CSV:
        written = csv_row(o, values);
        break;
    case WEIR_FORMAT_JSON:
        written = json_row(o, values);
        break;
    }
    o->n_rows++;
    return written;
}

void weir_output_flush(weir_output *o)
{
    if (o->format == WEIR_FORMAT_TABLE && o->n_held)
        table_start(o);
    if (fflush(o->file) != 0)
        o->failed = true;
}

static void output_finish(weir_output *o)
{
    if (o->failed)
        return;
    if (o->format == WEIR_FORMAT_JSON)
        weir_text_add(&o->line, o->n_rows ? "\n]\n" : "[]\n");
    else if (o->format == WEIR_FORMAT_CSV && o->n_rows == 0)
        csv_header(o);
    else if (o->format == WEIR_FORMAT_TABLE)
        table_start(o);
    (void)output_write(o);
    (void)fflush(o->file);
}

void weir_output_end(weir_output *o)
{
    if (!o)
        return;
    output_finish(o);
    for (size_t i = 0; o->names && i < o->n_columns; i++)
        free(o->names[i]);
    for (size_t i = 0; o->held && i < WEIR_OUTPUT_ROWS_HELD * o->n_columns; i++)
        free(o->held[i]);
    weir_free(o->names);
    weir_free(o->widths);
    weir_free(o->right);
    weir_free(o->held);
    weir_text_deinit(&o->line);
    weir_free(o);
}
