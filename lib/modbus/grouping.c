/* SPDX-License-Identifier: MIT */
/* Grouping of points into the requests that cost least. */

/*
 * The points are sorted by table and address. Those that can share a request become spans (one
 * point, or the hull of an atomic group) and a dynamic programme finds the cheapest way to cut the
 * row of spans into runs: best[j], the least cost of the first j spans, is the least of best[i] +
 * cost(run i..j-1) over all runs the limits allow. A run only grows as spans are added, and the
 * spans come in order of their start, so whatever makes a run too long, too sparse or crosses a
 * forbidden range makes every longer one so too: the search stops there.
 *
 * Points that cannot share (function codes of their own, touching a forbidden range, larger than a
 * request) get requests of their own beside it.
 */

#include "modbus/grouping.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSES = 65536 };

/* A wanted point, and the registers or bits its request must hold at least. */
typedef struct span {
    weir_register table;
    uint32_t first, last; /* inclusive; an atomic group's hull */
    uint32_t atom;        /* spans of one atom stay together; 0: none */
    uint32_t address;     /* of the point itself */
    uint32_t point;
} span;

/* The least cost of covering the spans before this one, and the run that ends there. */
typedef struct step {
    uint64_t cost;
    uint32_t requests;
    uint32_t from;
} step;

typedef struct work {
    const weir_grouping_limits *limits;
    span *spans; /* those that may share first, then the others */
    size_t n_shared, n_spans;
    weir_group *drafts; /* first and n count spans */
    size_t n_drafts;
    step *steps;
} work;

static void work_deinit(work *w)
{
    weir_free(w->spans);
    weir_free(w->drafts);
    weir_free(w->steps);
}

static uint32_t limits_count_max(const weir_grouping_limits *limits, weir_register table)
{
    return weir_register_is_bits(table) ? limits->bits_max : limits->registers_max;
}

static uint64_t limits_cost(const weir_grouping_limits *limits, weir_register table, uint32_t count)
{
    uint32_t registers = weir_register_is_bits(table) ? (count + 15) / 16 : count;
    return limits->request_cost + registers * limits->register_cost;
}

static bool limits_forbid(const weir_grouping_limits *limits, const span *s)
{
    for (size_t i = 0; i < limits->n_forbidden; i++) {
        const weir_range *r = &limits->forbidden[i];
        if (r->table == s->table && r->first <= s->last && r->last >= s->first)
            return true;
    }
    return false;
}

static bool limits_cut(const weir_grouping_limits *limits, const span *s)
{
    for (size_t i = 0; i < limits->n_cuts; i++) {
        const weir_range *r = &limits->cuts[i];
        if (r->table == s->table && r->first >= s->first && r->last <= s->last)
            return true;
    }
    return false;
}

static weir_err point_check(const weir_point *p, const weir_grouping_limits *limits,
                            weir_error *error)
{
    if (p->table == WEIR_REGISTER_FUNCTION)
        return WEIR_OK;
    unsigned max = limits_count_max(limits, p->table);
    if (weir_point_element_size(p) > max)
        return weir_fail(error, WEIR_EINVAL,
                         "point '%s' needs %u %s at once, one request may hold %u", p->name,
                         weir_point_element_size(p),
                         weir_register_is_bits(p->table) ? "bits" : "registers", max);
    if (p->address + weir_point_size(p) > ADDRESSES)
        return weir_fail(error, WEIR_EINVAL, "point '%s' ends at address %u, beyond 65535", p->name,
                         p->address + weir_point_size(p) - 1);
    return WEIR_OK;
}

/* FUNCTION is 0 in the enum and comes last. */
static int table_rank(weir_register table)
{
    return table == WEIR_REGISTER_FUNCTION ? WEIR_REGISTER_INPUT + 1 : (int)table;
}

static int number_compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int span_compare_atom(const void *left, const void *right)
{
    const span *a = left, *b = right;
    int c = number_compare(a->table, b->table);
    return c ? c : number_compare(a->atom, b->atom);
}

