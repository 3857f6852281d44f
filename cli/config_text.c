/* SPDX-License-Identifier: MIT */
/* The effective configuration as text: YAML that weir reads back, or JSON. */

#include "cli/config_text.h"

#include <string.h>

enum { ORIGIN_COLUMN = 48, INDENT = 2 };

/* ---- scalars ---- */

/* The same text without quotes, within a line of flow style too. */
static bool is_plain(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./";
    static const char more[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+%-";
    const bool signed_number = *text == '-' && text[1] >= '0' && text[1] <= '9';
    return *text && (strchr(letters, *text) || signed_number) &&
           strspn(text, more) == strlen(text) && strcmp(text, "null") != 0;
}

static void add_text(weir_text *t, const char *text, bool quoted)
{
    if (!quoted && is_plain(text))
        weir_text_add(t, text);
    else
        weir_text_add_json(t, text, strlen(text));
}

/* RFC 8259, 6: what JSON takes for a number. */
static bool is_json_number(const char *p)
{
    p += *p == '-';
    const size_t whole = strspn(p, "0123456789");
    if (!whole || (*p == '0' && whole > 1))
        return false;
    p += whole;
    if (*p == '.') {
        const size_t n = strspn(p + 1, "0123456789");
        if (!n)
            return false;
        p += 1 + n;
    }
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '+' || p[1] == '-');
        const size_t n = strspn(p, "0123456789");
        if (!n)
            return false;
        p += n;
    }
    return !*p;
}

/* ---- YAML ---- */

static void add_indent(weir_text *t, unsigned depth)
{
    for (unsigned i = 0; i < depth * INDENT; i++)
        weir_text_add_char(t, ' ');
}

static void add_flow(const weir_effective_value *value, weir_text *t)
{
    const bool mapping = value->kind == WEIR_NODE_MAPPING;
    if (value->kind == WEIR_NODE_SCALAR) {
        add_text(t, value->text, value->quoted);
        return;
    }
    weir_text_add_char(t, mapping ? '{' : '[');
    for (const weir_effective_value *v = value->first; v; v = v->next) {
        if (v != value->first)
            weir_text_add(t, ", ");
        if (mapping) {
            add_text(t, v->key, false);
            weir_text_add(t, ": ");
        }
        add_flow(v, t);
    }
    weir_text_add_char(t, mapping ? '}' : ']');
}

/* Lists of mappings are the sections of the file and the points of a device; a point is a line. */
static bool is_list_of_mappings(const weir_effective_value *value)
{
    return value->kind == WEIR_NODE_LIST && value->first && value->first->kind == WEIR_NODE_MAPPING;
}

static bool fits_line(const weir_effective_value *value, bool origins, bool is_point)
{
    if (value->kind == WEIR_NODE_SCALAR || !value->first)
        return true;
    if (origins || is_list_of_mappings(value))
        return false;
    if (is_point)
        return true;
    for (const weir_effective_value *v = value->first; v; v = v->next)
        if (v->kind != WEIR_NODE_SCALAR)
            return false;
    return true;
}

struct yaml {
    weir_text *t;
    bool origins;
    size_t line; /* where the line begins */
};

static void end_line(struct yaml *y, const weir_effective_value *value)
{
    if (y->origins && value->kind == WEIR_NODE_SCALAR) {
        do
            weir_text_add_char(y->t, ' ');
        while (y->t->length - y->line < ORIGIN_COLUMN && !y->t->failed);
        weir_text_format(y->t, "# %s", value->origin);
    }
    weir_text_add_char(y->t, '\n');
    y->line = y->t->length;
}

static void add_block(struct yaml *y, const weir_effective_value *value, unsigned depth,
                      bool in_points);

