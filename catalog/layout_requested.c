/* SPDX-License-Identifier: MIT */
/* The layout `requested_data`: the table of requests of ModbusDataLogger. */

/*
 * One row is one request: `count` registers or bits of a unit behind a gateway, each `period`
 * seconds. It becomes one point, named by its paramID, of the device that is that unit, and one tag
 * with all that the request's reply holds: the bytes of its registers or its bits, packed. The
 * label paramID tells a sink which request it was. A row that is not required is none.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "catalog/layout.h"
#include "modbus/pdu.h"

enum { ID, REQUIRED, HOST, PORT, PERIOD, ADDRESS, FUNCTION, REGISTER, COUNT, COMMENT };

/* One that is required, with every column in order. */
struct request {
    const char *id, *comment;
    const char *gateway, *unit; /* "10.0.0.5:502", "10.0.0.5:502-1" */
    const char *host;
    int64_t port, period, address, function, reg, count;
};

struct requests {
    const weir_layout_in *in;
    weir_arena *arena;
    struct request *items; /* by row; id NULL: not required, or wrong */
    weir_groups gateways, units;
    bool failed;
};

static weir_row row_at(const weir_layout_in *in, size_t at, const char *table)
{
    const char *id = in->rows[0].cells[at * in->rows[0].n_columns + ID];
    return (weir_row){.rows = &in->rows[0],
                      .at = at,
                      .table = table,
                      .word = "paramID",
                      .id = id ? id : "",
                      .problems = in->problems};
}

/* Function codes 1 to 4 read; of the others the original either wrote or failed. */
static bool request_check(const weir_row *row, const struct request *r)
{
    const bool bits = r->function <= 2;
    const int64_t most = bits ? WEIR_READ_BITS_MAX : WEIR_READ_REGISTERS_MAX;
    if (r->count > most) {
        weir_row_problem(row, COUNT, "%" PRId64 " %s do not fit a reply: at most %" PRId64,
                         r->count, bits ? "bits" : "registers", most);
        return false;
    }
    if (r->reg + r->count > 65536) {
        weir_row_problem(row, COUNT, "%" PRId64 " from %" PRId64 " on is behind the last, 65535",
                         r->count, r->reg);
        return false;
    }
    return true;
}

static bool request_read(const weir_row *row, struct request *r)
{
    int64_t required = 0, id = 0;
    /* All are looked at, so that all mistakes are told at once. */
    if (!weir_row_int(row, REQUIRED, 0, 1, &required) || !required)
        return false;
    bool good = weir_row_int(row, ID, INT64_MIN, INT64_MAX, &id);
    r->host = weir_row_word(row, HOST);
    r->comment = weir_row_text(row, COMMENT);
    good = weir_row_int(row, PORT, 1, 65535, &r->port) && good;
    good = weir_row_int(row, PERIOD, 1, 366 * 86400, &r->period) && good;
    good = weir_row_int(row, ADDRESS, 0, 255, &r->address) && good;
    good = weir_row_int(row, FUNCTION, 1, 255, &r->function) && good;
    good = weir_row_int(row, REGISTER, 0, 65535, &r->reg) && good;
    good = weir_row_int(row, COUNT, 1, 65535, &r->count) && good;
    if (good && r->function > 4) {
        weir_row_problem(row, FUNCTION,
                         "function %" PRId64 " is none that reads bits or registers: 1 to 4 do",
                         r->function);
        good = false;
    }
    return good && r->host && request_check(row, r);
}

static void requests_read(struct requests *q, const char *table)
{
    for (size_t i = 0; i < q->in->rows[0].n && !q->failed; i++) {
        const weir_row row = row_at(q->in, i, table);
        struct request r = {0};
        if (!request_read(&row, &r))
            continue;
        const bool v6 = strchr(r.host, ':') && *r.host != '[';
        r.gateway = weir_arena_format(q->arena, "%s%s%s:%" PRId64, v6 ? "[" : "", r.host,
                                      v6 ? "]" : "", r.port);
        r.unit =
            r.gateway ? weir_arena_format(q->arena, "%s-%" PRId64, r.gateway, r.address) : NULL;
        r.id = row.id;
        q->failed = !r.unit || !weir_groups_add(&q->gateways, r.gateway, (uint32_t)i) ||
                    !weir_groups_add(&q->units, r.unit, (uint32_t)i);
        q->items[i] = r;
    }
}

/* ---- writing ---- */

static void place(struct requests *q, weir_builder *b, const char *table, size_t row, int column)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    const weir_row at = row_at(q->in, row, table);
    const uint32_t number = weir_row_place(&at, column, &text);
    weir_builder_place(b, weir_text_get(&text), number);
}