static int span_compare(const void *left, const void *right)
{
    const span *a = left, *b = right;
    int c = number_compare(a->table, b->table);
    if (!c)
        c = number_compare(a->first, b->first);
    if (!c)
        c = number_compare(a->last, b->last);
    if (!c)
        c = number_compare(a->atom, b->atom);
    if (!c)
        c = number_compare(a->address, b->address);
    return c ? c : number_compare(a->point, b->point);
}

static int span_compare_address(const void *left, const void *right)
{
    const span *a = left, *b = right;
    int c = number_compare(a->address, b->address);
    return c ? c : number_compare(a->point, b->point);
}

static int group_compare(const void *left, const void *right)
{
    const weir_group *a = left, *b = right;
    int c = table_rank(a->table) - table_rank(b->table);
    if (!c)
        c = number_compare(a->address, b->address);
    return c ? c : number_compare(a->first, b->first);
}

/* Gives the members of an atomic group its hull, or sets them free when no request can hold it. */
static void atom_close(const weir_grouping_limits *limits, span *spans, size_t n)
{
    span hull = spans[0];
    for (size_t i = 1; i < n; i++) {
        hull.first = spans[i].first < hull.first ? spans[i].first : hull.first;
        hull.last = spans[i].last > hull.last ? spans[i].last : hull.last;
    }
    bool fits = hull.last - hull.first < limits_count_max(limits, hull.table) &&
                !limits_forbid(limits, &hull) && !limits_cut(limits, &hull) &&
                !limits->one_point_per_request;
    for (size_t i = 0; i < n; i++) {
        if (fits) {
            spans[i].first = hull.first;
            spans[i].last = hull.last;
        } else {
            spans[i].atom = 0;
        }
    }
}

static void atoms_close(const weir_grouping_limits *limits, span *spans, size_t n)
{
    qsort(spans, n, sizeof *spans, span_compare_atom);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && !span_compare_atom(&spans[i], &spans[end]);)
            end++;
        if (spans[i].atom != 0)
            atom_close(limits, spans + i, end - i);
    }
}

static weir_err spans_make(work *w, const weir_point *points, const uint32_t *index, size_t n,
                           weir_error *error)
{
    w->spans = weir_alloc_zero(n + 1, sizeof *w->spans);
    if (!w->spans)
        return weir_fail(error, WEIR_ENOMEM, "grouping of %zu points", n);

    size_t n_alone = 0;
    for (size_t i = 0; i < n; i++) {
        const weir_point *p = &points[index[i]];
        weir_err err = point_check(p, w->limits, error);
        if (err)
            return err;
        span s = {p->table, p->address, p->address + weir_point_size(p) - 1,
                  p->group, p->address, index[i]};
        bool alone = p->table == WEIR_REGISTER_FUNCTION || limits_forbid(w->limits, &s) ||
                     weir_point_size(p) > limits_count_max(w->limits, p->table);
        w->spans[alone ? n - ++n_alone : w->n_shared++] = s;
    }
    w->n_spans = n;
    atoms_close(w->limits, w->spans, w->n_shared);
    qsort(w->spans, w->n_shared, sizeof *w->spans, span_compare);
    qsort(w->spans + w->n_shared, n_alone, sizeof *w->spans, span_compare);
    return WEIR_OK;
}

static void draft_add(work *w, weir_register table, uint32_t address, uint32_t count,
                      uint32_t first, uint32_t n)
{
    w->drafts[w->n_drafts++] = (weir_group){.table = table,
                                            .function = (uint8_t)table,
                                            .address = (uint16_t)address,
                                            .count = (uint16_t)count,
                                            .first = first,
                                            .n = n};
}

/* A request of its own, or as many as the point needs, cut at elements. */
static void draft_alone(work *w, const weir_point *p, uint32_t at)
{
    if (p->table == WEIR_REGISTER_FUNCTION) {
        draft_add(w, p->table, 0, 0, at, 1);
        w->drafts[w->n_drafts - 1].function = p->function;
        return;
    }
    uint32_t element = weir_point_element_size(p), left = weir_point_size(p), address = p->address;
    uint32_t most = limits_count_max(w->limits, p->table) / element * element;
    while (left > 0) {
        uint32_t count = left < most ? left : most;
        draft_add(w, p->table, address, count, at, 1);
        address += count;
        left -= count;
    }
}

