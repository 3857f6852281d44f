/* SPDX-License-Identifier: MIT */
/* The layout `energy_meters`: meters and their registers as EnergyMonitoringManagement has them. */

/*
 * A meter is a device; the registers of its type are its points. Registers belong to a type by its
 * text alone, so all meters of a type share them. The tables say nothing of times: `interval` or
 * `cron` of the entry in `catalog` does.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "catalog/layout.h"

enum { ID, HOST, PORT, SLAVE_ADDRESS, TYPE, DESCRIPTION }; /* meters */
enum {
    R_TYPE,
    R_ADDRESS,
    R_NAME,
    R_UNIT,
    R_DATA_TYPE,
    R_FUNCTION,
    R_WORDS,
    R_BYTES
}; /* registers */
enum { DATA_INT = 1, DATA_LONG = 2, DATA_FLOAT = 3, LITTLE = 1, BIG = 2 };

struct meters {
    const weir_layout_in *in;
    weir_arena *arena;
    const char *meters_table, *registers_table;
    const char *key;      /* weir_layout_key of the meters */
    weir_groups types;    /* -> registers */
    weir_groups gateways; /* -> meters */
    uint32_t *lists;      /* [types.n]: the list of points as a node, 0: not yet */
    const char **gateway; /* [meters] NULL: something is wrong with it */
    bool failed;
};

static const char *cell(const weir_rows *rows, size_t row, int column)
{
    const char *text = rows->cells[row * rows->n_columns + (size_t)column];
    return text ? text : "";
}

static weir_row meter_at(const struct meters *m, size_t at)
{
    return (weir_row){.rows = &m->in->rows[0],
                      .at = at,
                      .table = m->meters_table,
                      .word = "id",
                      .id = cell(&m->in->rows[0], at, ID),
                      .problems = m->in->problems};
}

/* The table has no key: a row is called by what is most likely its own. */
static weir_row register_at(const struct meters *m, size_t at, char (*room)[128])
{
    const weir_rows *rows = &m->in->rows[1];
    (void)snprintf(*room, sizeof *room, "%.60s, register_address %.20s", cell(rows, at, R_TYPE),
                   cell(rows, at, R_ADDRESS));
    return (weir_row){.rows = rows,
                      .at = at,
                      .table = m->registers_table,
                      .word = "type",
                      .id = *room,
                      .problems = m->in->problems};
}

static void place(weir_builder *b, const weir_row *row, int column)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    const uint32_t number = weir_row_place(row, column, &text);
    weir_builder_place(b, weir_text_get(&text), number);
}

static void pair_number(weir_builder *b, const char *key, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64, number);
    weir_builder_pair(b, key, text);
}

/* ---- registers ---- */

/* The registers are laid out as A B C D on the wire; a LITTLE word order exchanges the words, a
 * LITTLE byte order the bytes in each. */
static const char *order_of(int64_t data_type, int64_t words, int64_t bytes)
{
    if (data_type == DATA_INT)
        return bytes == BIG ? "AB" : "BA";
    if (bytes == BIG)
        return words == BIG ? "ABCD" : "CDAB";
    return words == BIG ? "BADC" : "DCBA";
}

/* Registers have no ids. What is at the same place under another name is likely the same, but only
 * where the name is gone: all addresses may have been corrected by one. */
static void known_by_address(const struct meters *m, weir_builder *b, size_t at)
{
    WEIR_TEXT_AUTO key = WEIR_TEXT_INIT;
    const weir_rows *rows = &m->in->rows[1];
    if (!m->in->identity)
        return;
    weir_text_format(&key, WEIR_KEY_GUESS "%s registers %s %s/%s", m->in->identity,
                     cell(rows, at, R_TYPE), cell(rows, at, R_ADDRESS), cell(rows, at, R_FUNCTION));
    if (key.failed)
        weir_builder_fail(b);
    else
        weir_builder_known_as(b, weir_text_get(&key));
}