static void pair_number(weir_builder *b, const char *key, int64_t number, const char *unit)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64 "%s", number, unit);
    weir_builder_pair(b, key, text);
}

static void write_gateways(struct requests *q, weir_builder *b, const char *table)
{
    for (size_t i = 0; i < q->gateways.n; i++) {
        const uint32_t row = q->gateways.items[i].first;
        char uri[400];
        (void)snprintf(uri, sizeof uri, "%s://%s", q->in->scheme, q->items[row].gateway);
        place(q, b, table, row, HOST);
        weir_builder_open(b, WEIR_NODE_MAPPING);
        weir_builder_pair(b, "name", q->items[row].gateway);
        weir_builder_pair(b, "uri", uri);
        (void)weir_builder_close(b);
    }
}

static void write_point(struct requests *q, weir_builder *b, const char *table, uint32_t row)
{
    static const char *const registers[] = {"coil", "discrete", "holding", "input"};
    const struct request *r = &q->items[row];
    const bool bits = r->function <= 2;
    place(q, b, table, row, -1);
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_pair(b, "name", r->id);
    place(q, b, table, row, FUNCTION);
    weir_builder_pair(b, "register", registers[r->function - 1]);
    place(q, b, table, row, REGISTER);
    pair_number(b, "address", r->reg, "");
    place(q, b, table, row, COUNT);
    weir_builder_pair(b, "type", "bytes");
    pair_number(b, "length", bits ? r->count : 2 * r->count, "");
    weir_builder_pair(b, "order", "ABCD"); /* as on the wire, whatever the defaults say */
    place(q, b, table, row, PERIOD);
    pair_number(b, "interval", r->period, "s");
    /* Requests may share a part of their registers. */
    weir_builder_pair(b, "allow_overlap", "true");
    place(q, b, table, row, ID);
    weir_builder_text(b, "labels");
    weir_builder_open(b, WEIR_NODE_MAPPING);
    weir_builder_pair(b, "paramID", r->id);
    (void)weir_builder_close(b);
    place(q, b, table, row, COMMENT);
    if (r->comment)
        weir_builder_pair(b, "description", r->comment);
    (void)weir_builder_close(b);
}

static void write_units(struct requests *q, weir_builder *b, const char *table)
{
    for (size_t i = 0; i < q->units.n; i++) {
        const uint32_t first = q->units.items[i].first;
        place(q, b, table, first, ADDRESS);
        weir_builder_open(b, WEIR_NODE_MAPPING);
        weir_builder_pair(b, "name", q->items[first].unit);
        weir_builder_pair(b, "connection", q->items[first].gateway);
        pair_number(b, "unit_id", q->items[first].address, "");
        weir_builder_text(b, "points");
        weir_builder_open(b, WEIR_NODE_LIST);
        for (uint32_t row = first; row != WEIR_ROW_NONE; row = q->units.next[row])
            write_point(q, b, table, row);
        (void)weir_builder_close(b);
        (void)weir_builder_close(b);
    }
}

static void requested_build(const weir_layout_in *in, weir_builder *b)
{
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    struct requests q = {.in = in, .arena = arena};
    char *table = arena ? weir_arena_format(arena, "%s, RequestedData", in->place) : NULL;
    const size_t n = in->rows[0].n;
    q.items = arena ? weir_arena_alloc(arena, n, sizeof *q.items) : NULL;
    /* Each is begun, so that each can be ended. */
    const bool gateways = weir_groups_init(&q.gateways, n), units = weir_groups_init(&q.units, n);
    q.failed = !gateways || !units || !table || !q.items;
    if (!q.failed)
        requests_read(&q, table);
    if (!q.failed) {
        weir_builder_text(b, "connections");
        weir_builder_open(b, WEIR_NODE_LIST);
        write_gateways(&q, b, table);
        (void)weir_builder_close(b);
        weir_builder_text(b, "devices");
        weir_builder_open(b, WEIR_NODE_LIST);
        write_units(&q, b, table);
        (void)weir_builder_close(b);
    }
    in->problems->failed = in->problems->failed || q.failed;
    weir_groups_deinit(&q.gateways);
    weir_groups_deinit(&q.units);
}

const weir_layout weir_layout_requested_data = {
    .name = "requested_data",
    .queries = {{"RequestedData",
                 "SELECT paramID, required, host, port, period, address, function, \"register\", "
                 "count, comment FROM RequestedData ORDER BY paramID"}},
    .build = requested_build,
};