/* How many forbidden ranges begin before the span: no run may hold spans of different zones, as
 * the range between their starts, touched by neither, would be inside. */
static uint32_t span_zone(const weir_grouping_limits *limits, const span *s)
{
    uint32_t zone = 0;
    for (size_t i = 0; i < limits->n_forbidden; i++)
        zone += limits->forbidden[i].table == s->table && limits->forbidden[i].first < s->first;
    return zone;
}

/* The last address a run may reach that begins at first, so that it crosses no cut. */
static uint32_t run_end_max(const weir_grouping_limits *limits, const span *first)
{
    uint32_t end = first->first + limits_count_max(limits, first->table) - 1;
    for (size_t i = 0; i < limits->n_cuts; i++) {
        const weir_range *r = &limits->cuts[i];
        if (r->table == first->table && r->first >= first->first && r->last <= end)
            end = r->last - 1;
    }
    return end;
}

/* Runs that begin at span i: improves the steps after them. zones[i] of each span. The members of
 * an atom all have its hull, so a run that ends between two of them only costs more. */
static void steps_from(work *w, const uint32_t *zones, size_t i)
{
    const weir_grouping_limits *limits = w->limits;
    const span *spans = w->spans, *first = &spans[i];
    uint32_t hole_max =
        weir_register_is_bits(first->table) ? limits->hole_bits_max : limits->hole_registers_max;
    uint32_t end_max = run_end_max(limits, first), end = first->last;
    for (size_t j = i; j < w->n_shared; j++) {
        const span *s = &spans[j];
        if (j > i) {
            if (s->table != first->table || limits->one_point_per_request || zones[j] != zones[i] ||
                (s->first > end && s->first - end - 1 > hole_max))
                break;
            end = s->last > end ? s->last : end;
            if (end > end_max)
                break;
        }
        uint64_t cost =
            w->steps[i].cost + limits_cost(limits, first->table, end - first->first + 1);
        uint32_t requests = w->steps[i].requests + 1;
        step *to = &w->steps[j + 1];
        if (to->requests == 0 || cost < to->cost || (cost == to->cost && requests < to->requests))
            *to = (step){cost, requests, (uint32_t)i};
    }
}

static weir_err steps_make(work *w, weir_error *error)
{
    w->steps = weir_alloc_zero(w->n_shared + 1, sizeof *w->steps);
    uint32_t *zones = weir_alloc_zero(w->n_shared + 1, sizeof *zones);
    if (!w->steps || !zones) {
        weir_free(zones);
        return weir_fail(error, WEIR_ENOMEM, "grouping of %zu points", w->n_shared);
    }
    for (size_t i = 0; i < w->n_shared; i++)
        zones[i] = span_zone(w->limits, &w->spans[i]);
    for (size_t i = 0; i < w->n_shared; i++)
        steps_from(w, zones, i);
    weir_free(zones);
    return WEIR_OK;
}

/* The cheapest runs, read from the last step backwards. */
static void drafts_of_steps(work *w)
{
    for (size_t end = w->n_shared; end > 0; end = w->steps[end].from) {
        uint32_t from = w->steps[end].from, last = 0;
        for (size_t i = from; i < end; i++)
            last = w->spans[i].last > last ? w->spans[i].last : last;
        const span *first = &w->spans[from];
        draft_add(w, first->table, first->first, last - first->first + 1, from,
                  (uint32_t)end - from);
    }
}

static weir_err drafts_make(work *w, const weir_point *points, weir_error *error)
{
    size_t n = w->n_shared;
    for (size_t i = w->n_shared; i < w->n_spans; i++)
        n += weir_point_size(&points[w->spans[i].point]) + 1u; /* cut into elements at worst */
    w->drafts = weir_alloc_zero(n + 1, sizeof *w->drafts);
    if (!w->drafts)
        return weir_fail(error, WEIR_ENOMEM, "grouping of %zu points", w->n_spans);
    drafts_of_steps(w);
    for (size_t i = w->n_shared; i < w->n_spans; i++)
        draft_alone(w, &points[w->spans[i].point], (uint32_t)i);
    qsort(w->drafts, w->n_drafts, sizeof *w->drafts, group_compare);
    return WEIR_OK;
}