static void write_point(const struct meters *m, weir_builder *b, size_t at)
{
    static const char *const types[] = {
        [DATA_INT] = "int16", [DATA_LONG] = "int32", [DATA_FLOAT] = "float32"};
    char room[128];
    const weir_row row = register_at(m, at, &room);
    int64_t address = 0, data_type = 0, function = 0, words = BIG, bytes = BIG;
    const char *name = weir_row_word(&row, R_NAME), *unit = weir_row_text(&row, R_UNIT);
    bool good = weir_row_int(&row, R_ADDRESS, 0, 65535, &address);
    good = weir_row_int(&row, R_DATA_TYPE, DATA_INT, DATA_FLOAT, &data_type) && good;
    good = weir_row_int(&row, R_FUNCTION, 3, 4, &function) && good;
    good = weir_row_int(&row, R_BYTES, LITTLE, BIG, &bytes) && good;
    if (data_type != DATA_INT) /* one register has no order of words */
        good = weir_row_int(&row, R_WORDS, LITTLE, BIG, &words) && good;
    if (!good || !name)
        return;
    place(b, &row, -1);
    known_by_address(m, b, at);
    weir_builder_open(b, WEIR_NODE_MAPPING);
    place(b, &row, R_NAME);
    weir_builder_pair(b, "name", name);
    place(b, &row, R_FUNCTION);
    weir_builder_pair(b, "register", function == 3 ? "holding" : "input");
    place(b, &row, R_ADDRESS);
    pair_number(b, "address", address);
    place(b, &row, R_DATA_TYPE);
    weir_builder_pair(b, "type", types[data_type]);
    weir_builder_pair(b, "order", order_of(data_type, words, bytes));
    place(b, &row, R_UNIT);
    if (unit)
        weir_builder_pair(b, "unit", unit);
    (void)weir_builder_close(b);
}

static void write_points(struct meters *m, weir_builder *b, const weir_row *meter, const char *type)
{
    const size_t number = (size_t)(uintptr_t)weir_map_get(&m->types.map, type);
    if (!number) {
        weir_row_problem(meter, TYPE, "there are no registers of the type \"%.80s\"", type);
        return;
    }
    weir_builder_text(b, "points");
    if (m->lists[number - 1]) {
        weir_builder_repeat(b, m->lists[number - 1]);
        return;
    }
    weir_builder_open(b, WEIR_NODE_LIST);
    for (uint32_t i = m->types.items[number - 1].first; i != WEIR_ROW_NONE; i = m->types.next[i])
        write_point(m, b, i);
    m->lists[number - 1] = weir_builder_close(b);
}

/* ---- meters ---- */

static void write_meter(struct meters *m, weir_builder *b, size_t at)
{
    const weir_row row = meter_at(m, at);
    const char *type = weir_row_word(&row, TYPE), *description = weir_row_text(&row, DESCRIPTION);
    int64_t unit_id = 0;
    if (!weir_row_int(&row, SLAVE_ADDRESS, 0, 255, &unit_id) || !type || !m->gateway[at])
        return;
    char name[64];
    (void)snprintf(name, sizeof name, "meter-%.40s", row.id);
    place(b, &row, -1);
    (void)weir_layout_known_as(b, m->key, &row);
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_pair(b, "name", name);
    place(b, &row, HOST);
    weir_builder_pair(b, "connection", m->gateway[at]);
    place(b, &row, SLAVE_ADDRESS);
    pair_number(b, "unit_id", unit_id);
    place(b, &row, DESCRIPTION);
    if (description)
        weir_builder_pair(b, "description", description);
    weir_builder_text(b, "labels");
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_pair(b, "id", row.id);
    if (description)
        weir_builder_pair(b, "description", description);
    (void)weir_builder_close(b);
    place(b, &row, TYPE);
    write_points(m, b, &row, type);
    if (m->in->cron || m->in->interval)
        weir_builder_pair(b, "interval", m->in->cron ? "on_demand" : m->in->interval);
    (void)weir_builder_close(b);
}

static void meters_find_gateways(struct meters *m)
{
    for (size_t i = 0; i < m->in->rows[0].n && !m->failed; i++) {
        const weir_row row = meter_at(m, i);
        int64_t port = 0, id = 0;
        const char *host = weir_row_word(&row, HOST);
        const bool numbered = weir_row_int(&row, ID, INT64_MIN, INT64_MAX, &id);
        if (!weir_row_int(&row, PORT, 1, 65535, &port) || !host || !numbered)
            continue;
        const bool v6 = strchr(host, ':') && *host != '[';
        m->gateway[i] = weir_arena_format(m->arena, "%s%s%s:%" PRId64, v6 ? "[" : "", host,
                                          v6 ? "]" : "", port);
        m->failed = !m->gateway[i] || !weir_groups_add(&m->gateways, m->gateway[i], (uint32_t)i);
    }
}

