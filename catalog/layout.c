/* SPDX-License-Identifier: MIT */
/* Layouts: which rows of a database are connections, devices and points, and how. */

/*
 * The layout `weir` has columns named like the keys of the file, so a row is a mapping: null leaves
 * a key out, `id` is the row's number, and what begins with x_ is somebody's own. A list is written
 * with commas or in brackets, a mapping as "a=1, b=2" or in braces, both as in the file. Points are
 * rows of their own that name their device.
 */

#include "catalog/layout.h"

#include <string.h>

#include "catalog/tables.h"

enum { FLOW_DEPTH_MAX = 16 };

weir_document *weir_layout_document(const weir_layout *layout, const weir_layout_in *in)
{
    weir_builder *b = weir_builder_new(in->place);
    weir_builder_open(b, WEIR_NODE_MAPPING);
    layout->build(in, b);
    (void)weir_builder_close(b);
    weir_document *document = weir_builder_finish(b);
    if (!document)
        in->problems->failed = true;
    return document;
}

/* ---- identity ---- */

const char *weir_layout_key(const weir_layout_in *in, size_t query, int id, weir_arena *arena)
{
    bool distinct = false;
    if (!in->identity || !in->queries[query].table || id < 0)
        return NULL;
    if (!weir_rows_distinct(&in->rows[query], id, &distinct))
        in->problems->failed = true;
    if (!distinct)
        return NULL;
    const char *key = weir_arena_format(arena, "%s %s", in->identity, in->queries[query].table);
    in->problems->failed = in->problems->failed || !key;
    return key;
}

bool weir_layout_known_as(weir_builder *b, const char *key, const weir_row *row)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    if (!key || !*row->id)
        return false;
    const uint32_t number = weir_row_place(row, -1, &text);
    weir_text_clear(&text);
    weir_text_add(&text, key);
    if (!number)
        weir_text_format(&text, " %s", row->id);
    if (text.failed)
        weir_builder_fail(b);
    else
        weir_builder_known_as(b, weir_text_get(&text));
    return true;
}

/* ---- cells ---- */

/* A part of a file that stands in a cell: "[a, b]", "{a: 1}". */
static void flow_copy(weir_builder *b, weir_node node)
{
    const weir_node_kind kind = weir_node_kind_of(node);
    if (kind != WEIR_NODE_LIST && kind != WEIR_NODE_MAPPING) {
        if (weir_node_quoted(node))
            weir_builder_quoted(b, weir_node_text(node));
        else
            weir_builder_text(b, weir_node_text(node));
        return;
    }
    weir_builder_open(b, kind);
    for (size_t i = 0; i < weir_node_count(node); i++) {
        if (kind == WEIR_NODE_MAPPING)
            weir_builder_text(b, weir_node_text(weir_node_key(node, i)));
        flow_copy(b,
                  kind == WEIR_NODE_MAPPING ? weir_node_value(node, i) : weir_node_item(node, i));
    }
    (void)weir_builder_close(b);
}

