/* SPDX-License-Identifier: MIT */
/* A poll: the requests for one set of intervals of one device, made ready for decoding. */

#include "modbus/poll.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "model/source.h"

/* The replacement character for a byte that is not UTF-8 takes three. */
enum { UTF8_GROWTH = 3, PDU_DATA_MAX = 252 };

/* The two lists of points and the limits that count now. */
typedef struct maker {
    const weir_catalog *catalog;
    const weir_device *device;
    const weir_learnt *learnt;
    uint32_t *shared, *alone; /* point indexes */
    size_t n_shared, n_alone;
    weir_range *forbidden;
    weir_grouping_limits limits;
} maker;

static void maker_deinit(maker *m)
{
    weir_free(m->shared);
    weir_free(m->alone);
    weir_free(m->forbidden);
}

/* The device's forbidden ranges, and the registers of every point it refused. */
static weir_err maker_forbid(maker *m, weir_error *error)
{
    const weir_device *d = m->device;
    m->forbidden = weir_alloc_zero(d->n_forbidden + m->learnt->n_refusals + 1, sizeof(weir_range));
    if (!m->forbidden)
        return weir_fail(error, WEIR_ENOMEM, "ranges of device '%s'", d->name);
    if (d->n_forbidden)
        memcpy(m->forbidden, d->forbidden, d->n_forbidden * sizeof *m->forbidden);
    size_t n = d->n_forbidden;
    for (size_t i = 0; i < m->learnt->n_refusals; i++) {
        const weir_point *p = &d->points[m->learnt->refusals[i].point];
        if (p->table != WEIR_REGISTER_FUNCTION)
            m->forbidden[n++] =
                (weir_range){p->address, p->address + weir_point_size(p) - 1, p->table};
    }
    m->limits.forbidden = m->forbidden;
    m->limits.n_forbidden = n;
    return WEIR_OK;
}

/* Larger than what the device was seen to bear: asked for all the same, but alone. */
static bool maker_too_large(const maker *m, const weir_point *p)
{
    return p->table != WEIR_REGISTER_FUNCTION &&
           weir_point_element_size(p) > weir_learnt_max(m->learnt, p->table);
}

static weir_err maker_sort(maker *m, const weir_read *read, weir_error *error)
{
    const weir_device *d = m->device;
    m->shared = weir_alloc_zero(d->n_points + 1, sizeof *m->shared);
    m->alone = weir_alloc_zero(d->n_points + 1, sizeof *m->alone);
    if (!m->shared || !m->alone)
        return weir_fail(error, WEIR_ENOMEM, "poll of device '%s'", d->name);
    for (uint32_t i = 0; i < d->n_points; i++) {
        if (!weir_read_wants(read, d, i))
            continue;
        if (weir_learnt_find(m->learnt, i) || maker_too_large(m, &d->points[i]))
            m->alone[m->n_alone++] = i;
        else
            m->shared[m->n_shared++] = i;
    }
    return WEIR_OK;
}

static weir_err maker_group_shared(const maker *m, weir_arena *arena, weir_grouping *ret,
                                   weir_error *error)
{
    weir_grouping_limits limits = m->limits;
    limits.registers_max = m->learnt->registers_max;
    limits.bits_max = m->learnt->bits_max;
    limits.n_cuts = m->learnt->n_cuts;
    limits.cuts = m->learnt->cuts;
    return weir_grouping_make(m->device->points, m->shared, m->n_shared, &limits, arena, ret,
                              error);
}

/* Each point by itself, in requests as large as the largest element needs. */
static weir_err maker_group_alone(const maker *m, weir_arena *arena, weir_grouping *ret,
                                  weir_error *error)
{
    weir_grouping_limits limits = m->limits;
    limits.one_point_per_request = true;
    limits.registers_max = m->learnt->registers_max;
    limits.bits_max = m->learnt->bits_max;
    for (size_t i = 0; i < m->n_alone; i++) {
        const weir_point *p = &m->device->points[m->alone[i]];
        if (!maker_too_large(m, p))
            continue;
        if (weir_register_is_bits(p->table))
            limits.bits_max = m->limits.bits_max;
        else
            limits.registers_max = m->limits.registers_max;
    }
    return weir_grouping_make(m->device->points, m->alone, m->n_alone, &limits, arena, ret, error);
}

static size_t item_room(const weir_poll_item *item)
{
    if (item->point->type == WEIR_TYPE_STRING)
        return (size_t)item->length * UTF8_GROWTH + 1;
    if (weir_point_is_packed(item->point))
        return weir_point_contents_size(item->point);
    if (item->point->type == WEIR_TYPE_BYTES || item->point->type == WEIR_TYPE_RAW)
        return item->length ? item->length : PDU_DATA_MAX;
    return 0;
}

/* The elements of the point that the group holds: all, or, of a point cut at elements, some. */
static size_t items_of_point(const maker *m, const weir_group *g, uint32_t point,
                             weir_poll_item *ret)
{
    const weir_device *d = m->device;
    const weir_point *p = &d->points[point];
    const weir_tag *tags = &m->catalog->tags[d->first_tag + d->point_tag[point]];
    bool function = g->table == WEIR_REGISTER_FUNCTION, bits = weir_register_is_bits(g->table);
    uint32_t size = function ? 0 : weir_point_element_size(p);
    size_t n = 0;
    for (uint32_t e = 0; e < p->count; e++) {
        uint32_t address = p->address + e * size;
        if (!function && (address < g->address || address + size > (uint32_t)g->address + g->count))
            continue;
        uint32_t at = function ? 0 : address - g->address;
        ret[n++] = (weir_poll_item){
            .point = p,
            .tag = tags[e].uid,
            .offset = (uint16_t)(bits || function ? at : 2 * at),
            .length = (uint16_t)(bits || function ? size : 2 * size),
        };
    }
    return n;
}