static void write_gateways(const struct meters *m, weir_builder *b)
{
    for (size_t i = 0; i < m->gateways.n; i++) {
        const weir_row row = meter_at(m, m->gateways.items[i].first);
        char uri[400];
        (void)snprintf(uri, sizeof uri, "%s://%s", m->in->scheme, m->gateways.items[i].key);
        place(b, &row, HOST);
        weir_builder_open(b, WEIR_NODE_MAPPING);
        weir_builder_pair(b, "name", m->gateways.items[i].key);
        weir_builder_pair(b, "uri", uri);
        (void)weir_builder_close(b);
    }
}

static void registers_find_types(struct meters *m)
{
    for (size_t i = 0; i < m->in->rows[1].n && !m->failed; i++) {
        char room[128];
        const weir_row row = register_at(m, i, &room);
        const char *type = weir_row_word(&row, R_TYPE);
        if (type)
            m->failed = !weir_groups_add(&m->types, type, (uint32_t)i);
    }
}

/* The plan of a cron expression: all the meters together. */
static void write_plan(const struct meters *m, weir_builder *b)
{
    weir_builder_place(b, m->in->place, 0);
    weir_builder_text(b, "plans");
    weir_builder_open(b, WEIR_NODE_LIST);
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_pair(b, "name", m->in->name);
    weir_builder_pair(b, "cron", m->in->cron);
    weir_builder_text(b, "tags");
    weir_builder_open(b, WEIR_NODE_LIST);
    for (size_t i = 0; i < m->in->rows[0].n; i++) {
        char pattern[64];
        (void)snprintf(pattern, sizeof pattern, "meter-%.40s/*", cell(&m->in->rows[0], i, ID));
        weir_builder_text(b, pattern);
    }
    (void)weir_builder_close(b);
    (void)weir_builder_close(b);
    (void)weir_builder_close(b);
}

static void meters_write(struct meters *m, weir_builder *b)
{
    weir_builder_text(b, "connections");
    weir_builder_open(b, WEIR_NODE_LIST);
    write_gateways(m, b);
    (void)weir_builder_close(b);
    weir_builder_text(b, "devices");
    weir_builder_open(b, WEIR_NODE_LIST);
    for (size_t i = 0; i < m->in->rows[0].n; i++)
        write_meter(m, b, i);
    (void)weir_builder_close(b);
    if (m->in->cron && m->in->rows[0].n)
        write_plan(m, b);
}

static void meters_build(const weir_layout_in *in, weir_builder *b)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    struct meters m = {.in = in, .arena = arena};
    const size_t n = in->rows[0].n, n_registers = in->rows[1].n;
    /* Each is begun, so that each can be ended. */
    const bool types = weir_groups_init(&m.types, n_registers);
    const bool gateways = weir_groups_init(&m.gateways, n);
    m.failed = !types || !gateways;
    if (arena) {
        m.meters_table = weir_arena_format(arena, "%s, energy_meters", in->place);
        m.key = weir_layout_key(in, 0, ID, arena);
        m.registers_table = weir_arena_format(arena, "%s, registers", in->place);
        m.lists = weir_arena_alloc(arena, n_registers, sizeof *m.lists);
        m.gateway = weir_arena_alloc(arena, n, sizeof *m.gateway);
    }
    m.failed = m.failed || !m.meters_table || !m.registers_table || !m.lists || !m.gateway;
    if (!m.failed)
        registers_find_types(&m);
    if (!m.failed)
        meters_find_gateways(&m);
    if (!m.failed)
        meters_write(&m, b);
    in->problems->failed = in->problems->failed || m.failed;
    weir_groups_deinit(&m.types);
    weir_groups_deinit(&m.gateways);
}

const weir_layout weir_layout_energy_meters = {
    .name = "energy_meters",
    .queries = {{"energy_meters",
                 "SELECT id, host, port, slave_address, type, description FROM energy_meters "
                 "ORDER BY id"},
                {"registers",
                 "SELECT type, register_address, measurement_name, data_unit, data_type, "
                 "function_code, word_order, byte_order FROM registers ORDER BY type, "
                 "register_address, measurement_name"}},
    .build = meters_build,
};