static unsigned flow_depth(weir_node node)
{
    const bool mapping = weir_node_is(node, WEIR_NODE_MAPPING);
    unsigned deepest = 0;
    for (size_t i = 0; i < weir_node_count(node); i++) {
        const unsigned depth =
            flow_depth(mapping ? weir_node_value(node, i) : weir_node_item(node, i));
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static void write_flow(weir_builder *b, const weir_row *row, int column, const char *text)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_document *document = NULL;
    const bool plain = !strpbrk(text, "&*"); /* an alias could repeat itself without end */
    if (plain)
        document = weir_document_parse("cell", text, strlen(text), &problems);
    if (document && flow_depth(weir_document_root(document)) <= FLOW_DEPTH_MAX) {
        flow_copy(b, weir_document_root(document));
    } else {
        weir_row_problem(row, column, "this cannot be read: %.300s",
                         problems.n ? problems.items[0].text
                                    : "& and * and deep lists do not belong here");
        weir_builder_text(b, "");
    }
    row->problems->failed = row->problems->failed || problems.failed;
    weir_document_free(document);
    weir_problems_deinit(&problems);
}

static void write_piece(weir_builder *b, const char *text, size_t n)
{
    WEIR_TEXT_AUTO piece = WEIR_TEXT_INIT;
    for (; n && *text == ' '; n--)
        text++;
    while (n && text[n - 1] == ' ')
        n--;
    weir_text_add_n(&piece, text, n);
    if (piece.failed)
        weir_builder_fail(b);
    else
        weir_builder_text(b, weir_text_get(&piece));
}

/* "a, b" */
static void write_list(weir_builder *b, const char *text)
{
    weir_builder_open(b, WEIR_NODE_LIST);
    for (; *text; text += strcspn(text, ","), text += *text == ',')
        write_piece(b, text, strcspn(text, ","));
    (void)weir_builder_close(b);
}

/* "a=1, b=2" */
static void write_map(weir_builder *b, const weir_row *row, int column, const char *text)
{
    weir_builder_open(b, WEIR_NODE_MAPPING);
    for (; *text; text += strcspn(text, ","), text += *text == ',') {
        const size_t n = strcspn(text, ","), n_key = strcspn(text, "=,");
        if (n_key == n) {
            weir_row_problem(row, column, "this must be like \"building=A, floor=2\", not \"%.*s\"",
                             (int)(n < 80 ? n : 80), text);
            break;
        }
        write_piece(b, text, n_key);
        write_piece(b, text + n_key + 1, n - n_key - 1);
    }
    (void)weir_builder_close(b);
}

/* What databases have for true and false. */
static const char *bool_word(const char *text)
{
    if (!strcmp(text, "1") || !strcmp(text, "t"))
        return "true";
    return !strcmp(text, "0") || !strcmp(text, "f") ? "false" : text;
}

static void write_cell(weir_builder *b, const weir_row *row, int column, const weir_option *option,
                       const char *text)
{
    const weir_option_type type = option ? option->type : WEIR_OPTION_CUSTOM;
    const bool structured = type == WEIR_OPTION_STRINGS || type >= WEIR_OPTION_MAP;
    /* Quotes too: a Modicon address is in quotes. */
    if (structured && (*text == '[' || *text == '{' || *text == '"'))
        write_flow(b, row, column, text);
    else if (type == WEIR_OPTION_STRINGS)
        write_list(b, text);
    else if (type == WEIR_OPTION_MAP)
        write_map(b, row, column, text);
    else
        weir_builder_text(b, type == WEIR_OPTION_BOOL ? bool_word(text) : text);
}

/* ---- rows ---- */

struct table {
    const weir_layout_in *in;
    size_t query;
    const weir_option *options; /* NULL: not known here */
    char *name;                 /* "config.db, table device" */
    const char *key;            /* weir_layout_key */
    int id;
    bool has_id_key; /* a plan's id is its row's */
};

static weir_row row_at(const struct table *t, size_t at)
{
    const weir_rows *rows = &t->in->rows[t->query];
    const char *id = t->id < 0 ? NULL : rows->cells[at * rows->n_columns + (size_t)t->id];
    return (weir_row){.rows = rows,
                      .at = at,
                      .table = t->name,
                      .word = "row",
                      .id = id ? id : "",
                      .problems = t->in->problems};
}

static bool table_init(struct table *t, const weir_layout_in *in, size_t query,
                       const weir_option *options, weir_arena *arena)
{
    const char *name = in->queries[query].table;
    *t = (struct table){.in = in, .query = query, .options = options};
    t->id = weir_rows_column(&in->rows[query], "id");
    t->has_id_key = options && weir_option_find(options, "id");
    t->name = weir_arena_format(arena, "%s, table %s", in->place, name ? name : "");
    t->key = weir_layout_key(in, query, t->id, arena);
    return t->name != NULL;
}

static void write_keys(const struct table *t, weir_builder *b, const weir_row *row, int skip)
{
    WEIR_TEXT_AUTO place = WEIR_TEXT_INIT;
    for (int i = 0; i < (int)row->rows->n_columns; i++) {
        const char *key = row->rows->columns[i];
        if ((i == t->id && !t->has_id_key) || i == skip || !strncmp(key, "x_", 2))
            continue;
        const char *text = weir_row_text(row, i);
        if (!text)
            continue;
        const uint32_t number = weir_row_place(row, i, &place);
        weir_builder_place(b, weir_text_get(&place), number);
        weir_builder_text(b, key);
        write_cell(b, row, i, t->options ? weir_option_find(t->options, key) : NULL, text);
    }
}

/* Whether it is known by its id: key as weir_layout_key gives it. */
static bool open_row(const char *key, weir_builder *b, const weir_row *row)
{
    WEIR_TEXT_AUTO place = WEIR_TEXT_INIT;
    const uint32_t number = weir_row_place(row, -1, &place);
    weir_builder_place(b, weir_text_get(&place), number);
    const bool known = weir_layout_known_as(b, key, row);
    weir_builder_open(b, WEIR_NODE_MAPPING);
    return known;
}

static void write_table(const struct table *t, weir_builder *b, const char *key)
{
    if (!t->in->queries[t->query].table)
        return;
    weir_builder_text(b, key);
    weir_builder_open(b, WEIR_NODE_LIST);
    for (size_t i = 0; i < t->in->rows[t->query].n; i++) {
        const weir_row row = row_at(t, i);
        (void)open_row(NULL, b, &row);
        write_keys(t, b, &row, -1);
        (void)weir_builder_close(b);
    }
    (void)weir_builder_close(b);
}

/* ---- devices and their points ---- */

enum { CONNECTION, DEVICE, POINT, PLAN };

static bool has_cell(const weir_row *row, const char *column)
{
    const int i = weir_rows_column(row->rows, column);
    return i >= 0 && row->rows->cells[row->at * row->rows->n_columns + (size_t)i];
}

static void write_device(const struct table *devices, const struct table *points, weir_builder *b,
                         size_t at, const weir_groups *groups)
{
    const weir_row row = row_at(devices, at);
    const int column = weir_rows_column(row.rows, "name");
    const char *name = column < 0 ? NULL : weir_row_text(&row, column);
    const int by = weir_rows_column(&points->in->rows[POINT], "device");
    uint32_t point = name ? weir_groups_first(groups, name) : WEIR_ROW_NONE;
    /* One that waits for its points: they can only be added behind it. */
    if (point == WEIR_ROW_NONE && !has_cell(&row, "profile"))
        return;
    /* A row may be several devices, so its points are known within it only. */
    const bool known = open_row(devices->key, b, &row);
    write_keys(devices, b, &row, -1);
    if (point != WEIR_ROW_NONE) {
        weir_builder_text(b, "points");
        weir_builder_open(b, WEIR_NODE_LIST);
        for (; point != WEIR_ROW_NONE; point = groups->next[point]) {
            const weir_row of = row_at(points, point);
            (void)open_row(known ? points->key : NULL, b, &of);
            write_keys(points, b, &of, by);
            (void)weir_builder_close(b);
        }
        (void)weir_builder_close(b);
    }
    (void)weir_builder_close(b);
}

static bool group_points(const struct table *points, weir_groups *groups)
{
    const weir_rows *rows = &points->in->rows[POINT], *of = &points->in->rows[DEVICE];
    const int column = weir_rows_column(rows, "device"), name = weir_rows_column(of, "name");
    weir_map known = WEIR_MAP_INIT;
    bool good = true;
    for (size_t i = 0; name >= 0 && i < of->n && good; i++) {
        const char *text = of->cells[i * of->n_columns + (size_t)name];
        good = !text || weir_map_set(&known, text, (void *)(uintptr_t)1, NULL) == WEIR_OK;
    }
    for (size_t i = 0; i < rows->n && good; i++) {
        const weir_row row = row_at(points, i);
        const char *device = weir_row_word(&row, column);
        if (device && !weir_map_get(&known, device))
            weir_row_problem(&row, column, "there is no device \"%.80s\" in this database", device);
        else if (device)
            good = weir_groups_add(groups, device, (uint32_t)i);
    }
    weir_map_deinit(&known);
    return good;
}

static void write_devices(const struct table *devices, const struct table *points, weir_builder *b)
{
    weir_groups groups;
    bool good = weir_groups_init(&groups, points->in->rows[POINT].n);
    good = good && group_points(points, &groups);
    if (good) {
        weir_builder_text(b, "devices");
        weir_builder_open(b, WEIR_NODE_LIST);
        for (size_t i = 0; i < devices->in->rows[DEVICE].n; i++)
            write_device(devices, points, b, i, &groups);
        (void)weir_builder_close(b);
    }
    points->in->problems->failed = points->in->problems->failed || !good;
    weir_groups_deinit(&groups);
}

static void weir_build(const weir_layout_in *in, weir_builder *b)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    const weir_option *plans = weir_option_find(weir_top_table, "plans");
    struct table connection, device, point, plan;
    if (!arena || !table_init(&connection, in, CONNECTION, weir_connection_table, arena) ||
        !table_init(&device, in, DEVICE, weir_device_table, arena) ||
        !table_init(&point, in, POINT, weir_point_table, arena) ||
        !table_init(&plan, in, PLAN, plans ? plans->table : NULL, arena)) {
        in->problems->failed = true;
        return;
    }
    write_table(&connection, b, "connections");
    if (in->queries[DEVICE].table)
        write_devices(&device, &point, b);
    if (in->rows[PLAN].n)
        write_table(&plan, b, "plans");
}

const weir_layout weir_layout_weir = {
    .name = "weir",
    .queries = {{"connection", "SELECT * FROM connection ORDER BY id"},
                {"device", "SELECT * FROM device ORDER BY id"},
                {"point", "SELECT * FROM point ORDER BY id"},
                {"plan", "SELECT * FROM plan ORDER BY id"}},
    .build = weir_build,
};