static weir_err grouping_write(work *w, weir_arena *arena, weir_grouping *ret, weir_error *error)
{
    weir_grouping g = {.n_groups = w->n_drafts};
    for (size_t i = 0; i < w->n_drafts; i++)
        g.n_points += w->drafts[i].n;
    g.groups = weir_arena_alloc(arena, g.n_groups + 1, sizeof *g.groups);
    g.point_index = weir_arena_alloc(arena, g.n_points + 1, sizeof *g.point_index);
    if (!g.groups || !g.point_index)
        return weir_fail(error, WEIR_ENOMEM, "grouping of %zu points", w->n_spans);

    uint32_t at = 0;
    for (size_t i = 0; i < w->n_drafts; i++) {
        weir_group *group = &g.groups[i];
        *group = w->drafts[i];
        span *members = w->spans + group->first;
        qsort(members, group->n, sizeof *members, span_compare_address);
        group->first = at;
        for (uint32_t k = 0; k < group->n; k++)
            g.point_index[at++] = members[k].point;
        g.cost += limits_cost(w->limits, group->table, group->count);
    }
    *ret = g;
    return WEIR_OK;
}

weir_err weir_grouping_make(const weir_point *points, const uint32_t *index, size_t n,
                            const weir_grouping_limits *limits, weir_arena *arena,
                            weir_grouping *ret, weir_error *error)
{
    assert(limits->registers_max > 0 && limits->bits_max > 0);
    work w = {.limits = limits};
    weir_err err = spans_make(&w, points, index, n, error);
    if (!err)
        err = steps_make(&w, error);
    if (!err)
        err = drafts_make(&w, points, error);
    if (!err)
        err = grouping_write(&w, arena, ret, error);
    work_deinit(&w);
    return err;
}

/*
 * What a request and a register cost, in microseconds of the connection's time.
 *
 * TCP: a request costs a round trip and the device's own cycle; small controllers and meters answer
 * after 1 to 5 ms: 2 ms. A register costs two bytes on the wire (0.2 us at 100 Mbit/s, nothing) and
 * its copying and conversion in the device and here, some tens of microseconds in the slow ones:
 * 50 us. So a request is worth 40 registers; anything from 30 to 50 gives the same groups for the
 * maps of real devices, whose holes are short or very long.
 *
 * RTU over TCP: behind the gateway is a serial line, most often 9600 baud, 8N1: 10 bits or 1.04 ms
 * a character. A register is two characters. A request is 8 characters, its reply 5 beside the
 * registers, and twice 3.5 characters of silence (Modbus over Serial Line 1.02, 2.5.1.1): 20
 * characters, and about 10 ms until a device turns round. Ratio 15; at 115200 baud the turnaround
 * weighs more, the gateway's own latency too, but there the bus is rarely short.
 */
enum {
    TCP_REQUEST_US = 2000,
    TCP_REGISTER_US = 50,
    SERIAL_CHARACTER_US = 1042,
    SERIAL_REQUEST_US = 20 * SERIAL_CHARACTER_US + 10000,
    SERIAL_REGISTER_US = 2 * SERIAL_CHARACTER_US,
};

weir_grouping_limits weir_grouping_limits_of(const weir_device *device,
                                             const weir_connection *connection)
{
    bool serial = connection->uri.scheme == WEIR_SCHEME_RTU_TCP;
    uint64_t pause = (uint64_t)connection->pause_between_requests_us;
    return (weir_grouping_limits){
        .registers_max = device->max_registers_per_request,
        .bits_max = device->max_bits_per_request,
        .hole_registers_max = device->max_hole_registers,
        .hole_bits_max = device->max_hole_bits,
        .one_point_per_request = device->one_point_per_request,
        .request_cost = (serial ? SERIAL_REQUEST_US : TCP_REQUEST_US) + pause,
        .register_cost = serial ? SERIAL_REGISTER_US : TCP_REGISTER_US,
        .n_forbidden = device->n_forbidden,
        .forbidden = device->forbidden,
    };
}