/* What stands behind "key:" or "-": on the line, or below it. */
static void add_value(struct yaml *y, const weir_effective_value *v, unsigned depth, bool is_point,
                      bool in_points, bool top)
{
    if (fits_line(v, y->origins, is_point) && !(top && v->kind == WEIR_NODE_MAPPING && v->first)) {
        weir_text_add_char(y->t, ' ');
        add_flow(v, y->t);
        end_line(y, v);
        return;
    }
    weir_text_add_char(y->t, '\n');
    y->line = y->t->length;
    add_block(y, v, depth + 1, in_points);
}

static void add_pair(struct yaml *y, const weir_effective_value *v, unsigned depth)
{
    add_text(y->t, v->key, false);
    weir_text_add_char(y->t, ':');
    add_value(y, v, depth, false, !strcmp(v->key, "points"), depth == 0);
}

/* The first pair of a mapping in a list stands on the line of its hyphen. */
static void add_item(struct yaml *y, const weir_effective_value *item, unsigned depth,
                     bool in_points)
{
    weir_text_add_char(y->t, '-');
    if (item->kind != WEIR_NODE_MAPPING || !item->first ||
        (in_points && fits_line(item, y->origins, true))) {
        add_value(y, item, depth, in_points, false, false);
        return;
    }
    weir_text_add_char(y->t, ' ');
    add_pair(y, item->first, depth + 1);
    for (const weir_effective_value *v = item->first->next; v; v = v->next) {
        add_indent(y->t, depth + 1);
        add_pair(y, v, depth + 1);
    }
}

static void add_block(struct yaml *y, const weir_effective_value *value, unsigned depth,
                      bool in_points)
{
    for (const weir_effective_value *v = value->first; v; v = v->next) {
        add_indent(y->t, depth);
        if (value->kind == WEIR_NODE_MAPPING)
            add_pair(y, v, depth);
        else
            add_item(y, v, depth, in_points);
    }
}

void weir_config_yaml(const weir_effective_value *value, bool origins, weir_text *t)
{
    struct yaml y = {.t = t, .origins = origins, .line = t->length};
    if (value->kind != WEIR_NODE_SCALAR) {
        add_block(&y, value, 0, value->key && !strcmp(value->key, "points"));
        return;
    }
    add_text(t, value->text, value->quoted);
    end_line(&y, value);
}

/* ---- JSON ---- */

static void add_json_scalar(const weir_effective_value *v, bool origins, weir_text *t)
{
    const bool bare = !v->quoted && (is_json_number(v->text) || !strcmp(v->text, "true") ||
                                     !strcmp(v->text, "false"));
    if (origins)
        weir_text_add(t, "{\"value\": ");
    if (bare)
        weir_text_add(t, v->text);
    else
        weir_text_add_json(t, v->text, strlen(v->text));
    if (!origins)
        return;
    weir_text_add(t, ", \"origin\": ");
    weir_text_add_json(t, v->origin, strlen(v->origin));
    weir_text_add_char(t, '}');
}

static void add_json(const weir_effective_value *value, bool origins, unsigned depth, weir_text *t)
{
    const bool mapping = value->kind == WEIR_NODE_MAPPING;
    if (value->kind == WEIR_NODE_SCALAR) {
        add_json_scalar(value, origins, t);
        return;
    }
    weir_text_add_char(t, mapping ? '{' : '[');
    for (const weir_effective_value *v = value->first; v; v = v->next) {
        weir_text_add(t, v == value->first ? "\n" : ",\n");
        add_indent(t, depth + 1);
        if (mapping) {
            weir_text_add_json(t, v->key, strlen(v->key));
            weir_text_add(t, ": ");
        }
        add_json(v, origins, depth + 1, t);
    }
    if (value->first) {
        weir_text_add_char(t, '\n');
        add_indent(t, depth);
    }
    weir_text_add_char(t, mapping ? '}' : ']');
}

void weir_config_json(const weir_effective_value *value, bool origins, weir_text *t)
{
    add_json(value, origins, 0, t);
    weir_text_add_char(t, '\n');
}