/* Appends one grouping's groups and items to the poll. */
static void poll_add(weir_poll *poll, const maker *m, const weir_grouping *grouping)
{
    weir_group *groups = poll->groups + poll->n_groups + poll->n_alone;
    for (size_t i = 0; i < grouping->n_groups; i++) {
        const weir_group *g = &grouping->groups[i];
        size_t first = poll->n_items;
        for (uint32_t k = 0; k < g->n; k++)
            poll->n_items += items_of_point(m, g, grouping->point_index[g->first + k],
                                            poll->items + poll->n_items);
        groups[i] = *g;
        groups[i].first = (uint32_t)first;
        groups[i].n = (uint32_t)(poll->n_items - first);
    }
}

static void poll_measure(weir_poll *poll)
{
    size_t n_alone_items = 0;
    for (size_t i = 0; i < poll->n_groups + poll->n_alone; i++) {
        const weir_group *g = &poll->groups[i];
        size_t room = 0;
        for (uint32_t k = 0; k < g->n; k++)
            room += item_room(&poll->items[g->first + k]);
        poll->room_most = room > poll->room_most ? room : poll->room_most;
        poll->items_most = g->n > poll->items_most ? g->n : poll->items_most;
        n_alone_items += i < poll->n_groups ? 0 : g->n;
    }
    poll->items_most = n_alone_items > poll->items_most ? n_alone_items : poll->items_most;
}

static weir_err poll_fill(weir_poll *poll, const maker *m, const weir_grouping *shared,
                          const weir_grouping *alone, weir_error *error)
{
    size_t n_items = 0;
    for (size_t i = 0; i < m->n_shared; i++)
        n_items += m->device->points[m->shared[i]].count;
    for (size_t i = 0; i < m->n_alone; i++)
        n_items += m->device->points[m->alone[i]].count;
    poll->groups =
        weir_arena_alloc(poll->arena, shared->n_groups + alone->n_groups + 1, sizeof *poll->groups);
    poll->items = weir_arena_alloc(poll->arena, n_items + 1, sizeof *poll->items);
    if (!poll->groups || !poll->items)
        return weir_fail(error, WEIR_ENOMEM, "poll of device '%s'", m->device->name);
    poll_add(poll, m, shared);
    poll->n_groups = shared->n_groups;
    poll_add(poll, m, alone);
    poll->n_alone = alone->n_groups;
    assert(poll->n_items == n_items);
    poll_measure(poll);
    return WEIR_OK;
}

static weir_err poll_make(weir_poll *poll, maker *m, const weir_read *read, weir_error *error)
{
    weir_grouping shared, alone;
    weir_err err = maker_forbid(m, error);
    if (!err)
        err = maker_sort(m, read, error);
    if (!err)
        err = maker_group_shared(m, poll->arena, &shared, error);
    if (!err)
        err = maker_group_alone(m, poll->arena, &alone, error);
    return err ? err : poll_fill(poll, m, &shared, &alone, error);
}

weir_err weir_poll_new(const weir_catalog *catalog, const weir_read *read,
                       const weir_learnt *learnt, weir_poll **ret, weir_error *error)
{
    const weir_device *d = &catalog->devices[read->device];
    weir_poll *poll = weir_alloc_zero(1, sizeof *poll);
    if (!poll)
        return weir_fail(error, WEIR_ENOMEM, "poll of device '%s'", d->name);
    *poll = (weir_poll){
        .key = weir_read_key(read), .points = d->points, .version = learnt->version, .refs = 1};

    maker m = {.catalog = catalog, .device = d, .learnt = learnt};
    m.limits = weir_grouping_limits_of(d, &catalog->connections[d->connection]);
    poll->arena = weir_arena_new();
    weir_err err = poll->arena ? poll_make(poll, &m, read, error)
                               : weir_fail(error, WEIR_ENOMEM, "poll of device '%s'", d->name);
    maker_deinit(&m);
    if (err) {
        weir_poll_unref(poll);
        return err;
    }
    *ret = poll;
    return WEIR_OK;
}

void weir_poll_unref(weir_poll *poll)
{
    if (!poll || --poll->refs > 0)
        return;
    weir_arena_free(poll->arena);
    weir_free(poll);
}

void weir_poll_move(weir_poll *poll, const weir_point *points)
{
    for (size_t i = 0; i < poll->n_items; i++)
        poll->items[i].point = points + (poll->items[i].point - poll->points);
    poll->points = points;
}

weir_poll_span weir_poll_span_of(const weir_poll_item *items, size_t n)
{
    weir_poll_span span = {UINT32_MAX, 0};
    for (size_t i = 0; i < n; i++) {
        uint32_t end = (uint32_t)items[i].offset + items[i].length;
        span.first = items[i].offset < span.first ? items[i].offset : span.first;
        span.end = end > span.end ? end : span.end;
    }
    return span;
}

static bool nearer(size_t k, size_t than, size_t middle)
{
    return than == 0 ||
           llabs((long long)k - (long long)middle) < llabs((long long)than - (long long)middle);
}

size_t weir_poll_halve(const weir_poll_item *items, size_t n)
{
    size_t by_point = 0, by_address = 0;
    for (size_t k = 1; k < n; k++) {
        const weir_poll_item *a = &items[k - 1], *b = &items[k];
        if (a->offset == b->offset && a->length == b->length)
            continue;
        if (nearer(k, by_address, n / 2))
            by_address = k;
        if (a->point != b->point && nearer(k, by_point, n / 2))
            by_point = k;
    }
    return by_point ? by_point : by_address;
}
